"""An object of a class in somebody's own file, or one sentence that says why there is none."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ERRORS = (Exception, SystemExit)  # what a learner's code may raise; Ctrl-C is nobody's mistake


class NotCheckableError(Exception):
    """Why a class cannot be checked, in a sentence."""


class Target(NamedTuple):
    """What ``my_file.py:MyLayer(4, rate=0.5)`` asks for."""

    path: Path
    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def call(self) -> str:
        """As it would be written in Python: ``MyLayer(4, rate=0.5)``."""
        words = [repr(value) for value in self.arguments]
        words += [f"{name}={value!r}" for name, value in self.named.items()]
        return f"{self.name}({', '.join(words)})"


def is_target(text: str) -> bool:
    """Whether the text names a file, and not a layer of this package."""
    return ":" in text or text.endswith(".py")


def parse_target(text: str) -> Target:
    """Take ``my_file.py:MyLayer(4, rate=0.5)`` apart; the arguments are literals."""
    match = re.fullmatch(r"(.+?\.py)(?::(.*))?", text)
    file, call = match.groups() if match else text.split(":", 1)
    if not call:
        return Target(Path(file), "", (), {})
    example = f"{file}:MyLayer, or with constructor arguments '{file}:MyLayer(4, rate=0.5)'"
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        node = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        if not isinstance(node.func, ast.Name) or any(word.arg is None for word in node.keywords):
            raise ValueError
        arguments = tuple(ast.literal_eval(value) for value in node.args)
        named = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
    except (SyntaxError, ValueError, TypeError):
        raise NotCheckableError(
            f"{call!r} is no class with literal arguments (numbers, strings, tuples); "
            f"write {example}."
        ) from None
    return Target(Path(file), node.func.id, arguments, named)


@contextlib.contextmanager
def module_of(path: Path) -> Iterator[ModuleType]:
    """Run the file, as an import would, and keep it importable together with its neighbours.

    No bytecode is read or written, so what runs is the text as it stands now.
    """
    if not path.is_file():
        raise NotCheckableError(f"there is no file {str(path)!r} in {Path.cwd()}.")
    module = ModuleType(f"file_{path.stem}")
    module.__file__ = str(path)
    folder = str(path.resolve().parent)
    sys.modules[module.__name__] = module
    sys.path.insert(0, folder)
    try:
        try:
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        except SyntaxError as error:
            line = (error.text or "").strip()
            raise NotCheckableError(
                f"{Path(error.filename or path).name} is no Python, line {error.lineno}: "
                f"{error.msg}" + (f" in `{line}`." if line else ".")
            ) from None
        except ERRORS as error:
            raise NotCheckableError(
                f"{path.name} cannot be imported: {in_words(error, path)}. What a script does "
                'beside its definitions belongs under `if __name__ == "__main__":`.'
            ) from None
        yield module
    finally:
        sys.path.remove(folder)
        del sys.modules[module.__name__]


def make(target: Target, module: ModuleType) -> object:
    """The class of that name, called with the arguments given."""
    kind = vars(module).get(target.name)
    if kind is None:
        defined = [
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        known = f"it defines {', '.join(defined)}" if defined else "it defines no class at all"
        what = f"has no {target.name}" if target.name else "was given without a class"
        raise NotCheckableError(f"{target.path} {what}; {known}.")
    if not isinstance(kind, type):
        raise NotCheckableError(
            f"{target.name} in {target.path} is no class but a {type(kind).__name__}."
        )
    try:
        inspect.signature(kind).bind(*target.arguments, **target.named)
    except TypeError as error:
        raise NotCheckableError(
            f"{target.call} does not fit the constructor {kind.__name__}{inspect.signature(kind)}: "
            f"{error}; write '{target.path}:{target.name}(...)' with its arguments."
        ) from None
    try:
        return kind(*target.arguments, **target.named)
    except ERRORS as error:
        words = in_words(error, target.path)
        raise NotCheckableError(f"{target.call} cannot be made: {words}.") from None


def in_words(error: BaseException, path: Path) -> str:
    """The error and the last line of the file that it came through, or else where it arose."""
    linecache.checkcache()
    frames = traceback.extract_tb(error.__traceback__)
    frame = [*frames, *(frame for frame in frames if frame.filename == str(path))][-1]
    message = " ".join(str(error).split()).rstrip(".")
    return (
        f"{type(error).__name__}{': ' if message else ''}{message} "
        f"({Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: `{frame.line}`)"
    )

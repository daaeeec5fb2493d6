"""What code means, as a digest: its syntax tree without comments, docstrings and annotations.

Two texts of the same digest compute the same. So compiled code stands in for a layer only while
the layer means what it meant when the compiled code was written, and what was trained or compiled
with some code is kept while only its comments change.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

LIBRARIES = {"numpy", "scipy", *sys.stdlib_module_names}  # whose code is not looked into


def meaning(tree: ast.AST) -> str:
    """The syntax tree as text, equal in all versions of Python for equal code.

    What is said in an error changes no number and is left out, too.
    """
    if isinstance(tree, ast.Raise):
        return "Raise()"
    if isinstance(tree, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(tree):
        tree.body = tree.body[1:]
    fields = [
        f"{name}={_text(value)}"
        for name, value in ast.iter_fields(tree)
        if value not in (None, []) and name not in ("annotation", "returns", "ctx", "kind")
    ]
    return f"{type(tree).__name__}({', '.join(fields)})"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return meaning(value) if isinstance(value, ast.AST) else repr(value)


def digest_of_files(paths: Iterable[Path]) -> str:
    """Of all these Python files and their names, in any order."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name} {meaning(ast.parse(path.read_bytes()))}".encode())
    return digest.hexdigest()


def digest_of_functions(found: dict[str, FunctionType]) -> str:
    """Of functions by name; empty if the text of one is not to be had."""
    digest = hashlib.sha256()
    for name, function in sorted(found.items()):
        text = _meaning_of(function)
        if not text:
            return ""
        outside = {used: function.__globals__.get(used) for used in _names(function.__code__)}
        numbers = {k: v for k, v in outside.items() if isinstance(v, int | float | str | tuple)}
        digest.update(f"{name} {text} {sorted(numbers.items())}".encode())
    return digest.hexdigest()[:12]


@functools.cache
def _meaning_of(function: FunctionType) -> str:
    try:
        return meaning(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        return ""


class Meaning:
    """What functions mean, together with all that they call, and whether it is still so.

    Parameters
    ----------
    functions : dict of str to function
        By name.
    owner : class, optional
        Of which they are methods; names after a dot may be methods of it.
    contract : class
        A base of ``owner`` whose own methods do not count.

    Attributes
    ----------
    digest : str
        Empty if the text of one of the functions is not to be had.
    """

    def __init__(
        self, functions: dict[str, Any], owner: type | None = None, contract: type = object
    ) -> None:
        self._functions = functions
        self._seen: list[tuple[Any, str, Any]] = []  # a namespace, a name, and what it stood for
        kinds = owner.__mro__ if owner else ()
        own = [vars(kind) for kind in kinds if not issubclass(contract, kind)]
        found: dict[str, FunctionType] = {}
        waiting = list(functions.items())
        while waiting:
            name, function = waiting.pop()
            if function in found.values():
                continue
            found[name] = function
            for used in _names(function.__code__):
                for space in [function.__globals__, *own]:
                    called = _function(space.get(used))
                    if called is not None:
                        self._seen.append((space, used, space[used]))
                        waiting.append((f"{called.__module__}.{called.__qualname__}", called))
        self.digest = digest_of_functions(found)

    def still_true(self, functions: dict[str, Any]) -> bool:
        """Whether it is that of these functions, and what they call was not exchanged."""
        return functions == self._functions and all(
            space.get(name) is value for space, name, value in self._seen
        )


def _function(value: Any) -> FunctionType | None:
    """The function that this is or, if it is a property, has; None for those of libraries."""
    function = (
        inspect.unwrap(getattr(value, "fget", value))
        if callable(value) or isinstance(value, property)
        else None
    )
    if not isinstance(function, FunctionType) or function.__module__ is None:
        return None
    return None if function.__module__.split(".")[0] in LIBRARIES else function


def _names(code: CodeType) -> set[str]:
    inside = [part for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*map(_names, inside))

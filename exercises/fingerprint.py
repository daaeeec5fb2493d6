"""A digest of all that decides how a training ends: data, settings, functions and the library.

Comments, docstrings and layout are no part of it, so a better explanation trains nothing anew.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

import nnscratch
from exercises.common import Settings
from nnscratch.layers import Layer
from nnscratch.meaning import meaning
from nnscratch.training.settings import layer_settings

TRAINING = ("models/__init__.py", "training/__init__.py", "kernels/planner.py")
SAYS_ONLY = {"files.py", "progress.py"}  # what these do changes no number


class Fingerprint:
    """Collects what matters, value by value; ``hexdigest`` is that of all of it."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()
        self.seen: list[Any] = []  # functions and objects; kept, so that no identity comes again

    def hexdigest(self) -> str:
        """The digest in hexadecimal digits."""
        return self.sha.hexdigest()

    def add(self, value: Any) -> None:
        """Take in a value, whatever its kind.

        A layer counts as its class here, since a model comes with its weights (`add_layer`). The
        flags of the command line do not count: what they decide comes in other ways.
        """
        if isinstance(value, np.ndarray):
            self._words("array", value.dtype, value.shape)
            self.sha.update(np.ascontiguousarray(value).data)
        elif isinstance(value, dict):
            self._words("dict", len(value))
            for key in sorted(value, key=str):
                self._words(key)
                self.add(value[key])
        elif isinstance(value, list | tuple):
            self._words(type(value).__name__, len(value))
            for part in value:
                self.add(part)
        elif isinstance(value, np.random.Generator):
            self._words(value.bit_generator.state)
        elif value is None or isinstance(value, bool | int | float | str | np.generic | np.dtype):
            self._words(type(value).__name__, value)
        elif isinstance(value, MethodType):
            self.add([value.__self__, value.__func__])
        elif not isinstance(value, Settings | ModuleType):
            self._object(value)

    def add_layer(self, layer: Layer) -> None:
        """Its class and its settings, which say what its weights (added as well) do not."""
        self._words(type(layer).__qualname__)
        self.add(layer_settings(layer))
        self.add({k: v for k, v in vars(layer).items() if isinstance(v, np.random.Generator)})

    def _words(self, *words: object) -> None:
        self.sha.update(repr([str(word) for word in words]).encode())

    def _object(self, value: Any) -> None:
        value = inspect.unwrap(value)
        kind = value if isinstance(value, type | FunctionType) else type(value)
        self._words(kind.__module__, kind.__qualname__, getattr(value, "__name__", ""))
        if isinstance(value, Layer) or any(value is other for other in self.seen):
            return
        self.seen.append(value)
        if isinstance(value, FunctionType):
            self._function(value)
        elif kind.__module__.startswith(("exercises", "tests", "nnscratch")):
            for name, method in sorted(vars(kind).items()):
                if isinstance(method, FunctionType) and (name == "__call__" or name[:2] != "__"):
                    self._function(method)
            if value is not kind:
                self.add(vars(value))

    def _function(self, function: FunctionType) -> None:
        """Its code, the values that it has from outside, and what it calls."""
        self.add(function.__defaults__)
        self.add(function.__kwdefaults__)
        self.add([cell.cell_contents for cell in function.__closure__ or ()])
        if not function.__module__.startswith(("numpy", "scipy", "nnscratch")):  # see `library`
            for name in self._code(function.__code__, function.__doc__):
                if name in function.__globals__:
                    self.add(function.__globals__[name])

    def _code(self, code: CodeType, doc: str | None) -> list[str]:
        """Take in the instructions; the names that they use are returned."""
        self._words(code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars)
        names = set(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                names.update(self._code(constant, None))
            elif isinstance(constant, frozenset):
                self._words(*sorted(map(repr, constant)))  # whose own order changes between runs
            else:
                self._words(repr(None if constant == doc else constant))
        return sorted(names)


@functools.cache
def library(root: Path = Path(nnscratch.__file__).parent) -> str:
    """A digest of what the code of the library means, as far as training uses it."""
    digest = hashlib.sha256()
    for path, tree in sorted(_imported(root).items()):
        name = path.relative_to(root).as_posix()
        if name not in SAYS_ONLY:
            digest.update(f"{name} {meaning(tree)}".encode())
    return digest.hexdigest()


def _imported(root: Path) -> dict[Path, ast.Module]:
    """The files below ``root`` that `TRAINING` imports, and what these import, and so on."""
    found: dict[Path, ast.Module] = {}
    waiting = [root / name for name in TRAINING]
    while waiting:
        path = waiting.pop()
        if path in found or path == root / "__init__.py" or not path.is_file():
            continue
        found[path] = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(found[path]):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nnscratch"):
                module = root.joinpath(*(node.module or "").split(".")[1:])
                for place in (module, *(module / alias.name for alias in node.names)):
                    waiting += [place.with_suffix(".py"), place / "__init__.py"]
    return found

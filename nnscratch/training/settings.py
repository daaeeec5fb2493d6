"""What a training run was asked to do, in words that can be kept and compared.

A checkpoint goes on only in a run that asks for the same. So everything that influences the result
is written down, a function by its name, the values that it holds on to and a digest of its code.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from nnscratch.layers.base import Layer
from nnscratch.optimizers import Optimizer
from nnscratch.training.checks import checksum_of
from nnscratch.training.divergence import leaves

DEPTH = 8  # of values within values; deeper, there is a circle


def describe(value: Any, depth: int = DEPTH) -> str:
    """A text that is equal for equal settings, in every process.

    Parameters
    ----------
    value : any
        Numbers, texts, arrays, optimisers, functions, and objects that are described by their
        class and their public attributes. A model, a generator or a path is its class only.
    depth : int
        How many values within values are still described.

    Returns
    -------
    str
        Such as ``Adam(learning_rate=cosine_decay(initial=0.001, steps=940), ...)``.
    """
    if depth == 0 or isinstance(value, Layer):
        return type(value).__name__

    def call(name: str, parts: Mapping[str, Any]) -> str:
        chosen = {k: v for k, v in parts.items() if not str(k).startswith("_")}
        return f"{name}({', '.join(f'{k}={describe(v, depth - 1)}' for k, v in chosen.items())})"

    def several(parts: Iterable[Any]) -> str:
        return f"[{', '.join(describe(part, depth - 1) for part in parts)}]"

    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return f"{array.dtype} {array.shape} with checksum {checksum_of(array)}"
    if isinstance(value, tuple | list):
        return several(value)
    if isinstance(value, dict):
        return call("dict", value)
    if isinstance(value, Optimizer):
        return call(type(value).__name__, value.settings)
    if isinstance(value, functools.partial):
        return f"{describe(value.func, depth - 1)} with {several(value.args)} and " + call(
            "dict", value.keywords
        )
    if isinstance(value, MethodType):
        return f"{describe(value.__self__, depth - 1)}.{value.__name__}"
    if isinstance(value, FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        if not _ours(value):
            held += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        held = [part for part in held if not isinstance(part, list | dict | set)]  # written into
        return f"{value.__qualname__}{_code(value)}" + (f" with {several(held)}" if held else "")
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return call(type(value).__qualname__, vars(value))
    return getattr(value, "__qualname__", type(value).__qualname__)


def describe_layers(model: Layer) -> dict[str, str]:
    """Every layer that is not made of others, by its name, with its settings."""
    found = {}
    for name, layer in leaves(model):
        settings = ", ".join(f"{key}={value!r}" for key, value in layer_settings(layer).items())
        found[name] = f"{type(layer).__qualname__}({settings})"
    return found


def layer_settings(layer: Layer) -> dict[str, Any]:
    """What a layer was made with, which its weights do not tell: plain public attributes."""
    of_a_pass = ("batch_size", "cache", "drawn_at", "place")
    return {
        key: value
        for key, value in sorted(vars(layer).items())
        if isinstance(value, bool | int | float | str | tuple)
        and not key.startswith("_")
        and key not in of_a_pass
    }


def differences(there: dict[str, str], here: dict[str, str]) -> str:
    """Every setting that differs, with both values; empty if none does."""
    return "; ".join(
        f"{name} was {there.get(name, 'unknown')} and is now {here.get(name, 'unknown')}"
        for name in here | there
        if there.get(name) != here.get(name)
    )


def _ours(function: FunctionType) -> bool:
    return function.__module__.partition(".")[0] == "nnscratch"


def _code(function: FunctionType) -> str:
    """A digest of what a function does, unless it is one of this library."""
    if _ours(function):
        return ""
    text = repr(_instructions(function.__code__, function.__doc__))
    return f" (code {zlib.crc32(text.encode()):08x})"


def _instructions(code: CodeType, doc: str | None = None) -> list[Any]:
    """What the code does, without its docstring and its place in a file."""
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            constants.append(_instructions(constant))
        elif isinstance(constant, frozenset):  # whose own order changes from process to process
            constants.append(sorted(map(repr, constant)))
        elif constant != doc:
            constants.append(repr(constant))
    return [code.co_code.hex(), code.co_names, constants]

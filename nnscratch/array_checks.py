"""What functions ask of the arrays and numbers they are handed, each asked for in one line.

What does not suit is answered with a sentence, before any work is done: nothing is computed from
wrapped bytes, from arrays stretched to another shape, or from no numbers at all.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

Array = np.ndarray

NUMBERS, INTEGERS, NAMES = "real numbers", "integers", "integers or words"
_DTYPES = {NUMBERS: "iuf", INTEGERS: "iu", NAMES: "iuSUT"}  # kinds as in ``dtype.kind``


def check_arrays(function: str, **wanted: tuple[Array, str] | tuple[Array, str, str]) -> None:
    """Raise a TypeError or ValueError unless all arrays suit, and suit each other.

    Parameters
    ----------
    function : str
        Whose arguments they are; every sentence begins with it.
    **wanted : (array, shape) or (array, shape, kind)
        By the name of the argument. A shape is written as in the docs, "N d" or "N ...", the dots
        being any number of axes; "2" is an axis of two. What has the same letter, or dots, must be
        equally long everywhere. The kind is NUMBERS, if not given, INTEGERS or NAMES.

    Raises
    ------
    TypeError
        If one is no NumPy array, or of another kind; True and False are no numbers here.
    ValueError
        If one is empty, not finite, or of a shape that does not fit.
    """
    sizes: dict[str, tuple[object, str]] = {}
    for name, (array, shape, *kind) in wanted.items():
        _check_kind(f"{function}: {name}", array, kind[0] if kind else NUMBERS)
        _check_shape(f"{function}: ", name, array.shape, shape.split(), sizes)
        _check_contents(f"{function}: {name}", array)


def _check_kind(what: str, array: Array, kind: str) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"{what} is a {type(array).__name__}; it must be a NumPy array of {kind}. Wrap it with "
            "np.asarray."
        )
    if array.dtype.kind not in _DTYPES[kind]:
        raise TypeError(f"{what} is of {array.dtype}; it must be a NumPy array of {kind}.")


def _check_shape(
    function: str,
    name: str,
    shape: tuple[int, ...],
    letters: list[str],
    sizes: dict[str, tuple[object, str]],
) -> None:
    axes = [letter for letter in letters if letter != "..."]
    said = "(" + ", ".join(letters) + (",)" if len(letters) == 1 else ")")
    if len(shape) < len(axes) or (axes == letters and len(shape) > len(axes)):
        raise ValueError(f"{function}{name} has shape {shape}; it must be {said}.")
    found: list[tuple[str, object]] = list(zip(axes, shape, strict=False))
    if axes != letters:
        found.append(("...", shape[len(axes) :]))
    for letter, size in found:
        if letter.isdigit():
            if size != int(letter):
                raise ValueError(f"{function}{name} has shape {shape}; it must be {said}.")
            continue
        expected, origin = sizes.setdefault(letter, (size, name))
        if size != expected:
            raise ValueError(
                f"{function}{name} has shape {shape}; it must be {said} with {letter} = "
                f"{expected}, as in {origin}."
            )


def _check_contents(what: str, array: Array) -> None:
    if array.size == 0:
        raise ValueError(f"{what} has shape {array.shape}, which holds nothing.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{what} holds NaN or infinity, first at index {first}; leave such samples out or mend "
            "them."
        )


def check_number(what: str, value: float, least: float = 0.0, *, above: bool = False) -> None:
    """Raise a ValueError unless ``value`` is finite and at least, or ``above``, ``least``."""
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < least or (above and value == least):
        bound = f"{'>' if above else '>='} {least:g}"
        raise ValueError(f"{what} is {value!r}; it must be a finite number {bound}.")


def check_labels(what: str, labels: Array, classes: int) -> None:
    """Raise a ValueError unless the integers ``labels`` run from 0 to ``classes - 1``."""
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{what} run from {labels.min()} to {labels.max()}; they must run from 0 to "
            f"{classes - 1}."
        )


def check_samples(what: str, array: Array) -> None:
    """Raise a TypeError or ValueError unless ``array`` holds samples, and finite numbers only."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{what} is a {type(array).__name__}; it must be a NumPy array.")
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{what} has shape {array.shape}, no samples; at least one is needed.")
    if not np.isfinite(array).all():
        sample = np.argwhere(~np.isfinite(array))[0, 0]
        raise ValueError(
            f"{what} holds NaN or infinity, first in sample {sample}; leave such samples out or "
            "mend them."
        )

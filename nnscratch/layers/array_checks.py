"""What is asked of every array before arithmetic sees it: compiled loops trust their arguments.

A compiled function reads as far as its plan says, whatever lies there, and NumPy would stretch an
array of shape (1,) silently. So each layer remembers the shapes and dtypes that it was built with,
and both of its passes begin by comparing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray
Wanted = dict[str, tuple[tuple[int, ...], np.dtype]]

# Others change what * or == mean (np.matrix) or hide numbers (masked arrays).
PLAIN = (np.ndarray, np.memmap)


def described(arrays: dict[str, Array]) -> Wanted:
    """The shape and the dtype of each array."""
    return {key: (array.shape, array.dtype) for key, array in arrays.items()}


def check_kept(
    owner: str, group: str, arrays: dict[str, Array], wanted: Wanted, written: bool
) -> None:
    """Compare the arrays that a layer keeps with what it was built with.

    Parameters
    ----------
    owner : str
        Name of the layer, for the sentence.
    group : "params", "grads" or "state"
    arrays : dict of str to array
        That dict, as it is now.
    wanted : dict
        What `described` gave after build.
    written : bool
        Whether the layer is about to write into them.

    Raises
    ------
    ValueError
        If one is missing, has another shape, or is read-only though it will be written.
    TypeError
        If one is no plain NumPy array, or of another dtype.
    """
    if not isinstance(arrays, dict):
        raise TypeError(f"{owner}: {group} is a {type(arrays).__name__}; it must be a dict.")
    for key, kind in wanted.items():
        array: Any = arrays.get(key)
        if type(array) not in PLAIN or (array.shape, array.dtype) != kind:
            _refuse(owner, f'{group}["{key}"]', array, *kind)
        if written and not array.flags.writeable:
            raise ValueError(
                f'{owner}: {group}["{key}"] is read-only, but this pass writes into it; put a '
                "copy there."
            )


def _refuse(owner: str, what: str, array: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    advice = f"write numbers into it with {what}[...] = and leave the array where it is."
    if array is None:
        raise ValueError(
            f"{owner}: {what} is missing; the layer was built with one of {dtype} {shape}."
        )
    if type(array) not in PLAIN:
        raise TypeError(
            f"{owner}: {what} is a {type(array).__name__}, not a plain NumPy array of {dtype} "
            f"{shape}; {advice}"
        )
    kind = ValueError if array.shape != shape else TypeError
    raise kind(
        f"{owner}: {what} is {array.dtype} {array.shape} but the layer was built "
        f"with {dtype} {shape}; {advice}"
    )


def check_given(
    owner: str, what: str, array: Array, wanted: tuple[int | str, ...], dtype: np.dtype
) -> None:
    """Compare an array that a layer is given with ``wanted``, where "N" is any batch size.

    Raises
    ------
    ValueError
        If it has another shape.
    TypeError
        If it is no plain NumPy array, or of another dtype.
    """
    if type(array) not in PLAIN:
        kind = "not a NumPy array" if not isinstance(array, np.ndarray) else "not a plain array"
        raise TypeError(
            f"{owner}: {what} is a {type(array).__name__}, {kind}. Wrap it with np.asarray."
        )
    exact = array.shape[:1] + wanted[1:] if wanted[0] == "N" else wanted
    if array.shape != exact or array.ndim != len(wanted):
        shape = "(" + ", ".join(map(str, wanted)) + ")"
        expected = f"the layer was built for {shape}, N being any batch size"
        raise ValueError(
            f"{owner}: {what} has shape {array.shape} but "
            + (expected if wanted[0] == "N" else f"{shape} is expected")
            + (". Images are channels-last." if len(wanted) == 4 else ".")
        )
    if array.dtype != dtype:
        raise TypeError(
            f"{owner}: {what} is {array.dtype} but the model is {dtype}. "
            f"Convert it once with {what}.astype(np.{dtype})."
        )


def check_disjoint(arrays: dict[str, Array]) -> None:
    """Raise a ValueError if two of the arrays begin at the same place, as a transpose does.

    An optimiser would move such numbers twice, each time by half of their gradient.
    """
    plain = {key: array for key, array in arrays.items() if type(array) in PLAIN}
    owners = {id(array if array.base is None else array.base) for array in plain.values()}
    if len(owners) == len(plain):
        return
    seen: dict[int, str] = {}
    for key, array in plain.items():
        other = seen.setdefault(array.__array_interface__["data"][0], key)
        if other != key and array.size:
            raise ValueError(
                f"{other} and {key} are the same numbers in memory; give each its own with "
                ".copy(). Weights that two layers share would be moved twice in a step."
            )


def share_memory(array: Array, others: Iterable[object]) -> bool:
    """Whether ``array`` lies within the same stretch of memory as any array of ``others``."""
    return any(
        isinstance(other, np.ndarray) and np.may_share_memory(array, other) for other in others
    )

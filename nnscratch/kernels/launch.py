"""How the plain compiled kernels are started: in blocks, on one thread or on several.

Such a kernel is a pair of functions. The first computes block number b of its work, the second is
a parallel loop over all blocks, kept this small because numba takes long to analyse parallel code.
(Its ``np.int64(b)`` is there because parallel loops count in another type of integer, for which
numba would compile the first function once more.)
What belongs to a block depends on the size of the data only, so that the bits of a result do not
depend on the number of threads.

Indices are unsigned (``uintp``) where a loop shall be fast: numba tests every signed one for
``x[-1]``, and a loop with such tests is not turned into vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
Kernel = tuple[Callable[..., None], Callable[..., None]]

BLOCK = 16384  # numbers; less work than that is done before another thread has woken up


def launch(kernel: Kernel, total: int, size: int, *arguments: Any) -> None:
    """Have ``kernel`` do ``total`` pieces of work in blocks of ``size``."""
    one_block, all_blocks = kernel
    if total > size:
        all_blocks(-(-total // size), size, *arguments)
    elif total > 0:
        one_block(0, size, *arguments)


def ready(x: Array) -> Array:
    """``x`` in the one form that kernels are compiled for: contiguous, aligned and writable."""
    return x if x.flags.carray else np.array(x, order="C")


def check_fits(what: str, array: Array, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Kernels trust their arguments: what their plan does not ask for must not reach them."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"a kernel was made for {what} of {dtype} {shape} and got {array.dtype} {array.shape}."
        )


def check_alike(x: Array, *others: Array) -> None:
    """The same for arrays of which one says what the others must be."""
    for other in others:
        if other.shape != x.shape or other.dtype != x.dtype:
            raise ValueError(
                f"arrays that belong together differ: {x.dtype} {x.shape} and {other.dtype} "
                f"{other.shape}; shapes and dtypes must be equal."
            )

"""What is asked of training data before any work is done with it."""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnscratch.array_checks import check_samples
from nnscratch.layers.base import Layer

Array = np.ndarray
Loss = Callable[[Array, Array], tuple[float, Any]]  # value, and a gradient or a tuple of them


def check_data(
    what: str, model: Layer, x: Array, target: Array, loss: Loss, batch_size: int
) -> None:
    """Raise now what would otherwise be raised, or go unnoticed, in the middle of training."""
    if not callable(loss):
        raise TypeError(
            f"loss is {loss!r}; it must be a function (output, target) -> (value, gradient), such "
            "as nnscratch.losses.mse."
        )
    for name, array in (("x", x), ("target", target)):
        check_samples(f"the {what} data's {name}", array)
    if len(x) != len(target):
        raise ValueError(
            f"the {what} data has {len(x)} samples and {len(target)} targets; there must be as "
            "many of both."
        )
    model.check_input(x)
    loss = getattr(loss, "part_of_image", loss)  # NegativeELBO takes its model's outputs only
    for batch in slices(len(x), batch_size):  # does the loss take these targets?
        part = target[batch]
        try:
            loss(np.zeros((len(part), *model.built_shape), model.dtype), part)
        except (ValueError, TypeError) as error:
            if _raised_by_numba(error):
                raise
            where = f"the {what} targets {batch.start} to {batch.start + len(part) - 1}"
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{where} do not suit the loss: {error}") from error


def _raised_by_numba(error: Exception) -> bool:
    """Whether it says that compiled code cannot run here, which is not due to any targets."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return str(innermost.f_globals.get("__name__")).partition(".")[0] == "numba"


def handed_over(gradients: Any) -> tuple[Array, ...]:
    """What a loss gives beside its value, one gradient or several, as arguments of backward."""
    return gradients if isinstance(gradients, tuple) else (gradients,)


def checksum_of(*arrays: Array) -> str:
    """CRC-32 of the bytes of all arrays, to tell one data set from another."""
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return f"{checksum:08x}"


def slices(n: int, size: int) -> Iterator[slice]:
    """The batches of ``size`` that n samples make, in order; the last may be smaller."""
    return (slice(i, i + size) for i in range(0, n, size))

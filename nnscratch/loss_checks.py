"""What losses ask of outputs, targets and labels, and by what their sums are divided."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def divisor(shape: tuple[int, ...], reduction: str) -> int:
    """m, by which the sum of all terms is divided; a ValueError if there are no terms."""
    divisors = {"mean": int(np.prod(shape)), "sum": 1, "batch_mean": shape[0]}
    if not isinstance(reduction, str) or reduction not in divisors:
        raise ValueError(
            f'reduction is {reduction!r}; it must be "mean", "sum" or "batch_mean" (summed '
            "within each sample, averaged over the batch)."
        )
    if 0 in shape:
        raise ValueError(f"a loss of an empty batch is undefined; got shape {shape}.")
    return divisors[reduction]


def check_alike(name: str, y: Array, target: Array) -> None:
    """Raise a ValueError or TypeError, which begins with ``name``, unless both are alike."""
    check_outputs(name, "output", y)
    if not isinstance(target, np.ndarray) or isinstance(target, np.ma.MaskedArray):
        raise TypeError(f"{name}: the target must be a plain NumPy array; use np.asarray.")
    if y.shape != target.shape:
        raise ValueError(
            f"{name}: the output has shape {y.shape} but the target {target.shape}; they must "
            "be equal."
        )
    if y.dtype != target.dtype:
        raise TypeError(
            f"{name}: the output is {y.dtype} but the target {target.dtype}; convert the target "
            f"once with target.astype(np.{y.dtype})."
        )


def check_outputs(name: str, what: str, y: Array) -> None:
    """Raise a TypeError unless these are real numbers with a batch axis."""
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.floating) or y.ndim == 0:
        described = f"{y.dtype} {y.shape}" if isinstance(y, np.ndarray) else type(y).__name__
        raise TypeError(
            f"{name}: the {what} is {described}; it must be a NumPy array of real numbers with a "
            "batch axis."
        )


def check_labels(logits: Array, labels: Array) -> None:
    """Raise a ValueError or TypeError unless each row of logits has its class."""
    check_outputs("softmax_crossentropy", "output", logits)
    if not isinstance(labels, np.ndarray):
        raise TypeError("softmax_crossentropy: labels must be a NumPy array; use np.asarray.")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"softmax_crossentropy: expected logits (N, classes) and labels (N,), got "
            f"{logits.shape} and {labels.shape}; labels are class numbers, not one-hot rows."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"softmax_crossentropy: labels are {labels.dtype}; they must be integers. Convert "
            "them with labels.astype(int)."
        )
    classes = logits.shape[1]
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"softmax_crossentropy: label {labels[first]} at index {first} is out of range; with "
            f"{classes} logits, labels run from 0 to {classes - 1}."
        )

"""Bilinear resizing: every new pixel is read off the straight lines between old ones."""

from __future__ import annotations

import numpy as np

from nnscratch.array_checks import check_arrays

Array = np.ndarray

FEW = 256  # images at a time


def to_unit_interval(images: Array, size: int) -> Array:
    """Bytes 0 to 255 as float32 in [0, 1], ``size`` x ``size`` pixels each.

    A few images at a time, so that the whole never stands in memory at its old size in float32.

    Parameters
    ----------
    images : uint8 array (N, H, W, C)
    size : int

    Returns
    -------
    float32 array (N, size, size, C)
    """
    x = np.empty((len(images), size, size, images.shape[3]), np.float32)
    for start in range(0, len(x), FEW):
        few = images[start : start + FEW].astype(np.float32)
        few /= 255
        x[start : start + FEW] = few if images.shape[1] == size else resize(few, size)
    return x


def resize(x: Array, size: int) -> Array:
    """Resize images to ``size`` x ``size``, bilinearly, with half-pixel centres.

    Pixel i is taken as a square from i to i + 1, with its value at the centre i + 1/2. The
    centre of output pixel i then lies, in input pixels, at ``(i + 1/2) * H / size``, and its
    value is read off the straight line between the two input centres beside it; beyond the
    outermost centres the border value continues. This is ``interpolate(..., mode="bilinear",
    align_corners=False)`` of PyTorch. There is no smoothing before shrinking: to a half or
    less, some input pixels have no influence.

    Parameters
    ----------
    x : array (N, H, W, C), float
    size : int
        At least 1.

    Returns
    -------
    array (N, size, size, C), of the dtype of ``x``

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 1, or ``x`` is empty or not finite or has
        other axes.
    TypeError
        If ``x`` is no array of floats; differences of bytes would wrap round.
    """
    check_size(size)
    check_arrays("resize", x=(x, "N H W C"))
    if x.dtype.kind != "f":
        raise TypeError(f"resize: x is of {x.dtype}, which holds no values between; divide by 255.")
    y = np.empty((len(x), size, size, x.shape[3]), x.dtype)
    # A few images at a time: what is computed in between then stays in the processor's cache.
    for start in range(0, len(x), FEW):
        rows = _stretch(x[start : start + FEW], 1, size)  # (n, size, W, C)
        y[start : start + FEW] = _stretch(rows, 2, size)  # (n, size, size, C)
    return y


def check_size(size: int) -> None:
    """Raise ValueError unless ``size`` is a whole number of at least 1."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size is {size!r}; expected a whole number of pixels, at least 1.")


def _stretch(x: Array, axis: int, size: int) -> Array:
    """Linear interpolation along one axis of (n, H, W, C); bilinear is this along two."""
    length = x.shape[axis]
    place = (np.arange(size) + 0.5) * length / size - 0.5  # 0 is the centre of input pixel 0
    place = place.clip(0, length - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, length - 1)
    shape = [1, 1, 1, 1]
    shape[axis] = size
    fraction = (place - low).astype(x.dtype).reshape(shape)
    first, second = x.take(low, axis), x.take(high, axis)
    # Not (1 - t) * first + t * second: this form leaves equal neighbours exactly as they are.
    return first + fraction * (second - first)

"""Windows of an image: putting zeros around it, cutting the windows, finding the way back.

Letters, in all layers of images: N samples, H x W pixels, C input channels, K output channels,
windows of kh x kw that step by strides (sh, sw) over an image with pads
((top, bottom), (left, right)) of zeros around it, which gives OH x OW windows. A tap (i, j) is a
place in the window, 0 <= i < kh and 0 <= j < kw. Images are channels-last, (N, H, W, C). W alone is
the weights; beside H it is the width of an image.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnscratch.layers.geometry import Pads, Pair

Array = np.ndarray


def pad(x: Array, pads: Pads, value: float = 0.0) -> Array:
    """Put ``pads`` pixels of ``value`` around every image."""
    if pads == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def crop(padded: Array, pads: Pads) -> Array:
    """Undo `pad`: the images inside their padding."""
    (top, bottom), (left, right) = pads
    H, W = padded.shape[1] - top - bottom, padded.shape[2] - left - right
    return np.ascontiguousarray(padded[:, top : top + H, left : left + W])


def padded_zeros(shape: tuple[int, ...], pads: Pads, dtype: np.dtype) -> Array:
    """Zeros for images of ``shape`` (N, H, W, C) and for their padding."""
    N, H, W, C = shape
    return np.zeros((N, H + sum(pads[0]), W + sum(pads[1]), C), dtype)


def windows(padded: Array, size: Pair, strides: Pair) -> Array:
    """All windows of an image, (N, OH, OW, kh, kw, C), as a view: nothing is copied."""
    view = sliding_window_view(padded, size, axis=(1, 2))  # (N, H-kh+1, W-kw+1, C, kh, kw)
    return view[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)


def taps(
    padded: Array, counts: Pair, size: Pair, strides: Pair
) -> Iterator[tuple[int, int, Array]]:
    """For each place (i, j) in the window, the pixels that meet it: (i, j, view (N, OH, OW, C)).

    The view can be written to, which is how a gradient finds its way back from the windows into
    the image.

    Parameters
    ----------
    padded : array (N, H, W, C)
    counts : (OH, OW)
    """
    (OH, OW), (sh, sw) = counts, strides
    for i in range(size[0]):
        for j in range(size[1]):
            yield i, j, padded[:, i : i + sh * OH : sh, j : j + sw * OW : sw]

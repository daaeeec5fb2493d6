"""Pooling: one number for every window, and to which of its pixels the gradient goes back.

Letters as in `nnscratch.layers.windows`; every channel is pooled by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.geometry import (
    Padding,
    Pads,
    check_image_shape,
    check_padding,
    pair,
    resolve_padding,
    window_counts,
)
from nnscratch.layers.windows import crop, pad, padded_zeros, taps


class _Pooling2D(Layer):
    """The windows that both kinds of pooling share."""

    def __init__(
        self,
        pool_size: int | Sequence[int],
        strides: int | Sequence[int] | None = None,
        padding: Padding = "valid",
    ) -> None:
        super().__init__()
        self.pool_size = pair(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, "strides")
        self.padding = check_padding(padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = check_image_shape(input_shape)
        pads = resolve_padding(self.padding, (H, W), self.pool_size, self.strides)
        for (before, after), k in zip(pads, self.pool_size, strict=True):
            if max(before, after) >= k:
                raise ValueError(
                    f"padding {pads} is not smaller than the pool {self.pool_size}, so some "
                    "window would hold no pixel at all; use less padding."
                )
        return (*window_counts((H, W), self.pool_size, self.strides, pads), C)

    def _taps(self, padded: Array) -> Iterator[tuple[int, int, Array]]:
        """For each place (i, j) in the window, the pixels (N, OH, OW, C) that meet it."""
        OH, OW, _ = self.built_shape
        return taps(padded, (OH, OW), self.pool_size, self.strides)

    def pads(self) -> Pads:
        size = self.input_shape[0], self.input_shape[1]
        return resolve_padding(self.padding, size, self.pool_size, self.strides)


class MaxPooling2D(_Pooling2D):
    """The largest number in every window.

    Forward ``y[n, h, w, c] = max_(i, j) x[n, h*sh + i - pt, w*sw + j - pl, c]``, with pt and pl
    rows and columns of padding before the image. So moving the winner moves y by as much and moving
    any other pixel does nothing: backward, dy goes to the winner. Where windows overlap, a pixel
    collects the dy of every window that it won. Of equal numbers the first, row by row, wins.

    Parameters
    ----------
    pool_size : int or pair (height, width)
    strides : int or pair, optional
        By default the pool size, so that windows do not overlap.
    padding : "same", "valid" or ((top, bottom), (left, right))
        Padding never wins.

    Raises
    ------
    ValueError
        For impossible arguments; at build, if the input is no image or the pool larger than it, or
        a window could lie in the padding alone.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, C). Source: Goodfellow, Bengio & Courville, "Deep
    Learning", 2016, section 9.3.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, H, W, C)
        kh, kw = self.pool_size
        padded = pad(x, self.pads(), -np.inf)  # padding never wins
        y = np.full((len(x), *self.built_shape), -np.inf, x.dtype)  # (N, OH, OW, C)
        for _, _, x_tap in self._taps(padded):
            np.maximum(y, x_tap, out=y)
        winner = np.zeros(y.shape, np.min_scalar_type(kh * kw - 1))  # i * kw + j of the maximum
        for i, j, x_tap in reversed(list(self._taps(padded))):  # the first of equals stays
            np.copyto(winner, i * kw + j, where=x_tap == y)
        self.cache = (winner,)
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, C)
        (winner,) = self.cache
        kw = self.pool_size[1]
        dx = padded_zeros((len(dy), *self.input_shape), self.pads(), dy.dtype)
        for i, j, dx_tap in self._taps(dx):
            dx_tap += dy * (winner == i * kw + j)
        return crop(dx, self.pads())  # (N, H, W, C)


class AveragePooling2D(_Pooling2D):
    """The mean of every window.

    Forward ``y = (sum over the window) / n``, n being the number of real pixels in that window:
    padding is not counted, as in Keras. Backward, every one of them gets ``dy / n``, summed over
    the windows that hold it.

    Parameters
    ----------
    pool_size : int or pair (height, width)
    strides : int or pair, optional
        By default the pool size, so that windows do not overlap.
    padding : "same", "valid" or ((top, bottom), (left, right))

    Raises
    ------
    ValueError
        For impossible arguments; at build, if the input is no image or the pool larger than it, or
        a window could lie in the padding alone.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, C). Source: as for `MaxPooling2D`.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, H, W, C)
        self.cache = (x.shape,)
        y = np.zeros((len(x), *self.built_shape), x.dtype)  # (N, OH, OW, C)
        for _, _, x_tap in self._taps(pad(x, self.pads())):
            y += x_tap
        return y / self._pixels_in_window()

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, C)
        share = dy / self._pixels_in_window()
        dx = padded_zeros((len(dy), *self.input_shape), self.pads(), dy.dtype)
        for _, _, dx_tap in self._taps(dx):
            dx_tap += share
        return crop(dx, self.pads())  # (N, H, W, C)

    def _pixels_in_window(self) -> Array:
        """n for each window, (1, OH, OW, 1)."""
        H, W, _ = self.input_shape
        ones = pad(np.ones((1, H, W, 1), self.dtype), self.pads())
        return sum(tap for _, _, tap in self._taps(ones))  # type: ignore[return-value]

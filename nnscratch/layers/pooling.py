"""Pooling: one number for every window, and to which of its pixels the gradient goes back.

Letters as in `nnscratch.kernels.reference`; every channel is pooled by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from nnscratch import kernels
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

    def _pads(self) -> Pads:
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
        y, winner = kernels.max_pool2d(x, self.pool_size, self.strides, self._pads())
        self.cache = (winner,)
        return y  # (N, OH, OW, C)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, C)
        (winner,) = self.cache
        image = self.input_shape[0], self.input_shape[1]
        return kernels.max_pool2d_input_gradient(
            dy, winner, image, self.pool_size, self.strides, self._pads()
        )


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
        return kernels.average_pool2d(x, self.pool_size, self.strides, self._pads())

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, C)
        image = self.input_shape[0], self.input_shape[1]
        return kernels.average_pool2d_input_gradient(
            dy, image, self.pool_size, self.strides, self._pads()
        )

"""Convolution, the same small weights at every place of an image; and its adjoint, the way back.

The adjoint of a linear map A is its transpose A', that is the map with ``<A u, v> = <u, A' v>`` for
all u and v: what turns dy into dx. Letters as in `nnscratch.layers.windows`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nnscratch.initializers import Initializer, check_initializer, glorot_uniform, initial_weights
from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.geometry import (
    Padding,
    Pads,
    Pair,
    check_count,
    check_image_shape,
    check_padding,
    pair,
    resolve_padding,
    window_counts,
)
from nnscratch.layers.windows import crop, pad, padded_zeros, taps, windows


class _Convolution(Layer):
    """What both convolutions are told: how many filters, which windows, which first weights."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int],
        padding: Padding,
        kernel_initializer: Initializer,
    ) -> None:
        super().__init__()
        self.filters = check_count(filters, "filters")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.strides = pair(strides, "strides")
        self.padding = check_padding(padding)
        self.kernel_initializer = check_initializer(kernel_initializer)

    def _draw(self, *channels: int, rng: np.random.Generator) -> dict[str, Array]:
        """W (kh, kw, *channels) and b (K,)."""
        (kh, kw), C, K = self.kernel_size, self.input_shape[2], self.filters
        fans = kh * kw * C, kh * kw * K
        W = initial_weights(self.kernel_initializer, (kh, kw, *channels), *fans, rng)
        return {"W": W, "b": np.zeros(K)}

    def pads(self) -> Pads:
        """The zeros around the larger image, that of the Conv2D's input: ((top, bottom), ...)."""
        raise NotImplementedError


class Conv2D(_Convolution):
    """Every output pixel is a weighted sum over a window of the input.

    Forward, with x zero outside the image, strides (sh, sw), and pt rows of zeros above and pl
    columns of zeros to the left of the image::

        y[n, h, w, k] = b[k] + sum_(i, j, c) x[n, h*sh + i - pt, w*sw + j - pl, c] W[i, j, c, k]

    for the outputs h, w = 0, 1, ... (a cross-correlation: the kernel is not flipped). Backward,
    because y is linear in x, W and b, and with (r, s) for a pixel of x::

        db[k]          = sum_(n, h, w) dy[n, h, w, k]
        dW[i, j, c, k] = sum_(n, h, w) x[n, h*sh + i - pt, w*sw + j - pl, c] dy[n, h, w, k]
        dx[n, r, s, c] = sum dy[n, h, w, k] W[i, j, c, k]
                         over all (h, i) with h*sh + i - pt = r, all (w, j) alike, and all k

    Read them as: a weight's gradient is the product of the two numbers it joins, summed over
    everywhere it is used; an input's gradient comes back along every weight that reads it.

    Parameters
    ----------
    filters : int
        Output channels K.
    kernel_size, strides : int or pair (height, width)
    padding : "same", "valid" or ((top, bottom), (left, right))
        "same" gives ceil(size / stride) outputs and pads as Keras does: an odd total puts the
        extra zero after the image.
    kernel_initializer : function of `nnscratch.initializers`

    Attributes
    ----------
    params : ``W (kh, kw, C, K)``, ``b (K,)``

    Raises
    ------
    ValueError
        For impossible arguments; at build, if the input is no image or the window larger than it,
        or W too large.
    TypeError
        If the initialiser is no function.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, K), in the dtype of the model. Source: Dumoulin &
    Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: Padding = "same",
        kernel_initializer: Initializer = glorot_uniform,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, kernel_initializer)

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, _ = check_image_shape(input_shape)
        pads = resolve_padding(self.padding, (H, W), self.kernel_size, self.strides)
        return (*window_counts((H, W), self.kernel_size, self.strides, pads), self.filters)

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        return self._draw(self.input_shape[2], self.filters, rng=rng)

    def multiply_adds(self) -> int:
        return int(np.prod(self.built_shape[:2])) * self.params["W"].size

    def pads(self) -> Pads:
        size = self.input_shape[0], self.input_shape[1]
        return resolve_padding(self.padding, size, self.kernel_size, self.strides)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, H, W, C)
        self.cache = (x,)
        W, b = self.params["W"], self.params["b"]  # (kh, kw, C, K), (K,)
        X = self._window_rows(x)  # (N * OH * OW, kh * kw * C)
        y = X @ W.reshape(-1, self.filters)
        y += b
        return y.reshape(len(x), *self.built_shape)  # (N, OH, OW, K)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, K)
        (x,) = self.cache
        W, pads = self.params["W"], self.pads()
        X = self._window_rows(x)  # (N * OH * OW, kh * kw * C)
        dy_rows = dy.reshape(-1, self.filters)  # (N * OH * OW, K)
        self.grads["W"][...] = (X.T @ dy_rows).reshape(W.shape)  # from y = X W + b
        self.grads["b"][...] = dy_rows.sum(axis=0, dtype=np.float64)
        dx = padded_zeros(x.shape, pads, dy.dtype)
        for i, j, dx_tap in taps(dx, dy.shape[1:3], self.kernel_size, self.strides):
            dx_tap += (dy_rows @ W[i, j].T).reshape(dx_tap.shape)  # a pixel collects from all taps
        return crop(dx, pads)  # (N, H, W, C)

    def _window_rows(self, x: Array) -> Array:
        """A row of numbers for every window, known as "im2col": there they are columns."""
        x_windows = windows(pad(x, self.pads()), self.kernel_size, self.strides)
        return x_windows.reshape(-1, math.prod(x_windows.shape[3:]))  # (N * OH * OW, kh * kw * C)


class Conv2DTranspose(_Convolution):
    """The adjoint of a Conv2D: every input pixel paints a weighted window onto the output.

    Let A be the linear map of the Conv2D (without bias) that has the same weights, strides and
    padding and goes from this layer's *output* to its *input*. Then, with A' its transpose::

        forward   y  = A' x + b  that is, every (n, h, w, c) and every place (i, j) of the
                  window add, for each k, x[n, h, w, c] W[i, j, k, c]
                  to  y[n, h*sh + i - pt, w*sw + j - pl, k]
        backward  dx = A dy      a plain convolution of dy with the same W
                  dW[i, j, k, c] = sum_(n, h, w) of
                                   dy[n, h*sh + i - pt, w*sw + j - pl, k] x[n, h, w, c]
                  db[k]          = sum_(n, r, s) dy[n, r, s, k]

    what would lie outside of y being dropped. The derivation: A' is defined by
    ``<A' x, v> = <x, A v>`` for all x and v. The loss moves by ``<dy, A' u> = <A dy, u>`` if x
    moves by u, so ``dx = A dy``. And ``<dy, A' x> = <A dy, x>`` is linear in W: it is the product
    of x with a convolution of dy, so dW has the formula of Conv2D's dW where dy stands for the
    image and x for the gradient.

    Parameters
    ----------
    filters : int
        Output channels K.
    kernel_size, strides : int or pair (height, width)
    padding : "same", "valid" or ((top, bottom), (left, right))
        The padding of the Conv2D whose adjoint this is, so it is cropped from the output.
    output_padding : int or pair, optional
        A strided Conv2D maps several input sizes to one output size, so its adjoint has to be
        told which one to make. By default, as in Keras: "same" gives size * stride and "valid"
        gives size * stride + max(kernel - stride, 0); explicit padding gives the smallest,
        (size - 1) * stride + kernel - pads. A number given here is added to
        (size - 1) * stride + kernel - pads, where "same" counts 2 * (kernel // 2) pads.
    kernel_initializer : function of `nnscratch.initializers`

    Attributes
    ----------
    params : ``W (kh, kw, K, C)``, ``b (K,)``
        As for the Conv2D of which this is the adjoint: output channels before input channels.

    Raises
    ------
    ValueError
        For impossible arguments; at build, if the input is no image, or if no Conv2D of these
        strides and padding maps the wanted output size back to the input size, if the padding
        crops everything away, or W is too large.
    TypeError
        If the initialiser is no function.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, K), in the dtype of the model. Source: Dumoulin &
    Visin, arXiv:1603.07285, section 4.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: Padding = "same",
        output_padding: int | Sequence[int] | None = None,
        kernel_initializer: Initializer = glorot_uniform,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, kernel_initializer)
        self.output_padding = (
            None if output_padding is None else pair(output_padding, "output_padding", 0)
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, _ = check_image_shape(input_shape)
        size = self._output_length(H, 0), self._output_length(W, 1)
        if min(size) < 1:
            raise ValueError(
                f"the output would be {size[0]} x {size[1]} pixels: the padding crops away all "
                "of it; use less padding or a larger kernel."
            )
        back = window_counts(size, self.kernel_size, self.strides, self._pads_for(size))
        if back != (H, W):
            raise ValueError(
                f"output_padding={self.output_padding} asks for {size[0]} x {size[1]} outputs, "
                f"which a Conv2D with strides {self.strides} maps to {back[0]} x {back[1]} and "
                f"not back to {H} x {W}; use None, or a number from 0 to strides - 1 (for an "
                'even kernel with "same", from 1 to strides).'
            )
        return (*size, self.filters)

    def _output_length(self, n: int, axis: int) -> int:
        k, s = self.kernel_size[axis], self.strides[axis]
        if self.output_padding is None and self.padding == "same":
            return n * s
        if self.output_padding is None and self.padding == "valid":
            return n * s + max(k - s, 0)
        if self.padding == "same":
            cropped = 2 * (k // 2)
        else:
            cropped = 0 if self.padding == "valid" else sum(self.padding[axis])  # type: ignore
        return (n - 1) * s + k - cropped + (self.output_padding or (0, 0))[axis]

    def pads(self) -> Pads:
        return self._pads_for((self.built_shape[0], self.built_shape[1]))

    def _pads_for(self, size: Pair) -> Pads:
        return resolve_padding(self.padding, size, self.kernel_size, self.strides)

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        return self._draw(self.filters, self.input_shape[2], rng=rng)

    def multiply_adds(self) -> int:
        return int(np.prod(self.input_shape[:2])) * self.params["W"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, H, W, C)
        self.cache = (x,)
        W, b, pads = self.params["W"], self.params["b"], self.pads()  # (kh, kw, K, C), (K,)
        x_rows = x.reshape(-1, x.shape[3])  # (N * H * W, C)
        y = padded_zeros((len(x), *self.built_shape), pads, x.dtype)
        for i, j, y_tap in taps(y, x.shape[1:3], self.kernel_size, self.strides):
            y_tap += (x_rows @ W[i, j].T).reshape(y_tap.shape)  # every pixel paints a window
        y = crop(y, pads)
        y += b
        return y  # (N, OH, OW, K)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, OH, OW, K)
        (x,) = self.cache
        W, pads = self.params["W"], self.pads()
        dY = windows(pad(dy, pads), self.kernel_size, self.strides)  # (N, H, W, kh, kw, K)
        dY = dY.reshape(-1, math.prod(W.shape[:3]))  # a row for every pixel of x
        x_rows = x.reshape(-1, x.shape[3])  # (N * H * W, C)
        self.grads["W"][...] = (dY.T @ x_rows).reshape(W.shape)
        self.grads["b"][...] = dy.sum(axis=(0, 1, 2), dtype=np.float64)
        return (dY @ W.reshape(-1, x.shape[3])).reshape(x.shape)  # (N, H, W, C)

"""The heavy loops in plain NumPy, written to be read: they say what the compiled kernels compute.

Convolution, pooling and upsampling stand here, everything else in `reference_pointwise`.

Letters: N samples, H x W pixels, C input channels, K output channels, windows of kh x kw that step
by strides (sh, sw) over an image with pads ((top, bottom), (left, right)) of zeros around it, which
gives OH x OW windows. A tap (i, j) is a place in the window, 0 <= i < kh and 0 <= j < kw. Images
are channels-last, (N, H, W, C). W alone is the weights, and ' makes the transpose of a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnscratch.kernels.reference_pointwise import *  # noqa: F403 (all kernels are found here)

Array = np.ndarray
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]


def pad(x: Array, pads: Pads, value: float = 0.0) -> Array:
    """Put ``pads`` pixels of ``value`` around every image."""
    if pads == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def windows(x: Array, size: Pair, strides: Pair) -> Array:
    """All windows of an image, as a view (nothing is copied).

    Returns
    -------
    array (N, OH, OW, kh, kw, C)
    """
    view = sliding_window_view(x, size, axis=(1, 2))  # (N, H-kh+1, W-kw+1, C, kh, kw)
    return view[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)


def taps(
    padded: Array, counts: Pair, size: Pair, strides: Pair
) -> Iterator[tuple[int, int, Array]]:
    """For each place (i, j) in the window, the pixels that meet it: (i, j, view (N, OH, OW, C)).

    The view can be written to, which is how a gradient finds its way back from the windows
    into the image.
    """
    (OH, OW), (sh, sw) = counts, strides
    for i in range(size[0]):
        for j in range(size[1]):
            yield i, j, padded[:, i : i + sh * OH : sh, j : j + sw * OW : sw]


def crop(padded: Array, size: Pair, pads: Pads) -> Array:
    """Undo `pad`: the image of ``size`` inside its padding."""
    (top, _), (left, _) = pads
    return np.ascontiguousarray(padded[:, top : top + size[0], left : left + size[1]])


# ---------------------------------------------------------------- convolution


def conv2d(x: Array, W: Array, b: Array | None, strides: Pair, pads: Pads) -> Array:
    """Convolution: a row of numbers for every window, times a matrix of weights.

    (Known as "im2col", from images to the columns of a matrix; here they are rows.)

    Parameters
    ----------
    x : array (N, H, W, C)
    W : array (kh, kw, C, K)
    b : array (K,), or None for no bias

    Returns
    -------
    array (N, OH, OW, K)
    """
    kh, kw, C, K = W.shape
    x_windows = windows(pad(x, pads), (kh, kw), strides)  # (N, OH, OW, kh, kw, C)
    N, OH, OW = x_windows.shape[:3]
    y = x_windows.reshape(N * OH * OW, kh * kw * C) @ W.reshape(kh * kw * C, K)
    if b is not None:
        y += b
    return y.reshape(N, OH, OW, K)


def conv2d_weight_gradient(x: Array, dy: Array, size: Pair, strides: Pair, pads: Pads) -> Array:
    """dL/dW of `conv2d`: from ``y = X W`` follows ``dW = X' dy``, X being the rows of windows.

    Parameters
    ----------
    x : array (N, H, W, C)
    dy : array (N, OH, OW, K)
    size : (kh, kw)

    Returns
    -------
    array (kh, kw, C, K)
    """
    (kh, kw), C, (N, OH, OW, K) = size, x.shape[3], dy.shape
    x_windows = windows(pad(x, pads), size, strides)  # (N, OH, OW, kh, kw, C)
    dW = x_windows.reshape(N * OH * OW, kh * kw * C).T @ dy.reshape(N * OH * OW, K)
    return dW.reshape(kh, kw, C, K)


def conv2d_input_gradient(dy: Array, W: Array, size: Pair, strides: Pair, pads: Pads) -> Array:
    """dL/dx of `conv2d`, and the forward pass of its transpose: dy painted back tap by tap.

    Tap (i, j) of the window brought ``x_tap W[i, j]`` into y, so ``dx_tap += dy W[i, j]'``; pixels
    seen through several taps collect the sum. What fell on the padding is cropped away.

    Parameters
    ----------
    dy : array (N, OH, OW, K)
    W : array (kh, kw, C, K)
    size : (H, W) of the image x

    Returns
    -------
    array (N, H, W, C)
    """
    kh, kw, C, K = W.shape
    N, OH, OW, _ = dy.shape
    (top, bottom), (left, right) = pads
    dx = np.zeros((N, size[0] + top + bottom, size[1] + left + right, C), dy.dtype)
    dy_rows = dy.reshape(N * OH * OW, K)
    for i, j, dx_tap in taps(dx, (OH, OW), (kh, kw), strides):
        dx_tap += (dy_rows @ W[i, j].T).reshape(N, OH, OW, C)
    return crop(dx, size, pads)


# ---------------------------------------------------------------- pooling


def max_pool2d(x: Array, size: Pair, strides: Pair, pads: Pads) -> tuple[Array, Array]:
    """The largest number in every window, channel by channel, and where it stood.

    Parameters
    ----------
    x : array (N, H, W, C)
    size : (kh, kw)

    Returns
    -------
    y : array (N, OH, OW, C)
    winner : array (N, OH, OW, C) of the smallest unsigned int that suffices
        ``i * kw + j`` of the maximum in its window; of equals, the first.
    """
    padded = pad(x, pads, -np.inf)  # padding never wins
    counts = _counts(padded, size, strides)
    x_taps = list(taps(padded, counts, size, strides))
    y = np.full((len(x), *counts, x.shape[3]), -np.inf, x.dtype)
    for _, _, x_tap in x_taps:
        np.maximum(y, x_tap, out=y)
    winner = np.zeros(y.shape, np.min_scalar_type(len(x_taps) - 1))
    for i, j, x_tap in reversed(x_taps):  # the first of equals comes last and stays
        np.copyto(winner, i * size[1] + j, where=x_tap == y)
    return y, winner


def max_pool2d_input_gradient(
    dy: Array, winner: Array, image: Pair, size: Pair, strides: Pair, pads: Pads
) -> Array:
    """dL/dx of `max_pool2d`: each dy goes to the pixel that won its window, the others get 0.

    Parameters
    ----------
    dy, winner : arrays (N, OH, OW, C)
    image : (H, W) of x

    Returns
    -------
    array (N, H, W, C)
    """
    (top, bottom), (left, right) = pads
    N, OH, OW, C = dy.shape
    dx = np.zeros((N, image[0] + top + bottom, image[1] + left + right, C), dy.dtype)
    for i, j, dx_tap in taps(dx, (OH, OW), size, strides):
        dx_tap += dy * (winner == i * size[1] + j)
    return crop(dx, image, pads)


def average_pool2d(x: Array, size: Pair, strides: Pair, pads: Pads) -> Array:
    """The mean over every window, channel by channel, padding not counted.

    Parameters
    ----------
    x : array (N, H, W, C)

    Returns
    -------
    array (N, OH, OW, C)
    """
    padded = pad(x, pads)
    counts = _counts(padded, size, strides)
    y = np.zeros((len(x), *counts, x.shape[3]), x.dtype)
    for _, _, x_tap in taps(padded, counts, size, strides):
        y += x_tap
    return y / _pixels_in_window(x.shape[1:3], counts, size, strides, pads).astype(x.dtype)


def average_pool2d_input_gradient(
    dy: Array, image: Pair, size: Pair, strides: Pair, pads: Pads
) -> Array:
    """dL/dx of `average_pool2d`: each dy is shared out equally among the pixels of its window.

    Parameters
    ----------
    dy : array (N, OH, OW, C)
    image : (H, W) of x

    Returns
    -------
    array (N, H, W, C)
    """
    (top, bottom), (left, right) = pads
    N, OH, OW, C = dy.shape
    share = dy / _pixels_in_window(image, (OH, OW), size, strides, pads).astype(dy.dtype)
    dx = np.zeros((N, image[0] + top + bottom, image[1] + left + right, C), dy.dtype)
    for _, _, dx_tap in taps(dx, (OH, OW), size, strides):
        dx_tap += share
    return crop(dx, image, pads)


def _counts(padded: Array, size: Pair, strides: Pair) -> Pair:
    OH, OW = ((padded.shape[a + 1] - size[a]) // strides[a] + 1 for a in (0, 1))
    return OH, OW


def _pixels_in_window(image: Pair, counts: Pair, size: Pair, strides: Pair, pads: Pads) -> Array:
    """How many real pixels each window covers, (1, OH, OW, 1)."""
    ones = pad(np.ones((1, *image, 1)), pads)
    return sum(tap for _, _, tap in taps(ones, counts, size, strides))  # type: ignore[return-value]


# ---------------------------------------------------------------- upsampling


def upsample2d(x: Array, size: Pair, interpolation: str) -> Array:
    """Enlarge by integer factors: "nearest" repeats every pixel, "bilinear" interpolates.

    Both are linear and treat the axes one after the other: ``y = U_h x U_w'`` for each sample and
    channel; for "bilinear", U_h and U_w are those of `bilinear_matrix`.

    Parameters
    ----------
    x : array (N, H, W, C)
    size : (fh, fw), the factors

    Returns
    -------
    array (N, H * fh, W * fw, C)
    """
    if interpolation == "nearest":
        return x.repeat(size[0], axis=1).repeat(size[1], axis=2)
    U_h, U_w = (bilinear_matrix(x.shape[a + 1], size[a]).astype(x.dtype) for a in (0, 1))
    y = np.einsum("ph,nhwc,qw->npqc", U_h, x, U_w, optimize=True)
    return np.ascontiguousarray(y)


def upsample2d_input_gradient(dy: Array, size: Pair, interpolation: str) -> Array:
    """dL/dx of `upsample2d`: the transpose, ``dx = U_h' dy U_w``; for "nearest", block sums.

    Parameters
    ----------
    dy : array (N, H * fh, W * fw, C)

    Returns
    -------
    array (N, H, W, C)
    """
    (N, OH, OW, C), (fh, fw) = dy.shape, size
    H, W = OH // fh, OW // fw
    if interpolation == "nearest":
        return dy.reshape(N, H, fh, W, fw, C).sum(axis=(2, 4))
    U_h, U_w = (bilinear_matrix(n, f).astype(dy.dtype) for n, f in ((H, fh), (W, fw)))
    dx = np.einsum("ph,npqc,qw->nhwc", U_h, dy, U_w, optimize=True)
    return np.ascontiguousarray(dx)


def bilinear_matrix(n: int, factor: int) -> Array:
    """The matrix U (n * factor, n) that enlarges one axis linearly.

    Pixels are areas, not points: the centre of output pixel p lies at
    ``(p + 1/2) / factor - 1/2`` in the input, and beyond the outermost centres the border pixel
    is repeated (as Keras and torch with ``align_corners=False``).
    """
    p = np.arange(n * factor)
    place = np.clip((p + 0.5) / factor - 0.5, 0, n - 1)
    left = np.floor(place).astype(int)
    right = np.minimum(left + 1, n - 1)
    U = np.zeros((n * factor, n))
    U[p, left] += 1 - (place - left)
    U[p, right] += place - left
    return U

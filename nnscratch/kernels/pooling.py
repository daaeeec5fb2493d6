"""Pooling, compiled: rows are shared out so that no two threads ever write to one place.

A share is a row of outputs on the way forward and, backward, a
row of the image, which collects what it gets from all windows over it.
Letters as in `nnscratch.layers.windows`; a ``window`` is (kh, kw, sh, sw, top, left).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import parallel, serial
from nnscratch.kernels.launch import BLOCK, Kernel, check_fits, launch, ready

Array = np.ndarray
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Window = tuple[int, int, int, int, int, int]

NO_PADS = ((0, 0), (0, 0))


def window_of(size: Pair, strides: Pair, pads: Pads) -> Window:
    return (*size, *strides, pads[0][0], pads[1][0])


def _counts(shape: tuple[int, ...], size: Pair, strides: Pair, pads: Pads) -> Pair:
    """(OH, OW) for images of ``shape`` (N, H, W, C)."""
    if len(shape) != 4:
        raise ValueError(f"expected images (N, H, W, C), got an array of shape {shape}.")
    OH, OW = ((shape[a + 1] + sum(pads[a]) - size[a]) // strides[a] + 1 for a in (0, 1))
    if min(OH, OW) < 1:
        raise ValueError(f"windows of {size} do not fit into images of shape {shape}.")
    return OH, OW


def _image_shape(
    dy: Array, image: Pair, size: Pair, strides: Pair, pads: Pads
) -> tuple[int, int, int, int]:
    """(N, H, W, C) of the images behind ``dy``."""
    shape = (dy.shape[0], *image, dy.shape[-1])
    if dy.ndim != 4 or dy.shape[1:3] != _counts(shape, size, strides, pads):
        raise ValueError(f"a gradient of shape {dy.shape} does not fit images of size {image}.")
    return shape


def rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many rows of pixels there are, and how many of them make a block."""
    N, H, W, C = shape
    return N * H, max(1, BLOCK // max(1, W * C))


# ---------------------------------------------------------------- the largest


@serial
def _max_block(b, size, x, window, y, winner):
    H, W = x.shape[1:3]
    N, OH, OW, C = y.shape
    kh, kw, sh, sw, top, left = window
    for row in range(b * size, min(b * size + size, N * OH)):
        n, oh = row // OH, row % OH
        for ow in range(OW):
            for c in range(C):
                y[n, oh, ow, c] = -np.inf
                winner[n, oh, ow, c] = 0
            for i in range(max(0, top - oh * sh), min(kh, H + top - oh * sh)):
                for j in range(max(0, left - ow * sw), min(kw, W + left - ow * sw)):
                    r, s, tap = oh * sh + i - top, ow * sw + j - left, i * kw + j
                    for c in range(C):
                        pixel, best, first = x[n, r, s, c], y[n, oh, ow, c], winner[n, oh, ow, c]
                        nan = pixel != pixel  # wins, and nothing is larger than NaN
                        y[n, oh, ow, c] = pixel if (pixel > best) | nan else best
                        winner[n, oh, ow, c] = 0 if nan else (tap if pixel > best else first)


@parallel
def _max_blocks(blocks, size, x, window, y, winner):
    for b in prange(blocks):
        _max_block(np.int64(b), size, x, window, y, winner)


@serial
def _max_of_four_block(b, size, x, y, winner):
    """Windows of 2x2 next to each other: the four pixels at once."""
    N, OH, OW, C = y.shape
    zero, one, two, three = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)
    for row in range(b * size, min(b * size + size, N * OH)):
        n, oh = row // OH, row % OH
        for ow in range(OW):
            for c in range(C):
                best, tap = x[n, 2 * oh, 2 * ow, c], zero
                pixel = x[n, 2 * oh, 2 * ow + 1, c]
                if (pixel > best) | (pixel != pixel):
                    best, tap = pixel, one
                pixel = x[n, 2 * oh + 1, 2 * ow, c]
                if (pixel > best) | (pixel != pixel):
                    best, tap = pixel, two
                pixel = x[n, 2 * oh + 1, 2 * ow + 1, c]
                if (pixel > best) | (pixel != pixel):
                    best, tap = pixel, three
                y[n, oh, ow, c] = best
                winner[n, oh, ow, c] = tap if best == best else zero


@parallel
def _max_of_four_blocks(blocks, size, x, y, winner):
    for b in prange(blocks):
        _max_of_four_block(np.int64(b), size, x, y, winner)


def max_pool2d(x: Array, size: Pair, strides: Pair, pads: Pads) -> tuple[Array, Array]:
    """y and winner (N, OH, OW, C), as `MaxPooling2D` keeps it, from x (N, H, W, C)."""
    shape = (len(x), *_counts(x.shape, size, strides, pads), x.shape[-1])
    y = empty(shape, x.dtype)
    winner = empty(shape, np.min_scalar_type(size[0] * size[1] - 1))
    if size == strides == (2, 2) and pads == NO_PADS:
        kernel = _max_of_four_block, _max_of_four_blocks
        launch(kernel, *rows_of(shape), ready(x), y, winner)
    else:
        window = window_of(size, strides, pads)
        launch((_max_block, _max_blocks), *rows_of(shape), ready(x), window, y, winner)
    return y, winner


@serial
def _max_gradient_block(b, size, dy, winner, window, dx):
    OH, OW = dy.shape[1:3]
    N, H, W, C = dx.shape
    kh, kw, sh, sw, top, left = window
    for row in range(b * size, min(b * size + size, N * H)):
        n, r = row // H, row % H
        for s in range(W):
            for c in range(C):
                dx[n, r, s, c] = 0
        for i in range((r + top) % sh, kh, sh):
            oh = (r + top - i) // sh
            for j in range(kw if 0 <= oh < OH else 0):
                for ow in range(OW):
                    s, tap = ow * sw + j - left, i * kw + j
                    for c in range(C if 0 <= s < W else 0):
                        dx[n, r, s, c] += dy[n, oh, ow, c] * (winner[n, oh, ow, c] == tap)


@parallel
def _max_gradient_blocks(blocks, size, dy, winner, window, dx):
    for b in prange(blocks):
        _max_gradient_block(np.int64(b), size, dy, winner, window, dx)


@serial
def _max_of_four_gradient_block(b, size, dy, winner, dx):
    H = dx.shape[1]
    N, _, OW, C = dy.shape
    for row in range(b * size, min(b * size + size, N * H)):
        n, r = row // H, row % H
        oh, tap = r // 2, r % 2 * 2
        for ow in range(OW):
            for c in range(C):
                dx[n, r, 2 * ow, c] = dy[n, oh, ow, c] * (winner[n, oh, ow, c] == tap)
            for c in range(C):
                dx[n, r, 2 * ow + 1, c] = dy[n, oh, ow, c] * (winner[n, oh, ow, c] == tap + 1)


@parallel
def _max_of_four_gradient_blocks(blocks, size, dy, winner, dx):
    for b in prange(blocks):
        _max_of_four_gradient_block(np.int64(b), size, dy, winner, dx)


def max_pool2d_input_gradient(
    dy: Array, winner: Array, image: Pair, size: Pair, strides: Pair, pads: Pads
) -> Array:
    """dx (N, H, W, C) from dy and winner (N, OH, OW, C)."""
    shape = _image_shape(dy, image, size, strides, pads)
    check_fits("winner", winner, dy.shape, np.min_scalar_type(size[0] * size[1] - 1))
    kernel: Kernel
    dx = empty(shape, dy.dtype)
    if size == strides == (2, 2) and pads == NO_PADS and image[0] % 2 == image[1] % 2 == 0:
        kernel = _max_of_four_gradient_block, _max_of_four_gradient_blocks
        launch(kernel, *rows_of(shape), ready(dy), ready(winner), dx)
    else:
        kernel, window = (_max_gradient_block, _max_gradient_blocks), window_of(size, strides, pads)
        launch(kernel, *rows_of(shape), ready(dy), ready(winner), window, dx)
    return dx


# ---------------------------------------------------------------- sums and means


@serial
def _sum_block(b, size, x, window, mean, y):
    H, W = x.shape[1:3]
    N, OH, OW, C = y.shape
    kh, kw, sh, sw, top, left = window
    for row in range(b * size, min(b * size + size, N * OH)):
        n, oh = row // OH, row % OH
        first_i, last_i = max(0, top - oh * sh), min(kh, H + top - oh * sh)
        for ow in range(OW):
            first_j, last_j = max(0, left - ow * sw), min(kw, W + left - ow * sw)
            for c in range(C):
                y[n, oh, ow, c] = 0
            for i in range(first_i, last_i):
                for j in range(first_j, last_j):
                    for c in range(C):
                        y[n, oh, ow, c] += x[n, oh * sh + i - top, ow * sw + j - left, c]
            if mean:
                pixels = x.dtype.type((last_i - first_i) * (last_j - first_j))
                for c in range(C):
                    y[n, oh, ow, c] /= pixels


@parallel
def _sum_blocks(blocks, size, x, window, mean, y):
    for b in prange(blocks):
        _sum_block(np.int64(b), size, x, window, mean, y)


@serial
def _spread_block(b, size, dy, window, mean, dx):
    """The transpose of the sums (or means): every pixel collects dy (or its share of it)."""
    OH, OW = dy.shape[1:3]
    N, H, W, C = dx.shape
    kh, kw, sh, sw, top, left = window
    for row in range(b * size, min(b * size + size, N * H)):
        n, r = row // H, row % H
        for s in range(W):
            for c in range(C):
                dx[n, r, s, c] = 0
        for i in range((r + top) % sh, kh, sh):
            oh = (r + top - i) // sh
            high = min(kh, H + top - oh * sh) - max(0, top - oh * sh)
            for j in range(kw if 0 <= oh < OH else 0):
                for ow in range(OW):
                    s = ow * sw + j - left
                    wide = min(kw, W + left - ow * sw) - max(0, left - ow * sw)
                    pixels = dy.dtype.type(high * wide if mean else 1)
                    for c in range(C if 0 <= s < W else 0):
                        dx[n, r, s, c] += dy[n, oh, ow, c] / pixels


@parallel
def _spread_blocks(blocks, size, dy, window, mean, dx):
    for b in prange(blocks):
        _spread_block(np.int64(b), size, dy, window, mean, dx)


SUMS = _sum_block, _sum_blocks
SPREAD = _spread_block, _spread_blocks


def average_pool2d(x: Array, size: Pair, strides: Pair, pads: Pads) -> Array:
    """The means of all windows, (N, OH, OW, C), without the padding."""
    y = empty((len(x), *_counts(x.shape, size, strides, pads), x.shape[-1]), x.dtype)
    launch(SUMS, *rows_of(y.shape), ready(x), window_of(size, strides, pads), True, y)
    return y


def average_pool2d_input_gradient(
    dy: Array, image: Pair, size: Pair, strides: Pair, pads: Pads
) -> Array:
    """dx (N, H, W, C) from dy (N, OH, OW, C)."""
    dx = empty(_image_shape(dy, image, size, strides, pads), dy.dtype)
    launch(SPREAD, *rows_of(dx.shape), ready(dy), window_of(size, strides, pads), True, dx)
    return dx

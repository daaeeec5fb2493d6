"""Upsampling, compiled: nearest by copies and sums over windows, bilinear by narrow matrices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import prange, uintp

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import parallel, serial
from nnscratch.kernels.launch import launch, ready
from nnscratch.kernels.pooling import SPREAD, SUMS, rows_of, window_of
from nnscratch.layers.upsampling import bilinear_matrix

Array = np.ndarray
Pair = tuple[int, int]
Band = tuple[Array, Array]
NO_PADS = ((0, 0), (0, 0))


def upsample2d(x: Array, size: Pair, interpolation: str) -> Array:
    """y (N, H * fh, W * fw, C); "nearest" is the transpose of sums over windows side by side."""
    N, H, W, C = x.shape
    y = empty((N, H * size[0], W * size[1], C), x.dtype)
    if interpolation == "nearest":
        launch(SPREAD, *rows_of(y.shape), ready(x), window_of(size, size, NO_PADS), False, y)
    else:
        _apply(_band(H, size[0], False, x.dtype), _band(W, size[1], False, x.dtype), x, y)
    return y


def upsample2d_input_gradient(dy: Array, size: Pair, interpolation: str) -> Array:
    """dx (N, H, W, C) from dy (N, H * fh, W * fw, C)."""
    (N, OH, OW, C), (fh, fw) = dy.shape, size
    if OH % fh or OW % fw:
        raise ValueError(f"images of {OH} x {OW} pixels are not a whole number of {fh} x {fw}.")
    dx = empty((N, OH // fh, OW // fw, C), dy.dtype)
    if interpolation == "nearest":
        launch(SUMS, *rows_of(dx.shape), ready(dy), window_of(size, size, NO_PADS), False, dx)
    else:
        _apply(_band(OH // fh, fh, True, dy.dtype), _band(OW // fw, fw, True, dy.dtype), dy, dx)
    return dx


# ---------------------------------------------------------------- narrow matrices


@lru_cache(maxsize=64)
def _band(n: int, factor: int, transposed: bool, dtype: np.dtype) -> Band:
    """A bilinear matrix without most of its zeros: the first column of each row, and what follows.

    A row of U holds two numbers, one of its transpose up to twice ``factor``.
    """
    U = bilinear_matrix(n, factor)
    U = U.T if transposed else U
    inputs = U.shape[1]
    first = (U != 0).argmax(axis=1)
    width = (inputs - (U[:, ::-1] != 0).argmax(axis=1) - first).max()
    first = np.minimum(first, inputs - width)
    columns = first[:, None] + np.arange(width)
    return first, np.take_along_axis(U, columns, axis=1).astype(dtype)


@serial
def _apply_block(b, size, first_h, band_h, first_w, band_w, x, y):
    N, OH, OW, C = y.shape
    for row in range(b * size, min(b * size + size, N * OH)):
        n, oh = row // OH, row % OH
        for ow in range(OW):
            for c in range(uintp(C)):
                y[n, oh, ow, c] = 0
            for i in range(band_h.shape[1]):
                for j in range(band_w.shape[1]):
                    weight = band_h[oh, i] * band_w[ow, j]
                    h, w = first_h[oh] + i, first_w[ow] + j
                    for c in range(uintp(C)):
                        y[n, oh, ow, c] += weight * x[n, h, w, c]


@parallel
def _apply_blocks(blocks, size, first_h, band_h, first_w, band_w, x, y):
    for b in prange(blocks):
        _apply_block(np.int64(b), size, first_h, band_h, first_w, band_w, x, y)


def _apply(vertical: Band, horizontal: Band, x: Array, y: Array) -> None:
    """``y = A x B'`` for every image and channel, A and B being such matrices."""
    launch((_apply_block, _apply_blocks), *rows_of(y.shape), *vertical, *horizontal, ready(x), y)

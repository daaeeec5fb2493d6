"""Batch normalisation, compiled: moments of channels, and what is done with them.

Everything is seen as one long row of numbers. Channels are the fastest axis, so number i belongs
to channel ``i % C``. Loops over channels run over "lanes": the channels, repeated until there are
enough of them for vector instructions. A block of numbers is a whole number of rows of lanes.
"""

from __future__ import annotations

import numpy as np
from numba import prange, uintp
from numpy.typing import DTypeLike

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import parallel, serial
from nnscratch.kernels.launch import BLOCK, Kernel, check_alike, launch, ready

Array = np.ndarray

LANES = 128


def _layout(C: int) -> tuple[int, int]:
    """How often C channels are repeated for the lanes, and the size of a block."""
    repeats = max(1, LANES // C)
    return repeats, max(1, BLOCK // (repeats * C)) * repeats * C


def _lanes(values: Array, x: Array) -> Array:
    """``values`` (C,), one for every channel of x, repeated for all lanes."""
    if values.shape != x.shape[-1:] or values.dtype != x.dtype:
        raise ValueError(
            f"expected {x.shape[-1]} numbers in {x.dtype}, one for each channel, got "
            f"{values.dtype} {values.shape}."
        )
    return np.concatenate([values] * _layout(len(values))[0])


def _totals(kernel: Kernel, sums: int, C: int, dtype: DTypeLike, *arrays: Array) -> Array:
    """What ``kernel`` adds up over the first of ``arrays`` for every channel, (sums, C) in float64.

    A block adds up in ``dtype``. That of the data does for squares and gradients: a lane holds so
    few numbers that rounding stays small. Numbers far from zero need float64. The sums of the
    blocks are then added in order.
    """
    numbers = arrays[0].size
    repeats, size = _layout(C)
    partial = empty((sums, -(-numbers // size), repeats * C), dtype)
    launch(kernel, numbers, size, *arrays, partial)
    return partial.sum(axis=1, dtype=np.float64).reshape(sums, repeats, C).sum(axis=1)


# ---------------------------------------------------------------- sums and moments


@serial
def _sum_block(b, size, x, partial):
    last, lanes = uintp(min(b * size + size, len(x))), uintp(partial.shape[2])
    for k in range(lanes):
        partial[0, b, k] = 0
    for i in range(uintp(b * size), last, lanes):
        for k in range(min(lanes, last - i)):
            partial[0, b, k] += x[i + k]


@parallel
def _sum_blocks(blocks, size, x, partial):
    for b in prange(blocks):
        _sum_block(np.int64(b), size, x, partial)


@serial
def _square_block(b, size, x, mean, rest, partial):
    last, lanes = uintp(min(b * size + size, len(x))), uintp(partial.shape[2])
    for k in range(lanes):
        partial[0, b, k] = 0
    for i in range(uintp(b * size), last, lanes):
        for k in range(min(lanes, last - i)):
            deviation = x[i + k] - mean[k] - rest[k]
            partial[0, b, k] += deviation * deviation


@parallel
def _square_blocks(blocks, size, x, mean, rest, partial):
    for b in prange(blocks):
        _square_block(np.int64(b), size, x, mean, rest, partial)


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of every channel of x (..., C), not empty; float64 arrays (C,)."""
    C, flat = x.shape[-1], ready(x).reshape(-1)
    m = x.size // C
    mean = _totals((_sum_block, _sum_blocks), 1, C, np.float64, flat)[0] / m
    kernel = _square_block, _square_blocks
    return mean, _totals(kernel, 1, C, x.dtype, flat, *_in_two(mean, x))[0] / m


def _in_two(mean: Array, x: Array) -> tuple[Array, Array]:
    """The lanes of ``mean`` in the dtype of x, and of what rounding to it leaves over.

    Taking first one and then the other from x loses nothing: the first difference is exact where x
    is near its mean.
    """
    rounded = mean.astype(x.dtype)
    return _lanes(rounded, x), _lanes((mean - rounded).astype(x.dtype), x)


# ---------------------------------------------------------------- normalisation


@serial
def _normalize_block(b, size, x, mean, rest, inv_std, gamma, beta, y, xhat):
    last, lanes = uintp(min(b * size + size, len(x))), uintp(len(mean))
    for i in range(uintp(b * size), last, lanes):
        for k in range(min(lanes, last - i)):
            xhat[i + k] = (x[i + k] - mean[k] - rest[k]) * inv_std[k]
        for k in range(min(lanes, last - i)):
            y[i + k] = gamma[k] * xhat[i + k] + beta[k]


@parallel
def _normalize_blocks(blocks, size, x, mean, rest, inv_std, gamma, beta, y, xhat):
    for b in prange(blocks):
        _normalize_block(np.int64(b), size, x, mean, rest, inv_std, gamma, beta, y, xhat)


def normalize(
    x: Array, mean: Array, inv_std: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    """y and xhat, like x (..., C); no digit of a float64 mean is lost."""
    y, xhat = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    launch(
        (_normalize_block, _normalize_blocks), x.size, _layout(x.shape[-1])[1],
        ready(x).reshape(-1), *_in_two(mean, x),
        *(_lanes(values, x) for values in (inv_std, gamma, beta)),
        y.reshape(-1), xhat.reshape(-1),
    )  # fmt: skip
    return y, xhat


@serial
def _two_sums_block(b, size, dy, xhat, partial):
    """dgamma and dbeta."""
    last, lanes = uintp(min(b * size + size, len(dy))), uintp(partial.shape[2])
    for k in range(lanes):
        partial[0, b, k] = 0
        partial[1, b, k] = 0
    for i in range(uintp(b * size), last, lanes):
        for k in range(min(lanes, last - i)):
            partial[0, b, k] += dy[i + k] * xhat[i + k]
            partial[1, b, k] += dy[i + k]


@parallel
def _two_sums_blocks(blocks, size, dy, xhat, partial):
    for b in prange(blocks):
        _two_sums_block(np.int64(b), size, dy, xhat, partial)


@serial
def _gradient_block(b, size, dy, xhat, scale, mean, slope, dx):
    last, lanes = uintp(min(b * size + size, len(dy))), uintp(len(mean))
    for i in range(uintp(b * size), last, lanes):
        for k in range(min(lanes, last - i)):
            dx[i + k] = scale[k] * (dy[i + k] - mean[k] - xhat[i + k] * slope[k])


@parallel
def _gradient_blocks(blocks, size, dy, xhat, scale, mean, slope, dx):
    for b in prange(blocks):
        _gradient_block(np.int64(b), size, dy, xhat, scale, mean, slope, dx)


def normalize_input_gradient(
    dy: Array, xhat: Array, inv_std: Array, gamma: Array
) -> tuple[Array, Array, Array]:
    """dx, dgamma and dbeta, if the moments are those of the batch itself, which is not empty."""
    check_alike(dy, xhat)
    dx, C = empty(dy.shape, dy.dtype), dy.shape[-1]
    flat = ready(dy).reshape(-1), ready(xhat).reshape(-1)
    totals = _totals((_two_sums_block, _two_sums_blocks), 2, C, dy.dtype, *flat)
    dgamma, dbeta = totals.astype(dy.dtype)
    m = dy.size // C
    launch(
        (_gradient_block, _gradient_blocks), dy.size, _layout(C)[1],
        *flat, *(_lanes(values, dy) for values in (gamma * inv_std, dbeta / m, dgamma / m)),
        dx.reshape(-1),
    )  # fmt: skip
    return dx, dgamma, dbeta

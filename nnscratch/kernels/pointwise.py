"""Activations, squared error and Adam, compiled: one pass over memory, shared out among threads.

What they compute stands in the layers, losses and optimisers. Everything is seen as one long row
of numbers.
"""

from __future__ import annotations

import numpy as np
from numba import prange, uintp

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import parallel, serial
from nnscratch.kernels.launch import BLOCK, check_alike, check_fits, launch, ready

Array = np.ndarray


# ---------------------------------------------------------------- activations


@serial
def _relu_block(b, size, x, y, positive):
    for i in range(uintp(b * size), uintp(min(b * size + size, len(x)))):
        positive[i] = x[i] > 0
        y[i] = 0 if x[i] <= 0 else x[i]  # this way round, NaN stays


@parallel
def _relu_blocks(blocks, size, x, y, positive):
    for b in prange(blocks):
        _relu_block(np.int64(b), size, x, y, positive)


def relu(x: Array) -> tuple[Array, Array]:
    """y, and where x > 0, as an array of bool."""
    y, positive = empty(x.shape, x.dtype), empty(x.shape, np.bool_)
    launch(
        (_relu_block, _relu_blocks), x.size, BLOCK,
        ready(x).reshape(-1), y.reshape(-1), positive.reshape(-1),
    )  # fmt: skip
    return y, positive


@serial
def _relu_gradient_block(b, size, dy, positive, dx):
    zero, one = dy.dtype.type(0), dy.dtype.type(1)
    for i in range(uintp(b * size), uintp(min(b * size + size, len(dy)))):
        dx[i] = dy[i] * (one if positive[i] else zero)


@parallel
def _relu_gradient_blocks(blocks, size, dy, positive, dx):
    for b in prange(blocks):
        _relu_gradient_block(np.int64(b), size, dy, positive, dx)


def relu_input_gradient(dy: Array, positive: Array) -> Array:
    """dx from dy and the second result of `relu`."""
    check_fits("positive", positive, dy.shape, np.dtype(np.bool_))
    dx = empty(dy.shape, dy.dtype)
    launch(
        (_relu_gradient_block, _relu_gradient_blocks), dy.size, BLOCK,
        ready(dy).reshape(-1), ready(positive).reshape(-1), dx.reshape(-1),
    )  # fmt: skip
    return dx


@serial
def _leaky_relu_block(b, size, x, slope, y):
    for i in range(uintp(b * size), uintp(min(b * size + size, len(x)))):
        y[i] = x[i] if x[i] > 0 else slope * x[i]


@parallel
def _leaky_relu_blocks(blocks, size, x, slope, y):
    for b in prange(blocks):
        _leaky_relu_block(np.int64(b), size, x, slope, y)


def leaky_relu(x: Array, slope: float) -> Array:
    """``x`` where x > 0, else ``slope * x``."""
    y = empty(x.shape, x.dtype)
    kernel = _leaky_relu_block, _leaky_relu_blocks
    launch(kernel, x.size, BLOCK, ready(x).reshape(-1), x.dtype.type(slope), y.reshape(-1))
    return y


@serial
def _leaky_gradient_block(b, size, dy, x, slope, dx):
    one = x.dtype.type(1)
    for i in range(uintp(b * size), uintp(min(b * size + size, len(x)))):
        dx[i] = dy[i] * (one if x[i] > 0 else slope)


@parallel
def _leaky_gradient_blocks(blocks, size, dy, x, slope, dx):
    for b in prange(blocks):
        _leaky_gradient_block(np.int64(b), size, dy, x, slope, dx)


def leaky_relu_input_gradient(dy: Array, x: Array, slope: float) -> Array:
    """``dy`` where x > 0, else ``slope * dy``."""
    check_alike(dy, x)
    dx = empty(dy.shape, dy.dtype)
    launch(
        (_leaky_gradient_block, _leaky_gradient_blocks), dy.size, BLOCK,
        ready(dy).reshape(-1), ready(x).reshape(-1), dy.dtype.type(slope), dx.reshape(-1),
    )  # fmt: skip
    return dx


# ---------------------------------------------------------------- training


@serial
def _adam_block(b, size, p, g, m, v, numbers):
    rate, decay, epsilon = numbers[0], numbers[1], numbers[2]
    beta_1, beta_2, rise_1, rise_2 = numbers[3], numbers[4], numbers[5], numbers[6]
    bias_1, bias_2 = numbers[7], numbers[8]
    for i in range(uintp(b * size), uintp(min(b * size + size, len(p)))):
        m[i] = beta_1 * m[i] + rise_1 * g[i]
        v[i] = beta_2 * v[i] + rise_2 * (g[i] * g[i])
        p[i] -= decay * p[i]
        p[i] -= rate * (m[i] / bias_1) / (np.sqrt(v[i] / bias_2) + epsilon)


@parallel
def _adam_blocks(blocks, size, p, g, m, v, numbers):
    for b in prange(blocks):
        _adam_block(np.int64(b), size, p, g, m, v, numbers)


def adam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
    t: int,
) -> None:
    """One step; p, m and v, which change in place, lie in rows, or reshape would make copies."""
    check_alike(p, g, m, v)
    betas = beta_1, beta_2, 1 - beta_1, 1 - beta_2, 1 - beta_1**t, 1 - beta_2**t
    numbers = rate, rate * weight_decay, epsilon, *betas
    launch(
        (_adam_block, _adam_blocks), p.size, BLOCK,
        p.reshape(-1), ready(g).reshape(-1), m.reshape(-1), v.reshape(-1),
        np.array(numbers, p.dtype),
    )  # fmt: skip


LANES = 128  # sums that run side by side, so that vector instructions can add them


@serial
def _error_block(b, size, y, target, scale, gradient, partial):
    last = uintp(min(b * size + size, len(y)))
    for k in range(LANES):
        partial[b, k] = 0
    for i in range(uintp(b * size), last, uintp(LANES)):
        for k in range(min(uintp(LANES), last - i)):
            difference = y[i + k] - target[i + k]
            gradient[i + k] = scale * difference
            partial[b, k] += np.float64(difference) * np.float64(difference)


@parallel
def _error_blocks(blocks, size, y, target, scale, gradient, partial):
    for b in prange(blocks):
        _error_block(np.int64(b), size, y, target, scale, gradient, partial)


def squared_error(y: Array, target: Array, scale: float) -> tuple[float, Array]:
    """``sum (y - target)^2``, added up in float64, and the gradient of ``scale`` times that."""
    check_alike(y, target)
    gradient, partial = empty(y.shape, y.dtype), empty((-(-y.size // BLOCK), LANES), np.float64)
    launch(
        (_error_block, _error_blocks), y.size, BLOCK,
        ready(y).reshape(-1), ready(target).reshape(-1), y.dtype.type(2 * scale),
        gradient.reshape(-1), partial,
    )  # fmt: skip
    return float(partial.sum()), gradient

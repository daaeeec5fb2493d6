"""The gradients of a convolution with ReLU and 2x2 max pooling behind it, as one kernel.

Here the memory for it is prepared; `pooled_gradient` has the derivation and the loops. Plans and
taps are those of `phases`, lanes the places of a vector register.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.convolution.passes import flat, sample_blocks, scratch_for, threads_for
from nnscratch.kernels.convolution.phases import Plan, round_up
from nnscratch.kernels.convolution.pooled_loops import TOGETHER, pooled_backward_kernel
from nnscratch.kernels.convolution.vectors import LANES
from nnscratch.kernels.convolution.weights import pack, unpack

Array = np.ndarray


def pooled_backward(
    there: Plan, back: Plan, x: Array | None, dy: Array, W: Array | None, y: Array, winner: Array
) -> tuple[Array, Array | None, Array | None]:
    """The gradients dx, dW (taps, C, K) and db (K,), from ``y`` and ``winner`` of the pooling.

    dx is empty without ``W``, which it needs, and dW and db are None without ``x``.
    """
    samples, dtype = len(dy), dy.dtype
    image, target, nothing = there.image, there.target, np.empty(0, dtype)
    lanes, C, K = LANES[dtype], image.channels, target.channels
    by_output = C == 1 and K % lanes == 0  # the lanes are output channels
    numbers, vectors = (1, K) if by_output else (K, C)
    rows = _rows(there.taps, numbers)
    size = numbers * round_up(there.taps, TOGETHER) * round_up(vectors, lanes)
    blocks = sample_blocks(samples, size)
    wanted = x is not None
    sums: Array = empty((blocks, size if wanted else 0), dtype)
    bias_sums: Array = np.empty((blocks, K if wanted else 0), dtype)
    dx = empty((0 if W is None else samples, *image[:3]), dtype)
    threads, together = threads_for(blocks), _together(there)
    pixels = empty((threads, together * target.rows * target.cols // 4), np.int64)
    pooled_backward_kernel(
        flat(dy), flat(y), flat(winner), nothing if x is None else flat(x), samples, there.layout,
        there.tap_places[back.order], nothing if W is None else pack(back, W.transpose(0, 2, 1)),
        scratch_for(there, together, threads, dtype), scratch_for(there, together, threads, dtype),
        pixels, empty(pixels.shape, dtype), flat(dx), sums, bias_sums,
    )  # fmt: skip
    if not wanted:
        return dx, None, None
    dW = unpack(back, rows, sums, vectors)  # (taps, 1 or K, vectors)
    return dx, dW if by_output else dW.transpose(0, 2, 1), bias_sums.sum(axis=0)


@lru_cache(maxsize=512)
def _rows(taps: int, numbers: int) -> Array:
    """The row of the sums that belongs to [tap, number]."""
    return np.arange(taps)[:, None] + np.arange(numbers) * round_up(taps, TOGETHER)


def _together(plan: Plan) -> int:
    """How many samples to treat at once: so many that their lists of pixels get long."""
    return max(1, min(8, 400 // (plan.image.height * plan.image.width)))

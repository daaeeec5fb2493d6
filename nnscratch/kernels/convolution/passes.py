"""Convolution in compiled code, forward and backward, for every kernel size, stride and padding.

How it becomes fast, from the outside in:

1. this file: samples are shared out among the threads; weights are put into the order in which
   they are needed. Gradients of weights are summed within fixed blocks of samples, then over the
   blocks in order, so that no bit of them depends on the number of threads.
2. `phases`: strides and enlargement become bookkeeping, one algorithm is left.
3. `scratch`: every sample is copied into memory where zeros surround it and all distances are
   constants.
4. `convolve` walks over it in tiles (a few outputs that are computed at once), and `tiles`
   (`wide_tiles`) holds the sums of a tile in registers.
5. `vectors`: the instructions themselves, which treat as many numbers as a register has places
   ("lanes").

Behind max pooling a gradient is mostly zeros, and `pooled_gradient` does without them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import num_threads
from nnscratch.kernels.convolution.phases import BLOCK, TILE_ROWS, Plan, round_up
from nnscratch.kernels.convolution.scratch import SLACK
from nnscratch.kernels.convolution.threads import backward_kernel, forward_kernel
from nnscratch.kernels.convolution.vectors import LANES
from nnscratch.kernels.convolution.weights import pack, unpack
from nnscratch.kernels.launch import ready

Array = np.ndarray

SAMPLE_BLOCKS = 16  # partial sums of the weight gradient


def forward(
    plan: Plan, x: Array, W: Array, b: Array, rectify: bool, pool: bool
) -> tuple[Array, Array]:
    """Outputs of a convolution, if wanted through ReLU and 2x2 max pooling, and the winners.

    ``W`` is (taps, channels of ``plan.image``, channels of ``plan.target``).
    """
    target, samples = plan.target, len(x)
    scale = 2 if pool else 1
    shape = (samples, target.height // scale, target.width // scale, target.channels)
    y, winner = empty(shape, x.dtype), empty(shape, np.uint8) if pool else _NO_WINNER
    threads = threads_for(samples)
    forward_kernel(
        flat(x), samples, plan.layout, plan.runs, plan.run_starts, pack(plan, W),
        _bias(plan, b, x.dtype), _FLOORS[x.dtype, rectify], pool,
        scratch_for(plan, _together(plan), threads, x.dtype), _rows(plan, threads, x.dtype),
        flat(y), flat(winner),
    )  # fmt: skip
    return y, winner


def backward(
    there: Plan,
    back: Plan,
    x: Array | None,
    dy: Array,
    W: Array | None,
    y: Array | None,
) -> tuple[Array, Array | None, Array | None]:
    """The gradients dx, dW (taps, C, K) and db (K,) of a convolution.

    ``y`` are the outputs of a ReLU that lies behind it, which dy passes on its way in. dx is empty
    without ``W``, which it needs, and dW and db are None without ``x``.
    """
    samples, dtype, target = len(dy), dy.dtype, back.target
    nothing = np.empty(0, dtype)
    # numbers of the one-channel side are multiplied with vectors of the other side's channels
    exchanged = back.image.block == 1
    numbers, vectors = (back, there) if exchanged else (there, back)
    lanes = LANES[dtype]
    vector_count = -(-vectors.image.channels // lanes)
    size = vector_count * len(numbers.quads) * 4 * lanes
    blocks = sample_blocks(samples, size) if x is not None else min(samples, SAMPLE_BLOCKS)
    sums = empty((blocks, size if x is not None else 0), dtype)
    bias_size = round_up(back.image.channels, BLOCK) if x is not None else 0
    bias_sums: Array = np.empty((blocks, bias_size), dtype)
    dx = empty((samples if W is not None else 0, *target[:3]), dtype)
    threads, together = threads_for(blocks), _together(there, back)
    backward_kernel(
        flat(dy), nothing if y is None else flat(y), y is not None,
        nothing if x is None else flat(x), samples, there.layout, back.layout,
        back.runs, back.run_starts, numbers.quads, numbers.quad_starts, exchanged,
        nothing if W is None else pack(back, W.transpose(0, 2, 1)),
        _zeros(max(round_up(target.channels, lanes), 16 * lanes), dtype),
        _FLOORS[dtype, False], scratch_for(there, together, threads, dtype),
        scratch_for(back, together, threads, dtype), _rows(back, threads, dtype), flat(dx),
        _NO_WINNER, sums, bias_sums,
    )  # fmt: skip
    if x is None:
        return dx, None, None
    dW = unpack(numbers, numbers.rows, sums, vectors.image.channels)  # (taps, numbers, vectors)
    dW = dW.transpose(0, 2, 1) if exchanged else dW
    db = bias_sums.sum(axis=0)
    if exchanged:
        db = db.sum(keepdims=True)  # of one channel, the lanes are parts
    return dx, dW, db[: back.image.channels]


_NO_WINNER = np.empty(0, np.uint8)
_FLOORS = {
    (np.dtype(dtype), rectify): np.array([0.0 if rectify else -np.inf], dtype)
    for dtype in (np.float32, np.float64)
    for rectify in (False, True)
}


def threads_for(parts: int) -> int:
    return max(1, min(num_threads(), parts))


def flat(array: Array) -> Array:
    return ready(array).reshape(-1)


def sample_blocks(samples: int, size: int) -> int:
    """How many partial sums of a weight gradient: few for large ones, for they take memory."""
    blocks = SAMPLE_BLOCKS
    while blocks > 4 and blocks * size > 1 << 21:
        blocks //= 2
    return min(samples, blocks)


def scratch_for(plan: Plan, together: int, threads: int, dtype: np.dtype) -> Array:
    return empty((threads, together * plan.image.sample + SLACK), dtype)


def _together(*plans: Plan) -> int:
    """How many samples to treat at once: several small ones, for weights are then read less."""
    pixels = max(plan.image.height * plan.image.width for plan in plans)
    return max(1, min(8, 64 // pixels))


def _rows(plan: Plan, threads: int, dtype: np.dtype) -> Array:
    return empty((threads, 2 * TILE_ROWS * plan.target.across * LANES[dtype]), dtype)


def _bias(plan: Plan, b: Array, dtype: np.dtype) -> Array:
    """The bias, filled up to whole vectors."""
    channels = round_up(plan.target.channels, LANES[dtype])
    if len(b) == channels:
        return ready(b)
    padded: Array = np.zeros(channels, dtype)
    padded[: len(b)] = b
    return padded


@lru_cache(maxsize=512)
def _zeros(n: int, dtype: np.dtype) -> Array:
    return np.zeros(n, dtype)

"""The weights of a convolution, put into the order in which the tiles need them, and back.

That order is [vectors of output channels, blocks of input channels, terms, channels of the block,
lanes]: a tile then reads its weights from one end to the other. (A term is a tap, or several whose
weights are added first, see `phases`; lanes are the places of a vector register.)
"""

from __future__ import annotations

import numpy as np
from numba import prange, uintp

from nnscratch.kernels.buffers import empty
from nnscratch.kernels.compilation import parallel, serial
from nnscratch.kernels.convolution.phases import BLOCK as CHANNELS
from nnscratch.kernels.convolution.phases import Plan
from nnscratch.kernels.convolution.tiles import lanes_of
from nnscratch.kernels.convolution.vectors import LANES, add, load, store
from nnscratch.kernels.launch import BLOCK, launch, ready

Array = np.ndarray


@serial
def _pack_block(b, size, W, steps, order, C, K, block, lanes, packed):
    terms, groups, vectors = len(order), -(-C // block), -(-K // lanes)
    in_rows = steps[2] == 1
    for piece in range(b * size, min(b * size + size, terms * groups * vectors)):
        if in_rows:  # go through W in the order in which it lies in memory
            v, g, t = piece % vectors, piece // vectors % groups, piece // (vectors * groups)
        else:
            g, v, t = piece % groups, piece // groups % vectors, piece // (vectors * groups)
        d = ((v * groups + g) * terms + t) * block * lanes
        s = order[t] * steps[0] + g * block * steps[1] + v * lanes * steps[2]
        for c in range(block):
            channels = min(lanes, K - v * lanes) if g * block + c < C else 0
            if in_rows and lanes == lanes_of(W) and channels == lanes:
                store(packed, d, load(W, s))
            else:
                for k in range(channels):
                    packed[uintp(d + k)] = W[uintp(s + k * steps[2])]
                for k in range(channels, lanes):
                    packed[uintp(d + k)] = 0
            d += lanes
            s += steps[1]


@parallel
def _pack_blocks(blocks, size, W, steps, order, C, K, block, lanes, packed):
    for b in prange(blocks):
        _pack_block(np.int64(b), size, W, steps, order, C, K, block, lanes, packed)


def pack(plan: Plan, W: Array) -> Array:
    """Weights (taps, C, K), each term's taps added up, in the order of the tiles, flat."""
    taps, C, K = W.shape
    order = plan.order
    if order is None:
        W, order = (plan.sums[W.dtype] @ W.reshape(taps, C * K)).reshape(-1, C, K), plan.all_terms
    if W.flags.c_contiguous:
        flat, steps = ready(W).reshape(-1), (C * K, K, 1)
    else:  # mostly a transposed view
        flat, steps = ready(W.transpose(0, 2, 1)).reshape(-1), (C * K, 1, C)
    block = plan.image.block
    lanes = 1 if K == 1 and block == CHANNELS else LANES[W.dtype]
    pieces = len(order) * -(-C // block) * -(-K // lanes)
    packed = empty((pieces * block * lanes,), W.dtype)
    size = max(1, BLOCK // (block * lanes))
    launch(
        (_pack_block, _pack_blocks), pieces, size, flat, steps, order, C, K, block, lanes, packed
    )
    return packed


@serial
def _sum_block(b, size, sums, parts, rows, order, C, K, lanes, dW):
    vectors = -(-K // lanes)
    part = len(sums) // parts
    row_count = part // (vectors * lanes)
    for v in range(vectors):
        for piece in range(b * size, min(b * size + size, len(order) * C)):
            t, c = piece // C, piece % C
            s = (v * row_count + rows[t, c]) * lanes
            d = (order[t] * C + c) * K + v * lanes
            total = load(sums, s)
            for i in range(1, parts):
                total = add(total, load(sums, s + i * part))
            if (v + 1) * lanes <= K:
                store(dW, d, total)
            else:
                store(sums, s, total)
                for k in range(K - v * lanes):
                    dW[d + k] = sums[s + k]


@parallel
def _sum_blocks(blocks, size, sums, parts, rows, order, C, K, lanes, dW):
    for b in prange(blocks):
        _sum_block(np.int64(b), size, sums, parts, rows, order, C, K, lanes, dW)


def unpack(plan: Plan, rows: Array, sums: Array, K: int) -> Array:
    """The weight gradient (taps, C, K): partial sums added up, in their order, and rearranged.

    ``sums`` is (parts, vectors of K * rows * lanes); ``rows`` (terms, C) says in which row of a
    part a term and a channel are.
    """
    terms, C = rows.shape
    lanes = LANES[sums.dtype]
    parts = len(sums)
    if parts == 0:  # of no samples
        return np.zeros((plan.taps, C, K), sums.dtype)
    dW = empty((terms, C, K), sums.dtype)
    order = plan.all_terms if plan.order is None else plan.order
    launch(
        (_sum_block, _sum_blocks), terms * C, max(64, BLOCK // (K * parts)),
        sums.reshape(-1), parts, rows, order, C, K, lanes, dW.reshape(-1),
    )  # fmt: skip
    if plan.order is not None:
        return dW
    return (plan.sums[sums.dtype].T @ dW.reshape(terms, C * K)).reshape(-1, C, K)

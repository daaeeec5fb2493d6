"""The compiled kernels of the convolution: samples are shared out among the threads.

A share is a serial function, the kernel around it a single parallel loop: what numba has to
analyse for parallelism, which it does slowly, is kept small. It takes arrays and numbers only, no tuples.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from nnscratch.kernels.compilation import inline, parallel
from nnscratch.kernels.convolve import (
    add_bias_sums,
    add_weight_sums,
    convolve,
    convolve_to_one,
)
from nnscratch.kernels.phases import BLOCK, Image, Target
from nnscratch.kernels.scratch import copy_in, copy_in_unpooled

SLACK = 64  # numbers behind a scratch that may be read but are never used
IMAGE = len(Image._fields)


@parallel
def forward_kernel(
    x, samples, layout, runs, starts, weights, bias, floor, pooled, scratch, rows, y, winner
):
    """See `compiled_convolution.forward`; ``layout`` holds an Image and a Target."""
    threads = len(scratch)
    for thread in prange(threads):
        t = np.int64(thread)  # not unsigned, as a parallel loop has it
        _forward_share(
            x, samples * t // threads, samples * (t + 1) // threads, layout, (runs, starts),
            weights, bias, (floor, pooled), scratch[t], rows[t], y, winner,
        )  # fmt: skip


@inline
def _forward_share(x, n, end, layout, terms, weights, bias, ending, scratch, rows, y, winner):
    """Samples n to end, as many at once as fit into the scratch."""
    image, target = _image(layout, 0), _target(layout, IMAGE)
    scratch[:] = 0
    together = (len(scratch) - SLACK) // image.sample
    size = image.height * image.width * image.channels
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            copy_in(x, x, False, (n + g) * size, image, scratch, g * image.sample)
        _outputs(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n)
        n += samples


@inline
def _outputs(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n):
    if target.channels == 1 and image.block == BLOCK:
        convolve_to_one(
            scratch, samples, image, target, terms, weights, bias, ending[0], rows, y, n
        )
    else:
        convolve(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n)


@inline
def _image(layout, i):
    return Image(
        layout[i], layout[i + 1], layout[i + 2], layout[i + 3], layout[i + 4], layout[i + 5],
        layout[i + 6], layout[i + 7], layout[i + 8], layout[i + 9], layout[i + 10], layout[i + 11],
    )  # fmt: skip


@inline
def _target(layout, i):
    return Target(
        layout[i], layout[i + 1], layout[i + 2], layout[i + 3], layout[i + 4], layout[i + 5],
        layout[i + 6],
    )  # fmt: skip


@parallel
def backward_kernel(
    dy, y, winner, rectified, pooled, x, samples, layout, runs, starts, quads, quad_starts,
    exchanged, weights, bias, floor, x_scratch, dy_scratch, rows, dx, sums, bias_sums,
):  # fmt: skip
    """See `compiled_convolution.backward`; ``layout`` holds the Images of x and dy and a Target."""
    threads, blocks = len(rows), len(sums)
    for thread in prange(threads):
        t = np.int64(thread)
        first, end = blocks * t // threads, blocks * (t + 1) // threads
        x_scratch[t, :] = 0
        dy_scratch[t, :] = 0
        for b in range(first, end):
            _backward_block(
                dy, (y, winner, rectified, pooled), x, samples * b // blocks,
                samples * (b + 1) // blocks, layout, (runs, starts),
                (quads, quad_starts, exchanged), weights, bias, floor, x_scratch[t],
                dy_scratch[t], rows[t], dx, sums[b], bias_sums[b],
            )  # fmt: skip


@inline
def _backward_block(
    dy, behind, x, n, end, layout, terms, tables, weights, bias, floor, x_scratch, dy_scratch,
    rows, dx, sums, bias_sums,
):  # fmt: skip
    """Samples n to end: their gradients dx, and their part of the gradients of W and b."""
    x_image, dy_image, target = _image(layout, 0), _image(layout, IMAGE), _target(layout, 2 * IMAGE)
    y, winner, rectified, pooled = behind
    quads, quad_starts, exchanged = tables
    sums[:] = 0
    bias_sums[:] = 0
    together = (len(dy_scratch) - SLACK) // dy_image.sample
    size = x_image.height * x_image.width * x_image.channels
    dy_size = dy_image.height * dy_image.width * dy_image.channels
    pooled_size = dy_image.height // 2 * (dy_image.width // 2) * dy_image.channels
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            at = g * dy_image.sample
            if pooled:
                copy_in_unpooled(dy, y, winner, (n + g) * pooled_size, dy_image, dy_scratch, at)
            else:
                copy_in(dy, y, rectified, (n + g) * dy_size, dy_image, dy_scratch, at)
        if len(sums) > 0:
            add_bias_sums(dy_scratch, dy_image, samples, bias_sums)
            for g in range(samples):
                copy_in(x, x, False, (n + g) * size, x_image, x_scratch, g * x_image.sample)
            a, a_image, b, b_image = x_scratch, x_image, dy_scratch, dy_image
            if exchanged:
                a, a_image, b, b_image = dy_scratch, dy_image, x_scratch, x_image
            add_weight_sums(a, a_image, quads, quad_starts, b, b_image, samples, sums)
        if len(dx) > 0:
            _outputs(
                dy_scratch, samples, dy_image, target, terms, weights, bias, (floor, False), rows,
                dx, winner, n,
            )  # fmt: skip
        n += samples

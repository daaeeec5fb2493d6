"""The compiled kernels of the convolution: samples are shared out among the threads.

A share is a serial function, the kernel around it a single parallel loop: what numba has to
analyse for parallelism, which it does slowly, is kept small. It takes arrays and numbers
only, no tuples.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from nnscratch.kernels.compilation import parallel, part
from nnscratch.kernels.convolve import (
    add_bias_sums,
    add_weight_sums,
    convolve,
    convolve_to_one,
)
from nnscratch.kernels.phases import BLOCK, Image
from nnscratch.kernels.scratch import copy_in, image_of, room_for, size_of, target_of


@parallel
def forward_kernel(
    x, y_behind, samples, layout, runs, starts, weights, bias, floor, pooled, scratch, rows, y,
    winner,
):  # fmt: skip
    """See `compiled_convolution.forward`; ``layout`` is that of the plan."""
    threads = len(scratch)
    for thread in prange(threads):
        t = np.int64(thread)  # not unsigned, as a parallel loop has it
        _forward_share(
            x, y_behind, samples * t // threads, samples * (t + 1) // threads, layout,
            (runs, starts), weights, bias, (floor, pooled), scratch[t], rows[t], y, winner,
        )  # fmt: skip


@part
def _forward_share(
    x, y_behind, n, end, layout, terms, weights, bias, ending, scratch, rows, y, winner
):
    """Samples n to end, as many at once as fit into the scratch."""
    image, target = image_of(layout), target_of(layout)
    scratch[:] = 0
    together, size = room_for(image, scratch), size_of(image)
    rectified = len(y_behind) > 0
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            copy_in(x, y_behind, rectified, (n + g) * size, image, scratch, g * image.sample)
        if target.channels == 1 and image.block == BLOCK:
            convolve_to_one(
                scratch, samples, image, target, terms, weights, bias, ending[0], rows, y, n
            )
        else:
            convolve(
                scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n
            )
        n += samples


@parallel
def weights_kernel(
    x, dy, y_behind, samples, x_layout, dy_layout, quads, quad_starts, exchanged, zero, x_scratch,
    dy_scratch, sums, bias_sums,
):  # fmt: skip
    """See `compiled_convolution.weight_gradients`; the layouts are those of the two plans."""
    threads, blocks = len(x_scratch), len(sums)
    for thread in prange(threads):
        t = np.int64(thread)
        x_scratch[t, :] = 0
        dy_scratch[t, :] = 0
        for b in range(blocks * t // threads, blocks * (t + 1) // threads):
            _weights_block(
                x, dy, y_behind, samples * b // blocks, samples * (b + 1) // blocks,
                image_of(x_layout), image_of(dy_layout), (quads, quad_starts, exchanged), zero,
                x_scratch[t], dy_scratch[t], sums[b], bias_sums[b],
            )  # fmt: skip


@part
def _weights_block(
    x, dy, y_behind, n, end, x_image, dy_image, tables, zero, x_scratch, dy_scratch, sums, bias_sums
):
    """What the samples n to end add to the gradients of W and b."""
    quads, quad_starts, exchanged = tables
    bias_sums[:] = 0
    together = room_for(dy_image, dy_scratch)
    size, dy_size = size_of(x_image), size_of(dy_image)
    rectified, fresh = len(y_behind) > 0, True
    # where nothing has to be changed on the way in, the vectors are taken from where they lie
    x_lies_ready = exchanged and _lies_ready(x_image)
    dy_lies_ready = not (exchanged or rectified) and _lies_ready(dy_image)
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            at, dy_at = g * x_image.sample, g * dy_image.sample
            if not x_lies_ready:
                copy_in(x, x, False, (n + g) * size, x_image, x_scratch, at)
            if not dy_lies_ready:
                copy_in(dy, y_behind, rectified, (n + g) * dy_size, dy_image, dy_scratch, dy_at)
        numbers, number_image, vectors, vector_image = x_scratch, x_image, dy_scratch, dy_image
        if exchanged:
            numbers, number_image, vectors, vector_image = dy_scratch, dy_image, x_scratch, x_image
        if x_lies_ready:
            vectors, vector_image = x[n * size : (n + samples) * size], _without_border(x_image)
        elif dy_lies_ready:
            vectors = dy[n * dy_size : (n + samples) * dy_size]
            vector_image = _without_border(dy_image)
        if len(bias_sums) > 0:
            if exchanged:
                add_bias_sums(dy_scratch, dy_image, samples, bias_sums)
            else:
                add_bias_sums(vectors, vector_image, samples, bias_sums)
        add_weight_sums(
            numbers, number_image, quads, quad_starts, vectors, vector_image, samples, fresh, zero,
            sums,
        )  # fmt: skip
        n += samples
        fresh = False


@part
def _lies_ready(image):
    """Whether an image in memory has its pixels as far apart as in the scratch."""
    return image.channels == BLOCK and image.split_h == 1 and image.split_w == 1


@part
def _without_border(image):
    row = image.width * BLOCK
    size = image.height * row
    return Image(
        image.height, image.width, image.channels, BLOCK, 1, 1, 0, 0, BLOCK, row, 0, 0, size, size
    )

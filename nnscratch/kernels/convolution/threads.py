"""The compiled kernels of the convolution: samples are shared out among the threads.

A share is a serial function, the kernel around it a single parallel loop: what numba has to
analyse for parallelism, which it does slowly, is kept small. It takes arrays and numbers
only, no tuples. (A scratch is a thread's memory for samples with zeros around them, see `scratch`.)
"""

from __future__ import annotations

import numpy as np
from numba import prange

from nnscratch.kernels.compilation import parallel, part
from nnscratch.kernels.convolution.groups import (
    add_bias_sums,
    add_weight_sums,
    convolve,
    convolve_to_one,
)
from nnscratch.kernels.convolution.phases import BLOCK, Image
from nnscratch.kernels.convolution.scratch import copy_in, image_of, room_for, size_of, target_of


@parallel
def forward_kernel(
    x, samples, layout, runs, starts, weights, bias, floor, pooled, scratch, rows, y, winner
):
    """See `compiled_convolution.forward`; ``layout`` is that of the plan."""
    threads = len(scratch)
    for thread in prange(threads):
        t = np.int64(thread)  # not unsigned, as a parallel loop has it
        _forward_share(
            x, samples * t // threads, samples * (t + 1) // threads, layout, (runs, starts),
            weights, bias, (floor, pooled), scratch[t], rows[t], y, winner,
        )  # fmt: skip


@part
def _forward_share(x, n, end, layout, terms, weights, bias, ending, scratch, rows, y, winner):
    """Samples n to end, as many at once as fit into the scratch."""
    image, target = image_of(layout), target_of(layout)
    scratch[:] = 0
    together, size = room_for(image, scratch), size_of(image)
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            copy_in(x, x, False, (n + g) * size, image, scratch, g * image.sample)
        _outputs(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n)
        n += samples


@part
def _outputs(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n):
    if target.channels == 1 and image.block == BLOCK:
        convolve_to_one(
            scratch, samples, image, target, terms, weights, bias, ending[0], rows, y, n
        )
    else:
        convolve(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n)


@parallel
def backward_kernel(
    dy, y, rectified, x, samples, x_layout, layout, runs, starts, quads, quad_starts, exchanged,
    weights, zero, floor, x_scratch, dy_scratch, rows, dx, no_winner, sums, bias_sums,
):  # fmt: skip
    """See `compiled_convolution.backward`; the layouts are those of the two plans.

    ``zero`` holds as many zeros as are needed: the bias, and what sums begin with.
    """
    threads, blocks = len(rows), len(sums)
    for thread in prange(threads):
        t = np.int64(thread)
        first, end = blocks * t // threads, blocks * (t + 1) // threads
        x_scratch[t, :] = 0
        dy_scratch[t, :] = 0
        for b in range(first, end):
            _backward_block(
                dy, (y, rectified), x, samples * b // blocks,
                samples * (b + 1) // blocks, (x_layout, layout), (runs, starts),
                (quads, quad_starts, exchanged), weights, zero, floor, x_scratch[t],
                dy_scratch[t], rows[t], dx, no_winner, sums[b], bias_sums[b],
            )  # fmt: skip


@part
def _backward_block(
    dy, behind, x, n, end, layouts, terms, tables, weights, zero, floor, x_scratch, dy_scratch,
    rows, dx, no_winner, sums, bias_sums,
):  # fmt: skip
    """Samples n to end: their gradients dx, and their part of the gradients of W and b."""
    x_image, dy_image = image_of(layouts[0]), image_of(layouts[1])
    target = target_of(layouts[1])
    y, rectified = behind
    quads, quad_starts, exchanged = tables
    bias_sums[:] = 0
    together = room_for(dy_image, dy_scratch)
    size, dy_size = size_of(x_image), size_of(dy_image)
    # where nothing has to be changed on the way in, the vectors are taken from where they lie
    x_lies_ready = exchanged and _lies_ready(x_image)
    dy_lies_ready = not (exchanged or rectified or len(dx) > 0) and _lies_ready(dy_image)
    fresh = True
    while n < end:
        samples = min(together, end - n)
        for g in range(samples):
            if not dy_lies_ready:
                copy_in(
                    dy, y, rectified, (n + g) * dy_size, dy_image, dy_scratch, g * dy_image.sample
                )
            if len(sums) > 0 and not x_lies_ready:
                copy_in(x, x, False, (n + g) * size, x_image, x_scratch, g * x_image.sample)
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
        if len(sums) > 0:
            add_weight_sums(
                numbers, number_image, quads, quad_starts, vectors, vector_image, samples, fresh,
                zero, sums,
            )  # fmt: skip
        if len(dx) > 0:
            _outputs(
                dy_scratch, samples, dy_image, target, terms, weights, zero, (floor, False), rows,
                dx, no_winner, n,
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

"""The loops between the drivers and the tiles: one group of samples that lies in a scratch.

A scratch holds samples with zeros around them, and a tile is a few outputs whose sums fit into
registers; runs, quads and phases are the tables of a `phases.Plan`.
"""

from __future__ import annotations

from nnscratch.kernels.compilation import part
from nnscratch.kernels.convolution.phases import BLOCK, TILE_COLS, TILE_ROWS
from nnscratch.kernels.convolution.scratch import (
    copy_out,
    copy_out_one,
    copy_out_pooled,
    place_of,
    pooled_size_of,
    size_of,
)
from nnscratch.kernels.convolution.tiles import (
    dot_products,
    lanes_of,
    outputs_of_blocks,
    outputs_of_every_other,
    outputs_of_one_channel,
    products,
    products_of_four,
)
from nnscratch.kernels.convolution.vectors import (
    REGISTERS,
    add,
    load,
    store,
    store_lane_sums,
    zeros,
)
from nnscratch.kernels.convolution.wide_tiles import outputs_of_two_vectors, products_of_two_vectors


@part
def convolve(scratch, samples, image, target, terms, weights, bias, ending, rows, y, winner, n):
    """Outputs of all samples in the scratch, from sample n on in ``y`` (and ``winner``).

    ``terms`` are the tables (runs, run_starts) of a `Plan`; ``ending`` is (floor, pooled), what
    happens to the outputs; ``rows`` is memory for two rows of outputs, of two vectors each.
    """
    runs, starts = terms
    lanes = lanes_of(weights)
    group_weights = runs[-1, 2] + runs[-1, 1]  # the number of terms
    group_weights *= image.block * lanes
    groups = (image.channels + image.block - 1) // image.block
    across = target.across
    for phase in range(len(starts) - 1):
        first, last = starts[phase], starts[phase + 1]
        k = 0
        while k < target.channels:
            w = k // lanes * groups * group_weights
            two = REGISTERS == 32 and image.block == BLOCK and k + lanes < target.channels
            g = 0
            while g < samples:
                pair = two and target.cols <= 2 and g + 1 < samples
                for h in range(0, target.rows, TILE_ROWS):
                    at = g * image.sample + h * image.row
                    if two:
                        outputs_of_two_vectors(
                            scratch, at, image.sample if pair else 2 * BLOCK, image, runs, first,
                            last, weights, w, groups * group_weights, group_weights, bias, k, rows,
                            across,
                        )  # fmt: skip
                    else:
                        _outputs_of_one_vector(
                            scratch, at, image, runs, first, last, weights, w, group_weights,
                            load(bias, k), rows, across,
                        )  # fmt: skip
                    for i in range(4):  # the vectors of one or two samples
                        if (pair or i < 2) and (two or i % 2 == 0):
                            place = (i % 2 * 2 * across + i // 2 * 2) * lanes
                            _copy_out(
                                rows, place, h, phase, target, k + i % 2 * lanes, ending, y,
                                winner, n + g + i // 2,
                            )  # fmt: skip
                g += 2 if pair else 1
            k += 2 * lanes if two else lanes


@part
def _copy_out(rows, begin, h, phase, target, k, ending, y, winner, n):
    floor, pooled = ending
    if pooled:
        start = n * pooled_size_of(target)
        copy_out_pooled(rows, begin, target.across, h, target, k, y, winner, start)
    else:
        start = n * size_of(target)
        copy_out(rows, begin, target.across, h, phase, target, k, floor, y, start)


@part
def _outputs_of_one_vector(
    x, at, image, runs, first, last, weights, w, group_weights, bias, rows, across
):
    """The tile that is compiled for the distance of the pixels: BLOCK, 1 or 2."""
    if image.pixel == BLOCK:
        outputs_of_blocks(
            x, at, image, runs, first, last, weights, w, group_weights, bias, rows, across
        )
    elif image.pixel == 1:
        outputs_of_one_channel(
            x, at, image, runs, first, last, weights, w, group_weights, bias, rows, across
        )
    else:
        outputs_of_every_other(
            x, at, image, runs, first, last, weights, w, group_weights, bias, rows, across
        )


@part
def convolve_to_one(scratch, samples, image, target, terms, weights, bias, floor, rows, y, n):
    """The same for a single output channel."""
    runs, starts = terms
    terms_in_all = runs[-1, 2] + runs[-1, 1]
    across, size = target.across, size_of(target)
    for phase in range(len(starts) - 1):
        for g in range(samples):
            for h in range(0, target.rows, TILE_ROWS):
                at = g * image.sample + h * image.row
                for v in range(0, target.cols, TILE_COLS):
                    tile = dot_products(
                        scratch, at + v * BLOCK, image, runs, starts[phase], starts[phase + 1],
                        weights, terms_in_all * BLOCK,
                    )  # fmt: skip
                    store_lane_sums(rows, v, across + v, tile)
                copy_out_one(rows, across, h, phase, target, bias, floor, y, (n + g) * size)


@part
def add_weight_sums(x, x_image, quads, starts, dy, dy_image, samples, fresh, zero, sums):
    """The weight gradient of all samples in the two scratches, added to ``sums``.

    If these are ``fresh``, they begin with ``zero``, and what they held does not matter.
    Which of the two is called x: the one whose numbers are multiplied with vectors of the other.
    """
    lanes = lanes_of(dy)
    counts = (
        samples,
        (dy_image.height + dy_image.split_h - 1) // dy_image.split_h,
        (dy_image.width + dy_image.split_w - 1) // dy_image.split_w,
    )
    inside = dy_image.top * dy_image.row + dy_image.left * BLOCK
    size = len(quads) * 4 * lanes  # sums of one vector
    for phase in range(len(starts) - 1):
        start = phase * dy_image.phase_w + inside
        k = 0
        while k < dy_image.channels:
            two = REGISTERS == 32 and k + lanes < dy_image.channels
            q, end, m = starts[phase], starts[phase + 1], k // lanes * size
            d = start + place_of(k, dy_image)
            second_d = start + place_of(k + lanes, dy_image)
            while two and q + 2 <= end:
                i = m + q * 4 * lanes
                old, o, behind = (zero, 0, 0) if fresh else (sums, i, size)
                products_of_two_vectors(
                    x, x_image.pixel, x_image.row, x_image.sample, quads, q, dy, d, second_d - d,
                    dy_image.row, dy_image.sample, counts, old, o, behind, sums, i, size,
                )  # fmt: skip
                q += 2
            _add_one_vector(
                x, x_image, quads, q, end, dy, d, dy_image, counts, fresh, zero, sums, m
            )
            if two:
                _add_one_vector(
                    x, x_image, quads, q, end, dy, second_d, dy_image, counts, fresh, zero, sums,
                    m + size,
                )  # fmt: skip
            k += 2 * lanes if two else lanes


@part
def _add_one_vector(x, x_image, quads, q, end, dy, d, dy_image, counts, fresh, zero, sums, m):
    """The sums of the quads q to end with one vector of channels."""
    lanes = lanes_of(dy)
    while q < end:
        n = m + q * 4 * lanes
        old, o = (zero, 0) if fresh else (sums, n)
        if q + 3 <= end:
            products(
                x, x_image.pixel, x_image.row, x_image.sample, quads, q, dy, d, dy_image.row,
                dy_image.sample, counts, old, o, sums, n,
            )  # fmt: skip
            q += 3
        else:
            products_of_four(
                x, x_image.pixel, x_image.row, x_image.sample, quads[q], dy, d, dy_image.row,
                dy_image.sample, counts, old, o, sums, n,
            )  # fmt: skip
            q += 1


@part
def add_bias_sums(dy, image, samples, sums):
    """The sum over all pixels of the scratch, the zeros included, added to ``sums``."""
    lanes, block = lanes_of(dy), image.block
    if block == 1:
        numbers = samples * image.sample
        whole = numbers // lanes * lanes
        a = zeros(dy)
        for i in range(0, whole, lanes):
            a = add(a, load(dy, i))
        store(sums, 0, add(a, load(sums, 0)))  # all lanes count, see `backward`
        for i in range(whole, numbers):
            sums[0] += dy[i]
        return
    for g in range(samples):
        for k in range(0, image.channels, lanes):
            d = g * image.sample + place_of(k, image)
            end = d + image.group
            a, b = load(sums, k), zeros(dy)
            c, e = zeros(dy), zeros(dy)
            while d + 3 * block < end:
                a = add(a, load(dy, d))
                b = add(b, load(dy, d + block))
                c = add(c, load(dy, d + 2 * block))
                e = add(e, load(dy, d + 3 * block))
                d += 4 * block
            while d < end:
                a = add(a, load(dy, d))
                d += block
            store(sums, k, add(add(a, b), add(c, e)))

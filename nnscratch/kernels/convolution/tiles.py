"""The inner loops of the convolution: sums that stay in registers while an image streams by.

A CPU core can start one or two vector multiply-adds a cycle, but each takes four cycles until its
result can be used. So eight independent sums keep it busy, and a sum must never go through memory.
Each function here therefore computes a "tile" of results, with one local variable a register, and
the loops around it do nothing else. The names of the variables count tiles, so they are short.
"""

from __future__ import annotations

from collections.abc import Callable

from nnscratch.kernels.compilation import inline, part
from nnscratch.kernels.convolution.phases import BLOCK, TILE_COLS
from nnscratch.kernels.convolution.vectors import LANES, broadcast, fma, load, store, zeros

LANES_32, LANES_64 = LANES.values()


@inline
def lanes_of(a):
    """Numbers in a register, of the type of the array."""
    return LANES_32 if a.itemsize == 4 else LANES_64


def _outputs(pixel: int) -> Callable:
    """The tile below for images whose pixels are ``pixel`` numbers apart.

    That this distance is a constant is worth a factor of two: all eight addresses are one register
    plus a number that stands in the instruction.
    """

    @part
    def outputs(x, at, image, runs, first, last, weights, w, group_weights, bias, rows, across):
        """Two rows of outputs, a vector of channels each, in tiles of 2 x 4, into ``rows``.

        Parameters: ``x`` the scratch, ``at`` the place in it that belongs to the first output,
        ``runs[first:last]`` the stretches of memory that an output sees, ``weights`` in the order
        in which they are needed, from ``w`` on, ``group_weights`` numbers for every group of
        channels, ``bias`` the initial sums, ``across`` the length of a row.
        """
        lanes = lanes_of(weights)
        for u in range(0, across * lanes, TILE_COLS * lanes):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = bias
            place, k_group = at, w
            for group in range(0, image.channels, image.block):
                channels = min(image.block, image.channels - group)
                for r in range(first, last):
                    upper = place + runs[r, 0]
                    lower = upper + image.row
                    k = k_group + runs[r, 2] * image.block * lanes
                    for t in range(runs[r, 1] * channels):  # neighbours, all their channels
                        v = load(weights, k)
                        a0 = fma(broadcast(x, upper + t), v, a0)
                        a1 = fma(broadcast(x, upper + t + pixel), v, a1)
                        a2 = fma(broadcast(x, upper + t + 2 * pixel), v, a2)
                        a3 = fma(broadcast(x, upper + t + 3 * pixel), v, a3)
                        b0 = fma(broadcast(x, lower + t), v, b0)
                        b1 = fma(broadcast(x, lower + t + pixel), v, b1)
                        b2 = fma(broadcast(x, lower + t + 2 * pixel), v, b2)
                        b3 = fma(broadcast(x, lower + t + 3 * pixel), v, b3)
                        k += lanes
                place += image.group
                k_group += group_weights
            below = u + across * lanes
            store(rows, u, a0), store(rows, u + lanes, a1)
            store(rows, u + 2 * lanes, a2), store(rows, u + 3 * lanes, a3)
            store(rows, below, b0), store(rows, below + lanes, b1)
            store(rows, below + 2 * lanes, b2), store(rows, below + 3 * lanes, b3)
            at += TILE_COLS * pixel

    return outputs


outputs_of_blocks = _outputs(BLOCK)
outputs_of_one_channel = _outputs(1)
outputs_of_every_other = _outputs(2)


@inline
def dot_products(x, at, image, runs, first, last, weights, group_weights):
    """2 x 4 neighbouring outputs of a single channel: here the lanes are input channels.

    The sums over the lanes are left to the caller.
    """
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros(x)
    lanes, w = lanes_of(weights), 0
    for _ in range(0, image.channels, BLOCK):
        for r in range(first, last):
            upper = at + runs[r, 0]
            lower = upper + image.row
            k = w + runs[r, 2] * BLOCK
            for t in range(0, runs[r, 1] * BLOCK, lanes):
                v = load(weights, k + t)
                a0 = fma(load(x, upper + t), v, a0)
                a1 = fma(load(x, upper + t + BLOCK), v, a1)
                a2 = fma(load(x, upper + t + 2 * BLOCK), v, a2)
                a3 = fma(load(x, upper + t + 3 * BLOCK), v, a3)
                b0 = fma(load(x, lower + t), v, b0)
                b1 = fma(load(x, lower + t + BLOCK), v, b1)
                b2 = fma(load(x, lower + t + 2 * BLOCK), v, b2)
                b3 = fma(load(x, lower + t + 3 * BLOCK), v, b3)
        at += image.group
        w += group_weights
    return a0, a1, a2, a3, b0, b1, b2, b3


@part
def products(x, step, row, sample, quads, q, dy, dat, drow, dsample, counts, old, o, sums, n):
    """Twelve sums over all pixels of number times vector: rows of the weight gradient.

    The numbers are ``x[quads[q + i] + j]`` (i < 3, j < 4), moving by ``step`` a pixel and
    ``row`` a row; the vectors ``dy[dat]``, moving by BLOCK and ``drow``. They are added to
    ``old[o:]``, and the result is ``sums[n:]``.
    """
    lanes = lanes_of(dy)
    second, third = quads[q + 1] - quads[q], quads[q + 2] - quads[q]
    a0, a1 = load(old, o), load(old, o + lanes)
    a2, a3 = load(old, o + 2 * lanes), load(old, o + 3 * lanes)
    b0, b1 = load(old, o + 4 * lanes), load(old, o + 5 * lanes)
    b2, b3 = load(old, o + 6 * lanes), load(old, o + 7 * lanes)
    c0, c1 = load(old, o + 8 * lanes), load(old, o + 9 * lanes)
    c2, c3 = load(old, o + 10 * lanes), load(old, o + 11 * lanes)
    samples, rows, cols = counts
    for g in range(samples):
        for h in range(rows):
            s = quads[q] + g * sample + h * row
            d = dat + g * dsample + h * drow
            for _ in range(cols):
                v = load(dy, d)
                a0 = fma(broadcast(x, s), v, a0)
                a1 = fma(broadcast(x, s + 1), v, a1)
                a2 = fma(broadcast(x, s + 2), v, a2)
                a3 = fma(broadcast(x, s + 3), v, a3)
                b0 = fma(broadcast(x, s + second), v, b0)
                b1 = fma(broadcast(x, s + second + 1), v, b1)
                b2 = fma(broadcast(x, s + second + 2), v, b2)
                b3 = fma(broadcast(x, s + second + 3), v, b3)
                c0 = fma(broadcast(x, s + third), v, c0)
                c1 = fma(broadcast(x, s + third + 1), v, c1)
                c2 = fma(broadcast(x, s + third + 2), v, c2)
                c3 = fma(broadcast(x, s + third + 3), v, c3)
                s += step
                d += BLOCK
    store(sums, n, a0), store(sums, n + lanes, a1)
    store(sums, n + 2 * lanes, a2), store(sums, n + 3 * lanes, a3)
    store(sums, n + 4 * lanes, b0), store(sums, n + 5 * lanes, b1)
    store(sums, n + 6 * lanes, b2), store(sums, n + 7 * lanes, b3)
    store(sums, n + 8 * lanes, c0), store(sums, n + 9 * lanes, c1)
    store(sums, n + 10 * lanes, c2), store(sums, n + 11 * lanes, c3)


@part
def products_of_four(x, step, row, sample, quad, dy, dat, drow, dsample, counts, old, o, sums, n):
    """Four of these sums, for what is left when there are no three quads."""
    lanes = lanes_of(dy)
    a0, a1 = load(old, o), load(old, o + lanes)
    a2, a3 = load(old, o + 2 * lanes), load(old, o + 3 * lanes)
    samples, rows, cols = counts
    for g in range(samples):
        for h in range(rows):
            s = quad + g * sample + h * row
            d = dat + g * dsample + h * drow
            for _ in range(cols):
                v = load(dy, d)
                a0 = fma(broadcast(x, s), v, a0)
                a1 = fma(broadcast(x, s + 1), v, a1)
                a2 = fma(broadcast(x, s + 2), v, a2)
                a3 = fma(broadcast(x, s + 3), v, a3)
                s += step
                d += BLOCK
    store(sums, n, a0), store(sums, n + lanes, a1)
    store(sums, n + 2 * lanes, a2), store(sums, n + 3 * lanes, a3)

"""The tiles once more for processors with 32 vector registers: two vectors of channels at once.

In the tiles of `tiles`, every multiply-add needs a number of its own from memory, and memory hands
out hardly more than one in each cycle. Here each number is used twice, with two vectors, so that
the multiply-adds alone set the pace; but it takes sixteen sums, for which other processors lack
room.
"""

from __future__ import annotations

from nnscratch.kernels.compilation import part
from nnscratch.kernels.convolution.phases import BLOCK, TILE_COLS
from nnscratch.kernels.convolution.tiles import lanes_of
from nnscratch.kernels.convolution.vectors import broadcast, fma, load, store


@part
def outputs_of_two_vectors(
    x, at, jump, image, runs, first, last, weights, w, second, group_weights, bias, k, rows, across
):
    """As `tiles.outputs_of_blocks`, for the channels from k on: two vectors a pixel.

    Columns 2 and 3 of a tile are ``jump`` numbers behind columns 0 and 1, in images of two columns
    in another sample. The weights of the second vector are ``second`` numbers behind those of the
    first, its two rows behind the first two.
    """
    lanes = lanes_of(weights)
    for u in range(0, across * lanes, TILE_COLS * lanes):
        a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = load(bias, k)
        c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = load(bias, k + lanes)
        place, k_group = at, w
        for group in range(0, image.channels, BLOCK):
            channels = min(BLOCK, image.channels - group)
            for r in range(first, last):
                upper = place + runs[r, 0]
                lower = upper + image.row
                upper_2, lower_2 = upper + jump, lower + jump
                i = k_group + runs[r, 2] * BLOCK * lanes
                for t in range(runs[r, 1] * channels):
                    v, z = load(weights, i), load(weights, i + second)
                    s = broadcast(x, upper + t)
                    a0, c0 = fma(s, v, a0), fma(s, z, c0)
                    s = broadcast(x, upper + t + BLOCK)
                    a1, c1 = fma(s, v, a1), fma(s, z, c1)
                    s = broadcast(x, upper_2 + t)
                    a2, c2 = fma(s, v, a2), fma(s, z, c2)
                    s = broadcast(x, upper_2 + t + BLOCK)
                    a3, c3 = fma(s, v, a3), fma(s, z, c3)
                    s = broadcast(x, lower + t)
                    b0, d0 = fma(s, v, b0), fma(s, z, d0)
                    s = broadcast(x, lower + t + BLOCK)
                    b1, d1 = fma(s, v, b1), fma(s, z, d1)
                    s = broadcast(x, lower_2 + t)
                    b2, d2 = fma(s, v, b2), fma(s, z, d2)
                    s = broadcast(x, lower_2 + t + BLOCK)
                    b3, d3 = fma(s, v, b3), fma(s, z, d3)
                    i += lanes
            place += image.group
            k_group += group_weights
        below = u + across * lanes
        store(rows, u, a0), store(rows, u + lanes, a1)
        store(rows, u + 2 * lanes, a2), store(rows, u + 3 * lanes, a3)
        store(rows, below, b0), store(rows, below + lanes, b1)
        store(rows, below + 2 * lanes, b2), store(rows, below + 3 * lanes, b3)
        u_2, below_2 = u + 2 * across * lanes, below + 2 * across * lanes
        store(rows, u_2, c0), store(rows, u_2 + lanes, c1)
        store(rows, u_2 + 2 * lanes, c2), store(rows, u_2 + 3 * lanes, c3)
        store(rows, below_2, d0), store(rows, below_2 + lanes, d1)
        store(rows, below_2 + 2 * lanes, d2), store(rows, below_2 + 3 * lanes, d3)
        at += TILE_COLS * BLOCK


@part
def products_of_two_vectors(
    x, step, row, sample, quads, q, dy, dat, next_vector, drow, dsample, counts, old, o, next_old,
    sums, n, next_sums,
):  # fmt: skip
    """As `tiles.products`, of two quads with two vectors of dy each, ``next_vector`` apart.

    The sums of the second vector are ``next_old`` and ``next_sums`` behind those of the first.
    """
    lanes = lanes_of(dy)
    second = quads[q + 1] - quads[q]
    a0, a1 = load(old, o), load(old, o + lanes)
    a2, a3 = load(old, o + 2 * lanes), load(old, o + 3 * lanes)
    b0, b1 = load(old, o + 4 * lanes), load(old, o + 5 * lanes)
    b2, b3 = load(old, o + 6 * lanes), load(old, o + 7 * lanes)
    o += next_old
    c0, c1 = load(old, o), load(old, o + lanes)
    c2, c3 = load(old, o + 2 * lanes), load(old, o + 3 * lanes)
    d0, d1 = load(old, o + 4 * lanes), load(old, o + 5 * lanes)
    d2, d3 = load(old, o + 6 * lanes), load(old, o + 7 * lanes)
    samples, rows, cols = counts
    for g in range(samples):
        for h in range(rows):
            s = quads[q] + g * sample + h * row
            r = dat + g * dsample + h * drow
            for _ in range(cols):
                v, z = load(dy, r), load(dy, r + next_vector)
                e = broadcast(x, s)
                a0, c0 = fma(e, v, a0), fma(e, z, c0)
                e = broadcast(x, s + 1)
                a1, c1 = fma(e, v, a1), fma(e, z, c1)
                e = broadcast(x, s + 2)
                a2, c2 = fma(e, v, a2), fma(e, z, c2)
                e = broadcast(x, s + 3)
                a3, c3 = fma(e, v, a3), fma(e, z, c3)
                e = broadcast(x, s + second)
                b0, d0 = fma(e, v, b0), fma(e, z, d0)
                e = broadcast(x, s + second + 1)
                b1, d1 = fma(e, v, b1), fma(e, z, d1)
                e = broadcast(x, s + second + 2)
                b2, d2 = fma(e, v, b2), fma(e, z, d2)
                e = broadcast(x, s + second + 3)
                b3, d3 = fma(e, v, b3), fma(e, z, d3)
                s += step
                r += BLOCK
    store(sums, n, a0), store(sums, n + lanes, a1)
    store(sums, n + 2 * lanes, a2), store(sums, n + 3 * lanes, a3)
    store(sums, n + 4 * lanes, b0), store(sums, n + 5 * lanes, b1)
    store(sums, n + 6 * lanes, b2), store(sums, n + 7 * lanes, b3)
    n += next_sums
    store(sums, n, c0), store(sums, n + lanes, c1)
    store(sums, n + 2 * lanes, c2), store(sums, n + 3 * lanes, c3)
    store(sums, n + 4 * lanes, d0), store(sums, n + 5 * lanes, d1)
    store(sums, n + 6 * lanes, d2), store(sums, n + 7 * lanes, d3)

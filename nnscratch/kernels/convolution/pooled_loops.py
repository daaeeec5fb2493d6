"""The gradients of a convolution behind ReLU and 2x2 max pooling, where most numbers are zero.

Of every window only the winner gets a gradient, and only if the ReLU let it through: seven of
eight numbers that arrive at the convolution are zero, and multiplying with zeros is in vain. What
is left of channel k is a list of pixels o, each with its number dy::

    dW[i, c, k] = sum over the list of  dy x[o + i, c]
    dx[o + i, c] += dy W[i, c, k]       for everything on the list and every tap i

Here the lanes (the places of a vector register) are input channels c. An image of one channel has
none to offer: there the lanes are output channels k, and the four pixels of a window are met with
the zeros they have.
"""

from __future__ import annotations

import numpy as np
from numba import prange, uintp

from nnscratch.kernels.compilation import parallel, part
from nnscratch.kernels.convolution.phases import BLOCK
from nnscratch.kernels.convolution.scratch import (
    copy_back,
    copy_in,
    image_of,
    place_of,
    pooled_size_of,
    room_for,
    size_of,
    target_of,
)
from nnscratch.kernels.convolution.tiles import lanes_of
from nnscratch.kernels.convolution.vectors import (
    add,
    broadcast,
    fma,
    keep_where,
    load,
    store,
    where_above,
    zeros,
)

TOGETHER = 3  # taps whose sums are in registers at once


@parallel
def pooled_backward_kernel(
    dy, y, winner, x, samples, layout, places, weights, x_scratch, dx_scratch, pixels, numbers, dx,
    sums, bias_sums,
):  # fmt: skip
    """See `compiled_pooled.pooled_backward`; ``layout`` is that of the plan forward."""
    threads, blocks = len(pixels), len(sums)
    for thread in prange(threads):
        t = np.int64(thread)  # not unsigned, as a parallel loop has it
        x_scratch[t, :] = 0
        for b in range(blocks * t // threads, blocks * (t + 1) // threads):
            _block(
                (dy, y, winner), x, samples * b // blocks, samples * (b + 1) // blocks, layout,
                places, weights, x_scratch[t], dx_scratch[t], (pixels[t], numbers[t]), dx,
                sums[b], bias_sums[b],
            )  # fmt: skip


@part
def _block(
    gradient, x, n, end, layout, places, weights, x_scratch, dx_scratch, memory, dx, sums, bias_sums
):
    """Samples n to end: their gradients dx, and their part of the gradients of W and b."""
    image, target = image_of(layout), target_of(layout)
    sums[:] = 0
    bias_sums[:] = 0
    one_channel = image.block == 1 and target.channels % lanes_of(x_scratch) == 0
    together, size = room_for(image, x_scratch), size_of(image)
    while n < end:
        samples = min(together, end - n)
        start = n * pooled_size_of(target)
        if len(sums) > 0:
            for g in range(samples):
                copy_in(x, x, False, (n + g) * size, image, x_scratch, g * image.sample)
            _add_bias_sums(gradient, start, samples, target, bias_sums)
            if one_channel:
                _add_products_of_one_channel(
                    x_scratch, image, places, gradient, start, samples, target, sums
                )
        if len(dx) > 0:
            dx_scratch[:] = 0
        if len(dx) > 0 or not one_channel:
            for k in range(target.channels):
                count = _list(gradient, start, samples, target, k, image, memory)
                if len(sums) > 0 and not one_channel:
                    _add_products(x_scratch, image, memory, count, places, target, k, sums)
                if len(dx) > 0:
                    _scatter(dx_scratch, image, memory, count, places, target, k, weights)
        if len(dx) > 0:
            for g in range(samples):
                copy_back(dx_scratch, g * image.sample, image, dx, (n + g) * size)
        n += samples


@part
def _list(gradient, start, samples, target, k, image, memory):
    """List what arrives in channel k: pixels, as places in the scratch, and numbers; count them."""
    dy, y, winner = gradient
    pixels, numbers = memory
    K, row, step = target.channels, image.row, image.pixel
    at, count = uintp(start + k), uintp(0)
    for g in range(samples):
        for h in range(target.height // 2):
            pixel = g * image.sample + 2 * h * row
            for _ in range(target.width // 2):
                i = np.int64(winner[at])
                pixels[count] = pixel + (i >> 1) * row + (i & 1) * step
                numbers[count] = dy[at]
                count += uintp(y[at] > 0)  # what does not count is overwritten
                at += uintp(K)
                pixel += 2 * step
    return np.int64(count)


@part
def _padded(taps):
    """Rows of the sums that the taps take up: `TOGETHER` are written at once."""
    return (taps + TOGETHER - 1) // TOGETHER * TOGETHER


@part
def _add_products(x, image, memory, count, places, target, k, sums):
    """The sums of channel k; a row of ``sums`` belongs to [vector of c, k, tap]."""
    pixels, numbers = memory
    lanes, taps = lanes_of(x), len(places)
    padded = _padded(taps)
    if image.block == 1:
        for t in range(taps):
            for e in range(count):
                sums[(k * padded + t) * lanes] += x[pixels[e] + places[t]] * numbers[e]
        return
    for c in range(0, image.channels, lanes):
        at = place_of(c, image)
        n = (c // lanes * target.channels + k) * padded * lanes
        for t in range(0, taps, TOGETHER):
            _add_three_products(
                x, pixels, numbers, count, at + places[t], at + places[min(t + 1, taps - 1)],
                at + places[min(t + 2, taps - 1)], sums, n + t * lanes,
            )  # fmt: skip


@part
def _add_three_products(x, pixels, numbers, count, p, q, r, sums, n):
    """The sums of ``numbers[e] * x[pixels[e] + ...]`` for three taps."""
    lanes = lanes_of(x)
    a, b, c = load(sums, n), load(sums, n + lanes), load(sums, n + 2 * lanes)
    for e in range(count):
        o, v = pixels[e], broadcast(numbers, e)
        a = fma(load(x, o + p), v, a)
        b = fma(load(x, o + q), v, b)
        c = fma(load(x, o + r), v, c)
    store(sums, n, a), store(sums, n + lanes, b), store(sums, n + 2 * lanes, c)


@part
def _scatter(dx, image, memory, count, places, target, k, weights):
    """What channel k adds to dx; ``weights`` is [vector of c, block of k, taps, k, lanes]."""
    pixels, numbers = memory
    K, taps = target.channels, len(places)
    lanes = 1 if image.block == 1 else lanes_of(dx)
    for c in range(0, image.channels, lanes):
        at = place_of(c, image)
        w = (c // lanes * ((K + BLOCK - 1) // BLOCK) + k // BLOCK) * taps * BLOCK + k % BLOCK
        for t in range(taps):
            place = at + places[t]
            if lanes == 1:
                for e in range(count):
                    dx[pixels[e] + place] += numbers[e] * weights[w + t * BLOCK]
            else:
                v = load(weights, (w + t * BLOCK) * lanes)
                for e in range(count):
                    o = pixels[e] + place
                    store(dx, o, fma(broadcast(numbers, e), v, load(dx, o)))


@part
def _add_products_of_one_channel(x, image, places, gradient, start, samples, target, sums):
    """The weight gradient for an image of one channel; a row belongs to [vector of k, tap]."""
    lanes, taps = lanes_of(x), len(places)
    padded = _padded(taps)
    for k in range(0, target.channels, lanes):
        for t in range(0, taps, TOGETHER):
            _add_three_of_one_channel(
                x, image, gradient, start + k, samples, target, places[t],
                places[min(t + 1, taps - 1)], places[min(t + 2, taps - 1)], sums,
                (k // lanes * padded + t) * lanes,
            )  # fmt: skip


@part
def _add_three_of_one_channel(x, image, gradient, at, samples, target, p, q, r, sums, n):
    """The sums of three taps: a, b, c over upper pixels of the windows, d, e, f over lower."""
    dy, y, winner = gradient
    lanes, zero, step = lanes_of(x), zeros(x), image.pixel
    a, b, c = load(sums, n), load(sums, n + lanes), load(sums, n + 2 * lanes)
    d = e = f = zero
    for g in range(samples):
        for h in range(target.height // 2):
            upper = g * image.sample + 2 * h * image.row
            lower = upper + image.row
            for _ in range(target.width // 2):
                passed = where_above(load(y, at), zero, load(dy, at), zero)
                v = keep_where(winner, at, 0, passed)
                a = fma(broadcast(x, upper + p), v, a)
                b = fma(broadcast(x, upper + q), v, b)
                c = fma(broadcast(x, upper + r), v, c)
                v = keep_where(winner, at, 1, passed)
                a = fma(broadcast(x, upper + p + step), v, a)
                b = fma(broadcast(x, upper + q + step), v, b)
                c = fma(broadcast(x, upper + r + step), v, c)
                v = keep_where(winner, at, 2, passed)
                d = fma(broadcast(x, lower + p), v, d)
                e = fma(broadcast(x, lower + q), v, e)
                f = fma(broadcast(x, lower + r), v, f)
                v = keep_where(winner, at, 3, passed)
                d = fma(broadcast(x, lower + p + step), v, d)
                e = fma(broadcast(x, lower + q + step), v, e)
                f = fma(broadcast(x, lower + r + step), v, f)
                upper += 2 * step
                lower += 2 * step
                at += target.channels
    store(sums, n, add(a, d)), store(sums, n + lanes, add(b, e))
    store(sums, n + 2 * lanes, add(c, f))


@part
def _add_bias_sums(gradient, start, samples, target, sums):
    dy, y, _ = gradient
    K, lanes, zero = target.channels, lanes_of(dy), zeros(dy)
    full = K - K % lanes
    end = start + samples * pooled_size_of(target)
    for k in range(0, full, lanes):
        total = load(sums, k)
        for at in range(start + k, end, K):
            total = add(total, where_above(load(y, at), zero, load(dy, at), zero))
        store(sums, k, total)
    for k in range(full, K):
        for at in range(start + k, end, K):
            sums[k] += dy[at] if y[at] > 0 else 0

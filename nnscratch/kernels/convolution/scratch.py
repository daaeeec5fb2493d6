"""Copying a sample into its scratch, and rows of results out of the cache.

A scratch is memory that belongs to one thread; a sample lies there as `phases.Image` says, with
zeros around it, phase by phase, so that the loops need to know neither borders nor strides.

The copies cost little beside the convolution, and what happens to the numbers on the way costs next
to nothing: a gradient passes back through ReLU while it is copied in, and outputs are rectified and
pooled, still in the nearest cache, while they are copied out.
"""

from __future__ import annotations

from nnscratch.kernels.compilation import part
from nnscratch.kernels.convolution.phases import Image, Target
from nnscratch.kernels.convolution.tiles import lanes_of
from nnscratch.kernels.convolution.vectors import (
    at_least,
    broadcast,
    largest,
    load,
    store,
    store_first_equal,
    where_above,
    zeros,
)

SLACK = 64  # numbers behind a scratch that may be read but are never used


@part
def image_of(layout):
    """The `Image` in the layout of a plan."""
    return Image(
        layout[0], layout[1], layout[2], layout[3], layout[4], layout[5], layout[6], layout[7],
        layout[8], layout[9], layout[10], layout[11], layout[12], layout[13],
    )  # fmt: skip


@part
def target_of(layout):
    """The `Target` in the layout of a plan."""
    return Target(
        layout[14], layout[15], layout[16], layout[17], layout[18], layout[19], layout[20],
        layout[21],
    )  # fmt: skip


@part
def room_for(image, scratch):
    """How many samples the scratch was made for."""
    return (len(scratch) - SLACK) // image.sample


@part
def place_of(c, image):
    """Where channel c of a pixel lies, seen from the pixel's first channel."""
    return c // image.block * image.group + c % image.block


@part
def size_of(image):
    """Numbers in a sample of an `Image` or `Target`."""
    return image.height * image.width * image.channels


@part
def pooled_size_of(image):
    """The same after 2x2 pooling."""
    return image.height // 2 * (image.width // 2) * image.channels


@part
def copy_in(x, y, rectified, start, image, scratch, to):
    """The sample that begins at ``x[start]``, into the scratch that begins at ``to``.

    If ``rectified``, x is the gradient of a ReLU whose outputs are y, and only numbers where y > 0
    pass.
    """
    if image.block == 1 and image.pixel == image.split_w:
        _copy_lines(x, y, rectified, start, image, scratch, to)
        return
    step = image.split_w * image.channels
    for phase_h in range(image.split_h):
        for phase_w in range(image.split_w):
            pixels = (image.width - phase_w + image.split_w - 1) // image.split_w
            d = to + phase_h * image.phase_h + phase_w * image.phase_w
            d += image.top * image.row + image.left * image.pixel
            for r in range(phase_h, image.height, image.split_h):
                s = start + (r * image.width + phase_w) * image.channels
                if rectified:
                    _copy_rectified_row(x, y, s, step, pixels, image, scratch, d)
                else:
                    _copy_row(x, s, step, pixels, image, scratch, d)
                d += image.row


@part
def _copy_lines(x, y, rectified, start, image, scratch, to):
    """The same for one channel, whose phases are woven into one another: lines stay lines."""
    lanes, zero = lanes_of(x), zeros(x)
    full = image.width - image.width % lanes
    for r in range(image.height):
        s = start + r * image.width
        d = to + image.top * image.row + image.left * image.pixel + r * image.phase_h
        for j in range(0, full, lanes):
            v = load(x, s + j)
            if rectified:
                v = where_above(load(y, s + j), zero, v, zero)
            store(scratch, d + j, v)
        for j in range(full, image.width):
            scratch[d + j] = x[s + j] if not rectified or y[s + j] > 0 else 0


@part
def _copy_row(x, s, step, pixels, image, scratch, d):
    lanes, block, pixel = lanes_of(x), image.block, image.pixel
    for group in range(0, image.channels, block):
        channels = min(block, image.channels - group)
        full = channels - channels % lanes
        for c in range(0, full, lanes):
            for j in range(pixels):
                store(scratch, d + j * pixel + c, load(x, s + j * step + group + c))
        for c in range(full, channels):
            for j in range(pixels):
                scratch[d + j * pixel + c] = x[s + j * step + group + c]
        d += image.group


@part
def _copy_rectified_row(x, y, s, step, pixels, image, scratch, d):
    lanes, block, pixel, zero = lanes_of(x), image.block, image.pixel, zeros(x)
    for group in range(0, image.channels, block):
        channels = min(block, image.channels - group)
        full = channels - channels % lanes
        for c in range(0, full, lanes):
            for j in range(pixels):
                at = s + j * step + group + c
                passed = where_above(load(y, at), zero, load(x, at), zero)
                store(scratch, d + j * pixel + c, passed)
        for c in range(full, channels):
            for j in range(pixels):
                at = s + j * step + group + c
                scratch[d + j * pixel + c] = x[at] if y[at] > 0 else 0
        d += image.group


@part
def copy_back(scratch, at, image, x, start):
    """The reverse of `copy_in`: the sample in the scratch from ``at`` on, without its border."""
    step, lanes = image.split_w * image.channels, lanes_of(x)
    for phase_h in range(image.split_h):
        for phase_w in range(image.split_w):
            pixels = (image.width - phase_w + image.split_w - 1) // image.split_w
            row = at + phase_h * image.phase_h + phase_w * image.phase_w
            row += image.top * image.row + image.left * image.pixel
            for r in range(phase_h, image.height, image.split_h):
                to = start + (r * image.width + phase_w) * image.channels
                for c in range(0, image.channels, lanes):
                    s, d = row + place_of(c, image), to + c
                    if c + lanes <= image.channels:
                        for j in range(pixels):
                            store(x, d + j * step, load(scratch, s + j * image.pixel))
                    else:
                        for j in range(pixels):
                            for i in range(image.channels - c):
                                x[d + j * step + i] = scratch[s + j * image.pixel + i]
                row += image.row


@part
def copy_out(rows, begin, across, first, phase, target, k, floor, y, start):
    """Two rows of outputs, one vector of channels from k on, into the image y.

    ``rows`` holds them from ``begin`` on as [2, across, lanes]; ``floor`` is 0 for a ReLU, minus
    infinity for none.
    """
    lanes, K = lanes_of(rows), target.channels
    phase_h, phase_w = phase // target.split_w, phase % target.split_w
    pixels = (target.width - phase_w + target.split_w - 1) // target.split_w
    low = broadcast(floor, 0)
    step = target.split_w * K
    for a in range(2):
        r = (first + a) * target.split_h + phase_h
        if r < target.height:
            d = start + (r * target.width + phase_w) * K + k
            s = begin + a * across * lanes
            if k + lanes <= K:
                for j in range(pixels):
                    store(y, d + j * step, at_least(low, load(rows, s + j * lanes)))
            else:
                for j in range(pixels):
                    for c in range(K - k):
                        v = rows[s + j * lanes + c]
                        y[d + j * step + c] = floor[0] if v < floor[0] else v


@part
def copy_out_one(rows, across, first, phase, target, bias, floor, y, start):
    """The same for one channel: ``rows`` is [2, across] and lacks the bias."""
    phase_h, phase_w = phase // target.split_w, phase % target.split_w
    pixels = (target.width - phase_w + target.split_w - 1) // target.split_w
    for a in range(2):
        r = (first + a) * target.split_h + phase_h
        if r < target.height:
            d = start + r * target.width + phase_w
            for j in range(pixels):
                v = rows[a * across + j] + bias[0]
                y[d + j * target.split_w] = floor[0] if v < floor[0] else v


@part
def copy_out_pooled(rows, begin, across, first, target, k, y, winner, start):
    """The same through ReLU and 2x2 max pooling, into an image of half the size."""
    lanes, K = lanes_of(rows), target.channels
    width = target.width // 2
    zero = zeros(rows)
    if first + 1 < target.height:
        d = start + first // 2 * width * K + k
        for j in range(width):
            s = begin + 2 * j * lanes
            t = s + across * lanes
            if k + lanes <= K:
                a, b = load(rows, s), load(rows, s + lanes)
                e, f = load(rows, t), load(rows, t + lanes)
                best = largest(a, b, e, f)
                store(y, d + j * K, at_least(zero, best))
                store_first_equal(winner, d + j * K, best, a, b, e)
            else:
                for c in range(K - k):
                    best, place = rows[s + c], 0
                    for i in range(1, 4):
                        v = rows[s + c + i // 2 * across * lanes + i % 2 * lanes]
                        if v > best or v != v:
                            best, place = v, i
                    y[d + j * K + c] = 0 if best < 0 else best
                    winner[d + j * K + c] = place

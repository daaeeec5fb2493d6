"""Every convolution is a sum of shifted copies: how strides and enlargement become bookkeeping.

Take one axis, an image x that is first enlarged f times by repeating pixels (f = 1: not at all)
and then convolved with stride s and ``before`` zeros in front. Output o sees, through tap i (place
i of the window), the pixel ``(o s + i - before) // f`` of x. With ``g = gcd(f, s)``, the greatest
common divisor, write the outputs as
``o = P h + p`` with ``P = f / g`` (there are P "phases" p), and the pixels of x as ``Q h + q`` with
``Q = s / g``. Then o sees the pixel ``Q h + m``, with ``m = (p s + i - before) // f``, a number
that does not depend on h: phase ``q = m mod Q``, shifted by ``d = m // Q``. So::

    y_p[h] = sum over taps i of  x_q[h + d] W[i]      (p, q, d) from the tap

and once an image is stored phase by phase, there are no strides left, only shifts. Taps that meet
the same (p, q, d) see the same number, so their weights may be added first, into the weight of one
"term": a 3x3 convolution after enlargement by 2 has 9 taps but, in each of its 2x2 phases, only
2x2 terms, 16/36 of the work. The gradient with respect to x has the same form,
``dx_q[h] = sum dy_p[h - d] W'``: exchange p and q, negate d, transpose W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise, product
from math import gcd
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Pair = tuple[int, int]

BLOCK = 16  # channels that stand side by side in the scratch, see `Image`
TILE_ROWS, TILE_COLS = 2, 4  # outputs that are computed at once


def round_up(n: int, step: int) -> int:
    """The least multiple of ``step`` that is not below n."""
    return -(-n // step) * step


class Term(NamedTuple):
    """``out[p, h] += image[q, h + d] @ (the sum of W[i] over the taps i)``, in two dimensions."""

    p: Pair
    q: Pair
    d: Pair
    taps: tuple[int, ...]


class Image(NamedTuple):
    """How one sample lies in its scratch: [channels / block, phases, rows, columns, block].

    A scratch is memory into which samples are copied to be worked on (see `scratch`). Zeros
    surround a sample, so no loop ever asks whether a pixel exists. There are ``split_h`` x
    ``split_w`` phases; ``top`` and ``left`` count the zeros in front. The others are distances in
    numbers, between neighbours in a phase (``pixel``, ``row``), phases, groups of channels and
    samples. Pixels are ``block`` numbers apart, which the inner loops rely on; but an image of one
    channel (block = 1) and at most two phases across lies as it is, its phases woven into one
    another: so the taps of a row stay side by side.
    """

    height: int
    width: int
    channels: int
    block: int
    split_h: int
    split_w: int
    top: int
    left: int
    pixel: int
    row: int
    phase_w: int
    phase_h: int
    group: int
    sample: int


class Target(NamedTuple):
    """Where results go: an image whose phases have ``rows`` x ``cols`` pixels.

    ``across`` is cols filled up to whole tiles.
    """

    height: int
    width: int
    channels: int
    split_h: int
    split_w: int
    rows: int
    cols: int
    across: int


@dataclass(frozen=True)
class Plan:
    """One direction of a convolution, ready for the kernels.

    Attributes
    ----------
    image, target
        Where numbers come from and where they go.
    terms : tuple of Term, sorted so that the terms of a phase stand together
    taps : int
        How many places the window has, kh * kw.
    runs : int array (R, 3)
        Terms whose pixels are neighbours, as one stretch of memory: its distance in the scratch
        from the place of the output, its pixels, its first term.
    run_starts, quad_starts : int arrays (phases + 1,)
        The first run and the first quad of each phase, and the number of all.
    quads : int array
        Distances of four neighbouring numbers in the scratch, for the weight gradient.
    rows : int array (terms, channels)
        The row of the weight gradient that belongs to a term and a channel.
    """

    image: Image
    target: Target
    terms: tuple[Term, ...]
    taps: int
    runs: Array
    run_starts: Array
    quads: Array
    quad_starts: Array
    rows: Array

    @cached_property
    def layout(self) -> Array:
        """``image`` and ``target`` as one array."""
        return np.array([*self.image, *self.target], np.int64)

    @cached_property
    def order(self) -> Array | None:
        """The tap of every term if each tap has one of its own, else None."""
        if any(len(term.taps) > 1 for term in self.terms) or len(self.terms) != self.taps:
            return None
        return np.array([term.taps[0] for term in self.terms])

    @cached_property
    def tap_places(self) -> Array:
        """Where each tap looks in the scratch, if it has a term of its own."""
        places = np.zeros(self.taps, np.int64)
        for term in self.terms:
            places[term.taps[0]] = _distance(term, self.image)
        return places

    @cached_property
    def all_terms(self) -> Array:
        """The numbers of the terms, in order."""
        return np.arange(len(self.terms))

    @cached_property
    def sums(self) -> dict[np.dtype, Array]:
        """The matrix (terms, taps) of ones that adds them, for each type of numbers."""
        matrix = np.zeros((len(self.terms), self.taps))
        for row, term in zip(matrix, self.terms, strict=True):
            row[list(term.taps)] = 1
        return {np.dtype(dtype): matrix.astype(dtype) for dtype in (np.float32, np.float64)}


class Geometry(NamedTuple):
    """What a convolution is, apart from its numbers; see the module's text for the letters."""

    image: tuple[int, int, int]
    output: tuple[int, int, int]
    kernel: Pair
    strides: Pair
    before: Pair
    factors: Pair = (1, 1)


@lru_cache(maxsize=512)
def plans(geometry: Geometry) -> tuple[Plan, Plan]:
    """The plans of a convolution: forward, and that of its gradient with respect to the image."""
    axes = [
        _axis_terms(*each)
        for each in zip(geometry.kernel, geometry.strides, geometry.before, geometry.factors,
                        strict=True)
    ]  # fmt: skip
    terms = []
    for (key_h, taps_h), (key_w, taps_w) in product(axes[0].items(), axes[1].items()):
        p, q, d = zip(key_h, key_w, strict=True)
        taps = tuple(i * geometry.kernel[1] + j for i, j in product(taps_h, taps_w))
        terms.append(Term(p, q, d, taps))
    reverse = [Term(t.q, t.p, (-t.d[0], -t.d[1]), t.taps) for t in terms]
    splits = [
        (stride // gcd(stride, factor), factor // gcd(stride, factor))
        for stride, factor in zip(geometry.strides, geometry.factors, strict=True)
    ]
    split_in, split_out = (splits[0][0], splits[1][0]), (splits[0][1], splits[1][1])
    C, K = geometry.image[2], geometry.output[2]
    taps_in_all = geometry.kernel[0] * geometry.kernel[1]
    ends = (geometry.image, split_in, 1 if C == 1 else BLOCK)
    others = (geometry.output, split_out, 1 if K == 1 and C > 1 else BLOCK)
    return _plan(terms, taps_in_all, *ends, *others[:2]), _plan(
        reverse, taps_in_all, *others, *ends[:2]
    )


def _axis_terms(
    kernel: int, stride: int, before: int, factor: int
) -> dict[tuple[int, int, int], list[int]]:
    """The taps of every (p, q, d) along one axis."""
    g = gcd(stride, factor)
    terms: dict[tuple[int, int, int], list[int]] = {}
    for p in range(factor // g):
        for i in range(kernel):
            d, q = divmod((p * stride + i - before) // factor, stride // g)
            terms.setdefault((p, q, d), []).append(i)
    return terms


def _plan(
    terms: list[Term],
    taps: int,
    size: tuple[int, int, int],
    split: Pair,
    block: int,
    out_size: tuple[int, int, int],
    out_split: Pair,
) -> Plan:
    rows, cols = (-(-out_size[a] // out_split[a]) for a in (0, 1))
    target = Target(*out_size, *out_split, rows, cols, round_up(cols, TILE_COLS))
    image = _image(size, split, block, target, terms)
    terms = sorted(terms, key=lambda term: (term.p, _distance(term, image)))
    phases = list(product(range(out_split[0]), range(out_split[1])))
    runs, run_starts = _runs(terms, image, phases)
    quads, quad_starts, places = _quads(terms, runs, run_starts, image)
    return Plan(image, target, tuple(terms), taps, runs, run_starts, quads, quad_starts, places)


def _image(
    size: tuple[int, int, int], split: Pair, block: int, target: Target, terms: list[Term]
) -> Image:
    down = round_up(target.rows, TILE_ROWS)
    top, height = _extent(size[0], split[0], down, [t.d[0] for t in terms])
    left, width = _extent(size[1], split[1], target.across, [t.d[1] for t in terms])
    group = height * width * block * split[0] * split[1]
    groups = -(-size[2] // block)
    if block == 1 and split[1] <= 2:
        line = width * split[1]
        distances = split[1], line * split[0], 1, line
    else:
        plane = height * width * block
        distances = block, width * block, plane, plane * split[1]
    return Image(*size, block, *split, top, left, *distances, group, group * groups)


def _extent(size: int, split: int, tiled: int, shifts: list[int]) -> Pair:
    """Zeros in front, and the length with zeros on both ends, of one axis of the scratch."""
    first = min(0, *shifts)
    last = max(-(-size // split) - 1, tiled - 1 + max(shifts))
    return -first, last - first + 1


def _runs(terms: list[Term], image: Image, phases: list[Pair]) -> tuple[Array, Array]:
    """Neighbouring terms of every phase, merged where their channels lie without a gap."""
    runs: list[list[int]] = []
    starts = [0]
    for phase in phases:
        for t, term in enumerate(terms):
            if term.p != phase:
                continue
            place = _distance(term, image)
            whole = image.channels % image.block == 0
            same = len(runs) > starts[-1] and whole
            if same and place == runs[-1][0] + runs[-1][1] * image.block:
                runs[-1][1] += 1
            else:
                runs.append([place, 1, t])
        starts.append(len(runs))
    return np.array(runs, np.int64).reshape(-1, 3), np.array(starts, np.int64)


def _distance(term: Term, image: Image) -> int:
    down, right = term.d[0] + image.top, term.d[1] + image.left
    phase = term.q[0] * image.phase_h + term.q[1] * image.phase_w
    return phase + down * image.row + right * image.pixel


def _quads(
    terms: list[Term], runs: Array, run_starts: Array, image: Image
) -> tuple[Array, Array, Array]:
    """Groups of four numbers for the weight gradient: channels or, if there is one, columns."""
    quads: list[int] = []
    starts = [0]
    rows = np.zeros((len(terms), image.channels), np.int64)
    for first, end in pairwise(run_starts):
        for place, pixels, t in runs[first:end].tolist():
            for group in range(-(-image.channels // image.block)):
                channels = min(image.block, image.channels - group * image.block)
                numbers = pixels * channels  # pixels is 1 unless the block is full
                for n in range(0, numbers, 4):
                    for e in range(n, min(n + 4, numbers)):
                        c = group * image.block + e % image.block
                        rows[t + e // image.block, c] = 4 * len(quads) + e - n
                    quads.append(place + group * image.group + n)
        starts.append(len(quads))
    return np.array(quads, np.int64), np.array(starts, np.int64), rows

"""A convolution as a sum of shifted copies, against loops in plain Python."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnscratch.kernels.convolution.phases import TILE_COLS, TILE_ROWS, Geometry, plans

many_geometries = settings(max_examples=300, deadline=None, derandomize=True)


@st.composite
def axes(draw):
    """(size, kernel, stride, before, factor, outputs) of one axis."""
    size, kernel, stride = draw(st.integers(1, 9)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    before, factor = draw(st.integers(-2, 6)), draw(st.integers(1, 4))
    return size, kernel, stride, before, factor, draw(st.integers(1, 12))


def geometry(vertical, horizontal, C=1, K=1):
    sizes, *rest, outputs = zip(vertical, horizontal, strict=True)
    return Geometry((*sizes, C), (*outputs, K), *rest)


def pixel(output, tap, stride, before, factor):
    """What the output sees through the tap: the definition."""
    return (output * stride + tap - before) // factor


def meetings(axes):
    """Every output, tap and pixel of the image that meet: (h, w, i, j, r, s)."""
    (H, kh, sh, top, fh, OH), (WW, kw, sw, left, fw, OW) = axes
    for h, w, i, j in product(range(OH), range(OW), range(kh), range(kw)):
        r, s = pixel(h, i, sh, top, fh), pixel(w, j, sw, left, fw)
        if 0 <= r < H and 0 <= s < WW:
            yield h, w, i, j, r, s


def convolved(x, W, axes):
    """Enlarge x, pad it, convolve with stride: one product after the other."""
    y = np.zeros([axis[-1] for axis in axes], int)
    for h, w, i, j, r, s in meetings(axes):
        y[h, w] += x[r, s] * W[i, j]
    return y


def gradient(dy, W, axes):
    """Of the same, with respect to x."""
    dx = np.zeros([axis[0] for axis in axes], int)
    for h, w, i, j, r, s in meetings(axes):
        dx[r, s] += dy[h, w] * W[i, j]
    return dx


def by_terms(plan, x, W):
    """``out[p, h] += image[q, h + d] * (the sum of W[i] over the taps)``, for every term."""
    target = plan.target
    out = np.zeros((target.height, target.width), int)
    split_in, split_out = (plan.image.split_h, plan.image.split_w), (target.split_h, target.split_w)
    for p, q, d, taps in plan.terms:
        weight = sum(W.flat[tap] for tap in taps)
        for h, w in product(range(target.rows), range(target.cols)):
            o = h * split_out[0] + p[0], w * split_out[1] + p[1]
            r, s = ((n + d[a]) * split_in[a] + q[a] for a, n in enumerate((h, w)))
            inside = 0 <= r < x.shape[0] and 0 <= s < x.shape[1]
            if inside and o[0] < target.height and o[1] < target.width:
                out[o] += weight * x[r, s]
    return out


def whole_numbers(*shape, seed):
    return np.random.default_rng(seed).integers(-9, 10, shape)


POINT = (1, 1, 1, 0, 1, 1)  # an axis on which nothing happens


@many_geometries
@given(axes())
def test_one_axis(axis):
    there, back = plans(geometry(axis, POINT))
    size, kernel, _, _, _, outputs = axis
    x, W = whole_numbers(size, 1, seed=1), whole_numbers(kernel, 1, seed=2)
    np.testing.assert_array_equal(by_terms(there, x, W), convolved(x, W, (axis, POINT)))
    dy = whole_numbers(outputs, 1, seed=3)
    np.testing.assert_array_equal(by_terms(back, dy, W), gradient(dy, W, (axis, POINT)))


@many_geometries
@given(axes(), axes())
def test_two_axes(vertical, horizontal):
    both = vertical, horizontal
    there, back = plans(geometry(*both))
    x = whole_numbers(vertical[0], horizontal[0], seed=1)
    W = whole_numbers(vertical[1], horizontal[1], seed=2)
    np.testing.assert_array_equal(by_terms(there, x, W), convolved(x, W, both))
    dy = whole_numbers(vertical[5], horizontal[5], seed=3)
    np.testing.assert_array_equal(by_terms(back, dy, W), gradient(dy, W, both))


@many_geometries
@given(axes(), axes(), st.sampled_from([1, 5, 16, 33]), st.sampled_from([1, 5, 16, 33]))
def test_terms_of_a_plan(vertical, horizontal, C, K):
    """Every tap is in one term of each phase of the outputs; how weights become terms."""
    there, back = plans(geometry(vertical, horizontal, C, K))
    for plan in (there, back):
        assert plan.taps == vertical[1] * horizontal[1]
        phases = there.target.split_h * there.target.split_w
        taps = [tap for term in plan.terms for tap in term.taps]
        assert sorted(taps) == sorted(phases * list(range(plan.taps)))
        assert len({(t.p, t.q, t.d) for t in plan.terms}) == len(plan.terms)
        W = whole_numbers(plan.taps, seed=2)
        expected = [sum(W[list(term.taps)]) for term in plan.terms]
        assert (plan.sums[np.dtype(np.float64)] @ W).tolist() == expected
        if plan.order is not None:
            assert W[plan.order].tolist() == expected


@many_geometries
@given(axes(), axes(), st.sampled_from([1, 5, 16, 33]), st.sampled_from([1, 5, 16, 33]))
def test_nothing_outside_of_the_scratch_is_seen(vertical, horizontal, C, K):
    """Whole tiles of outputs, through every term: loops do not ask whether a pixel exists."""
    for plan in plans(geometry(vertical, horizontal, C, K)):
        image, target = plan.image, plan.target
        woven = image.block == 1 and image.split_w <= 2
        cols = image.row // (image.split_h * image.split_w if woven else image.block)
        rows = image.group // (cols * image.block * image.split_h * image.split_w)
        assert image.top + -(-image.height // image.split_h) <= rows
        assert image.left + -(-image.width // image.split_w) <= cols
        for axis, size, tile, place, count in (
            (0, target.rows, TILE_ROWS, image.top, rows),
            (1, target.cols, TILE_COLS, image.left, cols),
        ):
            last = -(-size // tile) * tile - 1
            shifts = [term.d[axis] for term in plan.terms]
            assert min(shifts) + place >= 0
            assert last + max(shifts) + place < count
        phases = product(range(image.split_h), range(image.split_w))
        places = [
            i * image.phase_h + j * image.phase_w + r * image.row + s * image.pixel
            for i, j in phases
            for r, s in product(range(rows), range(cols))
        ]
        assert sorted(places) == list(range(0, image.group, image.block))
        assert image.sample == -(-image.channels // image.block) * image.group
        assert image.block * -(-image.channels // image.block) >= image.channels


def test_convolution_after_enlargement_by_two():
    """3x3 taps are 2x2 in each of the four phases: 16 products a pixel of x instead of 36."""
    twice = (4, 3, 1, 1, 2, 8)
    there, _ = plans(geometry(twice, twice, 16, 16))
    assert len(there.terms) == 16
    for phase in product(range(2), repeat=2):
        mine = [term for term in there.terms if term.p == phase]
        assert len(mine) == 4
        assert sorted(tap for term in mine for tap in term.taps) == list(range(9))
    (corner,) = (t for t in there.terms if (t.p, t.d) == ((0, 0), (-1, -1)))
    assert corner.taps == (0,)
    (opposite,) = (t for t in there.terms if (t.p, t.d) == ((0, 0), (0, 0)))
    assert opposite.taps == (4, 5, 7, 8)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_strides_are_phases_of_the_image(stride):
    axis = (9, 3, stride, 1, 1, 9 // stride)
    there, back = plans(geometry(axis, axis, 16, 16))
    assert len(there.terms) == len(back.terms) == 9
    assert (there.image.split_h, there.image.split_w) == (stride, stride)
    assert (there.target.split_h, back.target.split_h) == (1, stride)
    assert sorted(back.order) == sorted(there.order) == list(range(9))


def test_plans_are_kept():
    assert plans(geometry(POINT, POINT)) is plans(geometry(POINT, POINT))

"""Compiled pooling and upsampling against the reference, for windows of every kind."""

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnscratch.kernels import launch, pooling
from tests.kernels import compiled_code as compiled
from tests.kernels import numpy_code as reference
from tests.kernels.test_pointwise import array
from tests.layers.helpers import every_dtype, many_shapes, normal, pairs, window_cases

NO_PADS = ((0, 0), (0, 0))
samples, channels = st.integers(1, 3), st.integers(1, 40)
dtypes = st.sampled_from([np.float32, np.float64])
layouts = st.sampled_from(["contiguous", "strided", "transposed", "readonly"])
windows = window_cases(4, 3, pads_below_kernel=True)
TILES = ((6, 4), (2, 2), (2, 2), "valid", NO_PADS)  # 2x2 next to each other: a kernel of its own
TILES_AND_A_REST = ((5, 7), (2, 2), (2, 2), "valid", NO_PADS)


def same(found, expected, **tolerance):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, **{"rtol": 0, "atol": 0, **tolerance})


def compare_max(x, dy_seed, size, strides, pads):
    y, winner = compiled.max_pool2d(x, size, strides, pads)
    expected, first = reference.max_pool2d(x, size, strides, pads)
    same(y, expected)
    same(winner, first)
    dy = normal(*y.shape, seed=dy_seed, dtype=x.dtype)
    arguments = winner, x.shape[1:3], size, strides, pads
    dx = compiled.max_pool2d_input_gradient(dy, *arguments)
    same(dx, reference.max_pool2d_input_gradient(dy, *arguments))


@pytest.fixture(autouse=True, params=[40, launch.BLOCK], ids=["many blocks", "one block"])
def _blocks(request, monkeypatch):
    monkeypatch.setattr(pooling, "BLOCK", request.param)


@many_shapes
@given(windows, samples, channels, dtypes, layouts)
@example(TILES, 3, 5, np.float32, "contiguous")
@example(TILES_AND_A_REST, 3, 33, np.float64, "strided")
def test_max_pooling(case, N, C, dtype, layout):
    size, kernel, strides, _, pads = case
    compare_max(array((N, *size, C), dtype, layout), 2, kernel, strides, pads)


@many_shapes
@given(st.sampled_from([TILES, TILES_AND_A_REST]) | windows, samples, channels, dtypes)
def test_max_pooling_of_what_is_no_number(case, N, C, dtype):
    size, kernel, strides, _, pads = case
    x = array((N, *size, C), dtype)
    places = np.random.default_rng(3).random(x.shape)
    for i, value in enumerate([np.nan, -np.inf, np.inf, -0.0]):
        x[(places > 0.2 * i) & (places < 0.2 * i + 0.1)] = value
    compare_max(x, 2, kernel, strides, pads)
    compare_max(np.full_like(x, -np.inf), 2, kernel, strides, pads)
    compare_max(np.full_like(x, np.nan), 2, kernel, strides, pads)


def test_winners_of_large_windows():
    x = normal(1, 20, 20, 2)
    compare_max(x, 2, (17, 17), (1, 2), NO_PADS)
    assert compiled.max_pool2d(x, (17, 17), (1, 1), NO_PADS)[1].dtype == np.uint16


@many_shapes
@given(windows, samples, channels, dtypes, layouts)
@example(TILES, 3, 5, np.float32, "contiguous")
def test_average_pooling(case, N, C, dtype, layout):
    size, kernel, strides, _, pads = case
    x = array((N, *size, C), dtype, layout)
    y = compiled.average_pool2d(x, kernel, strides, pads)
    same(y, reference.average_pool2d(x, kernel, strides, pads), rtol=4 * np.finfo(dtype).eps)
    dy = array(y.shape, dtype, layout, seed=2)
    arguments = size, kernel, strides, pads
    dx = compiled.average_pool2d_input_gradient(dy, *arguments)
    expected = reference.average_pool2d_input_gradient(dy, *arguments)
    eps = np.finfo(dtype).eps
    same(dx, expected, rtol=4 * eps, atol=64 * eps)


@many_shapes
@given(pairs(1, 4), pairs(1, 6), samples, channels, dtypes, layouts)
def test_upsampling(factors, size, N, C, dtype, layout):
    x = array((N, *size, C), dtype, layout)
    dy = array((N, size[0] * factors[0], size[1] * factors[1], C), dtype, layout, seed=2)
    eps = np.finfo(dtype).eps
    rounded = {"rtol": 8 * eps, "atol": 64 * eps}
    for interpolation, exactness in (("nearest", {}), ("bilinear", rounded)):
        same(
            compiled.upsample2d(x, factors, interpolation),
            reference.upsample2d(x, factors, interpolation),
            **exactness,
        )
        same(
            compiled.upsample2d_input_gradient(dy, factors, interpolation),
            reference.upsample2d_input_gradient(dy, factors, interpolation),
            **rounded,
        )


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="only one thread")
@every_dtype
def test_no_bit_depends_on_the_number_of_threads(dtype):
    x = normal(5, 33, 31, 9, dtype=dtype)
    window = (3, 3), (2, 2), ((1, 1), (1, 1))

    def results():
        y, winner = compiled.max_pool2d(x, *window)
        yield from (y, winner, compiled.average_pool2d(x, *window))
        yield compiled.max_pool2d_input_gradient(y, winner, (33, 31), *window)
        yield compiled.average_pool2d_input_gradient(y, (33, 31), *window)
        yield compiled.upsample2d_input_gradient(x, (3, 1), "nearest")

    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = [a.tobytes() for a in results()]
        numba.set_num_threads(2)
        assert [a.tobytes() for a in results()] == one
    finally:
        numba.set_num_threads(threads)


def test_empty_batch():
    x = np.zeros((0, 4, 4, 3))
    y, winner = compiled.max_pool2d(x, (2, 2), (2, 2), NO_PADS)
    assert y.shape == winner.shape == (0, 2, 2, 3)
    assert compiled.upsample2d(x, (2, 3), "nearest").shape == (0, 8, 12, 3)


def test_arrays_that_do_not_fit_together():
    dy, window = np.ones((2, 3, 3, 4)), ((2, 2), (2, 2), NO_PADS)
    winner = np.zeros(dy.shape, np.uint8)
    for image in ((8, 6), (6, 5), (4, 4)):
        for call in (
            lambda i: compiled.max_pool2d_input_gradient(dy, winner, i, *window),
            lambda i: compiled.average_pool2d_input_gradient(dy, i, *window),
        ):
            with pytest.raises(ValueError, match=r"gradient of shape .* does not fit images"):
                call(image)
    with pytest.raises(ValueError, match="was made for winner of"):
        compiled.max_pool2d_input_gradient(dy, winner[:1], (6, 6), *window)
    with pytest.raises(ValueError, match=r"expected images \(N, H, W, C\)"):
        compiled.max_pool2d(dy[0], *window)
    with pytest.raises(ValueError, match="do not fit into images"):
        compiled.average_pool2d(dy, (4, 4), (1, 1), NO_PADS)
    for size in ((2, 3), (3, 2)):
        with pytest.raises(ValueError, match=f"not a whole number of {size[0]} x {size[1]}"):
            compiled.upsample2d_input_gradient(dy, size, "nearest")

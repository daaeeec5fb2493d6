"""The compiled convolutions against the reference; `agreement` says how far they may be off."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels import compiled_code as compiled
from tests.kernels import numpy_code as reference
from tests.kernels.agreement import (
    LAYOUTS,
    Convolution,
    check_convolution,
    convolutions,
    many_cases,
)
from tests.layers.helpers import every_dtype, normal

ONES = ((1, 1), (1, 1))
ZEROS = ((0, 0), (0, 0))

# name -> size, kernel, strides, pads, N, C, K
OTHERS = {
    "several samples in every block": ((5, 6), (3, 3), (1, 1), ONES, 40, 3, 4),
    "blocks of different numbers of samples": ((4, 4), (3, 3), (2, 1), ONES, 37, 16, 16),
    "large images, small groups": ((40, 33), (3, 3), (1, 1), ONES, 17, 1, 16),
    "to one channel": ((33, 40), (3, 3), (1, 1), ONES, 17, 16, 1),
    "one channel to one": ((32, 32), (5, 5), (2, 2), ONES, 18, 1, 1),
    "many channels": ((4, 4), (3, 3), (1, 1), ONES, 3, 130, 70),
    "many channels to few": ((4, 4), (3, 3), (1, 1), ONES, 20, 300, 7),
    "few channels to many": ((4, 4), (4, 4), (2, 2), ONES, 3, 5, 260),
    "a matrix product": ((8, 8), (1, 1), (1, 1), ZEROS, 2, 256, 256),
    "deep and wide": ((8, 8), (3, 3), (1, 1), ONES, 2, 256, 256),
    "steps larger than the kernel": ((11, 12), (2, 1), (3, 3), ZEROS, 4, 17, 33),
    "nothing but padding around a pixel": ((1, 1), (5, 5), (1, 1), ((4, 4), (4, 4)), 3, 16, 17),
    "one sample": ((32, 32), (3, 3), (1, 1), ONES, 1, 16, 16),
    "no sample": ((4, 4), (3, 3), (1, 1), ONES, 0, 16, 16),
    "no sample of one channel": ((4, 4), (3, 3), (2, 2), ONES, 0, 1, 1),
}


@every_dtype
@many_cases
@given(convolutions())
def test_drawn_cases(dtype, case):
    check_convolution(case, dtype)


@every_dtype
@pytest.mark.parametrize("case", OTHERS.values(), ids=list(OTHERS))
def test_other_cases(dtype, case):
    check_convolution(Convolution(*case), dtype)


@every_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(dtype, layout):
    """What the drawn cases mix, one by one; with channels in which copying could be left out."""
    for C, K in ((16, 16), (1, 16), (16, 1)):
        check_convolution(Convolution((6, 5), (3, 3), (1, 1), ONES, 3, C, K, 3 * (layout,)), dtype)


@every_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@many_cases
@given(convolutions(), st.integers(0, 2**32))
def test_outputs_that_see_what_is_no_number(dtype, value, case, place):
    """They become NaN or infinite, as in the reference, and no other output does."""
    x, W, b, _ = case.arrays(dtype)
    if not x.size:
        return
    x = np.array(x)
    x.flat[place % x.size] = value
    with np.errstate(invalid="ignore"):
        expected = reference.conv2d(x, W, b, case.strides, case.pads)
    found = compiled.conv2d(x, W, b, case.strides, case.pads)
    strange = ~np.isfinite(expected)
    np.testing.assert_array_equal(~np.isfinite(found), strange)
    np.testing.assert_array_equal(found[strange], expected[strange])


def test_results_are_new_arrays():
    """Memory is used again, but never that of a result which somebody holds."""
    x, W = normal(4, 8, 8, 16), normal(3, 3, 16, 16, seed=2)
    first = compiled.conv2d(x, W, None, (1, 1), ONES)
    dW = compiled.conv2d_weight_gradient(x, first, (3, 3), (1, 1), ONES)
    dx = compiled.conv2d_input_gradient(first, W, (8, 8), (1, 1), ONES)
    kept = [a.copy() for a in (first, dW, dx)]
    for _ in range(3):
        second = compiled.conv2d(2 * x, W, None, (1, 1), ONES)
        compiled.conv2d_weight_gradient(x, second, (3, 3), (1, 1), ONES)
        compiled.conv2d_input_gradient(second, W, (8, 8), (1, 1), ONES)
    for a, before in zip((first, dW, dx), kept, strict=True):
        np.testing.assert_array_equal(a, before)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="only one thread")
@every_dtype
@pytest.mark.parametrize(("N", "C", "K"), [(37, 16, 16), (37, 1, 16), (37, 16, 1), (5, 40, 33)])
def test_no_bit_depends_on_the_number_of_threads(dtype, N, C, K):
    x, W = normal(N, 9, 7, C, dtype=dtype), normal(3, 3, C, K, seed=2, dtype=dtype)

    def results():
        y = compiled.conv2d(x, W, None, (2, 1), ONES)
        yield y
        yield compiled.conv2d_weight_gradient(x, y, (3, 3), (2, 1), ONES)
        yield compiled.conv2d_input_gradient(y, W, (9, 7), (2, 1), ONES)

    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = [a.tobytes() for a in results()]
        for n in range(2, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(n)
            for _ in range(3):
                assert [a.tobytes() for a in results()] == one
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda x: x[..., :2]),
        ("x", lambda x: x[:, :4]),
        ("x", lambda x: x.astype(np.float32)),
        ("x", lambda x: x[:3]),
        ("W", lambda W: W[:, :, :2]),
        ("W", lambda W: W[..., :15]),
        ("W", lambda W: W.astype(np.float32)),
        ("b", lambda b: b[:15]),
        ("b", lambda b: b[:8]),
        ("b", lambda b: np.zeros(32)),
        ("b", lambda b: b.astype(np.float32)),
        ("dy", lambda dy: dy[..., :15]),
        ("dy", lambda dy: dy[:, :4]),
        ("dy", lambda dy: dy.astype(np.float32)),
        ("dy", lambda dy: dy[:3]),
    ],
)
def test_arrays_that_do_not_fit_together(name, change):
    """Kernels trust their arguments: what does not fit must not reach them."""
    arrays = {"x": normal(4, 5, 6, 3), "W": normal(3, 3, 3, 16), "b": normal(16)}
    arrays["dy"] = normal(4, 5, 6, 16)

    def all_three(x, W, b, dy):
        compiled.conv2d(x, W, b, (1, 1), ONES)
        compiled.conv2d_weight_gradient(x, dy, (3, 3), (1, 1), ONES)
        compiled.conv2d_input_gradient(dy, W, (5, 6), (1, 1), ONES)

    all_three(**arrays)
    arrays[name] = change(arrays[name])
    with pytest.raises((ValueError, TypeError), match=r"a kernel was made for|convolution"):
        all_three(**arrays)


@pytest.mark.parametrize("dtype", [np.float16, np.int64])
def test_other_numbers(dtype):
    x, W = np.ones((1, 4, 4, 1), dtype), np.ones((3, 3, 1, 2), dtype)
    with pytest.raises(TypeError, match="it takes float32 and float64"):
        compiled.conv2d(x, W, None, (1, 1), ONES)

"""The compiled kernels against the reference, number by number or channel by channel."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch.kernels import channels, launch, pointwise, twins
from tests.kernels import compiled_code as compiled
from tests.kernels import numpy_code as reference
from tests.layers.helpers import every_dtype, many_shapes, normal

LARGE = (7, 41, 29, 5)  # several blocks, the last of them short


@st.composite
def batches(draw):
    """(shape, dtype, layout, block): vectors or images, and the size of blocks to work in."""
    few, channels = st.integers(1, 6), st.integers(1, 40)
    shape = draw(st.one_of(st.tuples(few, channels), st.tuples(few, few, few, channels)))
    layout = draw(st.sampled_from(["contiguous", "strided", "transposed", "readonly"]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return shape, dtype, layout, draw(st.sampled_from([64, 100, launch.BLOCK]))


def array(shape, dtype, layout="contiguous", seed=1):
    """Halves, so that zeros of both signs and equal numbers are frequent."""
    values = (np.round(normal(*shape, seed=seed) * 4) / 2).astype(dtype)
    if layout == "strided":
        wide = np.full((*shape[:-1], 2 * shape[-1]), 99, dtype)
        wide[..., ::2] = values
        values = wide[..., ::2]
    elif layout == "transposed":
        values = np.asfortranarray(values)
    values.flags.writeable = layout != "readonly"
    return values


def compare(block, name, *arguments, rtol=0.0, atol=0.0):
    """Results of both implementations, with blocks of the given size."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (channels, pointwise):
            patch.setattr(module, "BLOCK", block)
        found = getattr(compiled, name)(*arguments)
    expected = getattr(reference, name)(*arguments)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for f, e in zip(found, expected, strict=True):
        if isinstance(e, np.ndarray):
            assert (f.dtype, f.shape) == (e.dtype, e.shape)
            assert f.flags.c_contiguous
        np.testing.assert_allclose(f, e, rtol=rtol, atol=atol)


@many_shapes
@given(batches(), st.floats(0, 1))
def test_activations(case, slope):
    *case, block = case
    x, dy = array(*case), array(*case, seed=2)
    compare(block, "relu", x)
    compare(block, "relu_input_gradient", dy, x > 0)
    compare(block, "leaky_relu", x, slope)
    compare(block, "leaky_relu_input_gradient", dy, x, slope)


@every_dtype
def test_activations_of_what_is_no_number(dtype):
    x = np.array([[np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1] * 5], dtype)
    compare(launch.BLOCK, "relu", x)
    compare(launch.BLOCK, "leaky_relu", x, 0.5)
    for slope in (0.5, 0.0):
        compare(launch.BLOCK, "leaky_relu_input_gradient", np.ones_like(x), x, slope)
    compare(launch.BLOCK, "relu_input_gradient", np.ones_like(x), x > 0)
    assert not np.signbit(compiled.relu(x[:, 4:5])[0]).any()


@many_shapes
@given(batches())
def test_sums_and_moments_of_channels(case):
    *case, block = case
    x = array(*case)
    eps = np.finfo(x.dtype).eps
    largest = float(abs(x).max())
    compare(block, "channel_moments", x, rtol=1e2 * eps, atol=4 * eps * largest)


@many_shapes
@given(batches())
def test_normalization(case):
    *case, block = case
    x, dy = array(*case), array(*case, seed=2)
    C, eps = x.shape[-1], np.finfo(x.dtype).eps
    mean, s, gamma, beta = np.random.default_rng(3).uniform(0.5, 2, (4, C)).astype(x.dtype)
    compare(block, "normalize", x, mean, s, gamma, beta, rtol=4 * eps, atol=16 * eps)
    compare(
        block, "normalize_input_gradient", dy, x, s, gamma, rtol=1e2 * eps, atol=eps * 16 * x.size
    )


@many_shapes
@given(batches(), st.integers(1, 5), st.sampled_from([0.0, 0.1]))
def test_adam(case, t, decay):
    shape, dtype, layout, block = case
    g = array(shape, dtype, layout)

    def step(implementation, steps):
        p, m, v = (array(shape, dtype, seed=seed) for seed in (2, 3, 4))
        v = abs(v)
        if layout == "strided":  # parameters need not lie in one piece either
            p = np.repeat(p, 2, axis=-1)[..., ::2]
        for i in range(steps):
            implementation.adam(p, g, m, v, 1e-3, 0.9, 0.99, 1e-8, decay, t + i)
        return p, m, v

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pointwise, "BLOCK", block)
        found = step(compiled, 3)
    for f, e in zip(found, step(reference, 3), strict=True):
        assert f.dtype == dtype
        np.testing.assert_allclose(f, e, rtol=16 * np.finfo(dtype).eps, atol=1e-30)


BOTH = pytest.mark.parametrize("implementation", [compiled, reference])


@BOTH
@pytest.mark.parametrize("lies_apart", range(4))
def test_adam_reaches_arrays_that_lie_apart(implementation, lies_apart):
    """p, g, m or v, each of which a flat view would leave as it is."""
    arrays = [np.full((6, 5), value, np.float32) for value in (1.0, 0.5, 0.25, 0.125)]
    arrays[lies_apart] = np.repeat(arrays[lies_apart], 3, axis=1)[:, :10:2]
    assert not np.shares_memory(arrays[lies_apart], arrays[lies_apart].reshape(-1))
    p, _, m, v = arrays
    implementation.adam(*arrays, 0.1, 0.5, 0.75, 1e-8, 0.0, 1)
    np.testing.assert_allclose(m, 0.375)
    np.testing.assert_allclose(v, 0.75 * 0.125 + 0.25 * 0.25)
    np.testing.assert_allclose(p, 1 - 0.1 * 0.75 / np.sqrt(0.625), rtol=1e-6)


@BOTH
@every_dtype
def test_adam_forgets_all_of_the_past_if_beta_2_is_0(implementation, dtype):
    p, g, m, v = (np.full(3, value, dtype) for value in (1.0, 1e-3, 0.0, 1e6))
    implementation.adam(p, g, m, v, 0.1, 0.0, 0.0, 1e-12, 0.0, 5)
    np.testing.assert_allclose(v, 1e-6, rtol=1e-6)
    np.testing.assert_allclose(m, 1e-3, rtol=1e-6)
    np.testing.assert_allclose(p, 0.9, rtol=1e-6)


@BOTH
@pytest.mark.parametrize("size", [1000, 3 * launch.BLOCK])
def test_squares_are_added_up_in_float64(implementation, size):
    y = 1 + normal(size, dtype=np.float32) * np.float32(1e-3)
    exact = (y.astype(np.float64) ** 2).sum()
    total, _ = implementation.squared_error(y, np.zeros_like(y), 1.0)
    np.testing.assert_allclose(total, exact, rtol=1e-12)
    total, _ = implementation.squared_error(np.full(2, 1e30, np.float32), np.zeros(2, "f4"), 1.0)
    np.testing.assert_allclose(total, 2e60, rtol=1e-6)


@many_shapes
@given(batches(), st.floats(1e-3, 2))
def test_squared_error(case, scale):
    *case, block = case
    y, target = array(*case), array(*case, seed=2)
    assert type(compiled.squared_error(y, target, scale)[0]) is float
    compare(block, "squared_error", y, target, scale, rtol=4 * np.finfo(y.dtype).eps)


@BOTH
@every_dtype
def test_sums_of_many_numbers_are_accurate(implementation, dtype):
    """One float32 sum over a million 0.1 would be off in the third digit."""
    x = np.full((1_000_003, 3), 0.1, dtype)
    exact = 1_000_003 * float(x[0, 0])
    eps = np.finfo(dtype).eps
    mean, var = implementation.channel_moments(x)
    np.testing.assert_allclose(mean, x[0, 0], rtol=1e-9)
    assert (abs(var) < 1e-10).all()
    _, dgamma, dbeta = implementation.normalize_input_gradient(x, x, *np.ones((2, 3), dtype))
    np.testing.assert_allclose(dbeta, exact, rtol=max(32 * eps, 1e-10))
    np.testing.assert_allclose(dgamma, exact * float(x[0, 0]), rtol=max(32 * eps, 1e-10))


@BOTH
@pytest.mark.parametrize("offset", [0.0, 1e5, -1e6])
@pytest.mark.parametrize("rows", [37, 20_000])
def test_normalization_far_from_zero(implementation, offset, rows):
    """Held against float64, of the same float32 numbers."""
    x = (normal(rows, 5) * 3 + offset).astype(np.float32)
    exact = x.astype(np.float64)
    mean, var = implementation.channel_moments(x)
    assert mean.dtype == var.dtype == np.float64
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(var, exact.var(axis=0), rtol=1e-6)
    s = (1 / np.sqrt(var)).astype(np.float32)
    one, zero = np.ones(5, np.float32), np.zeros(5, np.float32)
    y, xhat = implementation.normalize(x, mean, s, one, zero)
    expected = (exact - exact.mean(axis=0)) / exact.std(axis=0)
    np.testing.assert_allclose(xhat, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y, xhat)
    assert y.dtype == xhat.dtype == np.float32


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="only one thread")
@every_dtype
def test_no_bit_depends_on_the_number_of_threads(dtype):
    x, dy = normal(*LARGE, dtype=dtype), normal(*LARGE, seed=2, dtype=dtype)
    assert x.size > 2 * launch.BLOCK
    s, gamma = np.linspace(0.5, 2, 10, dtype=dtype).reshape(2, 5)

    def results():
        p, m, v = x.copy(), dy.copy(), abs(x)
        compiled.adam(p, dy, m, v, 1e-3, 0.9, 0.99, 1e-8, 0.1, 2)
        value, gradient = compiled.squared_error(x, dy, 0.1)
        yield from (p, m, v, np.array(value), gradient)
        yield from compiled.channel_moments(x)
        yield from compiled.normalize_input_gradient(dy, x, s, gamma)

    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = [a.tobytes() for a in results()]
        numba.set_num_threads(2)
        for _ in range(3):
            assert [a.tobytes() for a in results()] == one
    finally:
        numba.set_num_threads(threads)


def test_empty_arrays():
    x = np.zeros((0, 4, 3))
    assert compiled.relu(x)[0].shape == compiled.relu_input_gradient(x, x > 0).shape == (0, 4, 3)
    assert compiled.normalize(x, *np.ones((4, 3)))[0].shape == (0, 4, 3)


def test_arrays_that_do_not_fit_together():
    x, short, single = np.ones((4, 3)), np.ones((3, 3)), np.ones((4, 3), np.float32)
    for other in (short, single):
        for call in (
            lambda o: compiled.leaky_relu_input_gradient(x, o, 0.1),
            lambda o: compiled.normalize_input_gradient(x, o, x[0], x[0]),
            lambda o: compiled.adam(x, x, x, o, 0.1, 0.9, 0.99, 1e-8, 0.0, 1),
            lambda o: compiled.squared_error(x, o, 1.0),
        ):
            with pytest.raises(ValueError, match="shapes and dtypes must be equal"):
                call(other)
    for other in (short > 0, x):
        with pytest.raises(ValueError, match=r"made for positive of bool \(4, 3\) and got "):
            compiled.relu_input_gradient(x, other)
    with pytest.raises(ValueError, match="3 numbers in float64, one for each channel, got"):
        compiled.normalize(x, np.ones(2), x[0], x[0], x[0])
    with pytest.raises(ValueError, match=r"one for each channel, got float32 \(3,\)"):
        compiled.normalize(x, x[0], single[0], x[0], x[0])


def test_the_twin_of_a_loss_refuses_in_the_words_of_the_loss():
    with pytest.raises(ValueError, match=r"^mse: the output has shape \(2, 3\) but the target"):
        twins.mse(normal(2, 3), normal(3, 2))
    with pytest.raises(TypeError, match=r"^mse: the output is float64 but the target float32"):
        twins.mse(normal(2, 3), normal(2, 3, dtype=np.float32))

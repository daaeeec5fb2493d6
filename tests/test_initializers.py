import numpy as np
import pytest

from nnscratch.initializers import glorot_normal, glorot_uniform, he_normal, he_uniform
from nnscratch.layers import Dense

# Far apart and big against small, so that an exchanged fan shows.
FANS = [(300, 20), (20, 300), (64, 64)]
VARIANCES = {
    glorot_uniform: lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    glorot_normal: lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    he_uniform: lambda fan_in, fan_out: 2 / fan_in,
    he_normal: lambda fan_in, fan_out: 2 / fan_in,
}
every_initializer = pytest.mark.parametrize(
    ("initializer", "variance_of"), list(VARIANCES.items()), ids=lambda f: f.__name__
)
M = 100_000


@every_initializer
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_moments(initializer, variance_of, fan_in, fan_out):
    w = initializer((M,), fan_in, fan_out, np.random.default_rng(0))
    variance = variance_of(fan_in, fan_out)
    kurtosis = 1.8 if "uniform" in initializer.__name__ else 3.0
    assert abs(w.mean()) < 4 * np.sqrt(variance / M)
    assert abs(w.var() / variance - 1) < 4 * np.sqrt((kurtosis - 1) / M)
    fourth = (w**4).mean() / variance**2  # tells the two distributions apart
    assert abs(fourth / kurtosis - 1) < 0.1


@pytest.mark.parametrize(
    ("initializer", "bound"),
    [(glorot_uniform, np.sqrt(6 / 320)), (he_uniform, np.sqrt(6 / 300))],
)
def test_bounds(initializer, bound):
    w = initializer((M,), 300, 20, np.random.default_rng(0))
    assert abs(w).max() <= bound
    for extreme in (-w.min(), w.max()):  # expected bound * (1 - 2 / M), deviation as large
        assert extreme > bound * (1 - 5 * 2 / M)


@every_initializer
def test_shape_dtype_and_repeatability(initializer, variance_of):
    def draw(seed):
        return initializer((3, 2, 4, 5), 24, 30, np.random.default_rng(seed))

    assert draw(0).shape == (3, 2, 4, 5)
    assert draw(0).dtype == np.float64
    np.testing.assert_array_equal(draw(0), draw(0))
    assert not (draw(0) == draw(1)).any()
    rng = np.random.default_rng(0)
    assert not (initializer((9,), 1, 1, rng) == initializer((9,), 1, 1, rng)).any()


@every_initializer
def test_a_layer_uses_the_one_it_is_given(initializer, variance_of):
    layer = Dense(20, kernel_initializer=initializer)
    layer.build((300,), np.random.default_rng(3), np.float64)
    expected = initializer((300, 20), 300, 20, np.random.default_rng(3))
    np.testing.assert_array_equal(layer.params["W"], expected)

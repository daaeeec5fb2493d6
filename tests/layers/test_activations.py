import numpy as np
import pytest

from nnscratch.layers import LeakyReLU, ReLU, Sigmoid, Tanh
from tests.layers.helpers import build

X = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
LOGISTIC = 1 / (1 + np.exp(-X))


@pytest.mark.parametrize(
    ("layer", "y", "slope"),
    [
        (ReLU(), [0, 0, 0, 0.5, 2], [0, 0, 0, 1, 1]),
        (LeakyReLU(0.1), [-0.2, -0.05, 0, 0.5, 2], [0.1, 0.1, 0.1, 1, 1]),
        (LeakyReLU(), [-0.6, -0.15, 0, 0.5, 2], [0.3, 0.3, 0.3, 1, 1]),
        (LeakyReLU(0), [0, 0, 0, 0.5, 2], [0, 0, 0, 1, 1]),
        (Sigmoid(), LOGISTIC[0], (LOGISTIC * (1 - LOGISTIC))[0]),
        (Tanh(), np.tanh(X)[0], 1 / np.cosh(X[0]) ** 2),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else "",
)
def test_function_and_slope(layer, y, slope):
    build(layer, (5,))
    np.testing.assert_allclose(layer.forward(X), [y], rtol=1e-12, atol=1e-15)
    dy = np.array([[1.0, -2.0, 3.0, -4.0, 5.0]])
    np.testing.assert_allclose(layer.backward(dy), dy * [slope], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturation_is_exact_and_silent(dtype):
    """Warnings are errors here: an overflow in exp would fail."""
    x = np.array([[-1e4, 1e4]], dtype)
    for layer, y in [(Sigmoid(), [[0, 1]]), (Tanh(), [[-1, 1]])]:
        build(layer, (2,), dtype)
        assert layer.forward(x).tolist() == y
        assert layer.backward(np.ones_like(x)).tolist() == [[0, 0]]


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(0.1), Sigmoid(), Tanh()])
def test_nan_is_not_swallowed(layer):
    assert np.isnan(build(layer, (1,)).forward(np.array([[np.nan]]))).all()


@pytest.mark.parametrize("slope", [-0.1, 1.1, float("nan")])
def test_slope_out_of_range(slope):
    with pytest.raises(ValueError, match=r"negative_slope is .*; it must lie in \[0, 1\]"):
        LeakyReLU(slope)

import numpy as np
import pytest

from nnscratch.layers import BatchNormalization
from tests.layers.helpers import build, normal

shapes = pytest.mark.parametrize("shape", [(64, 3), (8, 5, 4, 3), (2, 1, 1, 3)], ids=str)


def some_batch(*shape, seed=1):
    """Channels of clearly different mean and spread."""
    return normal(*shape, seed=seed) * [0.5, 2, 30] + [100, 0, -5]


@shapes
def test_training_gives_every_channel_mean_beta_and_deviation_gamma(shape):
    layer = build(BatchNormalization(epsilon=1e-3), shape[1:])
    layer.params["gamma"][...] = gamma = np.array([1, 2, -3])
    layer.params["beta"][...] = beta = np.array([0, -1, 7])
    x = some_batch(*shape)
    y = layer.forward(x, training=True).reshape(-1, 3)
    var = x.reshape(-1, 3).var(axis=0)
    np.testing.assert_allclose(y.mean(axis=0), beta, atol=1e-10)
    np.testing.assert_allclose(y.var(axis=0), gamma**2 * var / (var + 1e-3), rtol=1e-9)


@shapes
def test_running_statistics_follow_momentum(shape):
    layer = build(BatchNormalization(momentum=0.75), shape[1:])
    mean, var = np.zeros(3), np.ones(3)
    for seed in range(3):
        x = some_batch(*shape, seed=seed)
        layer.forward(x, training=True)
        mean = 0.75 * mean + 0.25 * x.reshape(-1, 3).mean(axis=0)
        var = 0.75 * var + 0.25 * x.reshape(-1, 3).var(axis=0)  # biased, divided by m
        np.testing.assert_allclose(layer.state["mean"], mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.state["var"], var, rtol=1e-12)


@shapes
def test_evaluation_uses_the_running_statistics_and_leaves_them(shape):
    layer = build(BatchNormalization(momentum=0.5, epsilon=0.01), shape[1:])
    layer.forward(some_batch(*shape), training=True)
    before = {name: array.copy() for name, array in layer.state.items()}
    x = some_batch(*shape, seed=2)
    y = layer.forward(x)
    expected = (x - before["mean"]) / np.sqrt(before["var"] + 0.01) + layer.params["beta"]
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    layer.backward(np.ones_like(y))
    for name, array in layer.state.items():
        np.testing.assert_array_equal(array, before[name])


def test_backward_does_not_follow_later_changes_of_the_statistics():
    """What forward cached in evaluation must not be a view of the running statistics."""
    layer = build(BatchNormalization(momentum=0.5), (3,))
    layer.forward(some_batch(8, 3))
    before = layer.backward(np.ones((8, 3)))
    layer.state["var"] *= 100
    np.testing.assert_array_equal(layer.backward(np.ones((8, 3))), before)


def test_with_a_pencil():
    layer = build(BatchNormalization(momentum=0.9, epsilon=3), (1,))
    layer.params["gamma"][...], layer.params["beta"][...] = 2, 10
    # mean 2, variance 1, s = 1 / sqrt(1 + 3) = 1/2, xhat = -1/2 and 1/2
    y = layer.forward(np.array([[1.0], [3.0]]), training=True)
    assert y.tolist() == [[9], [11]]
    np.testing.assert_allclose(layer.state["mean"], 0.9 * 0 + 0.1 * 2)
    np.testing.assert_allclose(layer.state["var"], 0.9 * 1 + 0.1 * 1)

    dx = layer.backward(np.array([[1.0], [3.0]]))
    assert layer.grads["gamma"].tolist() == [1 * -0.5 + 3 * 0.5]
    assert layer.grads["beta"].tolist() == [4]
    # g = 2, 6; mean(g) = 4; mean(g * xhat) = 1; dx = s * (g - 4 - xhat * 1)
    assert dx.tolist() == [[0.5 * (2 - 4 + 0.5)], [0.5 * (6 - 4 - 0.5)]]


def test_evaluation_with_a_pencil():
    layer = build(BatchNormalization(epsilon=1), (1,))
    layer.params["gamma"][...], layer.params["beta"][...] = 2, 10
    layer.state["mean"][...], layer.state["var"][...] = 5, 3  # s = 1 / sqrt(3 + 1) = 1/2
    assert layer.forward(np.array([[1.0], [7.0]])).tolist() == [[10 - 4], [10 + 2]]
    # the statistics are constants: dx = dy * gamma * s, no mean taken off
    assert layer.backward(np.array([[1.0], [3.0]])).tolist() == [[1], [3]]
    assert layer.grads["gamma"].tolist() == [1 * -2 + 3 * 1]


def test_a_constant_channel_stays_finite():
    y = build(BatchNormalization(), (2,)).forward(np.full((4, 2), 5.0), training=True)
    assert np.isfinite(y).all()
    assert np.ptp(y, axis=0).tolist() == [0, 0]


@pytest.mark.parametrize(
    "arguments", [{"momentum": 1}, {"momentum": -0.1}, {"epsilon": 0}, {"epsilon": -1e-3}], ids=str
)
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=r"momentum is .* and epsilon .*; they must lie in"):
        BatchNormalization(**arguments)


@pytest.mark.parametrize("shape", [(), (4, 4), (2, 4, 4, 3)], ids=str)
def test_inputs_without_channels(shape):
    with pytest.raises(ValueError, match=r"expected vectors \(C,\) or images \(H, W, C\), got"):
        build(BatchNormalization(), shape)


def test_sums_of_many_numbers_far_from_zero_are_those_of_float64():
    layer = build(BatchNormalization(momentum=0.0), (2,), np.float32)
    x = (1000 + normal(100_000, 2)).astype(np.float32)
    exact = x.astype(np.float64)
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(layer.state["mean"], exact.mean(axis=0), rtol=1e-7)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + layer.epsilon)
    expected += layer.params["beta"]
    np.testing.assert_allclose(y, expected, atol=1e-5)
    dy = np.full_like(x, 1 / 3)
    layer.backward(dy)
    np.testing.assert_allclose(layer.grads["beta"], dy.sum(axis=0, dtype=np.float64), rtol=1e-7)

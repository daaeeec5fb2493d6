import copy

import numpy as np
import pytest

from nnscratch.layers import GaussianSampling
from tests.layers.helpers import build, normal

MU, S = np.array([0.0, 1.5, -3.0]), np.array([1.0, 0.25, 4.0])
HEADS = np.concatenate([MU, 2 * np.log(S)])  # mu, logvar


def test_moments():
    """The sampler's own: no gradient check sees exp(logvar) where exp(logvar / 2) is meant."""
    M = 50_000
    z = build(GaussianSampling(), (6,)).forward(np.tile(HEADS, (M, 1)), training=True)
    assert z.shape == (M, 3)
    assert (abs(z.mean(axis=0) - MU) < 4 * S / np.sqrt(M)).all()
    assert (abs(z.var(axis=0) - S**2) < 4 * S**2 * np.sqrt(2 / M)).all()
    correlations = np.corrcoef(z.T)[np.triu_indices(3, 1)]
    assert (abs(correlations) < 4 / np.sqrt(M)).all()


@pytest.mark.parametrize("training", [False, True])
def test_noise_from_outside(training):
    layer = build(GaussianSampling(), (2, 6))
    x, eps = normal(4, 2, 6), normal(4, 2, 3, seed=2)
    z = layer.forward(x, training, eps=eps)
    np.testing.assert_allclose(z, x[..., :3] + np.exp(x[..., 3:] / 2) * eps, rtol=1e-14)
    assert layer.state["draws"] == 0


def test_with_a_pencil():
    layer = build(GaussianSampling(), (2,))
    z = layer.forward(np.array([[1.0, 2 * np.log(3)]]), eps=np.array([[2.0]]))  # s = 3
    np.testing.assert_allclose(z, [[1 + 3 * 2]])
    np.testing.assert_allclose(layer.backward(np.array([[5.0]])), [[5, 5 * 2 * 3 / 2]])


def test_evaluation_gives_mu_and_draws_nothing():
    layer = build(GaussianSampling(), (6,))
    x = np.tile(HEADS, (4, 1))
    z = layer.forward(x)
    np.testing.assert_array_equal(z, np.tile(MU, (4, 1)))
    assert layer.state["draws"] == 0
    np.testing.assert_array_equal(layer.backward(np.ones((4, 3))), [[1, 1, 1, 0, 0, 0]] * 4)
    z += 1  # it belongs to the caller
    np.testing.assert_array_equal(x, np.tile(HEADS, (4, 1)))


def test_samples_are_fresh_and_a_saved_state_repeats_them():
    layer = build(GaussianSampling(), (6,))
    x = np.tile(HEADS, (4, 1))
    first = layer.forward(x, training=True)
    saved = copy.deepcopy(layer.state)
    second = layer.forward(x, training=True)
    assert (first != second).all()
    resumed = build(GaussianSampling(), (6,), seed=99)
    resumed.state.update(saved)
    np.testing.assert_array_equal(resumed.forward(x, training=True), second)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 6), (4, 1), (1, 4, 3)], ids=str)
def test_noise_of_another_shape(shape):
    layer = build(GaussianSampling(), (6,))
    with pytest.raises(ValueError, match=r"eps has shape .*but \(5, 3\) is expected"):
        layer.forward(np.zeros((5, 6)), eps=np.zeros(shape))


def test_noise_of_another_dtype():
    layer = build(GaussianSampling(), (6,), np.float32)
    with pytest.raises(TypeError, match="eps is float64 but the model is float32"):
        layer.forward(np.zeros((5, 6), np.float32), eps=np.zeros((5, 3)))


def test_noise_that_is_no_array():
    layer = build(GaussianSampling(), (2,))
    with pytest.raises(TypeError, match="eps is a list, not a NumPy array"):
        layer.forward(np.zeros((1, 2)), eps=[[0.0]])


@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 4, 3)], ids=str)
def test_inputs_that_cannot_be_halved(shape):
    with pytest.raises(ValueError, match=r"expected mu and logvar side by side.*twice as wide"):
        build(GaussianSampling(), shape)

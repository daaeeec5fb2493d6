"""Outputs belong to the caller: changing one in place spoils no gradient, and no input."""

import copy

import numpy as np
import pytest

from nnscratch import kernels
from nnscratch.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Tanh,
    UpSampling2D,
)
from nnscratch.models import VAE, Autoencoder, UNet
from tests.layers.helpers import both_modes, build, every_layer, normal


def check(layer, x, training, spoil):
    """Two copies of a layer give the same gradients, although the output of one is spoilt."""
    twin = copy.deepcopy(layer)
    dy = normal(*layer.forward(x, training).shape, seed=2, dtype=layer.dtype)
    layer, expected = copy.deepcopy(twin), twin
    expected.forward(x, training)
    dx = expected.backward(dy.copy())
    spoil(layer.forward(x, training))
    np.testing.assert_array_equal(layer.backward(dy.copy()), dx)
    for key, grad in expected.grads.items():
        np.testing.assert_array_equal(layer.grads[key], grad)


def overwrite(y):
    y *= -1
    y -= 7


@every_layer
@both_modes
@pytest.mark.parametrize("implementation", ["compiled", "reference"])
def test_of_one_layer(make, shape, training, implementation):
    before = kernels.use_kernels(implementation)
    try:
        check(build(make(), shape), normal(3, *shape), training, overwrite)
    finally:
        kernels.use_kernels(before)


class Softplus(Layer):
    """Somebody's own, which keeps its output."""

    def forward(self, x, training=False):
        self.check_input(x)
        y = np.log1p(np.exp(x))
        self.cache = (y,)
        return y

    def backward(self, dy):
        self.check_gradient(dy)
        return dy * (1 - np.exp(-self.cache[0]))


CHAINS = {
    "fused": [Conv2D(3, 3), ReLU()],
    "pooled": [Conv2D(3, 3), ReLU(), MaxPooling2D(2)],
    "enlarged": [UpSampling2D(2), Conv2D(2, 3)],
    "a view": [Conv2D(3, 3), ReLU(), Dropout(0.5), Flatten()],
    "views": [Reshape((2, 2, 8)), Flatten()],
    "own": [Flatten(), Dense(3), Softplus()],
    "nested": [Flatten(), Dense(4), Sequential([Dense(3), Softplus(), Reshape((3, 1))], (4,))],
    "sigmoid": [Conv2D(1, 3), Sigmoid()],
    "tanh": [Conv2D(1, 3), LeakyReLU(), Tanh()],
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("fused", [True, False])
def test_of_a_model(chain, fused):
    model = Sequential(copy.deepcopy(CHAINS[chain]), (4, 4, 2))
    x = normal(3, 4, 4, 2, dtype=np.float32)
    before = x.copy()
    kernels.use_fusion(fused)
    try:
        check(model, x, False, overwrite)
    finally:
        kernels.use_fusion(True)
    np.testing.assert_array_equal(x, before)


def test_of_a_composite():
    def half(*layers, shape, seed):
        return Sequential(layers, shape, seed=seed)

    for make in (Autoencoder, lambda e, d: VAE(e, 3, d)):
        encoder = half(Flatten(), Dense(3), ReLU(), shape=(4, 4, 1), seed=1)
        decoder = half(Dense(16), Reshape((4, 4, 1)), Conv2D(2, 3), ReLU(), shape=(3,), seed=2)
        check(make(encoder, decoder), normal(2, 4, 4, 1, dtype=np.float32), True, overwrite)
    check(UNet((4, 4, 1), (2,), 2), normal(2, 4, 4, 1, dtype=np.float32), True, overwrite)


@pytest.mark.parametrize("last", [Dense(2), Tanh(), Conv2D(2, 3)])
def test_outputs_that_nothing_keeps_are_not_copied(last, monkeypatch):
    layers = [last] if isinstance(last, Conv2D) else [Flatten(), last]
    model = Sequential(layers, (4, 4, 1))
    given = []
    plain = type(model._steps[-1] if model._steps else last).forward
    monkeypatch.setattr(
        type(last), "forward", lambda *a: given.append(plain(*a)) or given[-1], raising=True
    )
    assert model.forward(normal(2, 4, 4, 1, dtype=np.float32)) is given[-1]


@pytest.mark.parametrize("fused", [True, False])
def test_x_belongs_to_the_layer_until_backward(fused):
    """As `Layer` says: it is kept uncopied, so somebody who changes it changes the gradients."""
    kernels.use_fusion(fused)
    try:
        for layer, shape in ((Dense(2), (3,)), (Conv2D(2, 3), (4, 4, 1))):
            model = Sequential([copy.deepcopy(layer)], shape, dtype=np.float64)
            x, other = normal(2, *shape), normal(2, *shape, seed=2)
            dy = normal(2, *model.built_shape, seed=3)
            model.forward(other)
            model.backward(dy)
            expected = {key: g.copy() for key, g in model.grads.items()}
            model.forward(x)
            x[...] = other
            model.backward(dy)
            for key, g in model.grads.items():
                np.testing.assert_allclose(g, expected[key], rtol=1e-12)
    finally:
        kernels.use_fusion(True)

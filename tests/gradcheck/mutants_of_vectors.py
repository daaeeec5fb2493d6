"""Wrong dense layers, activations, normalisations, noise and chains."""

from __future__ import annotations

import numpy as np

from nnscratch.layers import (
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    GaussianSampling,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from tests.gradcheck.mutants import mutant

Array = np.ndarray


# ---------------------------------------------------------------- dense


@mutant(lambda: Dense(5), (7,), where="W", hint="1/batch")
def weight_gradient_divided_by_the_batch(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    layer.grads["W"] /= len(dy)
    return dx


@mutant(lambda: Dense(5), (7,), where="b", hint="only the first sample")
def bias_gradient_of_one_sample(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    layer.grads["b"][...] = dy[0]
    return dx


@mutant(lambda: Dense(6), (6,), hint="reads W transposed.")
def weights_not_transposed(layer: Dense, dy: Array) -> Array:
    Dense.backward(layer, dy)
    return dy @ layer.params["W"]


@mutant(lambda: Dense(6), (6,), where="W", hint="is right, but transposed.")
def weight_gradient_transposed(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    layer.grads["W"][...] = layer.grads["W"].T.copy()
    return dx


@mutant(lambda: Dense(5), (7,), where="W", hint="sign")
def weight_gradient_of_the_wrong_sign(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    np.negative(layer.grads["W"], out=layer.grads["W"])
    return dx


@mutant(lambda: Dense(5), (7,), hint="every entry is 2 times")
def input_gradient_doubled(layer: Dense, dy: Array) -> Array:
    return 2 * Dense.backward(layer, dy)


@mutant(lambda: Dense(5), (7,), hint="reshaped where it should be transposed")
def weights_reshaped_not_transposed(layer: Dense, dy: Array) -> Array:
    Dense.backward(layer, dy)
    return dy @ layer.params["W"].reshape(5, 7)


@mutant(lambda: Flatten(), (4, 3, 2), hint="the order of the axes")
def flattened_with_channels_first(layer: Flatten, dy: Array) -> Array:
    return dy.reshape(-1, 2, 4, 3).transpose(0, 2, 3, 1)


@mutant(lambda: Dense(5), (7,), where="contract", hint="overwritten, not added to")
def gradients_accumulate(layer: Dense, dy: Array) -> Array:
    before = layer.grads["W"].copy()
    dx = Dense.backward(layer, dy)
    layer.grads["W"] += before
    return dx


@mutant(lambda: Dense(5), (7,), where="contract", hint="updates parameter W")
def backward_takes_a_step(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    layer.params["W"] -= 0.01 * layer.grads["W"]
    return dx


@mutant(lambda: Dense(5), (7,), where="contract", hint="changes dy")
def backward_scales_dy_in_place(layer: Dense, dy: Array) -> Array:
    dy /= len(dy)
    return Dense.backward(layer, dy)


@mutant(lambda: Dense(100), (100,), where="W", hint="only the entry [17, 42] is wrong")
def one_wrong_entry_in_ten_thousand(layer: Dense, dy: Array) -> Array:
    dx = Dense.backward(layer, dy)
    layer.grads["W"][17, 42] *= 1.001
    return dx


@mutant(lambda: Dense(5), (7,), where="W", hint="0 everywhere")
def weight_gradient_never_written(layer: Dense, dy: Array) -> Array:
    return dy @ layer.params["W"].T


@mutant(lambda: Dense(5), (7,), where="contract", hint="float32")
def input_gradient_in_float32(layer: Dense, dy: Array) -> Array:
    return Dense.backward(layer, dy).astype(np.float32)


@mutant(lambda: Dense(5), (7,), where="W", method="forward")
def cache_never_renewed(layer: Dense, x: Array, training: bool = False) -> Array:
    kept = [c for c in layer.cache if len(c) == len(x)]
    y = Dense.forward(layer, x)
    layer.cache = (kept[0] if kept else np.ones_like(x),)
    return y


# ---------------------------------------------------------------- activations


@mutant(lambda: ReLU(), (4, 3, 2), hint="a mask is missing")
def relu_without_mask(layer: ReLU, dy: Array) -> Array:
    return dy.copy()


@mutant(lambda: ReLU(), (4, 3, 2), where="contract", hint="not linear in dy")
def relu_mask_of_dy(layer: ReLU, dy: Array) -> Array:
    return dy * (dy > 0)


@mutant(lambda: ReLU(), (4, 3, 2), where="contract", hint="changes its input", method="forward")
def relu_in_place(layer: ReLU, x: Array, training: bool = False) -> Array:
    layer.check_input(x)
    y = np.maximum(x, 0, out=x)
    layer.cache = (y,)
    return y


@mutant(lambda: LeakyReLU(0.1), (4, 3, 2), hint="only they, are 10 times")
def leaky_slope_forgotten(layer: LeakyReLU, dy: Array) -> Array:
    return dy.copy()


@mutant(lambda: Sigmoid(), (4, 3, 2))
def sigmoid_without_one_factor(layer: Sigmoid, dy: Array) -> Array:
    return dy * layer.cache[0]


@mutant(lambda: Tanh(), (4, 3, 2))
def tanh_square_forgotten(layer: Tanh, dy: Array) -> Array:
    return dy * (1 - layer.cache[0])


# ---------------------------------------------------------------- normalisation and noise


@mutant(lambda: BatchNormalization(), (4, 3, 2), training=True, hint="one number for each channel")
def batch_mean_taken_as_constant(layer: BatchNormalization, dy: Array) -> Array:
    xhat, s, _ = layer.cache
    g = dy * layer.params["gamma"]
    BatchNormalization.backward(layer, dy)
    return s * (g - xhat * (g * xhat).mean(axis=(0, 1, 2)))


@mutant(lambda: BatchNormalization(), (4, 3, 2), training=True, hint="the error follows the input")
def batch_variance_taken_as_constant(layer: BatchNormalization, dy: Array) -> Array:
    _, s, _ = layer.cache
    g = dy * layer.params["gamma"]
    BatchNormalization.backward(layer, dy)
    return s * (g - g.mean(axis=(0, 1, 2)))


@mutant(lambda: BatchNormalization(), (4, 3, 2), training=True, hint="gamma is forgotten")
def gamma_forgotten(layer: BatchNormalization, dy: Array) -> Array:
    return BatchNormalization.backward(layer, dy) / layer.params["gamma"]


@mutant(lambda: BatchNormalization(), (4, 3, 2), hint="a missing term")
def training_formula_in_evaluation(layer: BatchNormalization, dy: Array) -> Array:
    xhat, s, _ = layer.cache
    layer.cache = (xhat, s, True)
    return BatchNormalization.backward(layer, dy)


@mutant(lambda: Dropout(0.4), (4, 3, 2), training=True, where="contract", hint="changes the state")
def fresh_mask_in_backward(layer: Dropout, dy: Array) -> Array:
    return Dropout.forward(layer, dy, training=True)


@mutant(lambda: Dropout(0.5), (4, 3, 2), training=True, hint="1/2")
def dropout_scale_forgotten(layer: Dropout, dy: Array) -> Array:
    return dy * (layer.cache[0] > 0)


@mutant(lambda: GaussianSampling(), (6,), training=True, hint="only they, are 2 times")
def half_of_logvar_forgotten(layer: GaussianSampling, dy: Array) -> Array:
    eps, s = layer.cache
    return np.concatenate([dy, dy * eps * s], axis=-1)


@mutant(lambda: GaussianSampling(), (6,), training=True, hint="along axis 1 is 3, 4, 5")
def eps_forgotten(layer: GaussianSampling, dy: Array) -> Array:
    _, s = layer.cache
    return np.concatenate([dy, dy * s / 2], axis=-1)


@mutant(lambda: GaussianSampling(), (6,), training=True)
def variance_for_deviation(layer: GaussianSampling, dy: Array) -> Array:
    eps, s = layer.cache
    return np.concatenate([dy, dy * eps * s**2 / 2], axis=-1)


# ---------------------------------------------------------------- chains


def two_dense() -> Sequential:
    return Sequential([Dense(4), Tanh(), Dense(3)], input_shape=(5,), dtype=np.float64)


@mutant(two_dense, (5,), where="0.dense.W")
def chain_skips_a_layer(model: Sequential, dy: Array) -> Array:
    first, _, last = model.layers
    return first.backward(last.backward(dy))


@mutant(two_dense, (5,), where="0.dense.W", hint="0 everywhere")
def chain_stops_early(model: Sequential, dy: Array) -> Array:
    model.layers[2].backward(dy)
    model.layers[0].grads["W"][...] = 0
    return np.zeros((len(dy), 5))


@mutant(two_dense, (5,), where="contract", hint="overwritten, not added to", batch=4)
def chain_accumulates(model: Sequential, dy: Array) -> Array:
    before = model.layers[2].grads["b"].copy()
    dx = Sequential.backward(model, dy)
    model.layers[2].grads["b"] += before
    return dx


class Residual(Sequential):
    """``y = x + f(x)``, f being the chain."""

    def forward(self, x: Array, training: bool = False) -> Array:
        return x + super().forward(x, training)

    def backward(self, dy: Array) -> Array:
        return dy + super().backward(dy)


def residual() -> Residual:
    return Residual([Dense(5), Tanh()], input_shape=(5,), dtype=np.float64)


@mutant(residual, (5,))
def shortcut_detached(model: Residual, dy: Array) -> Array:
    return Sequential.backward(model, dy)

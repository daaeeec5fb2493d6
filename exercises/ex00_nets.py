"""The small nets of exercise 0 for batch normalisation, skips, sampling and MAP, with mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers import (
    BatchNormalization,
    Dense,
    Flatten,
    GaussianSampling,
    Layer,
    ReLU,
    Reshape,
    Sequential,
)
from nnscratch.layers.base import Composite, Shape

Array = np.ndarray

BETA = 1.0  # of MAP, in squared pixels
LATENT = 8  # numbers in a code of MAP


class Skip(Composite):
    """y = x + relu(x W + b): a residual block, with as many outputs as inputs."""

    def __init__(self) -> None:
        self.dense, self.relu = Dense(1), ReLU()
        super().__init__({"dense": self.dense, "relu": self.relu})

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        self.dense.units = input_shape[-1]
        self.relu.build(self.dense.build(input_shape, rng, dtype), rng, dtype)
        self.input_shape = self.built_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        return self.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x.shape,)
        return x + self.relu.forward(self.dense.forward(x, training), training)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        return dy + self.dense.backward(self.relu.backward(dy))


def dense_net(
    middle: type[Layer],
    side: int,
    filters: int,
    classes: int,
    seed: int | Sequence[int],
    dtype: DTypeLike,
) -> Sequential:
    """Grey image -> dense layer -> the layer looked at -> logits."""
    return Sequential(
        [Flatten(), Dense(4 * filters), middle(), ReLU(), Dense(classes)],
        input_shape=(side, side, 1),
        seed=seed,
        dtype=dtype,
    )


NETS = {layer: partial(dense_net, layer) for layer in (BatchNormalization, Skip, GaussianSampling)}


# ---------------------------------------------------------------- mistakes


def constant_moments(layer: BatchNormalization, dy: Array) -> Array:
    """dx of batch normalisation forgets that mean and variance depend on x."""
    BatchNormalization.backward(layer, dy)
    s = layer.cache[1]
    return dy * layer.params["gamma"] * s


def one_branch(layer: Skip, dy: Array) -> Array:
    """The gradient of a skip connection comes through the layers only, not past them."""
    return layer.dense.backward(layer.relu.backward(dy))


def logvar_as_std(layer: GaussianSampling, dy: Array) -> Array:
    """Sampling forgets the factor 1/2 in dlogvar = dz eps s / 2."""
    eps, s = layer.cache
    dlogvar = np.zeros_like(dy) if eps is None else dy * eps * s
    return np.concatenate([dy, dlogvar], axis=-1)


def logvar_without_eps(layer: GaussianSampling, dy: Array) -> Array:
    """Sampling forgets the noise in dlogvar = dz eps s / 2."""
    eps, s = layer.cache
    dlogvar = np.zeros_like(dy) if eps is None else dy * s / 2
    return np.concatenate([dy, dlogvar], axis=-1)


def map_gradient(decoder: Sequential, x: Array, z: Array) -> tuple[Array, Array]:
    """||x - g(z)||^2 + beta ||z||^2 for each image, and its gradient."""
    difference = decoder.forward(z) - x
    values = (difference**2).sum(axis=(1, 2, 3)) + BETA * (z**2).sum(axis=1)
    return values, decoder.backward(2 * difference) + 2 * BETA * z


def half_prior(decoder: Sequential, x: Array, z: Array) -> tuple[Array, Array]:
    """The gradient of MAP's prior term beta ||z||^2 lacks its factor 2."""
    values, dz = map_gradient(decoder, x, z)
    return values, dz - BETA * z


def linear_decoder(x: Array, dtype: DTypeLike) -> Sequential:
    """The decoder of a PCA: codes N(0, I) give images with the mean and main directions of x."""
    decoder = Sequential(
        [Dense(x[0].size), Reshape(x.shape[1:])], input_shape=(LATENT,), seed=0, dtype=dtype
    )
    rows = x.reshape(len(x), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(rows - mean, full_matrices=False)
    scale = sizes[:LATENT, np.newaxis] / np.sqrt(len(x))
    decoder.params["0.dense.W"][...] = scale * directions[:LATENT]
    decoder.params["0.dense.b"][...] = mean
    return decoder

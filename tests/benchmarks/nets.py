"""This library's side of the whole steps: the networks, and one training step of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    UpSampling2D,
)
from nnscratch.layers.base import Array
from nnscratch.layers.wanted import input_gradient_only, parameter_gradients_only
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.stand_ins import stand_in
from nnscratch.training import train_step
from tests.benchmarks.cases import MAP_BETA, VAE_LATENT

Loss = Callable[[Array, Array], tuple[float, Array]]


def autoencoder(seed: int = 0) -> Autoencoder:
    """The network of exercise 1 (a test holds it to that), without importing the exercises."""
    encoder = [
        *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))),
    ]
    decoder = [
        *(UpSampling2D((2, 1)), Conv2DTranspose(16, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(1, 3), ReLU()),
    ]
    return Autoencoder(
        Sequential(encoder, (32, 32, 1), seed=[seed, 0]),
        Sequential(decoder, (1, 2, 1), seed=[seed, 1]),
    )


def vae_decoder(widths: Sequence[int] = (64, 32), dtype: DTypeLike = np.float32) -> Sequential:
    """Latent -> logits of an image: dense, then transposed convolutions 4x4 that double it."""
    layers: list[Layer] = [Dense(4 * 4 * widths[0]), ReLU(), Reshape((4, 4, widths[0]))]
    for width in widths:
        layers += [Conv2DTranspose(width, 4, strides=2), ReLU()]
    layers.append(Conv2DTranspose(1, 4, strides=2))
    return Sequential(layers, (VAE_LATENT,), seed=1, dtype=dtype)


def vae(widths: Sequence[int] = (32, 64, 64)) -> VAE:
    """Strided convolutions 4x4 down to the heads, and the decoder above."""
    layers: list[Layer] = []
    for width in widths:
        layers += [Conv2D(width, 4, strides=2), ReLU()]
    encoder = Sequential([*layers, Flatten()], (32, 32, 1), seed=0)
    return VAE(encoder, VAE_LATENT, vae_decoder(tuple(reversed(widths))[1:]))


class TrainingStep:
    """Forward, loss, backward, Adam; called once a step, it returns the loss."""

    def __init__(self, model: Layer, x: Array, target: Array, loss: Loss) -> None:
        self.model, self.x, self.target, self.loss = model, x, target, loss
        self.optimizer = Adam(1e-3)

    def __call__(self) -> float:
        return self.on(self.x, self.target)

    def on(self, x: Array, target: Array) -> float:
        """One step on another batch."""
        with parameter_gradients_only(self.model):
            return train_step(self.model, self.optimizer, stand_in(self.loss), x, target)


class MapStep:
    """A step of ``argmin_z ||x - g(z)||^2 + beta ||z||^2``; only z moves."""

    def __init__(self, x: Array, z: Array) -> None:
        self.x, self.z = x, z
        self.decoder = vae_decoder(dtype=x.dtype)
        self.model = Sequential([self.decoder, Sigmoid()], (VAE_LATENT,), dtype=x.dtype)
        self.optimizer = Adam(1e-2)

    def __call__(self) -> float:
        value, dy = stand_in(mse)(self.model.forward(self.z), self.x, reduction="sum")
        with input_gradient_only(self.model):
            dz = self.model.backward(dy)
        dz = dz + 2 * MAP_BETA * self.z
        value += MAP_BETA * float((self.z**2).sum())
        self.optimizer.step({"z": self.z}, {"z": dz})
        return value


def mse_of_both(y: Array, target: Array) -> tuple[float, Array]:
    """The U-Net's loss, MSE1 + MSE2: twice the mean over both images."""
    value, dy = stand_in(mse)(y, target)
    return 2 * value, 2 * dy

"""This library's side of the whole steps: the networks, and one training step of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers import (
    BatchNormalization,
    Composite,
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
from nnscratch.layers.base import Array, Shape
from nnscratch.layers.fusion import input_gradient_only, parameter_gradients_only
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder
from nnscratch.optimizers import Adam
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


def two_convolutions(filters: int, input_shape: Shape, seed: int, dtype: DTypeLike) -> Sequential:
    """A level of the U-Net."""
    layers = [
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
    ]
    return Sequential(layers, input_shape, seed=seed, dtype=dtype)


class UNetDecoder(Composite):
    """From the bottleneck back up: enlarge, put the encoder's image of that size beside, convolve.

    Enlarging is a transposed convolution 2x2 with stride 2; a 1x1 convolution ends it.
    """

    def __init__(self, low: Shape, skips: list[Shape], seed: int, dtype: DTypeLike) -> None:
        self.ups, self.blocks = [], []
        parts: dict[str, Layer] = {}
        for i, (H, W, C) in reversed(list(enumerate(skips))):
            up = Sequential([Conv2DTranspose(C, 2, strides=2)], low, seed + i, dtype)
            block = two_convolutions(C, (H, W, 2 * C), seed + i + 50, dtype)
            parts |= {f"up{i}": up, f"block{i}": block}
            self.ups.append(up)
            self.blocks.append(block)
            low = block.built_shape
        self.head = Sequential([Conv2D(3, 1)], low, seed + 99, dtype)
        super().__init__({**parts, "head": self.head})

    def forward(self, x: Array, skips: list[Array], training: bool = False) -> Array:  # type: ignore[override]
        for up, block, skip in zip(self.ups, self.blocks, reversed(skips), strict=True):
            enlarged = up.forward(x, training)  # (N, H, W, C) as is skip
            x = block.forward(np.concatenate([enlarged, skip], axis=-1), training)
        return self.head.forward(x, training)

    def backward(self, dy: Array) -> tuple[Array, list[Array]]:  # type: ignore[override]
        """dL/dx and dL/dskip for each skip connection, the largest image first."""
        dskips = []
        dx = self.head.backward(dy)
        for up, block in zip(reversed(self.ups), reversed(self.blocks), strict=True):
            both = block.backward(dx)
            C = up.built_shape[-1]
            dskips.append(both[..., C:])
            dx = up.backward(np.ascontiguousarray(both[..., :C]))
        return dx, dskips


class UNet(Composite):
    """One encoder, two decoders: an image in, two images out, side by side on the last axis.

    Each level is two convolutions 3x3 with batch normalisation and ReLU, and a 2x2 max pooling.
    """

    def __init__(
        self,
        filters: Sequence[int] = (32, 64, 128, 256),
        bottleneck: int = 512,
        side: int = 32,
        dtype: DTypeLike = np.float32,
    ) -> None:
        shape: Shape = (side, side, 3)
        self.input_shape, self.built_shape, self.dtype = shape, (side, side, 6), np.dtype(dtype)
        self.blocks, self.pools = [], []
        for i, width in enumerate(filters):
            self.blocks.append(two_convolutions(width, shape, i, dtype))
            self.pools.append(Sequential([MaxPooling2D(2)], self.blocks[-1].built_shape, 0, dtype))
            shape = self.pools[-1].built_shape
        self.bottleneck = two_convolutions(bottleneck, shape, 49, dtype)
        skips = [block.built_shape for block in self.blocks]
        self.decoders = [
            UNetDecoder(self.bottleneck.built_shape, skips, seed, dtype) for seed in (100, 200)
        ]
        parts: dict[str, Layer] = {}
        for i, (block, pool) in enumerate(zip(self.blocks, self.pools, strict=True)):
            parts |= {f"block{i}": block, f"pool{i}": pool}
        parts |= {"bottleneck": self.bottleneck}
        parts |= {f"decoder{i}": decoder for i, decoder in enumerate(self.decoders)}
        super().__init__(parts)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        skips = []
        for block, pool in zip(self.blocks, self.pools, strict=True):
            skips.append(block.forward(x, training))
            x = pool.forward(skips[-1], training)
        x = self.bottleneck.forward(x, training)
        self.cache = (x.shape,)
        images = [decoder.forward(x, skips, training) for decoder in self.decoders]
        return np.concatenate(images, axis=-1)

    def entrance(self) -> Sequential:
        return self.blocks[0]

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        dy_1, dy_2 = (np.ascontiguousarray(dy[..., i : i + 3]) for i in (0, 3))
        dx, dskips = self.decoders[0].backward(dy_1)
        dx_2, dskips_2 = self.decoders[1].backward(dy_2)
        dx = self.bottleneck.backward(dx + dx_2)
        for i in reversed(range(len(self.blocks))):
            dx = self.pools[i].backward(dx)
            dx += dskips[i]
            dx += dskips_2[i]
            dx = self.blocks[i].backward(dx)
        return dx


class TrainingStep:
    """Forward, loss, backward, Adam; called once a step, it returns the loss."""

    def __init__(self, model: Layer, x: Array, target: Array, loss: Loss) -> None:
        self.model, self.x, self.target, self.loss = model, x, target, loss
        self.optimizer = Adam(1e-3)

    def __call__(self) -> float:
        return self.on(self.x, self.target)

    def on(self, x: Array, target: Array) -> float:
        """One step on another batch."""
        value, dy = self.loss(self.model.forward(x, training=True), target)
        with parameter_gradients_only(self.model):
            self.model.backward(dy)
        self.optimizer.step(self.model.params, self.model.grads)
        return value


class MapStep:
    """A step of ``argmin_z ||x - g(z)||^2 + beta ||z||^2``; only z moves."""

    def __init__(self, x: Array, z: Array) -> None:
        self.x, self.z = x, z
        self.decoder = vae_decoder(dtype=x.dtype)
        self.model = Sequential([self.decoder, Sigmoid()], (VAE_LATENT,), dtype=x.dtype)
        self.optimizer = Adam(1e-2)

    def __call__(self) -> float:
        value, dy = mse(self.model.forward(self.z), self.x, reduction="sum")
        with input_gradient_only(self.model):
            dz = self.model.backward(dy)
        dz = dz + 2 * MAP_BETA * self.z
        value += MAP_BETA * float((self.z**2).sum())
        self.optimizer.step({"z": self.z}, {"z": dz})
        return value


def mse_of_both(y: Array, target: Array) -> tuple[float, Array]:
    """The U-Net's loss, MSE1 + MSE2: twice the mean over both images."""
    value, dy = mse(y, target)
    return 2 * value, 2 * dy

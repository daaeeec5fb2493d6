"""This library's side: ``build(case)`` makes what is timed, out of the public functions."""

from __future__ import annotations

import numpy as np

from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Layer,
    MaxPooling2D,
    ReLU,
    Sequential,
    UpSampling2D,
)
from nnscratch.layers.base import Array, Shape
from nnscratch.layers.wanted import input_gradient_only, parameter_gradients_only
from nnscratch.losses import binary_crossentropy, mse
from nnscratch.models import NegativeELBO, UNet
from nnscratch.optimizers import Adam
from tests.benchmarks import cases, nets
from tests.benchmarks.cases import Convolution, Work


def build(name: str) -> Work:
    """What the case ``name``, "kind:detail", repeats."""
    kind, detail = name.split(":", 1)
    if kind in cases.CONVOLUTIONS:
        return convolution(cases.CONVOLUTIONS[kind], detail)
    if kind in cases.UPSAMPLED:
        return upsampled(cases.UPSAMPLED[kind], detail)
    return BUILDERS[kind](detail)


def numbers(*shape: int) -> Array:
    """Standard normal numbers, the same on both sides."""
    return np.random.default_rng(7).standard_normal(shape, np.float32)


def images(*shape: int) -> Array:
    """Pixels in [0, 1), the same on both sides."""
    return np.random.default_rng(8).random(shape, np.float32)


def convolution(c: Convolution, which: str) -> Work:
    """One pass of a convolution; the one for the weights gives the gradient of the bias, too."""
    pads = ((c.pad, c.pad),) * 2
    layers = [Conv2D(c.filters, c.kernel, c.stride, pads)]
    model = Sequential(layers, (c.side, c.side, c.channels))
    x, dy = numbers(c.batch, *model.input_shape), numbers(c.batch, *model.built_shape)
    if which == "forward":
        return Work(lambda: model.forward(x, training=True), c.flops)
    model.forward(x, training=True)
    only = parameter_gradients_only if which == "weights" else input_gradient_only

    def run() -> Array:
        with only(model):
            return model.backward(dy)

    return Work(run, c.flops)


def layer_pass(layer: Layer, x: Array, which: str, flops: float = 0.0) -> Work:
    """The forward or the backward pass of a built layer; ``flops`` are those of the forward."""
    dy = numbers(*layer.forward(x, training=True).shape)
    if which == "forward":
        return Work(lambda: layer.forward(x, training=True), flops)
    return Work(lambda: layer.backward(dy), 2 * flops)


def upsampled(c: Convolution, which: str) -> Work:
    """Enlarging by 2, a convolution and ReLU, as they stand in a decoder."""
    layers = [UpSampling2D(2), Conv2D(c.filters, c.kernel), ReLU()]
    low: Shape = (c.side // 2, c.side // 2, c.channels)
    return layer_pass(Sequential(layers, low), numbers(c.batch, *low), which, c.flops)


def one_layer(layer: Layer, shape: Shape, which: str, flops: float = 0.0) -> Work:
    """A single layer on inputs of ``shape``, batch axis included."""
    return layer_pass(Sequential([layer], shape[1:]), numbers(*shape), which, flops)


def dense(which: str) -> Work:
    N, inputs, units = cases.DENSE
    return one_layer(Dense(units), (N, inputs), which, 2.0 * N * inputs * units)


def adam(which: str) -> Work:
    params, grads = ({"p": numbers(cases.ADAM_PARAMETERS)} for _ in range(2))
    optimizer = Adam(1e-3)
    return Work(lambda: optimizer.step(params, grads))


# ---------------------------------------------------------------- whole steps


def autoencoder_step(batch: int) -> nets.TrainingStep:
    x = images(batch, 32, 32, 1)
    return nets.TrainingStep(nets.autoencoder(), x, x, mse)


def vae_step() -> nets.TrainingStep:
    model, x = nets.vae(), images(cases.VAE_BATCH, 32, 32, 1)
    return nets.TrainingStep(model, x, x, NegativeELBO(model, 1.0, binary_crossentropy))


def unet_step() -> nets.TrainingStep:
    pair = images(cases.UNET_BATCH, 32, 32, 6)
    average = (pair[..., :3] + pair[..., 3:]) / 2
    return nets.TrainingStep(UNet(), average, pair, nets.mse_of_both)


def map_step() -> nets.MapStep:
    n = cases.MAP_IMAGES
    return nets.MapStep(images(n, 32, 32, 1), numbers(n, cases.VAE_LATENT))


def step(which: str) -> Work:
    """A whole step; forward, weight gradients and input gradients count alike."""
    if which == "map":
        run = map_step()
        return Work(run, 2 * 2.0 * run.model.multiply_adds() * cases.MAP_IMAGES)
    if which == "autoencoder":
        return training(autoencoder_step(cases.AE_BATCH))
    return training(vae_step() if which == "vae" else unet_step())


def training(made: nets.TrainingStep) -> Work:
    return Work(made, 3 * 2.0 * made.model.multiply_adds() * len(made.x))


def epoch(batch: str) -> Work:
    """All images once, shuffled, in batches."""
    made = autoencoder_step(int(batch))
    x = images(cases.EPOCH_IMAGES, 32, 32, 1)

    def run() -> float:
        order = np.random.default_rng(0).permutation(len(x))
        total = 0.0
        for start in range(0, len(x), int(batch)):
            chosen = x[order[start : start + int(batch)]]
            total += made.on(chosen, chosen) * len(chosen)
        return total / len(x)

    return Work(run, 3 * 2.0 * made.model.multiply_adds() * len(x), warm_up=made)


def scaling(sizes: str) -> Work:
    """Forward and backward of convolution + ReLU; ``sizes`` is "batch,side,channels"."""
    batch, side, channels = map(int, sizes.split(","))
    shape = (side, side, channels)
    block = Sequential([Conv2D(channels, 3), ReLU()], shape)
    x = numbers(batch, *shape)
    dy = numbers(batch, *block.built_shape)

    def run() -> Array:
        block.forward(x, training=True)
        return block.backward(dy)

    return Work(run, 3 * 2.0 * block.multiply_adds() * batch)


BUILDERS = {
    "max_pool": lambda which: one_layer(MaxPooling2D(2), cases.POOLED, which),
    "batch_norm": lambda which: one_layer(BatchNormalization(), cases.NORMALIZED, which),
    "relu": lambda which: one_layer(ReLU(), cases.ACTIVATED, which),
    "dense": dense,
    "adam": adam,
    "step": step,
    "epoch": epoch,
    "scaling": scaling,
}

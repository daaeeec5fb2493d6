"""Whole models to check: the networks of the exercises, or small ones of the same build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnscratch.gradcheck.check import check_gradients
from nnscratch.gradcheck.report import Report
from nnscratch.layers import (
    AveragePooling2D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    UpSampling2D,
)
from nnscratch.map_inference import _Problem
from nnscratch.models import VAE, Autoencoder, NegativeELBO, UNet

Array = np.ndarray


def exercise_1_autoencoder() -> Autoencoder:
    """The network of exercise 1: 32 x 32 grey pixels to a code of two numbers and back."""
    encoder: list[Layer] = []
    for _ in range(4):
        encoder += [Conv2D(16, 3), ReLU(), MaxPooling2D(2)]
    encoder += [Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))]
    decoder: list[Layer] = [UpSampling2D((2, 1)), Conv2DTranspose(16, 3), ReLU()]
    for _ in range(3):
        decoder += [UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()]
    decoder += [UpSampling2D(2), Conv2DTranspose(1, 3), ReLU()]
    return Autoencoder(
        Sequential(encoder, input_shape=(32, 32, 1), seed=4, dtype=np.float64),
        Sequential(decoder, input_shape=(1, 2, 1), seed=5, dtype=np.float64),
    )


def check_exercise_1() -> Report:
    """All of it, at a point where neither the code nor the output is dead.

    A ReLU that gives 0 everywhere would make every gradient 0 and the check trivial.
    """
    rng = np.random.default_rng(6)
    model = exercise_1_autoencoder()
    for parameter in model.params.values():
        if parameter.ndim == 1:
            parameter += rng.uniform(0, 0.2, parameter.shape)  # biases above 0 keep units alive
    x = rng.uniform(size=(2, 32, 32, 1))
    code, y = model.encoder.forward(x), model.forward(x)
    assert (code > 0).all(), "the code is dead; choose another seed"
    assert (y > 0).mean() > 0.2, "most of the output is dead; choose another seed"
    return check_gradients(model, x, subject="Autoencoder of exercise 1")


def small_vae() -> VAE:
    """Of smooth layers, so that every entry can be compared."""
    encoder: list[Layer] = [Conv2D(3, 3), Tanh(), AveragePooling2D(2), Flatten()]
    decoder: list[Layer] = [Dense(8), Tanh(), Reshape((2, 2, 2)), Conv2DTranspose(1, 3, strides=2)]
    return VAE(
        Sequential(encoder, input_shape=(4, 4, 1), seed=7, dtype=np.float64),
        2,
        Sequential(decoder, input_shape=(2,), seed=8, dtype=np.float64),
        seed=9,
    )


def check_vae(training: bool) -> Report:
    """The gradient of the decoded image, through the sample and both heads."""
    x = np.random.default_rng(10).uniform(size=(3, 4, 4, 1))
    words = ", training" if training else ""
    no_effect = [] if training else ["logvar"]  # evaluation decodes mu
    subject = f"VAE 4x4x1{words}"
    return check_gradients(small_vae(), x, training=training, no_effect=no_effect, subject=subject)


def small_unet() -> UNet:
    """Of two levels, so that there is a skip beside the pooling and one beside the bottleneck."""
    model = UNet((4, 4, 2), filters=(2, 2), bottleneck=2, seed=21, dtype=np.float64)
    keep_alive(model)
    return model


def keep_alive(model: Layer) -> None:
    """Shift what goes into each ReLU up, or in evaluation some give 0 everywhere."""
    for name, parameter in model.params.items():
        if name.endswith("beta"):
            parameter += 0.5


def negative_elbo() -> tuple[Callable[..., Any], str, list[Array]]:
    """The whole loss as a function of all parameters, its noise frozen, and where to check it."""
    model, x = small_vae(), np.random.default_rng(11).uniform(size=(3, 4, 4, 1))
    loss = NegativeELBO(model, kl_weight=2.56)

    def function(*values: Array) -> tuple[Any, tuple[Array, ...]]:
        for parameter, point in zip(model.params.values(), values, strict=True):
            parameter[...] = point
        model.sampling.state["draws"][...] = 0  # the same noise every time
        value, gradients = loss(model.forward(x, training=True), x)
        model.backward(*gradients)
        return value, tuple(gradient.copy() for gradient in model.grads.values())

    rng = np.random.default_rng(12)
    points = [p + 0.3 * rng.standard_normal(p.shape) for p in model.params.values()]
    return function, "VAE 4x4x1, all parameters", points


def map_objective() -> tuple[Callable[..., Any], str, list[Array]]:
    """What MAP inference makes small, as a function of the codes: mask, prior and decoder."""
    rng = np.random.default_rng(15)
    decoder = small_vae().decoder
    x, z = rng.uniform(size=(3, *decoder.built_shape)), rng.standard_normal((3, 2))
    mask = rng.integers(2, size=x.shape)
    problem = _Problem(decoder, x, z[np.newaxis], 0.7, mask)

    def function(z: Array) -> tuple[Any, Array]:
        values, dz = problem.value_and_gradient(z, np.arange(len(z)))
        return values.sum(), dz

    return function, "4x4x1, masked, beta=0.7", [z]

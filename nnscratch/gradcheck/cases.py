"""Everything in the package that has a backward pass, in the configurations worth checking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnscratch import losses
from nnscratch.gradcheck.check import check_gradients, check_loss
from nnscratch.gradcheck.model_cases import (
    check_exercise_1,
    check_vae,
    map_objective,
    negative_elbo,
    small_unet,
)
from nnscratch.gradcheck.report import Report
from nnscratch.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    GaussianSampling,
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

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """One line of the table: ``case.check()`` makes the report."""

    layer: str
    configuration: str
    check: Callable[[], Report]


def layer_case(
    kind: type[Layer], shape: tuple[int, ...], *, training: bool = False, **arguments: Any
) -> Case:
    """A layer for samples of ``shape``, made by ``kind(**arguments)``."""
    words = [f"{k}={v}".replace(" ", "") for k, v in arguments.items()]
    configuration = ", ".join(["x".join(map(str, shape)), *words, *["training"] * training])

    def check() -> Report:
        rng = np.random.default_rng(1)
        layer = kind(**arguments)
        layer.build(shape, rng, np.float64)
        x = rng.standard_normal((3, *shape))
        name = f"{kind.__name__} {configuration}"
        return check_gradients(layer, x, training=training, subject=name)

    return Case(kind.__name__, configuration, check)


def model_case(name: str, configuration: str, make: Callable[[], Layer], training: bool) -> Case:
    """A model that ``make`` makes, ``input_shape`` and all."""
    configuration += ", training" if training else ""

    def check() -> Report:
        model = make()
        x = np.random.default_rng(2).standard_normal((3, *model.input_shape))
        return check_gradients(model, x, training=training, subject=f"{name} {configuration}")

    return Case(name, configuration, check)


def loss_case(
    name: str, function: Callable[..., Any], configuration: str, arrays: Sequence[Array]
) -> Case:
    """A loss, as a function of what it is differentiated by."""

    def check() -> Report:
        return check_loss(function, *arrays, subject=f"{name} {configuration}")

    return Case(name, configuration, check)


def convolution_cases() -> list[Case]:
    """Both convolutions: odd and even kernels, unequal strides, every kind of padding."""
    odd_pads = ((0, 2), (1, 0))
    return [
        layer_case(Conv2D, (5, 6, 2), filters=3, kernel_size=3),
        layer_case(Conv2D, (5, 6, 2), filters=3, kernel_size=3, padding="valid"),
        layer_case(Conv2D, (6, 5, 2), filters=3, kernel_size=(2, 4)),
        layer_case(Conv2D, (7, 6, 2), filters=3, kernel_size=3, strides=2),
        layer_case(Conv2D, (7, 6, 2), filters=3, kernel_size=(3, 2), strides=(1, 3)),
        layer_case(Conv2D, (6, 7, 2), filters=3, kernel_size=2, strides=3, padding="valid"),
        layer_case(Conv2D, (5, 6, 2), filters=2, kernel_size=(2, 3), padding=odd_pads),
        layer_case(Conv2D, (5, 6, 3), filters=3, kernel_size=1),
        layer_case(Conv2D, (1, 1, 2), filters=3, kernel_size=3),
        layer_case(Conv2D, (9, 10, 4), filters=8, kernel_size=3),
        layer_case(Conv2DTranspose, (4, 5, 2), filters=3, kernel_size=3),
        layer_case(Conv2DTranspose, (4, 5, 2), filters=3, kernel_size=3, padding="valid"),
        layer_case(Conv2DTranspose, (4, 3, 2), filters=3, kernel_size=(2, 4)),
        layer_case(Conv2DTranspose, (4, 3, 2), filters=3, kernel_size=3, strides=2),
        layer_case(Conv2DTranspose, (4, 3, 2), filters=3, kernel_size=(3, 2), strides=(1, 3)),
        layer_case(
            Conv2DTranspose, (3, 4, 2), filters=3, kernel_size=2, strides=3, padding="valid"
        ),
        layer_case(Conv2DTranspose, (4, 5, 2), filters=2, kernel_size=(2, 3), padding=odd_pads),
        layer_case(
            Conv2DTranspose, (3, 4, 2), filters=2, kernel_size=3, strides=2, output_padding=0
        ),
        layer_case(
            Conv2DTranspose, (3, 4, 2), filters=2, kernel_size=3, strides=2, output_padding=(1, 0)
        ),
        layer_case(Conv2DTranspose, (1, 1, 2), filters=3, kernel_size=3),
        layer_case(Conv2DTranspose, (8, 9, 4), filters=8, kernel_size=3),
    ]


def resizing_cases() -> list[Case]:
    """Pooling and upsampling."""
    cases = [
        layer_case(kind, shape, **arguments)
        for kind in (MaxPooling2D, AveragePooling2D)
        for shape, arguments in (
            ((6, 4, 2), {"pool_size": 2}),
            ((7, 5, 2), {"pool_size": (2, 1)}),
            ((6, 7, 2), {"pool_size": 3, "strides": 1}),
            ((7, 6, 2), {"pool_size": (3, 2), "strides": (2, 3), "padding": "same"}),
            ((5, 5, 2), {"pool_size": 2, "strides": 3}),
            ((4, 5, 2), {"pool_size": 3, "padding": ((2, 0), (1, 2))}),
            ((1, 1, 3), {"pool_size": 1}),
        )
    ]
    for interpolation in ("nearest", "bilinear"):
        for shape, size in (((3, 4, 2), 2), ((2, 3, 2), (3, 1)), ((1, 1, 3), (2, 3))):
            cases.append(layer_case(UpSampling2D, shape, size=size, interpolation=interpolation))
    return cases


def other_layer_cases() -> list[Case]:
    """Layers without windows."""
    cases = [layer_case(Dense, (7,), units=5), layer_case(Dense, (1,), units=1)]
    cases.append(layer_case(Dense, (40,), units=30))
    for shape in ((6,), (4, 3, 2)):
        cases += [layer_case(kind, shape) for kind in (ReLU, LeakyReLU, Sigmoid, Tanh)]
    cases += [
        layer_case(LeakyReLU, (6,), negative_slope=0.01),
        layer_case(Flatten, (3, 2, 2)),
        layer_case(Reshape, (12,), target_shape=(2, 3, 2)),
        layer_case(Reshape, (2, 3, 2), target_shape=(-1, 4)),
        layer_case(Dropout, (4, 3, 2), rate=0.4),
        layer_case(Dropout, (4, 3, 2), rate=0.4, training=True),
        layer_case(GaussianSampling, (6,)),
        layer_case(GaussianSampling, (6,), training=True),
        layer_case(GaussianSampling, (2, 3, 4), training=True),
    ]
    for shape in ((5,), (4, 3, 2)):
        cases += [layer_case(BatchNormalization, shape, training=flag) for flag in (False, True)]
    return cases


def chain_cases() -> list[Case]:
    """Whole networks of many layers, in evaluation and in training."""

    def smooth() -> Layer:
        layers = [
            Conv2D(4, 3), BatchNormalization(), Tanh(), AveragePooling2D(2),
            Conv2DTranspose(3, 3, strides=2), Sigmoid(), Flatten(), Dense(6), GaussianSampling(),
        ]  # fmt: skip
        return Sequential(layers, (6, 6, 2), dtype=np.float64)

    def kinked() -> Layer:
        layers = [
            Conv2D(4, 3), BatchNormalization(), ReLU(), MaxPooling2D(2), Dropout(0.3), Flatten(),
            Dense(8), LeakyReLU(), Reshape((2, 2, 2)), UpSampling2D(2, "bilinear"),
        ]  # fmt: skip
        return Sequential(layers, (6, 6, 2), dtype=np.float64)

    return [
        model_case("Sequential", name, make, training=flag)
        for name, make in (("nine smooth layers", smooth), ("ten layers, kinked", kinked))
        for flag in (False, True)
    ]


def loss_cases() -> list[Case]:
    """Every loss with every reduction."""
    rng = np.random.default_rng(3)
    y, target, logvar = (rng.standard_normal((4, 3)) for _ in range(3))
    labels, p = rng.integers(3, size=4), rng.uniform(size=(4, 3))
    points: list[tuple[Callable[..., Any], dict[str, Array], tuple[Array, ...]]] = [
        (losses.mse, {"target": target}, (y,)),
        (losses.binary_crossentropy, {"target": p}, (y,)),
        (losses.softmax_crossentropy, {"labels": labels}, (y,)),
        (losses.gaussian_kl, {}, (y, logvar)),
    ]
    return [
        loss_case(loss.__name__, partial(loss, reduction=r, **fixed), f"4x3, {r}", arrays)
        for r in ("mean", "sum", "batch_mean")
        for loss, fixed, arrays in points
    ]


CASES: list[Case] = [
    *convolution_cases(),
    *resizing_cases(),
    *other_layer_cases(),
    *chain_cases(),
    *loss_cases(),
    Case("Autoencoder", "exercise 1, 32x32x1", check_exercise_1),
    Case("VAE", "4x4x1", partial(check_vae, training=False)),
    Case("VAE", "4x4x1, training", partial(check_vae, training=True)),
    loss_case("NegativeELBO", *negative_elbo()),
    loss_case("MAP", *map_objective()),
    model_case("UNet", "4x4x2, two levels", small_unet, training=False),
    model_case("UNet", "4x4x2, two levels", small_unet, training=True),
]

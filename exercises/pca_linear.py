"""A linear autoencoder is principal component analysis; what makes it something else?

Without a nonlinear function, an autoencoder with two code units can only project images onto a
plane, and the plane with the least squared error is the one that PCA gives. Gradient descent finds
it without being told. Then the assumptions are dropped one by one: ReLU on the code, another loss,
more code units than pixels. The report on autoencoders, PCA and VAEs asserts it; here it is
measured, on Fashion-MNIST.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.linalg import subspace_angles, svd

from exercises.alive_start import find_alive_seed
from exercises.common import Page, Settings, fashion, publish, run_as_script
from exercises.measures import squared_error
from exercises.trained import Recipe, train
from nnscratch.layers import Dense, Flatten, ReLU, Reshape, Sequential
from nnscratch.layers.activations import sigmoid
from nnscratch.losses import binary_crossentropy, mse
from nnscratch.metrics import pca_reconstruct
from nnscratch.models import Autoencoder
from nnscratch.plotting import label_losses, new_figure
from nnscratch.training import Array, History, Loss, predict


@dataclass(frozen=True)
class Variant:
    """An autoencoder 784-units-784 of two Dense layers.

    With `mse` the output layer gives pixels, with `binary_crossentropy` their logits.
    """

    name: str
    units: int = 2
    relu: bool = False
    loss: Loss = mse


LINEAR = Variant("linear")
RELU = Variant("ReLU on the code", relu=True)
SIGMOID = Variant("sigmoid output, BCE", loss=binary_crossentropy)
BOTH = Variant("ReLU, sigmoid, BCE", relu=True, loss=binary_crossentropy)
WIDE = Variant("linear, 1,000 code units", units=1000)


def autoencoder(seed: int, variant: Variant) -> Autoencoder:
    """28 x 28 x 1 image -> code -> image; the mean image is learned by the biases."""
    encoder = Sequential(
        [Flatten(), Dense(variant.units), *([ReLU()] if variant.relu else [])],
        input_shape=(28, 28, 1),
        seed=[seed, 0],
    )
    decoder = Sequential(
        [Dense(28 * 28), Reshape((28, 28, 1))], input_shape=(variant.units,), seed=[seed, 1]
    )
    return Autoencoder(encoder, decoder)


def recipe(settings: Settings, variant: Variant) -> Recipe:
    """10 epochs of Adam at 1e-3 as in the course for BCE; to compare planes, down to a standstill.

    The wide code needs fewer epochs to show what it does, and a step of it costs more.
    """
    full = len(fashion(settings).x_train) == 60_000
    batch, quick = 256 if full else 32, 1 if settings.quick else None
    if variant.loss is binary_crossentropy:
        return Recipe(1e-3, batch, settings.epochs or quick or (10 if full else 30))
    epochs = 2 if variant is WIDE else 20
    return Recipe(2e-3, batch, settings.epochs or quick or (epochs if full else 3 * epochs), True)


@functools.cache
def trained(settings: Settings, variant: Variant) -> tuple[Autoencoder, History, int]:
    """The trained autoencoder, its loss and angle to PCA by epoch, and the seed of its weights.

    Where the code has a ReLU, weights often die early on (exercise 1b); they are drawn again until
    some do not.
    """
    data, chosen, seed = fashion(settings), recipe(settings, variant), settings.seed
    if variant.relu:
        make = functools.partial(autoencoder, variant=variant)
        seed = find_alive_seed(make, data.x_train, chosen, seed)
    model = autoencoder(seed, variant)
    train_images, test_images = (data.x_train, data.x_train), (data.x_test, data.x_test)
    directions = principal_directions(settings)[1]
    history = train(
        settings, f"pca-{variant.name.replace(',', '').replace(' ', '-')}", model, variant.loss,
        chosen, train_images, test_images,
        measure=lambda: {"angle": angle_to(model, directions)},
    )  # fmt: skip
    return model, history, seed


@functools.cache
def principal_directions(settings: Settings) -> tuple[Array, Array, Array]:
    """PCA of the training images by a singular value decomposition.

    Returns
    -------
    mean : array (784,)
    directions : array (2, 784)
        Orthonormal, the direction of largest variance first.
    remaining : array (784,)
        Mean squared error per pixel after a projection onto 1, 2, ... directions.
    """
    rows = fashion(settings).x_train.reshape(-1, 28 * 28)
    mean = rows.mean(axis=0)
    _, s, Vt = svd(rows - mean, full_matrices=False, overwrite_a=True, check_finite=False)
    energy = s.astype(np.float64) ** 2
    remaining = np.zeros(28 * 28)
    remaining[: len(s)] = (energy.sum() - np.cumsum(energy)) / rows.size
    return mean, Vt[:2], remaining


def project(settings: Settings, x: Array) -> Array:
    """Images on the plane of the first two principal directions."""
    return pca_reconstruct(x, *principal_directions(settings)[:2])


def angle_to(model: Autoencoder, directions: Array) -> float:
    """Largest principal angle, in degrees, between what the decoder spans and the PCA plane.

    The decoder draws ``z W + b``, so the rows of its W (units, 784) span its images (of its logits,
    if a sigmoid follows). 0 if the plane lies within that span.
    """
    W = model.decoder.params["0.dense.W"]
    angles = subspace_angles(W.T.astype(np.float64), directions.T.astype(np.float64))
    return float(np.degrees(angles.max()))


def images(model: Autoencoder, variant: Variant, x: Array) -> Array:
    """What comes out for the images x, as pixels."""
    y = predict(model, x)
    return sigmoid(y) if variant.loss is binary_crossentropy else y


def measure(settings: Settings, variant: Variant) -> dict[str, Any]:
    """Error and subspace of one variant, beside those of PCA with two components.

    ``components_of_pca_with_this_error`` is how many PCA needs not to be worse on the training
    images; ``codes_exactly_0_percent`` is of all code units of the test images;
    ``draws_that_died`` counts the weights before those that were trained.
    """
    data, (model, history, seed) = fashion(settings), trained(settings, variant)
    numbers: dict[str, Any] = {}
    for name, x in (("train", data.x_train), ("test", data.x_test)):
        error = numbers[f"{name}_mse"] = squared_error(images(model, variant, x), x)
        numbers[f"{name}_mse_ratio"] = error / squared_error(project(settings, x), x)
    remaining = principal_directions(settings)[2]
    numbers["components_of_pca_with_this_error"] = components(remaining, numbers["train_mse"])
    numbers["largest_angle_degrees"] = history.measured["angle"][-1]
    numbers["codes_exactly_0_percent"] = zeros_percent(predict(model.encoder, data.x_test))
    numbers["draws_that_died"] = (seed - settings.seed) // 1000
    numbers["loss_by_epoch"] = history.loss
    return numbers


def components(remaining: Array, error: float) -> int:
    """How many directions PCA needs for at most this error; see `principal_directions`."""
    return int(np.argmax(remaining <= error)) + 1


def zeros_percent(codes: Array) -> float:
    """How much of the numbers in codes (N, d) is exactly 0."""
    return 100 * float((codes == 0).mean())


def run(settings: Settings) -> None:
    """Train all variants and compare each with PCA."""
    print("Autoencoders of one layer, and PCA", flush=True)
    started = time.perf_counter()
    variants = (LINEAR, RELU, SIGMOID, BOTH, WIDE)
    results = {variant.name: measure(settings, variant) for variant in variants}
    pca = {
        f"{name}_mse": squared_error(project(settings, x), x)
        for name, x in (("train", fashion(settings).x_train), ("test", fashion(settings).x_test))
    }
    page = Page(
        "pca_linear",
        "A linear autoencoder is PCA",
        "PCA by a singular value decomposition of the centred training images; the autoencoders "
        "see the images as they are, and their biases learn the mean. Left: the largest principal "
        "angle between the plane that the decoder's weights span and the PCA plane, after every "
        "epoch. Middle: mean squared error of pixels in [0, 1]; 1 is PCA with two "
        "components. Right: the angle at the end. For sigmoid outputs the span is of logits; with "
        "1,000 code units it is all of pixel space, in which any plane lies.",
        "Asserted: without a nonlinear function PCA and AE yield the same result; otherwise the AE "
        "may find a different subspace; with a larger hidden layer there is no reduction.",
        f"{fashion(settings).source} · MSE: {recipe(settings, LINEAR)} (1,000 units: "
        f"{recipe(settings, WIDE).epochs} epochs); BCE: {recipe(settings, SIGMOID)} · "
        f"seed {settings.seed}",
        {"PCA-2": pca, **results},
        answers(results),
    )
    publish(settings, page, draw(settings, results), started)


def draw(settings: Settings, results: dict[str, dict[str, Any]]) -> Figure:
    """The way to the PCA plane, and where each variant ends."""
    figure = new_figure(11, 4.2, "How near an autoencoder with one code layer comes to PCA")
    left, middle, right = figure.subplots(1, 3)
    for variant, style in ((LINEAR, "-o"), (RELU, "-s"), (SIGMOID, "-x")):
        angles = trained(settings, variant)[1].measured["angle"]
        left.plot(np.arange(1, len(angles) + 1), angles, style, ms=3, label=variant.name)
    label_losses(left, "angle to the PCA plane, degrees")
    left.set_xlim(0, recipe(settings, LINEAR).epochs + 1)
    left.legend(fontsize=7)
    bars(middle, results, "_mse_ratio", "MSE as a multiple of that of PCA-2")
    angles = [r["largest_angle_degrees"] for r in results.values()]
    right.barh(list(results), angles, color="C2")
    for place, angle in enumerate(angles):
        right.text(angle, place, f" {angle:.2f}", va="center", fontsize=8)
    right.set(xlabel="largest angle to the PCA plane, degrees", yticks=[])
    right.set_xlim(0, 1.2 * max(*angles, 1))
    right.invert_yaxis()
    return figure


def bars(axis: Axes, results: dict[str, dict[str, Any]], key: str, xlabel: str) -> None:
    """A pair of bars a variant, for training and test images, with their numbers."""
    places = np.arange(len(results))
    for shift, name in ((-0.2, "train"), (0.2, "test")):
        values = [r[f"{name}{key}"] for r in results.values()]
        axis.barh(places + shift, values, 0.4, label=f"{name} images")
        for place, value in zip(places + shift, values, strict=True):
            axis.text(value, place, f" {value:.4f}", va="center", fontsize=7)
    axis.axvline(1, color="0.3", lw=0.8, ls=":")
    axis.set_yticks(places, list(results), fontsize=8)
    axis.set(xlabel=xlabel, xlim=(0, 1.3 * max(axis.get_xlim())))
    axis.legend(fontsize=7)
    axis.invert_yaxis()


def answers(results: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """The report's three statements, held against the measurement."""

    def line(variant: Variant) -> str:
        r = results[variant.name]
        return (
            f"{variant.name}: MSE {r['train_mse_ratio']:.4f} times that of PCA-2 on the training "
            f"images ({r['test_mse_ratio']:.4f} on the test images), angle "
            f"{r['largest_angle_degrees']:.2f} degrees"
        )

    wide, relu = results[WIDE.name], results[RELU.name]
    spans = wide["largest_angle_degrees"] < 0.01
    bce = ", ".join(f"{loss:.4f}" for loss in results[SIGMOID.name]["loss_by_epoch"][-3:])
    return [
        (
            "Is a linear autoencoder PCA?",
            f"{line(LINEAR)}. (Its two code units may be any two directions of its plane, not the "
            "principal ones.)",
        ),
        (
            "Does a nonlinear function find another subspace?",
            f"{line(RELU)}, with {relu['codes_exactly_0_percent']:.1f} % of the codes exactly 0 "
            f"(weights drawn before whose code died: {relu['draws_that_died']}). Its decoder is "
            "still linear, so its images lie in a plane, and no encoder can make the training "
            f"error lower than PCA's. {line(SIGMOID)}. {line(BOTH)}. There the images lie on a "
            "curved surface, and the loss is another one, which may go on falling (linear code, "
            f"last epochs: {bce}).",
        ),
        (
            "What does a code larger than the image do?",
            f"With {WIDE.units:,} units for 784 pixels nothing has to be left out: the error is "
            f"{wide['train_mse_ratio']:.4f} times that of PCA-2, and PCA would need "
            f"{wide['components_of_pca_with_this_error']} components for that. Its decoder "
            f"{'spans' if spans else 'does not span'} the PCA plane (angle "
            f"{wide['largest_angle_degrees']:.2g} degrees).",
        ),
    ]


if __name__ == "__main__":
    run_as_script(run, __doc__)

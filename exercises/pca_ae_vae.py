"""Three planes of codes, of PCA, an autoencoder and a VAE: which keeps pictures of clothes apart?

All three put an image at a point of a plane. PCA (principal component analysis) does it by
projection, the autoencoder 784-2-784 by hardly more than that, the VAE 784-512-2-512-784 by
whatever its hidden layers can learn, under the condition that the plane is filled like a normal
distribution. Figures 1 and 2 of the report: what the decoders draw on the same canvas of codes; and
which plane keeps the classes apart.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from exercises import pca_linear
from exercises.common import Page, Settings, fashion, publish, run_as_script
from exercises.ex03_nearest_neighbour import class_separation
from exercises.ex05_generator import decode, grid_of_codes, nearest_image_mse
from exercises.ex07_vae import means
from exercises.trained import train
from nnscratch.layers import Dense, Flatten, ReLU, Reshape, Sequential
from nnscratch.layers.activations import sigmoid
from nnscratch.losses import binary_crossentropy
from nnscratch.models import VAE, NegativeELBO, elbo_terms
from nnscratch.plotting import (
    decoded_grid,
    digit_legend,
    new_figure,
    prior_circles,
    scatter_codes,
)
from nnscratch.randomness import stream
from nnscratch.training import Array, predict

CANVAS = np.linspace(-4, 4, 21)  # of both axes, as in the report
CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def vae(seed: int) -> VAE:
    """784-512-2-512-784; the outputs are logits of pixels."""
    encoder = Sequential([Flatten(), Dense(512), ReLU()], input_shape=(28, 28, 1), seed=[seed, 0])
    decoder = Sequential(
        [Dense(512), ReLU(), Dense(28 * 28), Reshape((28, 28, 1))], input_shape=(2,), seed=[seed, 1]
    )
    return VAE(encoder, 2, decoder, seed=[seed, 2])


@functools.cache
def trained(settings: Settings) -> VAE:
    """The VAE, trained like the autoencoders with a sigmoid: BCE + KL, in nats."""
    data, model = fashion(settings), vae(settings.seed)
    train(
        settings, "pca-vae", model, NegativeELBO(model, 1.0, binary_crossentropy),
        pca_linear.recipe(settings, pca_linear.SIGMOID),
        (data.x_train, data.x_train), (data.x_test, data.x_test),
    )  # fmt: skip
    return model


@functools.cache
def codes(settings: Settings) -> dict[str, tuple[Array, Array]]:
    """Codes (N, 2) of all training and of all test images, by each method."""
    data = fashion(settings)
    mean, directions, _ = pca_linear.principal_directions(settings)
    methods = {
        "PCA": lambda x: (x.reshape(len(x), -1) - mean) @ directions.T,
        "AE, linear": lambda x: predict(autoencoder(settings, pca_linear.SIGMOID).encoder, x),
        "AE, ReLU": lambda x: predict(autoencoder(settings, pca_linear.BOTH).encoder, x),
        "VAE": lambda x: means(trained(settings), x),
    }
    return {name: (encode(data.x_train), encode(data.x_test)) for name, encode in methods.items()}


def autoencoder(settings: Settings, variant: pca_linear.Variant) -> pca_linear.Autoencoder:
    """The trained autoencoder 784-2-784."""
    return pca_linear.trained(settings, variant)[0]


def stamp(settings: Settings) -> str:
    """What all figures of this exercise have in common."""
    chosen = pca_linear.recipe(settings, pca_linear.SIGMOID)
    return f"{fashion(settings).source} · BCE (VAE: + KL) · {chosen} · seed {settings.seed}"


@functools.cache
def grids(settings: Settings) -> dict[str, Array]:
    """The images (21, 21, 28, 28) that each decoder draws on the canvas."""
    decoders = {
        "AE, linear": autoencoder(settings, pca_linear.SIGMOID).decoder,
        "AE, ReLU": autoencoder(settings, pca_linear.BOTH).decoder,
        "VAE": trained(settings).decoder,
    }
    grid = grid_of_codes(CANVAS, CANVAS)
    return {name: sigmoid(decode(decoder, grid)) for name, decoder in decoders.items()}


def measure_grid(settings: Settings, name: str) -> dict[str, Any]:
    """How much a decoder draws on the canvas, and how like clothes it is.

    Returns
    -------
    dict
        ``codes_on_the_canvas_percent`` of the test images; ``tile_mse_to_nearest_training_image``;
        ``variance_of_tiles_percent``, the mean squared distance of a tile from the tiles' average
        as a share of that of training images from theirs.
    """
    x, tiles, z = fashion(settings).x_train, grids(settings)[name], codes(settings)[name][1]
    distances = nearest_image_mse(tiles, x)
    inside = (np.abs(z) <= CANVAS[-1]).all(axis=1)
    return {
        "codes_on_the_canvas_percent": 100 * inside.mean(),
        "tile_mse_to_nearest_training_image": distances.mean(dtype=np.float64),
        "variance_of_tiles_percent": 100 * tiles.var(axis=(0, 1)).mean() / x.var(axis=0).mean(),
    }


def run(settings: Settings) -> None:
    """Make both grids and the scatters."""
    print("PCA, autoencoder and VAE on Fashion-MNIST", flush=True)
    ae_grid(settings)
    vae_grid(settings)
    scatters(settings)


def draw_canvas(axis: Axes, tiles: Array) -> None:
    """`decoded_grid` in 24 greys, which look the same and make the file a third as large."""
    decoded_grid(axis, tiles, CANVAS, CANVAS)
    (picture,) = axis.images
    picture.set_cmap(colormaps["gray"].resampled(24))
    picture.set_interpolation_stage("data")


def ae_grid(settings: Settings) -> None:
    """Figure 1 of the report: the autoencoder's canvas, with and without ReLU on the code."""
    started = time.perf_counter()
    figure = new_figure(8, 4.4, "What the autoencoder 784-2-784 draws on the canvas of codes")
    names = ("AE, linear", "AE, ReLU")
    for axis, name in zip(figure.subplots(1, 2), names, strict=True):
        draw_canvas(axis, grids(settings)[name])
        axis.set_title(f"{name} code", fontsize=9)
        axis.set_box_aspect(1)
    page = Page(
        "pca_ae_grid",
        "Figure 1: the canvas of the autoencoder",
        "Images decoded from 21 x 21 codes from -4 to 4 on both axes, each tile centred on its "
        "code. Left: the encoder is linear. Right: ReLU on the code, so no image has a negative "
        "one; the decoder draws there all the same.",
        "A grid of decoded images, without numbers.",
        stamp(settings),
        {name: measure_grid(settings, name) for name in names},
    )
    publish(settings, page, figure, started)


def vae_grid(settings: Settings) -> None:
    """Figure 2 of the report: the VAE's canvas, beside its codes."""
    started = time.perf_counter()
    data, z = fashion(settings), codes(settings)["VAE"][1]
    figure = new_figure(9.6, 4.6, "What the VAE 784-512-2-512-784 draws on the same canvas")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    draw_canvas(left, grids(settings)["VAE"])
    limits = left.get_xlim(), left.get_ylim()
    scatter_codes(right, z, data.y_test, 10 if len(z) < 5000 else 2)
    prior_circles(right)
    right.set(xlim=limits[0], ylim=limits[1])
    for axis in (left, right):
        axis.set_box_aspect(1)
    digit_legend(figure, CLASSES)
    measured = {name: measure_grid(settings, name) for name in grids(settings)}
    page = Page(
        "pca_vae_grid",
        "Figure 2: the canvas of the VAE",
        "Left: images decoded from the same 21 x 21 codes as in Figure 1. Right: mu of the test "
        "images on the same axes, with the prior's first two standard deviations. Most of the "
        "canvas lies beyond them.",
        "A grid of decoded images; a VAE can provide a clearer subspace.",
        stamp(settings),
        measured,
        [("Does the VAE provide a clearer subspace?", clearer_answer(measured))],
    )
    publish(settings, page, figure, started)


def clearer_answer(measured: dict[str, dict[str, Any]]) -> str:
    """The statement under Figures 1 and 2, held against the measurement."""
    lines = [
        f"{name}: {m['codes_on_the_canvas_percent']:.0f} % of the test images have their code on "
        f"the canvas, the tiles vary {m['variance_of_tiles_percent']:.0f} % as much as the "
        "training images, and a tile's mean squared error to the training image nearest to it is "
        f"{m['tile_mse_to_nearest_training_image']:.4f}."
        for name, m in measured.items()
    ]
    nearest = min(measured, key=lambda n: measured[n]["tile_mse_to_nearest_training_image"])
    return " ".join([*lines, f"Nearest to real clothes: {nearest}."])


def measure_codes(settings: Settings, name: str) -> dict[str, float]:
    """How well the classes keep apart in a plane of codes."""
    data, (train_codes, test_codes) = fashion(settings), codes(settings)[name]
    return class_separation(train_codes, data.y_train, test_codes, data.y_test)


def scatters(settings: Settings) -> None:
    """The three planes side by side."""
    started = time.perf_counter()
    data = fashion(settings)
    measured = {name: measure_codes(settings, name) for name in codes(settings)}
    figure = new_figure(11, 3.8, "The codes of the test images: PCA, autoencoder, VAE")
    names = ("PCA", "AE, linear", "VAE")
    for axis, name in zip(figure.subplots(1, 3), names, strict=True):
        z, m = codes(settings)[name][1], measured[name]
        scatter_codes(axis, z, data.y_test, 10 if len(z) < 5000 else 2)
        axis.set_title(
            f"{name}: silhouette {m['silhouette']:+.3f}, 1-NN {m['1-NN_macro_percent']:.1f} %",
            fontsize=9,
        )
        axis.set_box_aspect(1)
    digit_legend(figure, CLASSES)
    rng = stream(0, "planes", "elbo")
    nats = elbo_terms(trained(settings), data.x_test, rng, binary_crossentropy)
    page = Page(
        "pca_scatters",
        "Three planes of codes",
        "Test images: projected onto the first two principal directions, encoded by the "
        "autoencoder with the linear code, and mu of the VAE. Each panel has its own scale.",
        "PCA and the single-layer AE are said to be the same, the VAE to be clearer; no numbers.",
        stamp(settings),
        {**measured, "vae_test_nats": nats},
        [("Which plane keeps the classes apart?", planes_answer(measured))],
    )
    publish(settings, page, figure, started)


def planes_answer(measured: dict[str, dict[str, float]]) -> str:
    """The ranking by both measures."""
    lines = [
        f"{name}: mean silhouette {m['silhouette']:+.3f}, 1-NN {m['1-NN_macro_percent']:.1f} %."
        for name, m in measured.items()
    ]
    best = {key: max(measured, key=lambda n: measured[n][key]) for key in measured["PCA"]}
    verdict = (
        f"Largest silhouette: {best['silhouette']}; most neighbours of the right class: "
        f"{best['1-NN_macro_percent']}."
    )
    return " ".join([*lines, verdict])


if __name__ == "__main__":
    run_as_script(run, __doc__)

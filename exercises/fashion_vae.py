"""A VAE of clothes, and one of digits: what a code keeps if it has to pay for what it tells.

Ten latents (numbers of a code), a convolutional network, a squared error summed over the pixels and
five times KL, the price: the divergence of the codes from the prior. In this bargain a latent is
used only if it saves more squared error than it costs in divergence, so clothes come out with their
shape and shade, and without their prints. Figures 3 and 4 of the report: the loss, and what comes
out; `fashion_vae_latents` goes on with what the latents mean.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from exercises.common import Page, Settings, fashion, mnist28, publish, run_as_script
from exercises.measures import squared_errors
from exercises.trained import Recipe, train
from nnscratch.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    UpSampling2D,
)
from nnscratch.models import VAE, NegativeELBO, elbo_terms
from nnscratch.plotting import label_losses, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, History, predict

LATENT = 10
KL_WEIGHT = 5.0
SETS = {"Fashion-MNIST": fashion, "MNIST": mnist28}
MEASURED = 5_000  # training and test images on which the curves are taken
REPORT = (55.7, 42.3)  # the report's loss per image after its first and its last epoch
ROWS, COLUMNS = 8, 16  # of the report's figure


def vae(seed: int) -> VAE:
    """28 x 28 x 1 image -> ten latents -> image. Linear at the end: a sigmoid sticks at black."""
    encoder = Sequential(
        [
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 14 x 14 x 16
            *(Conv2D(32, 3), ReLU(), MaxPooling2D(2)),  # 7 x 7 x 32
            *(Flatten(), Dense(256), ReLU()),
        ],
        input_shape=(28, 28, 1),
        seed=[seed, 0],
    )
    decoder = Sequential(
        [
            *(Dense(256), ReLU(), Dense(7 * 7 * 32), ReLU(), Reshape((7, 7, 32))),
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 14 x 14 x 16
            *(UpSampling2D(2), Conv2DTranspose(1, 3)),  # 28 x 28 x 1
        ],
        input_shape=(LATENT,),
        seed=[seed, 1],
    )
    return VAE(encoder, LATENT, decoder, seed=[seed, 2])


def recipe(settings: Settings) -> Recipe:
    """The report's 20 epochs in batches of 128, with larger steps at first."""
    if len(fashion(settings).x_train) == 60_000:
        return Recipe(2e-3, 128, settings.epochs or 20, cosine=True)
    return Recipe(1e-3, 32, settings.epochs or (1 if settings.quick else 30), cosine=True)


@functools.cache
def trained(settings: Settings, name: str) -> tuple[VAE, History, str]:
    """The VAE trained on one of `SETS`, its curves, and the stamp for figures made with it."""
    data, model = SETS[name](settings), vae(settings.seed)
    sets = {"train": data.x_train[:MEASURED], "test": data.x_test[:MEASURED]}
    history = train(
        settings, f"{name.lower()}-vae", model, NegativeELBO(model, KL_WEIGHT), recipe(settings),
        (data.x_train, data.x_train), (sets["test"], sets["test"]),
        measure=lambda: {
            f"{part} {which}": value
            for part, x in sets.items()
            for which, value in parts_of_the_loss(model, x).items()
        },
    )  # fmt: skip
    parameters = sum(p.size for p in model.params.values())
    how = f"{parameters:,} parameters, w = {KL_WEIGHT:g} · {recipe(settings)}"
    return model, history, f"{data.source}\n{how} · seed {settings.seed}"


def parts_of_the_loss(model: VAE, x: Array) -> dict[str, float]:
    """Squared error at a sampled code, KL, and SSE + w KL, all per image."""
    terms = elbo_terms(model, x, stream(0, "fashion", "elbo"))
    return {**terms, "total": terms["reconstruction"] + KL_WEIGHT * terms["kl"]}


def both_stamps(settings: Settings) -> str:
    """For figures of both data sets: what they have in common stands once."""
    sources = " and ".join(load(settings).source for load in SETS.values())
    _, how = trained(settings, "MNIST")[2].split("\n")
    return f"{sources}\n{how}"


def run(settings: Settings) -> None:
    """Make Figures 3 and 4."""
    print("The convolutional VAE on Fashion-MNIST and MNIST", flush=True)
    if not settings.quick:
        vae(settings.seed).summary()
    loss_curves(settings)
    reconstructions(settings)


def loss_curves(settings: Settings) -> None:
    """Figure 3 of the report, with both parts of the loss, and the same for MNIST."""
    started = time.perf_counter()
    figure = new_figure(10, 4.4, f"The loss of the VAE, SSE + {KL_WEIGHT:g} KL, and its two parts")
    numbers: dict[str, Any] = {}
    for axis, name in zip(figure.subplots(1, 2, sharey=True), SETS, strict=True):
        model, history, _ = trained(settings, name)
        plot_parts(axis, history)
        axis.set_title(name, fontsize=9)
        data = SETS[name](settings)
        numbers[name] = {
            "train": parts_of_the_loss(model, data.x_train),
            "test": parts_of_the_loss(model, data.x_test),
            "mean_loss_of_the_batches_by_epoch": history.loss,
            **{f"{k}_by_epoch".replace(" ", "_"): v for k, v in history.measured.items()},
        }
        if name == "Fashion-MNIST":
            for value, epoch in zip(REPORT, ("first", "last"), strict=True):
                axis.axhline(value, color="0.4", ls=":", lw=1)
                axis.annotate(f"report, {epoch} epoch: {value}", (1, value), (0, 2), fontsize=7,
                              xycoords=("axes fraction", "data"), textcoords="offset points",
                              ha="right")  # fmt: skip
        axis.legend(fontsize=7)
    page = Page(
        "fashion_vae_loss",
        "Figure 3: the loss of the VAE",
        f"After every epoch, on the first {MEASURED:,} training and test images, in evaluation "
        "mode with one sampled code an image: the squared error summed over the pixels, KL (in "
        "nats) times its weight, and their sum, averaged over images. The numbers at the end are "
        "of all images. The report keeps Adam at 5e-4.",
        f"The loss falls from {REPORT[0]} to {REPORT[1]} per image in 20 epochs.",
        both_stamps(settings),
        numbers,
        [("Is the report's loss reached?", loss_answer(numbers["Fashion-MNIST"]))],
    )
    publish(settings, page, figure, started)


def plot_parts(axis: Axes, history: History) -> None:
    """Total, squared error and weighted KL over the epochs, for training and test images."""
    epochs = np.arange(1, len(history.loss) + 1)
    for part, style in (("train", "--x"), ("test", "-o")):
        curves = {k: np.array(v) for k, v in history.measured.items() if k.startswith(part)}
        for label, values, color in (
            ("total", curves[f"{part} total"], "C0"),
            ("SSE", curves[f"{part} reconstruction"], "C1"),
            (f"{KL_WEIGHT:g} KL", KL_WEIGHT * curves[f"{part} kl"], "C2"),
        ):
            axis.plot(epochs, values, f"{color}{style}", ms=3, label=f"{label}, {part}")
    label_losses(axis, "per image; squared pixels in [0, 1]")
    axis.set_xlim(0, len(epochs) + 1)


def loss_answer(measured: dict[str, Any]) -> str:
    """The totals at the end beside the report's."""
    train_total, test_total = (measured[part]["total"] for part in ("train", "test"))
    first, last = (measured["mean_loss_of_the_batches_by_epoch"][i] for i in (0, -1))
    relation = "at or below" if train_total <= REPORT[1] else "above"
    return (
        f"After {len(measured['train_total_by_epoch'])} epochs the total is {train_total:.2f} on "
        f"the training images, {relation} the report's {REPORT[1]}, and {test_total:.2f} on the "
        f"test images ({measured['test']['reconstruction']:.2f} + {KL_WEIGHT:g} x "
        f"{measured['test']['kl']:.3f}). Averaged over the batches of an epoch while it trains, as "
        f"the report may have done, it goes from {first:.1f} to {last:.2f}."
    )


def mosaic(axis: Axes, images: Array) -> None:
    """Draw images (n, m, H, W) side by side, the first row at the top, in 24 greys from 0 to 1.

    More greys look the same here, and make the file twice as large.
    """
    n, m, H, W = images.shape
    canvas = images.transpose(0, 2, 1, 3).reshape(n * H, m * W)
    greys = colormaps["gray"].resampled(24)
    axis.imshow(canvas, cmap=greys, vmin=0, vmax=1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])


def interleaved(x: Array, y: Array) -> Array:
    """Rows of 16 originals, each above the row of its reconstructions: (16, 16, H, W)."""
    H, W = x.shape[1:3]
    pairs = np.stack([a.reshape(ROWS, COLUMNS, H, W) for a in (x, y)], axis=1)
    return pairs.reshape(2 * ROWS, COLUMNS, H, W)


def reconstructions(settings: Settings) -> None:
    """Figure 4 of the report: the first 128 test images and what comes out."""
    started = time.perf_counter()
    (model, _, stamp), data = trained(settings, "Fashion-MNIST"), fashion(settings)
    x = data.x_test[: ROWS * COLUMNS]
    y = predict(model, x)
    figure = new_figure(6.2, 6.4, "Test images, each row above its reconstructions")
    axis = figure.subplots()
    mosaic(axis, interleaved(x, y))
    middles = 28 * np.arange(2 * ROWS) + 13.5
    axis.set_yticks(middles, ["original", "at mu"] * ROWS, fontsize=7)
    axis.tick_params(length=0)
    page = Page(
        "fashion_vae_reconstructions",
        "Figure 4: originals and reconstructions",
        f"The first {len(x)} test images, and below each row what the decoder draws at mu.",
        "8 x 16 images, which are reconstructions and not samples; without numbers.",
        stamp,
        extremes(squared_errors(y, x)),
    )
    publish(settings, page, figure, started)


def extremes(errors: Array) -> dict[str, float]:
    """Mean, largest and smallest of the errors (N,) of the images shown."""
    return {"mse_of_these": errors.mean(), "worst": errors.max(), "best": errors.min()}


if __name__ == "__main__":
    run_as_script(run, __doc__)

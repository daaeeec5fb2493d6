"""Exercise 7: an encoder that says how unsure it is, and a code plane without holes.

A variational autoencoder sends every image to a small cloud of codes, not to a point, and pays for
every cloud that lies far from the origin or is narrow. Its decoder therefore learns what to draw
everywhere near the origin, and drawing new digits is as easy as drawing two random numbers. The
loss is SSE + w KL: the squared error summed over the pixels, and w times the Kullback-Leibler
divergence of the cloud from the standard normal distribution, which is that price. Figures 7 and 8
of the report: what comes out, and the loss with its two parts.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.measures import all_errors, shown_errors, squared_errors
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
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, History, predict

LATENT = 2
KL_WEIGHT = 2.56  # w of L = SSE + w KL, as the course's loss has it: see the report page
MEASURED = 2_000  # training images on which the curves are taken
FEW = 1000  # test images that are enough to see that training goes well
REPORT_TOTAL = 201  # per image, with pixels in [-1, 1] and another KL


def encoder(seed: int) -> Sequential:
    """32 x 32 x 1 image -> what both heads read; the heads are Dense."""
    return Sequential(
        [
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 16 x 16 x 16
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x 16
            *(Conv2D(32, 3), ReLU(), MaxPooling2D(2)),  # 4 x 4 x 32
            *(Conv2D(64, 3), ReLU(), MaxPooling2D(2)),  # 2 x 2 x 64
            Flatten(),
        ],
        input_shape=(32, 32, 1),
        seed=[seed, 0],
    )


def decoder(seed: int) -> Sequential:
    """A code -> 32 x 32 x 1 image. The last layer is linear: a sigmoid would get stuck at black."""
    return Sequential(
        [
            *(Dense(2 * 2 * 64), ReLU(), Reshape((2, 2, 64))),
            *(UpSampling2D(2), Conv2DTranspose(64, 3), ReLU()),  # 4 x 4 x 64
            *(UpSampling2D(2), Conv2DTranspose(32, 3), ReLU()),  # 8 x 8 x 32
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 16 x 16 x 16
            *(UpSampling2D(2), Conv2DTranspose(1, 3)),  # 32 x 32 x 1
        ],
        input_shape=(LATENT,),
        seed=[seed, 1],
    )


def vae(seed: int) -> VAE:
    """The whole network, untrained; all weights Glorot uniform, all biases zero."""
    return VAE(encoder(seed), LATENT, decoder(seed), seed=[seed, 2])


def recipe(settings: Settings) -> Recipe:
    """30 epochs, as the assignment asks; the few embedded images need smaller batches."""
    if len(mnist32(settings).x_train) == 60_000:
        return Recipe(2e-3, 128, settings.epochs or 30, cosine=True)
    return Recipe(2e-3, 32, settings.epochs or (1 if settings.quick else 30), cosine=True)


@functools.cache
def trained(settings: Settings) -> tuple[VAE, History, str]:
    """The trained VAE with two latents, its curves, and the stamp for figures made with it."""
    data, model = mnist32(settings), vae(settings.seed)
    sets = {"train": data.x_train[:MEASURED], "test": data.x_test}

    def measure() -> dict[str, float]:
        return {
            f"{name} {part}": value
            for name, x in sets.items()
            for part, value in elbo_terms(model, x, stream(0, "elbo", name)).items()
        }

    history = train(
        settings, "vae-2", model, NegativeELBO(model, KL_WEIGHT), recipe(settings),
        (data.x_train, data.x_train), (data.x_test[:FEW], data.x_test[:FEW]), measure=measure,
    )  # fmt: skip
    parameters = sum(p.size for p in model.params.values())
    stamp = f"{data.source} · {parameters:,} parameters, w = {KL_WEIGHT} · {recipe(settings)}"
    return model, history, f"{stamp} · seed {settings.seed}"


def means(model: VAE, x: Array) -> Array:
    """mu (N, d) of all images."""
    return model.encode(x)[0]


def totals(history: History, name: str) -> Array:
    """SSE + w KL after every epoch, at a sampled code."""
    curves = history.measured
    return np.array(curves[f"{name} reconstruction"]) + KL_WEIGHT * np.array(curves[f"{name} kl"])


def loss_numbers(history: History) -> dict[str, Any]:
    """The loss and its parts, by epoch, after the last one and after ten (if there are so many)."""
    test = totals(history, "test")
    return {
        "kl_weight": KL_WEIGHT,
        "test_total_by_epoch": test,
        "train_total_by_epoch": totals(history, "train"),
        **{f"{name}_by_epoch".replace(" ", "_"): v for name, v in history.measured.items()},
        "test_total": test[-1],
        "test_total_after_10_epochs": test[:10][-1],
    }


def run(settings: Settings) -> None:
    """Make Figures 7 and 8."""
    print("Exercise 7: the variational autoencoder", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    if not settings.quick:
        vae(settings.seed).summary()
    figure_7(settings)
    figure_8(settings)


def figure_7(settings: Settings) -> None:
    """Ten digits and what the VAE makes of them."""
    started = time.perf_counter()
    (model, _, stamp), data = trained(settings), mnist32(settings)
    ten = ten_digits(data)
    outputs = predict(model, data.x_test)
    errors = squared_errors(outputs, data.x_test)
    shown = shown_errors(errors, ten)["mse_per_image_[-1,1]"]
    figure = new_figure(9, 2.25, "Ten test digits through the VAE (MSE with pixels in [-1, 1])")
    rows = [("input", data.x_test[ten]), ("VAE, at mu", outputs[ten])]
    image_rows(figure, rows, [f"MSE {error:.3f}" for error in shown])
    page = Page(
        "ex07_fig7",
        "Figure 7: input and output of the VAE",
        "The code of each image is the mean mu of its distribution; the decoder draws it. Above "
        "each column, the mean squared error with pixels in [-1, 1].",
        "Ten digits above their reconstructions, without numbers.",
        stamp,
        all_errors(errors, data.y_test),
    )
    publish(settings, page, figure, started)


def figure_8(settings: Settings) -> None:
    """The loss of the VAE and both its parts, epoch by epoch."""
    started = time.perf_counter()
    _, history, stamp = trained(settings)
    curves = {name: np.array(values) for name, values in history.measured.items()}
    epochs = np.arange(1, len(history.loss) + 1)
    figure = new_figure(9, 4.2, f"The loss of the VAE, SSE + {KL_WEIGHT} KL, and its two parts")
    left, right = figure.subplots(1, 2)
    for name, style in (("train", "--x"), ("test", "-o")):
        label = f"{name} images" if name == "test" else f"{MEASURED:,} {name} images"
        left.plot(epochs, totals(history, name), f"C0{style}", ms=3, label=f"total, {label}")
        left.plot(
            epochs, curves[f"{name} reconstruction"], f"C1{style}", ms=3, label=f"SSE, {label}"
        )
        right.plot(epochs, curves[f"{name} kl"], f"C2{style}", ms=3, label=f"KL, {label}")
    left.set(xlabel="epoch", ylabel="per image; squared pixels in [0, 1]")
    right.set(xlabel="epoch", ylabel="KL per image, nats")
    for axis in (left, right):
        axis.legend(fontsize=7)
    page = Page(
        "ex07_fig8",
        "Figure 8: the loss of the VAE",
        "After every epoch, in evaluation mode with one sampled code an image: the squared error "
        "summed over the pixels, the divergence KL summed over the latents, and their weighted "
        "sum, averaged over images. As the code fills up, KL rises while the error falls.",
        f"The total falls to about {REPORT_TOTAL} per image in 30 epochs, with pixels in [-1, 1] "
        "(there squared errors are 4 times ours) and a KL to N(0, I/2) instead of N(0, I).",
        stamp,
        loss_numbers(history),
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

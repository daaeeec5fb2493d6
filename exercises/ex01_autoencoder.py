"""Exercise 1: squeeze a digit through two numbers, and look at what comes out.

A convolutional autoencoder, drawn as the 5LSL0 assignment asks: nothing but 3 x 3 convolutions with
ReLU, each followed by pooling (or preceded by upsampling) with a factor of 2, and a code of
1 x 2 x 1 numbers in the middle (the pooling before it halves the height only). Two numbers cannot
hold a handwritten digit, so the net has to find out which two matter most. Figures 1 and 2 of the
report.
"""

from __future__ import annotations

import functools
import time

import numpy as np

from exercises.alive_start import IMAGES, dead_places, find_alive_seed
from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.measures import SIGNED, all_errors, loss_curves, ranked, shown_errors, squared_errors
from exercises.trained import Recipe, train
from nnscratch.layers import Conv2D, Conv2DTranspose, MaxPooling2D, ReLU, Sequential, UpSampling2D
from nnscratch.losses import mse
from nnscratch.metrics import pca, pca_reconstruct
from nnscratch.models import Autoencoder
from nnscratch.plotting import image_rows, new_figure
from nnscratch.training import Array, History, predict

PUBLISHED_LOG = (0.2413, 0.1883, 0.1797, 0.1747, 0.1708, 0.1677, 0.1651, 0.1630, 0.1613, 0.1600)


def encoder(seed: int) -> Sequential:
    """32 x 32 x 1 image -> 1 x 2 x 1 code."""
    return Sequential(
        [
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 16 x 16 x 16
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x 16
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 4 x 4 x 16
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 2 x 2 x 16
            *(Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))),  # 1 x 2 x 1
        ],
        input_shape=(32, 32, 1),
        seed=[seed, 0],
    )


def decoder(seed: int) -> Sequential:
    """1 x 2 x 1 code -> 32 x 32 x 1 image."""
    return Sequential(
        [
            *(UpSampling2D((2, 1)), Conv2DTranspose(16, 3), ReLU()),  # 2 x 2 x 16
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 4 x 4 x 16
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 8 x 8 x 16
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 16 x 16 x 16
            *(UpSampling2D(2), Conv2DTranspose(1, 3), ReLU()),  # 32 x 32 x 1
        ],
        input_shape=(1, 2, 1),
        seed=[seed, 1],
    )


def autoencoder(seed: int) -> Autoencoder:
    """The whole network, untrained; all weights Glorot uniform, all biases zero."""
    return Autoencoder(encoder(seed), decoder(seed))


def recipes(settings: Settings) -> tuple[Recipe, Recipe]:
    """How the net is trained, and a labelled extra to compare with.

    On the full data the report's recipe comes first and a larger, decaying learning rate is the
    extra. The embedded images are 15 times fewer, which leaves too few steps for the report's
    recipe; there it is the extra.
    """
    if len(mnist32(settings).x_train) == 60_000:
        epochs = settings.epochs or 10
        return Recipe(3e-4, 64, epochs), Recipe(1e-3, 64, epochs, cosine=True)
    epochs = settings.epochs or (1 if settings.quick else 15)
    return Recipe(2e-3, 32, epochs, cosine=True), Recipe(3e-4, 64, epochs)


@functools.cache
def trained(
    settings: Settings, extra: bool = False, first_look: int | None = None
) -> tuple[Autoencoder, History, str]:
    """The trained autoencoder, its curves, and the stamp for figures made with it."""
    data, recipe, seed = mnist32(settings), recipes(settings)[extra], alive_seed(settings)
    model = autoencoder(seed)
    name = "autoencoder-extra" if extra else "autoencoder"
    train_data, test_data = (data.x_train, data.x_train), (data.x_test, data.x_test)
    history = train(settings, name, model, mse, recipe, train_data, test_data, first_look)
    done = len(history.loss)
    progress = f"only {done} of " if done < recipe.epochs else ""
    dead = dead_places(model, data.x_train[:IMAGES])
    state = f"dead after training: {' and '.join(dead)}" if dead else "alive after training"
    seeds = f"seed {settings.seed} (weights {seed}, {state})"
    return model, history, f"{data.source} · {progress}{recipe} · {seeds}"


@functools.cache
def alive_seed(settings: Settings) -> int:
    """The first seed, from ``settings.seed`` on, whose weights do not begin dead."""
    return find_alive_seed(
        autoencoder, mnist32(settings).x_train, recipes(settings)[0], settings.seed
    )


def run(settings: Settings) -> None:
    """Make Figures 1 and 2."""
    print("Exercise 1: the convolutional autoencoder", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    if not settings.quick:
        autoencoder(settings.seed).summary()
    if len(mnist32(settings).x_train) == 60_000:
        figure_1(settings, *trained(settings, first_look=1))  # something to see after a minute
    figure_1(settings, *trained(settings))
    figure_2(settings)


def figure_1(settings: Settings, model: Autoencoder, history: History, stamp: str) -> None:
    """Ten digits and what the autoencoder makes of them."""
    started = time.perf_counter()
    data = mnist32(settings)
    ten = ten_digits(data)
    outputs = predict(model, data.x_test)
    errors = squared_errors(outputs, data.x_test)
    numbers = shown_errors(errors, ten) | all_errors(errors, data.y_test)

    title = "Ten test digits, and what two numbers keep of them (MSE with pixels in [-1, 1])"
    figure = new_figure(9, 2.25, title)
    columns = [f"MSE {error:.3f}" for error in numbers["mse_per_image_[-1,1]"]]
    rows = [("input", data.x_test[ten]), ("autoencoder", outputs[ten])]
    image_rows(figure, rows, columns)

    per_digit = numbers["mse_per_digit_[-1,1]"]
    listing = ", ".join(f"{digit} {per_digit[digit]:.3f}" for digit in ranked(per_digit))
    page = Page(
        "ex01_fig1",
        "Figure 1: input and output of the autoencoder",
        "Above each column, the mean squared error of that image with pixels in [-1, 1] (4 times "
        "the one in [0, 1]). Whatever the code cannot hold comes out as an average of the images "
        "that share it.",
        "Many of the digits cannot be recognised; only 0, 1 and 9 preserve the structure.",
        stamp,
        {"epochs": len(history.loss), **numbers},
        [
            (
                "What differences and resemblances are there between input and output?",
                f"Mean test MSE by digit, best first, pixels in [-1, 1]: {listing}. A low error "
                "may also mean little ink, as in a 1; recognisability is measured in exercise 3.",
            )
        ],
    )
    publish(settings, page, figure, started)


def figure_2(settings: Settings) -> None:
    """The loss, epoch by epoch, beside the report's and beside what simpler models reach."""
    started = time.perf_counter()
    data = mnist32(settings)
    _, plain, stamp = trained(settings)
    _, other, _ = trained(settings, extra=True)
    lines = baselines(data.x_train, data.x_test)

    figure = new_figure(7, 4.6, "Training and test loss of the autoencoder")
    axis = figure.subplots()
    recipe, extra = recipes(settings)
    curves, extra_curves = loss_curves(plain), loss_curves(other)
    for of, label, color in ((curves, str(recipe), "C0"), (extra_curves, f"extra: {extra}", "C1")):
        test, train = of["test_mse_by_epoch_[-1,1]"], of["train_mse_by_epoch_[-1,1]"]
        epochs = np.arange(1, len(test) + 1)
        axis.plot(epochs, test, color, marker="o", ms=3, label=f"test · {label}")
        axis.plot(epochs, train, color, ls="--", lw=1,
                  label=f"train (mean over the epoch) · {label}")  # fmt: skip
    axis.plot(np.arange(1, 11), PUBLISHED_LOG, "0.3", marker="x", ms=4, lw=1,
              label="published run of the course: 10 epochs on 60,000 images")  # fmt: skip
    for name, value in lines.items():
        axis.axhline(value, color="0.6", lw=0.8, ls=":")
        axis.annotate(f"{name} {value:.4f}", (recipe.epochs, value), (0, 2), fontsize=7,
                      color="0.35", ha="right", textcoords="offset points")  # fmt: skip
    axis.set(xlabel="epoch", ylabel="MSE a pixel, pixels in [-1, 1]")
    low, high = axis.get_ylim()
    high += 0.3 * (high - low)  # room for the legend
    axis.set_ylim(low, high)
    unit = axis.twinx()
    unit.set(ylim=(low / SIGNED, high / SIGNED), ylabel="MSE a pixel, pixels in [0, 1]")
    axis.legend(fontsize=7)

    page = Page(
        "ex01_fig2",
        "Figure 2: training and test loss",
        "The training loss is the mean over an epoch in which the net improves, so it starts above "
        "the test loss, which is taken at the epoch's end. Dotted: the best that two linear "
        "numbers (PCA) and no number at all (the mean training image) do on the same images.",
        "MSE .2413 .1883 .1797 .1747 .1708 .1677 .1651 .1630 .1613 .1600 over ten epochs, pixels "
        "in [-1, 1] (the published log of the course; the report's own plot shows the classifier).",
        stamp,
        {
            **curves,
            "recipe": str(recipe),
            "extra_recipe": str(extra),
            **{f"extra_{name}": numbers for name, numbers in extra_curves.items()},
            **{f"{name}_test_mse_[-1,1]": value for name, value in lines.items()},
        },
    )
    publish(settings, page, figure, started)


def baselines(x_train: Array, x_test: Array) -> dict[str, float]:
    """Test MSE, pixels in [-1, 1], of the mean training image and of two principal components."""
    mean, directions = pca(x_train, 2)
    plane = pca_reconstruct(x_test, mean, directions)
    return {
        "mean image": SIGNED * squared_errors(mean.reshape(x_test[0].shape), x_test).mean(),
        "PCA-2": SIGNED * squared_errors(plane, x_test).mean(),
    }


if __name__ == "__main__":
    run_as_script(run, __doc__)

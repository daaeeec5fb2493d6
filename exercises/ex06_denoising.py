"""Exercise 6: hand the autoencoder noisy digits; the noise goes, but does the digit stay?

A code of two numbers has no room for noise: whatever the encoder makes of a noisy image, the
decoder can only draw something that it learned from clean ones. So the noise must go. Whether the
digit stays is another question, and here it is put to a classifier. Figure 6 of the report, and a
table over all test images.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.ex01_autoencoder import trained
from exercises.ex02_latent_space import codes
from exercises.judge import accuracy, read_digits
from exercises.measures import SIGNED, shown_errors, squared_errors
from nnscratch.layers import Layer
from nnscratch.metrics import (
    nearest_neighbour_labels,
    paired_bootstrap,
    pca,
    pca_reconstruct,
    psnr,
)
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, predict

NOISE_SD = 0.25  # with pixels in [0, 1]; the report's 0.5 in [-1, 1]

NOISY, CLIPPED, PCA_NOISY = "noisy input", "noisy, clipped to [0, 1]", "PCA-2 of noisy"
AE_NOISY, AE_CLEAN, CLEAN = "autoencoder of noisy", "autoencoder of clean", "clean"


@functools.cache
def noisy(settings: Settings) -> Array:
    """The test images with white Gaussian noise, not clipped, drawn once from its own seed."""
    x = mnist32(settings).x_test
    rng = stream(settings.seed, "noise on test images")
    return with_noise(x, rng)


def with_noise(x: Array, rng: np.random.Generator) -> Array:
    """White Gaussian noise of `NOISE_SD` on images, not clipped."""
    return x + np.float32(NOISE_SD) * rng.standard_normal(x.shape, np.float32)


@functools.cache
def versions(settings: Settings) -> dict[str, Array]:
    """All test images, as they are, with noise, and as several methods give them back."""
    data = mnist32(settings)
    return restored(trained(settings)[0], data.x_train, data.x_test, noisy(settings))


def restored(model: Layer, x_train: Array, clean: Array, x_noisy: Array) -> dict[str, Array]:
    """Images ``clean``, as they are, with noise, and as several methods give them back."""
    return {
        NOISY: x_noisy,
        CLIPPED: np.clip(x_noisy, 0, 1),
        PCA_NOISY: pca_reconstruct(x_noisy, *pca(x_train, 2)).astype(np.float32),
        AE_NOISY: predict(model, x_noisy),
        AE_CLEAN: predict(model, clean),
        CLEAN: clean,
    }


def run(settings: Settings) -> None:
    """Make Figure 6 and the table."""
    print("Exercise 6: denoising with the autoencoder", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    figure_6(settings)
    table(settings)


def stamp(settings: Settings) -> str:
    """The autoencoder's stamp, and the noise."""
    return f"{trained(settings)[2]} · noise sd {NOISE_SD} in [0, 1]"


def figure_6(settings: Settings) -> None:
    """Ten noisy digits, what the autoencoder makes of them, and the clean ones."""
    started = time.perf_counter()
    ten = ten_digits(mnist32(settings))
    images = versions(settings)
    x_noisy, denoised, clean = (images[name][ten] for name in (NOISY, AE_NOISY, CLEAN))
    numbers = shown_errors(squared_errors(images[AE_NOISY], images[CLEAN]), ten)
    taken_for, _ = read_digits(settings, denoised)

    title = "Ten noisy test digits through the autoencoder (MSE with pixels in [-1, 1])"
    figure = new_figure(9, 3.2, title)
    errors = numbers["mse_per_image_[-1,1]"]
    columns = [f"MSE {e:.3f}\nread as {digit}" for e, digit in zip(errors, taken_for, strict=True)]
    image_rows(figure, [("noisy", x_noisy), ("autoencoder", denoised), ("clean", clean)], columns)
    page = Page(
        "ex06_fig6",
        "Figure 6: noisy input, output of the autoencoder, clean image",
        "Above each column, the mean squared error of the autoencoder's output against the clean "
        "image, with pixels in [-1, 1], and the digit that the classifier of exercise 4 sees in "
        "that output. The noise is not clipped; only the drawing is.",
        "The noise is cancelled, but the autoencoder failed to recover some digits.",
        stamp(settings),
        {**numbers, "read_as": taken_for},
    )
    publish(settings, page, figure, started)


def table(settings: Settings) -> None:
    """Errors and recognisability over all test images."""
    started = time.perf_counter()
    data, images = mnist32(settings), versions(settings)
    right = {name: accuracy(settings, x, data.y_test) for name, x in images.items()}
    rows = denoising_rows(images, right)
    rng = stream(settings.seed, "bootstrap against PCA")
    against_pca = minus_pca(images, rng)
    train_codes, clean_codes = codes(settings)
    moved = predict(trained(settings)[0].encoder, images[NOISY]).reshape(-1, 2)
    shift = code_shift(moved, clean_codes, train_codes, data.y_train, data.y_test)
    page = Page(
        "ex06_table",
        "Denoising with the autoencoder, over all test images",
        "Left: mean squared error against the clean images. Right: how many images the classifier "
        "of exercise 4, which learned from clean ones, still reads correctly. PCA-2 keeps as many "
        "numbers as the autoencoder, but linear ones. PSNR is the mean over images.",
        "The noise is cancelled, but some digits are lost; more dimensions would help.",
        stamp(settings),
        {"images": len(data.x_test), **rows, "ae_minus_pca_mse_[-1,1]": against_pca} | shift,
        [
            (
                "Is the noise cancelled, and can the digits be recognised? (6a)",
                denoising_answer(rows, against_pca),
            ),
            ("What does the noise do to the codes?", shift_answer(shift)),
        ],
    )
    publish(settings, page, draw(rows), started)


def denoising_rows(
    images: dict[str, Array], accuracies: dict[str, float]
) -> dict[str, dict[str, float]]:
    """By method, how much of the digits can be read and how far the images are from clean ones."""
    rows = {}
    for name, x in images.items():
        rows[name] = {"accuracy": accuracies[name]}
        if name != CLEAN:
            error = float(squared_errors(x, images[CLEAN]).mean())
            rows[name] |= {
                "mse_[-1,1]": SIGNED * error,
                "mse_[0,1]": error,
                "psnr_db": float(psnr(x, images[CLEAN]).mean()),
            }
    return rows


def minus_pca(images: dict[str, Array], rng: np.random.Generator) -> Array:
    """How much larger the autoencoder's error is than PCA's, and its interval, in [-1, 1]."""
    ours, theirs = (squared_errors(images[name], images[CLEAN]) for name in (AE_NOISY, PCA_NOISY))
    return SIGNED * np.array(paired_bootstrap(ours, theirs, rng))


def code_shift(
    moved: Array, clean: Array, train_codes: Array, y_train: Array, labels: Array
) -> dict[str, Any]:
    """How far codes ``moved`` (N, 2) of noisy digits are from the ``clean`` ones, in their unit."""
    distances = np.linalg.norm(moved - clean, axis=1)
    scatter = clean - clean.mean(axis=0)
    right = {
        name: float((nearest_neighbour_labels(train_codes, y_train, z) == labels).mean())
        for name, z in (("clean", clean), ("noisy", moved))
    }
    return {
        "code_distance_mean": distances.mean(),
        "code_distance_median": np.median(distances),
        "code_shift_mean_per_axis": (moved - clean).mean(axis=0),
        "code_rms_distance_from_their_mean": np.sqrt((scatter**2).sum(axis=1).mean()),
        "nearest_neighbour_accuracy_clean_codes": right["clean"],
        "nearest_neighbour_accuracy_noisy_codes": right["noisy"],
    }


def denoising_answer(rows: dict[str, dict[str, float]], against_pca: Array) -> str:
    """Question 6a, answered from the measurement."""
    difference, low, high = against_pca
    error = {name: row["mse_[-1,1]"] for name, row in rows.items() if name != CLEAN}
    right = {name: f"{100 * row['accuracy']:.1f} %" for name, row in rows.items()}
    better = "better" if high < 0 else "worse" if low > 0 else "not clearly better or worse"
    return (
        f"MSE in [-1, 1]: {error[NOISY]:.3f} before, {error[AE_NOISY]:.3f} after the autoencoder, "
        f"which leaves {error[AE_CLEAN]:.3f} even without noise; clipping alone gives "
        f"{error[CLIPPED]:.3f}. It is {better} than PCA-2 (difference {difference:+.4f}, 95 % "
        f"interval {low:+.4f} to {high:+.4f}). The classifier reads {right[CLEAN]} of the clean "
        f"images correctly, {right[NOISY]} of the noisy ones, {right[AE_NOISY]} of what the "
        f"autoencoder makes of those, and {right[AE_CLEAN]} of what it makes of clean ones."
    )


def shift_answer(shift: dict[str, Any]) -> str:
    """How far codes move, in words."""
    along = ", ".join(f"{s:+.3f}" for s in shift["code_shift_mean_per_axis"])
    clean, noise = (
        100 * shift[f"nearest_neighbour_accuracy_{kind}_codes"] for kind in ("clean", "noisy")
    )
    return (
        f"It moves a code by {shift['code_distance_mean']:.3f} on average (median "
        f"{shift['code_distance_median']:.3f}), while the codes lie "
        f"{shift['code_rms_distance_from_their_mean']:.3f} (rms) around their mean. The mean shift "
        f"is {along} on axis 1 and 2. The nearest training code has the right digit for "
        f"{clean:.1f} % of the clean and {noise:.1f} % of the noisy images."
    )


def draw(rows: dict[str, dict[str, float]]) -> Figure:
    """Bars of error and of recognisability."""
    figure = new_figure(10, 3.6, "Denoising over the whole test set")
    left, right = figure.subplots(1, 2, sharey=True)
    restored = [name for name in rows if name != CLEAN]
    errors = [rows[name]["mse_[-1,1]"] for name in restored]
    bars = left.barh(restored, errors, color="C1")
    labels = [
        f"{e:.3f} · {rows[n]['psnr_db']:.1f} dB" for e, n in zip(errors, restored, strict=True)
    ]
    left.bar_label(bars, labels, fontsize=8, padding=3)
    left.set(xlabel="MSE a pixel, pixels in [-1, 1] · PSNR", xlim=(0, 1.35 * max(errors)))
    unit = left.secondary_xaxis("top", functions=(lambda e: e / SIGNED, lambda e: SIGNED * e))
    unit.set_xlabel("MSE a pixel, pixels in [0, 1]")
    percent = [100 * row["accuracy"] for row in rows.values()]
    bars = right.barh(list(rows), percent, color="C0")
    right.bar_label(bars, [f"{p:.1f} %" for p in percent], fontsize=8, padding=3)
    right.set(xlabel="read correctly by the classifier, % of the images", xlim=(0, 115))
    right.invert_yaxis()
    return figure


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""The ten latents of the VAE: what they draw, and whether they keep the classes apart.

Codes drawn from the prior, N(0, I), give new clothes; moving one latent alone shows what it stands
for, or that it stands for nothing, since with a large weight of KL the network gives up the latents
that do not pay. The report says that Fashion-MNIST disentangles less than MNIST. Its picture can
only show how well the classes separate, so that is what is measured here, on both.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from exercises.common import Page, Settings, publish, run_as_script
from exercises.ex03_nearest_neighbour import accuracy_per_digit
from exercises.ex07_vae import means
from exercises.fashion_vae import LATENT, SETS, both_stamps, mosaic, trained
from exercises.pca_ae_vae import CLASSES
from nnscratch.metrics import (
    active_units,
    confusion,
    nearest_neighbour_labels,
    pca,
    silhouettes,
)
from nnscratch.plotting import new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, predict

STEPS = np.linspace(-3, 3, 10)  # of one latent, in standard deviations of the prior
SAMPLES = 10  # rows and columns
ACTIVE = 0.01  # variance of mu above which a latent counts as used
NAMES = {"Fashion-MNIST": CLASSES, "MNIST": tuple("0123456789")}


@functools.cache
def codes(settings: Settings, name: str) -> tuple[Array, Array]:
    """mu (N, 10) of all training and of all test images."""
    model, data = trained(settings, name)[0], SETS[name](settings)
    return means(model, data.x_train), means(model, data.x_test)


def run(settings: Settings) -> None:
    """Make the figures of samples, traversals and classes."""
    print("The latents of the VAE on Fashion-MNIST and MNIST", flush=True)
    samples(settings)
    traversals(settings)
    classes(settings)


def draw(settings: Settings, name: str, z: Array) -> Array:
    """The images (n, m, 28, 28) that the decoder makes of codes (n, m, 10)."""
    rows = z.reshape(-1, LATENT).astype(np.float32)
    images = predict(trained(settings, name)[0].decoder, rows)
    return images.reshape(*z.shape[:2], 28, 28)


def samples(settings: Settings) -> None:
    """New images from random codes."""
    started = time.perf_counter()
    z = stream(settings.seed, "fashion", "samples").standard_normal((SAMPLES, SAMPLES, LATENT))
    figure = new_figure(8.4, 4.5, "Images decoded from codes drawn from the prior")
    for axis, name in zip(figure.subplots(1, 2), SETS, strict=True):
        mosaic(axis, draw(settings, name, z))
        axis.set_title(name, fontsize=9)
    page = Page(
        "fashion_vae_samples",
        "Samples from the prior",
        "A hundred codes with independent standard normal entries, the same for both decoders.",
        "New images can be had by sampling from the prior; none are shown.",
        both_stamps(settings),
        {"codes": SAMPLES**2},
    )
    publish(settings, page, figure, started)


def traversal(order: Array) -> Array:
    """Codes (10, 10, 10): row i moves latent ``order[i]`` through `STEPS`, the others are 0."""
    z = np.zeros((LATENT, len(STEPS), LATENT))
    for row, latent in enumerate(order):
        z[row, :, latent] = STEPS
    return z


def traversals(settings: Settings) -> None:
    """Each latent moved alone, the one with the largest variance of mu first."""
    started = time.perf_counter()
    figure = new_figure(8.6, 4.6, "One latent moved at a time, the others at 0")
    numbers = {}
    for axis, name in zip(figure.subplots(1, 2), SETS, strict=True):
        order, variances = by_variance(codes(settings, name)[1])
        images = draw(settings, name, traversal(order))
        mosaic(axis, images)
        middles = 28 * np.arange(LATENT) + 13.5
        axis.set_yticks(middles, [f"{variance:.2g}" for variance in variances], fontsize=7)
        axis.set_xticks(middles, [f"{step:+.1f}" for step in STEPS], fontsize=7)
        axis.tick_params(length=0)
        axis.set(xlabel="value of the latent", ylabel="variance of its mu over the test images")
        axis.set_title(name, fontsize=9)
        numbers[name] = {
            "latent": order,
            "variance_of_mu": variances,
            "sse_between_both_ends": between_ends(images),
        }
    page = Page(
        "fashion_vae_traversals",
        "Traversals of the latents",
        "Row by row, one latent goes from -3 to 3 standard deviations of the prior. The mu of the "
        "upper rows varies most between test images.",
        "No such figure.",
        both_stamps(settings),
        numbers,
        [("What does a latent draw whose mu hardly varies?", idle_answer(numbers))],
    )
    publish(settings, page, figure, started)


def idle_answer(numbers: dict[str, dict[str, Array]]) -> str:
    """How much the image changes from end to end, for latents in use and for the others."""
    sentences = []
    for name, of_latents in numbers.items():
        moved, active = of_latents["sse_between_both_ends"], of_latents["variance_of_mu"] > ACTIVE
        for which, changes in (("in use", moved[active]), ("not in use", moved[~active])):
            if len(changes):
                sentences.append(
                    f"{name}, {len(changes)} latents {which} (variance of mu "
                    f"{'above' if which == 'in use' else 'at most'} {ACTIVE}): from end to end the "
                    f"image changes by {changes.min():.3g} to {changes.max():.3g} squared pixels."
                )
    return " ".join(sentences)


def by_variance(z: Array) -> tuple[Array, Array]:
    """The latents of codes z (N, d) from the most to the least varying, and their variances."""
    variances = z.var(axis=0, dtype=np.float64)
    order = np.argsort(-variances)
    return order, variances[order]


def between_ends(images: Array) -> Array:
    """Squared pixels (n,) between the first and the last image of each row (n, m, H, W)."""
    return ((images[:, -1] - images[:, 0]) ** 2).sum(axis=(1, 2), dtype=np.float64)


def separation(z_train: Array, y_train: Array, z: Array, y: Array) -> dict[str, Any]:
    """How well the classes keep apart among codes (N, d); 1-NN is against the training codes."""
    predicted = nearest_neighbour_labels(z_train, y_train, z)
    accuracy, per_class = accuracy_per_digit(y, predicted), silhouettes(z, y)
    return {
        "1-NN_macro_percent": 100 * accuracy.mean(),
        "1-NN_percent_per_class": 100 * accuracy,
        "silhouette": per_class.mean(),
        "silhouette_per_class": [per_class[y == label].mean() for label in range(10)],
        "confusion": confusion(y, predicted, 10),
    }


def measure(settings: Settings, name: str) -> dict[str, Any]:
    """Separation by mu of the VAE and by as many principal components; the latents in use."""
    data, (z_train, z) = SETS[name](settings), codes(settings, name)
    p_train, p = principal_components(data.x_train, data.x_test)
    by_mu = separation(z_train, data.y_train, z, data.y_test)
    by_pca = separation(p_train, data.y_train, p, data.y_test)
    return {
        "VAE": by_mu,
        f"PCA-{LATENT}": {k: by_pca[k] for k in ("1-NN_macro_percent", "silhouette")},
        "active_units": active_units(z, ACTIVE),
        "variance_of_mu": by_variance(z)[1],
        "variance_of_images": data.x_train.var(axis=0, dtype=np.float64).sum(),
        "most_confused": worst_pairs(by_mu.pop("confusion"), NAMES[name]),
    }


def principal_components(x_train: Array, x_test: Array) -> tuple[Array, Array]:
    """The components (N, `LATENT`) of training and test images along the directions of the former.

    As ``x d - mean d``, not ``(x - mean) d``, which would be a copy of all images in float64.
    """
    mean, directions = pca(x_train, LATENT)
    train, test = (
        x.reshape(len(x), -1) @ directions.T.astype(x.dtype) - mean @ directions.T
        for x in (x_train, x_test)
    )
    return train, test


def worst_pairs(shares: Array, names: tuple[str, ...]) -> list[tuple[str, str, float]]:
    """The three largest shares off the diagonal: class, taken for, percent."""
    off = shares * (1 - np.eye(len(names)))
    largest = np.argsort(-off, axis=None)[:3]
    pairs = zip(*np.unravel_index(largest, off.shape), strict=True)
    return [(names[t], names[p], 100 * float(off[t, p])) for t, p in pairs]


def classes(settings: Settings) -> None:
    """The statement that Fashion-MNIST disentangles less, as far as labels can tell."""
    started = time.perf_counter()
    results = {name: measure(settings, name) for name in SETS}
    figure = new_figure(11, 3.8, "Class separation in the codes, Fashion-MNIST against MNIST")
    left, middle, right = figure.subplots(1, 3)
    bars(left, results, "1-NN_macro_percent", "1-NN accuracy, %", ".1f")
    bars(middle, results, "silhouette", "mean silhouette", "+.3f")
    for place, (name, r) in enumerate(results.items()):
        right.semilogy(np.arange(1, LATENT + 1), r["variance_of_mu"], "-o", color=f"C{place}",
                       ms=4, label=f"{name}, {r['active_units']} active")  # fmt: skip
    right.axhline(ACTIVE, color="0.4", ls=":", lw=1)
    right.set(xlabel="latent, in order", ylabel="variance of mu (logarithmic)")
    right.set_xticks(np.arange(1, LATENT + 1))
    right.legend(fontsize=7)
    page = Page(
        "fashion_vae_classes",
        "Class separation on both data sets",
        "1-NN is the mean over the classes, of test codes against training codes; the silhouette "
        "is of test codes. PCA with as many components says what the images alone allow. Right: "
        f"the variance of mu over the test images, latent by latent; above {ACTIVE} it is active.",
        "Fashion-MNIST does not disentangle quite as nicely as MNIST, probably because of the "
        "larger variation and higher complexity of the images.",
        both_stamps(settings),
        results,
        [("Does Fashion-MNIST disentangle less than MNIST?", classes_answer(results))],
    )
    publish(settings, page, figure, started)


def bars(
    axis: Axes, results: dict[str, dict[str, Any]], key: str, ylabel: str, number: str
) -> None:
    """One measure for both codes and both data sets."""
    kinds = ("VAE", f"PCA-{LATENT}")
    for place, (name, r) in enumerate(results.items()):
        values = [r[kind][key] for kind in kinds]
        drawn = axis.bar(np.arange(2) + 0.4 * place - 0.2, values, 0.4, label=name)
        axis.bar_label(drawn, [format(value, number) for value in values], fontsize=8)
    axis.set_xticks([0, 1], ["mu of the VAE", kinds[1]])
    axis.set_ylabel(ylabel)
    axis.margins(y=0.15)
    axis.legend(fontsize=7)


def classes_answer(results: dict[str, dict[str, Any]]) -> str:
    """The report's statement, held against the measurement."""
    a, b = (results[name] for name in ("Fashion-MNIST", "MNIST"))
    verdict = ", ".join(
        f"{'less' if a['VAE'][key] < b['VAE'][key] else 'not less'} by {what}"
        for what, key in (("1-NN accuracy", "1-NN_macro_percent"), ("silhouette", "silhouette"))
    )
    gaps = [
        b[kind]["1-NN_macro_percent"] - a[kind]["1-NN_macro_percent"]
        for kind in ("VAE", f"PCA-{LATENT}")
    ]
    lines = [
        f"{name}: 1-NN {r['VAE']['1-NN_macro_percent']:.1f} %, mean silhouette "
        f"{r['VAE']['silhouette']:+.3f}, {r['active_units']} of {LATENT} latents active, most "
        "often confused "
        + ", ".join(f"{t} with {p} ({share:.0f} %)" for t, p, share in r["most_confused"])
        + "."
        for name, r in results.items()
    ]
    leads = [f"{'ahead' if gap > 0 else 'behind'} by {abs(gap):.1f} points" for gap in gaps]
    return (
        f"If it means that the classes separate less: {verdict}. {' '.join(lines)} In 1-NN MNIST "
        f"is {leads[0]} with the VAE and {leads[1]} with PCA, which knows nothing of the network. "
        "Summed over the pixels, the variance of the training images is "
        f"{a['variance_of_images']:.1f} and {b['variance_of_images']:.1f}. Whether single latents "
        "stand for single causes cannot be told from labels."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

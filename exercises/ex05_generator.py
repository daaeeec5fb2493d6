"""Exercise 5: make images from codes that no image had.

The decoder of exercise 1 takes any two numbers. Laid out on a grid over the plane of codes, its
images are a map of what it has learned to draw where. Near the codes of training images it draws
what lies there; between and beyond them nobody told it what to draw. Figure 5 of the report, on
the axes of Figure 3, and the question which tiles are digits.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex01_autoencoder import trained
from exercises.ex02_latent_space import codes
from exercises.judge import SURE, read_digits
from exercises.measures import rank_correlation
from nnscratch.layers import Sequential
from nnscratch.plotting import (
    DIGIT_COLORS,
    decoded_grid,
    digit_legend,
    labelled_grid,
    new_figure,
    scatter_codes,
)
from nnscratch.training import Array, predict

STEPS = 15
NEIGHBOURS = 50  # training codes around a tile, to see whether they are of one digit


def axis_values(z: Array) -> tuple[Array, Array]:
    """Fifteen numbers an axis, from the smallest to the largest code, both included."""
    low, high = z.min(axis=0), z.max(axis=0)
    high = np.where(high > low, high, low + 1)  # an axis that died in training has no extent
    horizontal, vertical = np.linspace(low, high, STEPS).T
    return horizontal, vertical


def grid_of_codes(horizontal: Array, vertical: Array) -> Array:
    """The codes (n, m, 2) of a grid: ``[i, j]`` is ``(horizontal[j], vertical[i])``."""
    return np.stack(np.meshgrid(horizontal, vertical), axis=-1)


def decode(decoder: Sequential, grid: Array) -> Array:
    """The images (n, m, H, W) that the decoder makes of a grid of codes (n, m, 2)."""
    z = grid.reshape(-1, *decoder.input_shape).astype(decoder.dtype)
    images = predict(decoder, z)
    return images.reshape(*grid.shape[:2], *images.shape[1:3])


def measure_grid(
    settings: Settings, images: Array, grid: Array, train_codes: Array
) -> dict[str, Any]:
    """`measure_tiles` with the judge's reading and the training images of the exercises."""
    data = mnist32(settings)
    reading = read_digits(settings, images.reshape(-1, *images.shape[2:], 1))
    return measure_tiles(images, grid, *reading, train_codes, data.y_train, data.x_train)


def measure_tiles(
    images: Array,
    grid: Array,
    labels: Array,
    confidences: Array,
    train_codes: Array,
    y_train: Array,
    x_train: Array,
) -> dict[str, Any]:
    """Which tiles the judge recognises, and how that depends on the codes nearby.

    Parameters
    ----------
    images : array (n, m, H, W)
        Decoded from ``grid``.
    grid : array (n, m, 2)
    labels, confidences : arrays (n m,)
        What the judge takes the tiles for, row by row, and how surely.
    train_codes, y_train, x_train : arrays (N, 2), (N,) and (N, H, W, 1)

    Returns
    -------
    dict
        By tile, row 0 being the lowest: the judge's ``labels`` and ``confidences``, the
        ``distances`` to the nearest training code, the ``purities`` (share of the commonest digit
        among the nearest training codes), and ``image_mse``, the mean squared error to the
        training image nearest in pixels, in [0, 1]. In all: the number of ``sure_tiles``, the
        ``tiles_per_digit`` among them, ``digits_covered``, and the Spearman correlations of
        distance and purity with confidence.
    """
    shape = images.shape[:2]
    k = np.arange(1, min(NEIGHBOURS, len(train_codes)) + 1)  # a list of one still gives an axis
    distances, nearest = cKDTree(train_codes).query(grid.reshape(-1, 2), k)  # (tiles, k)
    of_digit = y_train[nearest][..., None] == np.arange(10)  # (tiles, k, 10)
    purities = of_digit.mean(axis=1).max(axis=1)
    per_digit = np.bincount(labels[confidences > SURE], minlength=10)
    by_distance, by_purity = (
        rank_correlation(values, confidences) for values in (distances[:, 0], purities)
    )
    return {
        "labels": labels.reshape(shape),
        "confidences": confidences.reshape(shape),
        "distances": distances[:, 0].reshape(shape),
        "purities": purities.reshape(shape),
        "image_mse": nearest_image_mse(images, x_train).reshape(shape),
        "sure_tiles": int(per_digit.sum()),
        "tiles_per_digit": per_digit,
        "digits_covered": np.flatnonzero(per_digit),
        "spearman_distance_confidence": by_distance[0],
        "spearman_distance_p_value": by_distance[1],
        "spearman_purity_confidence": by_purity[0],
        "spearman_purity_p_value": by_purity[1],
    }


def nearest_image_mse(images: Array, x_train: Array) -> Array:
    """Mean squared error of each tile to the training image that it is nearest to.

    ``|a - b|^2 = |a|^2 - 2 a b + |b|^2``, so that a matrix product does the work.
    """
    pixels = x_train[0].size
    a, b = images.reshape(-1, pixels), x_train.reshape(-1, pixels)
    products = a @ b.T  # (tiles, N)
    squares = (a**2).sum(axis=1) + ((b**2).sum(axis=1) - 2 * products).min(axis=1)
    return np.maximum(squares, 0) / pixels  # rounding can go below zero


def run(settings: Settings) -> None:
    """Make Figure 5 and the figure of what its tiles are taken for."""
    print("Exercise 5: the decoder as a generator", flush=True)
    started = time.perf_counter()
    model, _, stamp = trained(settings)
    train_codes, test_codes = codes(settings)
    horizontal, vertical = axis_values(test_codes)
    grid = grid_of_codes(horizontal, vertical)
    images = decode(model.decoder, grid)
    page = Page(
        "ex05_fig5",
        "Figure 5: the decoder over the plane of codes",
        "Left: images decoded from a grid of 15 x 15 codes that reaches from the smallest to the "
        "largest test code on both axes; each tile is centred on its code. Right: the test codes "
        "on the same axes, as in Figure 3.",
        "A 15 x 15 grid; 1, 3, 8, 9 and 0 can be recognised. (There the axes are exchanged, and "
        "the upper edge is not reached.)",
        stamp,
        {"axis_1": horizontal, "axis_2": vertical},
    )
    publish(settings, page, draw(settings, images, horizontal, vertical), started)

    started = time.perf_counter()
    measured = measure_grid(settings, images, grid, train_codes)
    page = Page(
        "ex05_tiles",
        "What the tiles of Figure 5 are taken for",
        "Left: the digit that the classifier of exercise 4 sees in each tile, the paler the less "
        "sure. Its confidence against, middle, the distance of the tile's code to the nearest code "
        f"of a training image and, right, the share of the commonest digit among the {NEIGHBOURS} "
        "nearest of these codes: 1 where one digit has the place for itself. The classifier has "
        "only ever seen digits and must name one even for a blot, so a high confidence is needed "
        "for a digit but is no proof of one.",
        "1, 3, 8, 9 and 0 can be recognised; the others share features and mix.",
        stamp,
        measured,
        [("Which digits can you recognise, and why not all? (5b)", tiles_answer(measured))],
    )
    publish(settings, page, draw_tiles(measured, horizontal, vertical), started)


def draw(settings: Settings, images: Array, horizontal: Array, vertical: Array) -> Figure:
    """The decoded grid beside the scatter of codes."""
    figure = new_figure(10, 5, "What the decoder draws, and where the digits are")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    decoded_grid(left, images, horizontal, vertical)
    limits = left.get_xlim(), left.get_ylim()
    z = codes(settings)[1]
    scatter_codes(right, z, mnist32(settings).y_test, size=10 if len(z) < 5000 else 3)
    right.set(xlim=limits[0], ylim=limits[1])
    for axis in (left, right):
        axis.set_box_aspect(1)
    digit_legend(figure)
    return figure


def draw_tiles(measured: dict[str, Any], horizontal: Array, vertical: Array) -> Figure:
    """The judge's labels on the grid, and its confidence against what lies near in code."""
    labels, confidences = measured["labels"], measured["confidences"]
    figure = new_figure(12, 4.2, "Which tiles look like digits to the classifier")
    left, middle, right = figure.subplots(1, 3)
    labelled_grid(left, labels, confidences, horizontal, vertical)
    left.set_title("taken for; the paler, the less sure", fontsize=8)
    for axis, values, kind, xlabel in (
        (middle, "distances", "distance", "distance to the nearest training code"),
        (right, "purities", "purity", "commonest digit's share of the codes nearby"),
    ):
        axis.scatter(measured[values], confidences, c=DIGIT_COLORS[labels.ravel()], s=12)
        axis.axhline(SURE, color="0.6", lw=0.8, ls=":")
        axis.set(xlabel=xlabel, ylabel="confidence", ylim=(0, 1.03))
        rank = measured[f"spearman_{kind}_confidence"]
        axis.set_title(f"rank correlation {rank:+.2f}", fontsize=8)
    for axis in (left, middle, right):
        axis.set_box_aspect(1)
    digit_legend(figure)
    return figure


def tiles_answer(measured: dict[str, Any]) -> str:
    """Question 5b, answered from the measurement."""
    sure, per_digit = measured["confidences"] > SURE, measured["tiles_per_digit"]
    labels, distances = measured["labels"], measured["distances"]
    middle = len(labels) // 2
    listing = ", ".join(f"{d} ({per_digit[d]})" for d in np.argsort(-per_digit) if per_digit[d])
    missing = ", ".join(str(d) for d in range(10) if not per_digit[d])
    medians = [
        f"{np.median(distances[tiles]):.3f} for {which}"
        for tiles, which in ((sure, "these"), (~sure, "the others"))
        if tiles.any()
    ]
    return (
        f"{measured['sure_tiles']} of {labels.size} tiles are read with a confidence above {SURE}: "
        f"{listing or 'none'}; never {missing or 'missing: all ten occur'}. Median distance to the "
        f"nearest training code: {', '.join(medians)}; its rank "
        f"correlation with the confidence is {measured['spearman_distance_confidence']:+.2f} (p = "
        f"{measured['spearman_distance_p_value']:.1g}). The share of the commonest digit among the "
        f"training codes nearby has {measured['spearman_purity_confidence']:+.2f} (p = "
        f"{measured['spearman_purity_p_value']:.1g}): where several digits share a place, the "
        "decoder can only draw their average. Along the middle row, from left to right, the tiles "
        f"are read as {' '.join(map(str, labels[middle]))}, along the middle column, from the top "
        f"down, as {' '.join(map(str, labels[::-1, middle]))}."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

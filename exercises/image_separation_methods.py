"""Image separation by six methods, three of them without any training.

A network that separates pairs of training images well may have learned what images look like, or
only these images. A method that cannot know what images look like tells the two apart: writing the
average as a combination of all the training images and giving each set its own part.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, publish, run_as_script
from exercises.image_separation import NETS, evaluation_pairs, outputs, sets, trained
from exercises.image_separation_data import Halves, scores
from nnscratch.plotting import new_figure
from nnscratch.training import Array

LEAST = 3  # per cent; what has less gets a bar of this length, for 0 has no place on a log scale


def run(settings: Settings) -> None:
    """Make the table of all methods."""
    print("Image separation: networks against methods without training", flush=True)
    table(settings)


def linear_map(learned: Halves, average: Array) -> Array:
    """Write the average as a combination of all training images; give each set its own part.

    With fewer images than pixels, and none a combination of the others, this is exact for pairs
    of training images: ``(x_1 + x_2) / 2`` is such a combination already, and the only one.
    Otherwise the combination with the smallest weights is taken.
    """
    basis = np.concatenate(learned).reshape(2 * len(learned.first), -1).astype(np.float64)
    rows = average.reshape(len(average), -1)
    # of single-precision images, what is smaller than a millionth is rounding
    weights = np.linalg.lstsq(basis.T, rows.T, rcond=1e-6)[0].T  # (pairs, images)
    n = len(learned.first)
    parts = 2 * weights[:, :n] @ basis[:n], 2 * weights[:, n:] @ basis[n:]
    return np.concatenate([part.reshape(average.shape) for part in parts], axis=-1)


def untrained(learned: Halves, average: Array) -> dict[str, Array]:
    """What the methods without training make of averages (N, H, W, C)."""
    mean = np.concatenate([x.mean(axis=0) for x in learned], axis=-1)  # (H, W, 2C)
    return {
        "average, twice": np.concatenate([average, average], axis=-1),
        "mean images": np.broadcast_to(mean, (len(average), *mean.shape)),
        "linear map": linear_map(learned, average),
    }


def outputs_of_all(settings: Settings, which: str) -> dict[str, Array]:
    """What each method makes of the evaluation pairs."""
    average, _ = evaluation_pairs(settings, which)
    results = untrained(sets(settings)["train"], average)
    for net in reversed(NETS):
        results[net] = outputs(settings, net, which)
    return results


@functools.cache
def measured_methods(settings: Settings) -> dict[str, dict[str, Any]]:
    """For each method, its scores on "train" and on "test" pairs."""
    results: dict[str, dict[str, Any]] = {}
    for which in ("train", "test"):
        average, both = evaluation_pairs(settings, which)
        for name, images in outputs_of_all(settings, which).items():
            results.setdefault(name, {})[which] = scores(images, average, both)
    return results


def table(settings: Settings) -> None:
    """Three networks and three methods without training."""
    started = time.perf_counter()
    results = measured_methods(settings)
    figure = new_figure(10, 4.4, "Separating an average: error by method")
    axes = figure.subplots(1, 3, sharey=True, width_ratios=(3, 3, 2))
    names, places = list(results), np.arange(len(results))
    for axis, key, title in zip(
        axes, ("ratio", "ratio_better_order", "order_kept_percent"),
        ("error, images in the order of the sets", "error, in the better order of the two",
         "pairs in which the order of\nthe sets suits, %"), strict=True,
    ):  # fmt: skip
        for i, which in enumerate(("train", "test")):
            values = np.array([results[name][which][key] for name in names])
            scale = 100 if key.startswith("ratio") else 1
            ends = np.maximum(scale * values, LEAST if scale == 100 else 0)
            axis.barh(places + 0.36 * (i - 0.5), ends, 0.36, color=f"C{i}",
                      label=f"{which} pairs")  # fmt: skip
            for place, end, value in zip(places, ends, scale * values, strict=True):
                number = f" {value:,.0f}" if value >= 10 else f" {value:.2g}"
                axis.text(end, place + 0.36 * (i - 0.5), number, va="center", fontsize=7)
        axis.set_title(title, fontsize=8)
        axis.margins(x=0.2)
    for axis in axes[:2]:
        axis.axvline(100, color="0.4", lw=0.8, ls=":")
        axis.set(xscale="log", xlabel="% of the error of giving the average twice")
        axis.xaxis.set_major_formatter("{x:,g}")
    axes[2].axvline(50, color="0.4", lw=0.8, ls=":")
    axes[0].set_yticks(places, names)
    axes[0].invert_yaxis()
    axes[0].legend(fontsize=7)
    trivial = {w: results["average, twice"][w]["error"] for w in ("train", "test")}
    page = Page(
        "separation_table",
        "Separation: three networks and three methods without training",
        "MSE1 + MSE2 over the same random pairs for all methods, as a share of what giving the "
        f"average twice has ({trivial['train']:.4f} on training and {trivial['test']:.4f} on test "
        'pairs, pixels in [0, 1]). "Linear map" writes the average as a combination of all '
        f"training images and gives each set its part. Bars show {LEAST} % where there is less. "
        "The networks have seen equally many pairs.",
        "The VAE had poor results, the autoencoder improved them a little, the U-Net was best.",
        trained(settings, "U-Net")[1],
        results,
        [("Which network separates best?", which_is_best(results))],
    )
    publish(settings, page, figure, started)


def which_is_best(results: dict[str, dict[str, Any]]) -> str:
    """The report's ranking, answered from the measurement."""
    order = sorted(NETS, key=lambda net: results[net]["train"]["error"])
    listing = ", ".join(f"{net} {100 * results[net]['train']['ratio']:.0f} %" for net in order)
    on_test = ", ".join(f"{net} {100 * results[net]['test']['ratio']:.0f} %" for net in order)
    linear = results["linear map"]
    agrees = "as" if order == list(NETS) else "unlike"
    by_heart = linear["train"]["error"] < results[order[0]]["train"]["error"]
    lesson = (
        "for images that are known memory is enough, and none of the networks does as well"
        if by_heart
        else "the best network does better than this way of knowing images by heart"
    )
    return (
        f"On pairs of training images, in per cent of the error of giving the average twice: "
        f"{listing}, {agrees} in the report. On test pairs: {on_test}. The linear map, which knows "
        f"nothing of what images look like, has {100 * linear['train']['ratio']:.2g} % on training "
        f"and {100 * linear['test']['ratio']:.3g} % on test pairs: {lesson}."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

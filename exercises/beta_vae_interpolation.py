"""beta-VAE: walk from one digit to another through the codes.

On the straight line between two codes the autoencoder draws what it was never asked for; the VAE
has seen noisy codes all around and should draw digits on the way. The strips show a few walks. One
can find any story in a few strips, so five hundred walks are measured beside them, against the
simplest of all, which fades one image into the other and needs no net.
"""

from __future__ import annotations

import argparse
import functools
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from exercises.beta_vae import trained_ae, trained_vae
from exercises.beta_vae_sweep import chosen
from exercises.common import (
    Page,
    Settings,
    mnist28,
    publish,
    run_stoppable,
    script_parser,
    to_settings,
)
from exercises.ex05_generator import nearest_image_mse
from exercises.ex07_vae import means
from exercises.judge import read_digits
from nnscratch.datasets.resize import resize
from nnscratch.layers import Sequential
from nnscratch.metrics import paired_bootstrap
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.streams import run_command
from nnscratch.training import Array, predict

Pairs = tuple[tuple[int, int], ...]

PAIRS: Pairs = ((5, 8), (1, 7), (4, 9), (0, 6))
STRIP = (0.0, 0.25, 0.5, 0.75, 1.0)
SAMPLES = 2  # walks drawn of each pair of labels
WALKS = 500
STEPS = 20  # of each measured walk; even, so that one ends in the middle
MEASURES = {
    "unevenness": "largest step / mean step",
    "length": "length of the walk / distance of its ends",
    "confidence": "classifier's confidence in the middle",
    "nearest": "MSE of the middle to the nearest training image",
}


def along(start: Array, end: Array, t: Array) -> Array:
    """The points ``(1 - t) start + t end``: (N, ...) twice and (T,) -> (N, T, ...)."""
    t = t.reshape(-1, *(1,) * (start.ndim - 1)).astype(start.dtype)
    return (1 - t) * start[:, None] + t * end[:, None]


def decode(decoder: Sequential, z: Array) -> Array:
    """Images (N, T, 28, 28, 1) of codes (N, T, d)."""
    images = predict(decoder, z.reshape(-1, z.shape[-1]))
    return images.reshape(*z.shape[:2], *images.shape[1:])


@functools.cache
def walkers(settings: Settings) -> dict[str, tuple[Sequential, Array]]:
    """Decoder and codes of the test images, of the autoencoder and of the chosen VAE."""
    x, beta = mnist28(settings).x_test, chosen(settings)
    ae, vae = trained_ae(settings)[0], trained_vae(settings, beta, long=True)[0]
    return {
        "AE": (ae.decoder, predict(ae.encoder, x)),
        f"VAE, beta {beta:g}": (vae.decoder, means(vae, x)),
    }


def stamp(settings: Settings) -> str:
    """How both nets were trained: alike."""
    vae = trained_vae(settings, chosen(settings), long=True)[2]
    return vae.replace("VAE-", "AE and VAE-", 1)


def run(settings: Settings, pairs: Pairs = PAIRS) -> None:
    """Make the strips and the measurement."""
    print("beta-VAE: interpolation", flush=True)
    strips(settings, pairs)
    smoothness(settings)


def ends_of(settings: Settings, pair: tuple[int, int], sample: int) -> tuple[int, int]:
    """Two test images with the labels of ``pair``, others for each ``sample``.

    Raises
    ------
    ValueError
        If there are not enough test images with such a label.
    """
    labels = mnist28(settings).y_test
    first, second = (np.flatnonzero(labels == digit) for digit in pair)
    place = SAMPLES + sample if pair[0] == pair[1] else sample  # no walk from an image to itself
    if len(first) <= sample or len(second) <= place:
        raise ValueError(f"the test images have too few of the digits {pair[0]} and {pair[1]}.")
    return int(first[sample]), int(second[place])


def strips(settings: Settings, pairs: Pairs) -> None:
    """Start, five decodes and end; the autoencoder above the VAE; two walks side by side."""
    started = time.perf_counter()
    x, rows, t = mnist28(settings).x_test, [], np.array(STRIP)
    for pair in pairs:
        ends = [ends_of(settings, pair, sample) for sample in range(SAMPLES)]
        for name, (decoder, z) in walkers(settings).items():
            cells = []
            for a, b in ends:
                images = decode(decoder, along(z[[a]], z[[b]], t))[0]
                cells += [x[a], *images, x[b], np.ones_like(x[a])]  # a white gap at the end
            rows.append((f"{pair[0]} - {pair[1]}, {name}", np.stack(cells[:-1])))
    columns = ["start", *(f"t = {value:g}" for value in STRIP), "end"]
    figure = new_figure(11.5, 0.75 * len(rows) + 0.8, "From one digit to another through the codes")
    image_rows(figure, rows, [*columns, "", *columns])
    for axis in figure.axes[len(columns) :: 2 * len(columns) + 1]:
        axis.set_axis_off()
    page = Page(
        "beta_vae_interpolation",
        "Interpolation between two digits: autoencoder above VAE",
        "Between the test images start and end, images decoded from the codes (1 - t) z_start + t "
        "z_end; for the VAE z is the mean mu. Two walks of each pair of labels, the first test "
        "images that have them.",
        "Strips between three pairs of digits; the autoencoder's edges are broken, the VAE's "
        "continuous, and its way is smoother.",
        stamp(settings),
        {"pairs": [f"{a}-{b}" for a, b in pairs], "chosen_beta": chosen(settings)},
    )
    publish(settings, page, figure, started)


@functools.cache
def measured_walks(settings: Settings) -> dict[str, dict[str, Array]]:
    """Five hundred walks (fifty in a quick run) between random test images of different digits.

    Returns
    -------
    dict of name to dict
        By walk, what `MEASURES` says; by time, ``mean_step`` (STEPS,) in Euclidean distance of the
        pixels and ``mean_confidence`` (STEPS + 1,). "cross-fade" mixes the pixels of both images.
    """
    data, rng = mnist28(settings), stream(settings.seed, "ends of walks")
    walks = 50 if settings.quick else WALKS
    a, b = unequal_pairs(data.y_test, walks, rng)
    t = np.linspace(0, 1, STEPS + 1)
    results = {}
    for name, (decoder, z) in walkers(settings).items():
        results[name] = measure(settings, decode(decoder, along(z[a], z[b], t)))
    results["cross-fade"] = measure(settings, along(data.x_test[a], data.x_test[b], t))
    return results


def unequal_pairs(labels: Array, count: int, rng: np.random.Generator) -> Array:
    """Two rows of ``count`` random places in ``labels``, one above another with another label."""
    places = rng.integers(0, len(labels), (2, 4 * count))
    return places[:, labels[places[0]] != labels[places[1]]][:, :count]


def measure(settings: Settings, images: Array) -> dict[str, Array]:
    """What `measured_walks` says of walks (N, T, 28, 28, 1)."""
    N, T = images.shape[:2]
    _, confidences = read_digits(settings, resize(images.reshape(-1, *images.shape[2:]), 32))
    confidences = confidences.reshape(N, T)
    return {
        **moves(images),
        "confidence": confidences[:, T // 2],
        "nearest": nearest_image_mse(images[:, T // 2], mnist28(settings).x_train),
        "mean_confidence": confidences.mean(axis=0),
    }


def moves(images: Array) -> dict[str, Array]:
    """How far the image of walks (N, T, ...) moves in each step, in distance of the pixels."""
    flat = images.reshape(*images.shape[:2], -1)
    steps = np.linalg.norm(np.diff(flat, axis=1), axis=2)  # (N, T - 1)
    return {
        "unevenness": steps.max(axis=1) / steps.mean(axis=1),
        "length": steps.sum(axis=1) / np.linalg.norm(flat[:, -1] - flat[:, 0], axis=1),
        "mean_step": steps.mean(axis=0),
    }


def smoothness(settings: Settings) -> None:
    """The measured walks, and the report's first question about them."""
    started = time.perf_counter()
    walks = measured_walks(settings)
    rng = stream(settings.seed, "bootstrap of walks")
    numbers = compared(walks, rng)
    count = numbers["walks"]
    page = Page(
        "beta_vae_smoothness",
        f"{count} walks measured: autoencoder, VAE, cross-fade",
        f"Walks between random test images of different digits, in {STEPS} steps of equal length "
        "in code. Left: how far the image moves in each step (Euclidean distance of the pixels). "
        "Second: how sure the classifier of exercise 4 is of what it sees. Then, in the middle of "
        "the walk, the mean squared error to the nearest training image, and how uneven the steps "
        "are, with 95 % intervals of the mean. The cross-fade mixes the two images pixel by pixel.",
        "The VAE's transition is very smooth, the autoencoder's edges are broken (no measurement).",
        stamp(settings),
        numbers,
        [
            (
                "How do AE and VAE interpolations differ? (1)",
                answer(walks, numbers["VAE_minus_AE_with_interval"]),
            )
        ],
    )
    publish(settings, page, draw(walks, rng), started)


def compared(walks: dict[str, dict[str, Array]], rng: np.random.Generator) -> dict[str, Any]:
    """The mean of every measure by kind of walk, and the VAE's minus the autoencoder's.

    ``walks`` are those of the autoencoder, the VAE and the cross-fade, in this order.
    """
    ae, vae, _ = walks.values()
    return {
        **{
            name: {key: walk[key].mean(dtype=np.float64) for key in MEASURES}
            for name, walk in walks.items()
        },
        "VAE_minus_AE_with_interval": {
            key: paired_bootstrap(vae[key], ae[key], rng) for key in MEASURES
        },
        "walks": len(ae["length"]),
    }


def draw(walks: dict[str, dict[str, Array]], rng: np.random.Generator) -> Figure:
    """Two curves along the walk, two bars about its middle and its evenness."""
    figure = new_figure(13, 3.6, "How smooth are the walks, and do they pass digits?")
    step, confidence, nearest, uneven = figure.subplots(1, 4, width_ratios=(1.4, 1.4, 1, 1))
    t = np.linspace(0, 1, STEPS + 1)
    for place, (name, walk) in enumerate(walks.items()):
        color = f"C{place}"
        step.plot((t[1:] + t[:-1]) / 2, walk["mean_step"], color, label=name)
        confidence.plot(t, walk["mean_confidence"], color, label=name)
        for axis, key in ((nearest, "nearest"), (uneven, "unevenness")):
            mean, low, high = paired_bootstrap(walk[key], np.zeros(len(walk[key])), rng)
            error = [[mean - low], [high - mean]]
            axis.bar([name.replace(", ", "\n")], [mean], color=color, yerr=error, capsize=2)
    step.set(xlabel="t", ylabel="mean step, distance of pixels", ylim=(0, None))
    confidence.set(xlabel="t", ylabel="mean confidence of the classifier", ylim=(None, 1))
    nearest.set_ylabel(MEASURES["nearest"], fontsize=8)
    uneven.set_ylabel(MEASURES["unevenness"], fontsize=8)
    step.legend(fontsize=7)
    for axis in (nearest, uneven):
        axis.tick_params(axis="x", labelsize=7)
    return figure


def answer(
    walks: dict[str, dict[str, Array]], differences: dict[str, tuple[float, float, float]]
) -> str:
    """The report's first question about interpolation, answered from the measurement."""
    ae, vae, fade = walks.values()
    sentences = []
    for key, what in MEASURES.items():
        difference, low, high = differences[key]
        sure = "surely" if low > 0 or high < 0 else "not surely"
        more = "higher" if difference > 0 else "lower"
        sentences.append(
            f"{what[0].upper()}{what[1:]}: {ae[key].mean():.3g} for the autoencoder, "
            f"{vae[key].mean():.3g} for the VAE, {sure} {more} ({difference:+.2g}, 95 % interval "
            f"{low:+.2g} to {high:+.2g}), {fade[key].mean():.3g} for a cross-fade."
        )
    return " ".join(sentences) + (
        " A cross-fade is as even as can be, so smoothness alone shows nothing; what counts is to "
        "pass images that could be digits. (Blur alone can bring an image nearer to all others, so "
        "the last distance may flatter whichever is more blurred.)"
    )


def pair_of_digits(text: str) -> tuple[int, int]:
    """ "5-8" -> (5, 8), for the command line."""
    first, dash, second = text.partition("-")
    if not (dash and all(len(part) == 1 and part in "0123456789" for part in (first, second))):
        raise argparse.ArgumentTypeError(f"{text!r} is no pair of digits such as 5-8.")
    return int(first), int(second)


def main() -> None:
    """The command line."""
    parser = script_parser(__doc__)
    default = " ".join(f"{a}-{b}" for a, b in PAIRS)
    parser.add_argument("--pairs", nargs="+", type=pair_of_digits, default=PAIRS, metavar="A-B",
                        help=f"labels to walk between (default: {default})")  # fmt: skip
    options = parser.parse_args()
    settings = to_settings(parser, options)
    run_stoppable(lambda: run(settings, tuple(options.pairs)))


if __name__ == "__main__":
    run_command(main)

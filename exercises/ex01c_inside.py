"""Exercise 1, an aside: a look inside the trained autoencoder.

A digit on its way through all layers, with the filters that it meets and the channels that are
dead; then the gradient on its way back, before training and after.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

from exercises.alive_start import IMAGES
from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.ex01_autoencoder import alive_seed, autoencoder, trained
from exercises.ex01c_view import Strip, draw_flow, draw_strips
from exercises.measures import SIGNED, squared_errors
from nnscratch.layers import ReLU
from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.profiling import LayerProfile, profile
from nnscratch.training import Array
from nnscratch.training.divergence import leaves

DIGIT = 4  # the one to follow
START, END = "at the start", "after training"


def run(settings: Settings) -> None:
    """Make both figures, and print a table of all layers before training and after."""
    print("Exercise 1, aside: inside the autoencoder", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    figure_inside(settings)
    figure_gradient_flow(settings)


def figure_inside(settings: Settings) -> None:
    """Filters, feature maps and code of one test digit."""
    started = time.perf_counter()
    model, _, stamp = trained(settings)
    data = mnist32(settings)
    index = ten_digits(data)[DIGIT]
    x = data.x_test[[index]]
    made = activations(model, x)
    dead = dead_channels(model, data.x_train[:IMAGES])
    page = Page(
        "ex01_inside",
        "Aside: a digit on its way through the trained autoencoder",
        "From top to bottom, what the layers make of one test digit; a column is a channel. After "
        "a ReLU black is 0, and white the largest number of the row, which stands beside it. "
        "Filters are red where positive and blue where negative: those of the first convolution "
        "stand above the channels that they make; those of the last one below the channels that "
        "they read, each being what one pixel of its channel adds to the image. Crossed out: dead "
        f"channels, 0 in every place for all of {IMAGES} training images. A channel that is black "
        "and not crossed out is silent for this digit, but not for all images.",
        "Not mentioned.",
        stamp,
        {
            "digit": DIGIT,
            "test_index": index,
            "training_images_to_find_dead_channels": len(data.x_train[:IMAGES]),
            **inside_numbers(made, x, dead),
        },
        [("Which units are dead?", answer_dead(model, dead))],
    )
    title = f"A {DIGIT}, test image {index}, on its way through the autoencoder, top to bottom"
    publish(settings, page, draw_strips(strips(model, x, made, dead), title), started)


def activations(model: Autoencoder, x: Array) -> dict[str, Array]:
    """What each layer makes of the images ``x``, by its name."""
    made = {}
    for name, layer in leaves(model):
        x = made[name] = layer.forward(x)
    model.forget()
    return made


def dead_channels(model: Autoencoder, x: Array) -> dict[str, list[int]]:
    """After each ReLU, the channels that are 0 in every place for all of ``x``."""
    made = activations(model, x)
    relus = [name for name, layer in leaves(model) if isinstance(layer, ReLU)]
    return {name: np.flatnonzero(~made[name].any(axis=(0, 1, 2))).tolist() for name in relus}


def inside_numbers(made: dict[str, Array], x: Array, dead: dict[str, list[int]]) -> dict[str, Any]:
    """What was measured of one image ``x`` (1, H, W, 1) on its way."""
    return {
        "code": made["encoder.14.maxpooling2d"].ravel(),
        "mse_[-1,1]": SIGNED * squared_errors(made["decoder.14.relu"], x)[0],
        "dead_channels": dead,
        "zeros_for_this_digit_percent": {n: 100 * (made[n] == 0).mean() for n in dead},
        "largest_number_for_this_digit": {n: made[n].max() for n in dead},
    }


def strips(
    model: Autoencoder, x: Array, made: dict[str, Array], dead: dict[str, list[int]]
) -> list[Strip]:
    """The rows of the figure: image, filters, feature maps down to the code and up, image."""

    def filters(name: str) -> Strip:
        W = model.params[f"{name}.W"][:, :, 0]  # (3, 3, 16), of both kinds of convolution
        largest = abs(W).max()
        label = f"{name}\nfilters, 3 x 3"
        tiles = list(W.transpose(2, 0, 1))
        return Strip(label, tiles, largest, f"±{largest:.2f}", signed=True)

    def maps(name: str) -> Strip:
        (y,) = made[name]  # (H, W, channels)
        label = f"{name}\n{y.shape[0]} x {y.shape[1]}"
        return Strip(
            label, list(y.transpose(2, 0, 1)), y.max(), f"0 to {y.max():.2f}", dead=dead[name]
        )

    *encoder, last = [name for name in dead if name.startswith("encoder")]
    *decoder, output = [name for name in dead if name.startswith("decoder")]
    narrow, code = (made[name][0, ..., 0] for name in (last, "encoder.14.maxpooling2d"))
    return [
        Strip("input\n32 x 32", [x[0, ..., 0]], 1.0, "0 to 1"),
        filters("encoder.0.conv2d"),
        *map(maps, encoder),
        Strip(f"{last}, 2 x 2\nand the code, 1 x 2", [narrow, code], narrow.max(),
              f"code ({code[0, 0]:.2f}, {code[0, 1]:.2f})", dead=dead[last]),
        *map(maps, decoder),
        filters("decoder.13.conv2dtranspose"),
        Strip("output\n32 x 32", [made[output][0, ..., 0]], 1.0, "0 to 1", dead=dead[output]),
    ]  # fmt: skip


def answer_dead(model: Autoencoder, dead: dict[str, list[int]]) -> str:
    """The dead channels, layer by layer, in words."""
    layers = dict(leaves(model))
    total = sum(layers[name].built_shape[-1] for name in dead)
    found = {name: channels for name, channels in dead.items() if channels}
    if not found:
        return f"None of the {total} channels after a ReLU: each answers to one of {IMAGES} images."
    count = sum(map(len, found.values()))
    listing = "; ".join(f"{name}: {', '.join(map(str, c))}" for name, c in found.items())
    return (
        f"{count} of the {total} channels after a ReLU ({listing}). Their filters get no gradient "
        "from these images."
    )


def figure_gradient_flow(settings: Settings) -> None:
    """Gradients and dead units of each layer before training and after, and the work."""
    started = time.perf_counter()
    model, _, stamp = trained(settings)
    x = mnist32(settings).x_train[:IMAGES]
    profiles = {}
    for when, net in ((START, autoencoder(alive_seed(settings))), (END, model)):
        print(f"  {when}:", flush=True)
        profiles[when] = profile(net, x, lambda y: mse(y, x))
    rows = profiles[END]
    page = Page(
        "ex01_gradient_flow",
        "Aside: the gradient on its way back through the autoencoder",
        f"Euclidean norms of the gradient of the loss (MSE with pixels in [0, 1]) on {len(x)} "
        "training images, which enters at the right and leaves at the left; logarithmic scales. "
        "Dotted: the code, between encoder and decoder. A channel is dead if its ReLU gives 0 in "
        "every place for all of these images. The exercise prints all this as two tables, with the "
        "milliseconds of each layer run by itself beside those of the whole model, which fuses "
        "neighbours; as times differ from run to run, the figure shows operations instead.",
        "Not mentioned.",
        stamp,
        {
            "training_images": len(x),
            "multiply_adds_an_image": {r.name: r.multiply_adds for r in rows if r.multiply_adds},
            **{when: norms(rows) for when, rows in profiles.items()},
        },
        [
            ("Where does the gradient get lost on its way back?", answer_gradient(profiles)),
            ("Which layers do most of the work?", answer_work(rows)),
        ],
    )
    publish(settings, page, draw_flow(profiles), started)


def norms(rows: list[LayerProfile]) -> dict[str, dict[str, float]]:
    """What was measured of the gradient and of the units, by layer."""
    return {
        "parameter_gradient_norm": {
            r.name: r.gradient_norm for r in rows if r.gradient_norm is not None
        },
        "output_gradient_norm": {r.name: r.output_gradient_norm for r in rows},
        "dead_channels_percent": {
            r.name: 100 * r.dead_share for r in rows if r.dead_share is not None
        },
    }


def answer_gradient(profiles: dict[str, list[LayerProfile]]) -> str:
    """How much weaker the gradient arrives at the first layer, and where it shrinks most."""
    sentences = []
    for when, rows in profiles.items():
        weights = [r.gradient_norm for r in rows if r.gradient_norm is not None]
        relus = [r for r in rows if r.dead_share is not None]
        near, far = min(
            pairwise(reversed(relus)),
            key=lambda pair: ratio(pair[1].output_gradient_norm, pair[0].output_gradient_norm),
        )
        least = ratio(far.output_gradient_norm, near.output_gradient_norm)
        sentences.append(
            f"{when.capitalize()}, the gradient of the first convolution's parameters has "
            f"{ratio(weights[0], weights[-1]):.2g} times the norm of the last one's "
            f"({weights[0]:.1e} and {weights[-1]:.1e}); that of the outputs changes by the "
            f"smallest factor, {least:.2g}, on the way from {near.name} to {far.name}."
        )
    return " ".join(sentences)


def ratio(part: float, whole: float) -> float:
    """``part / whole``, and 1 where there was nothing to lose."""
    return part / whole if whole else 1.0


def answer_work(rows: list[LayerProfile]) -> str:
    """Which layers have most of the multiply-adds."""
    total = sum(r.multiply_adds for r in rows)
    most = sorted(rows, key=lambda r: -r.multiply_adds)[:2]
    share = 100 * sum(r.multiply_adds for r in most) / total
    names = " and ".join(r.name for r in most)
    return (
        f"{share:.0f} % of the {total:,} multiply-adds for an image are in {names}. Their share of "
        "the time is another one, for layers without multiply-adds take time as well: see the "
        "tables that this exercise prints."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Exercise 1, an aside: how many random starts can never learn, and does a bias help?

The network of exercise 1 is drawn again and again from different seeds and shown 256 digits. If
a ReLU in a narrow place gives zero for all of them, no gradient passes and the net is stuck.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from exercises.alive_start import IMAGES, TRIAL_ITERATIONS, dead_places, train_a_little
from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex01_autoencoder import autoencoder, recipes
from nnscratch.models import Autoencoder
from nnscratch.plotting import new_figure
from nnscratch.training import Array

KINDS = ("both numbers of the code alive", "one dead", "both dead")
COLORS = ("#7fb77e", "#e9a23b", "#d1495b")


def with_output_bias(seed: int) -> Autoencoder:
    """Glorot weights, and +0.1 in the bias of the last layer."""
    model = autoencoder(seed)
    last_bias = [key for key in model.params if key.endswith(".b")][-1]
    model.params[last_bias][...] = 0.1
    return model


def with_he_weights(seed: int) -> Autoencoder:
    """He's weights from the same random numbers as Glorot's: wider by sqrt(1 + fan_out/fan_in)."""
    model = autoencoder(seed)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        if layer.params:
            wider = 1 + layer.built_shape[-1] / layer.input_shape[-1]  # the fans' 3 x 3 cancels
            layer.params["W"] *= np.float32(np.sqrt(wider))
    return model


def run(settings: Settings) -> None:
    """Make the figure of dead starts."""
    print("Exercise 1, aside: dead starts", flush=True)
    started = time.perf_counter()
    x = mnist32(settings).x_train
    recipe = recipes(settings)[0]
    seeds, few = (range(10), range(2)) if settings.quick else (range(200), range(20))

    def after_trial(seed: int) -> Autoencoder:
        model = autoencoder(seed)
        train_a_little(model, x, recipe, seed)
        return model

    trial = f"Glorot, after {TRIAL_ITERATIONS} iterations"
    counts = {
        "Glorot, bias 0": count(autoencoder, seeds, x),
        "Glorot, output bias +0.1": count(with_output_bias, seeds, x),
        "He, bias 0": count(with_he_weights, seeds, x),
        trial: count(after_trial, few, x),
    }
    page = Page(
        "ex01_dead_starts",
        "Aside: starts that can never learn",
        f"A number of the code is dead if it is zero for all of {IMAGES} images. Where both are, "
        "the decoder gets nothing but zeros and, with zero biases, gives zeros; a bias at the "
        "output hides that and revives no code. He's weights are Glorot's times a positive factor "
        "a layer, which with zero biases changes no sign anywhere: the same starts are dead. Bars "
        f"are shares of the seeds; the last one follows {len(few)} of them, dead or alive at the "
        f"start, through {TRIAL_ITERATIONS} iterations (Adam {recipe.learning_rate:g}, batch "
        f"{recipe.batch_size}). Exercise 1 looks at both moments and, if it must, draws anew.",
        "Not mentioned.",
        f"{mnist32(settings).source} · seeds 0 to {len(seeds) - 1}, last bar 0 to {len(few) - 1}",
        {"starts": len(seeds), "trials": len(few), **counts},
    )
    publish(settings, page, draw(counts), started)


def count(make: Callable[[int], Autoencoder], seeds: range, x: Array) -> dict[str, int]:
    """How many seeds have how many dead numbers in the code, and a dead output."""
    found = [dead_places(make(seed), x[:IMAGES]) for seed in seeds]
    axes = Counter(len([place for place in places if place != "output"]) for places in found)
    counts = {kind: axes[n] for n, kind in enumerate(KINDS)}
    counts["output all zero"] = sum("output" in places for places in found)
    print(f"  {counts}", flush=True)
    return counts


def draw(counts: dict[str, dict[str, int]]) -> Figure:
    """A bar for each kind of start, cut into the shares of alive and dead codes."""
    figure = new_figure(7.5, 3.6, "Random starts of the autoencoder")
    axis = figure.subplots()
    names = [f"{name}\n(output all zero: {c['output all zero']})" for name, c in counts.items()]
    totals = np.array([sum(c[kind] for kind in KINDS) for c in counts.values()])
    left = np.zeros(len(counts))
    for kind, color in zip(KINDS, COLORS, strict=True):
        number = np.array([c[kind] for c in counts.values()])
        width = 100 * number / totals
        bars = axis.barh(names, width, left=left, color=color, label=kind)
        axis.bar_label(bars, [str(n) if n else "" for n in number], label_type="center", fontsize=8)
        left += width
    axis.invert_yaxis()
    axis.set(xlabel="share of the seeds, % (numbers in the bars: seeds)", xlim=(0, 100))
    axis.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Exercise 1, an aside: how many random starts can never learn, and does a bias help?

The network of exercise 1 is drawn again and again from different seeds and shown 256 digits. If
a ReLU in a narrow place gives zero for all of them, no gradient passes and the net is stuck.
"""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.dead_starts import IMAGES, PROBE_ITERATIONS, dead_places
from exercises.ex01_autoencoder import autoencoder
from nnscratch.initializers import he_uniform
from nnscratch.models import Autoencoder
from nnscratch.plotting import new_figure

KINDS = ("both numbers of the code alive", "one dead", "both dead")
COLORS = ("#7fb77e", "#e9a23b", "#d1495b")


def with_output_bias(seed: int) -> Autoencoder:
    """Glorot weights, and +0.1 in the bias of the last layer."""
    model = autoencoder(seed)
    last_bias = [key for key in model.params if key.endswith(".b")][-1]
    model.params[last_bias][...] = 0.1
    return model


def with_he_weights(seed: int) -> Autoencoder:
    """He's weights instead of Glorot's, from the same random numbers."""
    model = autoencoder(seed)
    for number, half in enumerate((model.encoder, model.decoder)):
        for layer in half.layers:
            if layer.params:
                layer.kernel_initializer = he_uniform  # type: ignore[attr-defined]
        half.build(half.input_shape, np.random.default_rng([seed, number]), half.dtype)
    return model


def run(settings: Settings) -> None:
    """Make the figure of dead starts."""
    print("Exercise 1, aside: dead starts", flush=True)
    started = time.perf_counter()
    images = mnist32(settings).x_train[:IMAGES]
    seeds = range(10 if settings.quick else 200)
    makers = {
        "Glorot, bias 0": autoencoder,
        "Glorot, output bias +0.1": with_output_bias,
        "He, bias 0": with_he_weights,
    }
    counts = {}
    for name, make in makers.items():
        found = [dead_places(make(seed), images) for seed in seeds]
        axes = Counter(len([place for place in places if place != "output"]) for places in found)
        counts[name] = {kind: axes[n] for n, kind in enumerate(KINDS)}
        counts[name]["output all zero"] = sum("output" in places for places in found)
        print(f"  {name}: {counts[name]}", flush=True)

    figure = new_figure(7.5, 3, f"{len(seeds)} random starts of the autoencoder")
    axis = figure.subplots()
    names = [f"{name}\n(output all zero: {c['output all zero']})" for name, c in counts.items()]
    left = np.zeros(len(counts))
    for kind, color in zip(KINDS, COLORS, strict=True):
        width = np.array([count[kind] for count in counts.values()])
        bars = axis.barh(names, width, left=left, color=color, label=kind)
        labels = [str(n) if n else "" for n in width]
        axis.bar_label(bars, labels, label_type="center", fontsize=8)
        left += width
    axis.invert_yaxis()
    axis.set(xlabel="number of seeds", xlim=(0, len(seeds)))
    figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=8)

    page = Page(
        "ex01_dead_starts",
        "Aside: starts that can never learn",
        f"A number of the code is dead if it is zero for all of {IMAGES} images. Where both are, "
        "the decoder gets nothing but zeros and, with zero biases, gives zeros; a bias at the "
        "output hides that and cures nothing. He's weights are Glorot's times a positive factor a "
        "layer, which with zero biases changes no sign anywhere: the same starts are dead. "
        "Exercise 1 looks before it trains, looks again after a trial of "
        f"{PROBE_ITERATIONS} iterations, and draws another seed if it must.",
        "Not mentioned.",
        f"{mnist32(settings).source} · seeds 0 to {len(seeds) - 1}",
        {"starts": len(seeds), **counts},
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

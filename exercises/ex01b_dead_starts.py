"""Exercise 1, an aside: how many random starts can never learn, and does a bias help?

The network of exercise 1 is drawn again and again from different seeds and shown 256 digits. If
a ReLU in a narrow place gives zero for all of them, no gradient passes and the net is stuck.
"""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.dead_starts import IMAGES, what_is_dead
from exercises.ex01_autoencoder import autoencoder
from nnscratch.initializers import he_uniform
from nnscratch.models import Autoencoder
from nnscratch.plotting import new_figure

KINDS = {"": "alive", "output": "dead output", "code axis": "dead code axis"}


def with_output_bias(seed: int) -> Autoencoder:
    """Glorot weights, and +0.1 in the bias of the last layer."""
    model = autoencoder(seed)
    last_bias = [key for key in model.params if key.endswith(".b")][-1]
    model.params[last_bias][...] = 0.1
    return model


def with_he_weights(seed: int) -> Autoencoder:
    """He's larger weights instead of Glorot's."""
    model = autoencoder(seed)
    for half in (model.encoder, model.decoder):
        for layer in half.layers:
            if layer.params:
                layer.kernel_initializer = he_uniform  # type: ignore[attr-defined]
    model.build(model.input_shape, np.random.default_rng(seed), model.dtype)
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
        found = Counter(KINDS[what_is_dead(make(seed), images)] for seed in seeds)
        counts[name] = {kind: found[kind] for kind in KINDS.values()}
        print(f"  {name}: {counts[name]}", flush=True)

    figure = new_figure(7, 3, f"What {len(seeds)} random starts of the autoencoder look like")
    axis = figure.subplots()
    left = np.zeros(len(counts))
    for kind, color in zip(KINDS.values(), ("#7fb77e", "#444444", "#d1495b"), strict=True):
        width = np.array([count[kind] for count in counts.values()])
        bars = axis.barh(list(counts), width, left=left, color=color, label=kind)
        axis.bar_label(bars, [str(n) if n else "" for n in width], label_type="center",
                       color="white", fontsize=8)  # fmt: skip
        left += width
    axis.invert_yaxis()
    axis.set(xlabel=f"number of seeds, of {len(seeds)}")
    figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=8)

    page = Page(
        "ex01_dead_starts",
        "Aside: starts that can never learn",
        f"A start is dead if the output, or one of the two code numbers, is zero for all of "
        f"{IMAGES} images. Exercise 1 looks before it trains, looks again after a trial of about "
        "150 iterations, and draws another seed if it must.",
        "Not mentioned.",
        f"{mnist32(settings).source} · seeds 0 to {len(seeds) - 1}",
        {"starts": len(seeds), **counts},
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Weights that begin dead: with a ReLU after every layer, some seeds can never learn.

Where the inputs of a ReLU are negative for every image, its output is zero and so is its
gradient: nothing before it is ever updated. In the exercise-1 autoencoder three places are narrow
enough for that to happen by chance: the two numbers of the code, and the one-channel output.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.training import Array, fit

IMAGES = 256  # to look at; an axis that is zero for all of them hardly ever recovers
PROBE_ITERATIONS = 150
BATCH_SIZE = 32


def dead_places(model: Autoencoder, images: Array) -> list[str]:
    """Which narrow places are zero for all ``images``: "code axis 1", "code axis 2", "output"."""
    codes = model.encoder.forward(images)
    output = model.decoder.forward(codes)
    alive = np.append(codes.reshape(len(codes), -1).any(axis=0), output.any())
    places = [f"code axis {axis + 1}" for axis in range(len(alive) - 1)] + ["output"]
    return [place for place, is_alive in zip(places, alive, strict=True) if not is_alive]


def find_alive_seed(make: Callable[[int], Autoencoder], x: Array, seed: int) -> int:
    """A seed whose start is alive, and still alive after a short trial training.

    Seeds are tried in the order seed, seed + 1000, seed + 2000, ..., and what was found at each
    is printed.

    Parameters
    ----------
    make : function seed -> Autoencoder
    x : array (N, H, W, 1)
        Training images.
    seed : int

    Raises
    ------
    ValueError
        If a hundred starts are dead.
    """
    for candidate in range(seed, seed + 100_000, 1000):
        dead = dead_places(make(candidate), x[:IMAGES])
        when = "at the start"
        if not dead:
            trial = make(candidate)
            trial_images = _first_samples(x, PROBE_ITERATIONS * BATCH_SIZE)
            fit(trial, trial_images, trial_images, loss=mse, optimizer=Adam(3e-4), epochs=1,
                batch_size=BATCH_SIZE, seed=candidate, progress=False)  # fmt: skip
            dead = dead_places(trial, x[:IMAGES])
            when = f"after {len(trial_images) // BATCH_SIZE} iterations"
        verdict = f"dead {' and '.join(dead)} {when}, drawing another" if dead else f"alive {when}"
        print(f"  weights of seed {candidate}: {verdict}", flush=True)
        if not dead:
            return candidate
    raise ValueError(f"100 seeds from {seed} on began dead; give another --seed.")


def _first_samples(x: Array, n: int) -> Array:
    """n samples, going round if there are fewer."""
    return x[np.arange(n) % len(x)]

"""Weights that begin dead: with a ReLU after every layer, some seeds can never learn.

Where the inputs of a ReLU are negative for every image, its output is zero and so is its gradient:
nothing before it is ever updated, it is dead. In the exercise-1 autoencoder three places are narrow
enough for that to happen by chance: the two numbers of the code, and the one-channel output.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exercises.trained import Recipe
from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.training import Array, fit

IMAGES = 256  # to look at
TRIAL_ITERATIONS = 150


def dead_places(model: Autoencoder, images: Array) -> list[str]:
    """Which narrow places are zero for all ``images``: "code axis 1", "code axis 2", "output"."""
    codes = model.encoder.forward(images)
    output = model.decoder.forward(codes)
    alive = np.append(codes.reshape(len(codes), -1).any(axis=0), output.any())
    places = [f"code axis {axis + 1}" for axis in range(len(alive) - 1)] + ["output"]
    return [place for place, is_alive in zip(places, alive, strict=True) if not is_alive]


def train_a_little(model: Autoencoder, x: Array, recipe: Recipe, seed: int) -> None:
    """`TRIAL_ITERATIONS` steps of ``recipe``, in place, at its first learning rate."""
    n = TRIAL_ITERATIONS * recipe.batch_size
    images = x[np.arange(n) % len(x)]  # going round if there are fewer
    fit(model, images, images, loss=mse, optimizer=Adam(recipe.learning_rate), epochs=1,
        batch_size=recipe.batch_size, seed=seed, progress=False)  # fmt: skip


def find_alive_seed(make: Callable[[int], Autoencoder], x: Array, recipe: Recipe, seed: int) -> int:
    """A seed whose weights are alive at the start, and still after a short trial training.

    Seeds are tried in the order seed, seed + 1000, seed + 2000, ..., and what was found at each
    is printed.

    Parameters
    ----------
    make : function seed -> Autoencoder
    x : array (N, H, W, 1)
        Training images.
    recipe : Recipe
        How the model is going to be trained.
    seed : int

    Raises
    ------
    ValueError
        If a hundred seeds are dead.
    """
    for candidate in range(seed, seed + 100_000, 1000):
        model, when = make(candidate), "at the start"
        dead = dead_places(model, x[:IMAGES])
        if not dead:
            train_a_little(model, x, recipe, candidate)
            when = f"after {TRIAL_ITERATIONS} iterations"
            dead = dead_places(model, x[:IMAGES])
        verdict = f"dead {' and '.join(dead)} {when}, drawing another" if dead else f"alive {when}"
        print(f"  weights of seed {candidate}: {verdict}", flush=True)
        if not dead:
            return candidate
    raise ValueError(f"100 seeds from {seed} on began dead; give another --seed.")

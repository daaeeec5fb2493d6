"""Training on pairs that are drawn anew for every epoch, for few images make very many pairs."""

from __future__ import annotations

import copy
import time

import numpy as np

from exercises.common import Settings
from exercises.image_separation_data import Halves, draw_pairs
from exercises.image_separation_view import View
from exercises.trained import Recipe, train
from nnscratch.layers import Layer
from nnscratch.losses import mse
from nnscratch.randomness import stream
from nnscratch.training import Array, Data, History, Loss

PAIRS = 1024  # an epoch; of 1,000 images, each is in two pairs or in three
WATCHED_PAIRS = 100  # test pairs measured after every epoch


def mse_of_both(y: Array, target: Array) -> tuple[float, Array]:
    """MSE1 + MSE2, which is twice the mean over both images."""
    value, dy = mse(y, target)
    return 2 * value, 2 * dy


def train_on_pairs(
    settings: Settings,
    name: str,
    model: Layer,
    loss: Loss,
    recipe: Recipe,
    view: View,
    sets: Halves,
    unseen: Halves,
) -> History:
    """Train ``model`` in place to give back both images of fresh random pairs, or load it.

    It is given what ``view`` shows of their average. The loss on some pairs of ``unseen`` images
    is recorded.
    """

    def pairs(images: Halves, number: int, rng: np.random.Generator) -> Data:
        average, both = draw_pairs(images, number, rng)
        return view.look(average), view.target(both)

    number = pairs_per_epoch(settings)  # alone: the other settings have no part in the training

    def renew(rng: np.random.Generator) -> Data:
        return pairs(sets, number, rng)

    first = renew(stream(settings.seed, "first pairs"))
    watched = pairs(unseen, WATCHED_PAIRS, stream(settings.seed, "watched pairs"))
    return train(settings, name, model, loss, recipe, first, watched, renew=renew)


def pairs_per_epoch(settings: Settings) -> int:
    """A few for a smoke test."""
    return 64 if settings.quick else PAIRS


def hours(model: Layer, recipe: Recipe, pairs: int) -> float:
    """How long training will take in all, from the time of one step."""
    probe = copy.deepcopy(model)
    average = np.zeros((recipe.batch_size, *model.input_shape), model.dtype)
    seconds = 0.0
    for _ in range(3):  # the last one counts: the first may compile
        started = time.perf_counter()
        probe.backward(probe.forward(average, training=True))
        seconds = time.perf_counter() - started
    return recipe.epochs * -(-pairs // recipe.batch_size) * seconds / 3600

"""Where a layer is checked: beside the values that its parameters and statistics start from.

A fresh normalisation has gamma = 1, beta = 0, mean 0 and variance 1; a fresh bias is 0. At such
values a backward pass that forgets one of them gives the right numbers, so a check there proves
little.
"""

from __future__ import annotations

import numpy as np

from nnscratch.layers.base import Layer

Array = np.ndarray

SMALLEST, LARGEST = 0.5, 1.5  # factors for what is not 0
OFFSET = 0.1, 0.5  # what a parameter of 0 becomes, up or down
SMALL_OFFSET = 0.02, 0.1  # what a statistic of 0 becomes; all go up, which must not kill each ReLU


def move_from_start(layer: Layer, rng: np.random.Generator) -> None:
    """Change every parameter and every floating-point statistic of ``layer``, in place.

    Numbers other than 0 are multiplied by 0.5 to 1.5, each by its own factor, so a variance stays
    positive and large weights stay as large as they were. A parameter that is 0 becomes a number
    between 0.1 and 0.5 in size, of either sign; a statistic that is 0 becomes 0.02 to 0.1, for it
    may be a variance. Integers, such as the key of a noise, stay.
    """
    for parameter in layer.params.values():
        sign = rng.choice([-1.0, 1.0], parameter.shape)
        _move(parameter, rng, sign * rng.uniform(*OFFSET, parameter.shape))
    for statistic in layer.state.values():
        if np.issubdtype(statistic.dtype, np.floating):
            _move(statistic, rng, rng.uniform(*SMALL_OFFSET, statistic.shape))


def _move(array: Array, rng: np.random.Generator, in_place_of_0: Array) -> None:
    moved = array * rng.uniform(SMALLEST, LARGEST, array.shape)
    array[...] = np.where(array == 0, in_place_of_0, moved)

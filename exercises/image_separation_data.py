"""The pairs of the separation exercise: two images are averaged, and both are wanted back.

The images come in two sets, and the first image of a pair is always from the first set. Within a
pair nothing else tells which is which: an average says nothing about the order of its terms.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from exercises.common import Settings, fashion
from nnscratch import datasets
from nnscratch.datasets.resize import resize
from nnscratch.training import Array, Data

CLASSES = 10
SIDE = 32  # what a U-Net of up to five levels can halve


class Halves(NamedTuple):
    """Two disjoint sets of as many images (n, H, W, C) each."""

    first: Array
    second: Array


@functools.lru_cache(maxsize=1)
def photographs(settings: Settings) -> datasets.Dataset:
    """CIFAR-10; where it is not to be had, Fashion-MNIST at 32 x 32.

    Raises
    ------
    FileNotFoundError
        If the full data is asked for by name and not to be had.
    """
    try:
        data = datasets.cifar10(data=settings.data)
    except FileNotFoundError:
        if settings.data == "full":
            raise
        clothes = fashion(settings)
        x_train, x_test = resize(clothes.x_train, SIDE), resize(clothes.x_test, SIDE)
        source = f"{clothes.source}, in place of CIFAR-10"
        return clothes._replace(x_train=x_train, x_test=x_test, source=source)
    if settings.quick:
        return data._replace(source=f"QUICK RUN, a few images of: {data.source}")
    return data


def halves(x: Array, labels: Array, images: int) -> Halves:
    """The first images, as many of each class in the first set as in the second.

    Together they are ``images`` or, where the rarest class does not allow that, fewer.
    """
    rarest = np.bincount(labels, minlength=CLASSES).min()
    per_set = min(images // (2 * CLASSES), rarest // 2)
    of_class = [np.flatnonzero(labels == c)[: 2 * per_set] for c in range(CLASSES)]
    first, second = (np.concatenate([places[start::2] for places in of_class]) for start in (0, 1))
    return Halves(x[first], x[second])


def unseen_halves(data: datasets.Dataset) -> Halves:
    """All test images: those at even places and those at odd ones, as many of both."""
    n = len(data.x_test) // 2
    return Halves(data.x_test[0 : 2 * n : 2], data.x_test[1 : 2 * n : 2])


def draw_pairs(sets: Halves, pairs: int, rng: np.random.Generator) -> Data:
    """Averages and what they are averages of, with partners drawn afresh.

    Every image is used equally often, up to one.

    Returns
    -------
    average : array (pairs, H, W, C)
    both : array (pairs, H, W, 2C)
        The image of the first set, and beside it that of the second.
    """
    first, second = (
        np.concatenate([rng.permutation(len(x)) for _ in range(-(-pairs // len(x)))])[:pairs]
        for x in sets
    )
    both = np.concatenate([sets.first[first], sets.second[second]], axis=-1)
    C = both.shape[-1] // 2
    return (both[..., :C] + both[..., C:]) / 2, both


def pair_errors(outputs: Array, both: Array) -> tuple[Array, Array]:
    """MSE1 + MSE2 of every pair (N,): in the order of the sets, and in the opposite order."""
    (y_1, y_2), (x_1, x_2) = (np.split(images, 2, axis=-1) for images in (outputs, both))

    def error(y: Array, x: Array) -> Array:
        return ((y - x) ** 2).mean(axis=(1, 2, 3), dtype=np.float64)

    return error(y_1, x_1) + error(y_2, x_2), error(y_1, x_2) + error(y_2, x_1)


def scores(outputs: Array, average: Array, both: Array) -> dict[str, Any]:
    """How well pairs are separated, pixels in [0, 1].

    Returns
    -------
    dict
        ``error``, MSE1 + MSE2 in the order of the sets, averaged over the pairs;
        ``error_better_order``, with the order chosen for each pair that suits it best;
        ``ratio`` and ``ratio_better_order`` of these to the error of giving the average twice;
        ``order_kept_percent``, how often the order of the sets suits best; a tie counts half.
    """
    kept, opposite = pair_errors(outputs, both)
    better = np.minimum(kept, opposite)
    trivial = pair_errors(np.concatenate([average, average], axis=-1), both)[0].mean()
    return {
        "error": kept.mean(),
        "error_better_order": better.mean(),
        "ratio": kept.mean() / trivial,
        "ratio_better_order": better.mean() / trivial,
        "order_kept_percent": 50 * (1 + np.sign(opposite - kept).mean()),
    }

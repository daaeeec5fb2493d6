"""How the networks of the separation exercise see the images, and why whitened ones teach faster.

Nearly all the variance of photographs lies in a few directions, those of smooth pictures, while
what tells one photograph from a thousand others lies in the rest; there gradients are small, and
learning takes hundreds of thousands of pairs. Whitening gives all directions the same variance.
Then all images that were learned from are at right angles to each other, and each can be
recognised in an average by a scalar product, which is learned from a few thousand pairs.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from exercises.image_separation_data import Halves
from nnscratch.layers import Layer
from nnscratch.layers.base import Shape
from nnscratch.training import Array, predict

PATCH = 4
SMALLEST = 1e-3  # directions of less deviation, as a share of the largest, count as none


class View(Protocol):
    """What a network is given for an average, and how its output becomes images again."""

    shape: Shape  # of what it is given

    def look(self, average: Array) -> Array:
        """Averages (N, H, W, C) -> what the network is given."""

    def target(self, both: Array) -> Array:
        """Pairs (N, H, W, 2C) -> what the network should answer."""

    def images(self, answer: Array) -> Array:
        """The other way round."""


class Pixels:
    """Everything as it is, as in the report."""

    def __init__(self, learned: Halves) -> None:
        self.shape = learned.first.shape[1:]

    def look(self, average: Array) -> Array:
        return average

    def target(self, both: Array) -> Array:
        return both

    def images(self, answer: Array) -> Array:
        return answer


class WhitenedPatches:
    """Averages are whitened, and every 4 x 4 pixels make one of many channels.

    With mean m, and orthonormal directions v_k along which the images learned from have standard
    deviations s_k (their principal components)::

        white = sum over k of  (average - m) . v_k / s_k  v_k

    The patches make images of 8 x 8, on which a step costs a tenth; nothing is lost.

    References
    ----------
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009, appendix A (ZCA);
    Shi et al., "Real-time single image and video super-resolution", CVPR 2016, section 2.2, for
    the patches and back.
    """

    def __init__(self, learned: Halves) -> None:
        images = np.concatenate(learned)
        rows = images.reshape(len(images), -1).astype(np.float64)
        self.mean = rows.mean(axis=0)
        rows -= self.mean
        variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
        kept = variances > SMALLEST**2 * variances[-1]
        v = directions[:, kept]
        self.whiten = (v / np.sqrt(variances[kept]) @ v.T).astype(images.dtype)
        self.shape = to_patches(images[:1]).shape[1:]

    def look(self, average: Array) -> Array:
        rows = (average.reshape(len(average), -1) - self.mean).astype(average.dtype)
        return to_patches((rows @ self.whiten).reshape(average.shape))

    def target(self, both: Array) -> Array:
        return np.concatenate([to_patches(x) for x in np.split(both, 2, axis=-1)], axis=-1)

    def images(self, answer: Array) -> Array:
        return np.concatenate([from_patches(y) for y in np.split(answer, 2, axis=-1)], axis=-1)


def to_patches(x: Array) -> Array:
    """Images (N, H, W, C) -> (N, H / 4, W / 4, 16C)."""
    N, H, W, C = x.shape
    cut = x.reshape(N, H // PATCH, PATCH, W // PATCH, PATCH, C).swapaxes(2, 3)
    return cut.reshape(N, H // PATCH, W // PATCH, PATCH * PATCH * C)


def from_patches(x: Array) -> Array:
    """The other way round."""
    N, h, w, _ = x.shape
    cut = x.reshape(N, h, w, PATCH, PATCH, -1).swapaxes(2, 3)
    return cut.reshape(N, h * PATCH, w * PATCH, -1)


def separate(model: Layer, view: View, average: Array) -> Array:
    """The two images (N, H, W, 2C) that the network sees in each average (N, H, W, C)."""
    return view.images(predict(model, view.look(average), 100))

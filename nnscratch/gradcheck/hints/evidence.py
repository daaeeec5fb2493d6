"""What a diagnosis has to go on: two gradients side by side, and the layer to try things with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from nnscratch.gradcheck.differences import STEP, rms

Array = np.ndarray


@dataclass(frozen=True)
class Scene:
    """What the experiments need.

    Attributes
    ----------
    x : array
        The input.
    cotangent : array
        The dy of the comparison, random.
    params : dict of str to array
        The layer's parameters, to change and put back; empty where that would mean nothing (a
        loss, or a model of many layers).
    backward : function
        All gradients, by name, for another dy, x or parameters.
    forward : function or None
        The output for the present x and parameters; None for a loss.
    """

    x: Array
    cotangent: Array
    params: dict[str, Array]
    backward: Callable[[Array], dict[str, Array]]
    forward: Callable[[], Array] | None

    def slope(self, array: Array, point: Array, direction: Array) -> Array:
        """The derivative of the outputs when ``array`` moves from the point that way."""
        assert self.forward is not None
        with replaced(array, point + STEP * direction):
            upper = self.forward()
        with replaced(array, point - STEP * direction):
            lower = self.forward()
        return (upper - lower) / (2 * STEP)


@dataclass(frozen=True)
class Wrong:
    """One array whose gradient is wrong; NaN in ``numeric`` marks what was not compared."""

    name: str
    analytic: Array
    numeric: Array
    mask: Array  # of bool: the wrong entries

    @property
    def known(self) -> Array:
        return np.isfinite(self.numeric)

    @property
    def image_axes(self) -> tuple[int, int] | None:
        """Height and width: of images (N, H, W, C), of kernels (kh, kw, in, out)."""
        if self.numeric.ndim != 4:
            return None
        return (1, 2) if self.name.startswith("input") else (0, 1)


@contextmanager
def replaced(array: Array, values: Array) -> Iterator[None]:
    """Put other numbers into the array for a while."""
    kept = array.copy()
    array[...] = values
    try:
        yield
    finally:
        array[...] = kept


def ratio_of(analytic: Array, numeric: Array, axis: int | None = None) -> Array:
    """The one factor that brings ``numeric`` closest to ``analytic``, along an axis or for all."""
    products, squares = analytic * numeric, numeric**2
    return products.sum(axis=axis) / np.maximum(squares.sum(axis=axis), 1e-300)


def matches(a: Array, b: Array) -> bool:
    """Whether a and b agree wherever both are known, which must be often enough to tell."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < min(a.size / 2, 256) or not rms(b[known]):
        return False
    return bool(np.abs(a - b)[known].max() <= 1e-5 * rms(b[known]))


def name_ratio(ratio: float, scene: Scene) -> list[str]:
    """Ways to write a ratio: with small numbers, with the sizes of input and output."""
    x, y = scene.x, scene.cotangent
    sizes = {"2": 2, "batch": len(x) if x.ndim else 1, "number of outputs": y.size}
    for what, array in (("input", x), ("output", y)):
        if array.ndim == 4:
            sizes[f"pixels of the {what} (H*W)"] = array.shape[1] * array.shape[2]
            sizes[f"(batch * pixels of the {what})"] = math.prod(array.shape[:3])
        if array.ndim >= 2:
            sizes[f"channels of the {what}"] = array.shape[-1]
    sign = "-" if ratio < 0 else ""
    names = [f"{sign}{k}" for k, n in sizes.items() if n > 1 and equal(abs(ratio), n)]
    names += [f"{sign}1/{k}" for k, n in sizes.items() if n > 1 and equal(abs(ratio), 1 / n)]
    number = round(1 / abs(ratio)) if ratio else 0
    if number > 2 and equal(abs(ratio), 1 / number):
        names.insert(0, f"{sign}1/{number}")
    return names


def in_words(ratio: float, scene: Scene) -> str:
    """The ratio in digits, then its names: "0.007812 = 1/128 = 1/batch"."""
    digits = f"{ratio:.4g}"
    return " = ".join([digits, *(name for name in name_ratio(ratio, scene) if name != digits)])


def equal(a: float, b: float) -> bool:
    """Equal as far as differences can tell."""
    return math.isclose(a, b, rel_tol=1e-5)

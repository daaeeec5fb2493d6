"""Measuring a derivative by moving numbers a little: central differences, kinks, rounding.

A kink is a place where a slope jumps, as that of a ReLU does at 0: a difference taken across it
is the slope of neither side, so it is not used.

Source: Press et al., "Numerical Recipes", 3rd ed., 2007, section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnscratch.layers.activations import LeakyReLU, ReLU
from nnscratch.layers.base import Composite, Layer
from nnscratch.layers.pooling import MaxPooling2D

Array = np.ndarray

STEP = 1e-6
SMALL = 256  # arrays up to this size are compared entry by entry
GROUP = 64  # entries of larger ones that are moved together
ENOUGH = 1024  # wrong entries in one array, after which no more are looked for
SHRINK = (1.0, 1 / 16, 1 / 256)  # steps tried for a group, to get by the kinks
LONG = 256.0  # the long step, in short ones
DOUBT = 0.1  # errors above this part of the tolerance are measured again
GROSS = 1e-2  # no longer step puts an error right that is as large as this
EPS = float(np.finfo(np.float64).eps)
ROUNDING = 10.0  # how many times the estimated rounding error is forgiven


@dataclass
class Subject:
    """A function of named arrays, and the gradients that are claimed for it.

    Attributes
    ----------
    arrays : dict of str to array
        The very arrays that ``evaluate`` reads; they are moved in place and put back.
    evaluate : function
        Returns the output (a fresh array) and the kink pattern (see `kink_pattern`).
    cotangent : array like the output
        The dy: L = <cotangent, output>, the sum of products, is what is differentiated.
    gradients : dict of str to array
        The claim: dL/darray, by name.
    """

    arrays: dict[str, Array]
    evaluate: Callable[[], tuple[Array, list[Array]]]
    cotangent: Array
    gradients: dict[str, Array]

    def scale(self, name: str) -> float:
        """The size that errors in one array are held against: the rms of its gradient (`rms`).

        At least a millionth of the largest such size, for a gradient may be 0 but for rounding:
        that of a bias before a BatchNormalization.
        """
        return max(rms(self.gradients[name]), 1e-6 * max(map(rms, self.gradients.values())))


@dataclass
class Comparison:
    """Claimed and measured gradient of one array.

    Attributes
    ----------
    analytic : array
    numeric : array
        NaN where no entry was compared alone.
    error : array
        Relative errors, NaN likewise; for an entry in a group that agreed, that of the group.
    kinks : array of bool
        Entries left out.
    zeros : array of bool
        Entries whose gradient is exactly 0, claimed and measured.
    """

    analytic: Array
    numeric: Array
    error: Array
    kinks: Array
    zeros: Array

    @property
    def compared(self) -> int:
        return self.kinks.size - int(self.kinks.sum())

    @property
    def one_by_one(self) -> int:
        return int(np.isfinite(self.numeric).sum())


@dataclass(frozen=True)
class Slope:
    """dL along one direction: as claimed, as measured, and how far rounding may blur the latter."""

    analytic: float
    numeric: float
    rounding: float

    def relative_error(self, scale: float, tolerance: float) -> float:
        """``|analytic - numeric|`` over the largest of four sizes.

        |analytic|, |numeric|, ``scale`` (see `Subject.scale`: a gradient that happens to vanish at
        one entry is not asked for more digits than exist), and
        ``ROUNDING * rounding / tolerance``: an error that rounding explains never fails, and one
        that it does not explain always can. Infinite if the function is not finite nearby.
        """
        if not np.isfinite(self.numeric):
            return np.inf
        floor = ROUNDING * self.rounding / tolerance
        size = max(abs(self.analytic), abs(self.numeric), scale, floor)
        return abs(self.analytic - self.numeric) / size if size else 0.0


def kink_pattern(layer: Layer) -> list[Array]:
    """On which side of each kink the latest forward pass was, for all parts of ``layer``.

    Two inputs with the same pattern are joined by one smooth piece of the function.
    """
    if isinstance(layer, Composite):
        return [array for part in layer.parts.values() for array in kink_pattern(part)]
    if isinstance(layer, ReLU | LeakyReLU):
        return [layer.cache[0] > 0]
    if isinstance(layer, MaxPooling2D):
        return [layer.cache[0]]
    return []


def measure(
    subject: Subject, name: str, places: Array, weights: Array, stretch: float = 1.0
) -> Slope | None:
    """The slope of L when ``array.flat[places]`` moves along ``weights``, or None at a kink.

    ``(L(p + h w) - L(p - h w)) / 2h`` for the numbers p there and the weights w, where h is 1e-6
    times the rms of the array (or 1, if that is larger), times ``stretch``: the error of the
    formula, of order h^2, and that of rounding, 1e-16 / h, are both small then.
    Outputs are subtracted before they are summed, so only those that moved bring in rounding.
    """
    array = subject.arrays[name]
    h = STEP * stretch * max(1.0, rms(array))
    kept = array.flat[places].copy()
    upper, lower = kept + h * weights, kept - h * weights
    try:
        array.flat[places] = upper
        y_upper, pattern_upper = subject.evaluate()
        array.flat[places] = lower
        y_lower, pattern_lower = subject.evaluate()
    finally:
        array.flat[places] = kept
    if any((u != v).any() for u, v in zip(pattern_upper, pattern_lower, strict=True)):
        return None
    moved = y_upper - y_lower
    blur = float(np.linalg.norm((subject.cotangent * y_upper)[moved != 0])) * EPS
    # upper - lower, not 2 h w: the numbers really moved by what was left after rounding
    claim = subject.gradients[name].flat[places] @ (upper - lower)
    return Slope(
        float(claim / (2 * h)), float((subject.cotangent * moved).sum() / (2 * h)), blur / h
    )


def compare(
    subject: Subject, name: str, tolerance: float, rng: np.random.Generator, every_element: bool
) -> Comparison:
    """Compare the claimed gradient of one array with the measured one.

    An array of up to `SMALL` entries is compared entry by entry. A larger one is cut at random
    into groups of about `GROUP`; each is moved as a whole, every entry by a random amount between
    1/2 and 3/2 steps up or down. Only in groups that disagree or meet a kink are the entries then
    compared alone.
    """
    analytic = subject.gradients[name]
    unknown = np.full(analytic.shape, np.nan)
    nowhere = np.zeros(analytic.shape, bool)
    result = Comparison(analytic, unknown, unknown.copy(), nowhere, nowhere.copy())
    scale = subject.scale(name)
    if every_element or analytic.size <= SMALL:
        _compare_entries(subject, name, np.arange(analytic.size), result, tolerance)
        return result
    groups = np.array_split(rng.permutation(analytic.size), -(-analytic.size // GROUP))
    for places in groups:
        weights = rng.choice([-1.0, 1.0], len(places)) * rng.uniform(0.5, 1.5, len(places))
        slope = _first_smooth(subject, name, places, weights)
        of_group = np.inf if slope is None else slope.relative_error(scale, tolerance)
        if slope is not None and of_group <= tolerance:
            result.error.flat[places] = of_group
            claims = analytic.flat[places]
            result.zeros.flat[places] = (claims == 0) & (claims.any() or slope.numeric == 0)
        elif (result.error > tolerance).sum() < ENOUGH:
            _compare_entries(subject, name, places, result, tolerance)
    return result


def compare_ties(subject: Subject, name: str, rng: np.random.Generator) -> Slope | None:
    """The slope when equal numbers move alike, or None if there are none (or at a kink).

    Where two numbers tie for a maximum, moving one of them alone crosses a kink, so entry by entry
    nothing can be said. Moved together, they stay equal and the maximum follows smoothly.
    """
    array = subject.arrays[name]
    values, group = np.unique(array, return_inverse=True)
    if len(values) == array.size:
        return None
    weights = rng.standard_normal(len(values))[group.ravel()]
    return _first_smooth(subject, name, np.arange(array.size), weights)


def answering(subject: Subject, name: str, rng: np.random.Generator) -> float:
    """The share of outputs that change when all entries of one array move a little, at random."""
    array = subject.arrays[name]
    kept, before = array.copy(), subject.evaluate()[0]
    try:
        array += STEP * max(1.0, rms(kept)) * rng.standard_normal(kept.shape)
        after = subject.evaluate()[0]
    finally:
        array[...] = kept
    return float((after != before).mean())


def _first_smooth(subject: Subject, name: str, places: Array, weights: Array) -> Slope | None:
    """The slope with the largest step that meets no kink."""
    for shrink in SHRINK:
        slope = measure(subject, name, places, weights, shrink)
        if slope is not None:
            return slope
    return None


def _compare_entries(
    subject: Subject, name: str, places: Array, result: Comparison, tolerance: float
) -> None:
    scale = subject.scale(name)
    for place in places:
        slope = measure(subject, name, np.array([place]), np.ones(1))
        if slope is None:
            result.kinks.flat[place] = True
            continue
        error = slope.relative_error(scale, tolerance)
        if DOUBT * tolerance < error < GROSS:
            second = _second_opinion(subject, name, np.array([place]))
            slope = min(slope, second or slope, key=lambda s: s.relative_error(scale, tolerance))
            error = slope.relative_error(scale, tolerance)
        result.numeric.flat[place] = slope.numeric
        result.error.flat[place] = error
        result.zeros.flat[place] = slope.numeric == 0 == result.analytic.flat[place]


def _second_opinion(subject: Subject, name: str, place: Array) -> Slope | None:
    """The slope at one entry from steps so long that rounding is no excuse, or None at a kink.

    The error of the central difference D(h) is c h^2 plus terms of order h^4, so that
    ``(4 D(h) - D(2h)) / 3`` is without the first (Richardson). That allows a step 256 times as
    long, and so 256 times less rounding; a wrong gradient stays as wrong as it was.
    """
    near = measure(subject, name, place, np.ones(1), LONG)
    far = measure(subject, name, place, np.ones(1), 2 * LONG)
    if near is None or far is None:
        return None
    return Slope(
        (4 * near.analytic - far.analytic) / 3,
        (4 * near.numeric - far.numeric) / 3,
        2 * near.rounding,
    )


def rms(array: Array) -> float:
    """The root mean square of the entries."""
    return float(np.sqrt(np.mean(array**2))) if array.size else 0.0

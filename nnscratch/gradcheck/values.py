"""Patterns in the values of a wrong gradient: zeros, factors, terms.

Each function returns the hint, or None if its pattern does not fit.
"""

from __future__ import annotations

import math

import numpy as np

from nnscratch.gradcheck.evidence import Scene, Wrong, in_words, matches, name_ratio

Array = np.ndarray


def zero(wrong: Wrong, scene: Scene) -> str | None:
    """One of the two gradients is 0 throughout."""
    if not wrong.analytic.any():
        return "backward gives 0 everywhere: the gradient is dropped, or never written to grads."
    if not wrong.numeric[wrong.known].any():
        return "forward does not depend on this array at all, yet backward gives a gradient."
    return None


def factor(wrong: Wrong, scene: Scene) -> str | None:
    """One ratio everywhere, named by the sizes at hand."""
    analytic, numeric = wrong.analytic[wrong.known], wrong.numeric[wrong.known]
    ratio = float(analytic @ numeric / (numeric @ numeric))
    if not matches(analytic, ratio * numeric):
        return None
    if math.isclose(ratio, -1, rel_tol=1e-5):
        return "the sign is wrong: every entry is -1 times what it should be."
    if len(numeric) == 1 and not name_ratio(ratio, scene):
        return None  # a single entry always has one ratio
    words = in_words(ratio, scene)
    return f"a missing or superfluous factor: every entry is {words} times its value."


def mask(wrong: Wrong, scene: Scene) -> str | None:
    """Wherever an entry is wrong, one of the two gradients is 0."""
    mask, analytic, numeric = wrong.mask, wrong.analytic, wrong.numeric
    if not numeric[mask].any():
        where = whole_slices(mask)
        if where:
            return (
                f"forward does not depend on this array where {where}, at least at this point, "
                "yet backward gives a gradient there: a factor that is 0 here is forgotten, as a "
                "noise in evaluation, or the gradient belongs elsewhere."
            )
        return (
            "a mask is missing: entries on which the output does not depend get a gradient "
            "all the same."
        )
    if not analytic[mask].any():
        return "part of the gradient is dropped: the wrong entries are all 0."
    return None


def whole_slices(mask: Array) -> str:
    """ "the index along axis 1 is 3, 4" if the mask holds just these slices; or empty."""
    for axis in range(1, mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        if mask.any() and (mask.any(axis=others) == mask.all(axis=others)).all():
            indices = np.flatnonzero(mask.any(axis=others))
            return f"the index along axis {axis} is {', '.join(map(str, indices[:5]))}"
    return ""


def missing_term(wrong: Wrong, scene: Scene) -> str | None:
    """Channel by channel the error is a constant, or a straight line in x."""
    if wrong.name != "input" or wrong.numeric.ndim < 2 or not wrong.known.all():
        return None
    C = wrong.numeric.shape[-1]
    error = (wrong.analytic - wrong.numeric).reshape(-1, C)  # (m, C)
    x = scene.x.reshape(-1, C)
    if len(x) < 6:
        return None
    if matches(error, np.broadcast_to(error.mean(axis=0), error.shape)):
        return (
            "a missing term: the error is one number for each channel, so a sum or mean over "
            "the batch is missing or superfluous."
        )
    centred = x - x.mean(axis=0)
    slope = (error * centred).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-300)
    if matches(error, error.mean(axis=0) + slope * centred):
        return (
            "a missing term: in each channel the error follows the input x, so a term "
            "proportional to x (as from a variance) is missing or superfluous."
        )
    return None


def channel_factors(wrong: Wrong, scene: Scene) -> str | None:
    """One ratio for each index of the last axis."""
    if wrong.numeric.ndim < 2 or wrong.numeric.shape[-1] < 2 or not wrong.known.all():
        return None
    a, n = (g.reshape(-1, g.shape[-1]) for g in (wrong.analytic, wrong.numeric))
    ratios = (a * n).sum(axis=0) / np.maximum((n * n).sum(axis=0), 1e-300)
    if len(a) < 3 or not matches(a, ratios * n):
        return None
    return (
        "a missing or superfluous factor for each channel, such as gamma: "
        f"{', '.join(f'{r:.4g}' for r in ratios[:5])} times the right value."
    )


def factor_of_some(wrong: Wrong, scene: Scene) -> str | None:
    """Not all entries are wrong, but those that are have one ratio."""
    a, n = wrong.analytic[wrong.mask], wrong.numeric[wrong.mask]
    if len(a) < 3 or not (n @ n):
        return None
    ratio = float(a @ n / (n @ n))
    if not matches(a, ratio * n):
        return None
    return (
        "a missing or superfluous factor in one branch: the wrong entries, and only they, are "
        f"{in_words(ratio, scene)} times their value."
    )

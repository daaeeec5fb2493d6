"""A factor that is missing, superfluous or another one than it should be."""

from __future__ import annotations

import math

import numpy as np

from nnscratch.gradcheck.hints.evidence import (
    Scene,
    Wrong,
    in_words,
    matches,
    name_ratio,
    ratio_of,
)

Array = np.ndarray


def of_all(wrong: Wrong, scene: Scene) -> str | None:
    """One ratio everywhere, named by the sizes at hand."""
    analytic, numeric = wrong.analytic[wrong.known], wrong.numeric[wrong.known]
    ratio = float(ratio_of(analytic, numeric))
    if not matches(analytic, ratio * numeric):
        return None
    if math.isclose(ratio, -1, rel_tol=1e-5):
        return "the sign is wrong: every entry is -1 times what it should be."
    if len(numeric) == 1 and not name_ratio(ratio, scene):
        return None  # a single entry always has one ratio
    words = in_words(ratio, scene)
    return f"a missing or superfluous factor: every entry is {words} times its value."


def of_some(wrong: Wrong, scene: Scene) -> str | None:
    """Not all entries are wrong, but those that are have one ratio."""
    a, n = wrong.analytic[wrong.mask], wrong.numeric[wrong.mask]
    ratio = float(ratio_of(a, n))
    if len(a) < 3 or not matches(a, ratio * n):
        return None
    return (
        "a missing or superfluous factor in one branch: the wrong entries, and only they, are "
        f"{in_words(ratio, scene)} times their value."
    )


def of_each_channel(wrong: Wrong, scene: Scene) -> str | None:
    """One ratio for each index of the last axis."""
    if wrong.numeric.ndim < 2 or wrong.numeric.shape[-1] < 2 or not wrong.known.all():
        return None
    a, n = (g.reshape(-1, g.shape[-1]) for g in (wrong.analytic, wrong.numeric))
    ratios = ratio_of(a, n, axis=0)
    if len(a) < 3 or not matches(a, ratios * n):
        return None
    return (
        "a missing or superfluous factor for each channel, such as gamma: "
        f"{', '.join(f'{r:.4g}' for r in ratios[:5])} times the right value."
    )


def input_or_output_in_dx(wrong: Wrong, scene: Scene) -> str | None:
    """Entry by entry, the input or the output is missing as a factor."""
    if wrong.name != "input" or scene.forward is None or not wrong.known.all():
        return None
    arrays = {"the input x": scene.x, "the output y": scene.forward()}
    for name, array in arrays.items():
        if array.shape != wrong.numeric.shape or not array.all():
            continue
        if matches(wrong.analytic * array, wrong.numeric):
            return f"a factor is missing: times {name}, every entry of dx is right."
        if matches(wrong.analytic / array, wrong.numeric):
            return f"a superfluous factor: divided by {name}, every entry of dx is right."
    return None


def parameter_in_dx(wrong: Wrong, scene: Scene) -> str | None:
    """Experiment: is dx right once dy is multiplied with a parameter, or divided by it?"""
    if wrong.name != "input":
        return None
    for name, array in scene.params.items():
        if array.shape != scene.cotangent.shape[scene.cotangent.ndim - array.ndim :]:
            continue
        if matches(scene.backward(scene.cotangent * array)["input"], wrong.numeric):
            return f"{name} is forgotten: with dy * {name} in place of dy, dx is right."
        if matches(scene.backward(scene.cotangent / array)["input"], wrong.numeric):
            return f"{name} is multiplied in twice: with dy / {name} in place of dy, dx is right."
    return None


def in_parameter(wrong: Wrong, scene: Scene) -> str | None:
    """The gradient of a parameter is the sum of dy times something, but not the right thing."""
    x, dy = scene.x, scene.cotangent
    shape = wrong.numeric.shape
    if wrong.name not in scene.params or shape != dy.shape[dy.ndim - len(shape) :]:
        return None
    axes = tuple(range(dy.ndim - len(shape)))
    found = {"dy": dy} | ({"dy * x": dy * x} if x.shape == dy.shape else {})
    if scene.forward is not None:
        found["dy * y"] = dy * scene.forward()
    for words, product in found.items():
        if matches(wrong.analytic, product.sum(axis=axes)):
            return (
                f"backward sums {words}; it must sum dy times what forward multiplies "
                f"{wrong.name} with, as the normalised input."
            )
    return None

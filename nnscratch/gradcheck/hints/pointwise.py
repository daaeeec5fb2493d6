"""Layers that work number by number, ``y = f(x)``: what backward takes for f', and what it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnscratch.gradcheck.hints.evidence import (
    Scene,
    Wrong,
    in_words,
    matches,
    ratio_of,
    replaced,
)

Array = np.ndarray


def number_by_number(wrong: Wrong, scene: Scene) -> str | None:
    """Compare the slopes: taken at another place, without a factor, without a term."""
    if wrong.name != "input" or not wrong.known.all() or scene.forward is None:
        return None
    x, y, dy = scene.x, scene.forward(), scene.cotangent
    if y.shape != x.shape or not _is_pointwise(x, y, scene.forward):
        return None
    claimed, slope = wrong.analytic / dy, wrong.numeric / dy
    for where, point in {"the output y": y, "-x": -x, "|x|": np.abs(x)}.items():
        if matches(claimed, scene.slope(x, point, np.ones_like(x))):
            return f"the derivative is right, but taken at {where} instead of the input x."
    branch = wrong.mask
    if branch.sum() < 4:
        return None
    side = _side(branch, x)
    claimed, slope = claimed[branch], slope[branch]
    candidates = _candidates(x[branch], y[branch])
    for name, values in candidates.items():
        for factor in (values, 1 / values):
            words = f"{name}" if factor is values else f"1 / ({name})"
            ratio = np.mean(slope / (claimed * factor)) if claimed.all() else 0.0
            if ratio and matches(claimed * factor * ratio, slope):
                times = "" if np.isclose(ratio, 1, rtol=1e-5) else f"{in_words(ratio, scene)} * "
                return f"{side}a factor {times}{words} is missing in the derivative."
    for name, values in ({"1": np.ones_like(slope)} | candidates).items():
        share = float(ratio_of(slope - claimed, values))
        if matches(share * values, slope - claimed):
            return (
                f"{side}a term is missing or superfluous: the derivative should have "
                f"{share:.4g} * {name} more. Of a product u v it is u' v + u v'."
            )
    for name, values in ({"1": np.ones_like(slope)} | candidates).items():
        share = float(ratio_of(claimed, values))
        if matches(share * values, claimed):
            return (
                f"{side}backward takes {share:.4g} * {name} for the derivative, which is another "
                "function: a term or a factor is missing. Of a product u v it is u' v + u v'."
            )
    return None


def _is_pointwise(x: Array, y: Array, forward: Callable[[], Array]) -> bool:
    """Whether each output depends on the one input in its place."""
    for place in (0, x.size // 2):
        moved = x.copy()
        moved.flat[place] += 0.1
        with replaced(x, moved):
            changed = np.flatnonzero(forward() != y)
        if (changed != place).any():
            return False
    return True


def _side(branch: Array, x: Array) -> str:
    """Where the wrong entries are, if their sign says it."""
    for words, side in (("x < 0", x < 0), ("x > 0", x > 0)):
        if (branch == side).all() and not branch.all():
            return f"wrong only where {words}: there "
    return ""


def _candidates(x: Array, y: Array) -> dict[str, Array]:
    """Of what derivatives of the usual functions are made."""
    sigmoid = 0.5 * (1 + np.tanh(x / 2))
    with np.errstate(all="ignore"):
        table = {
            "x": x, "y": y, "1 - y": 1 - y, "1 + y": 1 + y, "y**2": y**2, "1 - y**2": 1 - y**2,
            "y / x": y / x, "exp(x)": np.exp(x), "sigmoid(x)": sigmoid,
            "(1 - sigmoid(x))": 1 - sigmoid, "sigmoid'(x)": sigmoid * (1 - sigmoid),
            "x * sigmoid'(x)": x * sigmoid * (1 - sigmoid),
            "exp(-x**2 / 2)": np.exp(-(x**2) / 2), "x * exp(-x**2 / 2)": x * np.exp(-(x**2) / 2),
            "1 - tanh(x)**2": 1 - np.tanh(x) ** 2,
        }  # fmt: skip
    return {name: v for name, v in table.items() if np.isfinite(v).all() and v.all()}

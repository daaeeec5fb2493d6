"""Layers that work number by number, ``y = f(x)``: what backward takes for f', and what it is.

Each function returns the hint, or None if its pattern does not fit.
"""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck.differences import STEP
from nnscratch.gradcheck.evidence import Scene, Wrong, in_words, matches

Array = np.ndarray


def number_by_number(wrong: Wrong, scene: Scene) -> str | None:
    """Compare the slopes: taken at another place, without a factor, without a term."""
    if wrong.name != "input" or not wrong.known.all() or not _is_pointwise(scene):
        return None
    x, y, dy = scene.x.copy(), _forward(scene), scene.cotangent
    claimed, slope = wrong.analytic / dy, wrong.numeric / dy
    for where, point in {"the output y": y, "-x": -x, "|x|": np.abs(x)}.items():
        if matches(claimed, _slope_at(scene, point)):
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
        share = float((slope - claimed) @ values / (values @ values))
        if matches(share * values, slope - claimed):
            return (
                f"{side}a term is missing or superfluous: the derivative should have "
                f"{share:.4g} * {name} more. Of a product u v it is u' v + u v'."
            )
    for name, values in ({"1": np.ones_like(slope)} | candidates).items():
        share = float(claimed @ values / (values @ values))
        if matches(share * values, claimed):
            return (
                f"{side}backward takes {share:.4g} * {name} for the derivative, which is another "
                "function: a term or a factor is missing. Of a product u v it is u' v + u v'."
            )
    return None


def _forward(scene: Scene) -> Array:
    assert scene.forward is not None
    return scene.forward()


def _is_pointwise(scene: Scene) -> bool:
    """Whether each output depends on the one input in its place."""
    if scene.forward is None or scene.cotangent.shape != scene.x.shape:
        return False
    before = scene.forward()
    for place in (0, scene.x.size // 2):
        kept = scene.x.flat[place]
        scene.x.flat[place] = kept + 0.1
        moved = np.flatnonzero(scene.forward() != before)
        scene.x.flat[place] = kept
        if (moved != place).any():
            return False
    return True


def _slope_at(scene: Scene, point: Array) -> Array:
    """f' there; all numbers can be moved at once."""
    kept = scene.x.copy()
    scene.x[...] = point + STEP
    upper = _forward(scene)
    scene.x[...] = point - STEP
    lower = _forward(scene)
    scene.x[...] = kept
    return (upper - lower) / (2 * STEP)


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

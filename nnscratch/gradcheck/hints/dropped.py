"""One of the two gradients is 0 where the other is not."""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck.hints.evidence import Scene, Wrong

Array = np.ndarray


def zero(wrong: Wrong, scene: Scene) -> str | None:
    """One of the two gradients is 0 throughout."""
    if not wrong.analytic.any():
        return "backward gives 0 everywhere: the gradient is dropped, or never written to grads."
    if not wrong.numeric[wrong.known].any():
        return "forward does not depend on this array at all, yet backward gives a gradient."
    return None


def mask(wrong: Wrong, scene: Scene) -> str | None:
    """Wherever an entry is wrong, one of the two gradients is 0."""
    mask, analytic, numeric = wrong.mask, wrong.analytic, wrong.numeric
    if not numeric[mask].any():
        where = _whole_slices(mask)
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


def _whole_slices(mask: Array) -> str:
    """ "the index along axis 1 is 3, 4" if the mask holds just these slices; or empty."""
    for axis in range(1, mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        if mask.any() and (mask.any(axis=others) == mask.all(axis=others)).all():
            indices = np.flatnonzero(mask.any(axis=others))
            return f"the index along axis {axis} is {', '.join(map(str, indices[:5]))}"
    return ""

"""The right numbers in other places: a step to the side, or another order."""

from __future__ import annotations

import itertools

import numpy as np

from nnscratch.gradcheck.hints.evidence import Scene, Wrong, matches

Array = np.ndarray


def to_the_side(wrong: Wrong, scene: Scene) -> str | None:
    """Right, but for a step to the side: compared where the two overlap."""
    if wrong.image_axes is None:
        return None
    a, n = (np.moveaxis(g, wrong.image_axes, (0, 1)) for g in (wrong.analytic, wrong.numeric))
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        if (down, right) == (0, 0) or a.shape[0] <= abs(down) or a.shape[1] <= abs(right):
            continue
        here = a[max(down, 0) : a.shape[0] + down, max(right, 0) : a.shape[1] + right]
        there = n[max(-down, 0) : n.shape[0] - down, max(-right, 0) : n.shape[1] - right]
        # where little overlaps, agreement says little
        if here.size >= a.size / 3 and here.size > 3 and matches(here, there):
            return (
                f"off by one: the gradient is right but moved {down} down and {right} to the "
                "right; look at where the padding is cropped."
            )
    return None


def anywhere(wrong: Wrong, scene: Scene) -> str | None:
    """In each sample, or in a parameter, the right numbers in other places."""
    if not wrong.known.all() or wrong.mask.ndim < 2:
        return None
    groups = len(wrong.mask) if wrong.name.startswith("input") else 1
    a, n = (np.sort(g.reshape(groups, -1), axis=1) for g in (wrong.analytic, wrong.numeric))
    if a.shape[1] < 4 or not matches(a, n):
        return None
    return "the right numbers in the wrong places: look at the order of the axes, as in a reshape."

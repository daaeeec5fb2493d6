"""Gradients that are 0, claimed and measured: when does that prove nothing?

Zeros are well where others win: a maximum passes its gradient on to one entry of many, and a ReLU
to those above 0. They are not if a whole array has no gradient, for then no factor, sign or sum of
its backward pass could be seen.
"""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck.differences import Subject, answering
from nnscratch.gradcheck.report import Failure

MOST_ZEROS = 0.9  # of one array's entries; from there on, outputs must answer to it
FEWEST_ANSWERS = 0.05  # of the outputs


def without_gradient(dead: list[str], checked: Subject) -> Failure:
    """A check that proves nothing about these arrays."""
    entries = sum(checked.arrays[name].size for name in dead)
    return Failure(
        "zeros",
        f"a check that proves nothing: all {entries} gradients of {', '.join(dead)} are 0, claimed "
        "and measured",
        hint="a wrong factor would not show. Look for a ReLU that gives 0 everywhere, or an x of "
        "zeros; choose another x or seed. If it must be so, name the arrays in no_effect=.",
        proves_little=True,
    )


def check_answers(
    checked: Subject, name: str, zeros: int, rng: np.random.Generator
) -> list[Failure]:
    """Few entries with a gradient are well if the outputs answer to them, as to a maximum."""
    share = answering(checked, name, rng)
    if share >= FEWEST_ANSWERS:
        return []
    what = (
        f"a check that proves little: {zeros} of {checked.arrays[name].size} gradients are 0, "
        f"claimed and measured, and only {100 * share:.2g} % of the outputs depend on this array"
    )
    hint = "most of the layer is dead at this point; choose another x or seed."
    return [Failure(name, what, hint=hint, proves_little=True)]

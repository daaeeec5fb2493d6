"""From the pattern of wrong entries to a sentence that says where to look.

Every test is exact (a pattern fits to five digits, or is not named) and the first that fits is
reported. Some do an experiment: if the gradient comes out right once the kernel is flipped, then
backward reads the kernel the wrong way round.

A hint is a function ``(wrong, scene)`` that gives its sentence, or None if its pattern does not
fit. Each file here holds those of one idea; what they work with stands in `evidence`.
"""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck.differences import Comparison
from nnscratch.gradcheck.hints import (
    dropped,
    factors,
    moved,
    orientation,
    places,
    pointwise,
    sums,
    terms,
)
from nnscratch.gradcheck.hints.evidence import Scene, Wrong

UNKNOWN = "no pattern recognised; compare backward with the derivation, line by line."

# From the plain to the subtle: what an earlier one explains is not left to a later one.
HINTS = (
    dropped.zero,
    factors.of_all,
    places.single_entry,
    orientation.of_gradient,
    orientation.of_weights,
    moved.to_the_side,
    moved.anywhere,
    places.border,
    places.period,
    dropped.mask,
    factors.parameter_in_dx,
    sums.diagonal_only,
    terms.in_each_channel,
    factors.of_some,
    factors.of_each_channel,
    pointwise.number_by_number,
    factors.input_or_output_in_dx,
    sums.not_transposed,
    terms.in_each_group,
    sums.ways,
    sums.part_of_dy,
    sums.one_of_several,
    factors.in_parameter,
    places.confined,
)


def diagnose(name: str, comparison: Comparison, tolerance: float, scene: Scene) -> str:
    """The hint for one array: the first pattern that fits, or `UNKNOWN`."""
    analytic, numeric, error = comparison.analytic, comparison.numeric, comparison.error
    if np.isinf(error).any():
        return "forward gives NaN or infinity close to this point, so there is nothing to compare."
    in_good_groups = np.isnan(numeric) & (error <= tolerance)
    wrong = Wrong(name, analytic, np.where(in_good_groups, analytic, numeric), error > tolerance)
    return next((hint for of in HINTS if (hint := of(wrong, scene))), UNKNOWN)

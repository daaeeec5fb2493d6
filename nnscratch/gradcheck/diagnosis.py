"""From the pattern of wrong entries to a sentence that says where to look.

Every test is exact (a pattern fits to five digits, or is not named) and the first that fits is
reported. Some do an experiment: if the gradient comes out right once the kernel is flipped, then
backward reads the kernel the wrong way round.
"""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck import experiments, groups, local, places, values
from nnscratch.gradcheck.differences import Comparison
from nnscratch.gradcheck.evidence import Scene, Wrong

UNKNOWN = "no pattern recognised; compare backward with the derivation, line by line."

# From the plain to the subtle: what an earlier one explains is not left to a later one.
TESTS = (
    values.zero,
    values.factor,
    places.single_entry,
    experiments.orientation,
    experiments.kernel_in_input_gradient,
    places.shift,
    places.reordered,
    places.border,
    places.period,
    values.mask,
    groups.parameter_in_dx,
    groups.diagonal_only,
    values.missing_term,
    values.factor_of_some,
    values.channel_factors,
    local.number_by_number,
    groups.factor_in_dx,
    groups.transposed_map,
    groups.within_groups,
    groups.ways,
    experiments.part_of_the_sum,
    groups.one_of_several,
    groups.factor_in_parameter,
    places.confined,
)


def diagnose(name: str, comparison: Comparison, tolerance: float, scene: Scene) -> str:
    """The hint for one array: the first pattern that fits, or `UNKNOWN`."""
    analytic, numeric, error = comparison.analytic, comparison.numeric, comparison.error
    if np.isinf(error).any():
        return "forward gives NaN or infinity close to this point, so there is nothing to compare."
    in_good_groups = np.isnan(numeric) & (error <= tolerance)
    wrong = Wrong(name, analytic, np.where(in_good_groups, analytic, numeric), error > tolerance)
    return next((hint for test in TESTS if (hint := test(wrong, scene))), UNKNOWN)

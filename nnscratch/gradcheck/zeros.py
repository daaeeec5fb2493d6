"""Gradients that are 0, claimed and measured: when does that prove nothing?

Zeros are well where others win: a maximum passes its gradient on to one entry of many, and a ReLU
to those above 0. They are not if a whole array has no gradient, for then no factor, sign or sum of
its backward pass could be seen. The exception is a parameter that something behind its layer takes
away again, as the mean of a normalisation takes away a bias: there 0 is the right gradient, which
rounding makes a little more or less than 0, or exactly that.
"""

from __future__ import annotations

import numpy as np

from nnscratch.gradcheck.differences import Subject, answering, rms
from nnscratch.gradcheck.report import Failure
from nnscratch.layers.base import Composite, Layer, named_parts
from nnscratch.training.divergence import replaced

Array = np.ndarray

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


def taken_away(
    dead: list[str], checked: Subject, layer: Layer | None, rng: np.random.Generator
) -> list[str]:
    """Those arrays without gradient that a part behind their layer takes away again.

    That is so if another parameter of the layer has a gradient, so the way from there is not dead,
    and if a large change of the array changes what the layer gives, but not what the model gives.
    """
    layers = dict(named_parts(layer.parts)) if isinstance(layer, Composite) else {}
    found = []
    for name in dead:
        place = name.rpartition(".")[0]
        siblings = [f"{place}.{other}" for other in layers[place].params] if place in layers else []
        if all(other in dead for other in siblings):
            continue
        array = checked.arrays[name]
        kept, (own, y) = array.copy(), _outputs(layers[place], checked)
        try:
            array += max(1.0, rms(kept)) * rng.standard_normal(kept.shape)
            own_after, y_after = _outputs(layers[place], checked)
        finally:
            array[...] = kept
        if not _equal(own, own_after) and _equal(y, y_after):
            found.append(name)
    return found


def _outputs(part: Layer, checked: Subject) -> tuple[Array, Array]:
    """What ``part`` gives in a forward pass of the model, and what the model gives."""
    given: list[Array] = []
    forward = part.forward

    def recorded(x: Array, training: bool = False) -> Array:
        given.append(forward(x, training).copy())
        return given[-1].copy()

    with replaced(part, recorded, part.backward):
        y = checked.evaluate()[0]
    return given[0], y


def _equal(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() <= 1e-9 * max(1.0, np.abs(a).max()))

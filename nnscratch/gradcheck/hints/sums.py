"""Outputs that depend on several inputs, or inputs read in several places: a sum is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnscratch.gradcheck.differences import rms
from nnscratch.gradcheck.hints.evidence import Scene, Wrong, matches, replaced

Array = np.ndarray

MOST = 100_000  # entries of a matrix of derivatives that is still measured


def part_of_dy(wrong: Wrong, scene: Scene) -> str | None:
    """Experiment: is the gradient the same when most of dy is 0? Then the rest was not summed."""
    if wrong.name not in scene.params:
        return None
    dy = scene.cotangent
    parts: dict[str, Any] = {"the first sample": np.s_[:1], "the last sample": np.s_[-1:]}
    if dy.ndim == 4:
        parts["the first row"], parts["the last row"] = np.s_[:, :1], np.s_[:, -1:]
        parts["the first column"], parts["the last column"] = np.s_[:, :, :1], np.s_[:, :, -1:]
        parts["the first pixel"], parts["the last pixel"] = np.s_[:, :1, :1], np.s_[:, -1:, -1:]
    for what, place in reversed(parts.items()):  # the smallest part first
        only = np.zeros_like(dy)
        only[place] = dy[place]
        if only.size > only[place].size and matches(
            scene.backward(only)[wrong.name], wrong.analytic
        ):
            return f"a missing sum: only {what} of dy adds to this gradient."
    return None


def diagonal_only(wrong: Wrong, scene: Scene) -> str | None:
    """Only the way from each input to the output in its own place was followed."""
    jacobian = _jacobian(wrong, scene)
    if jacobian is None or wrong.name != "input" or scene.cotangent.shape != scene.x.shape:
        return None
    alone = (np.diagonal(jacobian) * scene.cotangent.ravel()).reshape(scene.x.shape)
    if rms(jacobian) and matches(wrong.analytic, alone):
        return (
            "backward works number by number, but each output depends on other inputs, too: the "
            "sum over those outputs is missing."
        )
    return None


def one_of_several(wrong: Wrong, scene: Scene) -> str | None:
    """An entry that is read several times got the last, or first, of its gradients alone."""
    jacobian = _jacobian(wrong, scene)
    if jacobian is None:
        return None
    terms = (scene.cotangent.reshape(-1, 1) * jacobian).reshape(*scene.cotangent.shape, -1)
    for axis in range(scene.cotangent.ndim):
        others = tuple(i for i in range(scene.cotangent.ndim) if i != axis)
        along = terms.sum(axis=others)  # (length, entries)
        for which, ordered in (("last", along[::-1]), ("first", along)):
            kept = ordered[(ordered != 0).argmax(axis=0), np.arange(along.shape[1])]
            if matches(wrong.analytic, kept.reshape(wrong.analytic.shape)):
                return (
                    f"an entry that is read several times gets only the {which} of its gradients: "
                    f"along axis {axis} of dy they must be added, as np.add.at does."
                )
    return None


def not_transposed(wrong: Wrong, scene: Scene) -> str | None:
    """Backward goes the way of forward: J dy, where J' dy is the gradient."""
    jacobian = _jacobian(wrong, scene)
    if jacobian is None or wrong.name != "input" or jacobian.shape[0] != jacobian.shape[1]:
        return None
    forward_way = (jacobian @ scene.cotangent.ravel()).reshape(wrong.analytic.shape)
    if matches(wrong.analytic, forward_way):
        return (
            "backward maps dy as forward maps x; it must do so transposed: what each output read "
            "must get its gradient."
        )
    return None


def _jacobian(wrong: Wrong, scene: Scene) -> Array | None:
    """Derivatives of every output by every entry of the array, (outputs, entries), if few."""
    array = scene.x if wrong.name == "input" else scene.params.get(wrong.name)
    if scene.forward is None or array is None or array.size * scene.cotangent.size > MOST:
        return None
    point, columns = array.copy(), []
    for place in range(array.size):
        direction = np.zeros_like(array)
        direction.flat[place] = 1
        columns.append(scene.slope(array, point, direction).ravel())
    return np.stack(columns, axis=1)


def ways(wrong: Wrong, scene: Scene) -> str | None:
    """For y of degree k in x, ``<dx, x> = k L``; a forgotten way of x makes it less (Euler)."""
    if wrong.name != "input" or scene.forward is None or not wrong.known.all():
        return None
    y = scene.forward()
    with replaced(scene.x, 2 * scene.x):
        doubled = scene.forward()
    degree = next((k for k in (2, 3, 4) if matches(doubled, 2.0**k * y)), None)
    if degree is None:
        return None
    value = float((scene.cotangent * y).sum())
    found = float((wrong.analytic * scene.x).sum()) / value
    if abs(found - round(found)) > 1e-5 or not 0 <= round(found) < degree:
        return None
    return (
        f"a way is forgotten: x enters the output in {degree} places (twice the x gives "
        f"{2**degree} times the y), and backward follows {round(found)} of them."
    )

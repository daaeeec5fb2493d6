"""Layers whose outputs depend on several inputs: parameters, sums and ways that were forgotten.

Each function returns the hint, or None if its pattern does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnscratch.gradcheck.differences import STEP, rms
from nnscratch.gradcheck.evidence import Scene, Wrong, matches

Array = np.ndarray

MOST = 100_000  # entries of a matrix of derivatives that is still measured


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


def factor_in_dx(wrong: Wrong, scene: Scene) -> str | None:
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


def factor_in_parameter(wrong: Wrong, scene: Scene) -> str | None:
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


def within_groups(wrong: Wrong, scene: Scene) -> str | None:
    """In each row, sample or group of channels, the error is a number, or follows x or y."""
    if wrong.name != "input" or not wrong.known.all():
        return None
    error, x = wrong.analytic - wrong.numeric, scene.x
    shapes: dict[str, Array] = {"the input x": x}
    if scene.forward is not None and scene.cotangent.shape == x.shape:
        shapes["the output y"] = scene.forward()
    for where, what, rows in _groupings(x):
        if rows.shape[1] < 4:
            continue
        e = error.ravel()[rows]  # (groups, entries)
        if matches(e, np.broadcast_to(e.mean(axis=1, keepdims=True), e.shape)):
            return (
                f"a missing term: {where}, the error is one number, so a sum or mean over "
                f"{what} is missing or superfluous, or has a wrong factor."
            )
        for name, array in shapes.items():
            values = array.ravel()[rows]
            if matches(e, _fitted(e, values)):
                return (
                    f"a missing term: {where}, the error follows {name}, so a term proportional "
                    f"to it, with a sum over {what}, is missing or has a wrong factor."
                )
        claimed, numeric = wrong.analytic.ravel()[rows], wrong.numeric.ravel()[rows]
        ratio = (claimed * numeric).sum(axis=1) / np.maximum((numeric**2).sum(axis=1), 1e-300)
        if matches(claimed, ratio[:, np.newaxis] * numeric):
            return (
                f"a missing or superfluous factor that is one number {where}, such as one over "
                f"the standard deviation: {', '.join(f'{r:.4g}' for r in ratio[:4])} times the "
                "right value."
            )
    return None


def _fitted(error: Array, values: Array) -> Array:
    """The straight line in ``values`` that is closest to the error, in each row."""
    centred = values - values.mean(axis=1, keepdims=True)
    size = np.maximum((centred**2).sum(axis=1, keepdims=True), 1e-300)
    slope = (error * centred).sum(axis=1, keepdims=True) / size
    return error.mean(axis=1, keepdims=True) + slope * centred


def _groupings(x: Array) -> Iterator[tuple[str, str, Array]]:
    """Rows of places that may belong together: ``(where, over what, (groups, entries))``."""
    places = np.arange(x.size).reshape(x.shape)
    N, C = len(x), x.shape[-1]
    yield "in each row of the last axis", "the last axis", places.reshape(-1, C)
    yield "in each sample", "the sample", places.reshape(N, -1)
    if x.ndim == 2:
        yield "in each channel", "the batch", places.T
    else:
        pixels = places.reshape(N, -1, C)
        yield (
            "in each channel of a sample",
            "its pixels",
            pixels.transpose(0, 2, 1).reshape(-1, pixels.shape[1]),
        )
        for groups in range(2, C):
            if C % groups == 0:
                parted = pixels.reshape(N, -1, groups, C // groups).transpose(0, 2, 1, 3)
                words = f"in each of {groups} groups of channels"
                yield words, "the group", parted.reshape(N * groups, -1)


def ways(wrong: Wrong, scene: Scene) -> str | None:
    """For y of degree k in x, ``<dx, x> = k L``; a forgotten way of x makes it less (Euler)."""
    if wrong.name != "input" or scene.forward is None or not wrong.known.all():
        return None
    y, kept = scene.forward(), scene.x.copy()
    scene.x[...] *= 2
    doubled = scene.forward()
    scene.x[...] = kept
    degree = next((k for k in (2, 3, 4) if matches(doubled, 2.0**k * y)), None)
    if degree is None:
        return None
    value = float((scene.cotangent * y).sum())
    found = float((wrong.analytic * kept).sum()) / value
    if abs(found - round(found)) > 1e-5 or not 0 <= round(found) < degree:
        return None
    return (
        f"a way is forgotten: x enters the output in {degree} places (twice the x gives "
        f"{2**degree} times the y), and backward follows {round(found)} of them."
    )


def transposed_map(wrong: Wrong, scene: Scene) -> str | None:
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
    columns = []
    for place in range(array.size):
        kept = array.flat[place]
        array.flat[place] = kept + STEP
        upper = scene.forward()
        array.flat[place] = kept - STEP
        lower = scene.forward()
        array.flat[place] = kept
        columns.append((upper - lower).ravel() / (2 * STEP))
    return np.stack(columns, axis=1)

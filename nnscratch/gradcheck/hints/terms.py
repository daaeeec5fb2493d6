"""A term of the gradient is missing: the error is a number, or a straight line in x or y."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnscratch.gradcheck.hints.evidence import Scene, Wrong, matches, ratio_of

Array = np.ndarray


def in_each_channel(wrong: Wrong, scene: Scene) -> str | None:
    """Channel by channel the error is a constant, or a straight line in x."""
    if wrong.name != "input" or wrong.numeric.ndim < 2 or not wrong.known.all():
        return None
    places = np.arange(wrong.numeric.size).reshape(-1, wrong.numeric.shape[-1]).T  # (C, m)
    if places.shape[1] < 6:
        return None
    error = (wrong.analytic - wrong.numeric).ravel()[places]
    if _is_one_number(error):
        return (
            "a missing term: the error is one number for each channel, so a sum or mean over "
            "the batch is missing or superfluous."
        )
    if matches(error, _fitted(error, scene.x.ravel()[places])):
        return (
            "a missing term: in each channel the error follows the input x, so a term "
            "proportional to x (as from a variance) is missing or superfluous."
        )
    return None


def in_each_group(wrong: Wrong, scene: Scene) -> str | None:
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
        if _is_one_number(e):
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
        ratio = ratio_of(claimed, numeric, axis=1)
        if matches(claimed, ratio[:, np.newaxis] * numeric):
            return (
                f"a missing or superfluous factor that is one number {where}, such as one over "
                f"the standard deviation: {', '.join(f'{r:.4g}' for r in ratio[:4])} times the "
                "right value."
            )
    return None


def _is_one_number(error: Array) -> bool:
    """Whether each row holds the same number throughout."""
    return matches(error, np.broadcast_to(error.mean(axis=1, keepdims=True), error.shape))


def _fitted(error: Array, values: Array) -> Array:
    """The straight line in ``values`` that is closest to the error, in each row."""
    centred = values - values.mean(axis=1, keepdims=True)
    slope = ratio_of(error, centred, axis=1)[:, np.newaxis]
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

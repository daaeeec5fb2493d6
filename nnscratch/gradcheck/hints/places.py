"""Where the wrong entries are: one alone, at the border, in a regular pattern, along an axis."""

from __future__ import annotations

import itertools

import numpy as np

from nnscratch.gradcheck.hints.evidence import Scene, Wrong

Array = np.ndarray


def single_entry(wrong: Wrong, scene: Scene) -> str | None:
    """All right but for one entry."""
    if wrong.mask.sum() == 1 and wrong.mask.size > 8:
        index = [int(i) for i in np.argwhere(wrong.mask)[0]]
        return f"only the entry {index} is wrong: look for an index, a loop's end, a clip."
    return None


def _wrong_pixels(wrong: Wrong) -> Array | None:
    """Wrong entries, over samples and channels: an (H, W) array of bool."""
    if wrong.image_axes is None:
        return None
    mask = np.moveaxis(wrong.mask, wrong.image_axes, (0, 1))
    return np.any(mask.reshape(*mask.shape[:2], -1), axis=2)


def border(wrong: Wrong, scene: Scene) -> str | None:
    """Wrong only within one or two pixels of the border, of an image that has more."""
    pixels = _wrong_pixels(wrong)
    if pixels is None:
        return None
    H, W = pixels.shape
    rows, columns = np.nonzero(pixels)
    sides = {"top": rows, "bottom": H - 1 - rows, "left": columns, "right": W - 1 - columns}
    for width in (1, 2):
        if min(H, W) <= 2 * width:
            return None
        for side, distance in sides.items():
            if distance.max() < width:
                return f"wrong only at the {side} border: look at the padding and its crop."
        if np.minimum.reduce(list(sides.values())).max() < width:
            return "wrong only at the border: look at the padding, its crop, and what it counts."
    return None


def period(wrong: Wrong, scene: Scene) -> str | None:
    """Whether a pixel is wrong depends on its place modulo a small number.

    Pixels at the border are seen by fewer windows and may step out of line.
    """
    pixels = _wrong_pixels(wrong)
    if pixels is None:
        return None
    for inside in (pixels, pixels[1:-1, 1:-1]):
        for ph, pw in itertools.product((1, 2, 3, 4), repeat=2):
            if inside.all() or inside.shape[0] < 2 * ph or inside.shape[1] < 2 * pw:
                continue
            classes = [inside[i::ph, j::pw] for i, j in np.ndindex(ph, pw)]
            if inside.any() and all(c.all() or not c.any() for c in classes):
                return f"wrong in a pattern of period {ph} x {pw}: look at the strides."
    return None


def confined(wrong: Wrong, scene: Scene) -> str | None:
    """Wrong entries at some indices along one axis, the others all right."""
    for axis, length in enumerate(wrong.mask.shape):
        others = tuple(i for i in range(wrong.mask.ndim) if i != axis)
        indices = np.flatnonzero(wrong.mask.any(axis=others))
        if 2 * len(indices) <= length:
            where = ", ".join(map(str, indices[:5])) + (", ..." if len(indices) > 5 else "")
            return f"wrong only where the index along axis {axis} is {where}."
    return None

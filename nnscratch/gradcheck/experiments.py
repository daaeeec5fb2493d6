"""Rearranged gradients, and experiments with the layer: other weights, another dy.

Each function returns the hint, or None if its pattern does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnscratch.gradcheck.evidence import Scene, Wrong, matches

Array = np.ndarray


def rearrangements(array: Array) -> dict[str, Callable[[Array], Array]]:
    """Ways to mix up the axes of weights that leave the shape as it is."""
    ways: dict[str, Callable[[Array], Array]] = {}
    if array.ndim == 4:
        ways["flipped along both kernel axes"] = lambda a: a[::-1, ::-1]
        ways["flipped along the kernel's height"] = lambda a: a[::-1]
        ways["flipped along the kernel's width"] = lambda a: a[:, ::-1]
        ways["transposed in height and width"] = lambda a: a.swapaxes(0, 1)
    if array.ndim >= 2:
        ways["transposed" if array.ndim == 2 else "transposed in its last two axes"] = lambda a: (
            a.swapaxes(-1, -2)
        )
    if array.ndim == 2:
        ways["reshaped where it should be transposed"] = lambda a: a.T.reshape(a.shape)
    return {way: f for way, f in ways.items() if f(array).shape == array.shape}


def orientation(wrong: Wrong, scene: Scene) -> str | None:
    """The gradient of a parameter is right, but its axes are mixed up."""
    if wrong.name.startswith("input"):
        return None
    for way, rearrange in rearrangements(wrong.numeric).items():
        if matches(wrong.analytic, rearrange(wrong.numeric)):
            return f"orientation: the gradient is right, but {way}."
    return None


def kernel_in_input_gradient(wrong: Wrong, scene: Scene) -> str | None:
    """Experiment: rearrange the weights; does that put the gradient of the input right?"""
    if wrong.name != "input":
        return None
    for name, array in scene.params.items():
        kept = array.copy()
        for way, rearrange in rearrangements(array).items():
            array[...] = rearrange(kept)
            gradient = scene.backward(scene.cotangent)["input"]
            array[...] = kept
            if matches(gradient, wrong.numeric):
                return f"orientation of the kernel: backward reads {name} {way}."
    return None


def part_of_the_sum(wrong: Wrong, scene: Scene) -> str | None:
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

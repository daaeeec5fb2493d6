"""The right numbers, with axes of the weights mixed up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnscratch.gradcheck.hints.evidence import Scene, Wrong, matches, replaced

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


def of_gradient(wrong: Wrong, scene: Scene) -> str | None:
    """The gradient of a parameter is right, but its axes are mixed up."""
    if wrong.name.startswith("input"):
        return None
    for way, rearrange in rearrangements(wrong.numeric).items():
        if matches(wrong.analytic, rearrange(wrong.numeric)):
            return f"orientation: the gradient is right, but {way}."
    return None


def of_weights(wrong: Wrong, scene: Scene) -> str | None:
    """Experiment: rearrange the weights; does that put the gradient of the input right?"""
    if wrong.name != "input":
        return None
    for name, array in scene.params.items():
        for way, rearrange in rearrangements(array).items():
            with replaced(array, rearrange(array)):
                gradient = scene.backward(scene.cotangent)["input"]
            if matches(gradient, wrong.numeric):
                return f"orientation of the kernel: backward reads {name} {way}."
    return None

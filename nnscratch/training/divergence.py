"""Where a NaN or an infinity came from: run the step again and watch every layer.

A number that is not finite spreads to everything computed from it. So the layer to look at is the
first one that was given finite numbers and gave back others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np

from nnscratch.layers.base import Array, Composite, Layer
from nnscratch.optimizers import Optimizer
from nnscratch.training.checks import Loss, handed_over

LARGE = 30.0  # numbers of about 1 are what initial weights and learning rates are made for


class NotFiniteError(FloatingPointError):
    """A loss or a gradient became NaN or infinite; raised before parameters are changed by it."""


def finite_loss(loss: Loss) -> Loss:
    """The same loss, which raises a `NotFiniteError` for a value that is not finite."""

    def checked(y: Array, target: Array) -> tuple[float, Any]:
        value, gradients = loss(y, target)
        if not np.isfinite(value):
            raise NotFiniteError(f"the loss became {value}")
        return value, gradients

    return checked


class WatchedOptimizer:
    """An optimiser that takes no step along a gradient that is not finite."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """That of the optimiser, or a `NotFiniteError`."""
        if not all_finite(*grads.values()):
            raise NotFiniteError("a gradient became NaN or infinite")
        self.optimizer.step(params, grads)


def all_finite(*arrays: Array) -> bool:
    """Whether no number is NaN or infinite, at the cost of a sum.

    A sum that is not finite may be that of large numbers, so then all are looked at.
    """
    with np.errstate(all="ignore"):
        return all(np.isfinite(array.sum()) or np.isfinite(array).all() for array in arrays)


def advice(steps: int, **arrays: Array) -> str:
    """What to do about numbers that are not finite.

    Parameters
    ----------
    steps : int
        How many were taken before.
    **arrays : arrays
        What the model was trained with, by name.
    """
    for name, array in arrays.items():
        low, high = float(array.min()), float(array.max())
        if array.dtype.kind == "f" and max(-low, high) > LARGE:
            return (
                f"{name} runs from {low:g} to {high:g}, and numbers of about 1 are wanted: divide "
                "pixels by 255, or subtract the mean and divide by the standard deviation"
            )
    if steps == 0:
        return (
            "no step was taken yet, so the learning rate has no part in it: look at the initial "
            "weights, the layers and the loss"
        )
    return "lower the learning rate"


def first_not_finite(model: Layer, x: Array, target: Array, loss: Loss) -> str:
    """Where the step on this batch first leaves the finite numbers, in words.

    Parameters
    ----------
    model : Layer
        With the parameters of before the step.
    x, target : arrays (N, ...)
        The batch.
    loss : function (output, target) -> (value, gradient)

    Returns
    -------
    str
        Such as "first in the output of 3.conv2d, whose W is not finite".
    """
    found: list[str] = []
    with np.errstate(all="ignore"), ExitStack() as stack:
        for name, layer in leaves(model):
            stack.enter_context(_watched(name, layer, found))
        y = model.forward(x, training=True)
        value, gradients = loss(y, target)
        gradients = handed_over(gradients)
        if not found and not (np.isfinite(value) and all_finite(*gradients)):
            found.append("first in the loss, of finite outputs")
        if not found:
            model.backward(*gradients)
    return found[0] if found else "not again when the step was repeated"


def leaves(model: Layer, prefix: str = "") -> list[tuple[str, Layer]]:
    """All layers that are not made of others, by name as in ``model.params``."""
    if not isinstance(model, Composite):
        return [(prefix.removesuffix(".") or model.name, model)]
    return [leaf for name, part in model.parts.items() for leaf in leaves(part, f"{prefix}{name}.")]


@contextmanager
def replaced(layer: Layer, forward: Callable, backward: Callable) -> Iterator[None]:
    """Within, these are the layer's passes. (A layer changed in this way is never fused.)"""
    own = {key: value for key, value in vars(layer).items() if key in ("forward", "backward")}
    layer.forward, layer.backward = forward, backward  # type: ignore
    try:
        yield
    finally:
        del layer.forward, layer.backward
        vars(layer).update(own)


def _watched(name: str, layer: Layer, found: list[str]) -> AbstractContextManager[None]:
    """Within, ``layer`` reports to ``found``."""
    forward, backward = layer.forward, layer.backward

    def watched_forward(x: Array, *others: Any, **options: Any) -> Array:
        y = forward(x, *others, **options)
        if all_finite(x) and not all_finite(y):
            wrong = [key for key, p in layer.params.items() if not all_finite(p)]
            found.append(
                f"first in the output of {name}"
                + (f", whose {' and '.join(wrong)} is not finite" if wrong else "")
            )
        return y

    def watched_backward(dy: Array) -> Array:
        dx = backward(dy)
        if all_finite(dy) and not all_finite(dx, *layer.grads.values()):
            found.append(f"first in the gradients of {name}")
        return dx

    return replaced(layer, watched_forward, watched_backward)

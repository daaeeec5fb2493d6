"""What is asked of a layer before its numbers are looked at: its contract.

Shapes and types that were announced, equal results for equal inputs, nothing changed that belongs
to others, and a backward pass that is linear in dy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnscratch.gradcheck.differences import rms
from nnscratch.gradcheck.report import Failure
from nnscratch.layers.base import Layer

Array = np.ndarray
Arrays = dict[str, Array]


class Snapshot:
    """Copies of a dict of arrays, to compare with it later or to put back."""

    def __init__(self, arrays: Arrays) -> None:
        self.copies = {name: array.copy() for name, array in arrays.items()}

    def restore(self, arrays: Arrays) -> None:
        """Put the copies back, in place."""
        for name, copy in self.copies.items():
            arrays[name][...] = copy

    def changed(self, arrays: Arrays) -> list[str]:
        """Names of arrays whose bits are not those of the copy."""
        return [name for name, copy in self.copies.items() if not same_bits(arrays[name], copy)]


class Runner:
    """Runs a layer again and again from one state, at one point.

    Noise and running statistics live in ``layer.state``, so putting that back before every
    forward pass makes a random layer a fixed function.

    Parameters
    ----------
    layer : Layer
        Built.
    x : array (N, *layer.input_shape)
        Copied; ``runner.x`` may be moved.
    training : bool
    """

    def __init__(self, layer: Layer, x: Array, training: bool) -> None:
        self.layer, self.training = layer, training
        self.x = np.array(x, order="C")
        self.params, self.state = Snapshot(layer.params), Snapshot(layer.state)

    def forward(self) -> Array:
        """The output, for a layer may hand back its input or keep what it hands out."""
        self.state.restore(self.layer.state)
        return np.array(self.layer.forward(self.x, self.training))

    def backward(self, dy: Array) -> Arrays:
        """Forward, backward, and copies of the gradients: "input" and every parameter."""
        self.forward()
        dx = self.layer.backward(dy.copy())
        return {"input": np.array(dx)} | {k: np.array(g) for k, g in self.layer.grads.items()}

    def restore(self) -> None:
        """Leave the layer as it was found."""
        self.params.restore(self.layer.params)
        self.state.restore(self.layer.state)


def check_contract(runner: Runner, rng: np.random.Generator) -> list[Failure]:
    """The conventions of `nnscratch.layers.base.Layer`; the later ones rest on the earlier.

    Returns
    -------
    list of Failure
        Those of the first group that fails: forward, backward, linearity.
    """
    for group in (_check_forward, _check_backward, _check_linearity):
        failures = [Failure("contract", what, hint=hint) for what, hint in group(runner, rng)]
        runner.restore()
        if failures:
            return failures
    return []


def run_on_other_data(runner: Runner, rng: np.random.Generator) -> None:
    """Forward and backward on another batch of another size, to leave something stale behind.

    A layer that keeps what it should have overwritten then gives wrong gradients.
    """
    other = rng.permuted(np.concatenate([runner.x, runner.x]))
    y = runner.layer.forward(other, runner.training)
    runner.layer.backward(rng.standard_normal(y.shape))
    runner.restore()


def unguarded(runner: Runner) -> list[str]:
    """What the layer takes without a word though it does not fit; no error of the gradients."""
    layer, notes = runner.layer, []
    if _takes(layer.forward, np.concatenate([runner.x, runner.x], axis=-1), runner.training):
        notes.append(
            f"forward takes {(2 * runner.x.shape[-1])} numbers along the last axis, although the "
            f"layer was built for {runner.x.shape[-1]}; begin it with self.check_input(x)."
        )
    y = runner.forward()
    if _takes(layer.backward, np.concatenate([y, y], axis=-1)):
        notes.append(
            "backward takes a dy that is not shaped like the output; begin it with "
            "self.check_gradient(dy)."
        )
    runner.restore()
    return notes


def _takes(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether it neither raises an error nor gives nothing."""
    try:
        with np.errstate(all="ignore"):
            function(*arguments)
    except Exception:  # any word is a word
        return False
    return True


Complaints = Iterator[tuple[str, str]]


def _check_forward(runner: Runner, rng: np.random.Generator) -> Complaints:
    layer, x = runner.layer, runner.x.copy()
    y = layer.forward(runner.x, runner.training)
    if not isinstance(y, np.ndarray):
        yield f"forward returns {_what(y)} in place of an array", "end it with `return y`"
        return
    runner.x[...] = x
    first = runner.forward()
    wanted = (len(x), *layer.built_shape)
    if first.shape != wanted:
        yield f"forward gives shape {first.shape}, build announced {wanted}", "see output_shape"
    if first.dtype != x.dtype:
        yield f"forward turns {x.dtype} into {first.dtype}", "look for a constant with a dtype"
    elif not np.isfinite(first).all():
        yield "forward gives NaN or infinity", "an overflow, a log or a division by 0"
    if not same_bits(runner.x, x):
        yield "forward changes its input x", "an in-place operation; make a new array"
        runner.x[...] = x
    for name in runner.params.changed(layer.params):
        yield f"forward changes parameter {name}", "only the optimiser may"
    if not runner.training and runner.state.changed(layer.state):
        yield "forward changes the state though training is False", "evaluation must not"
    if not same_bits(runner.forward(), first):
        yield (
            "forward gives another result for the same input and state",
            "something is left over from the pass before, or noise does not come from state",
        )


def _check_backward(runner: Runner, rng: np.random.Generator) -> Complaints:
    layer, x = runner.layer, runner.x.copy()
    dy = rng.standard_normal(runner.forward().shape)
    state, dy_given = Snapshot(layer.state), dy.copy()
    try:
        dx = layer.backward(dy_given)
    except ValueError as error:
        if layer.cache or "backward before forward" not in str(error):
            raise
        yield (
            "backward says that forward has not run, because forward left self.cache empty",
            "let forward end with self.cache = (...), what backward needs; at least (y.shape,)",
        )
        return
    if not same_bits(dy, dy_given):
        yield "backward changes dy", "an in-place operation; make a new array"
    if not same_bits(runner.x, x):
        yield "backward changes x", "an in-place operation; make a new array"
        runner.x[...] = x
    updated = runner.params.changed(layer.params)
    for name in updated:
        yield f"backward updates parameter {name}", "only the optimiser may; write to grads"
    if state.changed(layer.state):
        yield "backward changes the state", "forward may, while training; backward must not"
    runner.params.restore(layer.params)
    yield from _check_gradient_arrays(runner, dx)
    if updated or not isinstance(layer.grads, dict):
        return  # the next pass would start from other parameters, or fail
    first, second = runner.backward(dy), runner.backward(dy)
    for name in first:
        if not same_bits(first[name], second[name]):
            yield (
                f"two equal backward passes give different gradients for {name}",
                "grads must be overwritten, not added to; backward must not draw noise anew",
            )


def _check_gradient_arrays(runner: Runner, dx: Array) -> Complaints:
    layer = runner.layer
    if not isinstance(layer.grads, dict):
        yield f"grads is {_what(layer.grads)} after backward", "fill the dict that build made"
        return
    if layer.grads.keys() != layer.params.keys():
        yield f"grads has {sorted(layer.grads)} but params {sorted(layer.params)}", "equal keys"
    pairs = [("input", dx, runner.x)]
    pairs += [(k, layer.grads[k], p) for k, p in layer.params.items() if k in layer.grads]
    for name, gradient, array in pairs:
        if not isinstance(gradient, np.ndarray):
            hint = "end backward with `return dx`" if name == "input" else "see `grads` in Layer"
            yield f"the gradient of {name} is {_what(gradient)} in place of an array", hint
        elif gradient.shape != array.shape or gradient.dtype != array.dtype:
            yield (
                f"the gradient of {name} is {gradient.dtype} {gradient.shape}, "
                f"{name} is {array.dtype} {array.shape}",
                "a gradient has one entry for every entry of its array",
            )
        elif not np.isfinite(gradient).all():
            yield f"the gradient of {name} holds NaN or infinity", "a division by 0, an overflow"


def _check_linearity(runner: Runner, rng: np.random.Generator) -> Complaints:
    """``backward(a u + b v) = a backward(u) + b backward(v)``: the chain rule is linear in dy."""
    shape = runner.forward().shape
    u, v = rng.standard_normal(shape), rng.standard_normal(shape)
    a, b = 0.7, -1.3
    of_u, of_v, of_sum = (runner.backward(dy) for dy in (u, v, a * u + b * v))
    largest = max(rms(g) for g in of_sum.values())
    for name, got in of_sum.items():
        excess = np.abs(got - (a * of_u[name] + b * of_v[name])).max(initial=0)
        # a gradient that is 0 but for rounding (a bias before BatchNormalization) is not held
        # to its own size
        if excess > 1e-10 * max(np.abs(got).max(initial=0), 1e-3 * largest):
            yield (
                f"the gradient of {name} is not linear in dy",
                "backward may use what forward kept in any way, but dy only as a factor",
            )


def _what(value: object) -> str:
    """None, or "a" and the type of what stands where an array should."""
    return "None" if value is None else f"a {type(value).__name__}"


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have the same shape, dtype and bits (NaN included)."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()

"""A class of one's own, checked from the command line: ``my_file.py:MyLayer --input 8,8,3``.

It may derive from `nnscratch.layers.Layer` or merely keep its contract. Whatever it does wrong
gets a sentence, with the line of its file.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import numpy as np

from nnscratch.gradcheck.check import check_gradients
from nnscratch.gradcheck.from_file import (
    ERRORS,
    NotCheckableError,
    Target,
    in_words,
    make,
    module_of,
    parse_target,
)
from nnscratch.gradcheck.report import Report
from nnscratch.layers.base import Array, Layer, Shape

MOST_PRINTED = 300  # characters that the class may print; it runs some hundred times
CALLS: dict[str, tuple[str, ...]] = {
    "build": ("input_shape", "rng", "dtype"),
    "forward": ("x", "training"),
    "backward": ("dy",),
}


def check_own(text: str, input_shape: Shape, batch: int = 3, seed: int = 0) -> int:
    """Check the class in evaluation, then in training, and print the reports.

    Parameters
    ----------
    text : str
        File, class and constructor arguments: ``my_file.py:MyLayer(4, rate=0.5)``.
    input_shape : tuple of int
        Of one sample, without the batch axis.
    batch : int
        Samples.
    seed : int
        Of the parameters, of x, and of the check.

    Returns
    -------
    int
        0 if all is well, 1 if something is wrong or the class cannot be checked.
    """
    printed = FirstCharacters(sys.stdout, MOST_PRINTED)
    try:
        target = parse_target(text)
        with contextlib.redirect_stdout(printed), module_of(target.path) as module:
            layer = as_layer(make(target, module), target, input_shape, seed)
            reports = [*reports_of(layer, target, batch, seed)]
    except NotCheckableError as sentence:
        printed.finish()
        print(sentence, file=sys.stderr)
        return 1
    printed.finish()
    print("\n\n".join(map(str, reports)))
    return 0 if reports[-1].ok else 1


def reports_of(layer: Layer, target: Target, batch: int, seed: int) -> Iterator[Report]:
    """Those of evaluation and, if that is right, of training."""
    shape = layer.input_shape
    x = np.random.default_rng([seed, 2]).standard_normal((batch, *shape))
    for training in (False, True):
        subject = f"{target.call}, samples {'x'.join(map(str, shape))}, " + (
            "training" if training else "evaluation"
        )
        try:
            report = check_gradients(layer, x, training=training, seed=seed, subject=subject)
        except ERRORS as error:
            raise NotCheckableError(
                f"{subject}: with an x of shape {x.shape}, the check ends in "
                f"{in_words(error, target.path)}."
            ) from None
        yield report
        if not report.ok:
            return


def as_layer(own: Any, target: Target, input_shape: Shape, seed: int) -> Layer:
    """The object, built in float64, as a Layer; NotCheckableError says what the contract misses."""
    name = target.name
    _check_methods(own, name)
    try:
        output_shape = own.build(input_shape, np.random.default_rng(seed), np.float64)
    except ERRORS as error:
        raise NotCheckableError(
            f"{name} cannot be built for samples of shape {input_shape}: "
            f"{in_words(error, target.path)}."
        ) from None
    if not isinstance(output_shape, tuple) or not all(
        isinstance(n, int | np.integer) for n in output_shape
    ):
        raise NotCheckableError(
            f"{name}.build must return the output shape without the batch axis, a tuple of ints; "
            f"it returns {output_shape!r}."
        )
    _check_arrays(own, name)
    if not isinstance(own, Layer):
        return Adapted(own, input_shape, output_shape)
    if not hasattr(own, "built_shape"):
        raise NotCheckableError(
            f"{name}.build does not do what Layer's does; begin it with super().build(input_shape, "
            "rng, dtype), or write output_shape and make_params in its place."
        )
    return own


def _check_methods(own: object, name: str) -> None:
    missing = [method for method in CALLS if not _has(own, method)]
    if missing:
        contract = ", ".join(f"{method}({', '.join(names)})" for method, names in CALLS.items())
        raise NotCheckableError(
            f"{name} has no {' and no '.join(missing)}. A layer has {contract} and the dicts "
            "params and grads; nnscratch.layers.Layer, as a base class, brings all but forward and "
            "backward."
        )
    for method, names in CALLS.items():
        try:
            inspect.signature(getattr(own, method)).bind(*names)
        except TypeError as error:
            raise NotCheckableError(
                f"{name}.{method} must take ({', '.join(names)}): {error}."
            ) from None


def _check_arrays(own: Any, name: str) -> None:
    """Of a built object: params and grads, and state if there is any."""
    for what in ("params", "grads", *["state"] * hasattr(own, "state")):
        arrays = getattr(own, what, None)
        if not isinstance(arrays, dict):
            raise NotCheckableError(
                f"{name} has no dict {what} after build, but {arrays!r}; make it a dict of arrays, "
                "which may be empty."
            )
    for key, array in own.params.items():
        kind = getattr(array, "dtype", type(array).__name__)
        if not isinstance(array, np.ndarray) or kind != np.float64:
            raise NotCheckableError(
                f"params[{key!r}] of {name} is {kind} after build with dtype float64; make it an "
                "array of that dtype, as with .astype(dtype)."
            )


def _has(own: object, method: str) -> bool:
    of_class = getattr(type(own), method, None)
    only_named = method != "build" and of_class is getattr(Layer, method)
    return callable(getattr(own, method, None)) and not only_named


class Adapted(Layer):
    """A Layer around a built object that keeps the contract without being one."""

    def __init__(self, own: Any, input_shape: Shape, output_shape: Shape) -> None:
        self.own, self.place = own, type(own).__name__
        self.cache = ()
        self.dtype = np.dtype(np.float64)
        self.input_shape, self.built_shape = input_shape, output_shape

    @property  # type: ignore[misc]
    def params(self) -> dict[str, Array]:
        return self.own.params

    @property
    def grads(self) -> dict[str, Array]:  # type: ignore[override]
        return self.own.grads

    @property
    def state(self) -> dict[str, Array]:  # type: ignore[override]
        return getattr(self.own, "state", {})

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x.shape,)
        return self.own.forward(x, training)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        return self.own.backward(dy)


class FirstCharacters(io.TextIOBase):
    """Passes on the first characters that are written, and counts the others."""

    def __init__(self, stream: TextIO, most: int) -> None:
        self.stream, self.left, self.more = stream, most, 0

    def write(self, text: str) -> int:
        self.stream.write(text[: self.left])
        self.more += max(len(text) - self.left, 0)
        self.left = max(self.left - len(text), 0)
        return len(text)

    def finish(self) -> None:
        """Say how much was left out."""
        if self.more:
            self.stream.write(f"\n(... and {self.more:,} characters more, printed by the class)\n")

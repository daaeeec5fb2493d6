"""Layers in a row: the chain rule, as a loop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nnscratch import stand_ins
from nnscratch.layers.array_checks import share_memory
from nnscratch.layers.base import Array, Composite, Layer, Shape, all_parts
from nnscratch.layers.geometry import check_shape
from nnscratch.layers.summary import print_summary
from nnscratch.randomness import check_independent, stream


class Sequential(Composite):
    """Layers applied one after the other: the chain rule, as a loop.

    Forward, ``x_(i+1) = f_i(x_i)``. Backward, ``dL/dx_i = (df_i/dx_i)' dL/dx_(i+1)``, where ' makes
    the transpose of a matrix: each layer turns the gradient at its output into the gradient at its
    input, last layer first. A layer that was built before, for the same shape and dtype, keeps its
    parameters: so part of a trained network can go on in a new one.

    Parameters
    ----------
    layers : sequence of Layer
    input_shape : tuple of int
        Shape of one sample, without the batch axis: ``(32, 32, 1)``.
    seed : int or sequence of int
        Of all that is drawn, layer by layer. Networks of the same seed are drawn independently if
        their input shapes differ, as those of an encoder and its decoder do.
    dtype : float32 or float64

    Raises
    ------
    ValueError, TypeError
        At construction, when a layer cannot take what the layer before it gives (the sentence
        names the layer, what it got and what it wants), one occurs twice, two of them were drawn
        from the same random numbers, or the seed is none.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        seed: int | Sequence[int] = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if isinstance(layers, Layer):
            raise TypeError(f"Sequential needs a list of layers, got one {layers.name} layer.")
        self.layers = list(layers)
        if not self.layers:
            raise ValueError("Sequential needs at least one layer, got an empty list.")
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers[{i}] is {layer!r}; it must be a Layer, such as ReLU().")
        super().__init__({f"{i}.{layer.name}": layer for i, layer in enumerate(self.layers)})
        self._steps: list[Any] = []
        self._planned_for: object = None
        kept = sum(hasattr(layer, "built_shape") for layer in self.layers)  # drew theirs already
        rng = stream(seed, "weights", check_shape(input_shape), kept)
        self._build(input_shape, rng, dtype, keep=True)
        check_independent(all_parts(self))

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        """Build every layer anew for the output shape of the one before it."""
        return self._build(input_shape, rng, dtype, keep=False)

    def _build(
        self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike, keep: bool
    ) -> Shape:
        self.input_shape, self.dtype = check_shape(input_shape), np.dtype(dtype)
        shape, self._steps, self.cache = self.input_shape, [], ()
        for name, layer in self.parts.items():
            try:
                if keep and hasattr(layer, "built_shape"):
                    shape = self._keep(layer, shape)
                else:
                    shape = layer.build(shape, rng, dtype)
            except ValueError as error:
                raise ValueError(f"layer {name} cannot take inputs of {shape}: {error}") from error
        self.built_shape = shape
        return shape

    def _keep(self, layer: Layer, shape: Shape) -> Shape:
        if layer.input_shape != shape or layer.dtype != self.dtype:
            raise ValueError(
                f"it was built before, for {layer.dtype} inputs of {layer.input_shape}, and this "
                f"model is {self.dtype}; make a new object."
            )
        return layer.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        for layer in self.layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self._plan()
        y = x
        with stand_ins.at_work():
            for layer in self._steps:
                y = layer.forward(y, training)
        self.cache = (y.shape,)
        others = (array for layer in reversed(self._steps) for array in layer.cache)
        if share_memory(y, chain(others, [x])):  # the caller may change y before backward
            y = y.copy()
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        with stand_ins.at_work():
            for layer in reversed(self._steps):
                dy = layer.backward(dy)
        return dy

    def forget(self) -> None:
        super().forget()
        for step in self._steps:  # those that stand for several layers keep arrays of their own
            step.forget()

    def entrance(self) -> Layer:
        return self.layers[0]

    def _plan(self) -> None:
        """The steps are the layers, or faster code that stands in for some of them."""
        version = stand_ins.version(self.layers)
        if not self._steps or version != self._planned_for:
            self._steps, self._planned_for = stand_ins.steps(self.layers), version

    def summary(self) -> None:
        """Print each layer's output shape, parameters, multiply-adds and memory for one sample."""
        print_summary(self)

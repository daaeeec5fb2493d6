"""Neighbouring layers computed in one go; there is nothing to learn about backprop here.

`Sequential` asks `steps` how to run its layers. With the compiled kernels, a stretch ::

    [UpSampling2D]  Conv2D or Conv2DTranspose  [ReLU  [MaxPooling2D(2)]]

becomes one step: the enlarged image, the raw output of the convolution and the unpooled image are
never written to memory, and enlarging costs no multiplications (`nnscratch.kernels.phases`). The
results are those of the layers one by one, up to rounding; but where an input is infinite, weights
that are added up first can give infinity or 0 where the layers give NaN. A layer that somebody
changed, in its file or in a subclass, is run as it was written. `use_fusion` switches all of this
off.

Such a step can also leave out gradients that nobody asks for: `parameter_gradients_only` for
training, where the first layer's dL/dx is of no use, and `input_gradient_only` for the search for
a network's input, which leaves its parameters as they are.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakSet

from nnscratch import kernels
from nnscratch.layers.activations import ReLU
from nnscratch.layers.base import Array, Composite, Layer, all_parts
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.pooling import MaxPooling2D
from nnscratch.layers.upsampling import UpSampling2D

# The code of forward and backward that a fused step stands for, as digests of its text. After a
# change of a layer that the compiled block follows, tests/layers/test_fusion.py says the new ones.
KNOWN_CODE: dict[type[Layer], str] = {
    UpSampling2D: "b170e4d241f3",
    Conv2D: "8e75e1358f38",
    Conv2DTranspose: "bfe65d8777d9",
    ReLU: "6190804e5c96",
    MaxPooling2D: "fbd55605ffc6",
}

_wanted = True


def use_fusion(on: bool) -> None:
    """Choose whether neighbouring layers may be computed in one go; at first, they may."""
    global _wanted
    _wanted = bool(on)


def _possible() -> bool:
    return _wanted and kernels.in_use() == "compiled"


def steps(layers: Sequence[Layer]) -> list[Layer | Fused]:
    """What to run, in this order: layers, and stretches of layers as one."""
    if not _possible():
        return list(layers)
    result: list[Layer | Fused] = []
    rest = list(layers)
    while rest:
        length = _stretch(rest)
        result.append(Fused(rest[:length]) if length else rest[0])
        rest = rest[max(1, length) :]
    return result


def code_in_use(layers: Sequence[Layer]) -> tuple[Any, ...]:
    """All that `steps` depends on, to be compared: while it is the same, so are the steps."""
    return (
        _possible(),
        *[(layer.forward, layer.backward) for layer in layers],
    )


@contextmanager
def parameter_gradients_only(model: Layer) -> Iterator[None]:
    """Within: dL/dx of the model's input may be left out, backward then returns an empty array."""
    first: Layer | None = model
    while isinstance(first, Composite):
        first = first.entrance()
    with _without(_NO_INPUT_GRADIENT, [] if first is None else [first]):
        yield


@contextmanager
def input_gradient_only(model: Layer) -> Iterator[None]:
    """Within: gradients of parameters may be left out; ``grads`` then stay as they are."""
    with _without(_NO_PARAMETER_GRADIENTS, all_parts(model)):
        yield


@contextmanager
def _without(marks: WeakSet[Layer], layers: list[Layer]) -> Iterator[None]:
    new = [layer for layer in layers if layer not in marks]
    marks.update(new)
    try:
        yield
    finally:
        marks.difference_update(new)


_NO_INPUT_GRADIENT: WeakSet[Layer] = WeakSet()
_NO_PARAMETER_GRADIENTS: WeakSet[Layer] = WeakSet()


class Fused:
    """A stretch of layers with the forward and backward of a single one."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.convolution: Any = next(x for x in layers if isinstance(x, Conv2D | Conv2DTranspose))
        self.block = _block(layers, self.convolution)
        self.cache: tuple[Array | None, ...] = ()

    def forward(self, x: Array, training: bool = False) -> Array:
        self.layers[0].check_input(x)
        if self.layers[0] is not self.convolution:
            self.convolution.check_kept("params")
        params = self.convolution.params
        y, winner = _compiled().block_forward(self.block, x, params["W"], params["b"])
        self.cache = (x, y if self.block.rectified else None, winner)
        kept = {UpSampling2D: x.shape, ReLU: y, MaxPooling2D: winner}
        for layer in self.layers:  # what is known of the parts; it counts as what they keep
            layer.cache = (kept.get(type(layer), x),)
            layer.batch_size = len(x)
        return y

    def backward(self, dy: Array) -> Array:
        self.layers[-1].check_gradient(dy)
        if self.layers[-1] is not self.convolution:
            self.convolution.check_kept("params")
            self.convolution.check_kept("grads", written=True)
        x, y, winner = self.cache
        W, grads = self.convolution.params["W"], self.convolution.grads
        dx, dW, db = _compiled().block_backward(
            self.block, x, y, winner, dy, W,
            self.layers[0] not in _NO_INPUT_GRADIENT,
            self.convolution not in _NO_PARAMETER_GRADIENTS,
        )  # fmt: skip
        if dW is not None:
            grads["W"][...], grads["b"][...] = dW, db
        return dx

    def forget(self) -> None:
        self.cache = ()


def _compiled() -> Any:
    """The module; not kept anywhere, for modules cannot be copied with a model."""
    from nnscratch.kernels import compiled_blocks

    return compiled_blocks


def _block(layers: Sequence[Layer], convolution: Any) -> Any:
    first, types = layers[0], [type(layer) for layer in layers]
    transposed = type(convolution) is Conv2DTranspose
    output = convolution.built_shape
    (top, _), (left, _) = convolution._pads(output[:2]) if transposed else convolution._pads()
    return _compiled().Block(
        image=first.input_shape,
        output=output,
        kernel=convolution.kernel_size,
        strides=convolution.strides,
        before=(top, left),
        factors=first.size if isinstance(first, UpSampling2D) else (1, 1),
        transposed=transposed,
        rectified=ReLU in types,
        pooled=MaxPooling2D in types,
    )


def _stretch(layers: Sequence[Any]) -> int:
    """How many of the layers, from the first on, can be computed in one go; maybe none."""
    n = 0
    if _as_known(layers[0], UpSampling2D) and layers[0].interpolation == "nearest":
        n = 1
    if not (len(layers) > n and _as_known(layers[n], Conv2D, Conv2DTranspose)):
        return 0
    if n and isinstance(layers[n], Conv2DTranspose) and layers[n].strides != (1, 1):
        return 0
    n += 1
    if len(layers) > n and _as_known(layers[n], ReLU):
        n += 1
        if n == 2 and len(layers) > n and _halves(layers[n]) and _in_one_phase(layers[0]):
            n += 1
    return n


def _in_one_phase(convolution: Any) -> bool:
    """Whether its outputs come in whole rows, with several channels, so that they can be pooled."""
    strided = isinstance(convolution, Conv2DTranspose) and convolution.strides != (1, 1)
    return convolution.filters > 1 and not strided


def _halves(layer: Any) -> bool:
    """Whether it is the 2x2 max pooling that a block can do."""
    return (
        _as_known(layer, MaxPooling2D)
        and layer.pool_size == layer.strides == (2, 2)
        and layer._pads() == ((0, 0), (0, 0))
    )


def _as_known(layer: Layer, *types: type[Layer]) -> bool:
    """Whether the layer, of one of the types, computes what a fused step computes for it."""
    if type(layer) not in types or "forward" in vars(layer) or "backward" in vars(layer):
        return False
    return KNOWN_CODE[type(layer)] == code_of(type(layer).forward, type(layer).backward)


@cache
def code_of(*functions: Callable) -> str:
    """A digest of the text of the functions; empty if it is not to be had."""
    try:
        text = "".join(inspect.getsource(function) for function in functions)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:12]

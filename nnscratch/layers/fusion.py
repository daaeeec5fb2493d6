"""Neighbouring layers computed in one go; there is nothing to learn about backprop here.

`Sequential` asks `steps` how to run its layers. With the compiled kernels, a stretch ::

    [UpSampling2D]  Conv2D or Conv2DTranspose  [ReLU  [MaxPooling2D(2)]]

becomes one step: the enlarged image, the raw output of the convolution and the unpooled image are
never written to memory, and enlarging costs no multiplications (`nnscratch.kernels.phases`). The
results are those of the layers one by one, up to rounding. A layer that somebody changed, in its
file or in a subclass, is run as it was written. `use_fusion` switches all of this off.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from nnscratch import kernels
from nnscratch.layers.activations import ReLU
from nnscratch.layers.base import Array, Layer
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.pooling import MaxPooling2D
from nnscratch.layers.upsampling import UpSampling2D

# The code of forward and backward that a fused step stands for, as digests of its text. After a
# change of a layer that the compiled block follows, tests/layers/test_fusion.py says the new ones.
KNOWN_CODE = {
    UpSampling2D: "b170e4d241f3",
    Conv2D: "8e75e1358f38",
    Conv2DTranspose: "bfe65d8777d9",
    ReLU: "723e9b6ca3cc",
    MaxPooling2D: "fbd55605ffc6",
}

_wanted = True


def use_fusion(on: bool) -> None:
    """Choose whether neighbouring layers may be computed in one go; at first, they may."""
    global _wanted
    _wanted = bool(on)


def steps(layers: Sequence[Layer]) -> list[Layer | Fused]:
    """What to run, in this order: layers, and stretches of layers as one."""
    if not _wanted or kernels.blocks is None:
        return list(layers)
    result: list[Layer | Fused] = []
    rest = list(layers)
    while rest:
        length = _stretch(rest)
        result.append(Fused(rest[:length]) if length > 1 else rest[0])
        rest = rest[length:]
    return result


class Fused:
    """A stretch of layers with the forward and backward of a single one."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.convolution: Any = next(x for x in layers if isinstance(x, Conv2D | Conv2DTranspose))
        self.block = _block(layers, self.convolution)
        self.cache: tuple[Array, ...] = ()

    def forward(self, x: Array, training: bool = False) -> Array:
        self.layers[0].check_input(x)
        W, b = self.convolution.params["W"], self.convolution.params["b"]
        y, winner = kernels.blocks.block_forward(self.block, x, W, b)
        self.cache = (x, y, winner)
        kept = {UpSampling2D: x.shape, ReLU: y, MaxPooling2D: winner}
        for layer in self.layers:  # what is known of the parts; it counts as what they keep
            layer.cache = (kept.get(type(layer), x),)
            layer.batch_size = len(x)
        return y

    def backward(self, dy: Array) -> Array:
        self.layers[-1].check_gradient(dy)
        x, y, winner = self.cache
        W, grads = self.convolution.params["W"], self.convolution.grads
        dx, grads["W"][...], grads["b"][...] = kernels.blocks.block_backward(
            self.block, x, y, winner, dy, W
        )
        return dx


def _block(layers: Sequence[Layer], convolution: Any) -> Any:
    first, types = layers[0], [type(layer) for layer in layers]
    transposed = type(convolution) is Conv2DTranspose
    output = convolution.built_shape
    (top, _), (left, _) = convolution._pads(output[:2]) if transposed else convolution._pads()
    return kernels.blocks.Block(
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


def _stretch(layers: Sequence[Layer]) -> int:
    """How many of the layers, from the first on, can be computed in one go; at least 1."""
    n = 0
    if isinstance(layers[0], UpSampling2D) and _as_known(layers[0]):
        n = int(layers[0].interpolation == "nearest")
    if not (len(layers) > n and _as_known(layers[n], Conv2D, Conv2DTranspose)):
        return 1
    if n and isinstance(layers[n], Conv2DTranspose) and layers[n].strides != (1, 1):
        return 1
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


def _halves(layer: Layer) -> bool:
    """Whether it is the 2x2 max pooling that a block can do."""
    return (
        isinstance(layer, MaxPooling2D)
        and _as_known(layer)
        and layer.pool_size == layer.strides == (2, 2)
        and layer._pads() == ((0, 0), (0, 0))
    )


def _as_known(layer: Layer, *types: type[Layer]) -> bool:
    """Whether the layer, of one of the types, computes what a fused step computes for it."""
    known = KNOWN_CODE.get(type(layer))
    if known is None or (types and type(layer) not in types):
        return False
    if "forward" in vars(layer) or "backward" in vars(layer):
        return False
    return known == code_of(type(layer).forward, type(layer).backward)


@cache
def code_of(*functions: Callable) -> str:
    """A digest of the text of the functions; of their bytes if the text is not at hand."""
    digest = hashlib.sha256()
    for function in functions:
        digest.update(inspect.getsource(function).encode())
    return digest.hexdigest()[:12]

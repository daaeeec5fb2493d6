"""Which compiled twin runs, and for what: the only module that the rest of the library reaches.

`Sequential` asks `steps` how to run its layers. A stretch ::

    [UpSampling2D]  Conv2D or Conv2DTranspose  [ReLU  [MaxPooling2D(2)]]

becomes one step: the enlarged image, the raw output of the convolution and the unpooled image are
never written to memory, and enlarging costs no multiplications (see `phases`). Other layers have a
twin of their own, or run as they stand. Results are those of the layers, up to rounding; but where
an input is infinite, weights that are added up first can give infinity or 0 where the layers give
NaN. `use_fusion` switches stretches off.

A twin stands in only for code that means what it meant when the twin was written: `WRITTEN_FOR`
holds digests (`nnscratch.meaning`) of what a forward and a backward pass call. Whoever changes a
line there, in the file or while Python runs, gets their own line, and is told so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from nnscratch.kernels import twins
from nnscratch.kernels.blas import at_work
from nnscratch.kernels.buffers import one_call
from nnscratch.layers.activations import LeakyReLU, ReLU
from nnscratch.layers.base import Layer
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.normalization import BatchNormalization
from nnscratch.layers.pooling import AveragePooling2D, MaxPooling2D
from nnscratch.layers.upsampling import UpSampling2D
from nnscratch.losses import mse
from nnscratch.meaning import Meaning
from nnscratch.optimizers import Adam, Optimizer

__all__ = ["at_work", "one_call", "stand_in", "steps", "use_fusion", "version"]

TWINS: dict[type[Layer], type[twins.Twin]] = {
    ReLU: twins.ReLUTwin,
    LeakyReLU: twins.LeakyReLUTwin,
    MaxPooling2D: twins.MaxPooling2DTwin,
    AveragePooling2D: twins.AveragePooling2DTwin,
    UpSampling2D: twins.UpSampling2DTwin,
    BatchNormalization: twins.BatchNormalizationTwin,
}

# What the twins were written for. A test compares, and says what to put here once the twin of a
# changed layer computes what the layer does.
WRITTEN_FOR: dict[Any, str] = {
    ReLU: "d70b27eb3e2b",
    LeakyReLU: "9ed8c6b9a0bd",
    MaxPooling2D: "fde6aaa94cf2",
    AveragePooling2D: "072b8a0f52bf",
    UpSampling2D: "802e5cf40c6f",
    BatchNormalization: "8210f0f1561e",
    Conv2D: "e767262bf3ec",
    Conv2DTranspose: "c18977a4ba1a",
    mse: "af3be5f8cca3",
    Adam: "a3278767aaff",
}

_METHODS: dict[type, tuple[str, ...]] = {Layer: ("forward", "backward"), Optimizer: ("update",)}

_stretches = True
_meanings: dict[Any, Meaning] = {}
_told: set[Any] = set()


def use_fusion(on: bool) -> None:
    """Choose whether neighbouring layers may be computed in one go; at first, they may."""
    global _stretches
    _stretches = bool(on)


def version(layers: Sequence[Any]) -> object:
    """All that `steps` depends on, to be compared: while it is equal, so are the steps."""
    kinds = {type(layer): None for layer in layers}
    return (
        _stretches,
        [meaning_of(kind) for kind in kinds],
        [(layer.forward, layer.backward) for layer in layers],
    )


def steps(layers: Sequence[Any]) -> list[Any]:
    """What to run for the layers, in this order: layers, twins, and stretches of layers as one."""
    result: list[Any] = []
    rest = list(layers)
    while rest:
        length = _stretch(rest if _stretches else rest[:1])
        if length:
            result.append(twins.Fused(rest[:length]))
        elif type(rest[0]) in TWINS and _as_written(rest[0], type(rest[0])):
            result.append(TWINS[type(rest[0])](rest[0]))
        else:
            result.append(rest[0])
        rest = rest[max(1, length) :]
    return result


def stand_in(function: Any) -> Any:
    """The twin of a loss or of an optimiser's ``update``; the function itself if it has none."""
    if function is mse and _means_what_it_meant(mse):
        return twins.mse
    optimizer = getattr(function, "__self__", None)
    plain = type(optimizer) is Adam and "update" not in vars(optimizer)
    if plain and function.__name__ == "update" and _means_what_it_meant(Adam):
        return twins.adam_update.__get__(optimizer)
    return function


# ---------------------------------------------------------------- what means what it meant


def meaning_of(thing: Any) -> str:
    """The digest of what a layer's passes, a loss, or an optimiser's update mean now."""
    names = _METHODS.get(_contract(thing), ())
    functions = {name: getattr(thing, name) for name in names} or {thing.__name__: thing}
    known = _meanings.get(thing)
    if known is None or not known.still_true(functions):
        owner = thing if names else None
        known = _meanings[thing] = Meaning(functions, owner, _contract(thing))
    return known.digest


def _contract(thing: Any) -> type:
    """The class that says how the thing is used; its own methods are called by the twins, too."""
    if not isinstance(thing, type):
        return object
    return Optimizer if issubclass(thing, Optimizer) else Layer


def _means_what_it_meant(thing: Any) -> bool:
    if meaning_of(thing) == WRITTEN_FOR[thing]:
        return True
    if thing not in _told and sys.stderr is not None:
        _told.add(thing)
        print(
            f"nnscratch: {thing.__name__} was changed and now runs as it stands there, in NumPy.",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return False


def _as_written(layer: Layer, *types: type[Layer]) -> bool:
    """Whether the layer, of one of the types, computes what its twin computes."""
    if type(layer) not in types or "forward" in vars(layer) or "backward" in vars(layer):
        return False
    return _means_what_it_meant(type(layer))


# ---------------------------------------------------------------- stretches


def _stretch(layers: Sequence[Any]) -> int:
    """How many of the layers, from the first on, can be computed in one go; maybe none."""
    n = 0
    if _as_written(layers[0], UpSampling2D) and layers[0].interpolation == "nearest":
        n = 1
    if not (len(layers) > n and _as_written(layers[n], Conv2D, Conv2DTranspose)):
        return 0
    if n and isinstance(layers[n], Conv2DTranspose) and layers[n].strides != (1, 1):
        return 0
    n += 1
    if len(layers) > n and _as_written(layers[n], ReLU):
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
        _as_written(layer, MaxPooling2D)
        and layer.pool_size == layer.strides == (2, 2)
        and layer.pads() == ((0, 0), (0, 0))
    )

"""What a layer is: a forward pass, a backward pass, and the arrays between them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers.array_checks import (
    PLAIN,
    Wanted,
    check_disjoint,
    check_given,
    check_kept,
    described,
)
from nnscratch.layers.gathered import GatheredArrays
from nnscratch.layers.geometry import check_shape
from nnscratch.randomness import position

Array = np.ndarray
Shape = tuple[int, ...]


class Layer:
    """A differentiable function with parameters.

    A layer is used in three steps::

        output_shape = layer.build(input_shape, rng, dtype)   # makes layer.params
        y = layer.forward(x)                                  # remembers what backward needs
        dx = layer.backward(dy)                               # overwrites layer.grads

    With L the loss, a single number, ``backward`` takes ``dy = dL/dy`` and returns ``dx = dL/dx``;
    on the way it writes ``dL/dparam`` into ``grads``. It never changes a parameter (that is the
    optimiser's work), nor ``x``, nor ``dy``. Shapes given to and returned by ``build`` leave out
    the batch axis. ``training`` is True in a step of training, in which Dropout, GaussianSampling
    and BatchNormalization compute something else than in evaluation.

    Between ``forward`` and ``backward``, ``x`` belongs to the layer: Dense, the convolutions and
    LeakyReLU keep it, uncopied. The output belongs to the caller, who may change it.

    Attributes
    ----------
    params, grads : dict of str to array
        Parameters and the gradient of the loss with respect to each; same keys, same shapes. New
        numbers are written into them, ``layer.params["W"][...] = W``; an array put in their place
        must have the shape and the dtype of the old one, or both passes raise a ValueError or a
        TypeError. They may lie in memory in any order, and parameters may be read-only.
    state : dict of str to array
        Saved with the parameters but not trained, such as running statistics.
    cache : tuple
        What ``forward`` keeps for ``backward``; this is the memory that training needs.
    trainable : bool
        False freezes the layer, and for a model everything inside it: optimisers leave its
        parameters as they are, and a BatchNormalization computes as in evaluation and leaves its
        running statistics. Dropout and GaussianSampling draw as before. Gradients are computed,
        ``params`` and checkpoints hold everything, and True thaws the layer. All of this is as in
        Keras ("Transfer learning & fine-tuning", keras.io/guides).
    """

    def __init__(self) -> None:
        self._params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.cache: tuple[Any, ...] = ()

    wanted: Mapping[str, Wanted] = MappingProxyType({})  # of params and state, if any, after build
    place: str = ""  # in the model that was made of it last: "encoder.0.conv2d"
    trainable: bool = True
    input_gradient_wanted: bool = True  # see `nnscratch.layers.wanted`
    parameter_gradients_wanted: bool = True
    drawn_at: str = ""  # the `position` of rng at build, if any random number was drawn

    @property
    def params(self) -> dict[str, Array]:
        if self.trainable:
            return self._params
        frozen = GatheredArrays(self._params)
        frozen.frozen = frozenset(frozen)
        return frozen

    @params.setter
    def params(self, params: dict[str, Array]) -> None:
        self._params = params

    @property
    def name(self) -> str:
        """The class name in lower case, as it stands in parameter names: ``"conv2d"``."""
        return type(self).__name__.lower()

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        """Make the parameters for inputs of ``input_shape`` and return the output shape.

        Parameters are drawn in float64 and then rounded, so the float32 and the float64 model
        of one seed start at the same point.

        Raises
        ------
        ValueError
            If the layer cannot take this shape, or the dtype is neither float32 nor float64; the
            sentence says what is wanted.
        """
        self.input_shape = check_shape(input_shape)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"a model is float32 or float64, not {self.dtype}.")
        self.built_shape = self.output_shape(self.input_shape)
        start = position(rng)
        self.params = {k: v.astype(self.dtype) for k, v in self.make_params(rng).items()}
        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}
        self.state = self.make_state(rng)
        groups = {"params": self.params, "state": self.state}
        self.wanted = {group: described(arrays) for group, arrays in groups.items() if arrays}
        self.drawn_at = "" if position(rng) == start else start
        self.cache = ()
        return self.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of ``forward``'s result for inputs of ``input_shape``, without batch axis."""
        return input_shape

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        """Freshly drawn parameters for ``self.input_shape``; called by ``build``."""
        return {}

    def make_state(self, rng: np.random.Generator) -> dict[str, Array]:
        """The initial ``state`` for ``self.input_shape``; called by ``build``."""
        return {}

    def multiply_adds(self) -> int:
        """Multiply-add operations of the forward pass for one sample."""
        return 0

    def forward(self, x: Array, training: bool = False) -> Array:
        """The outputs (N, *built_shape) for a batch of inputs x (N, *input_shape)."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """dL/dx, shaped like the latest x, from dL/dy, shaped like the latest outputs."""
        raise NotImplementedError

    def forget(self) -> None:
        """Let go of what the latest forward pass kept for backward.

        A batch of 500 images can take hundreds of megabytes, and a trained model would hold them
        for as long as it lives. `nnscratch.training.fit` and `predict` end with this.
        """
        self.cache = ()

    def check_input(self, x: Array) -> None:
        """Raise a ValueError or TypeError, with a sentence, unless arrays are what was built for.

        That is ``x`` and what the layer keeps.
        """
        if not hasattr(self, "built_shape"):
            raise ValueError(
                f"{self.name}: forward before build. Call build(input_shape, rng, dtype) first, "
                "or put the layer into a Sequential, which does."
            )
        for group in self.wanted:
            self.check_kept(group)
        if (
            type(x) not in PLAIN
            or x.ndim == 0
            or ((x.shape[1:], x.dtype) != (self.input_shape, self.dtype))
        ):
            self.check_array("x", x, ("N", *self.input_shape))
        self.batch_size = len(x)

    def check_gradient(self, dy: Array) -> None:
        """Raise a ValueError or TypeError unless ``dy`` and what is kept fit the latest forward."""
        if not self.cache:
            raise ValueError(f"{self.name}: backward before forward. Call forward(x) first.")
        if "params" in self.wanted:
            self.check_kept("params")
            self.check_kept("grads", written=True)
        self.check_array("dy", dy, (self.batch_size, *self.built_shape))

    def check_kept(self, group: str, written: bool = False) -> None:
        """Raise a ValueError or TypeError if an array of ``params``, ``grads`` or ``state`` was
        exchanged for another kind since build, or is read-only though it will be ``written``.
        """
        arrays = self._params if group == "params" else getattr(self, group)
        wanted = self.wanted.get("params" if group == "grads" else group)
        if wanted:
            check_kept(self.place or self.name, group, arrays, wanted, written)

    def check_array(self, what: str, array: Array, wanted: tuple[int | str, ...]) -> None:
        """Compare with ``wanted``, in which "N" stands for any batch size."""
        check_given(self.place or self.name, what, array, wanted, self.dtype)


class Composite(Layer):
    """A layer made of named parts, whose parameters are the parts' own.

    ``params["encoder.0.conv2d.W"]`` is the very array that the part works with, so an optimiser
    that updates it in place updates the part. The dicts are gathered at every access, so a part
    may replace an entry of its own ``grads``.

    Raises
    ------
    ValueError
        If one layer object stands in two places; in ``params``, if two arrays share memory.
    """

    def __init__(self, parts: dict[str, Layer]) -> None:
        self.cache = ()
        self.set_parts(parts)

    def set_parts(self, parts: dict[str, Layer]) -> None:
        """Be made of ``parts``, every layer of which has one place in this model and knows it."""
        places: dict[int, str] = {}
        for place, part in named_parts(parts):
            other = places.setdefault(id(part), place)
            if other != place:
                raise ValueError(
                    f"{self.name} got the same layer object twice, as {other} and as {place}; a "
                    "layer remembers one forward pass only, so make a new object for every place."
                )
        self.parts = parts
        for place, part in named_parts(parts):
            part.place = place

    def _gather(self, what: str) -> GatheredArrays:
        found: dict[str, Array] = {}
        frozen: list[str] = []
        self._collect(what, "", found, frozen)
        gathered = GatheredArrays(found)
        gathered.frozen = frozenset(frozen)
        return gathered

    def _collect(self, what: str, before: str, found: dict[str, Array], frozen: list[str]) -> None:
        for name, part in self.parts.items():
            if isinstance(part, Composite):
                part._collect(what, f"{before}{name}.", found, frozen)
                continue
            own = getattr(part, what)
            if own:
                found.update({f"{before}{name}.{key}": array for key, array in own.items()})
                frozen += [f"{before}{name}.{key}" for key in getattr(own, "frozen", ())]

    @property  # type: ignore[misc]
    def params(self) -> dict[str, Array]:
        params = self._gather("params")
        check_disjoint(params)
        return params

    @property
    def trainable(self) -> bool:
        """Whether any layer inside is; setting it sets it for all of them."""
        return any(part.trainable for part in self.parts.values())

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        for part in self.parts.values():
            part.trainable = trainable

    @property
    def grads(self) -> dict[str, Array]:  # type: ignore[override]
        return self._gather("grads")

    @property
    def state(self) -> dict[str, Array]:  # type: ignore[override]
        return self._gather("state")

    def forget(self) -> None:
        super().forget()
        for part in self.parts.values():
            part.forget()

    def multiply_adds(self) -> int:
        return sum(part.multiply_adds() for part in self.parts.values())

    def entrance(self) -> Layer | None:
        """The part that takes the model's input, if its dL/dx is needed for nothing else."""
        return None


def all_parts(layer: Layer) -> list[Layer]:
    """The layer itself and, if it is a Composite, everything inside it."""
    inside = named_parts(layer.parts) if isinstance(layer, Composite) else []
    return [layer, *(part for _, part in inside)]


def named_parts(parts: dict[str, Layer], before: str = "") -> list[tuple[str, Layer]]:
    """All layers of a model and everything inside them, as "encoder" and "encoder.0.conv2d"."""
    found = []
    for name, part in parts.items():
        found.append((before + name, part))
        if isinstance(part, Composite):
            found += named_parts(part.parts, f"{before}{name}.")
    return found

"""Which gradients are asked for: code that stands in for layers may leave out the others.

Training has no use for dL/dx of the model's input, and the search for a network's input leaves its
parameters as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nnscratch.layers.base import Composite, Layer, all_parts


@contextmanager
def parameter_gradients_only(model: Layer) -> Iterator[None]:
    """Within: dL/dx of the model's input may be left out, backward then returns an empty array."""
    first: Layer | None = model
    while isinstance(first, Composite):
        first = first.entrance()
    with _without("input_gradient_wanted", [] if first is None else [first]):
        yield


@contextmanager
def input_gradient_only(model: Layer) -> Iterator[None]:
    """Within: gradients of parameters may be left out; ``grads`` then stay as they are."""
    with _without("parameter_gradients_wanted", all_parts(model)):
        yield


@contextmanager
def _without(what: str, layers: list[Layer]) -> Iterator[None]:
    changed = [layer for layer in layers if getattr(layer, what)]
    for layer in changed:
        setattr(layer, what, False)
    try:
        yield
    finally:
        for layer in changed:
            delattr(layer, what)  # so that it is what the class says

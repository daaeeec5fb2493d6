"""What a model costs: parameters, multiply-adds, memory."""

from __future__ import annotations

import copy

import numpy as np

from nnscratch.layers.base import Composite, Layer


def print_summary(model: Composite) -> None:
    """Print each layer's output shape, parameters, multiply-adds and memory for one sample.

    The memory is what the layer's ``cache`` holds after a training pass, measured on a copy of the
    model; an array kept by two layers counts once.
    """
    probe = copy.deepcopy(model)
    probe.forward(np.zeros((1, *model.input_shape), model.dtype), training=True)
    row = "{:<26}{:<16}{:>12}{:>15}{:>14}".format
    print(row("layer", "output", "parameters", "multiply-adds", "kept, bytes"))
    print(row("(input)", str(model.input_shape), "", "", ""))
    seen: set[int] = set()
    total = np.zeros(3, int)
    for name, layer in probe.parts.items():
        parameters = sum(p.size for p in layer.params.values())
        counts = (parameters, layer.multiply_adds(), kept_bytes(layer, seen))
        total += counts
        print(row(name, str(layer.built_shape), *(f"{n:,}" for n in counts)))
    print(row("total, one sample", "", *(f"{n:,}" for n in total)))


def kept_bytes(layer: Layer, seen: set[int]) -> int:
    """Bytes that ``layer`` keeps for backward, leaving out arrays whose id is in ``seen``."""
    if isinstance(layer, Composite):
        return sum(kept_bytes(part, seen) for part in layer.parts.values())
    total = 0
    for array in layer.cache:
        owner = array
        while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
            owner = owner.base  # a view keeps the whole array that it looks into
        if isinstance(array, np.ndarray) and id(owner) not in seen:
            seen.add(id(owner))
            # an owner of bytes is a buffer of `kernels.buffers`, a little larger than needed
            total += (array if owner.dtype == np.uint8 else owner).nbytes
    return total

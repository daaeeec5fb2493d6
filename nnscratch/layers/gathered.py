"""How all arrays of a model stand in one flat dict, although each lies in its own layer."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


class GatheredArrays(dict[str, Array]):
    """The arrays of all parts of a model by name; setting an entry writes into the part's array.

    Attributes
    ----------
    frozen : set of str
        The keys that an optimiser leaves alone (``layer.trainable = False``).
    """

    frozen: frozenset[str] = frozenset()

    def __setitem__(self, key: str, value: Array) -> None:
        if np.shape(value) != self[key].shape:
            raise ValueError(
                f"{key} has shape {self[key].shape}; it cannot be set to an array of shape "
                f"{np.shape(value)}."
            )
        self[key][...] = value

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy is a plain dict

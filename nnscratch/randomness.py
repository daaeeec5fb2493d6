"""Random numbers for every use from a stream of its own, and all of them from one seed.

Two things drawn from equally seeded generators are the same numbers: an encoder and a decoder
would start with the same weights, and dropout in both would drop the same entries. NumPy's own
seeding does not keep them apart either. It fills up a short seed with zeros, so
``default_rng(0)`` and ``default_rng([0, 0])`` are one stream. Here the seed is hashed together
with the name of the use, so that any difference in either gives numbers that have nothing to do
with each other.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class Drawn(Protocol):
    """A layer: where its weights were drawn (`position`), and its place in the model."""

    drawn_at: str
    place: str


def stream(seed: int | Sequence[int], *use: str | int | tuple[int, ...]) -> np.random.Generator:
    """The random numbers that belong to one use of a seed.

    Parameters
    ----------
    seed : int >= 0, or sequence of them
        ``0``, ``[0, 0]`` and ``[0, 0, 0]`` are different seeds; ``0`` and ``[0]`` are the same.
    use : str, int or tuple of int
        What the numbers are for, such as ``"shuffling"``. The same seed and use always give the
        same numbers.

    Returns
    -------
    numpy.random.Generator
        Seeded with 256 bits, the SHA-256 of both. That two of them coincide is as good as
        impossible.

    Raises
    ------
    ValueError, TypeError
        If the seed is none: negative, not a whole number, or an empty sequence.
    """
    text = repr((_whole_numbers(seed), use))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def _whole_numbers(seed: int | Sequence[int]) -> tuple[int, ...]:
    error: type[Exception] = ValueError
    try:
        single = np.ndim(seed) == 0
        numbers = tuple(operator.index(n) for n in ([seed] if single else seed))  # type: ignore
        if numbers and min(numbers) >= 0:
            return numbers
    except TypeError:
        error = TypeError
    raise error(f"seed is {seed!r}; it must be a whole number of at least 0, or several of them.")


def position(rng: np.random.Generator) -> str:
    """Where in its stream a generator is: which numbers will come out of it next."""
    return hashlib.sha256(str(rng.bit_generator.state).encode()).hexdigest()[:12]


def check_independent(layers: Iterable[Drawn]) -> None:
    """Raise a ValueError if two of the layers were drawn from the same random numbers."""
    drawn: dict[str, Drawn] = {}
    for layer in layers:
        if layer.drawn_at and drawn.setdefault(layer.drawn_at, layer) is not layer:
            raise ValueError(
                f"{drawn[layer.drawn_at].place} and {layer.place} were drawn from the same random "
                "numbers, so they are not independent. Give one of the two networks that they "
                "belong to another seed."
            )

"""Layers whose passes are wrong, a few lines each: what the checker must catch.

A mutant is a function that stands in for a method of one layer object; it is listed by `mutant`,
together with the words that the report must contain. They stand in `mutants_of_images` (layers
of images), `mutants_of_models` and `mutants_of_vectors` (all the others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnscratch.gradcheck import Report, check_gradients
from nnscratch.layers import Layer

Array = np.ndarray


@dataclass
class Mutant:
    make: Callable[[], Layer]
    shape: tuple[int, ...]
    wrong: Callable[..., Array]
    method: str
    where: str
    hint: str
    training: bool
    batch: int

    def check(self) -> Report:
        rng = np.random.default_rng(0)
        layer = self.make()
        setattr(layer, self.method, partial(self.wrong, layer))
        layer.build(self.shape, rng, np.float64)
        x = rng.standard_normal((self.batch, *self.shape))
        return check_gradients(layer, x, training=self.training)


MUTANTS: dict[str, Mutant] = {}


def mutant(
    make: Callable[[], Layer],
    shape: tuple[int, ...],
    *,
    where: str = "input",
    hint: str = "",
    method: str = "backward",
    training: bool = False,
    batch: int = 3,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def enter(wrong: Callable[..., Any]) -> Callable[..., Any]:
        arguments = (make, shape, wrong, method, where, hint, training, batch)
        MUTANTS[wrong.__name__] = Mutant(*arguments)
        return wrong

    return enter

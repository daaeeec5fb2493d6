"""Train a model, or take it up where an earlier run left it.

Trained models lie in ``<out>/models/`` under a name that is a digest of everything they depend
on: architecture, initial weights, data, training settings, the functions that are handed over, and
the code of the library that trains. Change any of it and the model is trained anew; change nothing
and a later exercise gets it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from exercises.common import Settings
from exercises.fingerprint import Fingerprint, library
from nnscratch import kernels
from nnscratch.layers import Layer
from nnscratch.layers.base import all_parts
from nnscratch.optimizers import Adam, cosine_decay
from nnscratch.training import Data, History, Loss, fit


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, with Adam.

    ``cosine`` lets the learning rate fall to zero along half a cosine. ``keep_best`` ends the
    training with the weights of the epoch that did best on the validation data.
    """

    learning_rate: float
    batch_size: int
    epochs: int
    cosine: bool = False
    keep_best: bool = False

    def __str__(self) -> str:
        schedule = ", cosine decay" if self.cosine else ""
        best = ", best epoch kept" if self.keep_best else ""
        rate, batch = self.learning_rate, self.batch_size
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return f"{epochs}{best}, Adam {rate:g}{schedule}, batch {batch}"

    def optimizer(self, samples: int) -> Adam:
        """A fresh optimiser for that many training samples."""
        steps = self.epochs * -(-samples // self.batch_size)
        rate = self.learning_rate
        return Adam(cosine_decay(rate, steps) if self.cosine else rate)


def train(
    settings: Settings,
    name: str,
    model: Layer,
    loss: Loss,
    recipe: Recipe,
    data: Data,
    validation: Data,
    first_look: int | None = None,
    measure: Callable[[], dict[str, float]] | None = None,
    renew: Callable[[np.random.Generator], Data] | None = None,
) -> History:
    """Train ``model`` in place, or load it; the loss on ``validation`` is recorded.

    With ``first_look``, training that starts from nothing stops after so many epochs; calling
    again without it goes on to the end. ``measure`` and ``renew`` are those of `fit`.
    """
    key = key_of(settings.seed, model, loss, recipe, data, validation, measure, renew)
    path = settings.out / "models" / f"{name}-{key}.npz"
    if path.exists():
        print(f"  {name}: going on from {path}", flush=True)
        first_look = None
    else:
        print(f"  {name}: {recipe}", flush=True)
    return fit(
        model,
        *data,
        loss=loss,
        optimizer=recipe.optimizer(len(data[0])),
        epochs=min(first_look or recipe.epochs, recipe.epochs),
        batch_size=recipe.batch_size,
        seed=settings.seed,
        validation=validation,
        renew=renew,
        measure=measure,
        patience=recipe.epochs if recipe.keep_best else None,
        checkpoint=path,
    )


def key_of(
    seed: int,
    model: Layer,
    loss: Loss,
    recipe: Recipe,
    data: Data,
    validation: Data,
    measure: Callable[[], dict[str, float]] | None,
    renew: Callable[[np.random.Generator], Data] | None,
) -> str:
    """Equal for two trainings that end with the same weights and history, and for no others."""
    key = Fingerprint()
    for layer in all_parts(model):
        key.add_layer(layer)
    key.add([seed, model.params, model.state, data, validation, loss, measure, renew])
    key.add([recipe.epochs, recipe.batch_size, recipe.keep_best, recipe.optimizer(len(data[0]))])
    key.add([library(), kernels.in_use()])  # the two kinds of kernels round differently
    return key.hexdigest()[:12]

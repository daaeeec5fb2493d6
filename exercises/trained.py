"""Train a model, or take it up where an earlier run left it.

Trained models lie in ``<out>/models/`` under a name that is a digest of everything they depend
on: architecture, initial weights, data, training settings, and the code of the library that
trains. Change any of it and the model is trained anew; change nothing and a later exercise gets
it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nnscratch
from exercises.common import Settings
from nnscratch.layers import Layer
from nnscratch.layers.base import all_parts
from nnscratch.optimizers import Adam, cosine_decay
from nnscratch.training import Data, History, Loss, fit

TRAINING_CODE = (
    "kernels",
    "layers",
    "models",
    "data_checks.py",
    "initializers.py",
    "losses.py",
    "optimizers.py",
    "randomness.py",
    "training.py",
    "training_run.py",
)


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
    key = hashlib.sha256(f"{recipe} {settings.seed} {loss.__name__}".encode())
    key.update("\n".join(map(_describe, all_parts(model))).encode())
    for array in (*model.params.values(), *model.state.values(), *data, *validation):
        key.update(np.ascontiguousarray(array).data)
    key.update(_code_digest() + (b"" if renew is None else b"renewed"))
    path = settings.out / "models" / f"{name}-{key.hexdigest()[:12]}.npz"
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


def _describe(layer: Layer) -> str:
    """The layer's class and settings, which say what its weights (hashed as well) do not."""
    plain = {k: v for k, v in vars(layer).items() if isinstance(v, int | float | str | tuple)}
    for changes_in_a_forward_pass in ("cache", "batch_size", "_planned_for"):
        plain.pop(changes_in_a_forward_pass, None)
    return f"{type(layer).__name__} {sorted(plain.items())}"


def _code_digest() -> bytes:
    root = Path(nnscratch.__file__).parent
    parts = [root / part for part in TRAINING_CODE]
    files = [f for part in parts for f in ([part] if part.is_file() else part.glob("**/*.py"))]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.digest()

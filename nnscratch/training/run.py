"""A training run between two epochs: what has happened, and what a checkpoint has to hold."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnscratch.layers.base import Array, Layer
from nnscratch.optimizers import Optimizer
from nnscratch.training.checkpoint import (
    BEST,
    DamagedCheckpointError,
    below,
    learnt,
    load_checkpoint,
    previous,
    save_checkpoint,
)
from nnscratch.training.divergence import advice, first_not_finite
from nnscratch.training.settings import differences


@dataclass
class History:
    """What happened in training, one entry an epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the samples of the epoch, each taken before the step that it caused.
    validation_loss : list of float
        Loss on the validation data after the epoch; empty without such data.
    measured : dict of str to list of float
        What ``measure`` returned after each epoch.
    seconds : float
        Time spent in epochs that were completed, over all sessions of a resumed run.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    measured: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def best_epoch(self) -> int:
        """The epoch of the lowest validation loss (training loss without one), from 0."""
        return int(np.argmin(self.validation_loss or self.loss))


@dataclass
class Run:
    """What a checkpoint has to hold for training to go on as if it had never stopped.

    The shuffle orders still to come follow from the seed and the steps that the optimiser has
    behind it, so they need no place of their own.
    """

    model: Layer
    optimizer: Optimizer
    epochs: int
    settings: dict[str, str]
    history: History = field(default_factory=History)
    best: dict[str, Array] = field(default_factory=dict)

    def end_epoch(self, loss: float, validation_loss: float | None = None) -> None:
        """Enter the epoch into the history, unless it ended in numbers that are not finite."""
        if validation_loss is not None:
            if not np.isfinite(validation_loss):
                raise self.divergence(f"the validation loss became {validation_loss}")
            self.history.validation_loss.append(validation_loss)
        for key, parameter in self.model.params.items():  # no loss was seen after the last step
            if not np.isfinite(parameter).all():
                raise self.divergence(f"{key} became NaN or infinite")
        self.history.loss.append(loss)

    def divergence(self, what: str, *step: Any) -> FloatingPointError:
        """The error that stops training before such numbers reach a checkpoint.

        With a ``step``, its batch, targets and loss, it says which layer they come from.
        """
        arrays = {}
        if step:
            what = f"{what}, {first_not_finite(self.model, *step)},"
            arrays = {"x": step[0], "the target": step[1]}
        steps = self.optimizer.steps
        return FloatingPointError(
            f"{what} in epoch {len(self.history.loss) + 1}, after step {steps}; "
            f"{advice(steps, **arrays)}. The latest checkpoint, if one was asked for, is from the "
            "end of the epoch before."
        )

    def epochs_since_best(self) -> int:
        losses = self.history.validation_loss
        return len(losses) - 1 - self.history.best_epoch if losses else 0

    def keep_if_best(self) -> None:
        if self.epochs_since_best() == 0:
            self.best = {key: array.copy() for key, array in learnt(self.model).items()}

    def restore_best(self) -> None:
        for key, array in learnt(self.model).items():
            array[...] = self.best[key]

    def save(self, path: str | Path) -> None:
        run = {
            "settings": np.array(json.dumps(self.settings)),
            "loss": np.array(self.history.loss),
            "validation_loss": np.array(self.history.validation_loss),
            "seconds": np.array(self.history.seconds),
        }
        run |= {f"measured/{k}": np.array(numbers) for k, numbers in self.history.measured.items()}
        run |= {f"{BEST}{key}": array for key, array in self.best.items()}
        save_checkpoint(path, self.model, self.optimizer, run)

    def load_latest(self, path: Path) -> None:
        """The checkpoint or, if it is damaged, the one before."""
        try:
            self.load(path)
        except DamagedCheckpointError as error:
            if not previous(path).exists():
                raise
            self.load(previous(path))
            warnings.warn(f"{error} Went on from {previous(path)}.", stacklevel=3)

    def load(self, path: Path) -> None:
        run = load_checkpoint(path, self.model, self.optimizer, self._check_settings)
        self.history.loss = run["loss"].tolist()
        self.history.validation_loss = run["validation_loss"].tolist()
        self.history.seconds = float(run["seconds"])
        self.best = below(BEST, run)
        self.history.measured = {k: a.tolist() for k, a in below("measured/", run).items()}

    def _check_settings(self, run: dict[str, Array]) -> None:
        if "settings" not in run:
            raise ValueError("the checkpoint is of no training run; give another checkpoint path.")
        changes = differences(json.loads(str(run["settings"])), self.settings)
        if changes:
            raise ValueError(
                f"the checkpoint is of another run: {changes}. Ask for the same, or give another "
                "checkpoint path."
            )
        if len(run["loss"]) > self.epochs:
            raise ValueError(
                f"the checkpoint has {len(run['loss'])} epochs behind it, more than "
                f"epochs={self.epochs}; ask for at least as many, or give another checkpoint path."
            )

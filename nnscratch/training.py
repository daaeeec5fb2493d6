"""Training: mini-batches, forward, loss, backward, step, until done."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nnscratch.checkpoint import DamagedCheckpointError, load_checkpoint, previous, save_checkpoint
from nnscratch.data_checks import Loss, check_data, check_samples, checksum_of, slices
from nnscratch.divergence import all_finite, first_not_finite
from nnscratch.files import check_writable
from nnscratch.layers.base import Layer
from nnscratch.layers.fusion import parameter_gradients_only
from nnscratch.layers.geometry import check_count
from nnscratch.optimizers import Optimizer

Array = np.ndarray
Data = tuple[Array, Array]


@dataclass
class History:
    """What happened in training, one entry an epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the epoch's batches, each taken before the step that it caused.
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


def fit(
    model: Layer,
    x: Array,
    target: Array,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    seed: int = 0,
    validation: Data | None = None,
    renew: Callable[[np.random.Generator], Data] | None = None,
    measure: Callable[[], dict[str, float]] | None = None,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train ``model`` to map ``x`` to ``target``.

    Every epoch goes once through the samples in a new random order, in batches, the last of
    which may be smaller.

    Parameters
    ----------
    model : Layer
        Changed in place.
    x, target : arrays with one entry a sample
        An autoencoder's target is its input.
    loss : function (output, target) -> (value, gradient)
        Averaging over samples, such as `nnscratch.losses.mse`.
    optimizer : Optimizer
    epochs : int
        In all: a run resumed after 2 epochs with ``epochs=4`` does 2 more.
    batch_size : int
    seed : int
        Of the shuffling.
    validation : (x, target), optional
        Evaluated after every epoch.
    renew : function (generator) -> (x, target), optional
        Called before every epoch, for fresh data of the same shapes in the place of those above.
    measure : function, optional
        Called after every epoch; the numbers that it returns by name are kept in the history.
    patience : int, optional
        Stop after so many epochs without a lower validation loss, and in any case end with the
        weights of the best epoch.
    checkpoint : path, optional
        Saved after every epoch. If the file exists, training goes on from it, and ends with the
        same bits as if it had never stopped.
    progress : bool
        Show a bar with the loss and the samples a second.

    Returns
    -------
    History

    Raises
    ------
    ValueError, TypeError
        Before any work: no samples, lengths that differ, a wrong shape or dtype, numbers that
        are not finite, targets that the loss refuses, a checkpoint of another run.
    FloatingPointError
        At the first step whose loss or gradients are not finite; the sentence names the layer
        that they come from. The latest checkpoint is kept.

    Warns
    -----
    UserWarning
        If the checkpoint is damaged; training then goes on from the one before it.
    """
    epochs, batch_size = check_count(epochs, "epochs"), check_count(batch_size, "batch_size")
    _check_arguments(optimizer, validation, patience)
    check_data("training", model, x, target, loss, batch_size)
    if validation is not None:
        check_data("validation", model, *validation, loss, batch_size)
    run = _Run(
        model,
        optimizer,
        np.random.default_rng(seed),
        f"{len(x)} samples (checksum {checksum_of(x, target)}), "
        f"{len(validation[0]) if validation else 0} to validate on, {batch_size=}, {seed=}, "
        f"{patience=}, {type(optimizer).__name__}",
    )
    if checkpoint is not None:
        check_writable(Path(checkpoint).parent)
        if Path(checkpoint).exists():
            run.load_latest(Path(checkpoint))
            run.check_not_past(epochs)
    history = run.history
    with parameter_gradients_only(model), tqdm(
        total=epochs * len(x), initial=len(history.loss) * len(x), unit=" samples",
        unit_scale=True, mininterval=0.5, disable=not progress,
    ) as bar:  # fmt: skip
        while len(history.loss) < epochs and not (patience and run.epochs_since_best() >= patience):
            started = time.perf_counter()
            bar.set_description(f"epoch {len(history.loss) + 1}/{epochs}")
            if renew is not None:
                x, target = renew(run.rng)
            values = [_train_epoch(run, x, target, loss, batch_size, bar)]
            if validation is not None:
                values.append(evaluate(model, *validation, loss))
                bar.set_postfix_str(f"loss {values[0]:.4g}, validation {values[1]:.4g}")
            run.end_epoch(*values)
            for name, number in (measure() if measure else {}).items():
                history.measured.setdefault(name, []).append(float(number))
            history.seconds += time.perf_counter() - started
            if patience is not None:
                run.keep_if_best()
            if checkpoint is not None:
                run.save(checkpoint)
    if patience is not None:
        run.restore_best()
    return history


def _check_arguments(optimizer: Optimizer, validation: Data | None, patience: int | None) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}; it must be an Optimizer, such as Adam(1e-3).")
    if validation is not None and not (isinstance(validation, tuple) and len(validation) == 2):
        raise TypeError("validation must be a pair (x, target) of arrays.")
    if patience is not None:
        check_count(patience, "patience")
        if validation is None:
            raise ValueError("patience needs validation data to watch.")


def _train_epoch(
    run: _Run, x: Array, target: Array, loss: Loss, batch_size: int, bar: tqdm
) -> float:
    """One pass over the samples in a new order; the mean loss."""
    model, optimizer = run.model, run.optimizer
    order = run.rng.permutation(len(x))
    total = 0.0
    for start in range(0, len(x), batch_size):
        batch = order[start : start + batch_size]
        y = model.forward(x[batch], training=True)
        value, dy = loss(y, target[batch])
        if not np.isfinite(value):
            raise run.divergence(f"the loss became {value}", x[batch], target[batch], loss)
        model.backward(dy)
        grads = model.grads
        if not all_finite(*grads.values()):
            what = "a gradient became NaN or infinite"
            raise run.divergence(what, x[batch], target[batch], loss)
        optimizer.step(model.params, grads)
        total += value * len(batch)
        bar.set_postfix_str(f"loss {total / (start + len(batch)):.4g}", refresh=False)
        bar.update(len(batch))
    return total / len(x)


@dataclass
class _Run:
    """What a checkpoint has to hold for training to go on as if it had never stopped.

    The shuffle orders still to come follow from the generator's state, so they need no place of
    their own.
    """

    model: Layer
    optimizer: Optimizer
    rng: np.random.Generator
    settings: str
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
        if step:
            what = f"{what}, {first_not_finite(self.model, *step)},"
        return FloatingPointError(
            f"{what} in epoch {len(self.history.loss) + 1}, after step {self.optimizer.steps}; "
            "lower the learning rate. The latest checkpoint, if one was asked for, is from the "
            "end of the epoch before."
        )

    def epochs_since_best(self) -> int:
        losses = self.history.validation_loss
        return len(losses) - 1 - self.history.best_epoch if losses else 0

    def keep_if_best(self) -> None:
        if self.epochs_since_best() == 0:
            arrays = {**self.model.params, **self.model.state}
            self.best = {key: array.copy() for key, array in arrays.items()}

    def restore_best(self) -> None:
        for key, array in {**self.model.params, **self.model.state}.items():
            array[...] = self.best[key]

    def save(self, path: str | Path) -> None:
        run = {
            "settings": np.array(self.settings),
            "generator": np.array(json.dumps(self.rng.bit_generator.state)),
            "loss": np.array(self.history.loss),
            "validation_loss": np.array(self.history.validation_loss),
            "seconds": np.array(self.history.seconds),
        }
        run |= {f"measured/{k}": np.array(numbers) for k, numbers in self.history.measured.items()}
        run |= {f"best/{key}": array for key, array in self.best.items()}
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
        self.rng.bit_generator.state = json.loads(str(run["generator"]))
        self.history.loss = run["loss"].tolist()
        self.history.validation_loss = run["validation_loss"].tolist()
        self.history.seconds = float(run["seconds"])
        self.best = _below("best/", run)
        self.history.measured = {k: a.tolist() for k, a in _below("measured/", run).items()}

    def check_not_past(self, epochs: int) -> None:
        done = len(self.history.loss)
        if done > epochs:
            raise ValueError(
                f"the checkpoint has {done} epochs behind it, more than epochs={epochs}; ask for "
                "at least as many, or give another checkpoint path."
            )

    def _check_settings(self, run: dict[str, Array]) -> None:
        saved = str(run.get("settings", "no training run"))
        if saved != self.settings:
            raise ValueError(
                f"the checkpoint is of a run with {saved}, this one has {self.settings}; give "
                "the same, or another checkpoint path."
            )


def _below(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    """The entries whose names begin so, without that beginning."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def predict(model: Layer, x: Array, batch_size: int = 500) -> Array:
    """The outputs for all of ``x``, at least one sample, in evaluation mode, batch by batch."""
    check_samples("x", x)
    return np.concatenate([model.forward(x[batch]) for batch in slices(len(x), batch_size)])


def evaluate(model: Layer, x: Array, target: Array, loss: Loss, batch_size: int = 500) -> float:
    """The loss over all samples in evaluation mode, each sample counting the same.

    Batches are averaged with their sizes as weights, so the loss must be a mean over samples.
    """
    check_samples("x", x)
    total = 0.0
    for batch in slices(len(x), batch_size):
        total += loss(model.forward(x[batch]), target[batch])[0] * len(x[batch])
    return total / len(x)

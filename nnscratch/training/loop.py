"""Training: mini-batches, forward, loss, backward, step, until done."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from nnscratch.array_checks import check_samples
from nnscratch.files import check_writable
from nnscratch.layers.base import Layer, all_parts
from nnscratch.layers.geometry import check_count
from nnscratch.layers.wanted import parameter_gradients_only
from nnscratch.optimizers import Optimizer
from nnscratch.progress import progress_bar
from nnscratch.randomness import stream
from nnscratch.stand_ins import one_call, stand_in
from nnscratch.training.checks import Loss, check_data, handed_over, slices
from nnscratch.training.divergence import NotFiniteError, WatchedOptimizer, finite_loss
from nnscratch.training.run import History, Run
from nnscratch.training.settings import describe, describe_layers

Array = np.ndarray
Data = tuple[Array, Array]


def train_step(
    model: Layer, optimizer: Optimizer | WatchedOptimizer, loss: Loss, x: Array, target: Array
) -> float:
    """Move the parameters a little downhill, and return the loss of before: all of training."""
    y = model.forward(x, training=True)
    value, gradients = loss(y, target)
    model.backward(*handed_over(gradients))
    optimizer.step(model.params, model.grads)
    return value


@one_call()
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
    which may be smaller. The order follows from the seed and the number of steps that the optimiser
    has behind it: calling this again and again with ``epochs=1`` and the same optimiser is the same
    training as one call with more epochs, and a new optimiser begins with the first order again.

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
        weights of the best epoch; ``patience=epochs`` never stops early and only keeps the best.
    checkpoint : path, optional
        Saved after every epoch. If the file exists, training goes on from it, and ends with the
        same bits as if it had never stopped. With ``patience`` the file holds the best weights,
        which `nnscratch.training.checkpoint.load_checkpoint` reads for use, beside the latest.
    progress : bool
        Show a bar with the loss and the samples a second.

    Returns
    -------
    History

    Raises
    ------
    ValueError, TypeError
        Before any work: no samples, lengths that differ, a wrong shape or dtype, numbers that
        are not finite, targets that the loss refuses, an optimiser of another model, a checkpoint
        of another run.
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
    asked_for: dict[str, object] = {"data": (x, target), "validation": validation}
    asked_for |= {"loss": loss, "optimizer": optimizer, "batch_size": batch_size, "seed": seed}
    asked_for |= {"patience": patience, "renew": renew}
    asked_for["measure"] = getattr(measure, "__qualname__", measure)  # which changes no weight
    asked_for["frozen"] = sorted(getattr(model.params, "frozen", ()))
    asked_for["start of the weights"] = [
        layer.drawn_at for layer in all_parts(model) if layer.drawn_at
    ]
    settings = {name: describe(value) for name, value in asked_for.items()}
    run = Run(model, optimizer, epochs, settings | describe_layers(model))
    if checkpoint is not None:
        check_writable(Path(checkpoint).parent)
        if Path(checkpoint).exists():
            run.load_latest(Path(checkpoint))
    optimizer.check_owner(model.params)
    history = run.history
    with parameter_gradients_only(model), progress_bar(
        total=epochs * len(x), initial=len(history.loss) * len(x), unit=" samples",
        unit_scale=True, disable=not progress,
    ) as bar:  # fmt: skip
        while len(history.loss) < epochs and not (patience and run.epochs_since_best() >= patience):
            started = time.perf_counter()
            bar.set_description(f"epoch {len(history.loss) + 1}/{epochs}", refresh=False)
            if renew is not None:
                x, target = renew(stream(seed, "renewed data", optimizer.steps))
            order = stream(seed, "shuffling", optimizer.steps).permutation(len(x))
            batches = [order[part] for part in slices(len(x), batch_size)]
            values = [_train_epoch(run, x, target, loss, batches, bar)]
            if validation is not None:
                values.append(evaluate(model, *validation, loss))
                losses = f"loss {values[0]:.4g}, validation {values[1]:.4g}"
                bar.set_postfix_str(losses, refresh=False)
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
    model.forget()
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
    run: Run, x: Array, target: Array, loss: Loss, batches: list[Array], bar: tqdm
) -> float:
    """One pass over the samples, whose numbers ``batches`` holds; the mean loss."""
    total, done = 0.0, 0
    watched, finite = WatchedOptimizer(run.optimizer), finite_loss(stand_in(loss))
    for batch in batches:
        try:
            value = train_step(run.model, watched, finite, x[batch], target[batch])
        except NotFiniteError as error:
            raise run.divergence(str(error), x[batch], target[batch], loss) from None
        total, done = total + float(value) * len(batch), done + len(batch)
        bar.set_postfix_str(f"loss {total / done:.4g}", refresh=False)
        bar.update(len(batch))
    return total / done


@one_call()
def predict(model: Layer, x: Array, batch_size: int = 500) -> Array:
    """The outputs for all of ``x``, at least one sample, in evaluation mode, batch by batch.

    The model keeps nothing of the batches; ``backward`` needs a forward pass of its own.
    """
    check_samples("x", x)
    check_count(batch_size, "batch_size")
    outputs = [model.forward(x[batch]) for batch in slices(len(x), batch_size)]
    model.forget()
    return np.concatenate(outputs)


@one_call()
def evaluate(model: Layer, x: Array, target: Array, loss: Loss, batch_size: int = 500) -> float:
    """The loss over all samples in evaluation mode, each sample counting the same.

    Batches are averaged with their sizes as weights, so the loss must be a mean over samples.
    """
    check_samples("x", x)
    check_samples("target", target)
    if len(x) != len(target):
        raise ValueError(f"there are {len(x)} samples but {len(target)} targets; give one each.")
    check_count(batch_size, "batch_size")
    total, loss = 0.0, stand_in(loss)
    for batch in slices(len(x), batch_size):
        total += float(loss(model.forward(x[batch]), target[batch])[0]) * len(x[batch])
    model.forget()
    return total / len(x)

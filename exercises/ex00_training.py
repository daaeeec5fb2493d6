"""Would the loss curve have told? The net of exercise 0 learns to read digits, right and wrong.

By plain gradient descent, a few hundred steps: as it is, from several starts, and with a mistake of
`ex00_mistakes` planted. A curve tells of a mistake only if right nets do not end there as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from exercises.common import Settings, mnist28
from exercises.ex00_mistakes import SAMPLES, Diagnosis, Mistake, diagnose, is_named, plant
from exercises.ex00_nets import NETS, linear_decoder, map_gradient
from nnscratch.datasets import Dataset
from nnscratch.datasets.resize import resize
from nnscratch.gradcheck import check_loss
from nnscratch.layers import Layer, Sequential
from nnscratch.losses import softmax_crossentropy
from nnscratch.randomness import stream
from nnscratch.training import predict
from nnscratch.training.checks import Loss, slices

Array = np.ndarray
Network = Callable[..., Sequential]
Objective = Callable[[Sequential, Array, Array], tuple[Array, Array]]

SIDE, FILTERS, DIGITS = 14, 4, 10
TRAIN, TEST = 4000, 1000  # images
RATE, BATCH, EVERY = 0.1, 32, 10
RIGHT_RUNS = 8
SEARCHED, SEARCH_STEPS, SEARCH_RATE = 50, 60, 0.01  # images, steps and step size of MAP
ENOUGH = 0.5  # of the test images, read right; below, a curve tells nothing


@dataclass(frozen=True)
class Outcome:
    """A training run.

    Attributes
    ----------
    steps, losses : lists
        The mean loss on the test images after so many steps, as long as it was a finite number.
    accuracy : float
        Share of test images read right, at the last of these points; of a search, share of images
        whose objective fell.
    finished : bool
        Whether the loss was finite to the end.
    """

    steps: list[int]
    losses: list[float]
    accuracy: float
    finished: bool


@dataclass(frozen=True)
class RightNets:
    """The net without a mistake: how it is made, what it learns from, and how that ends.

    ``epochs`` is 0 if codes were searched for, which takes no passes over the training images.

    ``runs[0]`` starts from the same weights, and sees the images in the same order, as each of the
    nets with a mistake; the others have weights and orders of their own.
    """

    network: Network
    data: Dataset
    epochs: int
    seed: int
    runs: list[Outcome]

    @property
    def success(self) -> str:
        """What the share is of that `Outcome.accuracy` gives."""
        return "accuracy" if self.epochs else "objective fell in"

    @property
    def learned(self) -> bool:
        """Whether every right net reads at least half of the digits; a guess reads one in ten."""
        return all(run.accuracy >= ENOUGH for run in self.runs)

    @property
    def usual_end(self) -> tuple[float, float]:
        """Where the loss of 95 % of right nets ends: Student's prediction interval.

        With mean m and standard deviation s of n runs, ``m +- t s sqrt(1 + 1/n)``, t being the
        97.5 % quantile of Student's distribution with n - 1 degrees of freedom.
        """
        ends = np.array([run.losses[-1] for run in self.runs])
        n = len(ends)
        half = stats.t.ppf(0.975, n - 1) * ends.std(ddof=1) * np.sqrt(1 + 1 / n)
        return float(ends.mean() - half), float(ends.mean() + half)


@dataclass(frozen=True)
class Finding:
    """All that is known about one mistake.

    ``told`` is whether the loss curve tells of it; None if right nets have hardly learned anything.
    """

    mistake: Mistake
    diagnosis: Diagnosis
    outcome: Outcome
    told: bool | None
    curve: str  # what the loss curve does, in words


def digits(settings: Settings) -> Dataset:
    """The first images of MNIST at half their size, where every pixel is the mean of four."""
    data = mnist28(settings)
    x_train, x_test = (resize(x, SIDE) for x in (data.x_train[:TRAIN], data.x_test[:TEST]))
    source = f"{data.source}, of which {len(x_train):,} + {len(x_test):,} at {SIDE} x {SIDE}"
    return Dataset(x_train, data.y_train[:TRAIN], x_test, data.y_test[:TEST], data.name, source)


def train(model: Sequential, loss: Loss, data: Dataset, epochs: int, seed: list[int]) -> Outcome:
    """Gradient descent in full: forward, loss, backward, a step downhill."""
    rng = stream(seed, "order of samples")
    order = np.concatenate([rng.permutation(len(data.x_train)) for _ in range(epochs)])
    batches = [order[batch] for batch in slices(len(order), BATCH)]
    steps: list[int] = []
    losses: list[float] = []
    accuracy = 0.0
    with np.errstate(all="ignore"):  # some mistakes let all numbers grow without bounds
        for step in (*range(0, len(batches), EVERY), len(batches)):
            logits = predict(model, data.x_test)
            value = softmax_crossentropy(logits, data.y_test)[0]
            if not np.isfinite(value):
                return Outcome(steps, losses, accuracy, finished=False)
            steps.append(step)
            losses.append(value)
            accuracy = float((logits.argmax(axis=1) == data.y_test).mean())
            for batch in batches[step : step + EVERY]:
                _, dlogits = loss(
                    model.forward(data.x_train[batch], training=True), data.y_train[batch]
                )
                model.backward(dlogits)
                for name, parameter in model.params.items():
                    parameter -= RATE * model.grads[name]
    return Outcome(steps, losses, accuracy, finished=True)


def right_nets(settings: Settings, network: Network) -> RightNets:
    """Train the net as it is, again and again from other weights."""
    data = digits(settings)
    epochs = settings.epochs or (1 if settings.quick else 2)
    seeds = [[settings.seed, run] for run in range(RIGHT_RUNS)]
    runs = [
        train(to_train(network, seed), softmax_crossentropy, data, epochs, seed) for seed in seeds
    ]
    return RightNets(network, data, epochs, settings.seed, runs)


def right_searches(settings: Settings) -> RightNets:
    """MAP as it is, again and again from other codes."""
    data = digits(settings)
    decoder = linear_decoder(data.x_train, np.float64)
    seeds = [[settings.seed, run] for run in range(RIGHT_RUNS)]
    runs = [search(decoder, map_gradient, data, seed) for seed in seeds]
    return RightNets(lambda *_: decoder, data, 0, settings.seed, runs)


def search(decoder: Sequential, objective: Objective, data: Dataset, seed: list[int]) -> Outcome:
    """Gradient descent on codes; `Outcome.accuracy` is the share of images that got nearer."""
    x = data.x_test[:SEARCHED].astype(np.float64)
    z = stream(seed, "first codes of a search by hand").standard_normal(
        (len(x), *decoder.input_shape)
    )
    first, dz = objective(decoder, x, z)
    values = first
    losses = [float(first.mean())]
    for _ in range(SEARCH_STEPS):
        z -= SEARCH_RATE * dz
        values, dz = objective(decoder, x, z)
        losses.append(float(values.mean()))
    return Outcome(
        list(range(SEARCH_STEPS + 1)), losses, float((values < first).mean()), finished=True
    )


def right_of_nets(
    settings: Settings, network: Network, mistakes: list[Mistake]
) -> dict[type[Layer] | str | None, RightNets]:
    """The right runs that these mistakes are compared with, by their net."""
    return {
        net: right_searches(settings)
        if net == "MAP"
        else right_nets(settings, NETS.get(net, network))  # type: ignore[arg-type]
        for net in dict.fromkeys(mistake.net for mistake in mistakes)
    }


def to_train(network: Network, seed: list[int]) -> Sequential:
    """A fresh net for the digits."""
    return network(SIDE, FILTERS, DIGITS, seed, np.float32)


def examine(mistake: Mistake, right: RightNets) -> Finding:
    """Check and train the net with one mistake in it."""
    if mistake.net == "MAP":
        return examine_search(mistake, right)
    small = right.network(6, 2, 3, 0, np.float64)
    diagnosis = diagnose(small, plant(small, mistake), mistake.words)
    seed = [right.seed, 0]
    model = to_train(right.network, seed)
    outcome = train(model, plant(model, mistake), right.data, right.epochs, seed)
    return Finding(mistake, diagnosis, outcome, *read_curve(outcome, right))


def examine_search(mistake: Mistake, right: RightNets) -> Finding:
    """Check the gradient of the codes, and search for some with the mistake in it."""
    decoder = right.network()
    diagnosis = diagnose_search(decoder, mistake.wrong, right.data.x_test, mistake.words)
    outcome = search(decoder, mistake.wrong, right.data, [right.seed, 0])
    return Finding(mistake, diagnosis, outcome, *read_curve(outcome, right))


def diagnose_search(decoder: Sequential, objective: Objective, x: Array, words: str) -> Diagnosis:
    """What the checker says of MAP's gradient with respect to codes."""
    images = x[:SAMPLES].astype(np.float64)

    def total(z: Array) -> tuple[float, Array]:
        values, dz = objective(decoder, images, z)
        return float(values.sum()), dz

    codes = stream(0, "diagnosis of a search").standard_normal((SAMPLES, *decoder.input_shape))
    report = check_loss(total, codes, subject="map")
    return Diagnosis([report], report, is_named([report], words))


def read_curve(outcome: Outcome, right: RightNets) -> tuple[bool | None, str]:
    """Whether the loss curve tells of a mistake, None if there is no telling, and the reason."""
    if not right.learned:
        worst = 100 * min(run.accuracy for run in right.runs)
        return None, f"no verdict: a right net reads only {worst:.0f} % after these few steps"
    if not outcome.finished:
        return True, f"no finite loss after step {outcome.steps[-1]}"
    if outcome.losses == right.runs[0].losses:
        return False, "loss curve the same to the last bit"
    end, (low, high) = outcome.losses[-1], right.usual_end
    place = "above" if end > high else "even below" if end < low else "within"
    return (
        end > high,
        f"loss {end:.4g} at the end, {place} the {low:.3f} to {high:.3f} of right nets",
    )

"""Exercise 4, questions: is the classifier too large, too small, or trained with the wrong loss?

A net that is too small is no better on the images it learns from than on others; one that is too
large goes on improving on those alone. So nets of three widths, two that are held back (dropout,
weight decay) and one trained with squared errors are watched on both. The learning rate stays
constant, since one that falls to zero would stop the overfitting as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex04_classifier import classifier, look, split
from exercises.trained import Recipe, train
from nnscratch.layers import Sequential
from nnscratch.losses import mse, softmax_crossentropy
from nnscratch.optimizers import Adam
from nnscratch.plotting import label_losses, new_figure
from nnscratch.training import History, Loss

SQUARED = "16, squared error"
LEARNED = 8_000  # images to learn from: with more, ten epochs are too few to overfit
MEASURED = 5_000  # of these, on which the curves are taken


@dataclass(frozen=True, kw_only=True)
class DecayRecipe(Recipe):
    """A recipe with weight decay."""

    weight_decay: float

    def __str__(self) -> str:
        return f"{super().__str__()}, weight decay {self.weight_decay:g}"

    def optimizer(self, samples: int) -> Adam:
        adam = super().optimizer(samples)
        adam.weight_decay = self.weight_decay
        return adam


def plain_recipe(settings: Settings) -> Recipe:
    """What all nets have in common."""
    if len(mnist32(settings).x_train) == 60_000:
        return Recipe(1e-3, 64, settings.epochs or 10)
    return Recipe(1e-3, 32, settings.epochs or (2 if settings.quick else 8))


def variants(settings: Settings) -> dict[str, tuple[Sequential, Recipe]]:
    """The nets to compare, by name, and how each is trained."""
    plain, seed = plain_recipe(settings), settings.seed
    decay = DecayRecipe(plain.learning_rate, plain.batch_size, plain.epochs, weight_decay=0.1)
    return {
        "4 filters": (classifier(seed, 4), plain),
        "16 filters": (classifier(seed), plain),
        "64 filters": (classifier(seed, 64), plain),
        "16, dropout 0.3": (classifier(seed, dropout=0.3), plain),
        "16, weight decay 0.1": (classifier(seed), decay),
        SQUARED: (classifier(seed), plain),
    }


def curves(settings: Settings, name: str, model: Sequential, recipe: Recipe) -> History:
    """Train one of the nets, watched on the three sets of images."""
    data, (everything, validation) = mnist32(settings), split(settings)
    learn = everything[0][:LEARNED], everything[1][:LEARNED]
    sets = {
        "train": (learn[0][:MEASURED], learn[1][:MEASURED]),
        "validation": validation,
        "test": (data.x_test, data.y_test),
    }
    loss: Loss = softmax_crossentropy
    if name == SQUARED:
        loss, one_hot = mse, np.eye(10, dtype=np.float32)
        learn, validation = ((x, one_hot[y]) for x, y in (learn, validation))
    file = "capacity-" + name.replace(",", "").replace(" ", "-")
    return train(settings, file, model, loss, recipe, learn, validation,
                 measure=lambda: look(model, sets))  # fmt: skip


def run(settings: Settings) -> None:
    """Make the figure of capacities."""
    print("Exercise 4, questions: capacity", flush=True)
    started = time.perf_counter()
    nets = variants(settings)
    histories = {name: curves(settings, name, *net) for name, net in nets.items()}
    found = {name: summary(history) for name, history in histories.items()}
    sizes = {name: sum(p.size for p in model.params.values()) for name, (model, _) in nets.items()}
    learned = min(LEARNED, len(split(settings)[0][0]))
    page = Page(
        "ex04_capacity",
        "Capacity of the classifier, and what to do about it",
        f"Left: cross-entropy after every epoch, on validation images (lines) and on {MEASURED:,} "
        "(or all) of the images learned from (dashed), in evaluation mode; a ring where the "
        "validation loss is lowest. Right: errors after the last epoch. All nets have the same "
        f"shape and constant learning rate and learn from the same {learned:,} images, few enough "
        "to be learned by heart. One seed each.",
        "The network is overfitting; end training early by monitoring the test loss, or reduce "
        "the neurons. The loss to classify with is the cross-entropy.",
        f"{mnist32(settings).source}, {learned:,} learned from · {plain_recipe(settings)} · "
        f"seed {settings.seed}",
        {
            name: {"parameters": sizes[name], **found[name]}
            | {f"{key}_by_epoch": values for key, values in histories[name].measured.items()}
            for name in nets
        },
        [
            ("Comment on the capacity of your network. (4b)", capacity_answer(found)),
            ("What improves an under- or overfitting net? (4c)", improvement_answer(found)),
            ("Which cost function suits classification? (3c)", loss_answer(found)),
        ],
    )
    publish(settings, page, draw(histories, found), started)


def summary(history: History) -> dict[str, Any]:
    """Where a training ended and whether it had gone on too long.

    The slopes say how much a loss changed an epoch, from the epoch of the lowest validation loss to
    the end. That of the validation loss cannot be negative, so the test loss must show the rise.
    """
    curves = history.measured
    after = {name: values[-1] for name, values in curves.items()}
    best = int(np.argmin(curves["validation loss"]))

    def slope(values: list[float]) -> float:
        return (values[-1] - values[best]) / max(len(values) - 1 - best, 1)

    return {
        **after,
        "gap": after["test loss"] - after["train loss"],
        "best_epoch": best + 1,
        "best_validation_loss": curves["validation loss"][best],
        "validation_slope_after_best": slope(curves["validation loss"]),
        "test_slope_after_best": slope(curves["test loss"]),
        "test_accuracy_at_best_epoch": curves["test accuracy"][best],
    }


def verdict(net: dict[str, Any], best_loss: float) -> str:
    """Under- or overfitting, for a net among others whose best validation loss is ``best_loss``."""
    if net["train loss"] > best_loss:
        return "underfits: worse on the images it learned from than the best net is on new ones"
    best, rise = net["best_epoch"], net["test_slope_after_best"]
    if rise > 0:
        return (
            f"overfits: after epoch {best}, the best on validation, its test loss rises by "
            f"{rise:.4f} an epoch"
        )
    return f"not overfitting yet: its test loss has not risen since epoch {best}, the best so far"


def capacity_answer(found: dict[str, dict[str, Any]]) -> str:
    """Question 4b, answered from the measurement."""
    nets = {name: net for name, net in found.items() if name != SQUARED}
    best_loss = min(net["best_validation_loss"] for net in nets.values())
    return " ".join(
        f"{name}: cross-entropy {net['train loss']:.4f} train, {net['test loss']:.4f} test (gap "
        f"{net['gap']:+.4f}), accuracy {100 * net['test accuracy']:.2f} %; "
        f"{verdict(net, best_loss)}."
        for name, net in nets.items()
        if name.endswith("filters")
    )


def improvement_answer(found: dict[str, dict[str, Any]]) -> str:
    """Question 4c, answered from the measurement."""
    plain = found["16 filters"]
    changes = [
        f"{name}: gap {net['gap']:+.4f}, test loss {net['test loss']:.4f}, test accuracy "
        f"{100 * net['test accuracy']:.2f} %"
        for name, net in found.items()
        if name not in ("16 filters", SQUARED)
    ]
    return (
        f"Against 16 filters (gap {plain['gap']:+.4f}, test loss {plain['test loss']:.4f}, "
        f"{100 * plain['test accuracy']:.2f} %): {'; '.join(changes)}. Stopping 16 filters at its "
        f"best epoch, {plain['best_epoch']}, gives "
        f"{100 * plain['test_accuracy_at_best_epoch']:.2f} %."
    )


def loss_answer(found: dict[str, dict[str, Any]]) -> str:
    """Question 3c, answered from the measurement."""
    entropy, squared = (100 * found[name]["test accuracy"] for name in ("16 filters", SQUARED))
    return (
        "Cross-entropy: minus the log-probability of the right digit, whose gradient stays large "
        "as long as an image is taken for another digit with confidence. With it, "
        f"{entropy:.2f} % of the test images are right; the same net trained for as long with "
        f"squared errors to one-hot labels gets {squared:.2f} %, "
        + ("which is no less: on digits this easy both will do." if squared >= entropy else "less.")
    )


def draw(histories: dict[str, History], found: dict[str, dict[str, Any]]) -> Figure:
    """Losses by epoch, and errors at the end."""
    figure = new_figure(10, 4.6, "Classifiers of different capacity")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for number, (name, history) in enumerate(histories.items()):
        if name == SQUARED:
            continue  # its outputs are no logits
        color, validation = f"C{number}", history.measured["validation loss"]
        epochs = np.arange(1, len(validation) + 1)
        left.plot(epochs, validation, color, lw=1.3, label=name)
        left.plot(epochs, history.measured["train loss"], color, ls="--", lw=0.9)
        best = found[name]["best_epoch"]
        left.plot(best, validation[best - 1], color, marker="o", ms=8, mfc="none")
    left.plot([], [], "0.4", ls="--", lw=0.9, label="the same, on images learned from")
    label_losses(left, "cross-entropy an image, nats")
    low, high = left.get_ylim()
    left.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    left.legend(fontsize=7, ncols=2)

    places = np.arange(len(found))
    for shift, key, color in ((-0.2, "train accuracy", "0.75"), (0.2, "test accuracy", "C0")):
        errors = [100 * (1 - net[key]) for net in found.values()]
        bars = right.barh(places + shift, errors, 0.38, color=color, label=key.split()[0])
        right.bar_label(bars, [f"{e:.2f}" for e in errors], fontsize=7, padding=2)
    right.set_yticks(places, list(found), fontsize=8)
    right.invert_yaxis()
    right.margins(x=0.12)
    right.set(xlabel="wrong after the last epoch, % of the images")
    right.legend(fontsize=7)
    return figure


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Exercise 4: turn the encoder into a classifier.

Take away the encoder's last convolution, the one that squeezes everything into two numbers, put a
dense layer with one output a digit in its place, and train on labels instead of images: the
features that could not tell the digits apart now can. Three sets of images have three roles: the
net learns from the first, the epoch to keep is chosen on the second, and the third, the test set,
is only looked at. Figure 4 of the report, and the accuracy digit by digit.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex03_nearest_neighbour import percent_right
from exercises.measures import ranked
from exercises.trained import Recipe, train
from nnscratch.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ReLU, Sequential
from nnscratch.losses import softmax_crossentropy
from nnscratch.plotting import DIGIT_COLORS, label_losses, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, Data, History, predict

REPORT_EPOCHS = (2, 10)
REPORT_TRAIN, REPORT_TEST = (0.0856, 0.0209), (0.0757, 0.0496)
PUBLISHED_PERCENT = (97.8, 97.2)  # the report, the course's own run


def classifier(seed: int, filters: int = 16, dropout: float = 0.0) -> Sequential:
    """32 x 32 x 1 image -> 10 logits (scores, to be made probabilities by the softmax).

    With 16 filters, the encoder of exercise 1 and a head.
    """
    return Sequential(
        [
            *(Conv2D(filters, 3), ReLU(), MaxPooling2D(2)),  # 16 x 16 x filters
            *(Conv2D(filters, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x filters
            *(Conv2D(filters, 3), ReLU(), MaxPooling2D(2)),  # 4 x 4 x filters
            *(Conv2D(filters, 3), ReLU(), MaxPooling2D(2)),  # 2 x 2 x filters
            Flatten(),
            Dropout(dropout),  # 0, so without effect, except in exercise 4b
            Dense(10),
        ],
        input_shape=(32, 32, 1),
        seed=[seed, 2],
    )


def recipe_for(settings: Settings) -> Recipe:
    """How the classifier is trained; the few embedded images need smaller batches, more epochs."""
    if len(mnist32(settings).x_train) == 60_000:
        return Recipe(2e-3, 64, settings.epochs or 10, cosine=True, keep_best=True)
    epochs = settings.epochs or (2 if settings.quick else 20)
    return Recipe(2e-3, 32, epochs, cosine=True, keep_best=True)


@functools.cache
def split(settings: Settings) -> tuple[Data, Data]:
    """The training images in two parts: to learn from, and a twelfth to validate on."""
    data = mnist32(settings)
    order = stream(settings.seed, "validation split").permutation(len(data.x_train))
    learn, validate = np.split(order, [-max(1, len(order) // 12)])
    return (data.x_train[learn], data.y_train[learn]), (
        data.x_train[validate],
        data.y_train[validate],
    )


@functools.cache
def trained(settings: Settings) -> tuple[Sequential, History, str]:
    """The classifier with the weights of its best epoch, its curves, and a stamp for figures."""
    data, validation = split(settings)
    model, recipe = classifier(settings.seed), recipe_for(settings)
    test = {"test": (mnist32(settings).x_test, mnist32(settings).y_test)}
    history = train(
        settings, "classifier", model, softmax_crossentropy, recipe, data, validation,
        measure=lambda: look(model, test),
    )  # fmt: skip
    source = f"{mnist32(settings).source}, {len(validation[0]):,} to validate on"
    return model, history, f"{source} · classifier: {recipe} · seed {settings.seed}"


def look(model: Sequential, sets: dict[str, Data]) -> dict[str, float]:
    """Cross-entropy and accuracy on each of ``sets``, in evaluation mode."""
    numbers = {}
    for name, (x, y) in sets.items():
        logits = predict(model, x)
        numbers[f"{name} loss"] = softmax_crossentropy(logits, y)[0]
        numbers[f"{name} accuracy"] = float((logits.argmax(axis=1) == y).mean())
    return numbers


def run(settings: Settings) -> None:
    """Make Figure 4 and the table of accuracies."""
    print("Exercise 4: the classifier", flush=True)
    figure_4(settings)
    table(settings)


def figure_4(settings: Settings) -> None:
    """The three losses, epoch by epoch, beside the report's."""
    started = time.perf_counter()
    _, history, stamp = trained(settings)
    test, best = history.measured["test loss"], history.best_epoch

    figure = new_figure(8, 4.6, "Training, validation and test loss of the classifier")
    axis = figure.subplots()
    epochs = np.arange(1, len(test) + 1)
    axis.plot(epochs, history.loss, "C0--", lw=1, label="train (mean over the epoch)")
    axis.plot(epochs, history.validation_loss, "C2", marker="o", ms=3, label="validation")
    axis.plot(epochs, test, "C1", marker="o", ms=3, label="test (recorded, never used)")
    axis.axvline(epochs[best], color="0.6", ls=":", lw=1)
    axis.plot(epochs[best], history.validation_loss[best], "C2*", ms=13,
              label=f"kept: best on validation, epoch {epochs[best]}")  # fmt: skip
    axis.plot(REPORT_EPOCHS, REPORT_TRAIN, "k^", mfc="none", label="report, train")
    axis.plot(REPORT_EPOCHS, REPORT_TEST, "ks", mfc="none", label="report, test")
    label_losses(axis, "cross-entropy an image, nats")
    axis.legend(fontsize=7)

    page = Page(
        "ex04_fig4",
        "Figure 4: training, validation and test loss of the classifier",
        "The training loss is the mean over an epoch in which the net improves; the other two are "
        "taken at the epoch's end. The learning rate falls to zero, which is why the last epochs "
        "hardly change anything; exercise 4b keeps it constant.",
        "Train and test cross-entropy .0856 and .0757 after epoch 2, .0209 and .0496 after epoch "
        "10: overfitting.",
        stamp,
        loss_numbers(history),
        [
            (
                "How do training and test loss compare? (4b)",
                f"The validation loss is lowest in epoch {best + 1}, whose weights are kept: "
                f"{history.validation_loss[best]:.4f}, and {test[best]:.4f} on the test images. "
                f"Chosen on the test images it would have been epoch {np.argmin(test) + 1} with "
                f"{min(test):.4f}.",
            )
        ],
    )
    publish(settings, page, figure, started)


def loss_numbers(history: History) -> dict[str, Any]:
    """The three losses by epoch, which epoch was best on which, and the test loss of the kept one.

    Epochs are counted from 1.
    """
    test, best = history.measured["test loss"], history.best_epoch
    return {
        "train_loss_by_epoch": history.loss,
        "validation_loss_by_epoch": history.validation_loss,
        "test_loss_by_epoch": test,
        "best_epoch_on_validation": best + 1,
        "best_epoch_on_test": int(np.argmin(test)) + 1,
        "test_loss": test[best],
    }


def accuracy_numbers(labels: Array, predicted: Array) -> dict[str, Any]:
    """How many were classified correctly, in percent; the standard error is the binomial one."""
    percent = percent_right(labels, predicted)
    micro = float(percent["micro_percent"])
    return {
        "accuracy_percent": micro,
        "accuracy_percent_standard_error": float(np.sqrt(micro * (100 - micro) / len(labels))),
        "accuracy_percent_per_digit": percent["accuracy_percent_per_digit"],
        "macro_percent": percent["macro_percent"],
    }


def accuracy_answer(numbers: dict[str, Any], images: int) -> str:
    """Question 4a, answered from the measurement."""
    accuracy = numbers["accuracy_percent_per_digit"]
    order = ranked(accuracy)
    worst, best = order[0], order[-1]
    return (
        f"{numbers['accuracy_percent']:.2f} % of {images:,} test images (standard error "
        f"{numbers['accuracy_percent_standard_error']:.2f}); best {best} with "
        f"{accuracy[best]:.1f} %, worst {worst} with {accuracy[worst]:.1f} %."
    )


def table(settings: Settings) -> None:
    """The errors on the test images, digit by digit."""
    started = time.perf_counter()
    (model, _, stamp), data = trained(settings), mnist32(settings)
    predicted = predict(model, data.x_test).argmax(axis=1)
    numbers = accuracy_numbers(data.y_test, predicted)
    accuracy, micro = numbers["accuracy_percent_per_digit"], numbers["accuracy_percent"]

    figure = new_figure(8, 4, "Which digits the classifier gets wrong")
    axis = figure.subplots()
    axis.bar(range(10), 100 - accuracy, color=DIGIT_COLORS)
    shares = [f"{a:.1f} %" if np.isfinite(a) else "none" for a in accuracy]
    axis.set_xticks(range(10), [f"{digit}\n{share}" for digit, share in enumerate(shares)])
    names, styles = ("here", "report", "course's own run"), ("-", "--", ":")
    for name, style, percent in zip(names, styles, (micro, *PUBLISHED_PERCENT), strict=True):
        axis.axhline(100 - percent, color="k", ls=style, lw=1,
                     label=f"all digits, {name}: {percent:.1f} % right")  # fmt: skip
    axis.set(xlabel="digit, and how many of its images are right", ylabel="wrong, % of the images")
    axis.set_ylim(0, 1.2 * axis.get_ylim()[1])  # room for the legend
    axis.legend(fontsize=7, loc="upper left", ncols=3)

    page = Page(
        "ex04_table",
        "Accuracy of the classifier, digit by digit",
        "Bars are errors, the numbers below them accuracies. The epoch was chosen on validation "
        "images, so the test images had no part in it.",
        "97.8 % over all ten digits; the course's own run 97.2 %.",
        stamp,
        numbers,
        [
            (
                "What accuracies on the test set can you achieve now? (4a)",
                accuracy_answer(numbers, len(predicted)),
            )
        ],
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

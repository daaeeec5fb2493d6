"""Exercise 3: classify a digit by the training code nearest to its own.

The autoencoder never saw a label. If images that look alike get codes that lie near each other,
the nearest training code should often belong to the same digit. Table I of the report, and the
question what chance alone would give.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex01_autoencoder import trained
from exercises.ex02_latent_space import codes
from exercises.measures import by_digit, ranked
from nnscratch.metrics import nearest_neighbour_labels, silhouettes
from nnscratch.plotting import DIGIT_COLORS, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array

REPORT = np.array([81, 82, 34, 45, 41, 26, 36, 35, 20, 28])
COURSE = np.array([70.2, 93.4, 27.4, 22.1, 22.9, 14.9, 28.4, 28.2, 22.4, 24.1])


def run(settings: Settings) -> None:
    """Make Table I."""
    print("Exercise 3: nearest neighbours", flush=True)
    started = time.perf_counter()
    data, stamp = mnist32(settings), trained(settings)[2]
    train_codes, test_codes = codes(settings)
    predicted = nearest_neighbour_labels(train_codes, data.y_train, test_codes)
    sizes = sorted({min(1000, len(predicted)), len(predicted)})
    percents = {n: percent_right(data.y_test[:n], predicted[:n]) for n in sizes}
    few = sizes[0]
    labels = data.y_test[:few]
    chance = chance_level(data.y_train, labels, predicted[:few])
    rng = stream(settings.seed, "shuffled labels")
    shuffled = shuffled_hits(train_codes, data.y_train, test_codes[:few], labels, rng)

    figure = new_figure(9, 4.2, "Table I: accuracy of the nearest training code, digit by digit")
    axis = figure.subplots()
    digits = np.arange(10)
    width = 0.8 / len(percents)
    for place, (n, percent) in enumerate(percents.items()):
        accuracy = percent["accuracy_percent_per_digit"]
        axis.bar(digits - 0.4 + (place + 0.5) * width, accuracy, width, color=DIGIT_COLORS,
                 edgecolor="white", alpha=0.45 if place else 1.0)  # fmt: skip
        for digit in np.flatnonzero(np.isfinite(accuracy)):
            axis.text(digit - 0.4 + (place + 0.5) * width, 1, f"{accuracy[digit]:.0f}",
                      ha="center", fontsize=7)  # fmt: skip
        shade = "paler bars" if place else "bars"
        macro = percent["macro_percent"]
        axis.plot([], [], " ", label=f"{shade}: first {n:,} test images, {macro:.1f} %")
    axis.plot(digits, REPORT, "k_", ms=16, mew=2, label=f"report, {REPORT.mean():.1f} %")
    axis.plot(digits, COURSE, "kx", ms=5, label=f"course's own run, {COURSE.mean():.1f} %")
    chance_percent = 100 * float(chance["hits"]) / few
    axis.axhline(chance_percent, color="0.4", ls=":", lw=1, label=f"chance, {chance_percent:.1f} %")
    axis.set(xticks=digits, xlabel="digit", ylabel="accuracy, %", ylim=(0, 108))
    axis.legend(fontsize=7, title="mean over the digits", title_fontsize=7)

    page = Page(
        "ex03_table1",
        "Table I: 1-nearest-neighbour classification on the codes",
        "Each test image gets the digit of the training image whose code is nearest. Macro is the "
        "mean over the ten digits, micro the share of all images.",
        "81 82 34 45 41 26 36 35 20 28 %, macro 42.8 %; expected by chance: 430 of 1,000. The "
        "course's own run: 70.2 93.4 27.4 22.1 22.9 14.9 28.4 28.2 22.4 24.1 %.",
        stamp,
        {
            **{
                f"{name}_first_{n}": number
                for n, percent in percents.items()
                for name, number in percent.items()
            },
            "chance": chance,
            "shuffled_codes_hits": shuffled,
        },
        [
            (
                "What would random codes give, and which digits do better? (3b)",
                chance_answer(chance, shuffled, few),
            )
        ],
    )
    publish(settings, page, figure, started)


def accuracy_per_digit(labels: Array, predicted: Array) -> Array:
    """Share of each digit's images that were classified correctly; NaN where it has none."""
    return by_digit(predicted == labels, labels)


def percent_right(labels: Array, predicted: Array) -> dict[str, Any]:
    """How many were classified correctly: of each digit, their mean (macro), of all (micro)."""
    per_digit = 100 * accuracy_per_digit(labels, predicted)
    return {
        "accuracy_percent_per_digit": per_digit,
        "macro_percent": np.nanmean(per_digit),
        "micro_percent": 100 * (predicted == labels).mean(),
    }


def class_separation(
    train_codes: Array, y_train: Array, codes: Array, labels: Array
) -> dict[str, float]:
    """How well the classes keep apart among codes (N, d); 1-NN is against the training codes."""
    predicted = nearest_neighbour_labels(train_codes, y_train, codes)
    return {
        "silhouette": silhouettes(codes, labels).mean(),
        "1-NN_macro_percent": percent_right(labels, predicted)["macro_percent"],
    }


def chance_level(y_train: Array, labels: Array, predicted: Array) -> dict[str, Array]:
    """What random neighbours would give, and how far each digit is from it.

    A random training image has digit d with probability ``p_d``, so of ``n_d`` test images
    ``n_d p_d`` are right by chance, with variance ``n_d p_d (1 - p_d)``; z is the distance of the
    true count from that mean in standard deviations (NaN for a digit that cannot deviate).
    """
    p = np.bincount(y_train, minlength=10) / len(y_train)
    n = np.bincount(labels, minlength=10)
    right = np.bincount(labels[predicted == labels], minlength=10)
    sd = np.sqrt(n * p * (1 - p))
    return {
        "hits": (n * p).sum(),
        "sd": np.sqrt((sd**2).sum()),
        "images": n,
        "right": right,
        "z": np.divide(right - n * p, sd, out=np.full(10, np.nan), where=sd > 0),
    }


def shuffled_hits(
    train_codes: Array, y_train: Array, z: Array, labels: Array, rng: np.random.Generator
) -> Array:
    """Right answers after shuffling which training image has which code, twenty times."""
    nearest = nearest_neighbour_labels(train_codes, np.arange(len(y_train)), z)
    return np.array([(rng.permutation(y_train)[nearest] == labels).sum() for _ in range(20)])


def chance_answer(chance: dict[str, Array], shuffled: Array, n: int) -> str:
    """Question 3b, answered from the measurement."""
    z = chance["z"]
    listing = ", ".join(f"{digit} ({z[digit]:+.1f})" for digit in ranked(-z))
    below = [str(digit) for digit in range(10) if z[digit] < 3]
    return (
        f"Chance gives {chance['hits']:.1f} of {n:,} (sd {chance['sd']:.1f}), and shuffled codes "
        f"gave {shuffled.mean():.1f} (sd {shuffled.std(ddof=1):.1f}, 20 shuffles); the report's "
        f"430 is its own result. Here {chance['right'].sum()} are right. Standard deviations above "
        f"chance: {listing}. "
        + (
            f"Not clearly (below +3, which chance exceeds once in 740): {', '.join(below)}."
            if below
            else "All beat chance."
        )
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

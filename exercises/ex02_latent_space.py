"""Exercise 2: where the digits lie in the plane of codes.

Every image becomes one point, its two code numbers. Digits that the decoder must draw differently
have to lie apart; digits that share a place cannot be told apart any more. Figure 3 of the
report, and the questions which digits overlap and why codes are clipped at zero.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex01_autoencoder import trained
from exercises.measures import by_digit, rank_correlation, ranked
from nnscratch.layers import Sequential
from nnscratch.metrics import confusion, nearest_neighbour_labels, silhouettes
from nnscratch.plotting import DIGIT_COLORS, digit_legend, new_figure, scatter_codes
from nnscratch.training import Array, predict


@functools.cache
def codes(settings: Settings) -> tuple[Array, Array]:
    """The codes (N, 2) of all training and of all test images."""
    model, data = trained(settings)[0], mnist32(settings)
    train, test = (predict(model.encoder, x) for x in (data.x_train, data.x_test))
    return train.reshape(-1, 2), test.reshape(-1, 2)


def run(settings: Settings) -> None:
    """Make Figure 3 and the confusion figure."""
    print("Exercise 2: the latent space", flush=True)
    figure_3(settings)
    overlap_figure(settings)


def figure_3(settings: Settings) -> None:
    """Scatter of the codes, and how many of them are clipped at zero."""
    started = time.perf_counter()
    data, stamp = mnist32(settings), trained(settings)[2]
    train_codes, test_codes = codes(settings)
    clipped = clipping(trained(settings)[0].encoder, data.x_test)
    train_zeros = zero_shares(train_codes)

    figure = new_figure(9, 4.6, "The codes of the digits")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    sets = (
        ("test", test_codes, data.y_test, clipped["share_exactly_0"]),
        ("training", train_codes, data.y_train, train_zeros),
    )
    for axis, (name, z, y, shares) in zip(axes, sets, strict=True):
        scatter_codes(axis, z, y, size=10 if len(z) < 5000 else 3 if len(z) < 20_000 else 1)
        zeros = " and ".join(f"{100 * share:.1f} %" for share in shares)
        axis.set_title(f"{len(z):,} {name} images; exactly 0 on axis 1 and 2: {zeros}", fontsize=8)
    digit_legend(figure)

    page = Page(
        "ex02_fig3",
        "Figure 3: the latent space of the autoencoder",
        "Each point is an image, placed at its two code numbers and coloured by its digit. Both "
        "numbers come out of a ReLU and a max pooling, so none is negative. Which digit lies where "
        "depends on the seed.",
        "A scatter with 0 and 1 in clear clusters and the other digits overlapping, some clusters "
        "clipped at zero.",
        stamp,
        {"test": clipped, "train_share_exactly_0": train_zeros},
        [("Why are codes clipped at zero? (2c)", clipping_answer(clipped))],
    )
    publish(settings, page, figure, started)


def zero_shares(z: Array) -> Array:
    """The share of the codes (N, 2) that are exactly zero, by axis."""
    return (z == 0).mean(axis=0)


def clipping(encoder: Sequential, x: Array) -> dict[str, Array]:
    """Per code axis: shares of codes that are zero, and what they were before the last ReLU.

    The encoder ends with convolution, ReLU, max pooling. A maximum of rectified numbers is zero
    exactly where the maximum of the unrectified ones is not positive, so the first two shares
    must agree; without the ReLU hardly any number is exactly zero.
    """
    convolution, pooling = encoder.layers[-3], encoder.layers[-1]
    z = predict(encoder, x).reshape(-1, 2)
    before = []
    for start in range(0, len(x), 500):
        encoder.forward(x[start : start + 500])
        # what the last ReLU was given, pooled as if that ReLU were not there
        unrectified = convolution.forward(convolution.cache[0])
        before.append(pooling.forward(unrectified).reshape(-1, 2))
    encoder.forget()
    unrectified_codes = np.concatenate(before)
    return {
        "share_exactly_0": zero_shares(z),
        "share_of_maxima_not_above_0_before_the_relu": (unrectified_codes <= 0).mean(axis=0),
        "share_exactly_0_without_the_relu": zero_shares(unrectified_codes),
    }


def clipping_answer(clipped: dict[str, Array]) -> str:
    """Question 2c, answered from the measurement."""
    shares = clipped["share_exactly_0"]
    if not shares.any():
        return "No test code is exactly zero in this run: nothing is clipped."
    agree = np.array_equal(shares, clipped["share_of_maxima_not_above_0_before_the_relu"])
    without = clipped["share_exactly_0_without_the_relu"]
    return (
        f"{100 * shares[0]:.2f} % and {100 * shares[1]:.2f} % of the test codes are exactly 0 on "
        "axis 1 and 2. The last ReLU does it: the shares of maxima that were not above 0 before it "
        f"{'agree exactly' if agree else 'DO NOT agree'}, and without that ReLU "
        f"{100 * without[0]:.2f} % and {100 * without[1]:.2f} % would be exactly 0. The report's "
        '"weight is zero" is not the reason.'
    )


def overlap(train_codes: Array, y_train: Array, codes: Array, labels: Array) -> dict[str, Any]:
    """How the digits overlap: silhouettes, and for whom each is taken by the nearest neighbour.

    A pair of digits is confused by the mean of two shares: that of either taken for the other.
    """
    scores = silhouettes(codes, labels)
    per_digit = by_digit(scores, labels)
    mistaken = confusion(labels, nearest_neighbour_labels(train_codes, y_train, codes), 10)
    known = np.isfinite(per_digit)
    rank, p_value = rank_correlation(per_digit[known], mistaken.diagonal()[known])
    both_ways = (mistaken + mistaken.T) / 2
    pairs = [(both_ways[a, b], a, b) for a in range(10) for b in range(a)]
    worst = sorted((pair for pair in pairs if np.isfinite(pair[0])), reverse=True)[:3]
    return {
        "silhouette_per_digit": per_digit,
        "silhouette_mean": scores.mean(),
        "confusion_rows_true": mistaken,
        "most_confused_pairs": [(f"{b} and {a}", share) for share, a, b in worst],
        "spearman_silhouette_accuracy": rank,
        "spearman_p_value": p_value,
    }


def overlap_figure(settings: Settings) -> None:
    """Which digits overlap: silhouettes, and who is mistaken for whom by the nearest neighbour."""
    started = time.perf_counter()
    data, stamp = mnist32(settings), trained(settings)[2]
    train_codes, test_codes = codes(settings)
    numbers = overlap(train_codes, data.y_train, test_codes, data.y_test)
    per_digit, mistaken = numbers["silhouette_per_digit"], numbers["confusion_rows_true"]

    figure = new_figure(9.5, 4.4, "Which digits overlap in the code plane")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    left.barh(range(10), per_digit, color=DIGIT_COLORS)
    left.axvline(0, color="0.2", lw=0.8)
    left.set(yticks=range(10), ylabel="digit", xlabel="mean silhouette, -1 to 1")
    left.invert_yaxis()
    picture = right.imshow(100 * mistaken, cmap="Blues", vmin=0)
    for t, p in np.argwhere(np.isfinite(mistaken)):
        dark = mistaken[t, p] > 0.6 * np.nanmax(mistaken)
        right.text(p, t, f"{100 * mistaken[t, p]:.0f}", ha="center", va="center", fontsize=7,
                   color="white" if dark else "black")  # fmt: skip
    right.set(xticks=range(10), yticks=range(10), xlabel="digit of the nearest training code",
              ylabel="true digit")  # fmt: skip
    figure.colorbar(picture, ax=right, label="share of the true digit, %")

    ranking = ", ".join(f"{digit} ({per_digit[digit]:+.2f})" for digit in ranked(-per_digit))
    rank, p_value = (numbers[f"spearman_{n}"] for n in ("silhouette_accuracy", "p_value"))
    page = Page(
        "ex02_overlap",
        "Which digits cluster, which overlap",
        "Left: mean silhouette of each digit's test codes, 1 for a cluster far from all others, "
        "below 0 where another digit is nearer than the own. Right: to which digit the nearest "
        "training code belongs; rows sum to 100 %.",
        "0 and 1 provide clear clusters, the others overlap.",
        stamp,
        numbers,
        [
            (
                "Which digits provide clear clusters and which overlap? (2b)",
                f"Mean silhouette, clearest cluster first, overlap below 0: {ranking}. Most "
                "confused, share of either taken for the other: "
                + "; ".join(
                    f"{pair} {100 * share:.0f} %" for pair, share in numbers["most_confused_pairs"]
                )
                + f". Over the digits, silhouette and 1-NN accuracy have a rank correlation of "
                f"{rank:.2f} (p = {p_value:.1g}).",
            )
        ],
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

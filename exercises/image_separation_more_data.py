"""Image separation: would more training images fix the result on test images?

The report says so. But the average of two images is the same in whichever order they come, so of
images never seen nothing tells which belongs to the first set: for every pair there is another,
just as likely, with the same average and the images exchanged. The output with the least expected
squared error is then the mean of both possibilities, which is the average itself, twice; no data
and no network can do better on new pairs. More images can only keep a network from learning them
by heart. Here the U-Net is trained on more and more of them, for equally many steps.
"""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from typing import Any

import numpy as np

from exercises.common import Page, Settings, publish, run_as_script
from exercises.image_separation import IMAGES, sets
from exercises.image_separation import recipe as recipe_of_one
from exercises.image_separation_data import draw_pairs, halves, photographs, scores
from exercises.image_separation_nets import unet
from exercises.image_separation_training import mse_of_both, pairs_per_epoch, train_on_pairs
from exercises.image_separation_view import WhitenedPatches, separate
from exercises.trained import Recipe
from nnscratch.plotting import new_figure
from nnscratch.randomness import stream
from nnscratch.training import History

SIZES = (IMAGES // 10, IMAGES, 5 * IMAGES, 10 * IMAGES)
EPOCHS = 15


def recipe(settings: Settings) -> Recipe:
    """As in `image_separation`, but shorter, for there are several of these."""
    longer = recipe_of_one(settings, full=False)
    return longer if settings.epochs or settings.quick else replace(longer, epochs=EPOCHS)


def run(settings: Settings) -> None:
    """Make the figure."""
    print("Image separation: more training images", flush=True)
    more_data(settings)


@functools.cache
def measured(settings: Settings) -> dict[int, tuple[dict[str, dict[str, Any]], History]]:
    """By number of training images: scores on their pairs and on test pairs, and the training."""
    data, unseen = photographs(settings), sets(settings)["test"]
    results: dict[int, tuple[dict[str, dict[str, Any]], History]] = {}
    for wanted in (100, 200) if settings.quick else SIZES:
        learned = halves(data.x_train, data.y_train, wanted)
        images = 2 * len(learned.first)
        if images in results:  # there are no more
            continue
        view = WhitenedPatches(learned)
        model = unet(view.shape, settings.seed)
        name = f"u-net-{images}-images"
        history = train_on_pairs(
            settings, name, model, mse_of_both, recipe(settings), view, learned, unseen
        )
        found = {}
        for which, pair_sets in (("train", learned), ("test", unseen)):
            rng = stream(settings.seed, "more data", which)
            average, both = draw_pairs(pair_sets, 100 if settings.quick else 1000, rng)
            found[which] = scores(separate(model, view, average), average, both)
        results[images] = found, history
    return results


def more_data(settings: Settings) -> None:
    """Error against the number of training images, and the course of the trainings."""
    started = time.perf_counter()
    results = measured(settings)
    sizes = list(results)
    figure = new_figure(10, 4.2, "More training images, equally many steps")
    left, right = figure.subplots(1, 2)
    curves = (("train", "ratio", "C0-o", -12), ("test", "ratio", "C1-o", 5),
              ("test", "ratio_better_order", "C1--x", None))  # fmt: skip
    for which, key, style, above in curves:
        values = [100 * results[n][0][which][key] for n in sizes]
        order = ", better order of the two" if key.endswith("order") else ""
        left.plot(sizes, values, style, label=f"{which} pairs{order}")
        for n, value in zip(sizes, values, strict=True):
            if above is not None:
                left.annotate(f"{value:.0f}", (n, value), (0, above), textcoords="offset points",
                              ha="center", fontsize=7)  # fmt: skip
    left.set(xscale="log", xlabel="training images",
             ylabel="error, % of that of giving the average twice")  # fmt: skip
    left.set_xticks(sizes, [f"{n:,}" for n in sizes])
    left.minorticks_off()
    left.margins(y=0.12)
    trivial_error = error_of_the_average(results[sizes[0]][0]["test"])
    for i, (n, (_, history)) in enumerate(results.items()):
        pairs = pairs_per_epoch(settings) * np.arange(1, len(history.loss) + 1)
        right.plot(pairs, 100 * np.array(history.loss) / trivial_error, f"C{i + 2}-o", ms=3,
                   label=f"{n:,} images")  # fmt: skip
    right.set(xlabel="pairs trained on", ylabel="training loss, % of the same", yscale="log")
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter("{x:g}")
    for axis, free_corner in ((left, "lower right"), (right, "upper right")):
        axis.axhline(100, color="0.4", lw=0.8, ls=":")
        axis.legend(fontsize=7, loc=free_corner)
    page = Page(
        "separation_more_data",
        "Separation: would more data fix the test set?",
        "The same U-Net, trained for equally many steps on pairs of more and more images. Left: "
        "MSE1 + MSE2 after training, as a share of what giving the average twice has (dotted), on "
        "fresh pairs of its training images and on test pairs. Right: the loss during training, "
        "as a share of the same. No method can be expected to get below 100 % on test pairs in "
        "the order of the sets; in the better order of the two it could. These runs are shorter "
        "than that of Figures 2 and 3.",
        "Using the whole training set and training longer will give better results.",
        f"{photographs(settings).source}\nU-Net · {recipe(settings)} · seed {settings.seed}",
        {
            "training_images": sizes,
            "scores": {str(n): found for n, (found, _) in results.items()},
            "training_loss_by_epoch": {str(n): h.loss for n, (_, h) in results.items()},
            "error_of_the_average_on_test_pairs": trivial_error,
        },
        [("Would more data fix the test set?", answer(results))],
    )
    publish(settings, page, figure, started)


def error_of_the_average(found: dict[str, Any]) -> float:
    """What giving the average twice has on the pairs that ``found`` was measured on."""
    return found["error"] / found["ratio"]


def answer(results: dict[int, tuple[dict[str, dict[str, Any]], History]]) -> str:
    """The question of the report, answered from the measurement."""
    scores_of = {n: found for n, (found, _) in results.items()}
    fewest, most = min(scores_of), max(scores_of)
    listing = "; ".join(
        f"{n:,} images: {100 * s['train']['ratio']:.0f} % on their own pairs, "
        f"{100 * s['test']['ratio']:.0f} % on test pairs"
        for n, s in scores_of.items()
    )
    below = [n for n, s in scores_of.items() if s["test"]["ratio"] < 1]
    first, last = (scores_of[n]["test"] for n in (fewest, most))
    change = "lower" if last["error"] < first["error"] else "not lower"
    return (
        f"In per cent of the error of giving the average twice: {listing}. With the most images "
        f"the test error is {change} than with the fewest; below 100 % it is "
        f"{'with ' + ', '.join(f'{n:,}' for n in below) if below else 'never'}, and more than "
        "chance cannot be expected there: of unseen images nothing tells which belongs to which "
        "set. Counting the better order for each pair, it is "
        f"{100 * first['ratio_better_order']:.0f} % with {fewest:,} and "
        f"{100 * last['ratio_better_order']:.0f} % with {most:,} images."
        + (
            f" Of {most:,} images this many pairs do not even teach it to give back the average."
            if scores_of[most]["train"]["ratio"] > 1
            else ""
        )
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Image separation: two photographs are averaged, and a network has to give both back.

Nothing in an average says which of the two images came first, and little says which pixel belongs
to whom, so on images that were never seen no network can do much. On those it was trained with it
can: it may learn them by heart. Figures 2 and 3 of the report on image separation: the U-Net on
pairs of training images and on pairs of unseen ones. `image_separation_methods` compares it with
other networks and with none, `image_separation_more_data` asks whether more images would help.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, publish, run_stoppable, script_parser, to_settings
from exercises.image_separation_data import (
    Halves,
    draw_pairs,
    halves,
    pair_errors,
    photographs,
    scores,
    unseen_halves,
)
from exercises.image_separation_nets import autoencoder, report_unet, unet, vae
from exercises.image_separation_training import (
    hours,
    mse_of_both,
    pairs_per_epoch,
    train_on_pairs,
)
from exercises.image_separation_view import Pixels, View, WhitenedPatches, separate
from exercises.trained import Recipe
from nnscratch.layers import Layer
from nnscratch.models import VAE, NegativeELBO
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.streams import run_command
from nnscratch.training import Array, Data

IMAGES = 1000  # of the training set, 50 of each class in each of the two sets
SHOWN = 6
KL_WEIGHT = 1.0
EPOCHS, EPOCHS_ON_CLOTHES = 100, 40
REPORT_EPOCHS = 1250  # of our length: 2,500 in which every image is in one pair
REPORT_LOSS = 0.0797
NETS = ("U-Net", "autoencoder", "VAE")


def recipe(settings: Settings, full: bool) -> Recipe:
    """What a few minutes buy, or with ``full`` the training of the report."""
    if full:
        return Recipe(1e-3, 32, settings.epochs or REPORT_EPOCHS)
    clothes = photographs(settings).name != "CIFAR-10"
    epochs = 1 if settings.quick else EPOCHS_ON_CLOTHES if clothes else EPOCHS
    return Recipe(3e-3, 16, settings.epochs or epochs, cosine=True)


@functools.cache
def sets(settings: Settings) -> dict[str, Halves]:
    """The images to learn from and those never seen, each in two sets."""
    data = photographs(settings)
    return {
        "train": halves(data.x_train, data.y_train, 100 if settings.quick else IMAGES),
        "test": unseen_halves(data),
    }


@functools.cache
def view(settings: Settings, full: bool = False) -> View:
    """What the networks are shown; that of the report, the pixels themselves."""
    learned = sets(settings)["train"]
    return Pixels(learned) if full else WhitenedPatches(learned)


@functools.cache
def trained(settings: Settings, net: str, full: bool = False) -> tuple[Layer, str]:
    """One of ``NETS``, trained on fresh pairs of training images, and the stamp for figures."""
    images, plan = sets(settings), recipe(settings, full)
    seen = view(settings, full)
    make = {"U-Net": unet, "autoencoder": autoencoder, "VAE": vae}
    model: Layer = (report_unet if full else make[net])(seen.shape, settings.seed)
    if full:
        duration = hours(model, plan, pairs_per_epoch(settings))
        print(f"  the report's setting: {plan}, about {duration:.1f} hours in all", flush=True)
    train_on_pairs(
        settings, net.lower(), model,
        NegativeELBO(model, KL_WEIGHT) if isinstance(model, VAE) else mse_of_both,
        plan, seen, images["train"], images["test"],
    )  # fmt: skip
    parameters = sum(p.size for p in model.params.values())
    stamp = (
        f"{photographs(settings).source}\n{2 * len(images['train'].first):,} of them trained on · "
        f"{net}, {parameters:,} parameters · {plan} · seed {settings.seed}"
    )
    return model, stamp


def evaluation_pairs(settings: Settings, which: str) -> Data:
    """Fresh pairs of the "train" or the "test" images, for all methods the same."""
    rng = stream(settings.seed, "pairs to evaluate", which)
    return draw_pairs(sets(settings)[which], 100 if settings.quick else 1000, rng)


def outputs(settings: Settings, net: str, which: str, full: bool = False) -> Array:
    """What a network makes of the evaluation pairs, (N, H, W, 2C)."""
    average, _ = evaluation_pairs(settings, which)
    return separate(trained(settings, net, full)[0], view(settings, full), average)


def run(settings: Settings, full: bool = False) -> None:
    """Make Figures 2 and 3."""
    print("Image separation: two images out of their average", flush=True)
    if not settings.quick:
        shape = view(settings, full).shape
        (report_unet if full else unet)(shape, settings.seed).summary()
    figure_of_pairs(settings, "train", full)
    figure_of_pairs(settings, "test", full)


def figure_of_pairs(settings: Settings, which: str, full: bool) -> None:
    """The first of the evaluation pairs: average, images and outputs."""
    started = time.perf_counter()
    average, both = evaluation_pairs(settings, which)
    found = outputs(settings, "U-Net", which, full)
    measured = scores(found, average, both)
    kept, _ = pair_errors(found, both)
    x_1, x_2 = np.split(both[:SHOWN], 2, axis=-1)
    y_1, y_2 = np.split(found[:SHOWN], 2, axis=-1)
    rows = [("average", average[:SHOWN]), ("image 1", x_1), ("output 1", y_1), ("image 2", x_2),
            ("output 2", y_2)]  # fmt: skip
    images = "training" if which == "train" else "test"
    figure = new_figure(8, 6.6, f"The U-Net on pairs of {images} images")
    image_rows(figure, rows, [f"MSE1 + MSE2\n{error:.4f}" for error in kept[:SHOWN]])
    number = {"train": 2, "test": 3}[which]
    page = Page(
        f"separation_{which}",
        f"Separation, Figure {number}: pairs of {images} images",
        f"The first {SHOWN} of {len(kept):,} random pairs of {images} images, not chosen by how "
        "they look: the average, which is all that the network sees, and each image above what "
        "the network gives for it. Errors are for pixels in [0, 1]; over all these pairs their "
        f"mean is {measured['error']:.4f}, {100 * measured['ratio']:.0f} % of what giving the "
        f"average twice has. {setting(settings, full)}",
        {
            "train": f"One pair, reconstructed well; final training loss {REPORT_LOSS}, on a "
            "scale that is not stated.",
            "test": "One pair, not as good as on the training images.",
        }[which],
        trained(settings, "U-Net", full)[1],
        measured,
        []
        if which == "train"
        else [("Why are the results worse on test images?", why(settings, full))],
    )
    publish(settings, page, figure, started)


def setting(settings: Settings, full: bool) -> str:
    """How this training differs from the report's, for the caption."""
    if full:
        return "Network and training are those of the report."
    pairs = pairs_per_epoch(settings)
    return (
        "The network is smaller than the report's, has a dense bottleneck and sees the average "
        f"whitened, as 4 x 4 patches; it was trained on {pairs * recipe(settings, full).epochs:,} "
        "pairs. The report's 2,500 epochs, if every image is in one pair an epoch, are about "
        f"{pairs * REPORT_EPOCHS:,} pairs."
    )


def why(settings: Settings, full: bool) -> str:
    """The question about the test images, answered from the measurement."""
    train, test = (
        scores(outputs(settings, "U-Net", which, full), *evaluation_pairs(settings, which))
        for which in ("train", "test")
    )
    return explain(train, test, len(evaluation_pairs(settings, "test")[0]))


def explain(train: dict[str, Any], test: dict[str, Any], pairs: int) -> str:
    """The answer, from the scores on so many test pairs, and those on training pairs."""
    chance = abs(test["order_kept_percent"] - 50) < 2 * 50 / np.sqrt(pairs)  # two standard errors
    if not train["ratio"] < test["ratio"]:
        verdict = "They are not worse. "
    elif chance and train["order_kept_percent"] > 75:
        verdict = "Which image counts as the first is known by heart, or not at all. "
    else:
        verdict = ""
    return (
        f"{verdict}The outputs fit the "
        f"order of the sets better than the opposite one in {train['order_kept_percent']:.0f} % of "
        f"the training pairs and in {test['order_kept_percent']:.0f} % of the test pairs, where "
        f"guessing gives 50 %. The error is {100 * train['ratio']:.0f} % and "
        f"{100 * test['ratio']:.0f} % of what giving the average twice has; if on each pair the "
        f"better order counts, {100 * train['ratio_better_order']:.0f} % and "
        f"{100 * test['ratio_better_order']:.0f} %."
        + (
            " So on images that it does not know it does worse, even then, than who gives the "
            "average twice."
            if test["ratio_better_order"] > 1
            else ""
        )
    )


def main() -> None:
    """The command line."""
    parser = script_parser(__doc__)
    parser.add_argument(
        "--full", action="store_true", help="the U-Net as in the report, which takes hours"
    )
    options = parser.parse_args()
    settings = to_settings(parser, options)
    run_stoppable(lambda: run(settings, options.full))


if __name__ == "__main__":
    run_command(main)

"""Exercise 8, continued: search for the code that explains a noisy digit (MAP inference).

The decoder g of the VAE stays as it is; only the sixteen numbers of the code z move, downhill on
``||x - g(z)||^2 + beta ||z||^2``, x being the noisy digit. The first term asks the image to fit,
the second asks the code to be one that the decoder has practised. Figures 12 and 13 of the report,
what beta does, and what the same search does when pixels are missing instead of noisy.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.ex06_denoising import NOISE_SD, noisy
from exercises.ex08_denoising import BETA, KL_WEIGHTS, LATENT, clean_by_map, trained
from exercises.measures import SIGNED, squared_errors
from nnscratch.map_inference import MapEstimate, map_estimate
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, predict

ITERATIONS, LEARNING_RATE = 1000, 1e-2
FACTORS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of the noise variance, for beta
SWEEP_IMAGES = 100


@functools.cache
def searched(settings: Settings, solver: str = "adam") -> MapEstimate:
    """The MAP codes of the ten noisy digits, from one start each; says how long it took."""
    model, _ = trained(settings, KL_WEIGHTS[0])
    x = noisy(settings)[ten_digits(mnist32(settings))]
    rng = stream(settings.seed, "starts to clean")
    starts = rng.standard_normal((1, 10, LATENT), np.float32)
    map_estimate(model.decoder, x, starts, BETA, iterations=2)  # compiles, if that is still to do
    started = time.perf_counter()
    found = map_estimate(
        model.decoder, x, starts, BETA, solver=solver, iterations=20 if settings.quick else
        ITERATIONS, learning_rate=LEARNING_RATE,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    print(f"  {solver}: {found.evaluations} evaluations in {seconds:.2f} s", flush=True)
    return found


def run(settings: Settings) -> None:
    """Make Figures 12 and 13, the sweep over beta, and the inpainting."""
    print("Exercise 8b: MAP inference", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    figure_12(settings)
    figure_13(settings)
    beta_figure(settings)
    inpainting_figure(settings)


def figure_12(settings: Settings) -> None:
    """Ten noisy digits and the images of their MAP codes."""
    started = time.perf_counter()
    data, ten = mnist32(settings), ten_digits(mnist32(settings))
    model, stamp = trained(settings, KL_WEIGHTS[0])
    found = searched(settings)
    x, clean, outputs = noisy(settings)[ten], data.x_test[ten], predict(model.decoder, found.z)
    errors = SIGNED * squared_errors(outputs, clean)
    figure = new_figure(9, 3.1, "Noisy digits, and the image of the code that explains them best")
    rows = [("noisy", x), ("MAP", outputs), ("clean", clean)]
    image_rows(figure, rows, [f"MSE {error:.3f}" for error in errors])
    page = Page(
        "ex08_fig12",
        "Figure 12: denoising by MAP inference",
        f"{ITERATIONS:,} iterations of Adam on the ten codes at once, from one random start each, "
        f"beta = {BETA:g}, the variance of the noise. The clean images are only shown, not used.",
        "Noisy measurements, reconstructions and ground truth, beta = 0.01.",
        stamp,
        {
            "mse_[-1,1]": errors,
            "iterations": len(found.trace) - 1,
            "codes": found.z,
        },
    )
    publish(settings, page, figure, started)


def figure_13(settings: Settings) -> None:
    """The objective on the way, with Adam and with L-BFGS."""
    started = time.perf_counter()
    _, stamp = trained(settings, KL_WEIGHTS[0])
    adam, lbfgs = searched(settings), searched(settings, "lbfgs")
    totals = {"Adam": adam.trace.sum(axis=1), "L-BFGS": lbfgs.trace.sum(axis=1)}
    numbers = search_numbers(adam, lbfgs, noisy(settings)[0].size)
    floor = numbers["noise_floor_[0,1]"]
    figure = new_figure(7, 4.2, "The MAP objective of ten images, summed")
    axis = figure.subplots()
    for (name, total), color in zip(totals.items(), ("C0", "C1"), strict=True):
        axis.plot(total, color, label=f"{name}, to {total[-1]:.1f}")
    axis.axhline(floor, color="0.5", ls=":", label=f"expected squared noise, {floor:.0f}")
    axis.set(xlabel="iteration", ylabel="objective, pixels in [0, 1]")
    axis.legend(fontsize=8)
    page = Page(
        "ex08_fig13",
        "Figure 13: the objective while searching",
        "The sum over the ten images of the squared error to the noisy image plus beta times the "
        "squared length of the code. The noise itself contributes about the dotted line, which no "
        "code should undercut by much; 4 times all numbers are those for pixels in [-1, 1].",
        "From about 6,930 down to 3,370 in 1,000 iterations, pixels in [-1, 1]; noise floor 2,560.",
        stamp,
        numbers,
    )
    publish(settings, page, figure, started)


def search_numbers(adam: MapEstimate, lbfgs: MapEstimate, pixels: int) -> dict[str, Any]:
    """Where both searches began and ended, summed over images of so many ``pixels``.

    L-BFGS has reached Adam's objective where its own is at most a thousandth above it.
    """
    ours, theirs = adam.trace.sum(axis=1), lbfgs.trace.sum(axis=1)
    reached = np.flatnonzero(theirs <= 1.001 * ours[-1])
    return {
        "adam_start_and_end_[0,1]": ours[[0, -1]],
        "adam_start_and_end_[-1,1]": SIGNED * ours[[0, -1]],
        "lbfgs_end_[0,1]": theirs[-1],
        "noise_floor_[0,1]": adam.trace.shape[1] * pixels * NOISE_SD**2,
        "adam_evaluations": adam.evaluations,
        "lbfgs_evaluations": lbfgs.evaluations,
        "lbfgs_iterations_to_adams_objective": int(reached[0]) if len(reached) else None,
        "largest_excess_of_lbfgs_over_adam_in_an_image": float(
            (lbfgs.objective / adam.objective).max() - 1
        ),
    }


def beta_figure(settings: Settings) -> None:
    """The error against beta: too little trust in the prior, and too much."""
    started = time.perf_counter()
    count = 20 if settings.quick else SWEEP_IMAGES
    x, clean = noisy(settings)[:count], mnist32(settings).x_test[:count]
    figure = new_figure(7, 4, f"MAP denoising of {count} digits against beta")
    axis = figure.subplots()
    numbers: dict[str, Array] = {"beta_over_noise_variance": np.array(FACTORS)}
    for w, color in zip(KL_WEIGHTS, ("C0", "C1"), strict=True):
        model, _ = trained(settings, w)
        results = [clean_by_map(settings, model, x, f * BETA) for f in FACTORS]
        errors = np.array([SIGNED * squared_errors(images, clean).mean() for images in results])
        numbers[f"mse_[-1,1]_w_{w:g}"] = errors
        axis.plot(FACTORS, errors, color, marker="o", ms=4, label=f"VAE-16 with w = {w:g}")
    axis.axvline(1, color="0.5", ls=":", label="beta = variance of the noise")
    axis.set_xscale("symlog", linthresh=0.1, linscale=0.5)
    axis.set_xticks(FACTORS, [f"{f:g}" for f in FACTORS])
    axis.set(
        xlim=(-0.02, 1.3 * max(FACTORS)),
        xlabel=f"beta / {BETA:g}",
        ylabel="MSE to the clean image, pixels in [-1, 1]",
    )
    axis.legend(fontsize=8)
    page = Page(
        "ex08_beta",
        "How much should the prior count?",
        "Beta is the weight of the code's length. Without it the search explains noise as well; "
        "with too much of it every digit becomes an average one.",
        "beta = 0.01, without a reason.",
        trained(settings, KL_WEIGHTS[0])[1],
        numbers,
    )
    publish(settings, page, figure, started)


def inpainting_figure(settings: Settings) -> None:
    """The same search with pixels missing: only observed ones are compared."""
    started = time.perf_counter()
    ten = ten_digits(mnist32(settings))
    clean = mnist32(settings).x_test[ten]
    model, stamp = trained(settings, KL_WEIGHTS[1])
    rng = stream(settings.seed, "masks and starts to inpaint")
    masks = observed(clean.shape[1:], rng)
    starts = rng.standard_normal((5, 10, LATENT), np.float32)
    rows: list[tuple[str, Array]] = []
    errors = {}
    for name, mask in masks.items():
        found = map_estimate(
            model.decoder, clean, starts, 1e-3 * clean[0].size, mask=mask, solver="lbfgs",
            iterations=20 if settings.quick else 300,
        )  # fmt: skip
        outputs = predict(model.decoder, found.z)
        errors[name] = unseen_error(outputs, clean, mask)
        rows += [(f"without\n{name}", with_grey(clean, mask)), ("MAP", outputs)]
    figure = new_figure(
        9, 4.9, "Missing pixels (grey), filled in by the digit that explains the rest"
    )
    image_rows(figure, [*rows, ("clean", clean)], [str(d) for d in range(10)])
    page = Page(
        "ex08_inpainting",
        "Inpainting: pixels missing instead of noisy",
        "The squared error is summed over the observed pixels only, five random starts, best kept. "
        "Where the missing half decides between two digits, the search picks one.",
        "Only proposed, in its discussion of exercise 6.",
        stamp,
        {f"mse_of_unseen_pixels_[-1,1]_{name}": error for name, error in errors.items()},
    )
    publish(settings, page, figure, started)


def observed(shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Array]:
    """Masks (H, W, 1) by what is missing: 1 where a pixel is observed, 0 where it is not."""
    lower = np.ones(shape, np.float32)
    lower[shape[0] // 2 :] = 0
    return {"lower half": lower, "3 of 4 pixels": (rng.random(shape) < 0.25).astype(np.float32)}


def unseen_error(outputs: Array, clean: Array, mask: Array) -> float:
    """The mean squared error over the pixels that were not observed, pixels in [-1, 1]."""
    unseen = np.broadcast_to(mask == 0, clean.shape)
    return float(SIGNED * ((outputs - clean)[unseen] ** 2).mean())


def with_grey(clean: Array, mask: Array) -> Array:
    """Images with grey (0.5) in the place of what was not observed."""
    return clean * mask + 0.5 * (1 - mask)


if __name__ == "__main__":
    run_as_script(run, __doc__)

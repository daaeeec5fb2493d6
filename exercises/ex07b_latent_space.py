"""Exercise 7, continued: the code plane of the VAE, and what its decoder draws there.

The autoencoder of exercise 1 may put its codes anywhere; between them nothing is promised. The VAE
pays for leaving the standard normal distribution, so its codes fill one round region without holes,
and random numbers from that distribution are codes of digits. Figures 9 and 10 of the report, and
the two generators measured against each other.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from exercises import ex01_autoencoder, ex02_latent_space
from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex03_nearest_neighbour import class_separation
from exercises.ex05_generator import STEPS, axis_values, decode, grid_of_codes, measure_grid
from exercises.ex07_vae import means, trained
from nnscratch.plotting import (
    decoded_grid,
    digit_legend,
    new_figure,
    prior_circles,
    scatter_codes,
)
from nnscratch.training import Array

PRIOR_RANGE = 3.0  # the grid of Figure 10 reaches so many standard deviations


@functools.cache
def codes(settings: Settings) -> tuple[Array, Array]:
    """mu (N, 2) of all training and of all test images."""
    model, data = trained(settings)[0], mnist32(settings)
    return means(model, data.x_train), means(model, data.x_test)


def run(settings: Settings) -> None:
    """Make Figures 9 and 10 and the comparison."""
    print("Exercise 7b: the latent space of the VAE", flush=True)
    figure_9(settings)
    figure_10(settings)
    comparison(settings)


def figure_9(settings: Settings) -> None:
    """Scatter of mu, with circles of the prior; beside it the autoencoder's."""
    started = time.perf_counter()
    data, (_, test) = mnist32(settings), codes(settings)
    size = 10 if len(test) < 5000 else 3
    figure = new_figure(10, 5, "The codes of the test digits: VAE and autoencoder")
    left, right = figure.subplots(1, 2)
    scatter_codes(left, test, data.y_test, size)
    prior_circles(left)
    left.set_title("VAE, mu", fontsize=9)
    left.set_aspect("equal", adjustable="datalim")
    scatter_codes(right, ex02_latent_space.codes(settings)[1], data.y_test, size)
    right.set_title("autoencoder of exercise 1", fontsize=9)
    for axis in (left, right):
        axis.set_box_aspect(1)
    digit_legend(figure)
    page = Page(
        "ex07_fig9",
        "Figure 9: the latent space of the VAE",
        "Left: each test image at the mean mu of its code distribution, with the prior's first two "
        "standard deviations. Right: the codes of exercise 1, for comparison (Figure 3).",
        "A scatter with 3, 8 and 9 overlapping.",
        trained(settings)[2],
        {"vae": shape_of(test), "autoencoder": shape_of(ex02_latent_space.codes(settings)[1])},
    )
    publish(settings, page, figure, started)


def shape_of(z: Array) -> dict[str, Any]:
    """Where codes (N, 2) lie, compared with the prior N(0, I).

    ``kl_to_prior`` is the divergence of the normal distribution with the codes' mean m and
    covariance S, ``(tr S + m'm - 2 - log det S) / 2`` (Bishop 2006, Eq. 2.43 and exercise 1.30).
    """
    mean, covariance = z.mean(axis=0, dtype=np.float64), np.cov(z.T)
    sign, log_determinant = np.linalg.slogdet(covariance)
    kl = (np.trace(covariance) + mean @ mean - 2 - log_determinant) / 2
    return {
        "mean": mean,
        "covariance": covariance,
        "share_within_2_sd_of_the_prior": (np.linalg.norm(z, axis=1) < 2).mean(),
        "kl_to_prior": kl if sign > 0 else np.inf,
    }


def figure_10(settings: Settings) -> None:
    """The decoder over the prior, and over the extent of the codes."""
    started = time.perf_counter()
    model, _, stamp = trained(settings)
    ticks = np.linspace(-PRIOR_RANGE, PRIOR_RANGE, STEPS)
    extents = {"within 3 sd of the prior": (ticks, ticks)}
    extents["over the extent of the test codes"] = axis_values(codes(settings)[1])
    figure = new_figure(7.2, 3.9, "What the decoder of the VAE draws where")
    for axis, (name, (horizontal, vertical)) in zip(
        figure.subplots(1, 2), extents.items(), strict=True
    ):
        images = decode(model.decoder, grid_of_codes(horizontal, vertical))
        decoded_grid(axis, images, horizontal, vertical)
        axis.set_title(name, fontsize=9)
        axis.set_box_aspect(1)
    page = Page(
        "ex07_fig10",
        "Figure 10: the decoder of the VAE over the plane of codes",
        "Images decoded from grids of 15 x 15 codes, each tile centred on its code, on the axes of "
        "Figure 9.",
        "A 15 x 15 grid, clearer than that of the autoencoder.",
        stamp,
        {f"axis_{a + 1}_{name}": v for name, both in extents.items() for a, v in enumerate(both)},
    )
    publish(settings, page, figure, started)


def measured_generators(settings: Settings) -> dict[str, dict[str, Any]]:
    """The same measurements of both code planes and of what is drawn on a grid over them."""
    data = mnist32(settings)
    ticks = np.linspace(-PRIOR_RANGE, PRIOR_RANGE, STEPS)
    ae_codes, vae_codes = ex02_latent_space.codes(settings), codes(settings)
    planes = {
        "autoencoder, extent of codes": (
            ex01_autoencoder.trained(settings)[0].decoder, ae_codes, axis_values(ae_codes[1])
        ),
        "VAE, extent of codes": (
            trained(settings)[0].decoder, vae_codes, axis_values(vae_codes[1])
        ),
        "VAE, 3 sd of the prior": (trained(settings)[0].decoder, vae_codes, (ticks, ticks)),
    }  # fmt: skip
    results = {}
    for name, (decoder, (train, test), axes) in planes.items():
        grid = grid_of_codes(*axes)
        results[name] = {
            **measure_grid(settings, decode(decoder, grid), grid, train),
            **class_separation(train, data.y_train, test, data.y_test),
        }
    return results


def comparison(settings: Settings) -> None:
    """Questions 6b and 6d: autoencoder against VAE, as code planes and as generators."""
    started = time.perf_counter()
    results = measured_generators(settings)
    figure = new_figure(10, 3.6, "Autoencoder and VAE as generators")
    left, middle, right = figure.subplots(1, 3, width_ratios=(2, 1, 1))
    digits = np.arange(10)
    names = list(results)
    for place, name in enumerate(names):
        left.bar(digits + 0.28 * (place - 1), results[name]["tiles_per_digit"], 0.28,
                 color=f"C{place}", label=name)  # fmt: skip
    left.set(xticks=digits, xlabel="digit", ylabel="tiles of 225 read with confidence > .9")
    left.legend(fontsize=7)
    colors = [f"C{i}" for i in range(len(names))]
    middle.bar(names, [r["1-NN_macro_percent"] for r in results.values()], color=colors)
    middle.set_title("1-NN accuracy of the codes, %", fontsize=8)
    right.bar(names, [r["image_mse"].mean() for r in results.values()], color=colors)
    right.set_title("MSE of tiles to the nearest\ntraining image, [0, 1]", fontsize=8)
    for axis in (middle, right):
        axis.set_xticks([])
    ae, vae = (shape_of(c[1]) for c in (ex02_latent_space.codes(settings), codes(settings)))
    page = Page(
        "ex07_comparison",
        "Autoencoder against VAE",
        "Left: how many tiles of the 15 x 15 grids (Figures 5 and 10) the classifier of exercise 4 "
        "reads with a confidence above .9, digit by digit. Middle: how often the nearest training "
        "code has the right digit. Right: how far the tiles are from the nearest training image, "
        "pixels in [0, 1].",
        "The images of the VAE are clearer.",
        trained(settings)[2],
        results,
        [
            ("How do the two latent spaces differ? (6b)", planes_answer(ae, vae, results)),
            ("How do the two generators differ? (6d)", generators_answer(results)),
        ],
    )
    publish(settings, page, figure, started)


def planes_answer(ae: dict[str, Any], vae: dict[str, Any], results: dict[str, Any]) -> str:
    """Question 6b, answered from the measurement."""
    first, second = list(results.values())[:2]
    return (
        f"The VAE's codes have mean ({vae['mean'][0]:+.2f}, {vae['mean'][1]:+.2f}) and variances "
        f"{vae['covariance'][0, 0]:.2f} and {vae['covariance'][1, 1]:.2f}, "
        f"{100 * vae['share_within_2_sd_of_the_prior']:.0f} % lie within 2 sd of the prior, and a "
        f"normal distribution fitted to them is {vae['kl_to_prior']:.2f} nats from it; for the "
        f"autoencoder that is {ae['kl_to_prior']:.1f} nats, its codes lie around "
        f"({ae['mean'][0]:.1f}, {ae['mean'][1]:.1f}). Mean silhouette {second['silhouette']:+.2f} "
        f"against {first['silhouette']:+.2f}, 1-NN {second['1-NN_macro_percent']:.1f} % against "
        f"{first['1-NN_macro_percent']:.1f} %."
    )


def generators_answer(results: dict[str, dict[str, Any]]) -> str:
    """Question 6d, answered from the measurement."""
    return " ".join(
        f"{name}: {r['sure_tiles']} of 225 tiles are read with a confidence above .9, "
        f"{len(r['digits_covered'])} of 10 digits occur, and a tile's mean squared error to the "
        f"nearest training image is {r['image_mse'].mean():.4f}."
        for name, r in results.items()
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""The two terms of a VAE's loss, one at a time: what becomes of the codes without the other.

The squared error alone lets the encoder put its codes anywhere and be as sure of them as it likes.
The divergence KL alone wants every image at the same place, the prior N(0, I), and tells the
decoder nothing. Only the sum of both makes a plane of codes that is filled and still means
something. Figure 1 of the report on separating images, with the VAE of exercise 7 trained three
times.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from exercises.common import Page, Settings, mnist32, publish, run_as_script
from exercises.ex03_nearest_neighbour import class_separation
from exercises.ex07_vae import KL_WEIGHT, means, vae
from exercises.measures import mean_image_error
from exercises.trained import Recipe, train
from nnscratch.losses import mse
from nnscratch.models import VAE, NegativeELBO, elbo_terms
from nnscratch.plotting import digit_legend, new_figure, prior_circles, scatter_codes
from nnscratch.randomness import stream
from nnscratch.training import Array, evaluate

CELLS = 20  # an axis, to see how much of the plane the codes leave empty


def no_reconstruction(y: Array, target: Array, reduction: str) -> tuple[float, Array]:
    """A reconstruction term that asks for nothing, so that KL is alone."""
    return 0.0, np.zeros_like(y)


def losses(model: VAE) -> dict[str, NegativeELBO]:
    """The three losses. KL alone needs no weight: there is nothing to weigh it against."""
    return {
        "reconstruction only": NegativeELBO(model, 0.0),
        "KL only": NegativeELBO(model, 1.0, no_reconstruction),
        "both": NegativeELBO(model, KL_WEIGHT),
    }


def recipe(settings: Settings) -> Recipe:
    """That of exercise 7 with a tenth of its epochs, the same for all three losses."""
    if len(mnist32(settings).x_train) == 60_000:
        return Recipe(2e-3, 128, settings.epochs or 3, cosine=True)
    return Recipe(2e-3, 32, settings.epochs or (1 if settings.quick else 15), cosine=True)


@functools.cache
def trained(settings: Settings) -> dict[str, VAE]:
    """The same untrained network after each of the three losses."""
    data, models = mnist32(settings), {}
    for name in losses(vae(settings.seed)):
        model = models[name] = vae(settings.seed)
        train(
            settings, f"loss-terms-{name.replace(' ', '-')}", model, losses(model)[name],
            recipe(settings), (data.x_train, data.x_train), (data.x_test, data.x_test),
        )  # fmt: skip
    return models


def measure(settings: Settings, model: VAE, test: Array) -> dict[str, Any]:
    """What became of the codes, and of what the loss did not ask for.

    Parameters
    ----------
    model : VAE
    test : array (N, 2)
        mu of the test images.

    Returns
    -------
    dict
        ``code_sd`` of mu on both axes; ``sampling_sd``, the median of the s that are sampled with;
        ``kl`` in nats and the squared errors ``sse_at_mu`` and ``sse_at_a_sample``, per image;
        ``silhouette``; ``1-NN_macro_percent`` against the training codes; ``empty_cells_percent``.
    """
    data = mnist32(settings)
    terms = elbo_terms(model, data.x_test, stream(0, "loss terms", "elbo"))
    summed = functools.partial(mse, reduction="batch_mean")
    logvar = model.encode(data.x_test[:1000])[1]
    return {
        "code_sd": test.std(axis=0, dtype=np.float64),
        "sampling_sd": np.median(np.exp(logvar / 2)),
        "kl": terms["kl"],
        "sse_at_mu": evaluate(model, data.x_test, data.x_test, summed),
        "sse_at_a_sample": terms["reconstruction"],
        **class_separation(means(model, data.x_train), data.y_train, test, data.y_test),
        "empty_cells_percent": empty_cells(test),
    }


def empty_cells(z: Array) -> float:
    """Percentage of 20 x 20 cells without a code; they span the middle 98 % of both axes."""
    limits = np.percentile(z, [1, 99], axis=0).T  # (axes, 2)
    counts, _ = np.histogramdd(z, bins=CELLS, range=limits.tolist())
    return 100 * float((counts == 0).mean())


def square_limits(axis: Axes, z: Array) -> None:
    """Show all codes, both axes on the same scale, so that circles are round."""
    middle, half = (z.max(axis=0) + z.min(axis=0)) / 2, 0.53 * np.ptp(z, axis=0).max()
    (left, lower), (right, upper) = middle - half, middle + half
    axis.set(xlim=(left, right), ylim=(lower, upper))
    axis.set_box_aspect(1)
    axis.locator_params(nbins=5)


def run(settings: Settings) -> None:
    """Make the figure of the three losses."""
    print("The terms of the VAE's loss, one at a time", flush=True)
    started = time.perf_counter()
    data = mnist32(settings)
    figure = new_figure(11, 4.3, "The codes of the test digits after each term of the loss alone")
    results = {}
    for axis, (name, model) in zip(figure.subplots(1, 3), trained(settings).items(), strict=True):
        z = means(model, data.x_test)
        r = results[name] = measure(settings, model, z)
        scatter_codes(axis, z, data.y_test, 10 if len(z) < 5000 else 2)
        prior_circles(axis)
        square_limits(axis, z)
        axis.set_title(
            f"{name}\nsd of codes {r['code_sd'][0]:.2g} and {r['code_sd'][1]:.2g}, sampled with "
            f"{r['sampling_sd']:.2g}\nSSE {r['sse_at_mu']:.1f}, KL {r['kl']:.3g}, "
            f"silhouette {r['silhouette']:+.2f}, 1-NN {r['1-NN_macro_percent']:.1f} %",
            fontsize=8,
        )
    digit_legend(figure)
    mean_image = data.x_test[0].size * mean_image_error(data.x_train, data.x_test)
    normal = stream(0, "codes in empty cells").standard_normal((len(data.x_test), 2))
    reference = {"sse_of_the_mean_image": mean_image, "empty_cells_percent": empty_cells(normal)}
    page = Page(
        "loss_terms",
        "Each term of the loss alone, and both",
        "mu of all test images. The panels have scales of their own; "
        "the circles of the prior are drawn where they fit. SSE is the squared error at mu summed "
        "over the pixels of an image in [0, 1], KL is in nats an image, and 'sampled with' is the "
        "median of the standard deviations s that the encoder gives.",
        "A borrowed picture of three scatters, without numbers.",
        f"{data.source} · VAE of exercise 7, w = {KL_WEIGHT} · {recipe(settings)} · "
        f"seed {settings.seed}",
        {**results, "for_comparison": reference},
        answers(results, reference),
    )
    publish(settings, page, figure, started)


def answers(results: dict[str, dict[str, Any]], reference: dict[str, Any]) -> list[tuple[str, str]]:
    """The report's three statements, held against the measurement."""
    free, pulled, both = (results[n] for n in ("reconstruction only", "KL only", "both"))
    more = "more" if free["1-NN_macro_percent"] > both["1-NN_macro_percent"] else "not more"
    noise = pulled["sampling_sd"] / pulled["code_sd"].mean()
    where = "Near" if pulled["code_sd"].mean() < 0.1 * both["code_sd"].mean() else "Not near"
    return [
        (
            "Does the reconstruction alone separate the classes, and leave places empty?",
            f"The nearest training code has the right digit in {free['1-NN_macro_percent']:.1f} %, "
            f"{more} often than with both terms ({both['1-NN_macro_percent']:.1f} %); the mean "
            f"silhouette is {free['silhouette']:+.2f} ({both['silhouette']:+.2f}). Of a grid over "
            f"the codes {free['empty_cells_percent']:.0f} % of the cells are empty, with both "
            f"terms {both['empty_cells_percent']:.0f} %, and "
            f"{reference['empty_cells_percent']:.0f} % with as many normally distributed points. "
            "A VAE with w = 0 still samples, but may choose how little: it does so with s = "
            f"{free['sampling_sd']:.2g} among codes whose standard deviation is "
            f"{free['code_sd'].mean():.2g} (with both terms {both['sampling_sd']:.2g} and "
            f"{both['code_sd'].mean():.2g}). What it does not pay for is a KL of "
            f"{free['kl']:.1f} nats ({both['kl']:.1f}).",
        ),
        (
            "Does KL alone place the codes at random near the centre?",
            f"{where} the centre: their standard deviation is {pulled['code_sd'].mean():.2g} and "
            f"KL {pulled['kl']:.1g} nats, with s = {pulled['sampling_sd']:.3f}. The nearest "
            f"training code has the right digit in {pulled['1-NN_macro_percent']:.1f} %, where "
            "chance gives about 10 %. What a decoder would see is a sample, whose noise is "
            f"{noise:,.0f} times as wide as the codes are spread. The decoder itself never got a "
            f"gradient; its error of {pulled['sse_at_mu']:.0f} is that of its "
            f"initial weights (the mean image has {reference['sse_of_the_mean_image']:.1f}).",
        ),
        (
            "What do both terms together cost, and give?",
            f"KL is {both['kl']:.2f} nats instead of {free['kl']:.1f}, the standard deviation of "
            f"the codes {both['code_sd'].mean():.2f} instead of {free['code_sd'].mean():.2g}. The "
            f"squared error is {both['sse_at_mu']:.1f} at mu and {both['sse_at_a_sample']:.1f} at "
            f"a sampled code, against {free['sse_at_mu']:.1f} and {free['sse_at_a_sample']:.1f} "
            "with the reconstruction alone.",
        ),
    ]


if __name__ == "__main__":
    run_as_script(run, __doc__)

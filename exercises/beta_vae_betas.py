"""beta-VAE: what the weight of the KL does, seen in the curves, the reconstructions, the samples.

KL is the divergence of the codes from the prior N(0, I), in nats (logarithms to base e): how much
they tell of an image. With beta = 0 nothing holds the codes near N(0, I), so KL runs away and
samples of N(0, I) are no codes. With beta = 10 every nat costs so much that the code says nothing:
each digit comes out as the mean of all. In between, a price that is worth paying. One figure for
each beta of the report.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import linregress

from exercises.beta_vae import (
    BRIEF,
    LATENT,
    LONG,
    PARTS,
    PIXELS,
    WATCHED,
    above,
    image_sheet,
    kl_weight,
    mean_image_mse,
    prior_codes,
    recipe,
    sample_quality,
    trained_ae,
    trained_vae,
)
from exercises.common import Page, Settings, mnist28, publish, run_as_script, ten_digits
from exercises.measures import squared_error
from nnscratch.metrics import active_units
from nnscratch.models import VAE
from nnscratch.plotting import label_losses, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, History, predict

LAST = 0.2  # share of the training over which the slope of the KL is taken
THEIRS = {
    0: "The KL keeps rising; reconstructions as good as the autoencoder's, samples that are none.",
    10: "Reconstructions and samples are blurred, the KL is very low; high beta is said to "
    "disentangle.",
    0.1: "The best beta (20 epochs): the KL saturates after a few iterations, samples are clear.",
    0.01: "Blurry reconstructions and samples.",
    0.2: "Blurry reconstructions and samples.",
}


@functools.cache
def measured(settings: Settings, beta: float, long: bool = False) -> dict[str, Any]:
    """What one VAE reaches on the test images, and as a generator.

    Returns
    -------
    dict
        ``test_mse`` of the images decoded at mu, ``test_mse_sampled`` at one code drawn for each,
        and the share of the pixels' variance ``explained`` by the former; ``kl`` in nats per
        image, its largest and median part by latent, the number of ``active_units``; of samples
        from N(0, I), `sample_quality`; and `kl_slope`.
    """
    model, history, _ = trained_vae(settings, beta, long)
    x = mnist28(settings).x_test
    mu, logvar, z = encode(settings, model, x)
    at_mu, sampled = (squared_error(predict(model.decoder, code), x) for code in (mu, z))
    return {
        "test_mse": at_mu,
        "test_mse_sampled": sampled,
        "explained": 1 - at_mu / mean_image_mse(settings),
        **told_by(mu, logvar),
        **sample_quality(settings, predict(model.decoder, prior_codes(settings))),
        **kl_slope(history),
    }


def told_by(mu: Array, logvar: Array) -> dict[str, Any]:
    """The KL per image of codes N(mu, exp(logvar)), both (N, d), and how the latents share it."""
    wide = logvar.astype(np.float64)  # near the prior, expm1(logvar) and logvar nearly cancel
    kl = ((mu.astype(np.float64) ** 2 + np.expm1(wide) - wide) / 2).mean(axis=0)  # (d,)
    return {
        "kl": kl.sum(),
        "kl_largest_unit": kl.max(),
        "kl_median_unit": np.median(kl),
        "active_units": active_units(mu),
    }


def encode(settings: Settings, model: VAE, x: Array) -> tuple[Array, Array, Array]:
    """mu, logvar and one sampled code z (N, d) of each image."""
    mu, logvar = model.encode(x)
    rng = stream(settings.seed, "sampled codes")
    return mu, logvar, mu + np.exp(logvar / 2) * rng.standard_normal(mu.shape, np.float32)


def curve(history: History, name: str) -> Array:
    """ "SSE" or "KL" of the training batches, a mean over each part of an epoch after another."""
    return np.array([history.measured[f"{name} {i}"] for i in range(PARTS)]).T.ravel()


def kl_slope(history: History) -> dict[str, float]:
    """The straight line through the last fifth of the KL curve: its slope, and how sure that is.

    In nats per epoch, with the standard error of the least-squares fit.
    """
    kl = curve(history, "KL")
    last = kl[-max(3, round(LAST * len(kl))) :]
    epochs = np.arange(len(last)) / PARTS
    line = linregress(epochs, last)
    return {"kl_slope_at_the_end": float(line.slope), "kl_slope_error": float(line.stderr)}


def run(settings: Settings) -> None:
    """Make the five figures."""
    print("beta-VAE: the betas of the report", flush=True)
    for beta, theirs in THEIRS.items():
        name = f"beta_vae_{beta:g}".replace(".", "_")
        figure_of(settings, name, beta, theirs, [answer(settings, beta)])


def figure_of(
    settings: Settings,
    name: str,
    beta: float,
    theirs: str,
    answers: list[tuple[str, str]],
    long: bool = False,
) -> None:
    """Curves, reconstructions and samples of one VAE."""
    started = time.perf_counter()
    model, history, stamp = trained_vae(settings, beta, long)
    title = f"beta = {beta:g}: curves, reconstructions and samples"
    figure = new_figure(11.5, 4.3, f"VAE with {LATENT} latents, beta = {beta:g}")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 0.85, 1))
    draw_curves(left, history)
    x = mnist28(settings).x_test[ten_digits(mnist28(settings))]
    mu, _, z = encode(settings, model, x)
    outputs = (predict(model.decoder, code) for code in (mu, z))
    image_sheet(middle, above(x, *outputs), 5, "test digit, decoded at mu, at a sampled code")
    images = predict(model.decoder, prior_codes(settings)[:16])
    image_sheet(right, images, 4, "samples: decoded from N(0, I)")
    page = Page(
        name,
        f"{title}, trained longer" if long else title,
        f"Left: the squared error summed over {PIXELS} pixels and the KL summed over {LATENT} "
        f"latents, as trained (SSE + {kl_weight(beta):g} KL), averaged over parts of an epoch; "
        f"dots, after each epoch, of {WATCHED:,} test images at most, both with a sampled code. "
        "Middle: test digits and, below each, the images decoded from its mu and from a code "
        "drawn from N(mu, s^2). Right: images of codes drawn from N(0, I), the same codes for each "
        "beta.",
        theirs,
        stamp,
        measured(settings, beta, long)
        | {"kl_weight": kl_weight(beta)}
        | {f"train_{n}_by_twentieth_epoch": curve(history, n).round(4) for n in ("SSE", "KL")},
        answers,
    )
    publish(settings, page, figure, started)


def draw_curves(axis: Axes, history: History) -> None:
    """Both parts of the loss against the epochs, on one logarithmic scale."""
    tests = {"SSE": history.measured["reconstruction"], "KL": history.measured["kl"]}
    for name, color in (("SSE", "C1"), ("KL", "C2")):
        values = curve(history, name)
        epochs = (np.arange(len(values)) + 0.5) / PARTS
        axis.plot(epochs, values, color, lw=1, label=f"{name}, training")
        axis.plot(np.arange(1, len(tests[name]) + 1), tests[name], f"{color}o", ms=4,
                  label=f"{name}, test")  # fmt: skip
    label_losses(axis, "SSE in squared pixels, KL in nats")
    axis.legend(fontsize=7)


def answer(settings: Settings, beta: float) -> tuple[str, str]:
    """The report's question about this beta, answered from the measurement."""
    numbers = measured(settings, beta)
    slope, error = numbers["kl_slope_at_the_end"], numbers["kl_slope_error"]
    facts = (
        f"Test error {numbers['test_mse']:.4f} at mu and {numbers['test_mse_sampled']:.4f} at a "
        f"sampled code (mean image {mean_image_mse(settings):.4f}); KL {numbers['kl']:.4g} nats, "
        f"{numbers['kl_largest_unit']:.3g} in the largest of {LATENT} latents and "
        f"{numbers['kl_median_unit']:.3g} in the median one; {numbers['active_units']} latents are "
        "active (variance of mu above .01). Over the last fifth of the training the KL "
        f"{trend(slope, error)}: {slope:+.3g} ± {error:.2g} nats an epoch. Of samples "
        f"the classifier accepts {100 * numbers['accepted_share']:.1f} %, as if of "
        f"{numbers['effective_digits']:.1f} equally common digits."
    )
    explain = explain_none if beta == 0 else explain_high if beta == 10 else explain_middle
    question = f"What can you observe when setting beta = {beta:g}? Explain!"
    return question, f"{facts} {explain(settings, numbers)}"


def trend(slope: float, error: float) -> str:
    """What a slope says that is known to ``error``, its standard error."""
    if abs(slope) < 2 * error:
        return "is level"
    return "still rises" if slope > 0 else "falls"


def explain_none(settings: Settings, numbers: dict[str, Any]) -> str:
    """beta = 0: an autoencoder that adds noise to its codes, and may outshout it."""
    model, x = trained_ae(settings)[0], mnist28(settings).x_test
    longer = recipe(settings, *LONG).epochs > recipe(settings, *BRIEF).epochs
    return without_price(numbers, squared_error(predict(model, x), x), longer)


def without_price(numbers: dict[str, Any], ae: float, longer: bool) -> str:
    """The sentences about beta = 0; ``ae`` is the autoencoder's test error."""
    harm = numbers["test_mse_sampled"] / numbers["test_mse"] - 1
    return (
        f"The error is {numbers['test_mse'] / ae:.2f} times that of the autoencoder"
        f"{' (which was trained longer)' if longer else ''}. The KL costs nothing, so the encoder "
        "may push the means apart and shrink s until the noise of the sampling does no harm: it "
        f"changes the error by {100 * harm:+.2g} %."
    )


def explain_high(settings: Settings, numbers: dict[str, Any]) -> str:
    """beta = 10: posterior collapse."""
    return at_a_high_price(numbers, mean_image_mse(settings))


def at_a_high_price(numbers: dict[str, Any], blank: float) -> str:
    """The sentences about beta = 10; ``blank`` is the mean image's test error."""
    ratio, at_mu = (numbers[key] / blank for key in ("test_mse_sampled", "test_mse"))
    text = (
        f"The error at a sampled code is {ratio:.3f} times the mean image's, with "
        f"{numbers['kl']:.2g} nats."
    )
    if numbers["active_units"] == 0:
        text += (
            " No latent is active: that is collapse and no disentanglement, for which a code would "
            "have to tell something."
        )
    if at_mu > 1.03 * ratio:
        text += (
            f" At mu the error is even {at_mu:.3f} times the mean image's: the decoder was trained "
            f"with sampled codes, about {np.sqrt(LATENT):.0f} from the origin where the code tells "
            "nothing, and never at mu."
        )
    return text


def explain_middle(settings: Settings, numbers: dict[str, Any]) -> str:
    """A moderate beta, beside the two ends of the scale."""
    return between(numbers, measured(settings, 0), measured(settings, 10))


def between(numbers: dict[str, Any], free: dict[str, Any], high: dict[str, Any]) -> str:
    """The sentences about a moderate beta; ``free`` is beta = 0 and ``high`` 10."""
    times = numbers["test_mse"] / free["test_mse"]
    more = numbers["accepted_share"] - max(free["accepted_share"], high["accepted_share"])
    return (
        f"The error at mu is {times:.1f} times that at beta = 0. Of the samples "
        f"{100 * abs(more):.1f} percentage points {'fewer' if more < 0 else 'more'} are accepted "
        "than at the better of beta = 0 and 10."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""beta-VAE: choose beta by a rule that was written down before the run.

Beta is the weight of KL, which holds the codes near the prior. Reconstructions get worse with every
step that beta is raised; samples get better, until the code dies (tells nothing). So neither alone
can choose beta: by the reconstructions 0 would win, and by the look of a few samples whoever looks.
`choose` says what counts, and eight betas are measured by it.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from exercises.beta_vae import (
    LATENT,
    SAMPLES,
    kl_weight,
    mean_image_mse,
    prior_codes,
    sample_quality,
    trained_ae,
    trained_vae,
)
from exercises.beta_vae_betas import THEIRS, figure_of, measured
from exercises.common import Page, Settings, mnist28, publish, run_as_script
from exercises.judge import SURE
from exercises.measures import squared_error
from nnscratch.plotting import new_figure
from nnscratch.training import predict

BETAS = (0, 0.001, 0.01, 0.05, 0.1, 0.2, 1, 10)
EXPLAINED = 0.5  # of the variance of the test pixels: what a reconstruction has to keep


def choose(rows: dict[float, dict[str, Any]]) -> float:
    """The rule: of the betas that still reconstruct, the one that samples best.

    To reconstruct is to explain at least half of the variance of the test pixels (if no beta does,
    the one that explains most is taken). To sample well is to have a large share of the samples
    accepted by the classifier, and of all digits: the share is weighted by the effective number
    of digits, so that a decoder which always draws the same digit cannot win.

    Parameters
    ----------
    rows : dict of beta to `exercises.beta_vae_betas.measured`

    Returns
    -------
    float
        One of the betas.
    """
    fit = [beta for beta, row in rows.items() if row["explained"] >= EXPLAINED]
    if not fit:
        return max(rows, key=lambda beta: rows[beta]["explained"])
    return max(fit, key=lambda beta: score(rows[beta]))


def score(row: dict[str, Any]) -> float:
    """Share of accepted samples times the effective number of digits / 10; from 0 to 1."""
    return row["accepted_share"] * row["effective_digits"] / 10


@functools.cache
def sweep(settings: Settings) -> dict[float, dict[str, Any]]:
    """Every beta, trained and measured."""
    return {beta: measured(settings, beta) for beta in BETAS}


def chosen(settings: Settings) -> float:
    """The beta that the rule picks."""
    return choose(sweep(settings))


def run(settings: Settings) -> None:
    """Make the figure of the sweep, and that of the chosen beta."""
    print("beta-VAE: which beta", flush=True)
    print(f"  beta chosen by the rule: {chosen(settings):g}", flush=True)
    figure_of_sweep(settings)
    figure_of(settings, "beta_vae_chosen", chosen(settings), THEIRS[0.1], [], long=True)


def figure_of_sweep(settings: Settings) -> None:
    """Three measurements over beta, and the report's question about the well-tuned VAE."""
    started = time.perf_counter()
    rows, best = sweep(settings), chosen(settings)
    decoder = trained_ae(settings)[0].decoder
    ae = sample_quality(settings, predict(decoder, prior_codes(settings)))
    numbers = {f"beta {beta:g}": row | {"score": score(row)} for beta, row in rows.items()}
    page = Page(
        "beta_vae_sweep",
        "Eight betas, and the one that the rule picks",
        "Over beta: the test error at mu and at a sampled code; the KL and the number of active "
        f"latents of {LATENT}; how many of {SAMPLES:,} samples of N(0, I) the classifier of "
        f"exercise 4 accepts (confidence above {SURE}), and the effective number of digits among "
        "them. The rule, fixed before the run: of the betas that explain "
        f"{100 * EXPLAINED:.0f} % of the pixels' variance (at mu below the dashed line), the one "
        "with the largest product of these two. The star marks it. All were trained equally long "
        "(beta = 0 without decay of the learning rate); the chosen one is then trained longer, "
        "from the start, for what follows.",
        "Beta 0.1 is the best; with lower and higher ones reconstructions and samples are blurry.",
        trained_vae(settings, best)[2].replace(f"beta {best:g} (w = {kl_weight(best):g})", "each"),
        numbers | {"chosen_beta": best, "autoencoder": ae},
        [
            (
                "What would you expect of the reconstructions and samples of a well-tuned VAE?",
                answer(rows, best, measured(settings, best, long=True), ae),
            )
        ],
    )
    publish(settings, page, draw(settings, rows, best, ae), started)


def draw(
    settings: Settings, rows: dict[float, dict[str, Any]], best: float, ae: dict[str, Any]
) -> Figure:
    """Three measurements over beta, with the chosen one marked."""
    figure = new_figure(12, 4.2, f"Beta from 0 to 10; chosen by the rule: {best:g}")
    errors, codes, samples = figure.subplots(1, 3)
    places, star = np.arange(len(rows)), list(rows).index(best)
    values = {key: [row[key] for row in rows.values()] for key in rows[best]}
    blank, data = mean_image_mse(settings), mnist28(settings)
    copied = squared_error(predict(trained_ae(settings)[0], data.x_test), data.x_test)
    errors.plot(places, values["test_mse"], "C1o-", ms=4, label="VAE, at mu")
    errors.plot(places, values["test_mse_sampled"], "C1s:", ms=4, label="VAE, at a sampled code")
    for level, style, label in (
        (copied, "-", "autoencoder"),
        ((1 - EXPLAINED) * blank, "--", f"{100 * EXPLAINED:.0f} % explained"),
        (blank, ":", "mean image"),
    ):
        errors.axhline(level, color="0.4", ls=style, lw=1, label=label)
    errors.set(ylabel="test MSE, pixels in [0, 1] (logarithmic)", yscale="log")
    codes.plot(places, values["kl"], "C2o-", ms=4, label="KL per image")
    codes.set(ylabel="KL per image, nats (logarithmic)", yscale="log")
    units = codes.twinx()
    units.plot(places, values["active_units"], "C4s--", ms=4, label="active latents")
    units.set(ylabel=f"active latents of {LATENT}", ylim=(-2, LATENT + 2))
    samples.plot(places, 100 * np.array(values["accepted_share"]), "C0o-", ms=4,
                 label="accepted, % of samples")  # fmt: skip
    samples.plot(places, 10 * np.array(values["effective_digits"]), "C5s--", ms=4,
                 label="effective number of digits x 10")  # fmt: skip
    samples.axhline(100 * ae["accepted_share"], color="0.4", lw=1, label="autoencoder, accepted")
    samples.set(ylabel="%; digits x 10", ylim=(-3, 103))
    for axis, key, unit in ((errors, "test_mse", 1), (codes, "kl", 1),
                            (samples, "accepted_share", 100)):  # fmt: skip
        axis.plot(star, unit * values[key][star], "k*", ms=12, zorder=5)
        axis.set(xlabel="beta", xticks=places, xticklabels=[f"{beta:g}" for beta in rows])
    lines = [*codes.get_lines()[:1], *units.get_lines()]
    for axis, handles in ((errors, None), (codes, lines), (samples, None)):
        axis.legend(handles=handles, fontsize=7, ncols=2, frameon=False, loc="lower center",
                    bbox_to_anchor=(0.5, 1))  # fmt: skip
    return figure


def answer(
    rows: dict[float, dict[str, Any]], best: float, tuned: dict[str, Any], ae: dict[str, Any]
) -> str:
    """The report's question about the well-tuned VAE, answered from the measurement."""
    sharpest = min(rows, key=lambda beta: rows[beta]["test_mse"])
    likeliest = max(rows, key=lambda beta: rows[beta]["accepted_share"])
    return (
        f"The rule picks beta = {best:g}. Trained longer, its reconstructions explain "
        f"{100 * tuned['explained']:.1f} % of the pixels' variance (test error "
        f"{tuned['test_mse']:.4f}), and of its samples {100 * tuned['accepted_share']:.1f} % are "
        f"accepted, as if of {tuned['effective_digits']:.1f} equally common digits; of the "
        f"autoencoder's {100 * ae['accepted_share']:.1f} %. It uses {tuned['active_units']} of "
        f"{LATENT} latents and {tuned['kl']:.1f} nats. In the sweep the sharpest reconstructions "
        f"are those of beta = {sharpest:g} ({rows[sharpest]['test_mse']:.4f}"
        + (", so a low beta does not blur them" if sharpest == min(rows) else "")
        + f"); most samples are accepted at beta = {likeliest:g} "
        f"({100 * rows[likeliest]['accepted_share']:.1f} %). "
        f"{'One beta has' if sharpest == likeliest else 'No beta has'} the best of both."
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

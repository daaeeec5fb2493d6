"""beta-VAE: are its codes better to learn from?

A code is often made for another net to use. Two of the simplest users are tried here: a linear
classifier, which shows what can be read off the code by weighted sums, and the nearest neighbour,
which shows whether near codes mean the same. Both get 100, 1,000 or all labels. PCA (principal
component analysis: the directions in which images vary most), which costs nothing, has as many
numbers and says how much of it a net was needed for.
"""

from __future__ import annotations

import functools
import time

import numpy as np
from matplotlib.figure import Figure

from exercises.beta_vae import LATENT, trained_ae, trained_vae
from exercises.beta_vae_interpolation import stamp
from exercises.beta_vae_sweep import chosen
from exercises.common import Page, Settings, mnist28, publish, run_as_script
from exercises.ex07_vae import means
from nnscratch.metrics import linear_probe, nearest_neighbour_labels, pca
from nnscratch.plotting import new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, predict

FEW = (100, 1000)  # labels, besides all
DRAWS = 10  # of few labels, since luck matters then
USERS = {"linear probe": linear_probe, "1-NN": nearest_neighbour_labels}

Accuracies = dict[str, dict[str, dict[int, Array]]]


@functools.cache
def codes(settings: Settings) -> dict[str, tuple[Array, Array]]:
    """Training and test codes (N, 64) of three encoders."""
    data, beta = mnist28(settings), chosen(settings)
    ae, vae = trained_ae(settings)[0], trained_vae(settings, beta, long=True)[0]
    mean, directions = pca(data.x_train, LATENT)
    sets = data.x_train, data.x_test
    flat = (x.reshape(len(x), -1) - mean for x in sets)
    train, test = ((x @ directions.T).astype(np.float32) for x in flat)
    return {
        "AE": (predict(ae.encoder, sets[0]), predict(ae.encoder, sets[1])),
        f"VAE, beta {beta:g}": (means(vae, sets[0]), means(vae, sets[1])),
        "PCA": (train, test),
    }


@functools.cache
def accuracies(settings: Settings) -> Accuracies:
    """Test accuracy of both users: by user, code and number of labels, one entry a draw."""
    data, rng = mnist28(settings), stream(settings.seed, "few labels")
    N = len(data.x_train)
    draws = {n: [rng.permutation(N)[:n] for _ in range(DRAWS)] for n in FEW if n < N}
    draws[N] = [np.arange(N)]
    return {
        user: {
            name: {
                n: np.array([
                    (predicted(train[few], data.y_train[few], test) == data.y_test).mean()
                    for few in chances
                ])
                for n, chances in draws.items()
            }
            for name, (train, test) in codes(settings).items()
        }
        for user, predicted in USERS.items()
    }  # fmt: skip


def run(settings: Settings) -> None:
    """Make the figure of accuracies."""
    print("beta-VAE: usefulness downstream", flush=True)
    started = time.perf_counter()
    found = accuracies(settings)
    page = Page(
        "beta_vae_downstream",
        f"Digits read off {LATENT} numbers: autoencoder, VAE and PCA",
        "Test accuracy of a linear classifier (multinomial logistic regression) and of the nearest "
        f"training code, against the number of labels. With few labels, the mean of {DRAWS} draws "
        "of them, the same for all codes, and their standard deviation as bars. Codes of the VAE "
        "are its means mu.",
        "The VAE's representations are stable and more reliable downstream (no measurement).",
        stamp(settings),
        summary(found),
        [
            (
                "How do these differences affect the usefulness for downstream learning? (2)",
                answer(found),
            )
        ],
    )
    publish(settings, page, draw(found), started)


def summary(found: Accuracies) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the draws, by user, code and number of labels."""
    return {
        f"{user}, {name}, {n} labels": {"accuracy": values.mean(), "sd": values.std()}
        for user, names in found.items()
        for name, numbers in names.items()
        for n, values in numbers.items()
    }


def draw(found: Accuracies) -> Figure:
    """Accuracy against the number of labels, one panel a user."""
    figure = new_figure(9.6, 3.9, f"What can be learnt from codes of {LATENT} numbers")
    panels = figure.subplots(1, 2, sharey=True)
    for axis, (user, names) in zip(panels, found.items(), strict=True):
        for place, (name, numbers) in enumerate(names.items()):
            counts, values = list(numbers), [100 * v for v in numbers.values()]
            axis.errorbar(counts, [v.mean() for v in values], [v.std() for v in values],
                          color=f"C{place}", marker="o", ms=4, capsize=2, label=name)  # fmt: skip
        axis.set(xlabel="labels (logarithmic)", xscale="log")
        axis.set_xticks(counts, [f"{n:,}" for n in counts])
        axis.minorticks_off()
        axis.set_title(user, fontsize=9)
        axis.legend(fontsize=8, loc="lower right")
    panels[0].set_ylabel("test accuracy, %")
    return figure


def answer(found: Accuracies) -> str:
    """The report's second question about interpolation, answered from the measurement."""
    sentences, wins = [], 0
    for user, names in found.items():
        ae, vae, pca_ = names.values()
        for n in ae:
            a, v, p = (100 * values[n].mean() for values in (ae, vae, pca_))
            three = {"the autoencoder": a, "the VAE": v, "PCA": p}
            best = [name for name, share in three.items() if share == max(a, v, p)]
            wins += best == ["the VAE"]
            sentences.append(
                f"{user}, {n:,} labels: {a:.1f} % on codes of the autoencoder, {v:.1f} % on mu of "
                f"the VAE, {p:.1f} % on PCA; best: {' and '.join(best)}."
            )
    return f"The VAE's codes are the best in {wins} of {len(sentences)} cases. " + " ".join(
        sentences
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

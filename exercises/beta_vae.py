"""beta-VAE: the nets with 64 latents; the autoencoder copies digits well, but can it draw any?

A latent is one of the numbers of a code. An autoencoder with many of them copies its input almost
perfectly, and draws nothing: the codes of digits fill only a small part of the 64-dimensional
space, and the decoder has never been asked about the rest. The samples here show it. What the same
net draws when the codes are made to follow a distribution (beta-VAE, a VAE whose divergence KL has
the weight beta) is the subject of `beta_vae_betas` and `beta_vae_sweep`.
"""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import entropy

from exercises.common import Page, Settings, mnist28, publish, run_as_script, ten_digits
from exercises.judge import SURE, read_digits
from exercises.measures import mean_image_error, squared_error
from exercises.trained import Recipe, train
from nnscratch.datasets.resize import resize
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    LeakyReLU,
    Reshape,
    Sequential,
    Sigmoid,
)
from nnscratch.layers.base import Layer
from nnscratch.losses import gaussian_kl, mse
from nnscratch.models import VAE, Autoencoder, NegativeELBO, elbo_terms
from nnscratch.plotting import new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, History, predict

LATENT = 64
PIXELS = 28 * 28
SAMPLES = 1000  # drawn to measure a generator; the figures show the first 16
WATCHED = 2000  # test images that are looked at after every epoch
BRIEF, LONG = (1, 6), (3, 12)  # epochs, on the full data and on the embedded images
PARTS = 20  # of an epoch, for the curves


def encoder_layers() -> list[Layer]:
    """28 x 28 x 1 image -> 1,024 features; batch normalisation from the second layer on."""
    return [
        *(Conv2D(32, 4, 2), LeakyReLU(0.2)),  # 14 x 14 x 32
        *(Conv2D(64, 4, 2), BatchNormalization(0.9), LeakyReLU(0.2)),  # 7 x 7 x 64
        *(Conv2D(128, 3, 2), BatchNormalization(0.9), LeakyReLU(0.2)),  # 4 x 4 x 128
        *(Conv2D(256, 3, 1, "valid"), BatchNormalization(0.9), LeakyReLU(0.2)),  # 2 x 2 x 256
        Flatten(),
    ]


def decoder(seed: int) -> Sequential:
    """A code -> 28 x 28 x 1 image: the encoder in a mirror, with pixels from 0 to 1."""
    return Sequential(
        [
            *(Dense(1024), Reshape((2, 2, 256)), BatchNormalization(0.9), LeakyReLU(0.2)),
            *(Conv2DTranspose(128, 3, 1, "valid"), BatchNormalization(0.9), LeakyReLU(0.2)),  # 4
            *(Conv2DTranspose(64, 3, 2, ((1, 1), (1, 1))), BatchNormalization(0.9)),  # 7 x 7 x 64
            *(LeakyReLU(0.2), Conv2DTranspose(32, 4, 2), BatchNormalization(0.9)),  # 14 x 14 x 32
            *(LeakyReLU(0.2), Conv2DTranspose(1, 4, 2), Sigmoid()),  # 28 x 28 x 1
        ],
        input_shape=(LATENT,),
        seed=[seed, 1],
    )


def autoencoder(seed: int) -> Autoencoder:
    """The untrained autoencoder: a dense layer makes 64 numbers of the features."""
    layers = [*encoder_layers(), Dense(LATENT)]
    return Autoencoder(Sequential(layers, input_shape=(28, 28, 1), seed=[seed, 0]), decoder(seed))


def vae(seed: int) -> VAE:
    """The untrained VAE: two dense heads, mu and logvar, in place of the one layer."""
    encoder = Sequential(encoder_layers(), input_shape=(28, 28, 1), seed=[seed, 0])
    return VAE(encoder, LATENT, decoder(seed), seed=[seed, 2])


def kl_weight(beta: float) -> float:
    """w of ``L = SSE + w KL`` that weighs both parts as the report's beta does.

    The report adds beta times the *mean* KL of the 64 latents to the *mean* squared error of the
    784 pixels; both sums instead of means, the weight is ``beta * 784 / 64``.
    """
    return beta * PIXELS / LATENT


class RecordedELBO(NegativeELBO):
    """The loss of a VAE that remembers its two parts, step by step.

    The VAE's sampling counts the noise that it has drawn, once a training step, so this count is
    the number of the step; what the loss is called for between two steps does not count.
    """

    def __init__(self, model: VAE, kl_weight: float) -> None:
        super().__init__(model, kl_weight)
        self.parts: dict[int, tuple[float, float]] = {}

    def __call__(self, y: Array, target: Array) -> tuple[float, tuple[Array, Array, Array]]:
        value, gradients = super().__call__(y, target)
        kl, _ = gaussian_kl(self.model.mu, self.model.logvar)
        step = int(self.model.sampling.state["draws"][0])
        self.parts.setdefault(step, (value - self.weight() * kl, kl))
        return value, gradients

    def take(self) -> dict[str, float]:
        """The mean SSE and KL in each twentieth of the steps since the last call."""
        steps = [self.parts[step] for step in sorted(self.parts) if step > 0]
        self.parts.clear()
        means = [part.mean(axis=0) for part in np.array_split(np.array(steps), PARTS)]
        return {f"{name} {i}": means[i][j] for j, name in enumerate(("SSE", "KL"))
                for i in range(PARTS)}  # fmt: skip


def recipe(settings: Settings, full: int, embedded: int) -> Recipe:
    """Adam and the batches of the report; the few embedded images need smaller ones."""
    if len(mnist28(settings).x_train) == 60_000:
        return Recipe(1e-3, 64, settings.epochs or full, cosine=True)
    return Recipe(1e-3, 32, settings.epochs or (1 if settings.quick else embedded), cosine=True)


@functools.cache
def trained_ae(settings: Settings) -> tuple[Autoencoder, str]:
    """The trained autoencoder, and the stamp for figures made with it."""
    data, model, how = mnist28(settings), autoencoder(settings.seed), recipe(settings, *LONG)
    watched = data.x_test[:WATCHED]
    train(settings, "ae-64", model, mse, how, (data.x_train, data.x_train), (watched, watched))
    return model, f"{data.source} · AE-{LATENT}, {how} · seed {settings.seed}"


@functools.cache
def trained_vae(settings: Settings, beta: float, long: bool = False) -> tuple[VAE, History, str]:
    """The VAE trained with ``beta``, its curves, and the stamp for figures made with it.

    Briefly, to compare betas, or as long as the autoencoder. At beta = 0 the learning rate does
    not decay: whether the KL goes on rising is the question there, and decay would stop it.
    """
    data, model = mnist28(settings), vae(settings.seed)
    how = replace(recipe(settings, *(LONG if long else BRIEF)), cosine=beta > 0)
    loss, watched = RecordedELBO(model, kl_weight(beta)), data.x_test[:WATCHED]

    def measure() -> dict[str, float]:
        return loss.take() | elbo_terms(model, watched, stream(0, "beta-VAE", "elbo"))

    history = train(
        settings, f"vae-64-beta-{beta:g}-{how.epochs}", model, loss, how,
        (data.x_train, data.x_train), (watched, watched), measure=measure,
    )  # fmt: skip
    what = f"VAE-{LATENT}, beta {beta:g} (w = {kl_weight(beta):g})"
    return model, history, f"{data.source} · {what}, {how} · seed {settings.seed}"


@functools.cache
def prior_codes(settings: Settings) -> Array:
    """Codes from N(0, I), the same for every model."""
    rng = stream(settings.seed, "codes of the prior")
    return rng.standard_normal((SAMPLES, LATENT), np.float32)


def sample_quality(settings: Settings, images: Array) -> dict[str, Any]:
    """How many of ``images`` (N, 28, 28, 1) the judge takes for a digit, and for which.

    ``effective_digits`` is exp of the entropy of the digits among the accepted images: 10 if all
    are as common, 1 if there is only one, 0 if no image is accepted.
    """
    return accepted(*read_digits(settings, resize(images, 32)))


def accepted(labels: Array, confidences: Array) -> dict[str, Any]:
    """The numbers of `sample_quality`, from what the judge reads and how surely (N,)."""
    per_digit = np.bincount(labels[confidences > SURE], minlength=10)
    return {
        "accepted_share": float((confidences > SURE).mean()),
        "accepted_per_digit": per_digit,
        "effective_digits": float(np.exp(entropy(per_digit))) if per_digit.any() else 0.0,
    }


def image_sheet(axis: Axes, images: Array, columns: int, title: str) -> None:
    """Draw images (N, H, W, 1) in rows of so many, with a thin frame around each."""
    framed = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)), constant_values=0.3)
    n, H, W = framed.shape
    canvas = framed.reshape(n // columns, columns, H, W).transpose(0, 2, 1, 3)
    axis.imshow(canvas.reshape(-1, columns * W), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)


def above(x: Array, *outputs: Array) -> Array:
    """Ten images, each above what was made of it, for an `image_sheet` of five columns."""
    halves = slice(0, 5), slice(5, 10)
    return np.concatenate([images[half] for half in halves for images in (x, *outputs)])


def run(settings: Settings) -> None:
    """Make the figure of the autoencoder."""
    print("beta-VAE: the autoencoder to compare with", flush=True)
    if not settings.quick:
        autoencoder(settings.seed).summary()
    started = time.perf_counter()
    (model, stamp), data = trained_ae(settings), mnist28(settings)
    codes, prior = predict(model.encoder, data.x_train), prior_codes(settings)
    rng = stream(settings.seed, "codes of the fitted normal")
    samples = {
        "N(0, I)": predict(model.decoder, prior),
        "fitted normal": predict(model.decoder, normal_like(codes, SAMPLES, rng)),
    }
    outputs = predict(model, data.x_test)
    figure = new_figure(9.6, 3.9, f"Autoencoder with {LATENT} latents")
    left, *others = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    ten = ten_digits(data)
    image_sheet(left, above(data.x_test[ten], outputs[ten]), 5, "test digits above their outputs")
    for axis, (name, images) in zip(others, samples.items(), strict=True):
        image_sheet(axis, images[:16], 4, f"decoded from codes of {name}")
    numbers = {
        "test_mse": squared_error(outputs, data.x_test),
        "mean_image_test_mse": mean_image_mse(settings),
        **sizes(codes, prior),
        "test_digits": sample_quality(settings, data.x_test),
        "reconstructions": sample_quality(settings, outputs),
        **{f"samples_of_{n}": sample_quality(settings, images) for n, images in samples.items()},
    }
    page = Page(
        "beta_vae_ae",
        "The autoencoder: reconstructions and samples",
        "Left: test digits and, below each, what the autoencoder gives back. Middle: the decoder's "
        "images of codes drawn from N(0, I). Right: of codes drawn from a normal distribution with "
        "the mean and covariance of the training codes. Accepted is a sample that the classifier "
        f"of exercise 4 reads with a confidence above {SURE}; of {SAMPLES:,} samples each.",
        "Reconstructions in which the digits can be read, and samples that are no digits.",
        stamp,
        numbers,
        [("Describe your observations. Why do you think they occur? (AE)", answer(numbers))],
    )
    publish(settings, page, figure, started)


def normal_like(codes: Array, count: int, rng: np.random.Generator) -> Array:
    """So many draws (count, d) from a normal distribution with mean and covariance of ``codes``."""
    mean, covariance = codes.mean(axis=0), np.cov(codes.T)
    return rng.multivariate_normal(mean, covariance, count, method="eigh").astype(codes.dtype)


def sizes(codes: Array, prior: Array) -> dict[str, float]:
    """How far codes (N, d) spread, and how long they are beside those of the prior (M, d)."""
    return {
        "mean_sd_of_a_code": codes.std(axis=0, dtype=np.float64).mean(),
        "mean_length_of_codes": np.linalg.norm(codes, axis=1).mean(dtype=np.float64),
        "mean_length_of_prior_codes": np.linalg.norm(prior, axis=1).mean(dtype=np.float64),
    }


@functools.cache
def mean_image_mse(settings: Settings) -> float:
    """Test error of the mean training image: what a decoder reaches that knows nothing."""
    return mean_image_error(mnist28(settings).x_train, mnist28(settings).x_test)


def answer(numbers: dict[str, Any]) -> str:
    """The report's question about the autoencoder, answered from the measurement."""
    prior, fitted, own, real = (
        100 * numbers[name]["accepted_share"]
        for name in ("samples_of_N(0, I)", "samples_of_fitted normal", "reconstructions",
                     "test_digits")
    )  # fmt: skip
    longer = numbers["mean_length_of_codes"] / numbers["mean_length_of_prior_codes"]
    return (
        f"The reconstructions have a test error of {numbers['test_mse']:.4f}, "
        f"{100 * numbers['test_mse'] / numbers['mean_image_test_mse']:.1f} % of the mean image's. "
        f"Of the samples of N(0, I) the classifier accepts {prior:.1f} %, of test digits "
        f"{real:.1f} %. Nothing tells the encoder where to put its codes: each number in them has "
        f"a standard deviation of {numbers['mean_sd_of_a_code']:.1f} (1 in N(0, I)), and a digit's "
        f"code is {longer:.1f} times as long as one of N(0, I). With mean and covariance of the "
        f"codes put right, {fitted:.1f} % are accepted; of images decoded from the test digits' "
        f"own codes, {own:.1f} %."
        + (
            " What lies between these two is in the shape of the region in which the codes of "
            "digits lie: a normal distribution does not have it."
            if fitted < own
            else ""
        )
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

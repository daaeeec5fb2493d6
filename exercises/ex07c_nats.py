"""Exercise 7, continued: how good is this VAE, in a unit that others use?

A squared error cannot be compared from one scale of pixels to another. If every pixel is taken for
the probability of a white dot, the loss is minus a lower bound of the log-likelihood (the ELBO), in
nats (the logarithm is to base e), and can be held against published numbers. The same network,
trained with that loss.
"""

from __future__ import annotations

import time

import numpy as np

from exercises.common import Page, Settings, mnist28, mnist32, publish, run_as_script
from exercises.ex07_vae import FEW, recipe, vae
from exercises.trained import Recipe, train
from nnscratch.losses import binary_crossentropy
from nnscratch.models import VAE, NegativeELBO, elbo_terms
from nnscratch.plotting import new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array

PUBLISHED = (147, 155)  # VAEs with two latents on 28 x 28 MNIST, nats an image


def shorter(settings: Settings) -> Recipe:
    """A few of the epochs of exercise 7."""
    whole = recipe(settings)
    return Recipe(whole.learning_rate, whole.batch_size, -(-whole.epochs // 8), cosine=True)


def image_sets(settings: Settings) -> dict[str, tuple[Array, Array]]:
    """Training and test images: resized to 32 x 32, and 28 x 28 with a black border around them.

    Two pixels of border on each side make the same network fit, and cost it next to nothing.
    """
    resized, native = mnist32(settings), mnist28(settings)
    border = ((0, 0), (2, 2), (2, 2), (0, 0))
    return {
        "32 x 32": (resized.x_train, resized.x_test),
        "28 x 28": (np.pad(native.x_train, border), np.pad(native.x_test, border)),
    }


def nats(model: VAE, x: Array, rng: np.random.Generator) -> dict[str, float]:
    """The negative ELBO of images, in nats an image, and its two parts."""
    parts = elbo_terms(model, x, rng, binary_crossentropy)
    return parts | {"negative_elbo": parts["reconstruction"] + parts["kl"]}


def run(settings: Settings) -> None:
    """Train at both sizes and compare."""
    print("Exercise 7c: the VAE in nats", flush=True)
    started = time.perf_counter()
    numbers = {}
    for name, (x_train, x_test) in image_sets(settings).items():
        model = vae(settings.seed)
        loss = NegativeELBO(model, 1.0, binary_crossentropy)
        train(
            settings, f"vae-2-nats-{name.replace(' ', '')}", model, loss, shorter(settings),
            (x_train, x_train), (x_test[:FEW], x_test[:FEW]),
        )  # fmt: skip
        rng = stream(0, "nats", "elbo")
        numbers[name] = nats(model, x_test, rng)

    figure = new_figure(6.5, 3.2, "Negative ELBO of the VAE with two latents, test images")
    axis = figure.subplots()
    left = np.zeros(len(numbers))
    for part, color in (("reconstruction", "C1"), ("kl", "C2")):
        values = np.array([n[part] for n in numbers.values()])
        axis.barh(list(numbers), values, left=left, color=color, label=part)
        left += values
    for place, total in enumerate(left):
        axis.text(total, place, f" {total:.1f}", va="center", fontsize=9)
    axis.axvspan(*PUBLISHED, color="0.7", alpha=0.6, label="published, 28 x 28")
    axis.set(xlabel="nats an image", xlim=(0, 1.15 * left.max()))
    axis.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    page = Page(
        "ex07_nats",
        "The VAE in nats",
        "The network of exercise 7 with binary cross-entropy of its outputs, taken as logits, plus "
        "KL with weight 1. At 32 x 32 the resized digits have more pixels to explain; at 28 x 28 "
        "they have their own size, in a black border that costs next to nothing.",
        "No such number; VAEs with two latents in the literature reach about "
        f"{PUBLISHED[0]} to {PUBLISHED[1]} nats at 28 x 28.",
        f"{mnist32(settings).source} · {shorter(settings)} · seed {settings.seed}",
        numbers,
    )
    publish(settings, page, figure, started)


if __name__ == "__main__":
    run_as_script(run, __doc__)

"""Classic mistakes in a backward pass, to be planted into the net of exercise 0.

Each function below is one mistake. It stands in for the ``backward`` of a layer, or for the loss,
and is as wrong as its first line says; the shapes always fit, so nothing ever complains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from exercises.ex00_nets import (
    Skip,
    constant_moments,
    half_prior,
    logvar_as_std,
    logvar_without_eps,
    one_branch,
)
from nnscratch.gradcheck import Report, check_gradients, check_loss
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GaussianSampling,
    Layer,
    MaxPooling2D,
    ReLU,
    Sequential,
)
from nnscratch.losses import softmax_crossentropy
from nnscratch.randomness import stream
from nnscratch.training.checks import Loss

Array = np.ndarray

SAMPLES = 4  # of a check: more than one, or a sum over the batch could not be missed


def wrong_sign(logits: Array, labels: Array) -> tuple[float, Array]:
    """The loss gives back target - p instead of p - target, so every step climbs."""
    value, dlogits = softmax_crossentropy(logits, labels)
    return value, -dlogits


def sum_not_mean(logits: Array, labels: Array) -> tuple[float, Array]:
    """The loss is a mean over the batch, its gradient a sum: 1/batch is missing."""
    value, dlogits = softmax_crossentropy(logits, labels)
    return value, dlogits * len(logits)


def reshaped_weights(layer: Dense, dy: Array) -> Array:
    """Dense reshapes W to the shape of its transpose, which is not the transpose."""
    Dense.backward(layer, dy)
    inputs, units = layer.params["W"].shape
    return dy @ layer.params["W"].reshape(units, inputs)


def channels_first(layer: Flatten, dy: Array) -> Array:
    """Flatten goes back as if the vector had been (C, H, W), but it was (H, W, C)."""
    (N, H, W, C) = layer.cache[0]
    return dy.reshape(N, C, H, W).transpose(0, 2, 3, 1)


def pool_to_all(layer: MaxPooling2D, dy: Array) -> Array:
    """Max pooling gives dy to all pixels of the window, not to the winner alone."""
    ph, pw = layer.pool_size
    return dy.repeat(ph, axis=1).repeat(pw, axis=2)


def relu_everywhere(layer: ReLU, dy: Array) -> Array:
    """ReLU hands on dy everywhere: the mask x > 0 is forgotten."""
    return dy.copy()


def relu_mask_of_dy(layer: ReLU, dy: Array) -> Array:
    """ReLU hands on dy where dy > 0, instead of where x > 0."""
    return dy * (dy > 0)


def flipped_kernel(layer: Conv2D, dy: Array) -> Array:
    """Backward is that of a true convolution, which flips the kernel; forward does not flip it."""
    W = layer.params["W"]
    right = W.copy()
    W[...] = right[::-1, ::-1]
    dx = Conv2D.backward(layer, dy)
    W[...] = right
    layer.grads["W"][...] = layer.grads["W"][::-1, ::-1].copy()
    return dx


def missing_bias_sum(layer: Conv2D, dy: Array) -> Array:
    """db is summed over the batch but not over the pixels: only the first one counts."""
    dx = Conv2D.backward(layer, dy)
    layer.grads["b"][...] = dy[:, 0, 0].sum(axis=0)
    return dx


def off_by_one(layer: Conv2D, dy: Array) -> Array:
    """dx of the convolution comes out one pixel too far to the right."""
    dx = Conv2D.backward(layer, dy)
    moved = np.zeros_like(dx)
    moved[:, :, 1:] = dx[:, :, :-1]
    return moved


def accumulated_grads(layer: Layer, dy: Array) -> Array:
    """Gradients are added to those of all steps before: nothing sets them back to 0."""
    before = {name: gradient.copy() for name, gradient in layer.grads.items()}
    dx = type(layer).backward(layer, dy)
    for name, gradient in before.items():
        layer.grads[name] += gradient
    return dx


@dataclass(frozen=True)
class Mistake:
    """A wrong function and where it belongs.

    Attributes
    ----------
    wrong : function
        ``(layer, dy) -> dx``, or ``(logits, labels) -> (value, gradient)`` if it is the loss.
    places : tuple of types
        Layers whose ``backward`` it replaces; none if it is the loss.
    words : str
        A diagnosis that holds these words names the mistake.
    net : type, or "MAP", or None
        The layer whose own net it is planted into (`ex00_nets.NETS`), the search for codes, or
        the net of the first picture.
    """

    wrong: Callable[..., Any]
    places: tuple[type[Layer], ...]
    words: str
    net: type[Layer] | str | None = None

    @property
    def name(self) -> str:
        return self.wrong.__name__.replace("_", "-")

    @property
    def sentence(self) -> str:
        return str(self.wrong.__doc__)


MISTAKES = {
    mistake.name: mistake
    for mistake in (  # from the loss back to the image
        Mistake(wrong_sign, (), "the sign is wrong"),
        Mistake(sum_not_mean, (), "= batch"),
        Mistake(reshaped_weights, (Dense,), "reshape"),
        Mistake(channels_first, (Flatten,), "order of the axes"),
        Mistake(pool_to_all, (MaxPooling2D,), "a mask is missing"),
        Mistake(relu_everywhere, (ReLU,), "a mask is missing"),
        Mistake(relu_mask_of_dy, (ReLU,), "dy only as a factor"),
        Mistake(flipped_kernel, (Conv2D,), "flipped along both kernel axes"),
        Mistake(missing_bias_sum, (Conv2D,), "a missing sum: only the first pixel"),
        Mistake(off_by_one, (Conv2D,), "off by one"),
        Mistake(accumulated_grads, (Conv2D, Dense), "overwritten, not added to"),
        Mistake(constant_moments, (BatchNormalization,), "follows the input x", BatchNormalization),
        Mistake(one_branch, (Skip,), "a branch is missing", Skip),
        Mistake(logvar_as_std, (GaussianSampling,), "factor in one branch", GaussianSampling),
        Mistake(logvar_without_eps, (GaussianSampling,), "noise is missing", GaussianSampling),
        Mistake(half_prior, (), "follows the input x", "MAP"),
    )
}


def plant(model: Sequential, mistake: Mistake) -> Loss:
    """Put the mistake into the layers of ``model``, if it is theirs; the loss to train with."""
    for layer in model.layers:
        if isinstance(layer, mistake.places):
            layer.backward = partial(mistake.wrong, layer)  # type: ignore[method-assign]
    return softmax_crossentropy if mistake.places else mistake.wrong


@dataclass(frozen=True)
class Diagnosis:
    """What the gradient checker says.

    Attributes
    ----------
    parts : list of Report
        Of every layer alone, and of the loss.
    whole : Report
        Of all layers in a chain.
    named : bool
        Whether wherever something failed, a hint has the words that name the mistake.
    """

    parts: list[Report]
    whole: Report
    named: bool

    @property
    def failed(self) -> list[Report]:
        """The parts that are wrong."""
        return [report for report in self.parts if not report.ok]

    @property
    def hint(self) -> str:
        """The first thing that the checker says about the first wrong part; empty if none is."""
        return self.failed[0].failures[0].hint if self.failed else ""


def diagnose(model: Sequential, loss: Loss, words: str) -> Diagnosis:
    """Check all parts of a float64 model, and its loss, at random numbers.

    Random, for a mistake can hide behind a 0 and between equal numbers. Every part is checked
    alone, as what its neighbours do can hide a mistake as well.
    """
    rng = stream(0, "diagnosis")
    parts = [
        check_gradients(layer, rng.standard_normal((SAMPLES, *layer.input_shape)), training=True)
        for layer in model.layers
    ]
    logits = rng.standard_normal((SAMPLES, *model.built_shape))
    labels = rng.integers(logits.shape[1], size=SAMPLES)
    parts.append(check_loss(lambda y: loss(y, labels), logits))
    x = rng.standard_normal((SAMPLES, *model.input_shape))
    whole = check_gradients(model, x, training=True, subject="the layers in a chain")
    return Diagnosis(parts, whole, is_named(parts, words))


def is_named(parts: list[Report], words: str) -> bool:
    """Whether wherever something failed, a hint has these words."""
    failed = [[failure.hint for failure in part.failures] for part in parts if not part.ok]
    return bool(failed) and all(any(words in hint for hint in hints) for hints in failed)

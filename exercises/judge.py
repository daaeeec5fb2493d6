"""The judge: the classifier of exercise 4 says what digit an image looks like, and how surely.

Whether a decoded or denoised image can still be recognised is a matter of taste until somebody
who has not seen the question answers it. The judge has only seen digits, so it must name one even
for a blot; its confidence says how sure it is, and is often too high on images unlike any digit.
"""

from __future__ import annotations

from scipy.special import softmax

from exercises.common import Settings
from exercises.ex04_classifier import trained
from nnscratch.layers import Sequential
from nnscratch.training import Array, predict

SURE = 0.9  # a confidence above this counts as recognised


def judge(settings: Settings) -> Sequential:
    """The trained classifier, with the weights of its best epoch."""
    return trained(settings)[0]


def read_digits(settings: Settings, images: Array) -> tuple[Array, Array]:
    """What the judge takes the images for.

    Parameters
    ----------
    images : array (N, 32, 32, 1), float32

    Returns
    -------
    labels : array (N,) of int
    confidences : array (N,)
        The softmax probability of that label, 0 to 1.
    """
    probabilities = softmax(predict(judge(settings), images), axis=1)
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def accuracy(settings: Settings, images: Array, labels: Array) -> float:
    """Share of the images that the judge takes for what they are, 0 to 1."""
    return float((read_digits(settings, images)[0] == labels).mean())

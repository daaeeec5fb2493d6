"""What several exercises measure of images and of their labels, as functions of arrays alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from nnscratch.training import Array, History

SIGNED = 4  # squared errors with pixels in [-1, 1], the report's, over those in [0, 1]: 2^2


def squared_errors(images: Array, reference: Array) -> Array:
    """The mean squared error (N,) over the pixels of each image (N, H, W, 1), pixels in [0, 1]."""
    return ((images - reference) ** 2).mean(axis=(1, 2, 3), dtype=np.float64)


def squared_error(images: Array, reference: Array) -> float:
    """The mean over all pixels of all images."""
    return float(((images - reference) ** 2).mean(dtype=np.float64))


def mean_image_error(x_train: Array, x: Array) -> float:
    """Error at ``x`` of the mean training image: what a decoder reaches that knows nothing."""
    return squared_error(x_train.mean(axis=0, dtype=np.float64), x)


def by_digit(values: Array, labels: Array) -> Array:
    """The mean (10,) of ``values`` (N,) over the images of each digit; NaN where it has none."""
    sums = np.bincount(labels, weights=values, minlength=10)
    counts = np.bincount(labels, minlength=10)
    return np.divide(sums, counts, out=np.full(10, np.nan), where=counts > 0)


def ranked(per_digit: Array) -> list[int]:
    """The digits from the smallest to the largest number, without those that have none."""
    order = np.argsort(per_digit)  # NaN comes last
    return order[: np.isfinite(per_digit).sum()].tolist()


def rank_correlation(a: Array, b: Array) -> tuple[float, float]:
    """Spearman's correlation and its p-value; 0 and 1 if either is the same everywhere."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:  # two are always in some order
        return 0.0, 1.0
    rank = spearmanr(a, b)
    return float(rank.statistic), float(rank.pvalue)


def all_errors(errors: Array, labels: Array) -> dict[str, Any]:
    """The mean error over a set of images and by digit, on both scales of pixels."""
    per_digit = by_digit(errors, labels)
    return {
        "mse_per_digit_[-1,1]": SIGNED * per_digit,
        "mse_per_digit_[0,1]": per_digit,
        "test_mse_[-1,1]": SIGNED * errors.mean(),
        "test_mse_[0,1]": errors.mean(),
    }


def shown_errors(errors: Array, shown: Array) -> dict[str, Array]:
    """The errors of those test images that a figure shows, on both scales of pixels."""
    return {
        "test_indices": shown,
        "mse_per_image_[-1,1]": SIGNED * errors[shown],
        "mse_per_image_[0,1]": errors[shown],
    }


def loss_curves(history: History) -> dict[str, Any]:
    """What an autoencoder's training recorded in [0, 1], with pixels in [-1, 1]."""
    return {
        "test_mse_by_epoch_[-1,1]": SIGNED * np.array(history.validation_loss),
        "train_mse_by_epoch_[-1,1]": SIGNED * np.array(history.loss),
        "test_mse_[-1,1]": SIGNED * history.validation_loss[-1],
    }

"""Losses: the value and its gradient, together.

Every function returns ``value, gradient``: a Python float, and dL/d(first argument) with the shape
and dtype of that argument. How the terms are added up is said by ``reduction``:

- "mean": the mean over every term,
- "sum": the sum over every term,
- "batch_mean": the sum within each sample, then the mean over the batch.
"""

from __future__ import annotations

import numpy as np

from nnscratch import kernels
from nnscratch.layers.activations import sigmoid

Array = np.ndarray


def mse(y: Array, target: Array, reduction: str = "mean") -> tuple[float, Array]:
    """Squared error, ``sum (y - target)^2 / m``; gradient ``2 (y - target) / m``.

    Parameters
    ----------
    y, target : arrays (N, ...) of equal shape
    reduction : "mean", "sum" or "batch_mean"
        m is the number of entries, 1, or N.

    Returns
    -------
    value : float
    dy : array like y

    Raises
    ------
    ValueError
        If the shapes differ, or the reduction is none of the three.
    TypeError
        If the dtypes differ.
    """
    _check_alike("mse", y, target)
    m = _terms(y.shape, reduction)
    total, dy = kernels.squared_error(y, target, 1 / m)
    return total / m, dy


def binary_crossentropy(
    logits: Array, target: Array, reduction: str = "mean"
) -> tuple[float, Array]:
    """Minus the log-likelihood of ``target`` under Bernoulli(p), ``p = sigmoid(logits)``.

    With x a logit and t its target::

        -t log p - (1 - t) log(1 - p) = max(x, 0) - t x + log(1 + exp(-|x|))

    The left side overflows for large \\|x\\|, the right side does not. Its gradient is
    ``p - t``: sigmoid and logarithm cancel.

    Parameters
    ----------
    logits : array (N, ...)
        Before the sigmoid.
    target : array (N, ...)
        Probabilities in [0, 1], such as pixels.
    reduction : "mean", "sum" or "batch_mean"

    Returns
    -------
    value : float
        In nats.
    dlogits : array like logits

    Raises
    ------
    ValueError
        If the shapes differ, a target lies outside [0, 1], or the reduction is none of the three.
    TypeError
        If the dtypes differ.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 4.90-4.91.
    """
    _check_alike("binary_crossentropy", logits, target)
    if target.size and not (target.min() >= 0 and target.max() <= 1):
        raise ValueError(
            f"binary_crossentropy: targets run from {target.min()} to {target.max()}; they are "
            "probabilities and must lie in [0, 1]. Divide bytes by 255."
        )
    m = _terms(logits.shape, reduction)
    terms = np.maximum(logits, 0) - target * logits + np.log1p(np.exp(-np.abs(logits)))
    return _total(terms) / m, (sigmoid(logits) - target) * (1 / m)


def softmax_crossentropy(
    logits: Array, labels: Array, reduction: str = "mean"
) -> tuple[float, Array]:
    """Minus the log-probability of the right class, ``p = softmax(logits)``.

    One sample: ``L = -log p[t] = log sum_k exp(x[k]) - x[t]``, so ``dL/dx[k] = p[k] - (k == t)``.
    The largest logit is subtracted first, which changes no probability and prevents overflow.

    Parameters
    ----------
    logits : array (N, classes)
    labels : array (N,) of int
        The right class of each sample, 0 to classes - 1.
    reduction : "mean" or "sum"
        Over the N samples, each of which has one term ("batch_mean" is the same as "mean").

    Returns
    -------
    value : float
        In nats.
    dlogits : array (N, classes)

    Raises
    ------
    ValueError
        If the shapes do not fit, or a label is out of range.
    TypeError
        If the labels are not integers.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 4.108-4.109.
    """
    _check_labels(logits, labels)
    N = len(labels)
    m = _terms((N,), reduction)
    shifted = logits - logits.max(axis=1, keepdims=True)  # (N, classes)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, 1)
    value = _total(log_sum[:, 0] - shifted[np.arange(N), labels])
    dlogits = np.exp(shifted - log_sum)  # p
    dlogits[np.arange(N), labels] -= 1
    return value / m, dlogits * (1 / m)


def gaussian_kl(
    mu: Array, logvar: Array, reduction: str = "batch_mean"
) -> tuple[float, tuple[Array, Array]]:
    """Kullback-Leibler divergence from N(mu, s^2) to the prior N(0, 1), ``logvar = log s^2``.

    For each latent ``KL = (mu^2 + s^2 - 1 - log s^2) / 2``, hence ``dmu = mu`` and
    ``dlogvar = (s^2 - 1) / 2``.

    Parameters
    ----------
    mu, logvar : arrays (N, d)
    reduction : "batch_mean", "mean" or "sum"
        By default the sum over latents and the mean over the batch, as in the ELBO.

    Returns
    -------
    value : float
        In nats.
    (dmu, dlogvar) : arrays (N, d)

    Raises
    ------
    ValueError
        If the shapes differ, or the reduction is none of the three.
    TypeError
        If the dtypes differ.

    References
    ----------
    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B.
    """
    _check_alike("gaussian_kl", mu, logvar)
    m = _terms(mu.shape, reduction)
    var = np.exp(logvar)
    value = _total(mu**2 + var - 1 - logvar) / 2 / m
    return value, (mu * (1 / m), (var - 1) * (0.5 / m))


def _total(terms: Array) -> float:
    """The sum in float64, whatever the dtype of the terms."""
    return float(terms.sum(dtype=np.float64))


def _terms(shape: tuple[int, ...], reduction: str) -> int:
    """What the sum of all terms is divided by."""
    divisors = {"mean": int(np.prod(shape)), "sum": 1, "batch_mean": shape[0]}
    if not isinstance(reduction, str) or reduction not in divisors:
        raise ValueError(
            f'reduction is {reduction!r}; it must be "mean", "sum" or "batch_mean" (summed '
            "within each sample, averaged over the batch)."
        )
    if 0 in shape:
        raise ValueError(f"a loss of an empty batch is undefined; got shape {shape}.")
    return divisors[reduction]


def _check_alike(name: str, y: Array, target: Array) -> None:
    _check_array(name, "output", y)
    if not isinstance(target, np.ndarray):
        raise TypeError(f"{name}: the target must be a NumPy array; use np.asarray.")
    if y.shape != target.shape:
        raise ValueError(
            f"{name}: the output has shape {y.shape} but the target {target.shape}; they must "
            "be equal."
        )
    if y.dtype != target.dtype:
        raise TypeError(
            f"{name}: the output is {y.dtype} but the target {target.dtype}; convert the target "
            f"once with target.astype(np.{y.dtype})."
        )


def _check_array(name: str, what: str, y: Array) -> None:
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.floating) or y.ndim == 0:
        described = f"{y.dtype} {y.shape}" if isinstance(y, np.ndarray) else type(y).__name__
        raise TypeError(
            f"{name}: the {what} is {described}; it must be a NumPy array of real numbers with a "
            "batch axis."
        )


def _check_labels(logits: Array, labels: Array) -> None:
    _check_array("softmax_crossentropy", "output", logits)
    if not isinstance(labels, np.ndarray):
        raise TypeError("softmax_crossentropy: labels must be a NumPy array; use np.asarray.")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"softmax_crossentropy: expected logits (N, classes) and labels (N,), got "
            f"{logits.shape} and {labels.shape}; labels are class numbers, not one-hot rows."
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"softmax_crossentropy: labels are {labels.dtype}; they must be integers. Convert "
            "them with labels.astype(int)."
        )
    classes = logits.shape[1]
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"softmax_crossentropy: label {labels[first]} at index {first} is out of range; with "
            f"{classes} logits, labels run from 0 to {classes - 1}."
        )

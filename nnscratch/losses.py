"""Losses: how wrong the outputs are, as one number, and its gradient, with which backward begins.

Every function returns ``value, gradient``: a Python float, and dL/d(first argument) with the shape
and dtype of that argument (`gaussian_kl`: a pair, for both arguments). How the terms are added up
is said by ``reduction``, which divides their sum by m:

- "mean": the mean over all terms; m is their number,
- "sum": the sum over all terms; m = 1,
- "batch_mean": the sum within each sample, then the mean over the batch; m = N.

Logarithms are natural ones, so what is a logarithm of a probability is in nats (1 nat = 1.44 bits).
"""

from __future__ import annotations

import numpy as np

from nnscratch.layers.activations import sigmoid
from nnscratch.loss_checks import check_alike, check_labels, divisor

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
        If the shapes differ, there are no entries, or the reduction is none of the three.
    TypeError
        If the dtypes differ, or these are no arrays of real numbers.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. 1.2, without its 1/2.
    """
    check_alike("mse", y, target)
    m = divisor(y.shape, reduction)
    difference = y - target
    total = np.square(difference, dtype=np.float64).sum()
    return float(total) / m, difference * (2 / m)


def binary_crossentropy(
    logits: Array, target: Array, reduction: str = "mean"
) -> tuple[float, Array]:
    """Minus the log-likelihood of ``target`` under Bernoulli(p), ``p = sigmoid(logits)``.

    With x a logit (what the sigmoid turns into a probability) and t its target, a term is::

        -t log p - (1 - t) log(1 - p) = max(x, 0) - t x + log(1 + exp(-|x|))

    Far from x = 0, where p is rounded to 0 or 1, the left side needs log 0, the right side does
    not. The derivative of a term is ``p - t``, since sigmoid and logarithm cancel; dlogits is that,
    divided by m.

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
        If the shapes differ, there are no entries, a target lies outside [0, 1], or the reduction
        is none of the three.
    TypeError
        If the dtypes differ, or these are no arrays of real numbers.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 4.90-4.91.
    """
    check_alike("binary_crossentropy", logits, target)
    if target.size and not (target.min() >= 0 and target.max() <= 1):
        raise ValueError(
            f"binary_crossentropy: targets run from {target.min()} to {target.max()}; they are "
            "probabilities and must lie in [0, 1]. Divide bytes by 255."
        )
    m = divisor(logits.shape, reduction)
    terms = np.maximum(logits, 0) - target * logits + np.log1p(np.exp(-np.abs(logits)))
    return _total(terms) / m, (sigmoid(logits) - target) * (1 / m)


def softmax_crossentropy(
    logits: Array, labels: Array, reduction: str = "mean"
) -> tuple[float, Array]:
    """Minus the log-probability of the right class, ``p = softmax(logits)``.

    One sample, with logits x, classes k and the right class t::

        p[k] = exp(x[k]) / sum_j exp(x[j])        L = -log p[t] = log sum_j exp(x[j]) - x[t]
        dL/dx[k] = p[k] - (k == t)

    where (k == t) is 1 or 0; dlogits is that, divided by m. The largest logit is subtracted first,
    which changes no probability and prevents overflow.

    Parameters
    ----------
    logits : array (N, classes)
        Before the softmax.
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
        If the shapes do not fit, there are no samples, a label is out of range, or the reduction is
        none of the three.
    TypeError
        If the labels are not integers, or the logits no array of real numbers.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 4.108-4.109.
    """
    check_labels(logits, labels)
    N = len(labels)
    m = divisor((N,), reduction)
    x = logits.astype(np.float64)  # between two of float32, 3e38 and -3e38, lies more than it holds
    shifted = x - x.max(axis=1, keepdims=True)  # (N, classes)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, 1)
    value = _total(log_sum[:, 0] - shifted[np.arange(N), labels])
    dlogits = np.exp(shifted - log_sum)  # p
    dlogits[np.arange(N), labels] -= 1
    return value / m, (dlogits * (1 / m)).astype(logits.dtype)


def gaussian_kl(
    mu: Array, logvar: Array, reduction: str = "batch_mean"
) -> tuple[float, tuple[Array, Array]]:
    """Kullback-Leibler divergence from N(mu, std^2) to the prior N(0, 1), ``logvar = log std^2``.

    It says how much a code tells: nothing, KL = 0, if it has the distribution that codes have
    before any image is seen, the prior. For each latent, that is each number of a code,
    ``KL = (mu^2 + std^2 - 1 - logvar) / 2``, hence its derivatives ``mu`` and, by
    ``d(std^2)/dlogvar = std^2``, ``(std^2 - 1) / 2``; dmu and dlogvar are these, divided by m.

    Near the prior, std^2 - 1 is the small difference of two numbers near 1, and
    std^2 - 1 - logvar is smaller still. ``expm1`` gives the first without that subtraction, and the
    second is taken in float64; it is never negative, since e^x lies above its tangent 1 + x.

    Parameters
    ----------
    mu, logvar : arrays (N, d)
        d latents of N images.
    reduction : "batch_mean", "mean" or "sum"
        By default the sum over latents and the mean over the batch, as in the ELBO
        (`nnscratch.models.NegativeELBO`).

    Returns
    -------
    value : float
        In nats.
    (dmu, dlogvar) : arrays (N, d)

    Raises
    ------
    ValueError
        If the shapes differ, there are no entries, or the reduction is none of the three.
    TypeError
        If the dtypes differ, or these are no arrays of real numbers.

    References
    ----------
    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B.
    """
    check_alike("gaussian_kl", mu, logvar)
    m = divisor(mu.shape, reduction)
    wide = logvar.astype(np.float64)
    excess = np.maximum(np.expm1(wide) - wide, 0)  # std^2 - 1 - logvar
    value = _total(np.square(mu, dtype=np.float64) + excess) / 2 / m
    return value, (mu * (1 / m), np.expm1(logvar) * (0.5 / m))


def _total(terms: Array) -> float:
    """The sum in float64, whatever the dtype of the terms."""
    return float(terms.sum(dtype=np.float64))

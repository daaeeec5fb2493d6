"""The lighter loops in plain NumPy: element by element, channel by channel, and Adam's step.

Channels are the last axis, C of them; m is the number of entries of a channel, that is the product
of all the other axes.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "adam",
    "channel_moments",
    "channel_sum",
    "leaky_relu",
    "leaky_relu_input_gradient",
    "normalize",
    "normalize_input_gradient",
    "relu",
    "relu_input_gradient",
    "squared_error",
]

Array = np.ndarray


# ---------------------------------------------------------------- activations


def relu(x: Array) -> tuple[Array, Array]:
    """``max(x, 0)``, NaN staying NaN, and where x > 0, as an array of bool."""
    return np.maximum(x, 0), x > 0


def relu_input_gradient(dy: Array, positive: Array) -> Array:
    """dL/dx of `relu`, from its second result."""
    return dy * positive


def leaky_relu(x: Array, slope: float) -> Array:
    """``x`` where x > 0, else ``slope * x``."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_input_gradient(dy: Array, x: Array, slope: float) -> Array:
    """dL/dx of `leaky_relu`."""
    return np.where(x > 0, dy, slope * dy)


# ---------------------------------------------------------------- channels


def channel_sum(dy: Array) -> Array:
    """The sum over every axis but the last: the gradient of a bias.

    Added up in float64, whatever the dtype, as all sums here are: in float32 a million terms lose
    three digits.

    Parameters
    ----------
    dy : array (..., C)

    Returns
    -------
    array (C,)
    """
    return dy.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.float64).astype(dy.dtype)


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel.

    In two passes: the mean of the squares less the square of the mean would cancel where the mean
    is much larger than the deviations. For the same reason the mean is not rounded to float32.

    Parameters
    ----------
    x : array (..., C)

    Returns
    -------
    mean, var : float64 arrays (C,)
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64)
    return mean, ((x - mean) ** 2).mean(axis=axes)


def normalize(x: Array, mean: Array, s: Array, gamma: Array, beta: Array) -> tuple[Array, Array]:
    """Shift and scale every channel to ``xhat``, and that by the learnt numbers to y.

    Parameters
    ----------
    x : array (..., C)
    mean, s, gamma, beta : arrays (C,)
        s is one over the standard deviation, ``1 / sqrt(var + epsilon)``. The mean may be float64,
        as from `channel_moments`, and no digit of it is lost; the others have the dtype of x.

    Returns
    -------
    y, xhat : arrays like x
    """
    xhat = ((x - mean) * s).astype(x.dtype, copy=False)
    return gamma * xhat + beta, xhat


def normalize_input_gradient(
    dy: Array, xhat: Array, s: Array, gamma: Array
) -> tuple[Array, Array, Array]:
    """The gradients of `normalize` if mean and s are those of the batch itself.

    `nnscratch.layers.BatchNormalization` derives the formula for dx.

    Parameters
    ----------
    dy, xhat : arrays (..., C)
    s, gamma : arrays (C,)

    Returns
    -------
    dx : array like dy
    dgamma, dbeta : arrays (C,)
    """
    axes = tuple(range(dy.ndim - 1))
    dgamma = (dy * xhat).sum(axis=axes, dtype=np.float64).astype(dy.dtype)
    dbeta = channel_sum(dy)
    m = dy.size // dy.shape[-1]
    dx = gamma * s * (dy - dbeta / m - xhat * (dgamma / m))
    return dx, dgamma, dbeta


# ---------------------------------------------------------------- training


def adam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
    t: int,
) -> None:
    """One step of `nnscratch.optimizers.Adam`, with its formulas; p, m and v change in place.

    Parameters
    ----------
    p, g : arrays of equal shape
        The parameter and its gradient, which is rounded to the dtype of p.
    m, v : arrays like p
        The running means of g and g^2.
    rate, beta_1, beta_2, epsilon, weight_decay : float
        v is not written as ``v += (1 - beta_2) * (g^2 - v)``, which cancels if beta_2 is small.
    t : int
        The number of this step, from 1.
    """
    g = g.astype(p.dtype, casting="same_kind", copy=False)
    m *= beta_1
    m += (1 - beta_1) * g
    v *= beta_2
    v += (1 - beta_2) * g**2
    mhat = m / (1 - beta_1**t)
    vhat = v / (1 - beta_2**t)
    p -= rate * weight_decay * p
    p -= rate * mhat / (np.sqrt(vhat) + epsilon)


def squared_error(y: Array, target: Array, scale: float) -> tuple[float, Array]:
    """``sum (y - target)^2``, and the gradient of ``scale`` times that: ``2 scale (y - target)``.

    Parameters
    ----------
    y, target : arrays of equal shape and dtype

    Returns
    -------
    total : float
        Squared and summed in float64, whatever the dtype.
    gradient : array like y
    """
    difference = y - target
    total = np.square(difference, dtype=np.float64).sum()
    return float(total), difference * (2 * scale)

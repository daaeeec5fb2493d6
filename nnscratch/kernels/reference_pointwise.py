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


def relu(x: Array) -> Array:
    """``max(x, 0)``, NaN staying NaN."""
    return np.maximum(x, 0)


def relu_input_gradient(dy: Array, y: Array) -> Array:
    """dL/dx of `relu`, from its result: y > 0 exactly where x > 0."""
    return dy * (y > 0)


def leaky_relu(x: Array, slope: float) -> Array:
    """``x`` where x > 0, else ``slope * x``."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_input_gradient(dy: Array, x: Array, slope: float) -> Array:
    """dL/dx of `leaky_relu`."""
    return np.where(x > 0, dy, slope * dy)


# ---------------------------------------------------------------- channels


def channel_sum(dy: Array) -> Array:
    """The sum over every axis but the last: the gradient of a bias.

    Parameters
    ----------
    dy : array (..., C)

    Returns
    -------
    array (C,)
    """
    return dy.sum(axis=tuple(range(dy.ndim - 1)))


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Mean and (biased) variance of every channel.

    Parameters
    ----------
    x : array (..., C)

    Returns
    -------
    mean, var : arrays (C,)
    """
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


def normalize(x: Array, mean: Array, s: Array, gamma: Array, beta: Array) -> tuple[Array, Array]:
    """Shift and scale every channel to ``xhat``, and that by the learnt numbers to y.

    Parameters
    ----------
    x : array (..., C)
    mean, s, gamma, beta : arrays (C,)
        s is one over the standard deviation, ``1 / sqrt(var + epsilon)``.

    Returns
    -------
    y, xhat : arrays like x
    """
    xhat = (x - mean) * s
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
    dgamma, dbeta = (dy * xhat).sum(axis=axes), dy.sum(axis=axes)
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
        The parameter and its gradient.
    m, v : arrays like p
        The running means of g and g^2.
    rate, beta_1, beta_2, epsilon, weight_decay : float
        ``m += (1 - beta_1) * (g - m)`` is ``m = beta_1 * m + (1 - beta_1) * g``, and v alike.
    t : int
        The number of this step, from 1.
    """
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g**2 - v)
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
        Summed in float64, whatever the dtype.
    gradient : array like y
    """
    difference = y - target
    return float((difference**2).sum(dtype=np.float64)), difference * (2 * scale)

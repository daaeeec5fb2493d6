"""Random starting weights whose variance keeps signals the same size from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]
Initializer = Callable[[Shape, int, int, np.random.Generator], Array]
MOST_WEIGHTS = 2**28  # 2 GB while they are drawn; more is a slip rather than a layer for a laptop


def check_initializer(initializer: Initializer) -> Initializer:
    """Return ``initializer`` if it is a function; raise a TypeError that says what it must be."""
    if not callable(initializer):
        raise TypeError(
            f"kernel_initializer is {initializer!r}; it must be a function of "
            "nnscratch.initializers, such as he_uniform, not its name."
        )
    return initializer


def initial_weights(
    initializer: Initializer, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator
) -> Array:
    """What ``initializer`` draws, unless that is more than any memory can be expected to hold.

    Raises
    ------
    ValueError
        If there would be more than `MOST_WEIGHTS`; nothing was allocated yet.
    """
    if math.prod(shape) > MOST_WEIGHTS:
        raise ValueError(
            f"W would have the shape {shape}, {math.prod(shape):,} numbers; at most "
            f"{MOST_WEIGHTS:,} are allowed. Make the inputs or the layer smaller."
        )
    return initializer(shape, fan_in, fan_out, rng)


def glorot_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on [-a, a] with ``a = sqrt(6 / (fan_in + fan_out))``: variance 2/(fan_in + fan_out).

    A compromise between keeping the variance of the activations forward (1/fan_in) and of the
    gradients backward (1/fan_out), for layers that are nearly linear around zero.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights.
    fan_in, fan_out : int
        How many inputs one output sums over, and how many outputs one input reaches. For a
        convolution: ``kh * kw * channels`` on the respective side.
    rng : numpy.random.Generator

    Returns
    -------
    array of ``shape``, float64

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, Eq. 16.
    """
    a = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-a, a, shape)


def glorot_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Normal with the variance of Glorot & Bengio's Eq. 12, ``2 / (fan_in + fan_out)``.

    See `glorot_uniform`. Not truncated at two standard deviations, as Keras does.
    """
    return rng.normal(0.0, np.sqrt(2.0 / (fan_in + fan_out)), shape)


def he_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Uniform on [-a, a] with ``a = sqrt(6 / fan_in)``: variance 2/fan_in.

    The 2 makes up for ReLU, which sets half of its inputs to zero. ``fan_out`` is not used; it
    is there so that all initialisers are called alike.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015, Eq. 10.
    """
    a = np.sqrt(6.0 / fan_in)
    return rng.uniform(-a, a, shape)


def he_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Normal with variance ``2 / fan_in``; see `he_uniform`."""
    return rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)

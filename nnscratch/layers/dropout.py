"""Dropout: setting numbers to zero at random, and why those that survive are enlarged."""

from __future__ import annotations

import numpy as np

from nnscratch.layers.base import Array, Layer
from nnscratch.layers.noise import draw_generator, make_noise_state


class Dropout(Layer):
    """While training, set each number to 0 with probability ``rate`` and scale up the others.

    With a mask of independent numbers, 0 with probability ``rate`` and ``1 / (1 - rate)``
    otherwise, so that its mean is 1::

        forward   y  = x * mask       backward  dx = dy * mask

    Evaluation passes x through unchanged. A frozen layer (``trainable = False``) drops as before,
    as in Keras, for there is nothing in it that trains.

    Parameters
    ----------
    rate : float in [0, 1)

    Attributes
    ----------
    state : ``key (1,)``, ``draws (1,)``
        See `nnscratch.layers.noise`.

    Raises
    ------
    ValueError
        If the rate is outside [0, 1).

    Notes
    -----
    Any shape. Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014, section 10 ("inverted" dropout; p there is the 1 - rate of here).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"rate is {rate}; it must lie in [0, 1).")
        self.rate = float(rate)

    def make_state(self, rng: np.random.Generator) -> dict[str, Array]:
        return make_noise_state(rng)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        if not training or self.rate == 0:
            self.cache = (None,)
            return x
        self.check_kept("state", written=True)
        keep = draw_generator(self.state).random(x.shape) >= self.rate
        mask = keep.astype(x.dtype) / x.dtype.type(1 - self.rate)
        self.cache = (mask,)
        return x * mask

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (mask,) = self.cache
        return dy if mask is None else dy * mask

"""Activations: one nonlinear function, applied to every number alike.

For ``y = f(x)`` element by element the chain rule is ``dx = dy * df/dx``. Each class says what f
is, and df/dx in terms of whatever forward already has.
"""

from __future__ import annotations

import numpy as np

from nnscratch.layers.base import Array, Layer


class ReLU(Layer):
    """Rectified linear unit, ``y = max(x, 0)``; ``dx = dy`` where x > 0, else 0.

    At x = 0 there is no derivative; 0 is taken, as everywhere. All that backward needs is where
    x > 0, one byte a number.

    Notes
    -----
    Any shape. Source: Nair & Hinton, ICML 2010.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        positive = x > 0
        self.cache = (positive,)
        return np.maximum(x, 0)  # NaN stays NaN

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (positive,) = self.cache
        return dy * positive


class LeakyReLU(Layer):
    """``y = x`` where x > 0, else ``slope * x``; ``dx = dy`` where x > 0, else ``slope * dy``.

    Parameters
    ----------
    negative_slope : float
        From 0 to 1; by default 0.3, as in Keras.

    Raises
    ------
    ValueError
        If the slope is outside that range.

    Notes
    -----
    Any shape. Source: Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network
    acoustic models", 2013.
    """

    def __init__(self, negative_slope: float = 0.3) -> None:
        super().__init__()
        if not 0 <= negative_slope <= 1:
            raise ValueError(f"negative_slope is {negative_slope}; it must lie in [0, 1].")
        self.negative_slope = float(negative_slope)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x,)
        return np.where(x > 0, x, self.negative_slope * x)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (x,) = self.cache
        return np.where(x > 0, dy, self.negative_slope * dy)


class Sigmoid(Layer):
    """Logistic function, ``y = 1 / (1 + exp(-x))``; ``dx = dy * y * (1 - y)``.

    From ``df/dx = exp(-x) / (1 + exp(-x))^2``, which is y times ``1 - y``. Computed as
    ``(1 + tanh(x / 2)) / 2``, the same function, which cannot overflow.

    Notes
    -----
    Any shape. Source: Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 4.59 and 4.88.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        y = sigmoid(x)
        self.cache = (y.copy(),)  # y itself goes to the caller, who may change it
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (y,) = self.cache
        return dy * y * (1 - y)


class Tanh(Layer):
    """Hyperbolic tangent, ``y = tanh(x)``; ``dx = dy * (1 - y^2)``.

    Notes
    -----
    Any shape. Source: Bishop, "Pattern Recognition and Machine Learning", 2006, Eqs. 5.59-5.60.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        y = np.tanh(x)
        self.cache = (y.copy(),)  # y itself goes to the caller, who may change it
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (y,) = self.cache
        return dy * (1 - y**2)


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, element by element, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))

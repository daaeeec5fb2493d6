"""Batch normalisation: each number depends on the whole batch, and so does each gradient."""

from __future__ import annotations

import numpy as np

from nnscratch import kernels
from nnscratch.layers.base import Array, Layer, Shape


class BatchNormalization(Layer):
    """Give every channel mean 0 and variance 1 over the batch, then a learnt scale and shift.

    With m numbers in each channel (m = N for vectors, m = N*H*W for images; all sums are over
    them) and s for one *over* the standard deviation::

        mean = sum x / m      var = sum (x - mean)^2 / m      s = 1 / sqrt(var + epsilon)
        xhat = (x - mean) * s      y = gamma * xhat + beta

    Backward: ``dgamma = sum dy * xhat``, ``dbeta = sum dy`` and, with ``g = gamma * dy``, which is
    dL/dxhat, x acts on the loss through xhat directly, through s and through mean::

        ds    = sum g * (x - mean)
        dvar  = -1/2 * s^3 * ds            and var moves by 2 (x - mean) / m for each x
        dmean = -s * sum g                 (through var it has no effect: sum (x - mean) = 0)
        dx    = g * s + dvar * 2 (x - mean) / m + dmean / m

    Putting the three lines in, with ``(x - mean) * s = xhat``::

        dx = s * (g - sum(g) / m - xhat * sum(g * xhat) / m)

    that is: s times g without its mean and, as ``sum(xhat^2) = m`` but for epsilon, without its
    component along xhat, because the output cannot follow x in these two directions. (gamma is one
    number for a channel, so ``sum(g)`` is ``gamma * dbeta`` and ``sum(g * xhat)`` is
    ``gamma * dgamma``.) Evaluation uses running statistics, which are constants, so there
    ``dx = g * s``, with dgamma and dbeta as above.

    Parameters
    ----------
    momentum : float in [0, 1)
        ``running = momentum * running + (1 - momentum) * batch`` after every training pass.
    epsilon : float > 0
        Keeps s finite where a channel is constant.

    Attributes
    ----------
    params : ``gamma (C,)``, ``beta (C,)``
        Ones and zeros at first.
    state : ``mean (C,)``, ``var (C,)``
        Running statistics, 0 and 1 at first; var is the biased variance, as in Keras.

    Raises
    ------
    ValueError
        For impossible arguments; at build, if the input has no channel axis; in a training
        forward pass, if the batch is empty.

    Notes
    -----
    Frozen (``trainable = False``), it computes as in evaluation in training too, so that its
    running statistics stay what they are, as in Keras since 2.0 of TensorFlow (documentation of
    BatchNormalization). To train only a head on an encoder with such layers, freeze the encoder:
    leaving its parameters out of the optimiser's step does not keep the statistics.

    Input and output (N, C) or (N, H, W, C). Source: Ioffe & Szegedy, ICML 2015, Algorithm 1 and
    section 3.
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        if not (0 <= momentum < 1 and epsilon > 0):
            raise ValueError(
                f"momentum is {momentum} and epsilon {epsilon}; they must lie in [0, 1) and "
                "above 0."
            )
        self.momentum, self.epsilon = float(momentum), float(epsilon)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 3):
            raise ValueError(
                f"expected vectors (C,) or images (H, W, C), got {tuple(input_shape)}."
            )
        return tuple(input_shape)

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        C = self.input_shape[-1]
        return {"gamma": np.ones(C), "beta": np.zeros(C)}

    def make_state(self, rng: np.random.Generator) -> dict[str, Array]:
        C = self.input_shape[-1]
        return {"mean": np.zeros(C, self.dtype), "var": np.ones(C, self.dtype)}

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, C) or (N, H, W, C)
        training = training and self.trainable
        if training and len(x) == 0:
            raise ValueError("batchnormalization: an empty batch has no mean; give it samples.")
        if training:
            self.check_kept("state", written=True)
            mean, var = kernels.channel_moments(x)  # (C,)
            for name, batch in (("mean", mean), ("var", var)):
                running = self.state[name]
                running += (1 - self.momentum) * (batch - running)
        else:
            mean, var = self.state["mean"], self.state["var"]
        s = (1 / np.sqrt(var + self.epsilon)).astype(self.dtype)
        y, xhat = kernels.normalize(x, mean, s, self.params["gamma"], self.params["beta"])
        self.cache = (xhat, s, training)
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        xhat, s, training = self.cache
        gamma = self.params["gamma"]
        if training:
            dx, dgamma, dbeta = kernels.normalize_input_gradient(dy, xhat, s, gamma)
        else:
            dx = dy * gamma * s
            dgamma, dbeta = kernels.channel_sum(dy * xhat), kernels.channel_sum(dy)
        self.grads["gamma"][...] = dgamma
        self.grads["beta"][...] = dbeta
        return dx

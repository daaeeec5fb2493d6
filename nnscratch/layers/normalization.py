"""Batch normalisation: each number depends on the whole batch, and so does each gradient."""

from __future__ import annotations

import numpy as np

from nnscratch.layers.base import Array, Layer, Shape


class BatchNormalization(Layer):
    """Give every channel mean 0 and variance 1 over the batch, then a learnt scale and shift.

    With m numbers in each channel (m = N for vectors, m = N*H*W for images; all sums are over
    them)::

        mean = sum x / m      var = sum (x - mean)^2 / m      inv_std = 1 / sqrt(var + epsilon)
        xhat = (x - mean) * inv_std      y = gamma * xhat + beta

    Backward: ``dgamma = sum dy * xhat``, ``dbeta = sum dy`` and, with ``g = gamma * dy``, which is
    dL/dxhat, x acts on the loss through xhat directly, through inv_std and through mean::

        dinv_std = sum g * (x - mean)
        dvar  = -1/2 * inv_std^3 * dinv_std    and var moves by 2 (x - mean) / m for each x
        dmean = -inv_std * sum g               (through var it has no effect: sum (x - mean) = 0)
        dx    = g * inv_std + dvar * 2 (x - mean) / m + dmean / m

    Putting the three lines in, with ``(x - mean) * inv_std = xhat``::

        dx = inv_std * (g - sum(g) / m - xhat * sum(g * xhat) / m)

    that is: inv_std times g without its mean and, as ``sum(xhat^2) = m`` but for epsilon, without
    its component along xhat, because the output cannot follow x in these two directions. (gamma is
    one number for a channel, so ``sum(g)`` is ``gamma * dbeta`` and ``sum(g * xhat)`` is
    ``gamma * dgamma``.) Evaluation uses running statistics, which are constants, so there
    ``dx = g * inv_std``, with dgamma and dbeta as above.

    Parameters
    ----------
    momentum : float in [0, 1)
        ``running = momentum * running + (1 - momentum) * batch`` after every training pass.
    epsilon : float > 0
        Keeps inv_std finite where a channel is constant.

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
            # In float64, and in two passes: the mean of x^2 less mean^2 would cancel far from zero.
            mean = x.mean(axis=self._axes(), dtype=np.float64)  # (C,)
            var = ((x - mean) ** 2).mean(axis=self._axes())
            self.follow(mean, var)
        else:
            mean, var = self.state["mean"], self.state["var"]
        inv_std = (1 / np.sqrt(var + self.epsilon)).astype(self.dtype)
        xhat = ((x - mean) * inv_std).astype(self.dtype)
        self.cache = (xhat, inv_std, training)
        return self.params["gamma"] * xhat + self.params["beta"]

    def follow(self, mean: Array, var: Array) -> None:
        """Move the running statistics towards those of a batch."""
        for name, batch in (("mean", mean), ("var", var)):
            running = self.state[name]
            running += (1 - self.momentum) * (batch - running)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        xhat, inv_std, training = self.cache
        gamma = self.params["gamma"]  # (C,)
        dgamma = (dy * xhat).sum(axis=self._axes(), dtype=np.float64).astype(dy.dtype)
        dbeta = dy.sum(axis=self._axes(), dtype=np.float64).astype(dy.dtype)
        self.grads["gamma"][...], self.grads["beta"][...] = dgamma, dbeta
        if not training:
            return dy * gamma * inv_std
        m = dy.size // dy.shape[-1]
        return gamma * inv_std * (dy - dbeta / m - xhat * (dgamma / m))

    def _axes(self) -> tuple[int, ...]:
        """All but the channels."""
        return tuple(range(len(self.input_shape)))

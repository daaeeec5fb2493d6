"""The fully connected layer: one matrix product forward, two with transposed matrices backward."""

from __future__ import annotations

import numpy as np

from nnscratch.initializers import Initializer, check_initializer, glorot_uniform, initial_weights
from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.geometry import check_count


class Dense(Layer):
    """Every output is a weighted sum of all inputs: ``y = x W + b``.

    With N samples n, I inputs i, U outputs u, and ' for the transpose of a matrix. Backward, from
    ``y[n, u] = sum_i x[n, i] W[i, u] + b[u]``::

        dW[i, u] = sum_n x[n, i] dy[n, u]   =>  dW = x' dy
        db[u]    = sum_n dy[n, u]
        dx[n, i] = sum_u dy[n, u] W[i, u]   =>  dx = dy W'

    Parameters
    ----------
    units : int
        Outputs U.
    kernel_initializer : function of `nnscratch.initializers`

    Attributes
    ----------
    params : ``W (I, U)``, ``b (U,)``

    Raises
    ------
    ValueError
        If units is not a positive int; at build, if the inputs are not vectors, or W too large.
    TypeError
        If the initialiser is no function.

    Notes
    -----
    Input (N, I), output (N, U). Source: Goodfellow, Bengio & Courville, "Deep Learning", 2016,
    section 6.5.
    """

    def __init__(self, units: int, kernel_initializer: Initializer = glorot_uniform) -> None:
        super().__init__()
        self.units = check_count(units, "units")
        self.kernel_initializer = check_initializer(kernel_initializer)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(
                f"expected vectors of shape (I,), got {tuple(input_shape)}; put Flatten() before "
                "this layer."
            )
        return (self.units,)

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        inputs = self.input_shape[0]
        shape = (inputs, self.units)
        W = initial_weights(self.kernel_initializer, shape, inputs, self.units, rng)
        return {"W": W, "b": np.zeros(self.units)}

    def multiply_adds(self) -> int:
        return self.params["W"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, I)
        self.cache = (x,)
        return x @ self.params["W"] + self.params["b"]  # (N, U)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, U)
        (x,) = self.cache
        self.grads["W"][...] = x.T @ dy  # (I, U)
        self.grads["b"][...] = dy.sum(axis=0)  # (U,)
        return dy @ self.params["W"].T  # (N, I)

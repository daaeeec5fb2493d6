"""MAP inference in the open: the loop of `nnscratch.map_inference`, one step at a time.

`map_estimate` runs to the end and gives back the code it found. Here one `step` is one iteration,
so that somebody can watch where the code goes in between. A step is what training does, turned
around: the gradient goes through the same layers, but past all weights to the input, and Adam
moves the code.
"""

from __future__ import annotations

from nnscratch.layers import Sequential
from nnscratch.layers.wanted import input_gradient_only
from nnscratch.optimizers import Adam
from nnscratch.training import Array


class Search:
    """The search for ``argmin_z ||x - g(z)||^2 + beta ||z||^2`` through a frozen decoder g.

    Parameters
    ----------
    decoder : Sequential
        g; in evaluation mode, and its parameters stay as they are.
    x : array (H, W, 1)
        The image to explain.
    start : array (d,)
        Where z begins.
    beta : float >= 0
    learning_rate : float > 0
        Of Adam.

    Attributes
    ----------
    z : array (d,)
        The code after the latest step.
    objectives : list of float
        Before each step, the objective at the code it started from.

    References
    ----------
    Bora et al., "Compressed sensing using generative models", ICML 2017, where beta is lambda.
    """

    def __init__(
        self, decoder: Sequential, x: Array, start: Array, beta: float, learning_rate: float
    ) -> None:
        self.decoder, self.x, self.beta = decoder, x, beta
        self.z = start.copy()
        self.optimizer = Adam(learning_rate)
        self.objectives: list[float] = []

    def step(self) -> None:
        """One iteration: down to the image, back to the code, and a step of Adam."""
        code = self.z.reshape(1, *self.decoder.input_shape)
        with input_gradient_only(self.decoder):
            difference = self.decoder.forward(code)[0] - self.x  # (H, W, 1)
            dz = self.decoder.backward(2 * difference[None]).ravel()  # (d,)
        dz = dz + 2 * self.beta * self.z
        self.objectives.append(float((difference**2).sum() + self.beta * (self.z**2).sum()))
        self.optimizer.step({"z": self.z}, {"z": dz})

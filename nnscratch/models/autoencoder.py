"""The autoencoder: an image through a small code to an image again, and the gradient back."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers.base import Array, Composite, Shape, all_parts
from nnscratch.layers.sequential import Sequential
from nnscratch.randomness import check_independent


class Autoencoder(Composite):
    """Two networks in a row, trained to give back their input through a small code.

    Forward ``z = f(x)``, ``y = g(z)``, with an encoder f and a decoder g; backward by the chain
    rule, ``dz = g.backward(dy)``, ``dx = f.backward(dz)``. The two halves stay usable on their own:
    ``encoder.forward`` gives codes, ``decoder.forward`` makes images from codes that no image had.

    Parameters
    ----------
    encoder, decoder : Sequential
        The decoder's input shape must be the encoder's output shape, and their dtypes equal.

    Raises
    ------
    ValueError, TypeError
        If the two do not fit, are no Sequentials, or were drawn from the same random numbers.

    References
    ----------
    Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science
    313, 2006.
    """

    def __init__(self, encoder: Sequential, decoder: Sequential) -> None:
        for half in (encoder, decoder):
            if not isinstance(half, Sequential):
                raise TypeError(f"encoder and decoder must be Sequentials, got {half!r}.")
        super().__init__({"encoder": encoder, "decoder": decoder})
        if encoder.built_shape != decoder.input_shape or encoder.dtype != decoder.dtype:
            raise ValueError(
                f"the encoder gives {encoder.dtype} codes of shape {encoder.built_shape} but the "
                f"decoder takes {decoder.dtype} ones of {decoder.input_shape}; they must agree."
            )
        check_independent(all_parts(self))
        self.encoder, self.decoder = encoder, decoder
        self.input_shape, self.built_shape = encoder.input_shape, decoder.built_shape
        self.dtype = encoder.dtype

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        """Draw all weights anew."""
        code_shape = self.encoder.build(input_shape, rng, dtype)
        self.built_shape = self.decoder.build(code_shape, rng, dtype)
        self.input_shape, self.dtype = self.encoder.input_shape, self.encoder.dtype
        return self.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.decoder.output_shape(self.encoder.output_shape(input_shape))

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        z = self.encoder.forward(x, training)
        y = self.decoder.forward(z, training)
        self.cache = (z.shape,)
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        dz = self.decoder.backward(dy)
        dx = self.encoder.backward(dz)
        return dx

    def entrance(self) -> Sequential:
        return self.encoder

    def summary(self) -> None:
        """Print both halves; see `Sequential.summary`."""
        for name, half in self.parts.items():
            print(f"-- {name}")
            half.summary()  # type: ignore[attr-defined]

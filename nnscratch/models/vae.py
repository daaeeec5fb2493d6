"""The variational autoencoder: an encoder that is unsure, and says how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers.base import Array, Composite, Layer, Shape, all_parts
from nnscratch.layers.dense import Dense
from nnscratch.layers.geometry import check_count
from nnscratch.layers.sampling import GaussianSampling
from nnscratch.layers.sequential import Sequential
from nnscratch.randomness import check_independent, stream
from nnscratch.stand_ins import one_call


class VAE(Composite):
    """x -> h -> (mu, logvar) -> z = mu + std * eps -> y, trained to maximise the ELBO.

    (The evidence lower bound, a number that the log-probability of an image is never below.) The
    encoder does not give a code but a distribution over codes, N(mu, std^2), from two heads (dense
    layers), and the decoder sees a sample of it, with eps ~ N(0, 1). The loss for one image has two
    parts (`nnscratch.models.NegativeELBO`), a reconstruction error R and the divergence of that
    distribution from the prior N(0, 1)::

        L = R(y, x) + w KL        KL = 1/2 sum(mu^2 + std^2 - 1 - logvar),  std^2 = exp(logvar)

    For a batch it is averaged over the N images, so all gradients below have a factor 1 / N.

    Backward, step by step. The decoder turns dy = dR/dy into dz. A sample depends on both heads::

        z = mu + exp(logvar / 2) * eps
        dmu     = dz
        dlogvar = dz * eps * std / 2

    KL depends on both heads directly, not through z or y, so its gradient is handed to backward
    beside dy, and added::

        dmu     += w mu
        dlogvar += w (std^2 - 1) / 2

    Both heads read the same h, so both send a gradient to it: dh is their sum, and the encoder
    turns dh into dx.

    Parameters
    ----------
    encoder : Sequential
        Images -> h (F,), what both heads read.
    latent : int
        d, how many numbers a code has.
    decoder : Sequential
        Codes (d,) -> images.
    seed : int or sequence of int
        Of both heads' weights and of the noise, each of which has a stream of its own.
    logvar_limits : (low, high)
        A logvar outside is set to the nearer of the two, and no gradient goes through it, as the
        derivative of that is 0. By default there are no limits. Limits such as (-30, 20) keep
        exp(logvar) finite in float32.

    Attributes
    ----------
    mu, logvar : arrays (N, d)
        Of the latest forward pass; at first one code at the prior, whose KL is 0.
    output : array (N, H, W, C) or None
        What the latest forward pass returned.

    Raises
    ------
    ValueError, TypeError
        If the parts do not fit, are no Sequentials, or were drawn from the same random numbers, or
        low is not below high.

    References
    ----------
    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, sections 2.3, 2.4, appendix B.
    Limits: Rombach et al., "High-resolution image synthesis with latent diffusion models", CVPR
    2022, whose code clips so.
    """

    def __init__(
        self,
        encoder: Sequential,
        latent: int,
        decoder: Sequential,
        seed: int | Sequence[int] = 0,
        logvar_limits: tuple[float, float] = (-np.inf, np.inf),
    ) -> None:
        for half in (encoder, decoder):
            if not isinstance(half, Sequential):
                raise TypeError(f"encoder and decoder must be Sequentials, got {half!r}.")
        self.encoder, self.decoder = encoder, decoder
        self.mean_head, self.logvar_head = Dense(latent), Dense(latent)
        self.sampling = GaussianSampling()
        low, high = logvar_limits
        if not low < high:
            raise ValueError(f"logvar_limits are {low} and {high}; the first must be below.")
        self.logvar_limits = float(low), float(high)
        super().__init__(
            {
                "encoder": encoder,
                "mean": self.mean_head,
                "logvar": self.logvar_head,
                "sampling": self.sampling,
                "decoder": decoder,
            }
        )
        if len(encoder.built_shape) != 1:
            raise ValueError(
                f"the encoder gives {encoder.built_shape}; the heads read a row of numbers (F,), "
                "so let it end with Flatten()."
            )
        if decoder.input_shape != (latent,) or encoder.dtype != decoder.dtype:
            raise ValueError(
                f"the decoder takes {decoder.dtype} codes of {decoder.input_shape} but the heads "
                f"give {encoder.dtype} ones of {(latent,)}; they must agree."
            )
        self._build_heads(*(stream(seed, use) for use in ("mean", "logvar", "sampling")))
        check_independent(all_parts(self))

    def _build_heads(self, *rngs: np.random.Generator) -> None:
        h_shape, self.dtype = self.encoder.built_shape, self.encoder.dtype
        (d,) = self.mean_head.build(h_shape, rngs[0], self.dtype)
        self.logvar_head.build(h_shape, rngs[1], self.dtype)
        self.sampling.build((2 * d,), rngs[2], self.dtype)
        self.input_shape, self.built_shape = self.encoder.input_shape, self.decoder.built_shape
        self.mu = self.logvar = np.zeros((1, d), self.dtype)
        self.output: Array | None = None  # of the latest forward pass

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        """Draw all weights anew."""
        self.encoder.build(input_shape, rng, dtype)
        self.decoder.build(self.decoder.input_shape, rng, dtype)
        self._build_heads(rng, rng, rng)
        return self.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        self.encoder.output_shape(input_shape)  # which raises if it cannot take it
        return self.decoder.output_shape(self.decoder.input_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Images (N, H, W, C) -> images; z is drawn in training, in evaluation it is mu."""
        self.check_input(x)
        h = self.encoder.forward(x, training)  # (N, F)
        self.mu = self.mean_head.forward(h, training)  # (N, d)
        logvar = self.logvar_head.forward(h, training)  # (N, d)
        self.logvar = np.clip(logvar, *self.logvar_limits)
        code = np.concatenate([self.mu, self.logvar], axis=1)  # (N, 2d)
        z = self.sampling.forward(code, training)  # (N, d)
        y = self.decoder.forward(z, training)
        self.output = y
        self.cache = (logvar == self.logvar,)
        return y

    def backward(self, dy: Array, dmu: Array | float = 0.0, dlogvar: Array | float = 0.0) -> Array:
        """dL/dx, from dL/dy and the gradients of what else the loss takes, the two heads' outputs.

        ``value, (dy, dmu, dlogvar) = NegativeELBO(model)(y, x)`` gives all three.
        """
        self.check_gradient(dy)
        dz = self.decoder.backward(dy)
        dcode = self.sampling.backward(dz)
        (within,) = self.cache
        dmu_of_z, dlogvar_of_z = np.split(dcode, 2, axis=1)
        dmu = dmu_of_z + dmu
        dlogvar = (dlogvar_of_z + dlogvar) * within
        dh = self.mean_head.backward(np.ascontiguousarray(dmu))
        dh = dh + self.logvar_head.backward(np.ascontiguousarray(dlogvar))
        dx = self.encoder.backward(dh)
        return dx

    @one_call()
    def encode(self, x: Array, batch_size: int = 500) -> tuple[Array, Array]:
        """The distributions of codes, mu and logvar (N, d), in evaluation mode, batch by batch."""
        self.check_input(x)
        mu, logvar = (np.empty((len(x), self.mu.shape[1]), self.dtype) for _ in range(2))
        for start in range(0, len(x), check_count(batch_size, "batch_size")):
            batch = slice(start, start + batch_size)
            h = self.encoder.forward(x[batch])
            mu[batch], logvar[batch] = self.mean_head.forward(h), self.logvar_head.forward(h)
        self.forget()
        return mu, np.clip(logvar, *self.logvar_limits)

    def forget(self) -> None:
        super().forget()
        self.output = None

    def entrance(self) -> Layer:
        return self.encoder

    def summary(self) -> None:
        """Print encoder and decoder; see `Sequential.summary`."""
        for name, half in (("encoder", self.encoder), ("decoder", self.decoder)):
            print(f"-- {name}")
            half.summary()
        print(f"-- heads: {self.encoder.built_shape[0]} -> mu, logvar ({self.mu.shape[1]} each)")

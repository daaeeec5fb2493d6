"""The variational autoencoder: an encoder that is unsure, and says how much."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers.base import Array, Composite, Layer, Sequential, Shape, all_parts
from nnscratch.layers.dense import Dense
from nnscratch.layers.sampling import GaussianSampling
from nnscratch.losses import gaussian_kl, mse
from nnscratch.randomness import check_independent, stream


class VAE(Composite):
    """x -> h -> (mu, logvar) -> z = mu + s * eps -> y, trained to maximise the ELBO.

    (The evidence lower bound, a number that the log-probability of an image is never below.) The
    encoder does not give a code but a distribution over codes, N(mu, s^2), from two heads (dense
    layers), and the decoder sees a sample of it, with eps ~ N(0, 1). The loss for one image has two
    parts (`NegativeELBO`), a reconstruction error R and the divergence of that distribution from
    the prior N(0, 1)::

        L = R(y, x) + w KL        KL = 1/2 sum(mu^2 + s^2 - 1 - logvar),  s^2 = exp(logvar)

    For a batch it is averaged over the N images, so all gradients below have a factor 1 / N.

    Backward, step by step. The decoder turns dy = dR/dy into dz. A sample depends on both heads::

        z = mu + exp(logvar / 2) * eps
        dmu     = dz
        dlogvar = dz * eps * s / 2

    KL depends on both heads directly, not through z or y, so its gradient comes in here, added::

        dmu     += w mu
        dlogvar += w (s^2 - 1) / 2

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

    Attributes
    ----------
    mu, logvar : arrays (N, d)
        Of the latest forward pass; at first one code at the prior, whose KL is 0.
    kl_gradient : (dmu, dlogvar) or None
        What `NegativeELBO` leaves here for the next backward pass. Every forward pass removes it,
        so without that loss ``backward`` is the gradient of y alone, as for any layer.

    Raises
    ------
    ValueError, TypeError
        If the parts do not fit, are no Sequentials, or were drawn from the same random numbers.

    References
    ----------
    Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014, sections 2.3, 2.4, appendix B.
    """

    def __init__(
        self, encoder: Sequential, latent: int, decoder: Sequential, seed: int | list[int] = 0
    ) -> None:
        for half in (encoder, decoder):
            if not isinstance(half, Sequential):
                raise TypeError(f"encoder and decoder must be Sequentials, got {half!r}.")
        self.encoder, self.decoder = encoder, decoder
        self.mean_head, self.logvar_head = Dense(latent), Dense(latent)
        self.sampling = GaussianSampling()
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
        self.kl_gradient: tuple[Array, Array] | None = None

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
        self.logvar = self.logvar_head.forward(h, training)  # (N, d)
        code = np.concatenate([self.mu, self.logvar], axis=1)  # (N, 2d)
        z = self.sampling.forward(code, training)  # (N, d)
        y = self.decoder.forward(z, training)
        self.kl_gradient = None
        self.cache = (z.shape,)
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        dz = self.decoder.backward(dy)
        dcode = self.sampling.backward(dz)
        dmu, dlogvar = np.split(dcode, 2, axis=1)
        if self.kl_gradient is not None:
            dmu = dmu + self.kl_gradient[0]
            dlogvar = dlogvar + self.kl_gradient[1]
        dh = self.mean_head.backward(np.ascontiguousarray(dmu))
        dh = dh + self.logvar_head.backward(np.ascontiguousarray(dlogvar))
        dx = self.encoder.backward(dh)
        return dx

    def encode(self, x: Array) -> tuple[Array, Array]:
        """The distributions of codes, mu and logvar (N, d), in evaluation mode."""
        h = self.encoder.forward(x)
        return self.mean_head.forward(h), self.logvar_head.forward(h)

    def entrance(self) -> Layer:
        return self.encoder

    def summary(self) -> None:
        """Print encoder and decoder; see `Sequential.summary`."""
        for name, half in (("encoder", self.encoder), ("decoder", self.decoder)):
            print(f"-- {name}")
            half.summary()
        print(f"-- heads: {self.encoder.built_shape[0]} -> mu, logvar ({self.mu.shape[1]} each)")


class NegativeELBO:
    """The loss of a `VAE`: ``R + w KL``, summed within an image, averaged over the batch.

    With w = 1 and R minus the log-likelihood (`nnscratch.losses.binary_crossentropy` of logits),
    this is minus the evidence lower bound in nats. With R the squared error and another w it is,
    up to constants, the bound for pixels with Gaussian noise of variance w / 2, times w.

    Parameters
    ----------
    model : VAE
        Whose latest forward pass gave the outputs that this is called with.
    kl_weight : float >= 0
        w.
    reconstruction : function (y, target, reduction) -> (value, dy)
        R; by default the squared error, summed over the pixels.

    Raises
    ------
    ValueError
        If the weight is negative.

    References
    ----------
    Kingma & Welling, ICLR 2014, Eqs. 7 and 10; Higgins et al., "beta-VAE", ICLR 2017, Eq. 4.
    """

    def __init__(
        self,
        model: VAE,
        kl_weight: float = 1.0,
        reconstruction: Callable[..., tuple[float, Array]] = mse,
    ) -> None:
        if not kl_weight >= 0:
            raise ValueError(f"kl_weight is {kl_weight}; it must not be negative.")
        self.model, self.kl_weight = model, float(kl_weight)
        self.reconstruction = reconstruction
        self.__name__ = f"{reconstruction.__name__} + {self.kl_weight:g} KL"

    def __call__(self, y: Array, target: Array) -> tuple[float, Array]:
        """The loss and dR/dy; the gradient of KL is left in ``model.kl_gradient``."""
        value, dy = self.reconstruction(y, target, reduction="batch_mean")
        kl, (dmu, dlogvar) = gaussian_kl(self.model.mu, self.model.logvar)
        self.model.kl_gradient = self.kl_weight * dmu, self.kl_weight * dlogvar
        return value + self.kl_weight * kl, dy


def elbo_terms(
    model: VAE,
    x: Array,
    rng: np.random.Generator,
    reconstruction: Callable[..., tuple[float, Array]] = mse,
    batch_size: int = 500,
) -> dict[str, float]:
    """Both parts of the loss over all images, in evaluation mode.

    Parameters
    ----------
    model : VAE
    x : array (N, H, W, C)
        Images, at least one.
    rng : numpy.random.Generator
        Of the noise eps.
    reconstruction : function (y, target, reduction) -> (value, dy)
    batch_size : int
        How many images at once.

    Returns
    -------
    dict
        ``reconstruction``, at a sample z of each image, and ``kl``; each summed within an image
        and averaged over the images. (At mu: `nnscratch.training.evaluate`.)
    """
    totals = {"reconstruction": 0.0, "kl": 0.0}
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        mu, logvar = model.encode(batch)
        noise = rng.standard_normal(mu.shape).astype(mu.dtype)
        y = model.decoder.forward(mu + np.exp(logvar / 2) * noise)
        totals["reconstruction"] += reconstruction(y, batch, reduction="sum")[0]
        totals["kl"] += gaussian_kl(mu, logvar, reduction="sum")[0]
    model.forget()
    return {key: total / len(x) for key, total in totals.items()}

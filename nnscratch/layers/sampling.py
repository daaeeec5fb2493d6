"""The reparameterisation trick: sampling that a gradient can pass through."""

from __future__ import annotations

import numpy as np

from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.noise import draw_generator, make_noise_state


class GaussianSampling(Layer):
    """Draw ``z ~ N(mu, std^2)`` as ``z = mu + std * eps`` with ``eps ~ N(0, 1)`` from outside.

    The input holds what both heads (the last layers) of an encoder give, side by side on the last
    axis: first d means mu, then d numbers ``logvar = log std^2``, std being the standard deviation;
    so ``std = exp(logvar / 2)``, not ``exp(logvar)``. With eps held fixed z is a smooth function of
    them::

        dmu     = dz
        dlogvar = dz * eps * dstd/dlogvar = dz * eps * std / 2

    Attributes
    ----------
    state : ``key (1,)``, ``draws (1,)``
        See `nnscratch.layers.noise`.

    Raises
    ------
    ValueError
        At build, if the last axis cannot be halved; in forward, if eps has another shape than z.
    TypeError
        In forward, if eps is no array, or of another dtype than the model.

    Notes
    -----
    Input (N, ..., 2d), output (N, ..., d). Source: Kingma & Welling, "Auto-encoding variational
    Bayes", ICLR 2014, section 2.4.
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] < 2 or input_shape[-1] % 2:
            raise ValueError(
                f"expected mu and logvar side by side, (..., 2 * d), got {tuple(input_shape)}; "
                "make the layer before it twice as wide as the latent space."
            )
        return (*input_shape[:-1], input_shape[-1] // 2)

    def make_state(self, rng: np.random.Generator) -> dict[str, Array]:
        return make_noise_state(rng)

    def forward(self, x: Array, training: bool = False, eps: Array | None = None) -> Array:
        """Sample.

        Parameters
        ----------
        x : array (N, ..., 2d)
            mu and logvar.
        training : bool
            Draw eps; evaluation gives z = mu, whatever std is.
        eps : array (N, ..., d), optional
            The noise to use, whatever ``training`` says.

        Returns
        -------
        z : array (N, ..., d)
        """
        self.check_input(x)
        d = self.built_shape[-1]
        mu, logvar = x[..., :d], x[..., d:]
        if eps is None and training:
            self.check_kept("state", written=True)
            eps = draw_generator(self.state).standard_normal(mu.shape).astype(x.dtype)
        elif eps is None:  # not eps = 0: 0 times an infinite std would be NaN
            self.cache = (None, None)
            return mu.copy()
        else:
            self.check_array("eps", eps, mu.shape)
        std = np.exp(logvar / 2)
        self.cache = (eps, std)
        return mu + std * eps

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # dz (N, ..., d)
        eps, std = self.cache
        dmu = dy
        dlogvar = np.zeros_like(dy) if eps is None else dy * eps * std / 2
        return np.concatenate([dmu, dlogvar], axis=-1)

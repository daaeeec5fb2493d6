"""The loss of a variational autoencoder: a reconstruction error and a divergence, weighted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnscratch.layers.base import Array
from nnscratch.layers.geometry import check_count
from nnscratch.losses import gaussian_kl, mse
from nnscratch.models.vae import VAE
from nnscratch.stand_ins import one_call, stand_in


class NegativeELBO:
    """The loss of a `VAE`: ``R + w KL``, summed within an image, averaged over the batch.

    With w = 1 and R minus the log-likelihood (`nnscratch.losses.binary_crossentropy` of logits),
    this is minus the evidence lower bound in nats. With R the squared error and another w it is,
    up to constants, the bound for pixels with Gaussian noise of variance w / 2, times w.

    Parameters
    ----------
    model : VAE
        Whose latest forward pass gave the outputs that this is called with.
    kl_weight : float >= 0, or function of the step number
        w. A function, such as `linear_warmup`, is given 0 in the first step of training. Steps are
        counted by the model's ``sampling.state``, so a resumed run goes on where it was. A
        validation loss is that with the weight of the moment, so losses of two epochs cannot be
        compared before the weight has come to rest.
    reconstruction : function (y, target, reduction) -> (value, dy)
        R; by default the squared error, summed over the pixels.

    Raises
    ------
    ValueError
        If the weight is negative; when called, if the outputs are not those of the model's latest
        forward pass. With a copy of the model they are not, and that copy would be trained without
        the divergence.

    References
    ----------
    Kingma & Welling, ICLR 2014, Eqs. 7 and 10; Higgins et al., "beta-VAE", ICLR 2017, Eq. 4.
    """

    def __init__(
        self,
        model: VAE,
        kl_weight: float | Callable[[int], float] = 1.0,
        reconstruction: Callable[..., tuple[float, Array]] = mse,
    ) -> None:
        self.model, self.kl_weight, self.reconstruction = model, kl_weight, reconstruction
        name = (
            getattr(kl_weight, "__name__", kl_weight)
            if callable(kl_weight)
            else f"{self.weight():g}"
        )
        self.__name__ = f"{reconstruction.__name__} + {name} KL"

    def weight(self) -> float:
        """w in the latest training pass, or in the first if there was none yet."""
        draws = int(self.model.sampling.state["draws"][0])  # one a training pass
        weight = self.kl_weight
        weight = float(weight(max(draws - 1, 0)) if callable(weight) else weight)
        if not 0 <= weight < np.inf:
            raise ValueError(f"kl_weight is {weight:g}; it must not be negative, infinite or NaN.")
        return weight

    def part_of_image(self, y: Array, target: Array) -> tuple[float, Array]:
        """R and dR/dy, of any outputs, whichever model they come from."""
        return stand_in(self.reconstruction)(y, target, reduction="batch_mean")

    def __call__(self, y: Array, target: Array) -> tuple[float, tuple[Array, Array, Array]]:
        """The loss and its gradients ``(dy, dmu, dlogvar)``, for ``model.backward``."""
        if self.model.output is None or not np.may_share_memory(y, self.model.output):
            raise ValueError(
                "NegativeELBO was given outputs that are not of the latest forward pass of its "
                "model, whose mu and logvar it takes. Make one with the model that you train, "
                "NegativeELBO(model), and call it with what model.forward returned."
            )
        w = self.weight()
        value, dy = self.part_of_image(y, target)
        kl, (dmu, dlogvar) = gaussian_kl(self.model.mu, self.model.logvar)
        return value + w * kl, (dy, w * dmu, w * dlogvar)


def linear_warmup(weight: float, steps: int) -> Callable[[int], float]:
    """A KL weight that rises from 0 to ``weight`` along a line, in ``steps`` steps.

    In step t, counted from 0, it is ``weight * min(t / steps, 1)``. Early in training a code says
    little about its image, so that the divergence, which is lowest if a code says nothing, can
    push latents to the prior before the decoder has learnt to use them. A small weight at first
    lets the decoder do so.

    Raises
    ------
    ValueError, TypeError
        If ``steps`` is no whole number of at least 1, or the weight is negative.

    References
    ----------
    Bowman et al., "Generating sentences from a continuous space", CoNLL 2016, section 3.1 (there
    along a sigmoid); Sønderby et al., "Ladder variational autoencoders", NIPS 2016, section 2.3.
    """
    check_count(steps, "steps")
    if not weight >= 0:
        raise ValueError(f"linear_warmup: weight is {weight}; it must not be negative.")

    def kl_weight(step: int) -> float:
        return weight * min(step / steps, 1)

    kl_weight.__name__ = f"linear_warmup({weight:g}, {steps})"
    return kl_weight


@one_call()
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
        totals["reconstruction"] += stand_in(reconstruction)(y, batch, reduction="sum")[0]
        totals["kl"] += gaussian_kl(mu, logvar, reduction="sum")[0]
    model.forget()
    return {key: total / len(x) for key, total in totals.items()}

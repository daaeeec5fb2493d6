"""Networks that are more than one chain of layers."""

from nnscratch.models.autoencoder import Autoencoder
from nnscratch.models.vae import VAE, NegativeELBO, elbo_terms

__all__ = ["VAE", "Autoencoder", "NegativeELBO", "elbo_terms"]

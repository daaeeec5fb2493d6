"""Networks that are more than one chain of layers."""

from nnscratch.models.autoencoder import Autoencoder
from nnscratch.models.unet import UNet
from nnscratch.models.vae import VAE, NegativeELBO, elbo_terms

__all__ = ["VAE", "Autoencoder", "NegativeELBO", "UNet", "elbo_terms"]

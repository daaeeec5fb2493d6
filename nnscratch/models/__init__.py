"""Networks that are more than one chain of layers, so that their backward must be written out."""

from nnscratch.models.autoencoder import Autoencoder
from nnscratch.models.elbo import NegativeELBO, elbo_terms, linear_warmup
from nnscratch.models.unet import UNet
from nnscratch.models.vae import VAE

__all__ = ["VAE", "Autoencoder", "NegativeELBO", "UNet", "elbo_terms", "linear_warmup"]

"""Networks that are more than one chain of layers."""

from nnscratch.models.autoencoder import Autoencoder

__all__ = ["Autoencoder"]

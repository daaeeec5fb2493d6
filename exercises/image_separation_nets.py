"""The networks of the separation exercise: a U-Net, and what is left of it without its skips.

The U-Net hands the average across at every size, so its decoders need not draw the picture but
only say what in it belongs to whom. In the autoencoder everything has to pass through the
bottleneck, in the VAE through a noisy code besides.
"""

from __future__ import annotations

from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
)
from nnscratch.layers.base import Shape
from nnscratch.models import VAE, Autoencoder, UNet

FILTERS, BOTTLENECK = (16, 32, 64, 128), 256  # half of what the report has
REPORT_FILTERS, REPORT_BOTTLENECK = (32, 64, 128, 256), 512
LATENT = 256


def unet(shape: Shape, seed: int) -> UNet:
    """The report's network with half its filters, which trains almost four times as fast."""
    return UNet(shape, FILTERS, BOTTLENECK, seed)


def report_unet(shape: Shape, seed: int) -> UNet:
    """The report's network."""
    return UNet(shape, REPORT_FILTERS, REPORT_BOTTLENECK, seed)


def autoencoder(shape: Shape, seed: int) -> Autoencoder:
    """The encoder of `unet` and one decoder without skips that draws both images."""
    encoder = Sequential([*down(), *convolutions(BOTTLENECK)], shape, [seed, 0])
    decoder = Sequential(up(2 * shape[-1]), encoder.built_shape, [seed, 1])
    return Autoencoder(encoder, decoder)


def vae(shape: Shape, seed: int) -> VAE:
    """The same with a code of 256 numbers and its noise in the middle."""
    encoder = Sequential([*down(), *convolutions(BOTTLENECK), Flatten()], shape, [seed, 0])
    low = (shape[0] // 2 ** len(FILTERS), shape[1] // 2 ** len(FILTERS), BOTTLENECK)
    layers = [Dense(low[0] * low[1] * low[2]), ReLU(), Reshape(low), *up(2 * shape[-1])]
    return VAE(encoder, LATENT, Sequential(layers, (LATENT,), [seed, 1]), [seed, 2])


def convolutions(filters: int) -> list[Layer]:
    """What the U-Net has at every level."""
    return [
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
    ]


def down() -> list[Layer]:
    """From the image to the bottleneck."""
    layers: list[Layer] = []
    for filters in FILTERS:
        layers += [*convolutions(filters), MaxPooling2D(2)]
    return layers


def up(channels: int) -> list[Layer]:
    """From the bottleneck to an image."""
    layers: list[Layer] = []
    for filters in reversed(FILTERS):
        layers += [Conv2DTranspose(filters, 2, strides=2), *convolutions(filters)]
    return [*layers, Conv2D(channels, 1)]

"""The networks of the separation exercise: a U-Net, and what is left of it without its skips.

The U-Net hands what it sees across beside the bottleneck (its narrowest place), by its skips, so
its decoders need not draw the picture but only say what in it belongs to whom. In the autoencoder
everything has to pass through the bottleneck, in the VAE through a noisy code besides. The
bottleneck is dense: to recognise an image is to compare all of it with what is known.
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
from nnscratch.models.unet import two_convolutions

FILTERS = (64,)  # of each level
WIDTH = 1024  # of the dense bottleneck
LOW_FILTERS = 64  # of the small images it gives
LATENT = 256  # of the VAE


def unet(shape: Shape, seed: int) -> UNet:
    """One encoder, two decoders, skips, and a dense bottleneck."""
    return UNet(shape, FILTERS, [*narrow(), *widen(shape)], seed)


def report_unet(shape: Shape, seed: int) -> UNet:
    """The report's network."""
    return UNet(shape, (32, 64, 128, 256), 512, seed)


def autoencoder(shape: Shape, seed: int) -> Autoencoder:
    """The encoder of `unet` and one decoder without skips that draws both images."""
    encoder = Sequential([*down(), *narrow()], shape, [seed, 0])
    decoder = Sequential([*widen(shape), *up(2 * shape[-1])], encoder.built_shape, [seed, 1])
    return Autoencoder(encoder, decoder)


def vae(shape: Shape, seed: int) -> VAE:
    """The same with a code of few numbers and its noise in the middle."""
    encoder = Sequential([*down(), *narrow()], shape, [seed, 0])
    decoder = Sequential([*widen(shape), *up(2 * shape[-1])], (LATENT,), [seed, 1])
    return VAE(encoder, LATENT, decoder, [seed, 2])


def narrow() -> list[Layer]:
    """The first half of the bottleneck, to a row of numbers."""
    return [Flatten(), Dense(WIDTH), BatchNormalization(), ReLU()]


def widen(shape: Shape) -> list[Layer]:
    """The second half, from there to small images."""
    low = (shape[0] // 2 ** len(FILTERS), shape[1] // 2 ** len(FILTERS), LOW_FILTERS)
    return [Dense(low[0] * low[1] * low[2]), ReLU(), Reshape(low)]


def down() -> list[Layer]:
    """From the image to the bottleneck."""
    layers: list[Layer] = []
    for filters in FILTERS:
        layers += [*two_convolutions(filters), MaxPooling2D(2)]
    return layers


def up(channels: int) -> list[Layer]:
    """From the bottleneck to an image."""
    layers: list[Layer] = []
    for filters in reversed(FILTERS):
        layers += [Conv2DTranspose(filters, 2, strides=2), *two_convolutions(filters)]
    return [*layers, Conv2D(channels, 1)]

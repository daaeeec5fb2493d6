"""The U-Net: down to a few pixels and up again, with a way across at every size."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.layers.activations import ReLU
from nnscratch.layers.base import Array, Composite, Layer, Shape
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.geometry import check_shape
from nnscratch.layers.normalization import BatchNormalization
from nnscratch.layers.pooling import MaxPooling2D
from nnscratch.layers.sequential import Sequential
from nnscratch.layers.summary import print_summary
from nnscratch.randomness import stream


class UNet(Composite):
    """One encoder and two decoders: an image in, two images out, side by side on the last axis.

    With D levels, level 0 being the largest image, the encoder computes ::

        h_0 = x
        s_i = down_i(h_i)              the skip of level i
        h_(i+1) = pool(s_i)            half the height and width
        b = bottleneck(h_D)            (no bias, here)

    and each of the two decoders, with weights of its own, from u_D = b back up ::

        e_i = up_i(u_(i+1))            twice the height and width: as s_i
        u_i = block_i([e_i, s_i])      [ , ] puts images side by side on the channel axis
        y = head(u_0)

    The result is [y_1, y_2]. ``down``, ``block`` and, if it is given as a number, ``bottleneck``
    are two 3x3 convolutions, each with batch normalisation and ReLU; ``pool`` is a 2x2 max
    pooling, ``up`` a transposed 2x2 convolution with stride 2, ``head`` a 1x1 convolution.

    Backward, step by step. What was put side by side is taken apart: dy = [dy_1, dy_2], and in each
    decoder ::

        du_0 = head.backward(dy)
        [de_i, ds_i] = block_i.backward(du_i)
        du_(i+1) = up_i.backward(de_i)

    What was read in several places gets the sum of what these places send back. Both decoders
    read b; both decoders and the pooling read s_i::

        db   = du_D of decoder 1 + du_D of decoder 2
        dh_D = bottleneck.backward(db)
        ds_i = ds_i of decoder 1 + ds_i of decoder 2 + pool.backward(dh_(i+1))
        dh_i = down_i.backward(ds_i)           and dx = dh_0

    Parameters
    ----------
    input_shape : (H, W, C)
        H and W must be multiples of 2^D.
    filters : D numbers
        Of each level, largest image first.
    bottleneck : int, or layers
        Filters of the two convolutions below the last level, or what to have in their place:
        layers, which are copied, from the images there to images of the same height and width.
    seed : int or sequence of int
        Of all weights.
    dtype : float32 or float64

    Raises
    ------
    ValueError
        If there is no level, a number of filters is not a positive int, the images cannot be halved
        D times, or the bottleneck changes their height or width.

    References
    ----------
    Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image segmentation",
    MICCAI 2015, Fig. 1; there with one decoder, "valid" convolutions and without normalisation.
    """

    def __init__(
        self,
        input_shape: Shape = (32, 32, 3),
        filters: Sequence[int] = (32, 64, 128, 256),
        bottleneck: int | Sequence[Layer] = 512,
        seed: int | Sequence[int] = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__({})
        self.filters, self.low = tuple(filters), bottleneck
        if not self.filters:
            raise ValueError("filters is empty; a U-Net needs at least one level.")
        self.build(input_shape, stream(seed, "u-net"), dtype)

    def build(self, input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike) -> Shape:
        """Make all parts, with freshly drawn weights."""
        self.built_shape = self.output_shape(input_shape)
        self.input_shape, self.dtype = check_shape(input_shape), np.dtype(dtype)
        self.downs: list[Sequential] = []
        self.pools: list[MaxPooling2D] = []
        shape = self.input_shape
        for width in self.filters:
            self.downs.append(_chain(two_convolutions(width), shape, rng, dtype))
            self.pools.append(MaxPooling2D(2))
            shape = self.pools[-1].build(self.downs[-1].built_shape, rng, dtype)
        low = two_convolutions(self.low) if isinstance(self.low, int) else copy.deepcopy(self.low)
        self.bottleneck = _chain(low, shape, rng, dtype)
        if self.bottleneck.built_shape[:-1] != shape[:-1]:
            raise ValueError(
                f"the bottleneck turns {shape} into {self.bottleneck.built_shape}; height and "
                "width must stay, so that the decoders come up to the size of the skips."
            )
        skips = [down.built_shape for down in self.downs]
        bottom, C = self.bottleneck.built_shape, self.input_shape[-1]
        self.decoders = [UNetDecoder(bottom, skips, C, rng, dtype) for _ in range(2)]
        parts: dict[str, Layer] = {}
        for i, (down, pool) in enumerate(zip(self.downs, self.pools, strict=True)):
            parts |= {f"down{i}": down, f"pool{i}": pool}
        parts["bottleneck"] = self.bottleneck
        parts |= {f"decoder{i}": decoder for i, decoder in enumerate(self.decoders)}
        self.set_parts(parts)
        self.cache = ()
        return self.built_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        input_shape = check_shape(input_shape)
        factor = 2 ** len(self.filters)
        if len(input_shape) != 3 or input_shape[0] % factor or input_shape[1] % factor:
            raise ValueError(
                f"a U-Net of {len(self.filters)} levels takes images (H, W, C) with H and W "
                f"multiples of {factor}, got {input_shape}."
            )
        H, W, C = input_shape
        return (H, W, 2 * C)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Images (N, H, W, C) -> pairs (N, H, W, 2C)."""
        self.check_input(x)
        skips = []
        h = x
        for down, pool in zip(self.downs, self.pools, strict=True):
            skips.append(down.forward(h, training))  # (N, H / 2^i, W / 2^i, filters[i])
            h = pool.forward(skips[-1], training)
        b = self.bottleneck.forward(h, training)
        y_1, y_2 = (decoder.forward(b, skips, training) for decoder in self.decoders)
        self.cache = (b.shape,)
        return np.concatenate([y_1, y_2], axis=-1)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        dy_1, dy_2 = (np.ascontiguousarray(half) for half in np.split(dy, 2, axis=-1))
        db_1, dskips_1 = self.decoders[0].backward(dy_1)
        db_2, dskips_2 = self.decoders[1].backward(dy_2)
        dh = self.bottleneck.backward(db_1 + db_2)
        for i in reversed(range(len(self.filters))):
            dskip = dskips_1[i] + dskips_2[i]
            dskip += self.pools[i].backward(dh)
            dh = self.downs[i].backward(dskip)
        return dh

    def entrance(self) -> Layer:
        return self.downs[0]

    def summary(self) -> None:
        """Print what each part costs for one sample; see `Sequential.summary`."""
        print_summary(self)


class UNetDecoder(Composite):
    """One of the two decoders of a `UNet`, where its passes are derived.

    It takes more than one array, so it is a part of that model only and no layer by itself.

    Parameters
    ----------
    low : (H, W, C)
        Shape of the bottleneck's result.
    skips : list of (H, W, C)
        Shapes of the skips, largest image first.
    channels : int
        Of the image that comes out.
    rng : numpy.random.Generator
        Of the weights.
    dtype : float32 or float64
    """

    def __init__(
        self,
        low: Shape,
        skips: list[Shape],
        channels: int,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ) -> None:
        super().__init__({})
        self.ups: list[Sequential] = []  # in the order of use: smallest image first
        self.blocks: list[Sequential] = []
        for i, (H, W, C) in reversed(list(enumerate(skips))):
            self.ups.append(_chain([Conv2DTranspose(C, 2, strides=2)], low, rng, dtype))
            self.blocks.append(_chain(two_convolutions(C), (H, W, 2 * C), rng, dtype))
            self.parts |= {f"up{i}": self.ups[-1], f"block{i}": self.blocks[-1]}
            low = self.blocks[-1].built_shape
        self.head = self.parts["head"] = _chain([Conv2D(channels, 1)], low, rng, dtype)
        self.built_shape = self.head.built_shape

    def forward(self, b: Array, skips: list[Array], training: bool = False) -> Array:  # type: ignore[override]
        u = b
        for up, block, skip in zip(self.ups, self.blocks, reversed(skips), strict=True):
            enlarged = up.forward(u, training)  # (N, H, W, C), as skip
            u = block.forward(np.concatenate([enlarged, skip], axis=-1), training)
        return self.head.forward(u, training)

    def backward(self, dy: Array) -> tuple[Array, list[Array]]:  # type: ignore[override]
        """dL/db, shaped like b, and dL/dskip of each skip, largest image first."""
        du = self.head.backward(dy)
        dskips = []
        for up, block in zip(reversed(self.ups), reversed(self.blocks), strict=True):
            denlarged, dskip = np.split(block.backward(du), 2, axis=-1)
            dskips.append(dskip)
            du = up.backward(np.ascontiguousarray(denlarged))
        return du, dskips


def two_convolutions(filters: int) -> list[Layer]:
    """What there is at every level: 3x3 convolutions with batch normalisation and ReLU."""
    return [
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
        *(Conv2D(filters, 3), BatchNormalization(), ReLU()),
    ]


def _chain(
    layers: Sequence[Layer], input_shape: Shape, rng: np.random.Generator, dtype: DTypeLike
) -> Sequential:
    return Sequential(layers, input_shape, int(rng.integers(2**63)), dtype)

"""Wrong models: gradients that get lost or mixed up between the parts of a U-Net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnscratch.layers import Layer
from nnscratch.models import UNet
from tests.gradcheck.mutants import mutant

Array = np.ndarray


def unet() -> UNet:
    """As small as one of two levels can be, for all its numbers are moved one by one."""
    return UNet((4, 4, 1), filters=(1, 2), bottleneck=1, seed=13, dtype=np.float64)


def with_wrong_part(model: UNet, part: Layer, wrong: Callable, dy: Array) -> Array:
    """The model's backward, with ``wrong`` applied to what that part's backward returns."""
    backward = part.backward
    part.backward = lambda dy: wrong(backward(dy))  # type: ignore[method-assign]
    try:
        return UNet.backward(model, dy)
    finally:
        del part.backward


@mutant(unet, (4, 4, 1), where="down0.0.conv2d.W", training=True)
def skips_of_one_decoder_detached(model: UNet, dy: Array) -> Array:
    def wrong(result: tuple[Array, list[Array]]) -> tuple[Array, list[Array]]:
        db, dskips = result
        return db, [np.zeros_like(dskip) for dskip in dskips]

    return with_wrong_part(model, model.decoders[1], wrong, dy)


@mutant(unet, (4, 4, 1), where="down1.0.conv2d.W", training=True)
def inner_skip_detached(model: UNet, dy: Array) -> Array:
    def wrong(result: tuple[Array, list[Array]]) -> tuple[Array, list[Array]]:
        db, (outer, inner) = result
        return db, [outer, 0 * inner]

    return with_wrong_part(model, model.decoders[0], wrong, dy)


@mutant(unet, (4, 4, 1), where="bottleneck.0.conv2d.W", training=True)
def second_decoder_forgotten_at_the_bottleneck(model: UNet, dy: Array) -> Array:
    def wrong(result: tuple[Array, list[Array]]) -> tuple[Array, list[Array]]:
        return 0 * result[0], result[1]

    return with_wrong_part(model, model.decoders[1], wrong, dy)


@mutant(unet, (4, 4, 1), where="decoder0.up0.0.conv2dtranspose.W", training=True)
def halves_of_a_concatenation_swapped(model: UNet, dy: Array) -> Array:
    def wrong(both: Array) -> Array:
        return np.concatenate(np.split(both, 2, axis=-1)[::-1], axis=-1)

    return with_wrong_part(model, model.decoders[0].blocks[-1], wrong, dy)


@mutant(unet, (4, 4, 1), where="down0.0.conv2d.W", training=True)
def pooling_forgotten_beside_the_skips(model: UNet, dy: Array) -> Array:
    return with_wrong_part(model, model.pools[0], np.zeros_like, dy)


@mutant(unet, (4, 4, 1), where="decoder0.head.0.conv2d.W", training=True)
def images_exchanged(model: UNet, dy: Array) -> Array:
    return UNet.backward(model, np.concatenate(np.split(dy, 2, axis=-1)[::-1], axis=-1))

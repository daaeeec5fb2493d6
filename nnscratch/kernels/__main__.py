"""Compile all kernels now: ``python -m nnscratch.kernels``. Otherwise each is when first used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from nnscratch import kernels
from nnscratch.kernels import (
    channels,
    compilation,
    pointwise,
    pooling,
    upsampling,
)
from nnscratch.kernels.convolution.blocks import Block, block_backward, block_forward
from nnscratch.kernels.launch import BLOCK
from nnscratch.progress import progress_bar
from nnscratch.streams import run_command

Array = np.ndarray
NO_PADS = ((0, 0), (0, 0))
LITTLE, MUCH = 4, BLOCK  # samples: for one thread, and for several


def convolution(dtype: type) -> None:
    for number in (16, 64):  # channels: weights for one thread, and for several
        _block(dtype, number, pooled=False)


def pooled_convolution(dtype: type) -> None:
    _block(dtype, 16, pooled=True)


def _block(dtype: type, C: int, pooled: bool) -> None:
    image = (4, 4, C)
    block = Block(image, image, (3, 3), (1, 1), (1, 1), (1, 1), False, pooled, pooled)
    x: Array = np.ones((2, *image), dtype)
    W: Array = np.ones((3, 3, C, C), dtype)
    y, winner = block_forward(block, x, W, np.ones(C, dtype))
    seen = y if pooled else None
    block_backward(block, x, seen, winner, y, W, want_dx=True, want_dW=True)


def all_pooling(dtype: type) -> None:
    for samples in (LITTLE, MUCH):
        x: Array = np.ones((samples, 2, 2, 1), dtype)
        for size, strides in (((2, 2), (2, 2)), ((2, 1), (1, 1)), ((2, 1), (2, 1))):
            y, winner = pooling.max_pool2d(x, size, strides, NO_PADS)
            pooling.max_pool2d_input_gradient(y, winner, (2, 2), size, strides, NO_PADS)
            y = pooling.average_pool2d(x, size, strides, NO_PADS)
            pooling.average_pool2d_input_gradient(y, (2, 2), size, strides, NO_PADS)


def all_upsampling(dtype: type) -> None:
    for samples in (LITTLE, MUCH):
        for interpolation in ("nearest", "bilinear"):
            y = upsampling.upsample2d(np.ones((samples, 2, 2, 1), dtype), (2, 2), interpolation)
            upsampling.upsample2d_input_gradient(y, (2, 2), interpolation)


def activations(dtype: type) -> None:
    for samples in (LITTLE, 2 * MUCH):
        x: Array = np.ones((samples, 1), dtype)
        pointwise.relu_input_gradient(*pointwise.relu(x))
        pointwise.leaky_relu_input_gradient(x, pointwise.leaky_relu(x, 0.5), 0.5)


def all_channels(dtype: type) -> None:
    one: Array = np.ones(1, dtype)
    for samples in (LITTLE, 2 * MUCH):
        x: Array = np.ones((samples, 1), dtype)
        channels.channel_moments(x)
        channels.normalize(x, one, one, one, one)
        channels.normalize_input_gradient(x, x, one, one)


def training(dtype: type) -> None:
    for samples in (LITTLE, 2 * MUCH):
        state: Array = np.ones((4, samples), dtype)
        p, g, m, v = state
        pointwise.squared_error(p, g, 1.0)
        pointwise.adam(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 0.0, 1)


GROUPS: tuple[Callable[[type], None], ...] = (
    convolution,
    pooled_convolution,
    all_pooling,
    all_upsampling,
    activations,
    all_channels,
    training,
)


def main() -> None:
    """Call every kernel once for float32 and float64, with a progress bar."""
    if compilation.FOLDER is None:
        sys.exit("Compiled kernels cannot be kept, as no folder is yours alone to write to.")
    kernels.use_kernels("compiled")
    compilation.OWN.said = True  # the bar says it better
    everything = [(group, dtype) for dtype in (np.float32, np.float64) for group in GROUPS]
    with progress_bar(everything, unit=" groups") as bar:
        for group, dtype in bar:
            what = f"{group.__name__.removeprefix('all_')} {dtype.__name__}"
            bar.set_description(what.replace("_", " ").ljust(29))
            group(dtype)
    print(f"The compiled kernels are kept in {compilation.FOLDER}")


if __name__ == "__main__":
    run_command(main)

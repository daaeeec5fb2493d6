"""Compile all kernels now: ``python -m nnscratch.kernels``. Otherwise each is when first used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from nnscratch import kernels
from nnscratch.kernels import (
    compilation,
    compiled_channels,
    compiled_pointwise,
    compiled_pooling,
    compiled_upsampling,
)
from nnscratch.kernels.compiled_blocks import Block, block_backward, block_forward
from nnscratch.kernels.launch import BLOCK
from nnscratch.progress import progress_bar
from nnscratch.streams import run_command

Array = np.ndarray
NO_PADS = ((0, 0), (0, 0))
LITTLE, MUCH = 4, BLOCK  # samples: for one thread, and for several


def convolution(dtype: type) -> None:
    for channels in (16, 64):  # weights for one thread, and for several
        _block(dtype, channels, pooled=False)


def pooled_convolution(dtype: type) -> None:
    _block(dtype, 16, pooled=True)


def _block(dtype: type, channels: int, pooled: bool) -> None:
    image = (4, 4, channels)
    block = Block(image, image, (3, 3), (1, 1), (1, 1), (1, 1), False, pooled, pooled)
    x: Array = np.ones((2, *image), dtype)
    W: Array = np.ones((3, 3, channels, channels), dtype)
    y, winner = block_forward(block, x, W, np.ones(channels, dtype))
    seen = y if pooled else None
    block_backward(block, x, seen, winner, y, W, want_dx=True, want_dW=True)


def pooling(dtype: type) -> None:
    for samples in (LITTLE, MUCH):
        x: Array = np.ones((samples, 2, 2, 1), dtype)
        for size, strides in (((2, 2), (2, 2)), ((2, 1), (1, 1)), ((2, 1), (2, 1))):
            y, winner = compiled_pooling.max_pool2d(x, size, strides, NO_PADS)
            compiled_pooling.max_pool2d_input_gradient(y, winner, (2, 2), size, strides, NO_PADS)
            y = compiled_pooling.average_pool2d(x, size, strides, NO_PADS)
            compiled_pooling.average_pool2d_input_gradient(y, (2, 2), size, strides, NO_PADS)


def upsampling(dtype: type) -> None:
    for samples in (LITTLE, MUCH):
        for interpolation in ("nearest", "bilinear"):
            y = compiled_upsampling.upsample2d(
                np.ones((samples, 2, 2, 1), dtype), (2, 2), interpolation
            )
            compiled_upsampling.upsample2d_input_gradient(y, (2, 2), interpolation)


def activations(dtype: type) -> None:
    for samples in (LITTLE, 2 * MUCH):
        x: Array = np.ones((samples, 1), dtype)
        compiled_pointwise.relu_input_gradient(*compiled_pointwise.relu(x))
        compiled_pointwise.leaky_relu_input_gradient(x, compiled_pointwise.leaky_relu(x, 0.5), 0.5)


def channels(dtype: type) -> None:
    one: Array = np.ones(1, dtype)
    for samples in (LITTLE, 2 * MUCH):
        x: Array = np.ones((samples, 1), dtype)
        compiled_channels.channel_moments(x)
        compiled_channels.normalize(x, one, one, one, one)
        compiled_channels.normalize_input_gradient(x, x, one, one)


def training(dtype: type) -> None:
    for samples in (LITTLE, 2 * MUCH):
        state: Array = np.ones((4, samples), dtype)
        p, g, m, v = state
        compiled_pointwise.squared_error(p, g, 1.0)
        compiled_pointwise.adam(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 0.0, 1)


GROUPS: tuple[Callable[[type], None], ...] = (
    convolution,
    pooled_convolution,
    pooling,
    upsampling,
    activations,
    channels,
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
            bar.set_description(f"{group.__name__} {dtype.__name__}".replace("_", " ").ljust(29))
            group(dtype)
    print(f"The compiled kernels are kept in {compilation.FOLDER}")


if __name__ == "__main__":
    run_command(main)

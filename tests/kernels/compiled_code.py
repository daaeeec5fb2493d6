"""The compiled functions, under the names that `numpy_code` has for what they compute."""

from __future__ import annotations

import numpy as np

from nnscratch.kernels.channels import (
    channel_moments,
    normalize,
    normalize_input_gradient,
)
from nnscratch.kernels.convolution.blocks import Block, block_backward, block_forward
from nnscratch.kernels.pointwise import (
    leaky_relu,
    leaky_relu_input_gradient,
    relu,
    relu_input_gradient,
    squared_error,
)
from nnscratch.kernels.pooling import (
    average_pool2d,
    average_pool2d_input_gradient,
    max_pool2d,
    max_pool2d_input_gradient,
)
from nnscratch.kernels.twins import adam_update
from nnscratch.kernels.upsampling import upsample2d, upsample2d_input_gradient
from tests.kernels.numpy_code import adam_at

__all__ = [
    "adam",
    "average_pool2d",
    "average_pool2d_input_gradient",
    "channel_moments",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "leaky_relu",
    "leaky_relu_input_gradient",
    "max_pool2d",
    "max_pool2d_input_gradient",
    "normalize",
    "normalize_input_gradient",
    "relu",
    "relu_input_gradient",
    "squared_error",
    "upsample2d",
    "upsample2d_input_gradient",
]

NO_WINNER = np.empty(0, np.uint8)


def _block(image, K, kernel, strides, pads):
    OH, OW = (
        (n + sum(pad) - k) // s + 1
        for n, k, s, pad in zip(image, kernel, strides, pads, strict=False)
    )
    before = pads[0][0], pads[1][0]
    return Block(image, (OH, OW, K), kernel, strides, before, (1, 1), False, False, False)


def conv2d(x, W, b, strides, pads):
    block = _block(x.shape[1:], W.shape[3], W.shape[:2], strides, pads)
    return block_forward(block, x, W, np.zeros(W.shape[3], W.dtype) if b is None else b)[0]


def conv2d_weight_gradient(x, dy, size, strides, pads):
    block = _block(x.shape[1:], dy.shape[3], size, strides, pads)
    W = np.zeros((*size, x.shape[3], dy.shape[3]), x.dtype)
    return block_backward(block, x, None, NO_WINNER, dy, W, want_dx=False, want_dW=True)[1]


def conv2d_input_gradient(dy, W, size, strides, pads):
    block = _block((*size, W.shape[2]), W.shape[3], W.shape[:2], strides, pads)
    x = np.zeros((len(dy), *size, W.shape[2]), dy.dtype)
    return block_backward(block, x, None, NO_WINNER, dy, W, want_dx=True, want_dW=False)[0]


def adam(p, g, m, v, rate, beta_1, beta_2, epsilon, weight_decay, t):
    adam_update(adam_at(m, v, t, beta_1, beta_2, epsilon, weight_decay), "p", p, g, rate)

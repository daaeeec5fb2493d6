"""What the layers compute in NumPy, as functions of arrays: what compiled functions are held to."""

from __future__ import annotations

import numpy as np

from nnscratch.layers import (
    AveragePooling2D,
    Conv2D,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    UpSampling2D,
)
from nnscratch.losses import mse
from nnscratch.optimizers import Adam

Array = np.ndarray


def _built(layer: Layer, shape: tuple[int, ...], dtype: np.dtype) -> Layer:
    layer.build(shape, np.random.default_rng(0), dtype)
    return layer


def _backward(layer: Layer, x: Array, dy: Array) -> Array:
    layer.forward(x, training=True)
    return layer.backward(dy)


# ---------------------------------------------------------------- convolution


def _convolution(image, W, b, strides, pads):
    layer = _built(Conv2D(W.shape[3], W.shape[:2], strides, pads), image, W.dtype)
    layer.params["W"][...] = W
    layer.params["b"][...] = 0 if b is None else b
    return layer


def conv2d(x, W, b, strides, pads):
    return _convolution(x.shape[1:], W, b, strides, pads).forward(x)


def conv2d_weight_gradient(x, dy, size, strides, pads):
    W = np.zeros((*size, x.shape[3], dy.shape[3]), x.dtype)
    layer = _convolution(x.shape[1:], W, None, strides, pads)
    _backward(layer, x, dy)
    return layer.grads["W"]


def conv2d_input_gradient(dy, W, size, strides, pads):
    layer = _convolution((*size, W.shape[2]), W, None, strides, pads)
    return _backward(layer, np.zeros((len(dy), *size, W.shape[2]), dy.dtype), dy)


# ---------------------------------------------------------------- pooling and upsampling


def max_pool2d(x, size, strides, pads):
    layer = _built(MaxPooling2D(size, strides, pads), x.shape[1:], x.dtype)
    return layer.forward(x), layer.cache[0]


def max_pool2d_input_gradient(dy, winner, image, size, strides, pads):
    layer = _built(MaxPooling2D(size, strides, pads), (*image, dy.shape[3]), dy.dtype)
    layer.forward(np.zeros((len(dy), *image, dy.shape[3]), dy.dtype))
    layer.cache = (winner,)
    return layer.backward(dy)


def average_pool2d(x, size, strides, pads):
    return _built(AveragePooling2D(size, strides, pads), x.shape[1:], x.dtype).forward(x)


def average_pool2d_input_gradient(dy, image, size, strides, pads):
    shape = (*image, dy.shape[3])
    layer = _built(AveragePooling2D(size, strides, pads), shape, dy.dtype)
    return _backward(layer, np.zeros((len(dy), *shape), dy.dtype), dy)


def upsample2d(x, size, interpolation):
    return _built(UpSampling2D(size, interpolation), x.shape[1:], x.dtype).forward(x)


def upsample2d_input_gradient(dy, size, interpolation):
    N, OH, OW, C = dy.shape
    shape = (OH // size[0], OW // size[1], C)
    layer = _built(UpSampling2D(size, interpolation), shape, dy.dtype)
    return _backward(layer, np.zeros((N, *shape), dy.dtype), dy)


# ---------------------------------------------------------------- number by number


def relu(x):
    layer = _built(ReLU(), x.shape[1:], x.dtype)
    return layer.forward(x), layer.cache[0]


def relu_input_gradient(dy, positive):
    return _backward(_built(ReLU(), dy.shape[1:], dy.dtype), positive.astype(dy.dtype), dy)


def leaky_relu(x, slope):
    return _built(LeakyReLU(slope), x.shape[1:], x.dtype).forward(x)


def leaky_relu_input_gradient(dy, x, slope):
    layer = _built(LeakyReLU(slope), x.shape[1:], x.dtype)
    layer.cache, layer.batch_size = (x,), len(x)
    return layer.backward(dy)


def channel_moments(x):
    axes, wide = tuple(range(x.ndim - 1)), x.astype(np.float64)
    return wide.mean(axis=axes), wide.var(axis=axes)


def normalize(x, mean, inv_std, gamma, beta):
    xhat = ((x - mean) * inv_std).astype(x.dtype)
    return gamma * xhat + beta, xhat


def normalize_input_gradient(dy, xhat, inv_std, gamma):
    """The gradients, if mean and inv_std are those of the batch."""
    axes, m = tuple(range(dy.ndim - 1)), dy.size // dy.shape[-1]
    dgamma = (dy * xhat).sum(axis=axes, dtype=np.float64).astype(dy.dtype)
    dbeta = dy.sum(axis=axes, dtype=np.float64).astype(dy.dtype)
    return gamma * inv_std * (dy - dbeta / m - xhat * (dgamma / m)), dgamma, dbeta


def adam(p, g, m, v, rate, beta_1, beta_2, epsilon, weight_decay, t):
    optimizer = adam_at(m, v, t, beta_1, beta_2, epsilon, weight_decay)
    optimizer.update("p", p, g, rate)


def adam_at(m, v, t, beta_1, beta_2, epsilon, weight_decay):
    """An optimiser in the middle of step t."""
    optimizer = Adam(1.0, beta_1, beta_2, epsilon, weight_decay)
    optimizer.state |= {"steps": np.array([t]), "m.p": m, "v.p": v}
    return optimizer


def squared_error(y, target, scale):
    total, _ = mse(y, target, "sum")
    return total, (y - target) * (2 * scale)

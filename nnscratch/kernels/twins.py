"""Compiled twins: each computes what one layer, loss or step of an optimiser computes in NumPy.

A twin of a layer checks its arrays by the layer's own checks, reads the layer's parameters and
keeps what backward needs in the layer's own ``cache``. So either may run at any moment, and a
message about a wrong array is the same. `planner` says which twin stands for what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnscratch import losses
from nnscratch.kernels import channels, pointwise, pooling, upsampling
from nnscratch.kernels.convolution.blocks import Block, block_backward, block_forward
from nnscratch.layers.activations import LeakyReLU, ReLU
from nnscratch.layers.base import Array, Layer
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.normalization import BatchNormalization
from nnscratch.layers.pooling import AveragePooling2D, MaxPooling2D
from nnscratch.layers.upsampling import UpSampling2D
from nnscratch.loss_checks import check_alike, divisor
from nnscratch.optimizers import Adam


class Twin:
    """The compiled forward and backward of ``layer``."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @property
    def cache(self) -> tuple[Any, ...]:
        """What the layer keeps."""
        return self.layer.cache

    def forget(self) -> None:
        """Nothing of its own is kept."""

    def forward(self, x: Array, training: bool = False) -> Array:
        layer = self.layer
        layer.check_input(x)
        y, layer.cache = self.compute(layer, x, training)
        return y

    def backward(self, dy: Array) -> Array:
        layer = self.layer
        layer.check_gradient(dy)
        return self.gradient(layer, dy, *layer.cache)

    def compute(self, layer: Any, x: Array, training: bool) -> tuple[Array, tuple[Any, ...]]:
        """The outputs, and the layer's cache."""
        raise NotImplementedError

    def gradient(self, layer: Any, dy: Array, *cache: Any) -> Array:
        """dL/dx; the gradients of parameters are written into ``layer.grads``."""
        raise NotImplementedError


class ReLUTwin(Twin):
    def compute(self, layer: ReLU, x: Array, training: bool) -> tuple[Array, tuple[Any, ...]]:
        y, positive = pointwise.relu(x)
        return y, (positive,)

    def gradient(self, layer: ReLU, dy: Array, *cache: Any) -> Array:
        return pointwise.relu_input_gradient(dy, *cache)


class LeakyReLUTwin(Twin):
    def compute(self, layer: LeakyReLU, x: Array, training: bool) -> tuple[Array, tuple[Any, ...]]:
        return pointwise.leaky_relu(x, layer.negative_slope), (x,)

    def gradient(self, layer: LeakyReLU, dy: Array, *cache: Any) -> Array:
        (x,) = cache
        return pointwise.leaky_relu_input_gradient(dy, x, layer.negative_slope)


class MaxPooling2DTwin(Twin):
    def compute(
        self, layer: MaxPooling2D, x: Array, training: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        y, winner = pooling.max_pool2d(x, layer.pool_size, layer.strides, layer.pads())
        return y, (winner,)

    def gradient(self, layer: MaxPooling2D, dy: Array, *cache: Any) -> Array:
        (winner,), (H, W, _) = cache, layer.input_shape
        windows = layer.pool_size, layer.strides, layer.pads()
        return pooling.max_pool2d_input_gradient(dy, winner, (H, W), *windows)


class AveragePooling2DTwin(Twin):
    def compute(
        self, layer: AveragePooling2D, x: Array, training: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        y = pooling.average_pool2d(x, layer.pool_size, layer.strides, layer.pads())
        return y, (x.shape,)

    def gradient(self, layer: AveragePooling2D, dy: Array, *cache: Any) -> Array:
        H, W, _ = layer.input_shape
        windows = layer.pool_size, layer.strides, layer.pads()
        return pooling.average_pool2d_input_gradient(dy, (H, W), *windows)


class UpSampling2DTwin(Twin):
    def compute(
        self, layer: UpSampling2D, x: Array, training: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        return upsampling.upsample2d(x, layer.size, layer.interpolation), (x.shape,)

    def gradient(self, layer: UpSampling2D, dy: Array, *cache: Any) -> Array:
        return upsampling.upsample2d_input_gradient(dy, layer.size, layer.interpolation)


class BatchNormalizationTwin(Twin):
    def compute(
        self, layer: BatchNormalization, x: Array, training: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        if not x.size:  # in training it has no mean, which the layer says
            return BatchNormalization.forward(layer, x, training), layer.cache
        training = training and layer.trainable
        if training:
            layer.check_kept("state", written=True)
            mean, var = channels.channel_moments(x)
            layer.follow(mean, var)
        else:
            mean, var = layer.state["mean"], layer.state["var"]
        inv_std = (1 / np.sqrt(var + layer.epsilon)).astype(layer.dtype)
        gamma, beta = layer.params["gamma"], layer.params["beta"]
        y, xhat = channels.normalize(x, mean, inv_std, gamma, beta)
        return y, (xhat, inv_std, training)

    def gradient(self, layer: BatchNormalization, dy: Array, *cache: Any) -> Array:
        xhat, inv_std, training = cache
        if not (training and dy.size):
            return BatchNormalization.backward(layer, dy)
        dx, dgamma, dbeta = channels.normalize_input_gradient(
            dy, xhat, inv_std, layer.params["gamma"]
        )
        layer.grads["gamma"][...], layer.grads["beta"][...] = dgamma, dbeta
        return dx


class Fused:
    """A stretch of layers with the forward and backward of a single one."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.convolution: Any = next(x for x in layers if isinstance(x, Conv2D | Conv2DTranspose))
        self.block = _block(layers, self.convolution)
        self.cache: tuple[Any, ...] = ()

    def forward(self, x: Array, training: bool = False) -> Array:
        self.layers[0].check_input(x)
        if self.layers[0] is not self.convolution:
            self.convolution.check_kept("params")
        params = self.convolution.params
        y, winner = block_forward(self.block, x, params["W"], params["b"])
        self.cache = (x, y if self.block.rectified else None, winner)
        kept = {UpSampling2D: x.shape, ReLU: y, MaxPooling2D: winner}
        for layer in self.layers:  # what is known of the parts; it counts as what they keep
            layer.cache = (kept.get(type(layer), x),)
            layer.batch_size = len(x)
        return y

    def backward(self, dy: Array) -> Array:
        self.layers[-1].check_gradient(dy)
        if self.layers[-1] is not self.convolution:
            self.convolution.check_kept("params")
            self.convolution.check_kept("grads", written=True)
        x, y, winner = self.cache
        W, grads = self.convolution.params["W"], self.convolution.grads
        dx, dW, db = block_backward(
            self.block, x, y, winner, dy, W,
            self.layers[0].input_gradient_wanted,
            self.convolution.parameter_gradients_wanted,
        )  # fmt: skip
        if dW is not None:
            grads["W"][...], grads["b"][...] = dW, db
        return dx

    def forget(self) -> None:
        self.cache = ()


def _block(layers: Sequence[Any], convolution: Any) -> Block:
    first, types = layers[0], [type(layer) for layer in layers]
    (top, _), (left, _) = convolution.pads()
    return Block(
        image=first.input_shape,
        output=convolution.built_shape,
        kernel=convolution.kernel_size,
        strides=convolution.strides,
        before=(top, left),
        factors=first.size if isinstance(first, UpSampling2D) else (1, 1),
        transposed=type(convolution) is Conv2DTranspose,
        rectified=ReLU in types,
        pooled=MaxPooling2D in types,
    )


def mse(y: Array, target: Array, reduction: str = "mean") -> tuple[float, Array]:
    """That of `nnscratch.losses`."""
    check_alike("mse", y, target)
    if y.dtype.char not in "fd":
        return losses.mse(y, target, reduction)
    m = divisor(y.shape, reduction)
    total, dy = pointwise.squared_error(y, target, 1 / m)
    return total / m, dy


def adam_update(optimizer: Adam, key: str, p: Array, g: Array, rate: float) -> None:
    """That of `nnscratch.optimizers.Adam`."""
    m, v = optimizer.moment(f"m.{key}", p), optimizer.moment(f"v.{key}", p)
    if not all(array.flags.carray for array in (p, m, v)) or p.dtype.char not in "fd":
        Adam.update(optimizer, key, p, g, rate)  # compiled loops run along memory
        return
    pointwise.adam(
        p, g, m, v, rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon,
        optimizer.weight_decay, optimizer.steps,
    )  # fmt: skip

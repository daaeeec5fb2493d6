"""Wrong convolutions, poolings and upsamplings."""

from __future__ import annotations

import numpy as np

from nnscratch.layers import (
    AveragePooling2D,
    Conv2D,
    Conv2DTranspose,
    MaxPooling2D,
    UpSampling2D,
)
from nnscratch.layers.windows import pad, taps, windows
from tests.gradcheck.mutants import mutant
from tests.kernels import numpy_code

Array = np.ndarray


# ---------------------------------------------------------------- convolution


@mutant(lambda: Conv2D(3, 3), (5, 6, 2), where="b", hint="0 everywhere")
def bias_gradient_dropped(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    layer.grads["b"][...] = 0
    return dx


@mutant(lambda: Conv2D(3, 3), (5, 6, 2), where="b", hint="only the first pixel")
def bias_gradient_of_one_pixel(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    layer.grads["b"][...] = dy[:, 0, 0].sum(axis=0)
    return dx


@mutant(lambda: Conv2D(3, 3), (5, 6, 2), where="b", hint="1/(batch * pixels of the output)")
def bias_gradient_is_a_mean(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    layer.grads["b"][...] = dy.mean(axis=(0, 1, 2))
    return dx


@mutant(lambda: Conv2D(3, 3), (5, 6, 2), hint="reads W flipped along both kernel axes")
def kernel_flipped_on_the_way_back(layer: Conv2D, dy: Array) -> Array:
    Conv2D.backward(layer, dy)
    W = np.ascontiguousarray(layer.params["W"][::-1, ::-1])
    return numpy_code.conv2d_input_gradient(dy, W, (5, 6), layer.strides, layer.pads())


@mutant(lambda: Conv2D(3, 3), (5, 6, 2), where="W", hint="flipped along both kernel axes")
def weight_gradient_flipped(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    layer.grads["W"][...] = layer.grads["W"][::-1, ::-1].copy()
    return dx


@mutant(lambda: Conv2D(3, 3), (6, 6, 2), hint="off by one")
def crop_off_by_one(layer: Conv2D, dy: Array) -> Array:
    Conv2D.backward(layer, dy)
    pads = ((0, 2), (1, 1))
    return numpy_code.conv2d_input_gradient(dy, layer.params["W"], (6, 6), layer.strides, pads)


@mutant(lambda: Conv2D(3, 3), (6, 7, 2), hint="bottom border")
def last_row_never_reached(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    dx[:, -1] = 0
    return dx


@mutant(lambda: Conv2D(3, 3, strides=(1, 2)), (6, 6, 2), where="W")
def strides_swapped(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    (x,) = layer.cache
    x_windows = windows(pad(x, ((1, 1), (1, 1))), (3, 3), (2, 1))
    rows = x_windows[:, :3, :6].reshape(-1, 3 * 3 * 2)  # as many windows, so no shape complains
    layer.grads["W"][...] = (rows.T @ dy.reshape(-1, 3)).reshape(3, 3, 2, 3)
    return dx


@mutant(lambda: Conv2D(3, 2, strides=2), (8, 8, 2), hint="period 1 x 2: look at the strides")
def stride_ignored_in_one_direction(layer: Conv2D, dy: Array) -> Array:
    dx = Conv2D.backward(layer, dy)
    dx[:, :, 1::2] = dx[:, :, ::2]
    return dx


@mutant(lambda: Conv2DTranspose(2, 3), (4, 5, 2), hint="reads W transposed in its last two axes")
def channels_swapped(layer: Conv2DTranspose, dy: Array) -> Array:
    Conv2DTranspose.backward(layer, dy)
    W = np.ascontiguousarray(layer.params["W"].swapaxes(2, 3))
    return numpy_code.conv2d(dy, W, None, layer.strides, ((1, 1), (1, 1)))


@mutant(lambda: Conv2DTranspose(2, 3), (4, 5, 2), where="W")
def weight_gradient_with_x_for_dy(layer: Conv2DTranspose, dy: Array) -> Array:
    dx = Conv2DTranspose.backward(layer, dy)
    (x,) = layer.cache
    pads = ((1, 1), (1, 1))
    layer.grads["W"][...] = numpy_code.conv2d_weight_gradient(x, dy, (3, 3), (1, 1), pads)
    return dx


# ---------------------------------------------------------------- pooling and upsampling


@mutant(lambda: MaxPooling2D(2), (6, 4, 2))
def gradient_to_the_wrong_winner(layer: MaxPooling2D, dy: Array) -> Array:
    layer.cache = ((layer.cache[0] + 1) % 4,)
    return MaxPooling2D.backward(layer, dy)


@mutant(lambda: MaxPooling2D(3, 1), (6, 7, 2))
def overlapping_windows_overwrite(layer: MaxPooling2D, dy: Array) -> Array:
    dx, (OH, OW) = np.zeros((len(dy), 6, 7, 2)), dy.shape[1:3]
    for i, j, dx_tap in taps(dx, (OH, OW), (3, 3), (1, 1)):
        np.copyto(dx_tap, dy, where=layer.cache[0] == i * 3 + j)
    return dx


@mutant(lambda: AveragePooling2D(3, 1, "same"), (6, 7, 2), hint="border: look at the padding")
def padding_counted_in_the_mean(layer: AveragePooling2D, dy: Array) -> Array:
    dx = np.zeros((len(dy), 8, 9, 2))
    for _, _, dx_tap in taps(dx, (6, 7), (3, 3), (1, 1)):
        dx_tap += dy / 9
    return dx[:, 1:-1, 1:-1].copy()


@mutant(lambda: AveragePooling2D(3, 2), (9, 9, 2), hint="period")
def overlapping_means_overwrite(layer: AveragePooling2D, dy: Array) -> Array:
    dx = np.zeros((len(dy), 9, 9, 2))
    for _, _, dx_tap in taps(dx, (4, 4), (3, 3), (2, 2)):
        dx_tap[...] = dy / 9
    return dx


@mutant(lambda: UpSampling2D((2, 3)), (3, 4, 2), hint="1/6")
def upsampling_takes_the_mean(layer: UpSampling2D, dy: Array) -> Array:
    return UpSampling2D.backward(layer, dy) / 6


@mutant(lambda: UpSampling2D(2), (3, 4, 2))
def upsampling_takes_one_pixel(layer: UpSampling2D, dy: Array) -> Array:
    return dy[:, ::2, ::2].copy()


@mutant(lambda: UpSampling2D(2, "bilinear"), (5, 6, 2))
def bilinear_backward_as_nearest(layer: UpSampling2D, dy: Array) -> Array:
    return numpy_code.upsample2d_input_gradient(dy, layer.size, "nearest")

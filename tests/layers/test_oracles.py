"""Every layer's forward pass against its formula, in a few lines that share no code with it.

A gradient check compares two passes of a layer with each other: where both make the same mistake
it finds nothing.
"""

import numpy as np
import pytest
from scipy.special import expit

from nnscratch import layers
from nnscratch.kernels import use_kernels
from tests.layers import test_dropout, test_sampling
from tests.layers.helpers import (
    ONE_OF_EACH,
    both_modes,
    build,
    every_dtype,
    normal,
    same_pads,
)
from tests.layers.test_pooling import naive_pooling


@pytest.fixture(params=["compiled", "reference"])
def _kernels(request):
    before = use_kernels(request.param)
    yield
    use_kernels(before)


both_kernels = pytest.mark.usefixtures("_kernels")


def _pads(layer, size, kernel):
    named = {"same": same_pads(size, kernel, layer.strides), "valid": ((0, 0), (0, 0))}
    return named.get(layer.padding, layer.padding)


def _convolution(layer, x, training):
    """y[h, w] = sum over the taps of W[i, j] x[h s + i - top, w s + j - left] + b."""
    (kh, kw), (sh, sw) = layer.kernel_size, layer.strides
    padded = np.pad(x, ((0, 0), *_pads(layer, x.shape[1:3], (kh, kw)), (0, 0)))
    y = np.zeros((len(x), *layer.built_shape)) + layer.params["b"]
    for n, h, w, k in np.ndindex(y.shape):
        window = padded[n, h * sh : h * sh + kh, w * sw : w * sw + kw]
        y[n, h, w, k] += (window * layer.params["W"][..., k]).sum()
    return y


def _transposed_convolution(layer, x, training):
    """Each input pixel paints its window of the output, times W; the padding is cut off."""
    (kh, kw), (sh, sw), (H, W, K) = layer.kernel_size, layer.strides, layer.built_shape
    (top, bottom), (left, right) = _pads(layer, (H, W), (kh, kw))
    y = np.zeros((len(x), H + top + bottom, W + left + right, K))
    for n, h, w, c in np.ndindex(x.shape):
        y[n, h * sh : h * sh + kh, w * sw : w * sw + kw] += (
            x[n, h, w, c] * layer.params["W"][..., c]
        )
    return y[:, top : top + H, left : left + W] + layer.params["b"]


def _pooling(kind):
    def formula(layer, x, training):
        size, kernel = x.shape[1:3], layer.pool_size
        case = (size, kernel, layer.strides, layer.padding, _pads(layer, size, kernel))
        return naive_pooling(x, np.zeros, case, kind)[0]

    return formula


def _dense(layer, x, training):
    W, b = layer.params["W"], layer.params["b"]
    return np.array([[sum(row * W[:, u]) + b[u] for u in range(len(b))] for row in x])


def _normalization(layer, x, training):
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        mean, var = layer.state["mean"][c], layer.state["var"][c]
        if training:
            mean, var = x[..., c].mean(), x[..., c].std() ** 2
        y[..., c] = (x[..., c] - mean) / (var + layer.epsilon) ** 0.5
    return y * layer.params["gamma"] + layer.params["beta"]


def _rows(layer, x, training):
    return np.array([list(sample.flat) for sample in x]).reshape(len(x), *layer.built_shape)


def _upsampling(layer, x, training):
    """Output pixel p lies at (p + 1/2) / f - 1/2 of the input, the nearest one is p // f."""
    for axis, factor in ((1, layer.size[0]), (2, layer.size[1])):
        n = x.shape[axis]
        place = (np.arange(n * factor) + 0.5) / factor - 0.5
        if layer.interpolation == "nearest":
            place = np.arange(n * factor) // factor
        x = np.apply_along_axis(
            lambda line, at=place: np.interp(at, range(len(line)), line), axis, x
        )
    return x


def _chain(model, x, training):
    for layer in model.layers:
        x = formula_of(layer)(layer, x, training)
    return x


FORMULAS = {
    "AveragePooling2D": _pooling("mean"),
    "BatchNormalization": _normalization,
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed_convolution,
    "Dense": _dense,
    "Dropout": lambda layer, x, training: x,
    "Flatten": _rows,
    "GaussianSampling": lambda layer, x, training: x[..., : x.shape[-1] // 2],
    "LeakyReLU": lambda layer, x, training: np.where(x < 0, x * layer.negative_slope, x),
    "MaxPooling2D": _pooling("max"),
    "ReLU": lambda layer, x, training: (x + abs(x)) / 2,
    "Reshape": _rows,
    "Sequential": _chain,
    "Sigmoid": lambda layer, x, training: expit(x),
    "Tanh": lambda layer, x, training: 1 - 2 / (np.exp(2 * x) + 1),
    "UpSampling2D": _upsampling,
}
# What these draw in training has no formula; the tests of their moments stand there.
DRAWN = {"Dropout": test_dropout.test_moments, "GaussianSampling": test_sampling.test_moments}


def formula_of(layer):
    return FORMULAS[type(layer).__name__]


def moved(model):
    """Every parameter and statistic away from its first value, so that a forgotten one shows."""
    rng = np.random.default_rng(5)
    for array in [*model.params.values(), *model.state.values()]:
        if array.dtype.kind == "f":  # and no counts of draws
            array += rng.uniform(0.2, 0.8, array.shape).astype(array.dtype)
    return model


def whole_network():
    """Of layers that compiled code takes together."""
    return layers.Sequential(
        [
            *(layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU()),
            *(layers.MaxPooling2D(2), layers.Conv2DTranspose(4, 2, 2), layers.LeakyReLU()),
            *(layers.AveragePooling2D(2), layers.UpSampling2D(2, "bilinear"), layers.Tanh()),
            *(layers.Conv2D(2, 1), layers.Flatten(), layers.Dense(5), layers.Sigmoid()),
        ],
        (6, 4, 3),
    )


CASES = ONE_OF_EACH | {
    "Conv2D-wide": (lambda: layers.Conv2D(9, 3), (5, 6, 16)),
    "Conv2D-uneven": (lambda: layers.Conv2D(2, 3, 2, ((0, 2), (1, 0))), (5, 6, 2)),
    "Conv2DTranspose-wide": (lambda: layers.Conv2DTranspose(16, 3, 2), (3, 4, 8)),
    "Conv2DTranspose-uneven": (
        lambda: layers.Conv2DTranspose(2, 3, 1, ((0, 2), (1, 0))),
        (4, 5, 2),
    ),
    "MaxPooling2D-same": (lambda: layers.MaxPooling2D(3, (1, 2), "same"), (5, 6, 2)),
    "MaxPooling2D-two": (lambda: layers.MaxPooling2D(2), (4, 6, 17)),
    "AveragePooling2D-uneven": (lambda: layers.AveragePooling2D((3, 2), (2, 1)), (7, 5, 2)),
    "Sequential-long": (whole_network, (6, 4, 3)),
}


@both_kernels
@every_dtype
@both_modes
@pytest.mark.parametrize("case", CASES)
def test_forward_is_the_formula(case, dtype, training):
    if training and case in DRAWN:
        pytest.skip(f"drawn; see {DRAWN[case].__module__}")
    make, shape = CASES[case]
    layer = moved(build(make(), shape, dtype))
    # all below 0 in one sample, so that a maximum with zeros around the image shows
    x = normal(3, *shape, dtype=dtype) - np.reshape([0, 0, 4], (3, *[1] * len(shape))).astype(dtype)
    expected = formula_of(layer)(layer, x.astype(np.float64), training)
    y = layer.forward(x, training)
    assert y.shape == expected.shape == (3, *layer.built_shape)
    digits = 1e-11 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(y, expected, rtol=digits, atol=digits * abs(expected).max())


def test_every_layer_has_a_formula_that_is_tried():
    base = layers.Layer.forward  # of those that are no layer by themselves
    kinds = {name for name in layers.__all__ if getattr(layers, name).forward is not base}
    assert kinds == set(FORMULAS)
    assert kinds == {case.split("-")[0] for case in CASES}

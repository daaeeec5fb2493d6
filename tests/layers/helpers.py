"""Shared by the tests of the layers: how to build one, how to draw shapes, one of each layer."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from nnscratch import layers

many_shapes = settings(max_examples=200, deadline=None, derandomize=True)


def build(layer, input_shape, dtype=np.float64, seed=0):
    """``layer``, built, with biases away from zero so that a forgotten one shows."""
    rng = np.random.default_rng(seed)
    layer.build(input_shape, rng, dtype)
    for name, parameter in layer.params.items():
        if name.endswith(("b", "beta")):
            parameter += rng.uniform(0.5, 1.5, parameter.shape).astype(dtype)
    return layer


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def image(rows):
    """One sample with one channel: (1, H, W, 1)."""
    return np.array(rows, float)[np.newaxis, :, :, np.newaxis]


def pairs(least, most):
    return st.tuples(st.integers(least, most), st.integers(least, most))


def same_pads(size, kernel, strides):
    """The padding of "same" in the words of TensorFlow's documentation of `tf.nn`."""
    pads = []
    for n, k, s in zip(size, kernel, strides, strict=True):
        total = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


@st.composite
def window_cases(draw, most_kernel=5, most_stride=4, pads_below_kernel=False):
    """(size, kernel, strides, padding, pads): pads is what padding must come to."""
    kernel, strides = draw(pairs(1, most_kernel)), draw(pairs(1, most_stride))
    padding = draw(st.sampled_from(["same", "valid", "explicit"]))
    if padding == "explicit":
        most = [k - 1 if pads_below_kernel else 3 for k in kernel]
        padding = tuple(draw(st.tuples(*2 * [st.integers(0, m)])) for m in most)
    pads = {"same": None, "valid": ((0, 0), (0, 0))}.get(padding, padding)
    least = [1 if pads is None else max(1, k - sum(pads[a])) for a, k in enumerate(kernel)]
    size = tuple(n + draw(st.integers(0, 7)) for n in least)
    return size, kernel, strides, padding, pads or same_pads(size, kernel, strides)


# One of each: name -> (how to make it, the input shape it is tried with).
ONE_OF_EACH = {
    "AveragePooling2D": (lambda: layers.AveragePooling2D(3, 2, "same"), (5, 4, 2)),
    "BatchNormalization": (lambda: layers.BatchNormalization(0.9), (3, 2, 4)),
    "Conv2D": (lambda: layers.Conv2D(3, (3, 2), (1, 2)), (4, 5, 2)),
    "Conv2DTranspose": (lambda: layers.Conv2DTranspose(3, (3, 2), (1, 2)), (4, 3, 2)),
    "Dense": (lambda: layers.Dense(3), (4,)),
    "Dropout": (lambda: layers.Dropout(0.4), (3, 2)),
    "Flatten": (lambda: layers.Flatten(), (3, 2, 4)),
    "GaussianSampling": (lambda: layers.GaussianSampling(), (2, 6)),
    "LeakyReLU": (lambda: layers.LeakyReLU(0.2), (3, 2, 4)),
    "MaxPooling2D": (lambda: layers.MaxPooling2D((2, 3), 2, ((1, 0), (0, 2))), (5, 4, 2)),
    "ReLU": (lambda: layers.ReLU(), (5,)),
    "Reshape": (lambda: layers.Reshape((2, -1)), (3, 2, 4)),
    "Sequential": (
        lambda: layers.Sequential([layers.Conv2D(2, 3), layers.BatchNormalization()], (4, 5, 2)),
        (4, 5, 2),
    ),
    "Sigmoid": (lambda: layers.Sigmoid(), (5,)),
    "Tanh": (lambda: layers.Tanh(), (5,)),
    "UpSampling2D": (lambda: layers.UpSampling2D((2, 3), "nearest"), (3, 2, 4)),
    "UpSampling2D-bilinear": (lambda: layers.UpSampling2D((2, 3), "bilinear"), (3, 2, 4)),
}

every_layer = pytest.mark.parametrize(
    ("make", "shape"), list(ONE_OF_EACH.values()), ids=list(ONE_OF_EACH)
)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
both_modes = pytest.mark.parametrize("training", [False, True])

"""Every layer, in drawn configurations: outputs and all gradients are those of PyTorch."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

from nnscratch import layers
from tests.kernels.stretches import stretches
from tests.layers.helpers import ONE_OF_EACH, both_modes, build, pairs, window_cases
from tests.parity.agreement import check_model
from tests.parity.translation import FUNCTIONS, Twin

channels = st.sampled_from([1, 2, 3, 5, 8, 16, 17, 33])
drawn = settings(max_examples=200, deadline=None, derandomize=True)
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


@st.composite
def windows(draw):
    """A layer that slides a window over images, and the shape of its input."""
    kind = draw(st.sampled_from(["conv", "transpose", "max", "average"]))
    pooling = kind in ("max", "average")
    size, kernel, strides, padding, _ = draw(window_cases(pads_below_kernel=pooling))
    shape = (*size, draw(channels))
    if pooling:
        make = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
        return make(kernel, strides, padding), shape
    if kind == "conv":
        return layers.Conv2D(draw(channels), kernel, strides, padding), shape
    return layers.Conv2DTranspose(draw(channels), kernel, strides, padding), shape


@st.composite
def others(draw):
    """Any other layer, and the shape of its input."""
    image, vector = (*draw(pairs(1, 7)), draw(channels)), (draw(channels),)
    slope, interpolation = draw(st.floats(0, 1)), draw(st.sampled_from(["nearest", "bilinear"]))
    any_shape = draw(st.sampled_from([image, vector]))
    return draw(
        st.sampled_from(
            [
                (layers.UpSampling2D(draw(pairs(1, 4)), interpolation), image),
                (layers.Dense(draw(channels)), vector),
                (layers.BatchNormalization(0.9, draw(st.sampled_from([1e-3, 1e-5]))), any_shape),
                (layers.ReLU(), any_shape),
                (layers.LeakyReLU(slope), any_shape),
                (layers.Sigmoid(), any_shape),
                (layers.Tanh(), any_shape),
                (layers.Flatten(), image),
                (layers.Reshape((-1,)), image),
            ]
        )
    )


def check(layer, shape, N, training, dtype):
    try:
        build(layer, shape, dtype)
    except ValueError:  # an image smaller than its window, or cropped away
        assume(False)
    x = np.random.default_rng(1).standard_normal((N, *shape)).astype(dtype)
    check_model(layer, Twin(layer), x, training)


@both_dtypes
@drawn
@given(windows(), st.integers(1, 6))
def test_windows(dtype, case, N):
    check(*case, N, True, dtype)


@both_dtypes
@drawn
@given(others(), st.integers(2, 6), st.booleans())
def test_others(dtype, case, N, training):
    check(*case, N, training, dtype)


@both_dtypes
@drawn
@given(stretches())
def test_fused_stretches(dtype, case):
    model = case.model(dtype)
    for seed, parameter in enumerate(model.params.values()):
        parameter[...] = np.random.default_rng([4, seed]).standard_normal(parameter.shape)
    x = np.random.default_rng(1).standard_normal((case.N, *case.image)).astype(dtype)
    assume(len(x))
    check_model(model, Twin(model), x, True)


@both_dtypes
@both_modes
def test_noise_is_multiplied_or_added_alike(dtype, training):
    rng = np.random.default_rng(2)
    dropout, sampling = build(layers.Dropout(0.4), (7, 3), dtype), layers.GaussianSampling()
    build(sampling, (6,), dtype)
    mask = dropout.forward(np.ones((5, 7, 3), dtype), training=True)
    eps = sampling.forward(np.zeros((5, 6), dtype), training=True)  # s = 1, mu = 0
    for layer, noise, shape in ((dropout, mask, (5, 7, 3)), (sampling, eps, (5, 6))):
        layer.state["draws"][...] = 0
        x = rng.standard_normal(shape).astype(dtype)
        check_model(layer, Twin(layer, {id(layer): noise}), x, training)


def test_every_layer_is_compared():
    kinds = {type(make()) for make, _ in ONE_OF_EACH.values()}
    written_out = {layers.BatchNormalization, layers.Dropout, layers.GaussianSampling}
    assert kinds == {*FUNCTIONS, *written_out, layers.Sequential}

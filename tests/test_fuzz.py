"""Hostile arguments: whatever comes in, only a ValueError or TypeError with a sentence comes out.

Never a crash, another exception, a hang, or a result of the wrong shape.
"""

import gzip
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnscratch import layers, losses, models, optimizers
from nnscratch.datasets import cifar, idx
from nnscratch.layers.base import all_parts

drawn = settings(max_examples=300, deadline=None, derandomize=True)

small = st.integers(-3, 5)
strange = st.one_of(
    small,
    st.sampled_from([2**31, 2**63, -(2**70), True, None, "", "same", "valid", "nearest", b"3"]),
    st.floats(),
    st.complex_numbers(max_magnitude=3),
    st.lists(small, max_size=4),
    st.tuples(small, small),
    st.tuples(st.tuples(small, small), st.tuples(small, small)),
    st.dictionaries(small, small, max_size=1),
    st.builds(object),
    st.just(np.ones(2, int)),
    st.just(np.array(3)),
    st.just(np.float32(2)),
    st.just(len),
)
shapes = st.one_of(st.tuples(small), st.tuples(small, small, small), strange)


def with_strange(**usual):
    """Keyword arguments, each usual or strange, some left out."""
    return st.fixed_dictionaries(
        {}, optional={key: st.one_of(st.just(value), strange) for key, value in usual.items()}
    )


WINDOW = {"kernel_size": 3, "strides": 1, "padding": "same"}
POOL = {"pool_size": 2, "strides": 2, "padding": "valid"}
LAYERS = {
    layers.AveragePooling2D: POOL,
    layers.BatchNormalization: {"momentum": 0.9, "epsilon": 1e-3},
    layers.Conv2D: {"filters": 2, **WINDOW, "kernel_initializer": None},
    layers.Conv2DTranspose: {"filters": 2, **WINDOW, "output_padding": None},
    layers.Dense: {"units": 3},
    layers.Dropout: {"rate": 0.5},
    layers.Flatten: {},
    layers.GaussianSampling: {},
    layers.LeakyReLU: {"negative_slope": 0.1},
    layers.MaxPooling2D: POOL,
    layers.ReLU: {},
    layers.Reshape: {"target_shape": (-1,)},
    layers.Sequential: {"layers": [], "input_shape": (4,), "seed": 0, "dtype": np.float32},
    layers.Sigmoid: {},
    layers.Tanh: {},
    layers.UpSampling2D: {"size": 2, "interpolation": "nearest"},
    models.UNet: {
        "input_shape": (4, 4, 1), "filters": (2,), "bottleneck": 2, "seed": 0, "dtype": "f4",
    },
    models.Autoencoder: {"encoder": None, "decoder": None},
    models.VAE: {"encoder": None, "latent": 2, "decoder": None, "seed": 0},
    optimizers.Adam: {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.9, "epsilon": 1e-8,
                      "weight_decay": 0.0},
    optimizers.SGD: {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
}  # fmt: skip


def refused(function, *arguments, **options):
    """The result, or None after a ValueError or TypeError that says something."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError) as error:
        reason = error
    assert len(str(reason).split()) >= 4, f"no sentence: {reason!r}"
    return None


def test_everything_is_tried():
    kinds = {getattr(layers, name) for name in layers.__all__}
    assert kinds - {layers.Layer, layers.Composite} <= set(LAYERS)


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
@drawn
@given(st.data())
def test_constructors_and_build(kind, data):
    made = refused(kind, **data.draw(with_strange(**LAYERS[kind])))
    if not isinstance(made, layers.Layer):
        return
    shape = data.draw(shapes)
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    built = refused(made.build, shape, np.random.default_rng(0), dtype)
    if built is None:
        return
    assert made.output_shape(made.input_shape) == built == made.built_shape
    assert all(isinstance(n, int) and n > 0 for n in built)
    x = np.ones((2, *made.input_shape), made.dtype)
    y = made.forward(x)
    assert y.shape == (2, *built)
    assert made.backward(np.ones_like(y)).shape == x.shape
    assert all(p.dtype == made.dtype for part in all_parts(made) for p in part.params.values())


arrays = st.one_of(
    strange,
    st.builds(
        lambda shape, dtype, number: np.full(shape, number).astype(dtype),
        st.lists(st.integers(0, 3), max_size=4),
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, bool, object]),
        st.sampled_from([0, 1, 7]),
    ),
)


@pytest.mark.parametrize(
    "loss",
    [losses.mse, losses.binary_crossentropy, losses.softmax_crossentropy, losses.gaussian_kl],
)
@drawn
@given(arrays, arrays, st.one_of(st.just("mean"), strange))
def test_losses(loss, y, target, reduction):
    found = refused(loss, y, target, reduction)
    if found is not None:
        value, gradient = found
        assert isinstance(value, float)
        gradients = gradient if isinstance(gradient, tuple) else (gradient,)
        assert all(g.shape == y.shape for g in gradients)


@pytest.mark.parametrize("make", [layers.Dense, layers.Conv2D], ids=["dense", "convolution"])
@drawn
@given(arrays, arrays)
def test_layers_given_strange_arrays(make, x, dy):
    dense = make is layers.Dense
    layer = layers.Dense(2) if dense else layers.Conv2D(2, 3)
    layer.build((2,) if dense else (2, 3, 1), np.random.default_rng(0), np.float32)
    y = refused(layer.forward, x)
    dx = refused(layer.backward, dy)
    assert y is None or y.shape == (len(x), *layer.built_shape)
    assert dx is None or dx.shape == x.shape


# -- files of other people


def idx_file(counts=(2, 28, 28)):
    pixels = bytes(i % 256 for i in range(math.prod(counts)))
    return struct.pack(f">HBB{len(counts)}I", 0, 8, len(counts), *counts) + pixels


def cifar_file():
    return bytes([3]) + bytes(i % 256 for i in range(3072))


@st.composite
def mutated(draw, whole):
    """Bytes changed, cut off, put in or doubled, at some places."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, min(len(content), 40))))
        kind = draw(st.sampled_from(["change", "cut", "insert", "double"]))
        if kind == "change" and place < len(content):
            content[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[draw(st.sampled_from([place, len(content) // 2])) :]
        elif kind == "insert":
            content[place:place] = draw(st.binary(min_size=1, max_size=5))
        elif kind == "double":
            content += content[: draw(st.sampled_from([1, 100, len(content)]))]
    return bytes(content)


def check_file(read, path, content):
    path.write_bytes(content)
    found = refused(read, path)
    if found is not None:
        images = found[1] if isinstance(found, tuple) else found  # a batch of CIFAR-10 or an array
        assert images.dtype == np.uint8
        assert images.nbytes <= len(content)


@drawn
@given(mutated(idx_file()), st.booleans())
def test_idx_files(tmp_path_factory, content, zipped):
    path = tmp_path_factory.mktemp("idx") / f"images{'.gz' if zipped else ''}"
    check_file(lambda p: idx.read(p, idx.IMAGE), path, content)
    if zipped:
        path.write_bytes(gzip.compress(content, 1))
        found = refused(idx.read, path, idx.IMAGE)
        assert found is None or found.nbytes <= len(content)


@drawn
@given(mutated(gzip.compress(idx_file(), 1)))
def test_damaged_gzip(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "images.gz"
    path.write_bytes(content)
    found = refused(idx.read, path, idx.IMAGE)
    assert found is None or found.ndim == 3


@drawn
@given(mutated(cifar_file()))
def test_cifar_files(tmp_path_factory, content):
    check_file(cifar.read, tmp_path_factory.mktemp("cifar") / "data_batch_1.bin", content)

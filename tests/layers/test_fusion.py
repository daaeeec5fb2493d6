"""Fused steps: the same numbers as the layers one by one, and only where the layers are known."""

import copy
import pickle
import re

import numpy as np
import pytest
from hypothesis import given

import nnscratch
from nnscratch import kernels, layers
from nnscratch.gradcheck import check_gradients
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Sequential,
    UpSampling2D,
    fusion,
)
from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.training import fit
from tests.kernels.agreement import check_stretch, many_cases, plain_layers, stretches
from tests.layers.helpers import every_dtype, normal

CONV = Conv2D.forward, Conv2D.backward


@pytest.fixture(autouse=True)
def _compiled_and_fused():
    kernels.use_kernels("compiled")
    fusion.use_fusion(True)
    yield
    kernels.use_kernels("compiled")
    fusion.use_fusion(True)


def autoencoder(dtype=np.float64):
    """Exercise 1, smaller, with everything that is fused."""
    encoder = [
        *(Conv2D(4, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(3, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))),
    ]
    decoder = [
        *(UpSampling2D((2, 1)), Conv2DTranspose(3, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(4, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(1, 3), ReLU()),
    ]
    model = Autoencoder(
        Sequential(encoder, (8, 8, 1), seed=3, dtype=dtype),
        Sequential(decoder, (1, 2, 1), seed=4, dtype=dtype),
    )
    for name, p in model.params.items():
        if name.endswith("b"):
            p += 0.1  # so that all of it is alive
    return model


def passes(model, x, dy):
    """Outputs, dx and gradients, copied."""
    y = model.forward(x, training=True)
    dx = model.backward(dy)
    return [y.copy(), dx.copy(), *(g.copy() for g in model.grads.values())]


def equal(found, expected):
    assert len(found) == len(expected)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(f, e)


def plan(parts, shape=(8, 8, 3)):
    """What the steps are, such as ["conv2d+relu", "maxpooling2d"]."""
    model = Sequential(parts, shape)
    model.forward(np.zeros((1, *shape), np.float32))
    return ["+".join(layer.name for layer in getattr(s, "layers", [s])) for s in model._steps]


# ---------------------------------------------------------------- the numbers


@every_dtype
@many_cases
@given(stretches())
def test_fused_equals_unfused(dtype, case):
    check_stretch(case, dtype, whole_numbers=False)


@every_dtype
@many_cases
@given(stretches())
def test_not_a_bit_differs_where_sums_are_exact(dtype, case):
    check_stretch(case, dtype, whole_numbers=True)


def test_gradients_of_an_autoencoder():
    model = autoencoder()
    x = np.random.default_rng(1).random((3, 8, 8, 1))
    report = check_gradients(model, x, training=True)
    assert report.ok, str(report)
    assert all(isinstance(s, fusion.Fused) for half in model.parts.values() for s in half._steps)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
@every_dtype
def test_what_is_no_number_comes_through(dtype, value):
    """As it does unfused: to the outputs that see it, and no others."""
    for C, K in ((3, 20), (1, 5), (20, 3)):
        parts = [Conv2D(K, 3), ReLU(), MaxPooling2D(2)]
        for first in ([], [UpSampling2D(2)]):
            model = Sequential([*first, *parts], (8, 6, C), dtype=dtype)
            x = normal(2, 8, 6, C, dtype=dtype)
            x[1, 2, 3, 0] = value
            found = np.isfinite(model.forward(x))
            with np.errstate(invalid="ignore"), plain_layers():
                expected = np.isfinite(model.forward(x))
            assert not expected.all()
            np.testing.assert_array_equal(found, expected)
            for part in parts + first:
                part.__dict__.pop("built_shape")


def test_a_result_is_not_written_over():
    model = autoencoder()
    x, other = normal(5, 8, 8, 1), normal(5, 8, 8, 1, seed=2)
    y = model.forward(x)
    dx = model.backward(y)
    kept = y.copy(), dx.copy()
    for _ in range(3):
        model.backward(model.forward(other))
    equal((y, dx), kept)


def test_another_batch_size_and_no_samples():
    model = autoencoder()
    x = normal(7, 8, 8, 1)
    y = model.forward(x)
    np.testing.assert_array_equal(model.forward(x[:2]), y[:2])
    y = model.forward(x[:0])
    assert model.backward(y).shape == y.shape == (0, 8, 8, 1)
    assert not any(g.any() for g in model.grads.values())


# ---------------------------------------------------------------- what is fused


class Louder(ReLU):
    """Somebody's own."""


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Conv2D(2, 3)], ["conv2d"]),
        ([Conv2D(2, 3), ReLU()], ["conv2d+relu"]),
        ([Conv2D(2, 3, 2), ReLU()], ["conv2d+relu"]),
        ([Conv2D(2, 3), ReLU(), MaxPooling2D(2)], ["conv2d+relu+maxpooling2d"]),
        ([Conv2DTranspose(2, 3), ReLU(), MaxPooling2D(2)], ["conv2dtranspose+relu+maxpooling2d"]),
        ([UpSampling2D(2), Conv2D(2, 3), ReLU()], ["upsampling2d+conv2d+relu"]),
        ([UpSampling2D((1, 3)), Conv2D(2, 3, 2)], ["upsampling2d+conv2d"]),
        ([UpSampling2D(2), Conv2DTranspose(2, 3), ReLU()], ["upsampling2d+conv2dtranspose+relu"]),
        ([Conv2DTranspose(2, 4, 2), ReLU()], ["conv2dtranspose+relu"]),
        (
            [Conv2D(4, 3), ReLU(), Conv2D(2, 3), ReLU(), MaxPooling2D(2), Conv2D(1, 3)],
            ["conv2d+relu", "conv2d+relu+maxpooling2d", "conv2d"],
        ),
        # what stays as it is, in whole or in part
        ([Conv2D(1, 3), ReLU(), MaxPooling2D(2)], ["conv2d+relu", "maxpooling2d"]),
        ([Conv2D(2, 3), ReLU(), MaxPooling2D(3)], ["conv2d+relu", "maxpooling2d"]),
        ([Conv2D(2, 3), ReLU(), MaxPooling2D(2, 1)], ["conv2d+relu", "maxpooling2d"]),
        (
            [Conv2D(2, 2, padding="valid"), ReLU(), MaxPooling2D(2, padding="same")],
            ["conv2d+relu", "maxpooling2d"],  # 7 x 7, so "same" pads
        ),
        (
            [Conv2DTranspose(2, 4, 2), ReLU(), MaxPooling2D(2)],
            ["conv2dtranspose+relu", "maxpooling2d"],
        ),
        (
            [UpSampling2D(2), Conv2D(2, 3), ReLU(), MaxPooling2D(2)],
            ["upsampling2d+conv2d+relu", "maxpooling2d"],
        ),
        ([Conv2D(2, 3), MaxPooling2D(2)], ["conv2d", "maxpooling2d"]),
        ([Conv2D(2, 3), LeakyReLU()], ["conv2d", "leakyrelu"]),
        ([Conv2D(2, 3), Louder(), MaxPooling2D(2)], ["conv2d", "louder", "maxpooling2d"]),
        ([Conv2D(2, 3), BatchNormalization(), ReLU()], ["conv2d", "batchnormalization", "relu"]),
        ([UpSampling2D(2, "bilinear"), Conv2D(2, 3)], ["upsampling2d", "conv2d"]),
        ([UpSampling2D(2), Conv2DTranspose(2, 3, 2)], ["upsampling2d", "conv2dtranspose"]),
        ([UpSampling2D(2), ReLU(), MaxPooling2D(2)], ["upsampling2d", "relu", "maxpooling2d"]),
        ([Flatten(), Dense(3), ReLU()], ["flatten", "dense", "relu"]),
    ],
    ids=str,
)
def test_steps(parts, expected):
    assert plan(copy.deepcopy(parts)) == expected


def test_one_alone_is_a_fused_step_too():
    """A convolution alone: its step can leave out gradients that nobody wants."""
    (step,) = fusion.steps(Sequential([Conv2D(2, 3)], (4, 4, 1)).layers)
    assert isinstance(step, fusion.Fused)


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_what_somebody_changed_is_run_as_written(method, monkeypatch):
    model = Sequential([Conv2D(2, 3), ReLU()], (4, 4, 1))
    x = normal(2, 4, 4, 1, dtype=np.float32)
    model.forward(x)
    assert len(model._steps) == 1
    plain, called = getattr(ReLU, method), []

    def mine(self, *arguments, **more):
        called.append(self)
        return plain(self, *arguments, **more)

    with monkeypatch.context() as patch:  # the class
        patch.setattr(ReLU, method, mine)
        model.backward(model.forward(x))
        assert len(model._steps) == 2
        assert len(called) == 1
    model.forward(x)
    assert len(model._steps) == 1
    setattr(model.layers[1], method, mine.__get__(model.layers[1]))  # a single layer
    model.backward(model.forward(x))
    assert len(model._steps) == 2
    assert len(called) == 2


def test_known_code_is_that_of_the_layers():
    for kind, digest in fusion.KNOWN_CODE.items():
        now = fusion.code_of(kind.forward, kind.backward)
        assert digest == now, (
            f"the code of {kind.__name__} is not what its fused step was written for. If the step "
            f'(nnscratch/kernels/compiled_blocks.py) computes the same, write "{now}" for it into '
            f"KNOWN_CODE in nnscratch/layers/fusion.py."
        )
    assert re.fullmatch("[0-9a-f]{12}", now)


# ---------------------------------------------------------------- switching it off


def test_switches():
    model = autoencoder()
    x, dy = normal(3, 8, 8, 1), normal(3, 8, 8, 1, seed=2)
    fused = passes(model, x, dy)
    assert len(model.encoder._steps) == 4  # one channel is not pooled
    nnscratch.use_fusion(False)
    unfused = passes(model, x, dy)
    assert model.encoder._steps == model.encoder.layers
    nnscratch.use_fusion(True)
    with plain_layers():
        reference = passes(model, x, dy)
        assert model.decoder._steps == model.decoder.layers
    for found in (fused, unfused, passes(model, x, dy)):
        for f, e in zip(found, reference, strict=True):
            np.testing.assert_allclose(f, e, rtol=1e-10, atol=1e-10 * abs(e).max())
    assert len(model.encoder._steps) == 4


def test_switching_between_forward_and_backward():
    """The backward pass is that of the forward pass that was made."""
    model = autoencoder()
    x, dy = normal(3, 8, 8, 1), normal(3, 8, 8, 1, seed=2)
    expected = passes(model, x, dy)
    for before in (True, False):
        nnscratch.use_fusion(before)
        y = model.forward(x, training=True)
        nnscratch.use_fusion(not before)
        found = [y, model.backward(dy), *model.grads.values()]
        for f, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(f, e, rtol=1e-10, atol=1e-10 * abs(e).max())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_independent(copied):
    model = autoencoder()
    x, dy = normal(3, 8, 8, 1), normal(3, 8, 8, 1, seed=2)
    expected = passes(model, x, dy)
    twin = copied(model)
    twin.params["encoder.0.conv2d.W"] *= 2
    equal(passes(model, x, dy), expected)
    found = passes(twin, x, dy)
    assert not np.array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[2], twin.encoder.layers[0].grads["W"])
    equal([g.copy() for g in model.grads.values()], expected[2:])


def test_what_layers_keep(capsys):
    model = Sequential([UpSampling2D(2), Conv2D(3, 3), ReLU()], (4, 4, 2))
    y = model.forward(np.ones((5, 4, 4, 2), np.float32))
    assert model.layers[2].cache[0] is y
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    kept = [int(line.split()[-1].replace(",", "")) for line in lines[2:]]
    line = 64  # bytes, by which buffers are larger, so that they can be aligned
    assert kept[:2] == [0, 4 * 4 * 2 * 4]  # the image before it is enlarged, and only once
    assert 8 * 8 * 3 * 4 <= kept[2] <= 8 * 8 * 3 * 4 + line

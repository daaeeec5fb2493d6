"""Which layers are fused, and how that is switched off; test_fused_numbers has the numbers."""

import copy
import pickle
import re

import numpy as np
import pytest

import nnscratch
from nnscratch import kernels
from nnscratch.kernels import planner, twins
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
)
from tests.kernels.stretches import plain_layers
from tests.kernels.test_fused_numbers import autoencoder, dy, equal, passes, x
from tests.layers.helpers import normal

CODE_WITHOUT_SOURCE: dict = {}
exec("def backward(self, dy): return 0 * dy", CODE_WITHOUT_SOURCE)  # as in a Python prompt


@pytest.fixture(autouse=True)
def _compiled_and_fused():
    kernels.use_kernels("compiled")
    kernels.use_fusion(True)
    yield
    kernels.use_kernels("compiled")
    kernels.use_fusion(True)


def plan(parts, shape=(8, 8, 3)):
    """What the steps are, such as ["conv2d+relu", "maxpooling2d"]."""
    model = Sequential(parts, shape)
    model.forward(np.zeros((1, *shape), np.float32))
    return ["+".join(layer.name for layer in layers_of(step)) for step in model._steps]


def layers_of(step):
    return getattr(step, "layers", [getattr(step, "layer", step)])


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
    ids=lambda parts: "+".join(getattr(part, "name", part) for part in parts),
)
def test_steps(parts, expected):
    assert plan(copy.deepcopy(parts)) == expected


def test_one_alone_is_a_fused_step_too():
    """A convolution alone: its step can leave out gradients that nobody wants."""
    (step,) = planner.steps(Sequential([Conv2D(2, 3)], (4, 4, 1)).layers)
    assert isinstance(step, twins.Fused)


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


def test_code_without_source(monkeypatch):
    """Nothing to compare: not what the fused step was written for."""
    monkeypatch.setattr(ReLU, "backward", CODE_WITHOUT_SOURCE["backward"])
    assert plan([Conv2D(2, 3), ReLU()]) == ["conv2d", "relu"]


@pytest.mark.parametrize("thing", planner.WRITTEN_FOR, ids=lambda thing: thing.__name__)
def test_twins_were_written_for_the_code_as_it_is(thing):
    now = planner.meaning_of(thing)
    assert planner.WRITTEN_FOR[thing] == now, (
        f"{thing.__name__} is not what its twin was written for. Once the twin "
        f'(nnscratch/kernels/twins.py) computes the same, write "{now}" for it into WRITTEN_FOR in '
        "nnscratch/kernels/planner.py."
    )
    assert re.fullmatch("[0-9a-f]{12}", now)


# ---------------------------------------------------------------- switching it off


def test_switches():
    model = autoencoder()
    fused = passes(model, x, dy)
    assert len(model.encoder._steps) == 4  # one channel is not pooled
    nnscratch.use_fusion(False)
    unfused = passes(model, x, dy)
    assert [layers_of(step)[0] for step in model.encoder._steps] == model.encoder.layers
    nnscratch.use_fusion(True)
    with plain_layers():
        reference = passes(model, x, dy)
        assert model.decoder._steps == model.decoder.layers
    for found in (fused, unfused, passes(model, x, dy)):
        for f, e in zip(found, reference, strict=True):
            np.testing.assert_allclose(f, e, rtol=1e-10, atol=1e-10 * abs(e).max())
    assert len(model.encoder._steps) == 4


@pytest.mark.parametrize(
    ("switch", "first", "then"),
    [
        (nnscratch.use_fusion, True, False),
        (nnscratch.use_fusion, False, True),
        (nnscratch.use_kernels, "reference", "compiled"),
        (nnscratch.use_kernels, "compiled", "reference"),
    ],
)
def test_switching_between_forward_and_backward(switch, first, then):
    """The backward pass is that of the forward pass that was made."""
    model = autoencoder()
    expected = passes(model, x, dy)
    switch(first)
    y = model.forward(x, training=True)
    switch(then)
    found = [y, model.backward(dy), *model.grads.values()]
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-10, atol=1e-10 * abs(e).max())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_independent(copied):
    model = autoencoder()
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
    np.testing.assert_array_equal(model.layers[2].cache[0], y)
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    kept = [int(line.split()[-1].replace(",", "")) for line in lines[2:]]
    line = 64  # bytes, by which buffers are larger, so that they can be aligned
    assert kept[:2] == [0, 4 * 4 * 2 * 4]  # the image before it is enlarged, and only once
    assert 8 * 8 * 3 * 4 <= kept[2] <= 8 * 8 * 3 * 4 + line

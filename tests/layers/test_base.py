import copy
import re

import numpy as np
import pytest

from nnscratch import kernels
from nnscratch.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
    ReLU,
    Sequential,
)
from nnscratch.layers.base import all_parts
from nnscratch.layers.summary import kept_bytes
from tests.layers.helpers import normal


def small_net(**more):
    layers = [Conv2D(4, 3), ReLU(), MaxPooling2D(2), Flatten(), Dropout(0.5), Dense(3)]
    return Sequential(layers, (6, 4, 2), **more)


def test_forward_and_backward_are_the_layers_one_by_one():
    model = small_net(dtype=np.float64)
    alone = copy.deepcopy(model.layers)
    x, dy = normal(5, 6, 4, 2), normal(5, 3, seed=2)
    y = model.forward(x, training=True)
    dx = model.backward(dy)
    for layer in alone:
        x = layer.forward(x, training=True)
    for layer in reversed(alone):
        dy = layer.backward(dy)
    for found, expected in (  # fused, sums are added in another order
        (y, x),
        (dx, dy),
        (model.grads["0.conv2d.W"], alone[0].grads["W"]),
        (model.grads["5.dense.b"], alone[5].grads["b"]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_training_reaches_the_layers():
    model = small_net(dtype=np.float64)
    x = normal(5, 6, 4, 2)
    evaluated = model.forward(x)
    np.testing.assert_array_equal(model.forward(x, training=False), evaluated)
    assert not np.array_equal(model.forward(x, training=True), evaluated)


def test_names_and_arrays():
    model = Sequential([Conv2D(2, 3), BatchNormalization(), Dropout(0.5)], (4, 4, 1))
    assert list(model.params) == list(model.grads)
    names = "0.conv2d.W 0.conv2d.b 1.batchnormalization.gamma 1.batchnormalization.beta"
    assert list(model.params) == names.split()
    names = "1.batchnormalization.mean 1.batchnormalization.var 2.dropout.key 2.dropout.draws"
    assert list(model.state) == names.split()
    assert model.params["0.conv2d.W"] is model.layers[0].params["W"]
    assert model.state["1.batchnormalization.var"] is model.layers[1].state["var"]
    before = model.forward(np.ones((1, 4, 4, 1), np.float32))
    model.params["1.batchnormalization.beta"] += 1  # as an optimiser does
    np.testing.assert_allclose(
        model.forward(np.ones((1, 4, 4, 1), np.float32)), before + 1, rtol=1e-6
    )


def test_seeds():
    def weights(seed, dtype=np.float32):
        model = small_net(seed=seed, dtype=dtype)
        return np.concatenate([p.ravel() for n, p in model.params.items() if n.endswith("W")])

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not (weights(3) == weights(4)).any()
    np.testing.assert_array_equal(weights(3), weights(3, np.float64).astype(np.float32))
    np.testing.assert_array_equal(weights([1, 2]), weights([1, 2]))
    assert not (weights([1, 2]) == weights([1, 3])).any()
    model = Sequential([Dense(4), Dense(4)], (4,))
    assert not (model.params["0.dense.W"] == model.params["1.dense.W"]).any()


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([Conv2D(2, 3), Dense(5)], r"layer 1\.dense .*\(8, 8, 2\): .*\(I,\), got .*put Flatten"),
        ([Flatten(), Conv2D(2, 3)], r"layer 1\.conv2d .*\(64,\): .*\(H, W, C\), got \(64,\)"),
        ([MaxPooling2D(4), Conv2D(2, 3, padding="valid")], r"layer 1\.conv2d .*height 3 is larger"),
        (
            [Flatten(), Sequential([ReLU(), Conv2D(2, 3)], (4, 4, 1))],
            r"layer 1\.sequential .*\(64,\): it was built before, for float32 .*\(4, 4, 1\)",
        ),
    ],
)
def test_layers_that_do_not_fit(layers, words):
    with pytest.raises(ValueError, match=words):
        Sequential(layers, (8, 8, 1))


def test_no_layers():
    with pytest.raises(ValueError, match="at least one layer, got an empty list"):
        Sequential([], (4,))


def test_the_same_layer_twice():
    relu = ReLU()
    with pytest.raises(ValueError, match=r"same layer object twice.*make a new object"):
        Sequential([relu, Dense(3), relu], (4,))
    assert Sequential([ReLU(), Dense(3), ReLU()], (4,)).built_shape == (3,)


def test_the_same_layer_twice_inside():
    dense = Dense(4)
    with pytest.raises(ValueError, match="same layer object twice"):
        Sequential([dense, Sequential([dense], (4,))], (4,))


@pytest.mark.parametrize("layers", [[ReLU], ["relu"], [np.tanh], [Dense(3), None]], ids=range(4))
def test_things_that_are_no_layers(layers):
    with pytest.raises(TypeError, match=r"layers\[\d\] is .*a Layer"):
        Sequential(layers, (4,))


@pytest.mark.parametrize("shape", [8, (8.5,), (0,), (-1,), (True,), "8", None], ids=repr)
def test_input_shapes_that_are_none(shape):
    with pytest.raises((TypeError, ValueError), match="input_shape is"):
        Sequential([ReLU()], shape)


def test_layers_that_were_built_keep_their_parameters():
    trained = Sequential([Dense(4), ReLU(), Dense(2)], (3,), seed=1)
    weights = trained.params["0.dense.W"].copy()
    other = Sequential([*trained.layers[:2], Dense(5)], (3,), seed=2)
    np.testing.assert_array_equal(other.params["0.dense.W"], weights)
    with pytest.raises(ValueError, match=r"built before, for float32 inputs of \(3,\).*float64"):
        Sequential(trained.layers, (3,), dtype=np.float64)
    trained.build((3,), np.random.default_rng(5), np.float32)
    assert (trained.params["0.dense.W"] != weights).all()


def test_setting_a_gathered_parameter_reaches_the_layer():
    model = Sequential([Dense(2)], (3,))
    copied = copy.deepcopy(model.params)
    copied["0.dense.W"] = np.zeros(1)  # a plain dict of copies
    model.params["0.dense.W"] = np.ones((3, 2))
    np.testing.assert_array_equal(model.layers[0].params["W"], np.ones((3, 2), np.float32))
    assert model.params["0.dense.W"].dtype == np.float32
    with pytest.raises(ValueError, match=r"W has shape \(3, 2\); it cannot be set .* \(2, 3\)"):
        model.params["0.dense.W"] = np.ones((2, 3))


def test_a_nested_sequential_is_a_layer_like_any_other():
    def layers():
        return [Conv2D(2, 3), ReLU(), Flatten(), Dense(3)]

    flat = Sequential(layers(), (4, 4, 1), seed=7)
    first, last = layers()[:2], layers()[2:]
    inner = Sequential(first, (4, 4, 1), seed=8)
    nested = Sequential([inner, *last], (4, 4, 1), seed=7)
    names = "0.sequential.0.conv2d.W 0.sequential.0.conv2d.b 2.dense.W 2.dense.b"
    assert list(nested.params) == names.split()
    assert nested.params["0.sequential.0.conv2d.W"] is first[0].params["W"]
    for mine, theirs in zip(nested.params.values(), flat.params.values(), strict=True):
        theirs[...] = mine
    x, dy = normal(2, 4, 4, 1, dtype=np.float32), normal(2, 3, dtype=np.float32)
    np.testing.assert_array_equal(nested.forward(x), flat.forward(x))
    np.testing.assert_array_equal(nested.backward(dy), flat.backward(dy))
    for mine, theirs in zip(nested.grads.values(), flat.grads.values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert nested.multiply_adds() == flat.multiply_adds()


def summary_of(model, capsys):
    """The printed table: name -> the other cells of its row."""
    model.summary()
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    return {name: cells for name, *cells in rows}


@pytest.fixture
def _in_numpy():
    """Layer by layer, since a fused step keeps other arrays."""
    before = kernels.use_kernels("reference")
    yield
    kernels.use_kernels(before)


@pytest.mark.usefixtures("_in_numpy")
def test_summary_by_hand(capsys):
    layers = [Conv2D(4, 3), ReLU(), Conv2D(2, 1), AveragePooling2D(2), Flatten(), Dense(10)]
    assert summary_of(Sequential(layers, (8, 8, 1)), capsys) == {
        "layer": ["output", "parameters", "multiply-adds", "kept, bytes"],
        "(input)": ["(8, 8, 1)"],
        # 3*3*1*4 + 4 parameters, 8*8 pixels times 3*3*1*4, keeps 8*8*1 numbers of 4 bytes
        "0.conv2d": ["(8, 8, 4)", "40", "2,304", "256"],
        "1.relu": ["(8, 8, 4)", "0", "0", "256"],  # a byte for each number
        # 4*2 + 2, 8*8 * 4*2, keeps 8*8*4 numbers
        "2.conv2d": ["(8, 8, 2)", "10", "512", "1,024"],
        "3.averagepooling2d": ["(4, 4, 2)", "0", "0", "0"],
        "4.flatten": ["(32,)", "0", "0", "0"],
        "5.dense": ["(10,)", "330", "320", "128"],
        "total, one sample": ["380", "3,136", "1,664"],
    }


def test_summary_of_float64_keeps_twice_the_bytes(capsys):
    layers = [Dense(3), ReLU()]
    table = summary_of(Sequential(layers, (10,), dtype=np.float64), capsys)
    assert table["0.dense"] == ["(3,)", "33", "30", "80"]
    assert table["1.relu"] == ["(3,)", "0", "0", "3"]


class Doubled(Layer):
    """Keeps its output, for no reason."""

    def forward(self, x, training=False):
        self.cache = (2 * x,)
        return self.cache[0]


def test_summary_counts_what_training_keeps_and_shared_memory_once(capsys):
    table = summary_of(Sequential([Doubled(), Flatten(), Dense(3), Dropout(0.5)], (2, 5)), capsys)
    assert [cells[-1] for cells in table.values()][2:6] == [
        "40",  # y
        "0",
        "0",  # a view of the same y
        "12",  # the mask, which evaluation does without
    ]


def test_two_views_of_one_array_keep_it_once():
    y, seen = np.zeros((4, 6)), set()
    layers = [ReLU(), ReLU(), ReLU()]
    for layer, kept in zip(layers, (y[1:], y[:, 2:], y), strict=True):
        layer.cache = (kept, kept)
    assert [kept_bytes(layer, seen) for layer in layers] == [4 * 6 * 8, 0, 0]


def test_summary_leaves_the_model_alone(capsys):
    model = Sequential([BatchNormalization(), Dropout(0.5)], (4,))
    before = copy.deepcopy(model.state)
    model.summary()
    capsys.readouterr()
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ValueError, match="backward before forward"):
        model.backward(np.ones((1, 4), np.float32))


def test_all_parts_begin_with_the_layer_itself():
    layer, model = Dense(3), small_net()
    assert all_parts(layer) == [layer]
    assert all_parts(model) == [model, *model.layers]

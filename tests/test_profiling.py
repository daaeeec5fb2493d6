"""What `profile` says of a model, against the same computed in another way."""

import copy
import re
import types

import numpy as np
import pytest

from nnscratch import kernels, profiling
from nnscratch.kernels.twins import Fused
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Sequential,
)
from nnscratch.layers.base import Composite
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder, NegativeELBO, UNet
from nnscratch.profiling import REPEATS, profile

rng = np.random.default_rng(0)
x = rng.random((6, 8, 8, 3))
target = rng.random((6, 5))


@pytest.fixture(autouse=True, params=["compiled", "reference"])
def _kernels(request):
    kernels.use_kernels(request.param)
    yield
    kernels.use_kernels("compiled")


def network(dtype=np.float64):
    layers = [Conv2D(4, 3), ReLU(), MaxPooling2D(2), Flatten(), Dropout(0.3), Dense(5)]
    return Sequential(layers, (8, 8, 3), dtype=dtype)


def loss(y):
    return mse(y, target.astype(y.dtype))


def vae(dtype=np.float64):
    encoder = Sequential([Conv2D(3, 3), ReLU(), Flatten()], (8, 8, 3), dtype=dtype)
    decoder = Sequential([Dense(7), BatchNormalization(), ReLU(), Dense(5)], (2,), dtype=dtype)
    return VAE(encoder, 2, decoder)


def unet(dtype=np.float64):
    return UNet((8, 8, 3), (4,), 4, dtype=dtype)


def plain_gradients(model, x, loss):
    """Of each parameter, from a training pass of a copy that nobody looks into."""
    twin = copy.deepcopy(model)
    gradients = loss(twin, twin.forward(x, training=True))[1]
    twin.backward(*gradients) if isinstance(gradients, tuple) else twin.backward(gradients)
    return twin.grads


def norm_of(name, arrays):
    """Of all numbers whose names begin so, by another formula than `profile`'s."""
    parts = [a.ravel() for key, a in arrays.items() if key.startswith(f"{name}.")]
    return np.linalg.norm(np.concatenate(parts).astype(np.float64))


# ---------------------------------------------------------------- numbers


def test_what_a_layer_is():
    rows = profile(network(), x)
    names = ["0.conv2d", "1.relu", "2.maxpooling2d", "3.flatten", "4.dropout", "5.dense"]
    assert [r.name for r in rows] == names
    shapes = [(8, 8, 4), (8, 8, 4), (4, 4, 4), (64,), (64,), (5,)]
    assert [r.output_shape for r in rows] == shapes
    assert [r.parameters for r in rows] == [3 * 3 * 3 * 4 + 4, 0, 0, 0, 0, 64 * 5 + 5]
    assert [r.multiply_adds for r in rows] == [8 * 8 * 3 * 3 * 3 * 4, 0, 0, 0, 0, 64 * 5]
    for r in rows:
        if not r.multiply_adds:
            assert r.forward_gflops is r.backward_gflops is None
        else:
            operations = 2 * 6 * r.multiply_adds  # of six samples
            assert r.forward_gflops == pytest.approx(operations / (r.forward_ms / 1e3) / 1e9)
            assert r.backward_gflops == pytest.approx(2 * operations / (r.backward_ms / 1e3) / 1e9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [network, vae, unet])
def test_gradients_are_those_of_a_plain_pass(make, dtype):
    """With the same noise: the state is that of before for each pass."""
    model, images = make(dtype), x.astype(dtype)
    goal = images.repeat(2, axis=-1) if make is unet else target.astype(dtype)

    def loss_of(model, y):
        return NegativeELBO(model)(y, goal) if make is vae else mse(y, goal)

    expected = plain_gradients(model, images, loss_of)
    rows = profile(model, images, lambda y: loss_of(model, y))
    measured = {r.name: r.gradient_norm for r in rows if r.parameters}
    assert list(measured) == list(dict.fromkeys(key.rsplit(".", 1)[0] for key in model.params))
    for name, norm in measured.items():
        assert norm == pytest.approx(
            norm_of(name, expected), rel=1e-9 if dtype is np.float64 else 1e-3
        )
    assert all(r.gradient_norm is None for r in rows if not r.parameters)


def test_gradients_of_the_outputs_are_those_of_the_chain_rule():
    model, y = network(), x
    rows = profile(model, x, loss)
    for layer in model.layers:
        y = layer.forward(y, training=True)
    dy = loss(y)[1]
    for row, layer in zip(reversed(rows), reversed(model.layers), strict=True):
        assert row.output_gradient_norm == pytest.approx(np.linalg.norm(dy))
        dy = layer.backward(dy)


def test_without_a_loss_the_same_noise_each_time():
    first, second = ([r.gradient_norm for r in profile(network(), x)] for _ in range(2))
    assert first == second
    wide = Sequential([Dense(300)], (3,))
    (row,) = profile(wide, np.ones((100, 3), np.float32))
    assert row.output_gradient_norm == pytest.approx(np.sqrt(100 * 300), rel=0.02)


def test_dead_units_are_the_planted_ones():
    model = network()
    model.params["0.conv2d.W"][...] = abs(model.params["0.conv2d.W"])
    model.params["0.conv2d.b"][...] = [-100, 0, -100, -100]
    assert [r.dead_share for r in profile(model, x)] == [None, 0.75, None, None, None, None]
    one_place = np.zeros_like(x)
    one_place[3, 2, 5] = 1e3  # where channel 2 lives: in one image, in a few places
    model.params["0.conv2d.b"][...] = [-1e9, -1e9, -100, -1e9]
    assert profile(model, one_place)[1].dead_share == 0.75
    row = profile(Sequential([ReLU()], (4,)), np.float32([[0, 0, -1, 1], [0, 2, -3, 0]]))[0]
    assert row.dead_share == 0.5
    assert (
        profile(Sequential([LeakyReLU()], (4,)), np.ones((1, 4), np.float32))[0].dead_share is None
    )


# ---------------------------------------------------------------- time


class Slow(Layer):
    """The identity; by a clock of its own, pass k takes k ms forward and 2 k ms back."""

    passes, now = 0, 0.0

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x.shape,)
        self.passes += 1
        self.now += 1e-3 * self.passes
        return x

    def backward(self, dy):
        self.now += 2e-3 * self.passes
        return dy


def test_time_is_that_of_the_layer_that_takes_it(capsys, monkeypatch):
    slow = Slow()
    monkeypatch.setattr(profiling, "time", types.SimpleNamespace(perf_counter=lambda: slow.now))
    rows = profile(Sequential([Dense(5), slow, Dense(5)], (5,), dtype=np.float64), target)
    assert slow.passes == 1 + REPEATS + 1 + REPEATS
    middle = 2 + REPEATS // 2  # of the passes after the one that looks at the gradients
    times = [0, 0, middle, 2 * middle, 0, 0]
    assert [t for r in rows for t in (r.forward_ms, r.backward_ms)] == pytest.approx(times)
    found = re.search(r"take ([\d.]+) ms, .* ([\d.]+) ms \(", capsys.readouterr().out)
    middle_of_model = middle + REPEATS + 1  # whose first pass, which may compile, does not count
    expected = [3 * middle, 3 * middle_of_model]
    assert [float(ms) for ms in found.groups()] == pytest.approx(expected)


def test_layers_are_watched_one_by_one_and_the_model_is_timed_as_it_is_run():
    model, fused = network(), []

    def looking_loss(y):
        fused.append(any(isinstance(step, Fused) for step in model._steps))
        return loss(y)

    profile(model, x, looking_loss)
    assert fused == [False] * (1 + REPEATS) + [kernels.in_use() == "compiled"] * (1 + REPEATS)


# ---------------------------------------------------------------- what is left behind


@pytest.mark.parametrize("make", [network, vae, unet])
def test_the_model_is_left_as_it_was(make):
    model = make()
    model.backward(np.ones_like(model.forward(x, training=True)))
    arrays = {w: getattr(model, w) for w in ("params", "state", "grads")}
    before = copy.deepcopy(arrays)
    twin = copy.deepcopy(model)
    profile(model, x)
    for what, kept in arrays.items():
        for key, array in kept.items():
            assert getattr(model, what)[key] is array
            np.testing.assert_array_equal(array, before[what][key])
    np.testing.assert_array_equal(model.forward(x, training=True), twin.forward(x, training=True))


def test_the_model_is_left_as_it_was_where_the_loss_fails():
    model = network()
    draws = model.state["4.dropout.draws"].copy()
    with pytest.raises(ValueError, match=r"dy has shape \(2, 5\) but \(6, 5\) is expected"):
        profile(model, x, lambda y: (0.0, y[:2]))
    assert model.state["4.dropout.draws"] == draws
    assert not any("forward" in vars(layer) for layer in model.layers)


class Detached(Composite):
    """Two layers, of which the second one is for something else."""

    def __init__(self):
        self.used, self.other = Dense(4), Dense(2)
        super().__init__({"used": self.used, "other": self.other})
        for layer in self.parts.values():
            layer.build((5,), np.random.default_rng(0), np.float64)
        self.input_shape, self.built_shape, self.dtype = (5,), (4,), np.dtype(float)

    def forward(self, x, training=False):
        return self.used.forward(x, training)

    def backward(self, dy):
        return self.used.backward(dy)


def test_a_layer_without_use_takes_no_time():
    used, other = profile(Detached(), target)
    assert used.forward_ms > 0
    assert (other.forward_ms, other.backward_ms, other.output_gradient_norm) == (0, 0, 0)
    assert other.forward_gflops is other.gradient_norm is None


def test_a_layer_by_itself():
    layer = Dense(3)
    layer.build((5,), np.random.default_rng(0), np.float64)
    (row,) = profile(layer, target)
    assert row.name == "dense"
    assert row.output_gradient_norm > 0


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (x[:, :4], ValueError, r"x has shape \(6, 4, 8, 3\) but the layer was built for"),
        (x.astype(np.float32), TypeError, "x is float32 but the model is float64"),
        (x.tolist(), TypeError, "x is a list, not a NumPy array"),
        (x[:0], ValueError, "no samples; at least one is needed"),
        (x * np.nan, ValueError, "NaN or infinity, first in sample 0"),
    ],
)
def test_wrong_images_get_a_sentence(images, error, words):
    with pytest.raises(error, match=words):
        profile(network(), images)


def test_table(capsys):
    model = Autoencoder(Sequential([Dense(2), ReLU()], (5,)), Sequential([Dense(5)], (2,)))
    model.params["encoder.0.dense.b"][...] = [9, -9]
    rows = profile(model, target.astype(np.float32))
    header, *lines, total, last = capsys.readouterr().out.splitlines()
    columns = ["layer", "output", "parameters", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s",
               "|dL/dparam|", "|dL/dy|", "dead"]  # fmt: skip
    assert re.split(r"  +", header) == columns
    for row, line in zip(rows, lines, strict=True):
        cells = line.split()
        assert cells[:3] == [row.name, str(row.output_shape), str(row.parameters)]
        assert f"{row.forward_ms:.3f}" in cells
        assert f"{row.backward_ms:.3f}" in cells
        assert f"{row.output_gradient_norm:.2e}" in cells
        known = [value for value in vars(row).values() if value is not None]
        assert len(cells) == len(known) - 1  # all but the multiply-adds
    assert lines[1].endswith("  50%")
    model.params["encoder.0.dense.b"][...] = 9
    profile(model, target.astype(np.float32))
    assert capsys.readouterr().out.splitlines()[2].endswith("  0%")  # which is not nothing
    assert total.split()[:2] == ["sum", "27"]
    assert last.startswith("6 samples. The layers run one by one take ")
    assert "as it is run, neighbours fused where possible" in last

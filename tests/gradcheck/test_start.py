"""Where layers are checked, and which checks prove nothing."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients, check_loss
from nnscratch.gradcheck.start import move_from_start
from nnscratch.layers import (
    BatchNormalization,
    Dense,
    GaussianSampling,
    Layer,
    MaxPooling2D,
    ReLU,
    Sequential,
)


def built(layer, shape):
    layer.build(shape, np.random.default_rng(0), np.float64)
    return layer


def numbers(*shape):
    return np.random.default_rng(1).standard_normal(shape)


class Scale(Layer):
    """y = gamma * x, whose dx forgets gamma: right as long as gamma is 1."""

    def make_params(self, rng):
        return {"gamma": np.ones(self.input_shape)}

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x,)
        return self.params["gamma"] * x

    def backward(self, dy):
        self.check_gradient(dy)
        self.grads["gamma"][...] = (dy * self.cache[0]).sum(axis=0)
        return dy.copy()


class Centre(Layer):
    """y = x - mean, with a statistic that multiplies nothing as long as it is 1."""

    def make_state(self, rng):
        return {"var": np.ones(self.input_shape, self.dtype)}

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x,)
        return x / np.sqrt(self.state["var"])

    def backward(self, dy):
        self.check_gradient(dy)
        return dy.copy()


@pytest.mark.parametrize(("kind", "hint"), [(Scale, "gamma"), (Centre, "")])
def test_first_values_hide_nothing(kind, hint):
    layer, x = built(kind(), (5,)), numbers(4, 5)
    assert check_gradients(layer, x, move=False).ok  # which is why they are moved
    report = check_gradients(layer, x)
    assert [failure.where for failure in report.failures] == ["input"]
    assert hint in report.failures[0].hint


@pytest.mark.parametrize("broken", [False, True])
def test_all_is_as_it_was_afterwards(broken):
    layer = built(BatchNormalization(), (3,))
    kept = {k: v.tobytes() for k, v in (layer.params | layer.state).items()}
    if broken:
        layer.backward = lambda dy: 1 / 0
        with pytest.raises(ZeroDivisionError):
            check_gradients(layer, numbers(5, 3), training=True)
    else:
        assert check_gradients(layer, numbers(5, 3), training=True).ok
    assert kept == {k: v.tobytes() for k, v in (layer.params | layer.state).items()}


def test_everything_moves_and_a_variance_stays_positive():
    layer = built(BatchNormalization(), (40,))
    before = {k: v.copy() for k, v in (layer.params | layer.state).items()}
    move_from_start(layer, np.random.default_rng(0))
    after = layer.params | layer.state
    assert all((after[k] != before[k]).all() for k in before)
    assert (layer.state["var"] > 0).all()
    assert (layer.params["beta"] < 0).any()
    noise = built(GaussianSampling(), (4,))
    key = noise.state["key"].copy()
    move_from_start(noise, np.random.default_rng(0))
    assert noise.state["key"] == key


# ---------------------------------------------------------------- zeros


def dead():
    model = Sequential([Dense(4), ReLU(), Dense(2)], (3,), dtype=np.float64)
    model.params["0.dense.b"][...] = -100
    return model


def test_a_dead_model_proves_nothing():
    report = check_gradients(dead(), numbers(4, 3))
    assert not report.wrong
    assert report.zeros == 12 + 12 + 4 + 8
    (failure,) = report.failures
    assert failure.where == "zeros"
    for name in ("input", "0.dense.W", "0.dense.b", "2.dense.W"):
        assert name in failure.what
    assert "2.dense.b" not in failure.what
    assert "proves nothing" in str(report)
    assert "95 % of them 0 on both sides" in str(report)


class Beside(Layer):
    """W * x, and b beside it."""

    def output_shape(self, input_shape):
        return (2 * input_shape[0],)

    def make_params(self, rng):
        return {"W": rng.standard_normal(self.input_shape), "b": np.zeros(self.input_shape)}

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x.copy(),)
        b = np.broadcast_to(self.params["b"], x.shape)
        return np.concatenate([self.params["W"] * x, b], axis=1)

    def backward(self, dy):
        self.check_gradient(dy)
        of_x, of_b = np.split(dy, 2, axis=1)
        self.grads["W"][...] = (of_x * self.cache[0]).sum(axis=0)
        self.grads["b"][...] = of_b.sum(axis=0)
        return self.params["W"] * of_x


class FirstHalf(Layer):
    """Takes the other half away, so that nothing is left of it, not even rounding."""

    def output_shape(self, input_shape):
        return (input_shape[0] // 2,)

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x.shape,)
        return np.split(x, 2, axis=1)[0].copy()

    def backward(self, dy):
        self.check_gradient(dy)
        return np.concatenate([dy, np.zeros_like(dy)], axis=1)


def test_a_bias_that_a_later_layer_takes_away_is_no_fault_and_is_noted():
    model = Sequential([Beside(), FirstHalf(), Dense(2)], (3,), dtype=np.float64)
    before = model.params["0.beside.b"].copy()
    report = check_gradients(model, numbers(4, 3))
    assert report.ok, str(report)
    assert "does not depend on 0.beside.b (a normalisation follows?)" in str(report)
    np.testing.assert_array_equal(model.params["0.beside.b"], before)
    model.parts["1.firsthalf"].backward = lambda dy: np.concatenate([dy, dy], axis=1)
    assert check_gradients(model, numbers(4, 3)).wrong


@pytest.mark.parametrize("x", [np.zeros((4, 3)), numbers(4, 3)], ids=["no input", "dead"])
def test_what_is_not_taken_away_but_dead_fails_still(x):
    """Weights behind an input of 0, beside a bias that is alive; and all behind a dead ReLU."""
    model = Sequential([Dense(4), ReLU(), Dense(2)], (3,), dtype=np.float64)
    model.params["0.dense.b"][...] = 3.0 if not x.any() else -100
    report = check_gradients(model, x, move=False)
    (failure,) = [failure for failure in report.failures if failure.where == "zeros"]
    assert "0.dense.W" in failure.what
    assert not any("normalisation" in note for note in report.notes)


class Above(Layer):
    """W * x, and b where it is above 1."""

    def make_params(self, rng):
        return {"W": rng.standard_normal(self.input_shape), "b": np.zeros(self.input_shape)}

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x.copy(),)
        return self.params["W"] * x + np.maximum(self.params["b"] - 1, 0)

    def backward(self, dy):
        self.check_gradient(dy)
        self.grads["W"][...] = (dy * self.cache[0]).sum(axis=0)
        self.grads["b"][...] = dy.sum(axis=0) * (self.params["b"] > 1)
        return self.params["W"] * dy


def test_a_parameter_that_has_an_effect_further_away_is_dead_and_not_taken_away():
    report = check_gradients(
        Sequential([Above()], (20,), dtype=np.float64), numbers(4, 20), move=False
    )
    (failure,) = report.failures
    assert "all 20 gradients of 0.above.b are 0" in failure.what
    assert not any("normalisation" in note for note in report.notes)


def test_no_effect_must_be_said_and_be_true():
    names = ["input", "1", "2.dense.W"]
    with pytest.raises(ValueError, match=r"no_effect: there is no '1'; known are input, 0\.dense"):
        check_gradients(dead(), numbers(4, 3), no_effect=names)
    names[1] = "0.dense"  # a part's name stands for all in it
    assert check_gradients(dead(), numbers(4, 3), no_effect=names).ok
    report = check_gradients(dead(), numbers(4, 3), no_effect=[*names, "2.dense.b"])
    assert "was said to have no effect, but 2 entries have one" in str(report)


def test_zeros_of_a_large_array_are_counted():
    model = Sequential([Dense(300), ReLU(), Dense(2)], (3,), dtype=np.float64)
    model.params["0.dense.b"][...] = -100
    report = check_gradients(model, numbers(2, 3))
    assert report.zeros == report.elements - 2


def test_a_maximum_over_many_is_fine():
    report = check_gradients(built(MaxPooling2D(10), (10, 10, 1)), numbers(2, 10, 10, 1))
    assert report.zero_share == 0.99
    assert report.ok


def test_hardly_an_output_alive():
    layer, x = built(ReLU(), (100,)), -1 - np.abs(numbers(2, 100))
    x[0, 0] = 1.0
    report = check_gradients(layer, x)
    assert "199 of 200 gradients are 0" in str(report)
    assert "only 0.5 % of the outputs depend" in str(report)


def test_a_loss_at_its_minimum_proves_nothing():
    report = check_loss(lambda y: (float((y**2).sum()), 2 * y), np.zeros((2, 3)))
    assert "proves nothing" in str(report)

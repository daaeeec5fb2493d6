"""Every hint is asked, in one order that is written down once."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients, hints
from nnscratch.gradcheck.hints import pointwise
from nnscratch.layers import Conv2D, Dense
from tests.gradcheck.foreign_layers import Attention, SiLU, sigmoid
from tests.layers.helpers import normal


def test_every_hint_of_every_file_is_asked_once():
    found = []
    for file in pkgutil.iter_modules(hints.__path__):
        module = importlib.import_module(f"{hints.__name__}.{file.name}")
        found += [
            function
            for name, function in vars(module).items()
            if inspect.isfunction(function)
            and function.__module__ == module.__name__
            and not name.startswith("_")
            and list(inspect.signature(function).parameters) == ["wrong", "scene"]
        ]
    assert len(found) > 20
    assert len(hints.HINTS) == len(set(hints.HINTS))
    assert set(hints.HINTS) == set(found)


def test_a_factor_for_each_channel_is_named():
    layer = Dense(3)
    layer.build((4,), np.random.default_rng(0), np.float64)

    def backward(dy):
        dx = Dense.backward(layer, dy)
        layer.grads["W"] *= [0.5, 1.25, 3]
        return dx

    layer.backward = backward
    report = check_gradients(layer, np.random.default_rng(1).standard_normal((5, 4)))
    (failure,) = report.failures
    assert "for each channel, such as gamma: 0.5, 1.25, 3 times" in failure.hint


def silu_at_the_output(layer, dy):
    y = layer.cache[1]
    return dy * (sigmoid(y) + y * sigmoid(y) * (1 - sigmoid(y)))


@pytest.mark.parametrize(
    ("kind", "shape", "backward", "words"),
    [
        (SiLU, (6,), silu_at_the_output, "is right, but taken at the output y instead of"),
        (Attention, (4, 3), lambda layer, dy: sum(layer.ways(dy)[:2]), "enters the output in 3 pl"),
    ],
)
def test_hints_that_rest_on_an_experiment(kind, shape, backward, words):
    layer = kind()
    layer.build(shape, np.random.default_rng(0), np.float64)
    layer.backward = lambda dy: backward(layer, dy)
    report = check_gradients(layer, np.random.default_rng(1).standard_normal((3, *shape)))
    (failure,) = report.failures
    assert words in failure.hint


@pytest.mark.parametrize(("down", "right"), [(-1, 0), (1, 0), (0, -1), (0, 1), (1, -1), (-1, 1)])
def test_a_step_to_any_side_is_named_with_its_direction(down, right):
    layer = Conv2D(3, 3)
    layer.build((7, 8, 2), np.random.default_rng(0), np.float64)
    backward = layer.backward
    layer.backward = lambda dy: np.roll(backward(dy), (down, right), axis=(1, 2))
    report = str(check_gradients(layer, normal(2, 7, 8, 2)))
    assert f"moved {down} down and {right} to the right" in report


def test_what_derivatives_are_made_of_is_what_its_name_says():
    x = normal(7)
    y = np.sin(x)
    known = {"x": x, "y": y, "exp": np.exp, "tanh": np.tanh, "sigmoid": sigmoid}
    known["slope"] = lambda x: (sigmoid(x + 1e-6) - sigmoid(x - 1e-6)) / 2e-6
    found = pointwise._candidates(x, y)
    assert len(found) > 10
    for name, values in found.items():
        expected = eval(name.replace("sigmoid'", "slope"), known.copy())
        np.testing.assert_allclose(values, expected, rtol=1e-8, err_msg=name)

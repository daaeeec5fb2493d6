"""What the checker guarantees about correct layers, kinks and its own behaviour."""

import numpy as np
import pytest

from nnscratch import layers
from nnscratch.gradcheck import check_gradients, check_loss
from nnscratch.gradcheck.__main__ import main
from nnscratch.gradcheck.cases import CASES, Case
from nnscratch.layers import (
    AveragePooling2D,
    BatchNormalization,
    Dense,
    Dropout,
    ReLU,
    Sequential,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer}-{case.configuration}")
def test_case(case):
    report = case.check()
    report.raise_if_failed()
    kinked = case.layer in KINKED or "kinked" in case.configuration
    assert report.tolerance == (1e-5 if kinked else 1e-7)
    assert report.worst <= report.tolerance
    assert report.elements > 0
    assert report.zero_share < (0.9 if "ool" in case.layer else 0.8)


KINKED = {"ReLU", "LeakyReLU", "MaxPooling2D", "Autoencoder", "UNet"}


def test_every_layer_has_a_case():
    without_passes = {"Layer", "Composite"}
    assert set(layers.__all__) - without_passes <= {case.layer for case in CASES}


def test_parameters_and_state_are_left_as_they_were():
    model = Sequential(
        [Dense(4), BatchNormalization(), Dropout(0.5)], input_shape=(3,), dtype=np.float64
    )
    before = {k: v.copy() for k, v in (model.params | model.state).items()}
    x = np.random.default_rng(0).standard_normal((5, 3))
    x_before = x.copy()
    assert check_gradients(model, x, training=True).ok
    assert all(np.array_equal(v, before[k]) for k, v in (model.params | model.state).items())
    assert np.array_equal(x, x_before)


def test_every_entry_of_a_large_array_takes_part():
    layer = Dense(40)
    layer.build((30,), np.random.default_rng(0), np.float64)
    x = np.random.default_rng(1).standard_normal((2, 30))
    fast, slow = (check_gradients(layer, x, every_element=flag) for flag in (False, True))
    assert fast.ok
    assert slow.ok
    assert fast.elements == slow.elements == slow.one_by_one == 60 + 1200 + 40
    assert fast.one_by_one == 60 + 40
    assert 0 < fast.worst <= 1e-7


def test_float32_is_refused():
    layer = Dense(2)
    layer.build((3,), np.random.default_rng(0), np.float32)
    with pytest.raises(TypeError, match="float64"):
        check_gradients(layer, np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match=r"built with dtype=np\.float64, not float32"):
        check_gradients(layer, np.ones((2, 3)))


def test_output_shape_that_build_did_not_announce():
    layer = Dense(2)
    layer.build((3,), np.random.default_rng(0), np.float64)
    layer.built_shape = (5,)
    layer.check_gradient = lambda dy: None
    text = str(check_gradients(layer, np.ones((2, 3))))
    assert "breaks the contract" in text
    assert "announced (2, 5)" in text


def relu_at(x):
    layer = ReLU()
    layer.build(x.shape[1:], np.random.default_rng(0), np.float64)
    return check_gradients(layer, x)


def test_kinks_are_skipped_and_counted():
    x = np.random.default_rng(0).standard_normal((4, 10))
    x[0, 0], x[1, 1], x[2, 2] = 1e-8, -1e-8, 0.0
    report = relu_at(x)
    report.raise_if_failed()
    assert (report.kinks, report.elements) == (3, 37)


def test_point_beside_a_kink_passes():
    x = np.random.default_rng(0).standard_normal((4, 10))
    x[0, 0], x[1, 1] = 3e-6, -3e-6
    report = relu_at(x)
    report.raise_if_failed()
    assert report.kinks == 0


def test_too_many_kinks_fail():
    x = np.random.default_rng(0).standard_normal((4, 10))
    x[:, 0], x[0] = 0.0, 0.0
    assert "13 of 40 entries lie within a step of a kink" in str(relu_at(x))


@pytest.mark.parametrize(("size", "kinks", "forgiven"), [
    (8, 3, True), (8, 4, False), (100, 10, True), (100, 11, False), (3, 3, False),
])  # fmt: skip
def test_a_handful_of_kinks_or_a_tenth_is_forgiven(size, kinks, forgiven):
    x = np.random.default_rng(0).standard_normal((1, size))
    x[0, :kinks] = 0
    report = relu_at(x)
    assert report.kinks == kinks
    said = any("within a step of a kink" in failure.what for failure in report.failures)
    assert said != forgiven


def test_a_shorter_step_gets_a_group_by_a_kink():
    """Half a millionth from 0 is within the first step but not within the second."""
    x = np.random.default_rng(0).standard_normal((4, 300))
    x[1, 7] = 4e-7
    report = relu_at(x)
    report.raise_if_failed()
    assert (report.kinks, report.elements, report.one_by_one) == (0, 1200, 0)


def test_kinks_in_a_large_array_are_found_one_by_one():
    """A group that meets a kink is taken apart, so only that one entry is left out."""
    x = np.random.default_rng(0).standard_normal((4, 300))
    x[1, 7] = 1e-12
    report = relu_at(x)
    report.raise_if_failed()
    assert (report.kinks, report.elements) == (1, 1199)
    assert report.one_by_one < 100


def test_kink_inside_a_chain():
    """Here no input is 0, but a number between the layers is."""
    model = Sequential([AveragePooling2D(2), ReLU()], (6, 6, 1), dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 1))
    x[0, :2, :2, 0] = [[0.5, -0.25], [0.25, -0.5]]
    report = check_gradients(model, x)
    assert report.kinks == 4
    assert all("kink" in f.what for f in report.failures), str(report)


def test_function_without_value_nearby():
    def loss(y):
        with np.errstate(invalid="ignore"):
            return float(np.sqrt(y).sum()), 0.5 / np.sqrt(y)

    report = check_loss(loss, np.array([1.0, 1e-9]))
    assert "NaN" in report.failures[0].hint


def test_command_checks_one_layer(capsys):
    assert main(["dense"]) == 0
    out = capsys.readouterr().out
    assert "Dense" in out
    assert "Conv2D" not in out
    assert "3 of 3 cases passed" in out


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, "", True), (True, "1", False), (False, "", False)],
)
def test_colours_only_in_a_terminal_that_wants_them(
    monkeypatch, capsys, terminal, no_color, coloured
):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert main(["flatten"]) == 0
    assert ("\x1b[32mok\x1b[0m" in capsys.readouterr().out) == coloured


def test_command_names_the_known_layers(capsys):
    assert main(["conv3d"]) == 2
    err = capsys.readouterr().err
    assert "'conv3d'" in err
    assert "Conv2DTranspose" in err


def test_command_prints_the_diagnosis(capsys, monkeypatch):
    def check():
        return check_loss(lambda y: (float((y**2).sum()), y), np.ones((2, 3)))

    wrong = Case("wrong", "sum of squares", check)
    monkeypatch.setattr("nnscratch.gradcheck.__main__.CASES", [wrong])
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "hint: a missing or superfluous factor: every entry is 0.5 = 1/2" in out
    assert out.count("1/2") == 1

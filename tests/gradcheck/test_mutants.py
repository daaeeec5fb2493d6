"""The tester is tested: every wrong backward pass is caught, and the usual ones are named."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients, check_loss
from nnscratch.layers import Dense, MaxPooling2D
from nnscratch.losses import mse
from tests.gradcheck import mutants_of_images, mutants_of_models, mutants_of_vectors
from tests.gradcheck.mutants import MUTANTS


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name):
    mutant = MUTANTS[name]
    report = mutant.check()
    found = {failure.where: str(failure) for failure in report.failures}
    assert mutant.where in found, str(report)
    assert mutant.hint in found[mutant.where]
    with pytest.raises(AssertionError, match=mutant.where):
        report.raise_if_failed()


def test_there_are_enough_mutants():
    modules = (mutants_of_images, mutants_of_models, mutants_of_vectors)
    defined = {name for module in modules for name in vars(module)}
    assert set(MUTANTS) <= defined
    assert len(MUTANTS) >= 40


def test_only_the_wrong_array_is_blamed():
    report = MUTANTS["weight_gradient_divided_by_the_batch"].check()
    assert [failure.where for failure in report.failures] == ["W"]
    assert report.failures[0].ratio == pytest.approx(1 / 3)


def test_residual_block_with_its_shortcut_passes():
    check_gradients(
        mutants_of_vectors.residual(), np.random.default_rng(0).standard_normal((3, 5))
    ).raise_if_failed()


def test_large_array_that_is_all_wrong_is_named_too():
    """Of 10,000 wrong entries only about a thousand are looked at; the pattern still shows."""
    layer = Dense(100)
    layer.build((100,), np.random.default_rng(0), np.float64)

    def backward(dy):
        dx = Dense.backward(layer, dy)
        layer.grads["W"] /= 128
        return dx

    layer.backward = backward
    report = check_gradients(layer, np.random.default_rng(1).standard_normal((4, 100)))
    assert " = 1/128" in report.failures[0].hint


def test_gradient_to_all_of_several_equal_maxima():
    """No single entry shows it, for a tie is a kink; moving equal numbers together does."""
    layer = MaxPooling2D(2)
    layer.build((8, 8, 2), np.random.default_rng(0), np.float64)
    x = np.random.default_rng(1).standard_normal((2, 8, 8, 2))
    x[0, :2, :2, 0] = 5.0

    def backward(dy):
        largest = kept["y"].repeat(2, axis=1).repeat(2, axis=2)
        return dy.repeat(2, axis=1).repeat(2, axis=2) * (kept["x"] == largest)

    def forward(x, training=False):
        y = MaxPooling2D.forward(layer, x, training)
        kept.update(x=x.copy(), y=y)
        return y

    kept = {}
    assert check_gradients(layer, x).ok
    layer.forward, layer.backward = forward, backward
    report = check_gradients(layer, x)
    assert "exactly one may win" in str(report)


@pytest.mark.parametrize(
    ("factor", "hint"), [(0.5, "1/2"), (3.0, "channels of the input"), (-1.0, "sign")]
)
def test_wrong_loss_gradient(factor, hint):
    rng = np.random.default_rng(0)
    y, target = rng.standard_normal((2, 4, 3))

    def wrong_mse(y):
        value, dy = mse(y, target)
        return value, factor * dy

    report = check_loss(wrong_mse, y)
    assert hint in report.failures[0].hint


def test_loss_that_changes_its_input():
    def wrong(y):
        y -= 1
        return float((y**2).sum()), 2 * y

    assert "in place" in str(check_loss(wrong, np.ones((2, 3))))


def test_loss_gradient_of_the_wrong_shape():
    report = check_loss(lambda y: (float(y.sum()), np.ones(3)), np.ones((2, 3)))
    assert "shapes" in str(report)

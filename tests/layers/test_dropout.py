import copy

import numpy as np
import pytest

from nnscratch.layers import Dropout, Sequential
from tests.layers.helpers import build

ONES = np.ones((100, 1000))


def mask_of(layer, x=ONES):
    return layer.forward(x, training=True) != 0


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_moments(rate):
    y = build(Dropout(rate), (1000,)).forward(ONES, training=True)
    keep = 1 - rate
    error = np.sqrt(rate * keep / y.size)  # standard error of the fraction kept
    assert abs((y != 0).mean() - keep) < 4 * error
    assert abs(y.mean() - 1) < 4 * error / keep
    np.testing.assert_allclose(y[y != 0], 1 / keep)


def test_the_mask_is_independent_along_every_axis():
    mask = mask_of(build(Dropout(0.5), (1000,)))
    assert abs(mask.mean(axis=0) - 0.5).max() < 0.3  # one sample's mask is not everyone's
    assert abs(mask.mean(axis=1) - 0.5).max() < 0.1
    assert mask.mean(axis=0).std() > 0.03


@pytest.mark.parametrize("training", [False, True])
def test_backward_uses_the_mask_of_the_forward(training):
    layer = build(Dropout(0.5), (1000,))
    y = layer.forward(ONES, training=training)
    np.testing.assert_array_equal(layer.backward(3 * ONES), 3 * y)
    assert (y == ONES).all() != training


def test_evaluation_is_the_identity_and_draws_nothing():
    layer = build(Dropout(0.5), (1000,))
    before = copy.deepcopy(layer.state)
    np.testing.assert_array_equal(layer.forward(ONES), ONES)
    assert layer.state == before


def test_rate_zero_keeps_everything():
    layer = build(Dropout(0), (1000,))
    before = copy.deepcopy(layer.state)
    np.testing.assert_array_equal(layer.forward(ONES, training=True), ONES)
    assert layer.state == before  # nothing was drawn for it


def test_masks_are_fresh_and_repeatable():
    layer, twin = build(Dropout(0.5), (1000,)), build(Dropout(0.5), (1000,))
    first, second = mask_of(layer), mask_of(layer)
    assert (first != second).mean() > 0.4
    np.testing.assert_array_equal(mask_of(twin), first)
    np.testing.assert_array_equal(mask_of(twin), second)
    assert (mask_of(build(Dropout(0.5), (1000,), seed=1)) != first).mean() > 0.4


def test_resuming_from_a_saved_state_repeats_the_masks():
    layer = build(Dropout(0.5), (1000,))
    mask_of(layer)
    saved = copy.deepcopy(layer.state)
    expected = [mask_of(layer) for _ in range(3)]
    resumed = build(Dropout(0.5), (1000,), seed=99)
    for name, array in saved.items():
        resumed.state[name][...] = array
    for mask in expected:
        np.testing.assert_array_equal(mask_of(resumed), mask)


def test_two_layers_of_one_model_have_different_masks():
    model = Sequential([Dropout(0.5), Dropout(0.5)], (1000,), dtype=np.float64)
    first, second = (mask_of(layer) for layer in model.layers)
    assert (first != second).mean() > 0.4


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan")])
def test_rate_out_of_range(rate):
    with pytest.raises(ValueError, match=r"rate is .*; it must lie in \[0, 1\)"):
        Dropout(rate)

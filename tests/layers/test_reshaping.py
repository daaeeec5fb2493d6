import numpy as np
import pytest

from nnscratch.layers import Flatten, Reshape, Sequential
from tests.layers.helpers import build


@pytest.mark.parametrize(
    ("layer", "built_shape"),
    [
        (Flatten(), (24,)),
        (Reshape(24), (24,)),
        (Reshape(-1), (24,)),
        (Reshape((4, 6)), (4, 6)),
        (Reshape([4, -1]), (4, 6)),
        (Reshape((-1, 2, 3)), (4, 2, 3)),
        (Reshape((np.int64(4), 6)), (4, 6)),
    ],
)
def test_row_major_order_there_and_back(layer, built_shape):
    build(layer, (2, 3, 4))
    x = np.arange(48.0).reshape(2, 2, 3, 4)
    y = layer.forward(x)
    assert layer.built_shape == built_shape
    np.testing.assert_array_equal(y, np.arange(48.0).reshape(2, *built_shape))
    np.testing.assert_array_equal(layer.backward(2 * y), 2 * x)


@pytest.mark.parametrize("target", [(5, 5), (23,), (2, 3, 5), (5, -1), (48,), ()], ids=str)
def test_another_number_of_elements(target):
    with pytest.raises(ValueError, match=r"layer 0.*cannot reshape \(2, 3, 4\), 24 numbers, to"):
        Sequential([Reshape(target)], (2, 3, 4))


@pytest.mark.parametrize(
    "target", [0, -2, True, (4, 0), (-1, -1), (2.0, 12), "ab", (4, "6"), (4, True)], ids=repr
)
def test_impossible_targets(target):
    with pytest.raises(ValueError, match=r"target_shape is .* positive ints, and -1 at most once"):
        Reshape(target)


@pytest.mark.parametrize("target", [4.0, None], ids=repr)
def test_targets_that_are_neither_int_nor_sequence(target):
    with pytest.raises((TypeError, ValueError), match="target_shape is"):
        Reshape(target)


def test_a_numpy_integer_is_an_integer():
    assert Reshape(np.int64(24)).target_shape == (24,)

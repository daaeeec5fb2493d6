import numpy as np
import pytest

from nnscratch.layers import Dense, Sequential
from tests.layers.helpers import build


def test_with_a_pencil():
    layer = build(Dense(2), (3,))
    layer.params["W"][...] = [[1, 2], [3, 4], [5, 6]]
    layer.params["b"][...] = [10, 20]
    y = layer.forward(np.array([[1.0, 0, -1], [2, 1, 0]]))
    assert y.tolist() == [[1 - 5 + 10, 2 - 6 + 20], [2 + 3 + 10, 4 + 4 + 20]]

    dx = layer.backward(np.array([[1.0, 10], [100, 1000]]))
    # dW = x' dy, summed over the two samples
    assert layer.grads["W"].tolist() == [
        [1 * 1 + 2 * 100, 1 * 10 + 2 * 1000],
        [0 * 1 + 1 * 100, 0 * 10 + 1 * 1000],
        [-1 * 1 + 0 * 100, -1 * 10 + 0 * 1000],
    ]
    assert layer.grads["b"].tolist() == [101, 1010]
    assert dx.tolist() == [[21, 43, 65], [2100, 4300, 6500]]


def test_shapes_and_counts():
    layer = build(Dense(7), (5,))
    assert layer.built_shape == (7,)
    assert {name: p.shape for name, p in layer.params.items()} == {"W": (5, 7), "b": (7,)}
    assert layer.multiply_adds() == 35


def test_biases_start_at_zero():
    layer = Dense(7)
    layer.build((5,), np.random.default_rng(0), np.float32)
    assert not layer.params["b"].any()


def test_fans_of_the_initializer():
    calls = []

    def spy(shape, fan_in, fan_out, rng):
        calls.append((shape, fan_in, fan_out))
        return np.zeros(shape)

    build(Dense(7, kernel_initializer=spy), (5,))
    assert calls == [((5, 7), 5, 7)]


@pytest.mark.parametrize("shape", [(), (4, 4, 1)], ids=str)
def test_inputs_that_are_no_vectors(shape):
    with pytest.raises(ValueError, match=r"layer 0\.dense .*expected vectors.*put Flatten\(\)"):
        Sequential([Dense(3)], shape)

"""What every layer keeps to, whatever it computes."""

import numpy as np
import pytest

from nnscratch import layers
from nnscratch.layers import Composite, Layer, Sequential
from tests.layers.helpers import (
    ONE_OF_EACH,
    both_modes,
    build,
    every_dtype,
    every_layer,
    normal,
)

SINGLE = {name: entry for name, entry in ONE_OF_EACH.items() if name != "Sequential"}
every_single_layer = pytest.mark.parametrize(
    ("make", "shape"), list(SINGLE.values()), ids=list(SINGLE)
)


def ran(make, shape, dtype=np.float64, training=True, N=3):
    """A built layer after a forward pass, its output, and a gradient to go back with."""
    layer = build(make(), shape, dtype)
    y = layer.forward(normal(N, *shape, dtype=dtype), training)
    return layer, y, normal(*y.shape, seed=2, dtype=dtype)


def test_every_layer_is_tried():
    tried = {type(make()) for make, _ in ONE_OF_EACH.values()}
    exported = {getattr(layers, name) for name in layers.__all__} - {Layer, Composite}
    assert exported == tried


@every_layer
@both_modes
@every_dtype
def test_shapes_and_dtypes(make, shape, training, dtype):
    layer = make()
    built_shape = layer.build(shape, np.random.default_rng(0), dtype)
    assert built_shape == layer.built_shape == layer.output_shape(shape)
    layer, y, dy = ran(make, shape, dtype, training)
    dx = layer.backward(dy)
    assert y.shape == (3, *built_shape)
    assert dx.shape == (3, *shape)
    assert list(layer.params) == list(layer.grads)
    for name, parameter in layer.params.items():
        assert layer.grads[name].shape == parameter.shape
        assert layer.grads[name].any()
    arrays = [y, dx, *layer.params.values(), *layer.grads.values()]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


@every_layer
def test_both_dtypes_start_at_the_same_point(make, shape):
    single, double = make(), make()
    single.build(shape, np.random.default_rng(5), np.float32)
    double.build(shape, np.random.default_rng(5), np.float64)
    for name, parameter in double.params.items():
        np.testing.assert_array_equal(single.params[name], parameter.astype(np.float32))
    for name, array in double.state.items():
        np.testing.assert_array_equal(single.state[name], array)


@every_layer
@both_modes
def test_x_dy_and_params_are_not_written_to(make, shape, training):
    layer = build(make(), shape)
    x = normal(3, *shape)
    for array in (x, *layer.params.values()):
        array.flags.writeable = False
    y = layer.forward(x, training)
    dy = normal(*y.shape, seed=2)
    dy.flags.writeable = False
    layer.backward(dy)


@every_layer
def test_backward_overwrites_grads_and_repeats(make, shape):
    layer, _, dy = ran(make, shape)
    dx = layer.backward(dy).copy()
    grads = {name: g.copy() for name, g in layer.grads.items()}
    layer.backward(-3 * dy)
    np.testing.assert_array_equal(layer.backward(dy), dx)
    for name, g in layer.grads.items():
        np.testing.assert_array_equal(g, grads[name])


@every_layer
@both_modes
def test_views_give_what_their_copies_give(make, shape, training):
    wide = normal(3, *shape[:-1], 2 * shape[-1])
    results = []
    for prepare in (np.ascontiguousarray, lambda a: a):
        for x in (wide[..., ::2], normal(*reversed(shape), 3).T):
            layer = build(make(), shape)
            y = layer.forward(prepare(x), training)
            dy = prepare(normal(*reversed(y.shape), seed=2).T)
            results.append([y, layer.backward(dy), *layer.grads.values()])
    half = len(results) // 2
    for copied, viewed in zip(results[:half], results[half:], strict=True):
        for a, b in zip(copied, viewed, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@every_layer
@both_modes
def test_a_batch_of_one(make, shape, training):
    layer, y, dy = ran(make, shape, training=training, N=1)
    assert y.shape == (1, *layer.built_shape)
    dx = layer.backward(dy)
    assert dx.shape == (1, *shape)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


@every_layer
@both_modes
def test_an_empty_batch_works_or_is_refused(make, shape, training):
    layer = build(make(), shape)
    before = {name: array.copy() for name, array in layer.state.items() if name != "draws"}
    try:
        y = layer.forward(np.zeros((0, *shape)), training)
        dx = layer.backward(np.zeros((0, *layer.built_shape)))
    except ValueError as error:
        if "empty" not in str(error):
            raise
    else:
        assert y.shape == (0, *layer.built_shape)
        assert dx.shape == (0, *shape)
        assert not any(g.any() for g in layer.grads.values())
    for name, array in before.items():
        np.testing.assert_array_equal(layer.state[name], array)


@every_single_layer
def test_forward_before_build(make, shape):
    with pytest.raises(ValueError, match=r"forward before build. Call build"):
        make().forward(normal(1, *shape))


@every_layer
def test_backward_before_forward(make, shape):
    layer = build(make(), shape)
    dy = normal(1, *layer.built_shape)
    with pytest.raises(ValueError, match=r"backward before forward. Call forward"):
        layer.backward(dy)
    layer.forward(normal(1, *shape))
    layer.backward(dy)
    build(layer, shape)
    with pytest.raises(ValueError, match="backward before forward"):
        layer.backward(dy)


@every_layer
def test_wrong_shapes(make, shape):
    layer, y, _ = ran(make, shape)
    more_channels = (3, *shape[:-1], shape[-1] + 1)
    for wrong in (more_channels, (3, *shape, 1), shape, ()):
        with pytest.raises(ValueError, match=rf"{layer.name}: x has shape .* built for \(N, "):
            layer.forward(np.zeros(wrong))
    more_channels = (3, *y.shape[1:-1], y.shape[-1] + 1)
    for wrong in (more_channels, (3, *y.shape), y.shape[1:]):
        with pytest.raises(ValueError, match=rf"{layer.name}: dy has shape .* is expected"):
            layer.backward(np.zeros(wrong))


@every_layer
@pytest.mark.parametrize("N", [1, 4])
def test_a_gradient_of_another_batch_size(make, shape, N):
    """N = 1 would broadcast without a word."""
    layer, y, _ = ran(make, shape)
    with pytest.raises(ValueError, match=rf"{layer.name}: dy has shape"):
        layer.backward(np.ones((N, *y.shape[1:])))


@every_layer
def test_wrong_types(make, shape):
    layer, y, _ = ran(make, shape, np.float32)
    with pytest.raises(TypeError, match=r"x is float64 but the model is float32.*x\.astype\(np\.f"):
        layer.forward(np.zeros((3, *shape)))
    with pytest.raises(TypeError, match="x is uint8 but the model is float32"):
        layer.forward(np.zeros((3, *shape), np.uint8))
    with pytest.raises(TypeError, match=r"dy is float64 but .*dy\.astype\(np\.float32\)"):
        layer.backward(np.zeros(y.shape))
    with pytest.raises(TypeError, match=r"x is a list, not a NumPy array.*asarray"):
        layer.forward(np.zeros((3, *shape), np.float32).tolist())
    with pytest.raises(TypeError, match="dy is a list, not a NumPy array"):
        layer.backward(y.tolist())


@every_layer
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, int, bool, complex])
def test_models_of_another_dtype(make, shape, dtype):
    if np.dtype(dtype) == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(ValueError, match="a model is float32 or float64, not"):
        make().build(shape, np.random.default_rng(0), dtype)


def test_an_array_without_even_a_batch_axis():
    layer = build(layers.Tanh(), ())
    assert layer.forward(np.zeros(3)).shape == (3,)
    with pytest.raises(ValueError, match=r"tanh: x has shape \(\) but"):
        layer.forward(np.zeros(()))


def test_the_sentences_name_the_layer_that_was_meant():
    model = Sequential([layers.Dense(3), layers.ReLU()], (4,))
    with pytest.raises(ValueError, match=r"sequential: x has shape \(2, 5\).*for \(N, 4\)"):
        model.forward(np.zeros((2, 5), np.float32))

import numpy as np
import pytest

from nnscratch.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    ReLU,
    Reshape,
    Sequential,
)
from nnscratch.losses import mse
from nnscratch.models import Autoencoder


def encoder(dtype=np.float32):
    layers = [Conv2D(3, 3, strides=2), ReLU(), Flatten(), Dropout(0.5), Dense(2)]
    return Sequential(layers, (6, 4, 1), seed=1, dtype=dtype)


def decoder(dtype=np.float32, code=2):
    layers = [Dense(18), Reshape((3, 2, 3)), Conv2DTranspose(1, 3, strides=2)]
    return Sequential(layers, (code,), seed=2, dtype=dtype)


@pytest.fixture
def model():
    return Autoencoder(encoder(), decoder())


@pytest.fixture
def x():
    return np.random.default_rng(0).random((5, 6, 4, 1), np.float32)


def test_forward_is_the_decoder_after_the_encoder(model, x):
    y = model.forward(x)
    np.testing.assert_array_equal(y, decoder().forward(encoder().forward(x)))
    assert (y.shape, y.dtype) == (x.shape, np.float32)


def test_training_reaches_both_halves(x):
    """Dropout in either half draws only in training."""
    halves = encoder(), Sequential([Dropout(0.5), *decoder().layers], (2,), seed=2)
    model = Autoencoder(*halves)
    evaluated = model.forward(x)
    model.forward(x, training=True)
    draws = {k: int(a[0]) for k, a in model.state.items() if k.endswith("draws")}
    assert draws == {"encoder.3.dropout.draws": 1, "decoder.0.dropout.draws": 1}
    np.testing.assert_array_equal(model.forward(x), evaluated)


def test_parameters_are_the_halves_own_under_longer_names(model):
    names = [
        *("encoder.0.conv2d.W", "encoder.0.conv2d.b", "encoder.4.dense.W", "encoder.4.dense.b"),
        *("decoder.0.dense.W", "decoder.0.dense.b"),
        *("decoder.2.conv2dtranspose.W", "decoder.2.conv2dtranspose.b"),
    ]
    assert list(model.params) == list(model.grads) == names
    assert list(model.state) == ["encoder.3.dropout.key", "encoder.3.dropout.draws"]
    assert model.params["encoder.0.conv2d.W"] is model.encoder.layers[0].params["W"]
    assert model.params["decoder.0.dense.b"] is model.decoder.params["0.dense.b"]
    assert (model.input_shape, model.built_shape) == ((6, 4, 1), (6, 4, 1))
    assert model.output_shape((6, 4, 1)) == (6, 4, 1)
    assert model.multiply_adds() == model.encoder.multiply_adds() + model.decoder.multiply_adds()
    assert model.dtype == np.float32


def test_backward_is_the_chain_rule(model, x):
    alone = encoder(), decoder()
    z = alone[0].forward(x, training=True)
    _, dy = mse(alone[1].forward(z, training=True), x)
    dx = alone[0].backward(alone[1].backward(dy))
    model.forward(x, training=True)
    got = model.backward(dy)
    np.testing.assert_array_equal(got, dx)
    assert (got.shape, got.dtype) == (x.shape, np.float32)
    for name, half in zip(("encoder", "decoder"), alone, strict=True):
        for key, g in half.grads.items():
            assert g.any()
            np.testing.assert_array_equal(model.grads[f"{name}.{key}"], g)
            assert model.grads[f"{name}.{key}"].dtype == np.float32


def test_halves_that_do_not_fit():
    with pytest.raises(ValueError, match=r"codes of shape \(2,\) but .* ones of \(3,\); .*agree"):
        Autoencoder(encoder(), decoder(code=3))
    with pytest.raises(ValueError, match=r"gives float32 codes.*takes float64 ones"):
        Autoencoder(encoder(), decoder(np.float64))


def test_build_draws_anew(model, x):
    old = {k: p.copy() for k, p in model.params.items()}
    before = model.forward(x)
    assert model.build((6, 4, 1), np.random.default_rng(7), np.float32) == (6, 4, 1)
    first = {k: p.copy() for k, p in model.params.items()}
    assert model.params.keys() == old.keys()
    assert not any(np.array_equal(first[k], old[k]) for k in old if k.endswith("W"))
    assert not np.array_equal(model.forward(x), before)
    model.build((6, 4, 1), np.random.default_rng(7), np.float32)
    assert all(np.array_equal(first[k], p) for k, p in model.params.items())
    halves = encoder(), decoder()  # the encoder's weights come first, from one generator
    rng = np.random.default_rng(7)
    halves[0].build((6, 4, 1), rng, np.float32)
    halves[1].build((2,), rng, np.float32)
    np.testing.assert_array_equal(model.forward(x), halves[1].forward(halves[0].forward(x)))


def test_build_for_another_shape_and_dtype(model):
    assert model.build((5, 3, 2), np.random.default_rng(0), np.float64) == (6, 4, 1)
    assert model.input_shape == (5, 3, 2)
    assert all(p.dtype == np.float64 for p in model.params.values())
    y = model.forward(np.zeros((1, 5, 3, 2)))
    assert (y.shape, y.dtype) == ((1, 6, 4, 1), np.float64)
    assert model.backward(np.ones_like(y)).shape == (1, 5, 3, 2)


def test_wrong_inputs(model, x):
    with pytest.raises(ValueError, match="autoencoder: backward before forward"):
        model.backward(x)
    with pytest.raises(ValueError, match=r"autoencoder: x has shape \(5, 6, 4\).*\(N, 6, 4, 1\)"):
        model.forward(x[..., 0])
    with pytest.raises(TypeError, match=r"autoencoder: x is float64 but the model is float32"):
        model.forward(x.astype(np.float64))
    model.forward(x)
    with pytest.raises(ValueError, match="autoencoder: dy has shape"):
        model.backward(x[:, :-1])


def test_summary_has_both_halves(model, capsys):
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    cut = lines.index("-- decoder")
    assert lines[0] == "-- encoder"
    assert any(line.startswith("0.conv2d ") for line in lines[:cut])
    assert any(line.startswith("2.conv2dtranspose ") for line in lines[cut:])

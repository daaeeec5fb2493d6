"""layer.trainable = False: what stays as it is, and what does not."""

import copy
import pickle

import numpy as np
import pytest

from exercises.trained import Recipe, key_of
from nnscratch import kernels
from nnscratch.gradcheck import check_gradients
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    ReLU,
    Sequential,
    Tanh,
)
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder, NegativeELBO, UNet
from nnscratch.optimizers import SGD, Adam
from nnscratch.training import fit


def encoder():
    layers = [Conv2D(4, 3), ReLU(), MaxPooling2D(2), BatchNormalization(0.5), Flatten(), Dense(3)]
    return Sequential(layers, (4, 4, 2))


def head():
    return Sequential([BatchNormalization(0.5), Tanh(), Dense(2)], (3,))


def data(n=12, shape=(4, 4, 2), units=2):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, *shape)).astype(np.float32), rng.normal(size=(n, units)).astype("f4")


def plain_loop(model, x, target, optimizer):
    for _ in range(3):
        _, dy = mse(model.forward(x, training=True), target)
        model.backward(dy)
        optimizer.step(model.params, model.grads)


def fitted(model, x, target, optimizer):
    fit(model, x, target, loss=mse, optimizer=optimizer, epochs=3, batch_size=4, progress=False)


def arrays(model):
    return {key: a.copy() for key, a in {**model.params, **model.state}.items()}


def moved(model, before):
    return {key for key, a in arrays(model).items() if not np.array_equal(a, before[key])}


@pytest.fixture(params=[kernels.in_use(), "reference"])
def _both_kernels(request):
    before = kernels.use_kernels(request.param)
    yield
    kernels.use_kernels(before)


@pytest.mark.usefixtures("_both_kernels")
@pytest.mark.parametrize("train", [plain_loop, fitted])
@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.1, 0.9), Adam(0.1), Adam(0.1, weight_decay=0.5)]
)
def test_training_a_head_leaves_the_encoder_and_its_statistics(train, optimizer):
    model, optimizer = Autoencoder(encoder(), head()), copy.deepcopy(optimizer)
    model.encoder.trainable = False
    before, code = arrays(model), model.encoder.forward(data()[0])
    train(model, *data(), optimizer)
    assert moved(model, before) == {key for key in before if key.startswith("decoder.")}
    np.testing.assert_array_equal(model.encoder.forward(data()[0]), code)


def test_only_leaving_out_the_gradients_would_move_the_statistics():
    model, optimizer = Autoencoder(encoder(), head()), SGD(0.1)
    before = arrays(model)
    for _ in range(2):
        _, dy = mse(model.forward(data()[0], training=True), data()[1])
        model.backward(dy)
        optimizer.step(model.decoder.params, model.decoder.grads)
    assert "encoder.3.batchnormalization.mean" in moved(model, before)


def test_a_layer_frozen_after_some_steps_stays_though_it_has_momentum():
    model, optimizer = encoder(), SGD(0.01, momentum=0.9)
    x, target = data(units=3)
    plain_loop(model, x, target, optimizer)
    model.layers[0].trainable = False
    before = arrays(model)
    plain_loop(model, x, target, optimizer)
    assert not {"0.conv2d.W", "0.conv2d.b"} & moved(model, before)
    assert {"5.dense.W", "3.batchnormalization.mean"} <= moved(model, before)
    model.trainable = True
    plain_loop(model, x, target, optimizer)
    assert "0.conv2d.W" in moved(model, before)


def test_a_layer_frozen_from_the_start_is_thawed():
    model, optimizer = Autoencoder(encoder(), head()), Adam(0.01)
    model.encoder.trainable = False
    plain_loop(model, *data(), optimizer)
    before, model.trainable = arrays(model), True
    plain_loop(model, *data(), optimizer)
    assert model.params.keys() <= moved(model, before)


def test_gradients_of_frozen_layers_count_for_no_clipping():
    moves = []
    for scale in (1.0, 1e6):
        model, optimizer = encoder(), SGD(1.0, global_clipnorm=1e-3)
        model.layers[0].trainable = False
        x, target = data(units=3)
        model.backward(mse(model.forward(x), target)[1])
        model.layers[0].grads["W"] *= scale
        before = model.layers[5].params["W"].copy()
        optimizer.step(model.params, model.grads)
        moves.append(model.layers[5].params["W"] - before)
    assert moves[0].any()
    np.testing.assert_array_equal(*moves)


def test_a_layer_by_itself():
    layer = Dense(3)
    layer.build((2,), np.random.default_rng(0), np.float32)
    layer.trainable = False
    before = layer.params["W"].copy()
    layer.backward(layer.forward(np.ones((4, 2), np.float32)))
    assert layer.grads["W"].any()
    SGD(1.0).step(layer.params, layer.grads)
    np.testing.assert_array_equal(layer.params["W"], before)
    layer.params["W"] = 2 * before
    np.testing.assert_array_equal(layer.params["W"], 2 * before)
    layer.trainable = True
    SGD(1.0).step(layer.params, layer.grads)
    assert not np.array_equal(layer.params["W"], 2 * before)


@pytest.mark.parametrize(
    "make",
    [
        encoder,
        lambda: Autoencoder(encoder(), head()),
        lambda: VAE(encoder(), 3, head()),
        lambda: UNet((4, 4, 1), (2,), 2),
        lambda: Sequential([encoder(), head()], (4, 4, 2)),
    ],
    ids=["sequential", "autoencoder", "vae", "u-net", "nested"],
)
def test_a_model_freezes_everything_inside(make):
    model = make()
    assert model.trainable
    x = data(shape=model.input_shape)[0]
    model.trainable = False
    assert not model.trainable
    assert model.params.frozen == set(model.params)
    before = arrays(model)
    y = model.forward(x, training=True)
    model.backward(np.ones_like(y))
    Adam(0.1).step(model.params, model.grads)
    assert all(key.endswith("draws") for key in moved(model, before))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not copied.trainable
    next(iter(model.parts.values())).trainable = True
    assert model.trainable  # something in it is
    model.trainable = True
    assert model.params.frozen == set()


def test_batch_normalisation_computes_as_in_evaluation_and_its_gradient_is_right():
    model = Sequential([BatchNormalization(), Tanh(), Dense(2)], (3,), dtype=np.float64)
    x = 3 + np.random.default_rng(0).normal(size=(6, 3))
    evaluated = model.forward(x)
    assert not np.allclose(model.forward(x, training=True), evaluated)
    model.layers[0].state["mean"][...], model.layers[0].state["var"][...] = 0, 1
    model.layers[0].trainable = False
    np.testing.assert_array_equal(model.forward(x, training=True), evaluated)
    assert check_gradients(model, x, training=True).ok
    model.trainable = False
    assert check_gradients(model, x, training=True).ok


def test_a_frozen_dropout_drops():
    model = Sequential([Dropout(0.5), Dense(4)], (100,))
    model.trainable = False
    model.forward(np.ones((2, 100), np.float32), training=True)
    assert 0.3 < (model.layers[0].cache[0] > 0).mean() < 0.7
    assert model.state["0.dropout.draws"] == 1


def test_a_frozen_vae_half_with_its_loss():
    model, (x, _) = VAE(encoder(), 3, Sequential([Dense(2)], (3,))), data()
    model.encoder.trainable = False
    before, target = arrays(model), data()[1]
    fit(
        model, x, target, loss=NegativeELBO(model), optimizer=Adam(0.1), epochs=1, batch_size=6,
        progress=False,
    )  # fmt: skip
    assert {key.split(".")[0] for key in moved(model, before)} == {
        "mean", "logvar", "sampling", "decoder",
    }  # fmt: skip


def test_checkpoints_hold_everything_and_know_what_was_frozen(tmp_path):
    def train(epochs, path, frozen=True):
        model = Autoencoder(encoder(), head())
        model.encoder.trainable = not frozen
        fit(
            model, *data(), loss=mse, optimizer=Adam(0.1), epochs=epochs, batch_size=4,
            progress=False, checkpoint=path,
        )  # fmt: skip
        return arrays(model)

    whole = train(4, tmp_path / "whole.npz")
    train(2, tmp_path / "parts.npz")
    for key, array in train(4, tmp_path / "parts.npz").items():
        np.testing.assert_array_equal(array, whole[key])
    with pytest.raises(ValueError, match="encoder"):
        train(4, tmp_path / "whole.npz", frozen=False)


def test_kept_models_are_known_by_what_was_frozen():
    def key(freeze):
        model = Autoencoder(encoder(), head())
        freeze(model)
        return key_of(0, model, mse, Recipe(1e-3, 4, 1), data(), data(), None, None)

    def encoder_only(model):
        model.encoder.trainable = False

    def one_layer(model):
        model.encoder.layers[0].trainable = False

    keys = {key(freeze) for freeze in (lambda model: None, encoder_only, one_layer)}
    assert len(keys) == 3

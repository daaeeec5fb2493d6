"""Arrays put into a layer after build: refused with the layer's place, or computed rightly."""

import copy
import pickle
import re

import numpy as np
import pytest

from nnscratch import kernels
from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GaussianSampling,
    MaxPooling2D,
    ReLU,
    Sequential,
    UpSampling2D,
)
from nnscratch.models import VAE, Autoencoder, UNet
from tests.layers.helpers import build, normal

MODES = ["fused", "single", "reference"]


@pytest.fixture(params=MODES)
def mode(request):
    """Who computes: compiled stretches of layers, compiled layers, or NumPy."""
    before = kernels.use_kernels("reference" if request.param == "reference" else "compiled")
    kernels.use_fusion(request.param == "fused")
    yield request.param
    kernels.use_kernels(before)
    kernels.use_fusion(True)


def net():
    return Sequential([Conv2D(2, 3), ReLU(), BatchNormalization(), Flatten(), Dense(3)], (4, 4, 2))


X, DY = normal(5, 4, 4, 2, dtype=np.float32), normal(5, 3, seed=2, dtype=np.float32)


@pytest.mark.parametrize(
    ("layer", "group", "key", "array", "words"),
    [
        (0, "params", "W", np.zeros((1, 1, 1, 1), "f4"), "float32 (1, 1, 1, 1)"),
        (0, "params", "W", np.zeros((2, 2, 3, 3), "f4"), "float32 (2, 2, 3, 3)"),
        (0, "params", "b", np.zeros(1, "f4"), "float32 (1,) "),  # NumPy would stretch it
        (2, "params", "gamma", np.zeros(1, "f4"), "float32 (1,) "),
        (2, "params", "beta", np.zeros(2), "float64 (2,) "),
        (2, "state", "mean", np.zeros((), "f4"), "float32 () "),
        (4, "params", "b", np.zeros((5, 3), "f4"), "float32 (5, 3) "),
        (4, "params", "W", np.zeros((32, 3), object), "object (32, 3)"),
        (4, "params", "W", np.zeros((32, 3), ">f4"), ">f4 (32, 3)"),
        (4, "params", "W", [[0.0] * 3] * 32, "is a list, not a plain NumPy array"),
        (4, "params", "W", np.ma.masked_array(np.zeros((32, 3), "f4")), "is a MaskedArray"),
        (4, "params", "b", None, "is missing"),
    ],
)
@pytest.mark.parametrize("when", ["before forward", "before backward"])
def test_the_sentence_names_layer_array_and_what_is_wanted(
    mode, layer, group, key, array, words, when
):
    model = net()
    if when == "before backward" and group == "params":
        model.forward(X, training=True)
    getattr(model.layers[layer], group)[key] = array
    place = f'{layer}.{model.layers[layer].name}: {group}["{key}"] '
    with pytest.raises((ValueError, TypeError), match=re.escape(place)) as caught:
        model.backward(DY) if model.cache else model.forward(X)
    assert words in str(caught.value)
    shape = {"W": "(3, 3, 2, 2)", "b": "(2,)"}[key] if layer == 0 else "float32 ("
    assert shape in str(caught.value)


def test_inputs_of_another_kind(mode):
    model = net()
    for wrong in (X.astype(np.float64), X.astype(">f4")):
        with pytest.raises(TypeError, match=r"0\.conv2d: x is "):
            model.layers[0].forward(wrong)
        with pytest.raises(TypeError, match="x is "):
            model.forward(wrong)


@pytest.mark.parametrize("key", ["W", "b"])
@pytest.mark.parametrize("when", ["before forward", "before backward"])
def test_a_convolution_inside_a_fused_stretch_is_named_too(mode, key, when):
    """The first layer of the stretch is asked for its arrays anyway, and the last one, too."""
    model = Sequential([UpSampling2D(2), Conv2D(2, 3), ReLU()], (2, 2, 2))
    x = X[:, :2, :2]
    y = model.forward(x)
    model.layers[1].params[key] = np.zeros((1, 1), np.float32)
    with pytest.raises(ValueError, match=rf'^1\.conv2d: params\["{key}"\] is float32 \(1, 1\)'):
        model.forward(x) if when == "before forward" else model.backward(y)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy advises against it
def test_a_shape_changed_in_place(mode):
    model = net()
    model.layers[0].params["W"].shape = (2, 2, 3, 3)
    with pytest.raises(ValueError, match=r'0\.conv2d: params\["W"\] is float32 \(2, 2, 3, 3\)'):
        model.forward(X)


@pytest.mark.parametrize("key", ["W", "b"])
@pytest.mark.parametrize("layer", [0, 4])
def test_gradients_of_another_kind(mode, layer, key):
    model = net()
    model.forward(X, training=True)
    grads = model.layers[layer].grads
    before = grads[key]
    for wrong in (before.astype(np.float64), before[np.newaxis]):
        grads[key] = wrong
        with pytest.raises((ValueError, TypeError), match=rf'{layer}\.\w+: grads\["{key}"\] is '):
            model.backward(DY)
    grads[key] = before.copy()
    grads[key].flags.writeable = False
    with pytest.raises(ValueError, match=rf'{layer}\.\w+: grads\["{key}"\] is read-only'):
        model.backward(DY)


@pytest.mark.parametrize("layer", [BatchNormalization(), Dropout(0.5), GaussianSampling()])
def test_state_that_is_read_only_serves_evaluation(layer):
    build(layer, (4,))
    for array in layer.state.values():
        array.flags.writeable = False
    assert np.isfinite(layer.forward(normal(3, 4))).all()
    with pytest.raises(ValueError, match=r'state\["\w+"\] is read-only, but this pass writes'):
        layer.forward(normal(3, 4), training=True)


def as_fortran(a):
    return np.asfortranarray(a)


def strided(a):
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    return raw


@pytest.mark.parametrize("lying", [as_fortran, strided, read_only, misaligned])
def test_arrays_that_lie_in_another_way_give_the_same_numbers(mode, lying):
    plain, other = net(), net()
    for part in other.layers:
        for arrays in (part.params, part.state, part.grads):
            for key, array in arrays.items():
                if lying is not read_only or arrays is part.params:
                    arrays[key] = lying(array)
    for training in (False, True):
        y, found = plain.forward(X, training), other.forward(lying(X), training)
        np.testing.assert_allclose(found, y, rtol=1e-6, atol=1e-6)
        dx, found = plain.backward(DY), other.backward(lying(DY))
        np.testing.assert_allclose(found, dx, rtol=1e-5, atol=1e-6)
        for key, grad in plain.grads.items():
            np.testing.assert_allclose(other.grads[key], grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_checked_too(make):
    model = make(net())
    assert model.forward(X).shape == (5, 3)
    model.layers[0].params["W"] = np.zeros((1, 1, 1, 1), np.float32)
    with pytest.raises(ValueError, match=r'0\.conv2d: params\["W"\]'):
        model.forward(X)


def test_layers_built_again_for_another_shape():
    model = Sequential([Conv2D(2, 3), ReLU()], (8, 8, 2))
    model.forward(np.zeros((1, 8, 8, 2), np.float32))
    model.layers[0].build((2, 2, 1), np.random.default_rng(0), np.float32)
    with pytest.raises(ValueError, match="shape"):
        model.forward(np.zeros((1, 8, 8, 2), np.float32))


def halves():
    encoder = Sequential([Flatten(), Dense(4), ReLU(), Dense(4)], (2, 2, 1))
    return encoder, Sequential([Dense(4)], (4,))


def test_places_are_those_in_the_whole_model():
    model = Autoencoder(*halves())
    model.encoder.layers[1].params["b"] = np.zeros(1, np.float32)
    with pytest.raises(ValueError, match=r'^encoder\.1\.dense: params\["b"\] is float32 \(1,\)'):
        model.forward(np.zeros((1, 2, 2, 1), np.float32))
    unet = UNet((4, 4, 1), (2,), 2)
    unet.decoders[1].blocks[0].layers[0].params["W"] = np.zeros((3, 3, 2, 4), np.float32)
    with pytest.raises(ValueError, match=r"^decoder1\.block0\.0\.conv2d: params"):
        unet.forward(np.zeros((1, 4, 4, 1), np.float32))


# ---------------------------------------------------------------- one object in two places


@pytest.mark.parametrize("make", [Autoencoder, lambda e, d: VAE(e, 4, d)], ids=["ae", "vae"])
def test_one_layer_in_both_halves(make):
    encoder, decoder = halves()
    shared = encoder.layers[-1]
    words = r"same layer object twice, as encoder\.3\.dense and as decoder\.0\.dense; .* new object"
    with pytest.raises(ValueError, match=words):
        make(encoder, Sequential([shared], (4,)))
    with pytest.raises(ValueError, match="same layer object twice"):
        make(encoder, Sequential([ReLU(), Sequential([shared], (4,))], (4,)))
    with pytest.raises(ValueError, match="same layer object twice"):
        make(decoder, decoder)
    assert make(encoder, decoder).built_shape == (4,)


def test_one_layer_twice_in_a_bottleneck():
    pool = MaxPooling2D(1)
    with pytest.raises(ValueError, match="same layer object twice"):
        UNet((4, 4, 1), (2,), [pool, pool])


def test_one_half_in_two_models():
    encoder, decoder = halves()
    first, second = Autoencoder(encoder, decoder), Autoencoder(encoder, halves()[1])
    x = normal(2, 2, 2, 1, dtype=np.float32)
    for model in (first, second, first):
        assert model.backward(model.forward(x)).shape == x.shape


@pytest.mark.parametrize("tie", [lambda W: W, lambda W: W.T, lambda W: W[:]], ids=["W", "T", "[:]"])
def test_weights_that_two_layers_share(tie):
    model = Autoencoder(*halves())
    model.decoder.layers[0].params["W"] = tie(model.encoder.layers[1].params["W"])
    words = r"encoder\.1\.dense\.W and decoder\.0\.dense\.W are the same numbers in memory"
    with pytest.raises(ValueError, match=words):
        model.params  # noqa: B018 (which is what an optimiser is given)


def test_parameters_that_lie_side_by_side_in_one_array():
    model = Sequential([Dense(2), Dense(2)], (2,))
    row = np.zeros(12, np.float32)
    for layer, part in zip(model.layers, (row[:6], row[6:]), strict=True):
        layer.params["W"], layer.params["b"] = part[:4].reshape(2, 2), part[4:]
    assert len(model.params) == 4

"""A model that fails is narrowed down to a part, or to the backward that joins its parts."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients
from nnscratch.gradcheck.model_cases import small_vae
from nnscratch.gradcheck.parts import inputs_of_parts
from nnscratch.layers import Dense, Sequential, Tanh
from nnscratch.models import VAE, Autoencoder, UNet
from tests.gradcheck.mutants_of_models import with_wrong_part


def chain(*layers, shape=(4,)):
    return Sequential(list(layers), input_shape=shape, dtype=np.float64)


def autoencoder():
    return Autoencoder(
        chain(Dense(3), Tanh(), Dense(2)), Sequential([Dense(3), Tanh(), Dense(4)], (2,), 1, float)
    )


def unet():
    return UNet((2, 2, 1), (2,), 2, seed=1, dtype=np.float64)


def check(model, **options):
    x = np.random.default_rng(3).standard_normal((3, *model.input_shape))
    return check_gradients(model, x, **options)


def wrong(layer, change):
    backward = layer.backward
    layer.backward = lambda *dy: change(backward(*dy))


def twice(dx):
    return 2 * dx


def test_right_models_are_not_taken_apart():
    report = check(autoencoder())
    assert report.ok
    assert not report.culprits
    assert not report.narrowed


@pytest.mark.parametrize("where", ["encoder.0.dense", "encoder.1.tanh", "decoder.2.dense"])
def test_a_wrong_layer_is_named(where):
    model = autoencoder()
    half, place, _ = where.split(".")
    wrong(model.parts[half].layers[int(place)], twice)
    report = check(model)
    assert report.culprits == [where]
    assert f"Narrowed down to {where}." in str(report)
    assert "every entry is 2 times its value" in report.narrowed


def test_two_wrong_layers_are_both_named():
    model = autoencoder()
    wrong(model.encoder.layers[1], twice)
    wrong(model.decoder.layers[0], np.negative)
    assert check(model).culprits == ["encoder.1.tanh", "decoder.0.dense"]


def test_order_of_a_chain():
    model = chain(Dense(4), Tanh(), Dense(4))
    model.backward = lambda dy: model.layers[0].backward(
        model.layers[2].backward(model.layers[1].backward(dy))
    )
    report = check(model)
    assert report.culprits == [""]
    assert "all 3 parts (0.dense, 1.tanh, 2.dense) are right when checked alone" in str(report)
    assert "backward of Sequential itself" in str(report)
    assert "look at its order" in str(report)


def test_code_of_an_autoencoder_handed_on_wrongly():
    model = autoencoder()
    model.backward = lambda dy: model.encoder.backward(-model.decoder.backward(dy))
    text = str(check(model))
    assert "backward of Autoencoder itself" in text
    assert "right in decoder and wrong in encoder" in text
    model.backward = lambda dy: 2 * Autoencoder.backward(model, dy)
    assert "only that of the input is wrong" in str(check(model))


def test_head_of_a_vae_forgotten():
    model = small_vae()

    def backward(dy):
        dmu, dlogvar = np.split(model.sampling.backward(model.decoder.backward(dy)), 2, axis=1)
        model.logvar_head.backward(np.ascontiguousarray(dlogvar))
        return model.encoder.backward(model.mean_head.backward(np.ascontiguousarray(dmu)))

    model.backward = backward
    report = check(model, training=True)
    assert report.culprits == [""]
    assert "backward of VAE itself" in str(report)
    assert "right in mean, logvar, decoder and wrong in encoder" in str(report)
    del model.backward
    wrong(model.sampling, twice)
    assert check(model, training=True).culprits == ["sampling"]
    assert isinstance(model, VAE)


def test_skip_of_a_unet_added_twice():
    """The decoder is right; its skip is added twice by the model that reads it."""
    model = unet()
    model.backward = lambda dy: with_wrong_part(
        model, model.decoders[1], lambda d: (d[0], [2 * dskip for dskip in d[1]]), dy
    )
    report = check(model, training=True)
    assert report.culprits == [""]
    assert "backward of UNet itself" in str(report)
    assert "look at what is handed to the backward of down0" in str(report)


def test_a_decoder_that_takes_lists_is_checked_alone():
    model = unet()
    decoder = model.decoders[1]
    wrong(decoder, lambda d: (d[0], [-dskip for dskip in d[1]]))
    report = check(model, training=True)
    assert report.culprits == ["decoder1"]
    assert "backward of UNetDecoder itself" in str(report)
    del decoder.backward
    wrong(decoder.blocks[0].layers[4], twice)
    assert check(model, training=True).culprits == ["decoder1.block0.4.batchnormalization"]


def test_inputs_are_those_of_the_forward_pass():
    model = autoencoder()
    x = np.random.default_rng(0).standard_normal((3, 4))
    parts = inputs_of_parts(model, x, training=False)
    assert list(parts) == ["encoder", "decoder"]
    np.testing.assert_array_equal(parts["encoder"][1], x)
    np.testing.assert_array_equal(parts["decoder"][1], model.encoder.forward(x))
    assert "forward" not in vars(model.encoder)

"""What exercises 7 and 8 measure, on cases whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from exercises import ex07_vae, ex07b_latent_space, ex07c_nats, ex08_denoising
from exercises.common import Settings, mnist32
from exercises.ex05_generator import decode, grid_of_codes
from exercises.ex07_vae import vae
from nnscratch.models import NegativeELBO
from nnscratch.training import History


def test_codes_drawn_from_the_prior_are_no_distance_from_it():
    z = np.random.default_rng(0).standard_normal((20_000, 2))
    measured = ex07b_latent_space.shape_of(z)
    assert measured["kl_to_prior"] == pytest.approx(0, abs=1e-3)
    assert measured["share_within_2_sd_of_the_prior"] == pytest.approx(1 - np.exp(-2), abs=0.01)
    moved = ex07b_latent_space.shape_of(np.add(z, [3, 0]))
    assert moved["kl_to_prior"] == pytest.approx(4.5, rel=0.02)  # |m|^2 / 2
    wide = ex07b_latent_space.shape_of(2 * z)
    assert wide["kl_to_prior"] == pytest.approx(
        3 - np.log(4), rel=0.02
    )  # (tr S - 2 - log det S) / 2
    assert ex07b_latent_space.shape_of(z * [1, 0])["kl_to_prior"] == np.inf  # a dead axis


def test_total_is_the_loss_that_was_trained():
    history = History(measured={"test reconstruction": [40.0, 30.0], "test kl": [1.0, 3.0]})
    np.testing.assert_allclose(ex07_vae.totals(history, "test"), [42.56, 37.68])
    assert ex07_vae.KL_WEIGHT == 2.56


@pytest.mark.parametrize("model", [vae(0), ex08_denoising.vae(0)])
def test_network_keeps_to_the_assignment(model):
    """Convolutional; only the encoder's last and the decoder's first layers are dense."""
    kinds = [[layer.name for layer in half.layers] for half in (model.encoder, model.decoder)]
    assert "dense" not in kinds[0]  # the heads are its last layers
    assert [i for i, kind in enumerate(kinds[1]) if kind == "dense"] == [0]
    assert model.built_shape == (32, 32, 1)


def test_tiles_of_the_vae_are_decodes_of_their_codes():
    model = vae(0)
    horizontal, vertical = np.linspace(-3, 3, 4), np.linspace(-1, 1, 3)
    images = decode(model.decoder, grid_of_codes(horizontal, vertical))
    for i, j in np.ndindex(3, 4):
        z = np.array([[horizontal[j], vertical[i]]], np.float32)
        np.testing.assert_allclose(images[i, j], model.decoder.forward(z)[0, ..., 0], atol=1e-6)


def test_native_digits_keep_their_pixels_in_a_black_border():
    settings = Settings(data="embedded", quick=True, out=Path("unused"))
    x_train, x_test = ex07c_nats.image_sets(settings)["28 x 28"]
    assert x_train.shape[1:] == x_test.shape[1:] == (32, 32, 1)
    assert len(x_train) == len(mnist32(settings).x_train)
    inside = x_test[:, 2:-2, 2:-2]
    assert x_test.sum() == inside.sum() > 0


def test_codes_of_equal_images_do_not_move():
    model = ex08_denoising.vae(0)
    x = np.random.default_rng(0).random((40, 32, 32, 1), np.float32)
    shift = ex08_denoising.code_shift(model, x, x)
    assert shift["distance_to_own_clean_code"] == 0
    assert shift["distance_between_clean_codes"] > 0
    assert ex08_denoising.code_shift(model, 0 * x, x)["distance_to_own_clean_code"] > 0


def test_map_beats_encoding_once_the_decoder_knows_the_image():
    """Images that the decoder can draw exactly, with noise: the search finds them again."""
    settings = Settings(data="embedded")
    model = ex08_denoising.vae(3)
    for name, parameter in model.decoder.params.items():
        if name.endswith("b"):
            parameter += 0.1  # so that not all is dark
    rng = np.random.default_rng(1)
    clean = model.decoder.forward(rng.standard_normal((4, 16), np.float32))
    clean_power = (clean**2).mean()
    x = clean + np.sqrt(clean_power) * rng.standard_normal(clean.shape, np.float32)
    found = ex08_denoising.clean_by_map(settings, model, x, beta=float(clean_power))
    assert ((found - clean) ** 2).mean() < 0.2 * ((x - clean) ** 2).mean()


def test_the_loss_of_the_exercise_has_the_weight_in_its_name():
    model = vae(0)
    names = {NegativeELBO(model, w).__name__ for w in (2.56, 0.5)}
    assert names == {"mse + 2.56 KL", "mse + 0.5 KL"}

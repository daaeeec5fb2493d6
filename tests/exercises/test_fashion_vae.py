"""What the exercise on the VAE of Fashion-MNIST measures, on cases whose answer is known."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from exercises import fashion_vae, fashion_vae_latents
from exercises.common import Settings, fashion
from exercises.fashion_vae import LATENT, vae
from exercises.pca_ae_vae import CLASSES
from nnscratch.losses import gaussian_kl, mse
from nnscratch.models import NegativeELBO
from nnscratch.optimizers import Adam
from nnscratch.training import fit

QUICK = Settings(data="embedded", quick=True)


def test_network_is_convolutional_with_ten_latents():
    model = vae(0)
    for half in (model.encoder, model.decoder):
        assert sum("conv2d" in layer.name for layer in half.layers) >= 2
    assert model.mu.shape == (1, 10)
    assert model.built_shape == (28, 28, 1)
    assert model.decoder.layers[-1].name == "conv2dtranspose"  # linear, no sigmoid


def test_network_leaves_black_behind():
    """A hundred steps: better than the best image that does not depend on the input."""
    model, x = vae(0), fashion(QUICK).x_train
    loss = NegativeELBO(model, fashion_vae.KL_WEIGHT)
    fit(model, x, x, loss=loss, optimizer=Adam(1e-3), epochs=5, batch_size=32, progress=False)
    found = fashion_vae.parts_of_the_loss(model, x)
    mean_image = x.var(axis=0).sum()
    assert found["reconstruction"] < 0.75 * mean_image < (x**2).sum() / len(x)
    assert found["total"] < mean_image


def test_total_is_the_loss_that_is_trained():
    model, x = vae(0), fashion(QUICK).x_test[:40]
    found = fashion_vae.parts_of_the_loss(model, x)
    mu, logvar = model.encode(x)
    assert found["kl"] == pytest.approx(gaussian_kl(mu, logvar)[0], rel=1e-4)
    at_mu = mse(model.decoder.forward(mu), x, "batch_mean")[0]
    assert found["reconstruction"] > at_mu
    assert found["total"] == pytest.approx(found["reconstruction"] + 5 * found["kl"])
    trained_on = NegativeELBO(model, fashion_vae.KL_WEIGHT)(model.forward(x), x)[0]
    assert trained_on == pytest.approx(at_mu + 5 * found["kl"], rel=1e-4)


def test_each_row_of_originals_stands_above_its_reconstructions():
    x = np.arange(128.0).reshape(128, 1, 1, 1) * np.ones((1, 28, 28, 1))
    rows = fashion_vae.interleaved(x, -x)
    assert rows.shape == (16, 16, 28, 28)
    np.testing.assert_array_equal(rows[4, :, 0, 0], np.arange(32, 48))
    np.testing.assert_array_equal(rows[5], -rows[4])


def test_mosaic_draws_the_first_row_at_the_top():
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    axis = Figure().subplots()
    fashion_vae.mosaic(axis, images)
    assert axis.images[0].get_clim() == (0, 1)
    canvas = np.asarray(axis.images[0].get_array())
    assert canvas.shape == (8, 15)
    np.testing.assert_array_equal(canvas[:4, 5:10], images[0, 1])
    np.testing.assert_array_equal(canvas[4:, 10:], images[1, 2])


def test_traversal_moves_one_latent_at_a_time():
    order = np.random.default_rng(0).permutation(LATENT)
    z = fashion_vae_latents.traversal(order)
    for row, latent in enumerate(order):
        np.testing.assert_array_equal(z[row, :, latent], fashion_vae_latents.STEPS)
        assert not np.delete(z[row], latent, axis=1).any()


def test_images_are_decodes_of_their_codes(monkeypatch):
    model = vae(0)
    monkeypatch.setattr(fashion_vae_latents, "trained", lambda *_: (model, None, ""))
    z = np.random.default_rng(0).standard_normal((3, 4, LATENT))
    images = fashion_vae_latents.draw(QUICK, "MNIST", z)
    alone = model.decoder.forward(z[2, 1][None].astype(np.float32))[0, ..., 0]
    np.testing.assert_allclose(images[2, 1], alone, atol=1e-5)


def test_separation_tells_classes_from_noise():
    rng = np.random.default_rng(0)
    y_train, y = rng.integers(0, 10, 500), rng.integers(0, 10, 300)
    apart, mixed = (
        fashion_vae_latents.separation(
            scale * np.eye(10)[y_train] + rng.standard_normal((500, 10)), y_train,
            scale * np.eye(10)[y] + rng.standard_normal((300, 10)), y,
        )
        for scale in (100, 0)
    )  # fmt: skip
    assert apart["1-NN_macro_percent"] == 100
    assert apart["silhouette"] > 0.9
    np.testing.assert_array_equal(apart["confusion"], np.eye(10))
    assert 3 < mixed["1-NN_macro_percent"] < 20
    assert mixed["silhouette"] < 0


def test_worst_pairs_are_the_largest_off_the_diagonal():
    shares = 0.5 * np.eye(10)
    shares[6, 0], shares[2, 4], shares[0, 6] = 0.3, 0.2, 0.1
    assert fashion_vae_latents.worst_pairs(shares, CLASSES) == [
        ("shirt", "T-shirt/top", pytest.approx(30)),
        ("pullover", "coat", pytest.approx(20)),
        ("T-shirt/top", "shirt", pytest.approx(10)),
    ]


@pytest.mark.parametrize(
    ("fashion_1nn", "fashion_silhouette", "verdict"),
    [
        (80.0, 0.1, "less by 1-NN accuracy, less by silhouette."),
        (80.0, 0.3, "less by 1-NN accuracy, not less by silhouette."),
        (99.0, 0.3, "not less by 1-NN accuracy, not less by silhouette."),
    ],
)
def test_the_answer_follows_the_numbers(fashion_1nn, fashion_silhouette, verdict):
    def of(accuracy, silhouette):
        measured = {"1-NN_macro_percent": accuracy, "silhouette": silhouette}
        rest = {"active_units": 5, "variance_of_images": 60.0, "most_confused": [("a", "b", 9.0)]}
        return {"VAE": measured, "PCA-10": measured, **rest}

    results = {"Fashion-MNIST": of(fashion_1nn, fashion_silhouette), "MNIST": of(95.0, 0.2)}
    assert f"separate less: {verdict}" in fashion_vae_latents.classes_answer(results)

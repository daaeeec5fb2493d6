"""What the exercises on PCA, autoencoder and VAE measure, on cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from exercises import pca_ae_vae, pca_linear
from exercises.common import Settings, fashion
from exercises.pca_linear import BOTH, LINEAR, RELU, SIGMOID, WIDE
from nnscratch.layers.activations import sigmoid
from nnscratch.metrics import pca
from nnscratch.training import predict

QUICK = Settings(data="embedded", quick=True)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return Settings(data="embedded", out=tmp_path_factory.mktemp("out"))


def pca_autoencoder(settings):
    """PCA written as an autoencoder, in a turned and stretched basis of its plane."""
    model = pca_linear.autoencoder(0, LINEAR)
    mean, directions, _ = pca_linear.principal_directions(settings)
    turn = np.array([[2.0, 1.0], [0.5, -3.0]])
    encoder, decoder = model.encoder.params, model.decoder.params
    encoder["1.dense.W"][...] = directions.T @ turn
    encoder["1.dense.b"][...] = -mean @ directions.T @ turn
    decoder["0.dense.W"][...] = np.linalg.inv(turn) @ directions
    decoder["0.dense.b"][...] = mean
    return model


def test_directions_are_those_of_pca():
    """Two ways to PCA: singular values of the images, eigenvectors of their covariance."""
    x = fashion(QUICK).x_train
    mean, directions, remaining = pca_linear.principal_directions(QUICK)
    other_mean, other = pca(x, 2)
    np.testing.assert_allclose(mean, other_mean, atol=1e-5)
    np.testing.assert_allclose(np.abs((directions * other).sum(axis=1)), 1, atol=1e-4)
    error = pca_linear.squared_error(pca_linear.project(QUICK, x), x)
    assert remaining[1] == pytest.approx(error, rel=1e-4)
    assert (np.diff(remaining) <= 1e-9).all()
    assert remaining[-1] == pytest.approx(0, abs=1e-7)


def test_pca_as_an_autoencoder_has_no_distance_from_pca():
    model, x = pca_autoencoder(QUICK), fashion(QUICK).x_test
    y = pca_linear.images(model, LINEAR, x)
    np.testing.assert_allclose(y, pca_linear.project(QUICK, x), atol=1e-4)
    directions = pca_linear.principal_directions(QUICK)[1]
    assert pca_linear.angle_to(model, directions) == pytest.approx(0, abs=0.01)


def test_angle_is_the_one_that_the_plane_was_turned_by():
    directions = pca_linear.principal_directions(QUICK)[1]
    outside = np.random.default_rng(0).standard_normal(784)
    outside -= directions.T @ (directions @ outside)
    outside /= np.linalg.norm(outside)
    model, angle = pca_autoencoder(QUICK), np.radians(7)
    model.decoder.params["0.dense.W"][...] = [
        directions[0] + 2 * directions[1],
        np.cos(angle) * (2 * directions[0] - directions[1]) / np.sqrt(5) + np.sin(angle) * outside,
    ]
    assert pca_linear.angle_to(model, directions) == pytest.approx(7, abs=0.01)
    wide = pca_linear.autoencoder(0, WIDE)
    assert pca_linear.angle_to(wide, directions) == pytest.approx(0, abs=0.01)
    narrow = pca_linear.autoencoder(0, LINEAR)
    assert pca_linear.angle_to(narrow, directions) > 45


def test_training_finds_the_plane_of_pca(embedded):
    """On all embedded images, with the exercise's own schedule."""
    measured = pca_linear.measure(embedded, LINEAR)
    assert 1 <= measured["train_mse_ratio"] <= 1.002
    assert measured["largest_angle_degrees"] <= 1
    assert measured["components_of_pca_with_this_error"] in (2, 1)
    assert measured["codes_exactly_0_percent"] == 0


def test_a_relu_on_the_code_is_trained_from_weights_that_live(embedded):
    """No unit is silent for all images, and no encoder beats the plane of PCA."""
    model, _, seed = pca_linear.trained(embedded, RELU)
    codes = predict(model.encoder, fashion(embedded).x_train)
    assert codes.any(axis=0).all()
    measured = pca_linear.measure(embedded, RELU)
    assert measured["draws_that_died"] == seed // 1000
    assert 1 <= measured["train_mse_ratio"] < 1.3


def test_variants_are_what_their_names_say():
    x = fashion(QUICK).x_test[:50]
    for variant in (LINEAR, RELU, SIGMOID, BOTH, replace(WIDE, units=800)):
        model = pca_linear.autoencoder(0, variant)
        z, y = predict(model.encoder, x), pca_linear.images(model, variant, x)
        assert z.shape == (50, variant.units)
        assert (z >= 0).all() == variant.relu
        assert ((y > 0) & (y < 1)).all() == (variant.loss is SIGMOID.loss)


def test_networks_are_those_of_the_course():
    shapes = [p.shape for k, p in pca_ae_vae.vae(0).params.items() if k.endswith("W")]
    assert sorted(shapes) == sorted([(784, 512), (512, 2), (512, 2), (2, 512), (512, 784)])
    shapes = [p.shape for k, p in pca_linear.autoencoder(0, SIGMOID).params.items() if "W" in k]
    assert sorted(shapes) == [(2, 784), (784, 2)]


def test_canvas_is_the_same_for_all_and_shows_pixels(embedded, monkeypatch):
    models = {v: (pca_linear.autoencoder(1, v), None, 1) for v in (SIGMOID, BOTH)}
    monkeypatch.setattr(pca_linear, "trained", lambda settings, variant: models[variant])
    monkeypatch.setattr(pca_ae_vae, "trained", lambda settings: pca_ae_vae.vae(1))
    settings = replace(QUICK, seed=12345)  # its own, as results are kept by settings
    tiles = pca_ae_vae.grids(settings)
    assert {name: t.shape for name, t in tiles.items()} == dict.fromkeys(
        ("AE, linear", "AE, ReLU", "VAE"), (21, 21, 28, 28)
    )
    z = np.array([[-4, -3.6]], np.float32)  # the second tile from below in the first column
    expected = sigmoid(models[SIGMOID][0].decoder.forward(z))[0, ..., 0]
    np.testing.assert_allclose(tiles["AE, linear"][1, 0], expected, atol=1e-6)


def test_tiles_that_are_training_images_are_no_distance_from_them(monkeypatch):
    x = fashion(QUICK).x_train
    tiles = x[: 21 * 21, ..., 0].reshape(21, 21, 28, 28)
    z = np.array([[0, 0], [3, -4], [4.1, 0], [0, -5]])
    monkeypatch.setattr(pca_ae_vae, "grids", lambda settings: {"a": tiles, "b": 0 * tiles + 0.5})
    monkeypatch.setattr(pca_ae_vae, "codes", lambda settings: {"a": (z, z), "b": (z, z)})
    same, flat = (pca_ae_vae.measure_grid(QUICK, name) for name in "ab")
    assert same["tile_mse_to_nearest_training_image"] == pytest.approx(0, abs=1e-6)
    assert same["variance_of_tiles_percent"] == pytest.approx(100, rel=0.1)
    assert same["codes_on_the_canvas_percent"] == 50
    assert flat["tile_mse_to_nearest_training_image"] > 0.05
    assert flat["variance_of_tiles_percent"] == pytest.approx(0, abs=1e-6)


def test_codes_that_are_the_classes_keep_them_apart(monkeypatch):
    data = fashion(QUICK)
    angles = [np.stack([np.cos(y), np.sin(y)], axis=1) for y in (data.y_train, data.y_test)]
    rng = np.random.default_rng(0)
    noise = [rng.random((len(y), 2)) for y in (data.y_train, data.y_test)]
    monkeypatch.setattr(pca_ae_vae, "codes", lambda settings: {"a": angles, "b": noise})
    apart, mixed = (pca_ae_vae.measure_codes(QUICK, name) for name in "ab")
    assert apart == {"silhouette": pytest.approx(1), "1-NN_macro_percent": pytest.approx(100)}
    assert mixed["silhouette"] < 0
    assert mixed["1-NN_macro_percent"] < 30


def test_classes_have_their_official_names():
    assert len(set(pca_ae_vae.CLASSES)) == 10
    assert pca_ae_vae.CLASSES[9] == "ankle boot"  # the first training image is one
    assert fashion(QUICK).y_train.max() == 9

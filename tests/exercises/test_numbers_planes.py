"""What the exercises on loss terms, PCA and clothes measure, on numbers small enough for a hand."""

import numpy as np
import pytest

from exercises import fashion_vae, fashion_vae_latents, loss_terms, pca_ae_vae, pca_linear
from exercises.common import Settings
from exercises.pca_linear import BOTH, LINEAR, RELU, SIGMOID, WIDE
from nnscratch.datasets import Dataset
from nnscratch.losses import mse
from nnscratch.metrics import pca
from nnscratch.training import History
from tests.exercises.formulas import Formula

QUICK = Settings(data="embedded", quick=True)
rng = np.random.default_rng(0)


# -- each term of the loss alone


def codes_of(kl_sd=0.01, one_nn=50.0):
    free = {"code_sd": np.array([3.0, 5.0]), "sampling_sd": 0.01, "kl": 20.0, "sse_at_mu": 30.0,
            "sse_at_a_sample": 31.0, "silhouette": 0.1, "1-NN_macro_percent": one_nn,
            "empty_cells_percent": 40.0}  # fmt: skip
    pulled = free | {"code_sd": np.array([kl_sd, 3 * kl_sd]), "sampling_sd": 1.0}
    both = free | {"code_sd": np.array([0.9, 1.1]), "1-NN_macro_percent": 52.0}
    return {"reconstruction only": free, "KL only": pulled, "both": both}


def test_statements_about_the_terms_follow_the_numbers():
    reference = {"empty_cells_percent": 2.0, "sse_of_the_mean_image": 50.0}
    separate, centre, cost = (text for _, text in loss_terms.answers(codes_of(), reference))
    assert "50.0 %, not more often than with both terms (52.0 %)" in separate
    assert "whose standard deviation is 4 (with" in separate
    assert centre.startswith("Near the centre: their standard deviation is 0.02 and")
    assert "50 times as wide" in centre
    assert "the standard deviation of the codes 1.00 instead of 4" in cost
    far = loss_terms.answers(codes_of(kl_sd=0.1, one_nn=53.0), reference)
    assert ", more often than with both" in far[0][1]
    assert far[1][1].startswith("Not near the centre")


def test_the_losses_weigh_what_they_say():
    """A vanishing reconstruction term, and KL with the weight of exercise 7 where both count."""
    model = loss_terms.vae(0)
    weights = {name: loss.kl_weight for name, loss in loss_terms.losses(model).items()}
    assert weights == {"reconstruction only": 0, "KL only": 1, "both": 2.56}
    value, dy = loss_terms.no_reconstruction(np.ones((2, 3)), np.zeros((2, 3)), "mean")
    assert value == 0
    assert not dy.any()


def test_a_cell_with_a_single_code_is_not_empty():
    steps = np.arange(20.0)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    assert loss_terms.empty_cells(grid) == 0
    assert loss_terms.empty_cells(grid[grid[:, 0] != 10]) == 5  # a column of twenty


# -- PCA


def test_components_that_pca_needs():
    remaining = np.array([3.0, 2.0, 1.0, 0.0])
    assert [pca_linear.components(remaining, e) for e in (3.5, 3, 2.5, 2, 0.5, 0)] == [
        1, 1, 2, 2, 4, 4,
    ]  # fmt: skip


def test_codes_that_are_zero_are_counted():
    assert pca_linear.zeros_percent(np.array([[0.0, 1], [-1, 1e-30]])) == 25


def variant(ratio=1.1, angle=2.0, components=3):
    return {"train_mse_ratio": ratio, "test_mse_ratio": 1.2, "largest_angle_degrees": angle,
            "codes_exactly_0_percent": 5.0, "draws_that_died": 4, "loss_by_epoch": [4, 3, 2, 1.0],
            "components_of_pca_with_this_error": components}  # fmt: skip


def test_statements_about_pca_follow_the_numbers():
    results = {v.name: variant() for v in (LINEAR, RELU, SIGMOID, BOTH)}
    results[WIDE.name] = variant(0.14, 1e-9, 125)
    is_pca, nonlinear, wide = (text for _, text in pca_linear.answers(results))
    assert "MSE 1.1000 times that of PCA-2" in is_pca
    assert "(1.2000 on the test images), angle 2.00 degrees" in is_pca
    assert "whose code died: 4" in nonlinear
    assert "last epochs: 3.0000, 2.0000, 1.0000" in nonlinear
    assert "0.1400 times that of PCA-2, and PCA would need 125 components" in wide
    assert "Its decoder spans the PCA plane" in wide
    results[WIDE.name] = variant(angle=3.0)
    assert "does not span" in pca_linear.answers(results)[2][1]


@pytest.mark.parametrize(("net", "bias"), [(RELU, 0.5), (BOTH, 0.0)])
def test_measure_of_a_variant_by_hand(monkeypatch, net, bias):
    """An autoencoder that draws 0.5 everywhere; PCA that gives the image back but for 0.1."""
    x = rng.random((6, 28, 28, 1)).astype(np.float32)
    data = Dataset(x[:4], np.zeros(4), x[4:], np.zeros(2), "", "")
    model = pca_linear.autoencoder(0, net)
    for p in model.params.values():
        p[...] = 0
    model.decoder.params["0.dense.b"][...] = bias
    history = History(loss=[2.0, 1.0], measured={"angle": [30.0, 20.0]})
    monkeypatch.setattr(pca_linear, "fashion", lambda settings: data)
    monkeypatch.setattr(pca_linear, "trained", lambda settings, v: (model, history, 5003))
    monkeypatch.setattr(pca_linear, "project", lambda settings, images: images + 0.1)
    remaining = np.array([1.0, 1e-9])
    monkeypatch.setattr(pca_linear, "principal_directions", lambda s: (None, None, remaining))
    found = pca_linear.measure(Settings(seed=3), net)
    for name, part in (("train", x[:4]), ("test", x[4:])):
        error = ((part.astype(np.float64) - 0.5) ** 2).mean()
        assert found[f"{name}_mse"] == pytest.approx(error)
        assert found[f"{name}_mse_ratio"] == pytest.approx(error / 0.01, rel=1e-5)
    assert found["components_of_pca_with_this_error"] == 2
    assert found["largest_angle_degrees"] == 20
    assert found["codes_exactly_0_percent"] == 100
    assert found["draws_that_died"] == 5
    assert found["loss_by_epoch"] == [2, 1]


def test_logits_become_pixels_where_the_loss_takes_logits():
    model, x = pca_linear.autoencoder(0, LINEAR), np.zeros((1, 28, 28, 1), np.float32)
    model.decoder.params["0.dense.b"][...] = np.log(3)
    assert pca_linear.images(model, LINEAR, x).max() == pytest.approx(np.log(3))
    assert pca_linear.images(model, SIGMOID, x).max() == pytest.approx(0.75)
    assert LINEAR.loss is mse


def test_tiles_on_the_canvas_by_hand(monkeypatch):
    """Two grey levels: tiles vary a quarter as much, and are 1/4 from the nearest image."""
    x = np.repeat([0.0, 1.0], 28 * 28).reshape(2, 28, 28, 1).astype(np.float32)
    tiles = np.repeat([0.25, 0.75], 2 * 28 * 28).reshape(2, 2, 28, 28).astype(np.float32)
    z = np.array([[4.0, -4.0], [0, 4.1], [0, -4.1], [1, 1]])
    data = Dataset(x, np.zeros(2), x, np.zeros(2), "", "")
    monkeypatch.setattr(pca_ae_vae, "fashion", lambda settings: data)
    monkeypatch.setattr(pca_ae_vae, "grids", lambda settings: {"a": tiles})
    monkeypatch.setattr(pca_ae_vae, "codes", lambda settings: {"a": (10 * z, z)})
    found = pca_ae_vae.measure_grid(QUICK, "a")
    assert found["codes_on_the_canvas_percent"] == 50
    assert found["tile_mse_to_nearest_training_image"] == pytest.approx(1 / 16)
    assert found["variance_of_tiles_percent"] == pytest.approx(25)


def test_best_plane_and_nearest_tiles_are_named_by_the_numbers():
    measured = {
        "PCA": {"silhouette": -0.1, "1-NN_macro_percent": 60.0},
        "VAE": {"silhouette": 0.2, "1-NN_macro_percent": 50.0},
    }
    text = pca_ae_vae.planes_answer(measured)
    assert "Largest silhouette: VAE; most neighbours of the right class: PCA." in text
    tiles = {
        name: {"codes_on_the_canvas_percent": 10, "variance_of_tiles_percent": 20,
               "tile_mse_to_nearest_training_image": error}
        for name, error in (("AE", 0.04), ("VAE", 0.02))
    }  # fmt: skip
    assert pca_ae_vae.clearer_answer(tiles).endswith("Nearest to real clothes: VAE.")


# -- clothes


def test_extremes_of_the_images_shown():
    found = fashion_vae.extremes(np.array([1.0, 5.0, 3.0]))
    assert found == {"mse_of_these": 3, "worst": 5, "best": 1}


@pytest.mark.parametrize(("total", "said"), [(42.3, "at or below"), (42.4, "above")])
def test_answer_about_the_loss_follows_the_numbers(total, said):
    measured = {
        "train": {"total": total, "reconstruction": 1, "kl": 1},
        "test": {"total": 44.0, "reconstruction": 29.0, "kl": 3.0},
        "mean_loss_of_the_batches_by_epoch": [60.0, 50.0, 45.0],
        "train_total_by_epoch": [0, 0, 0],
    }
    text = fashion_vae.loss_answer(measured)
    assert f"After 3 epochs the total is {total:.2f} on the training images, {said}" in text
    assert "44.00 on the test images (29.00 + 5 x 3.000)" in text
    assert "from 60.0 to 45.00" in text


def test_distance_between_both_ends_of_a_traversal():
    images = np.zeros((2, 3, 2, 2))
    images[0, 0], images[0, 1], images[0, 2] = 1, 9, 4
    images[1, 2, 0, 0] = 2
    assert fashion_vae_latents.between_ends(images).tolist() == [4 * 9, 4]


def test_components_are_those_of_centred_images():
    x = rng.random((30, 4, 4, 1)).astype(np.float32) + 10
    mean, directions = pca(x, 10)
    train, test = fashion_vae_latents.principal_components(x, x[:5])
    np.testing.assert_allclose(train, (x.reshape(30, -1) - mean) @ directions.T, atol=1e-4)
    np.testing.assert_allclose(train[:5], test, atol=1e-5)


def test_classes_by_hand():
    """Ten classes on a line; the one of class 0 is taken for its neighbour."""
    y = np.arange(10)
    z_train = np.repeat(10.0 * y, 2)[:, None] + np.tile([0.0, 1.0], 10)[:, None]
    z = 10.0 * y[:, None]
    z[0] = 8
    found = fashion_vae_latents.separation(z_train, np.repeat(y, 2), z, y)
    assert found["1-NN_percent_per_class"].tolist() == [0, *[100] * 9]
    assert found["1-NN_macro_percent"] == 90
    assert found["confusion"][0, 1] == 1
    assert found["silhouette"] == 0  # single samples


@pytest.mark.parametrize(("mnist", "said"), [(95.0, "ahead by 15.0"), (70.0, "behind by 10.0")])
def test_who_is_ahead_follows_the_numbers(mnist, said):
    def of(accuracy):
        measured = {"1-NN_macro_percent": accuracy, "silhouette": 0.1}
        rest = {"active_units": 5, "variance_of_images": 60.0, "most_confused": [("a", "b", 9.0)]}
        return {"VAE": measured, "PCA-10": measured, **rest}

    text = fashion_vae_latents.classes_answer({"Fashion-MNIST": of(80.0), "MNIST": of(mnist)})
    assert f"In 1-NN MNIST is {said} points with the VAE and {said} points with PCA" in text


def test_measured_latents_are_those_of_the_test_codes(monkeypatch):
    data = Dataset(
        rng.random((40, 4, 4, 1)).astype(np.float32), np.arange(40) % 10,
        rng.random((20, 4, 4, 1)).astype(np.float32), np.arange(20) % 10, "", "",
    )  # fmt: skip
    z = np.zeros((20, 10))
    z[::2, 3], z[::2, 1] = 2, 0.18  # variances 1 and 0.0081
    z[:, 7] = np.where(np.arange(20) % 2, -3, 3)
    monkeypatch.setattr(fashion_vae_latents, "SETS", {"MNIST": lambda settings: data})
    codes = rng.standard_normal((40, 10)), z
    monkeypatch.setattr(fashion_vae_latents, "codes", lambda settings, name: codes)
    found = fashion_vae_latents.measure(QUICK, "MNIST")
    assert found["variance_of_mu"][:3].tolist() == pytest.approx([9, 1, 0.0081])
    assert found["active_units"] == 2
    pixels = data.x_train.astype(np.float64).reshape(40, -1)
    assert found["variance_of_images"] == pytest.approx(pixels.var(axis=0).sum())
    assert len(found["most_confused"]) == 3
    assert set(found["PCA-10"]) == {"1-NN_macro_percent", "silhouette"}


def test_latents_stand_in_the_order_of_their_variances():
    order, variances = fashion_vae_latents.by_variance(np.array([[0.0, 5, 1], [4, 5, 3]]))
    assert order.tolist() == [0, 2, 1]
    assert variances.tolist() == [4, 1, 0]


def test_curves_of_the_loss_are_of_both_sets(monkeypatch):
    """Training images are 1 and test images 2; the "loss" is their mean."""
    ones = np.ones((3, 28, 28, 1), np.float32)
    data = Dataset(ones, np.zeros(3), 2 * ones, np.zeros(3), "", "some")
    monkeypatch.setattr(fashion_vae, "SETS", {"MNIST": lambda settings: data})
    monkeypatch.setattr(fashion_vae, "fashion", lambda settings: data)
    monkeypatch.setattr(fashion_vae, "parts_of_the_loss", lambda model, x: {"kl": x.mean()})
    monkeypatch.setattr(fashion_vae, "train", lambda *args, measure: measure())
    _, measured, stamp = fashion_vae.trained.__wrapped__(QUICK, "MNIST")
    assert measured == {"train kl": 1, "test kl": 2}
    assert stamp.startswith("some\n")


def test_codes_of_all_planes_are_of_training_and_test_images(monkeypatch):
    """PCA along the first two pixels; the nets are formulas."""
    x = np.arange(12.0).reshape(2, 2, 3, 1)
    data = Dataset(x, None, x + 100, None, "", "")
    directions = np.eye(6)[:2]
    linear, rectified = Formula(None), Formula(None)
    linear.encoder = Formula(lambda x: x.reshape(len(x), -1)[:, 2:4])
    rectified.encoder = Formula(lambda x: x.reshape(len(x), -1)[:, 4:6])
    models = {SIGMOID: (linear, None, 0), BOTH: (rectified, None, 0)}
    monkeypatch.setattr(pca_ae_vae, "fashion", lambda settings: data)
    monkeypatch.setattr(
        pca_linear, "principal_directions", lambda s: (np.full(6, 3.0), directions, 0)
    )
    monkeypatch.setattr(pca_linear, "trained", lambda settings, variant: models[variant])
    monkeypatch.setattr(pca_ae_vae, "trained", lambda settings: None)
    monkeypatch.setattr(pca_ae_vae, "means", lambda model, x: -x.reshape(len(x), -1)[:, :2])
    found = pca_ae_vae.codes.__wrapped__(QUICK)
    first = {name: (train[1].tolist(), test[0].tolist()) for name, (train, test) in found.items()}
    assert first == {
        "PCA": ([3, 4], [97, 98]),
        "AE, linear": ([8, 9], [102, 103]),
        "AE, ReLU": ([10, 11], [104, 105]),
        "VAE": ([-6, -7], [-100, -101]),
    }


def test_answer_about_idle_latents_follows_the_numbers():
    numbers = {
        "MNIST": {"variance_of_mu": np.array([0.9, 0.5, 0.01]),
                  "sse_between_both_ends": np.array([70.0, 30.0, 0.2])},
        "clothes": {"variance_of_mu": np.ones(1), "sse_between_both_ends": np.full(1, 5.0)},
    }  # fmt: skip
    first, second, third = fashion_vae_latents.idle_answer(numbers).split(". ")
    assert first.startswith("MNIST, 2 latents in use (variance of mu above 0.01)")
    assert first.endswith("changes by 30 to 70 squared pixels")
    assert second.startswith("MNIST, 1 latents not in use (variance of mu at most 0.01)")
    assert second.endswith("0.2 to 0.2 squared pixels")
    assert third.startswith("clothes, 1 latents in use")

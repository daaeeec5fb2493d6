"""The numbers in the figures of exercises 5 to 7, measured where they can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    ex02_latent_space,
    ex05_generator,
    ex06_denoising,
    ex07_vae,
    ex07b_latent_space,
    ex07c_nats,
)
from exercises.common import Settings
from exercises.ex06_denoising import AE_CLEAN, AE_NOISY, CLEAN, CLIPPED, NOISY, PCA_NOISY
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    greys,
    halving_autoencoder,
    painter,
    record,
    settings_for,
    ten_greys,
)

# -- exercise 5


def test_tiles_and_what_lies_near_them(monkeypatch):
    monkeypatch.setattr(ex05_generator, "NEIGHBOURS", 2)
    grid = ex05_generator.grid_of_codes(np.array([0.0, 10]), np.array([0.0, 20]))
    images = greys([0, 0.5, 1, 0.2], side=2)[..., 0].reshape(2, 2, 2, 2)
    train_codes = np.array(
        [[0.0, 1], [1, 0], [10, 2], [14, 0], [0, 23], [4, 20], [10, 20], [9, 20]]
    )
    found = ex05_generator.measure_tiles(
        images, grid, np.array([1, 1, 2, 3]), np.array([0.95, 0.5, 0.99, 0.9]),
        train_codes, np.array([7, 7, 1, 2, 3, 3, 3, 4]), greys([0.1, 0.9], side=2),
    )  # fmt: skip
    assert found["labels"].tolist() == [[1, 1], [2, 3]]
    assert found["confidences"].tolist() == [[0.95, 0.5], [0.99, 0.9]]
    assert found["distances"].tolist() == [[1, 2], [3, 0]]
    assert found["purities"].tolist() == [[1, 0.5], [1, 0.5]]
    assert found["image_mse"] == pytest.approx(np.array([[0.01, 0.16], [0.01, 0.01]]), abs=1e-6)
    assert found["sure_tiles"] == 2  # 0.9 itself is not above it
    assert found["tiles_per_digit"].tolist() == [0, 1, 1, *7 * [0]]
    assert found["digits_covered"].tolist() == [1, 2]
    assert found["spearman_distance_confidence"] == pytest.approx(0.4)  # ranks 2341 and 3142
    assert found["spearman_purity_confidence"] == pytest.approx(2 / np.sqrt(5))
    assert 0 < found["spearman_purity_p_value"] < found["spearman_distance_p_value"] < 1
    answer = ex05_generator.tiles_answer(found)
    assert answer.startswith("2 of 4 tiles are read with a confidence above 0.9: 1 (1), 2 (1);")
    assert "never 0, 3, 4, 5, 6, 7, 8, 9." in answer
    assert "2.000 for these, 1.000 for the others" in answer
    assert answer.endswith("read as 2 3, along the middle column, from the top down, as 3 1.")


def test_a_single_training_code_has_neighbours_enough():
    grid = np.zeros((1, 1, 2))
    found = ex05_generator.measure_tiles(
        greys([1], side=2)[None, ..., 0], grid, np.array([4]), np.array([1.0]),
        np.array([[3.0, 4]]), np.array([8]), greys([1], side=2),
    )  # fmt: skip
    assert found["distances"].tolist() == [[5]]
    assert found["purities"].tolist() == [[1]]


def test_tiles_are_painted_with_their_codes():
    grid = ex05_generator.grid_of_codes(np.array([0.0, 0.5, 1]), np.array([5.0, 6]))
    images = ex05_generator.decode(painter(side=2), grid)
    assert images.shape == (2, 3, 2, 2)
    assert images[..., 0, 0].tolist() == [[0, 0.5, 1]] * 2


# -- exercise 6


def test_versions_of_images_and_their_rows():
    clean = greys([0.2, 0.8], side=2)
    x_noisy = clean + np.float32([-0.5, 0.5])[:, None, None, None]
    images = ex06_denoising.restored(
        halving_autoencoder(), greys([0, 0.5, 1], side=2), clean, x_noisy
    )
    assert [images[name][:, 0, 0, 0].tolist() for name in (NOISY, CLIPPED, AE_NOISY, AE_CLEAN)] == [
        pytest.approx([-0.3, 1.3]), [0, 1], pytest.approx([-0.15, 0.65]), pytest.approx([0.1, 0.4])
    ]  # fmt: skip
    assert images[CLEAN] is clean
    np.testing.assert_allclose(images[PCA_NOISY], x_noisy, atol=1e-6)  # which are grey as well
    rows = ex06_denoising.denoising_rows(images, {name: 0.5 for name in images})
    assert rows[CLEAN] == {"accuracy": 0.5}
    assert rows[NOISY]["mse_[0,1]"] == pytest.approx(0.25)
    assert rows[NOISY]["mse_[-1,1]"] == pytest.approx(1)
    assert rows[NOISY]["psnr_db"] == pytest.approx(10 * np.log10(4), rel=1e-5)
    assert rows[CLIPPED]["mse_[0,1]"] == pytest.approx(0.04)
    assert rows[AE_CLEAN]["mse_[0,1]"] == pytest.approx((0.1**2 + 0.4**2) / 2)
    psnrs = [-10 * np.log10(e) for e in (0.1**2, 0.4**2)]
    assert rows[AE_CLEAN]["psnr_db"] == pytest.approx(np.mean(psnrs), rel=1e-5)  # mean over images


def test_the_autoencoder_is_compared_with_pca_and_not_the_other_way_round():
    clean = greys([0, 0, 0], side=2)
    images = {CLEAN: clean, AE_NOISY: clean + 0.1, PCA_NOISY: clean + 0.3}
    found = ex06_denoising.minus_pca(images, np.random.default_rng(0))
    assert found == pytest.approx(3 * [4 * (0.01 - 0.09)], rel=1e-4)  # equal differences: no spread
    rows = {
        name: {"mse_[-1,1]": 0.0, "accuracy": 0.0} for name in (*images, NOISY, CLIPPED, AE_CLEAN)
    }
    assert "It is better than PCA-2" in ex06_denoising.denoising_answer(rows, found)
    assert "It is worse than PCA-2" in ex06_denoising.denoising_answer(rows, -found)
    unsure = np.array([-0.1, -0.2, 0.1])
    assert "not clearly better or worse" in ex06_denoising.denoising_answer(rows, unsure)


def test_how_far_codes_move():
    clean, moved = np.array([[0.0, 0], [0, 2], [3, 4]]), np.array([[3.0, 4], [0, 0], [3, 4]])
    found = ex06_denoising.code_shift(
        moved, clean, np.array([[0.0, 0], [3, 4]]), np.array([1, 2]), np.array([1, 1, 2])
    )
    assert found["code_distance_mean"] == pytest.approx(7 / 3)
    assert found["code_distance_median"] == 2
    assert found["code_shift_mean_per_axis"] == pytest.approx([1, 2 / 3])  # towards the noisy one
    assert found["code_rms_distance_from_their_mean"] == pytest.approx(np.sqrt(14 / 3))
    assert found["nearest_neighbour_accuracy_clean_codes"] == 1
    assert found["nearest_neighbour_accuracy_noisy_codes"] == pytest.approx(2 / 3)


def test_figure_6_of_a_net_that_halves_every_pixel(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex06_denoising)
    clean = ten_greys().x_test
    images = {NOISY: clean + 1, AE_NOISY: clean / 2, CLEAN: clean}
    monkeypatch.setattr(ex06_denoising, "versions", lambda settings: images)
    monkeypatch.setattr(ex06_denoising, "stamp", lambda settings: "stamp")
    read = lambda settings, x: (np.rint(10 * x[:, 0, 0, 0]).astype(int), None)  # noqa: E731
    monkeypatch.setattr(ex06_denoising, "read_digits", read)
    ex06_denoising.figure_6(settings)
    numbers = record(tmp_path, "ex06_fig6")["numbers"]
    errors = [(d / 20) ** 2 for d in range(10)]
    assert numbers["test_indices"] == list(range(10))
    assert numbers["mse_per_image_[0,1]"] == pytest.approx(errors)
    assert numbers["mse_per_image_[-1,1]"] == pytest.approx([4 * e for e in errors])
    assert numbers["read_as"] == [0, 0, 1, 2, 2, 2, 3, 4, 4, 4]  # of what the net made of them


def test_noise_has_its_deviation_and_is_added():
    x = np.full((4, 50, 50, 1), 0.5, np.float32)
    noise = ex06_denoising.with_noise(x, np.random.default_rng(0)) - x
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(0.25, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.01)


# -- exercise 7


def test_figure_7_of_a_net_that_halves_every_pixel(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07_vae)
    monkeypatch.setattr(ex07_vae, "trained", lambda _: (halving_autoencoder(), None, "stamp"))
    ex07_vae.figure_7(settings)
    numbers = record(tmp_path, "ex07_fig7")["numbers"]
    assert numbers["test_mse_[0,1]"] == pytest.approx(285 / 4000)
    assert numbers["test_mse_[-1,1]"] == pytest.approx(285 / 1000)
    assert numbers["mse_per_digit_[-1,1]"] == pytest.approx([(d / 10) ** 2 for d in range(10)])


def test_loss_of_the_vae_and_its_parts_by_epoch():
    curves = {
        "train reconstruction": [30.0] * 12, "train kl": [2.0] * 12,
        "test reconstruction": [*range(100, 112)], "test kl": [1.0] * 11 + [2.0],
    }  # fmt: skip
    numbers = ex07_vae.loss_numbers(History(measured=curves))
    assert numbers["kl_weight"] == 2.56
    assert numbers["train_total_by_epoch"] == pytest.approx(np.full(12, 35.12))
    assert numbers["test_total_by_epoch"][[0, 10]] == pytest.approx([102.56, 112.56])
    assert numbers["test_total"] == pytest.approx(111 + 5.12)
    assert numbers["test_total_after_10_epochs"] == pytest.approx(109 + 2.56)
    for name in curves:
        assert numbers[f"{name.replace(' ', '_')}_by_epoch"] == curves[name]
    short = {name: values[:3] for name, values in curves.items()}
    numbers = ex07_vae.loss_numbers(History(measured=short))
    assert numbers["test_total_after_10_epochs"] == numbers["test_total"]


def test_vae_is_watched_on_training_and_on_test_images(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07_vae)
    monkeypatch.setattr(ex07_vae, "MEASURED", 3)
    monkeypatch.setattr(
        ex07_vae, "elbo_terms", lambda model, x, rng: {"kl": x.mean(), "reconstruction": len(x)}
    )
    seen = {}
    monkeypatch.setattr(ex07_vae, "train", lambda *a, **options: seen.update(options, a=a))
    ex07_vae.trained.__wrapped__(settings)
    assert seen["measure"]() == {
        "train kl": pytest.approx(0.1), "train reconstruction": 3,
        "test kl": pytest.approx(0.45), "test reconstruction": 10,
    }  # fmt: skip
    loss, data = seen["a"][3], seen["a"][5]
    assert loss.__name__ == "mse + 2.56 KL"
    assert data[0] is data[1]


def test_share_within_two_deviations_is_about_the_origin():
    z = np.array([[1.9, 0], [0, 1.9], [1.5, 1.5], [9, 9]])  # the third is sqrt(4.5) away
    assert ex07b_latent_space.shape_of(z)["share_within_2_sd_of_the_prior"] == 0.5
    assert ex07b_latent_space.shape_of(z + 50)["share_within_2_sd_of_the_prior"] == 0


def test_shape_of_four_codes():
    found = ex07b_latent_space.shape_of(np.array([[0.0, 0], [2, 0], [0, 2], [2, 2]]))
    assert found["mean"].tolist() == [1, 1]
    assert found["covariance"] == pytest.approx(np.diag([4 / 3, 4 / 3]))
    assert found["kl_to_prior"] == pytest.approx((8 / 3 + 2 - 2 - 2 * np.log(4 / 3)) / 2)


def test_generators_are_measured_with_their_own_codes_and_decoders(monkeypatch):
    settings, data = Settings(), ten_greys()
    monkeypatch.setattr(ex07b_latent_space, "mnist32", lambda settings: data)
    test_codes = np.array([[0.0, 0], [1, 1]]), np.array([[0.0, 0], [8, 8]])
    small, large = ((-z, z) for z in test_codes)

    def trained(number):
        model = SimpleNamespace(decoder=Formula(lambda z: greys(z[:, 0] + number), (2,)))
        return lambda settings: (model, None, "")

    monkeypatch.setattr(ex07b_latent_space.ex01_autoencoder, "trained", trained(100))
    monkeypatch.setattr(ex07b_latent_space, "trained", trained(200))
    monkeypatch.setattr(ex02_latent_space, "codes", lambda settings: small)
    monkeypatch.setattr(ex07b_latent_space, "codes", lambda settings: large)
    monkeypatch.setattr(
        ex07b_latent_space, "measure_grid",
        lambda settings, images, grid, codes: {
            "ends": [images[0, 0, 0, 0], images[-1, -1, 0, 0]],
            "grid": [*grid[0, 0], *grid[-1, -1]], "codes": codes,
        },
    )  # fmt: skip
    monkeypatch.setattr(ex07b_latent_space, "class_separation", lambda *parts: {"of": parts})
    found = ex07b_latent_space.measured_generators(settings)
    ae, vae, prior = found.values()
    assert list(found) == [
        "autoencoder, extent of codes", "VAE, extent of codes", "VAE, 3 sd of the prior",
    ]  # fmt: skip
    assert [ae["ends"], vae["ends"], prior["ends"]] == [[100, 101], [200, 208], [197, 203]]
    assert ae["grid"] == [0, 0, 1, 1]
    assert vae["grid"] == [0, 0, 8, 8]
    assert prior["grid"] == [-3, -3, 3, 3]
    for found, (train, test) in ((ae, small), (vae, large), (prior, large)):
        assert found["codes"] is train
        expected = (train, data.y_train, test, data.y_test)
        assert all(a is b for a, b in zip(found["of"], expected, strict=True))


def test_axes_of_figure_10(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07b_latent_space)
    model = SimpleNamespace(decoder=painter())
    monkeypatch.setattr(ex07b_latent_space, "trained", lambda settings: (model, None, "stamp"))
    z = np.array([[0.0, -7], [14, 7]])
    monkeypatch.setattr(ex07b_latent_space, "codes", lambda settings: (None, z))
    ex07b_latent_space.figure_10(settings)
    numbers = record(tmp_path, "ex07_fig10")["numbers"]
    for axis in (1, 2):
        assert numbers[f"axis_{axis}_within 3 sd of the prior"] == pytest.approx(
            [3 * k / 7 for k in range(-7, 8)]
        )
    assert numbers["axis_1_over the extent of the test codes"] == list(range(15))
    assert numbers["axis_2_over the extent of the test codes"] == list(range(-7, 8))


def test_nats_are_the_sum_of_both_parts(monkeypatch):
    monkeypatch.setattr(ex07c_nats, "elbo_terms", lambda *_: {"reconstruction": 140.0, "kl": 7.0})
    assert ex07c_nats.nats(None, None, None) == {
        "reconstruction": 140, "kl": 7, "negative_elbo": 147
    }  # fmt: skip
    whole = ex07_vae.recipe(Settings(data="embedded"))
    assert (whole.epochs, ex07c_nats.shorter(Settings(data="embedded")).epochs) == (30, 4)

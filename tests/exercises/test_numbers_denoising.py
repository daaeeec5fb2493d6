"""Which images, codes and starts the tables of exercises 6 to 8 are measured on."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import ex06_denoising, ex07_vae, ex07b_latent_space, ex07c_nats, ex08b_map
from exercises.ex06_denoising import AE_CLEAN, AE_NOISY, CLEAN, CLIPPED, NOISY, PCA_NOISY
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    greys,
    halving_autoencoder,
    record,
    settings_for,
    ten_greys,
)


def test_the_table_of_denoising(monkeypatch, tmp_path):
    """Noise is 0.5 everywhere, a code the first two pixels; the judge's share is the brightness."""
    settings = settings_for(monkeypatch, tmp_path, ex06_denoising)
    data = ten_greys()
    clean = data.x_test
    shifts = {NOISY: 0.5, CLIPPED: 0.25, PCA_NOISY: 0.125, AE_NOISY: 0.75, AE_CLEAN: 1.0, CLEAN: 0}
    images = {name: clean + np.float32(shift) for name, shift in shifts.items()}
    codes = (data.x_train[:, 0, :2, 0], clean[:, 0, :2, 0])
    monkeypatch.setattr(ex06_denoising, "versions", lambda settings: images)
    monkeypatch.setattr(ex06_denoising, "trained", lambda _: (halving_autoencoder(), None, "stamp"))
    monkeypatch.setattr(ex06_denoising, "codes", lambda settings: codes)

    def accuracy(settings, x, labels):
        assert labels is ex06_denoising.mnist32(settings).y_test
        return float(x.mean())

    monkeypatch.setattr(ex06_denoising, "accuracy", accuracy)
    ex06_denoising.table(settings)
    page = record(tmp_path, "ex06_table")
    numbers = page["numbers"]
    assert page["stamp"] == "stamp · noise sd 0.25 in [0, 1]"
    assert numbers["images"] == 10
    for name, shift in shifts.items():
        assert numbers[name]["accuracy"] == pytest.approx(0.45 + shift)
        if name != CLEAN:
            assert numbers[name]["mse_[0,1]"] == pytest.approx(shift**2)
    assert numbers["ae_minus_pca_mse_[-1,1]"] == pytest.approx(3 * [4 * (0.75**2 - 0.125**2)])
    assert numbers["code_distance_mean"] == pytest.approx(np.sqrt(0.5))
    assert numbers["code_shift_mean_per_axis"] == pytest.approx([0.5, 0.5])
    assert numbers["nearest_neighbour_accuracy_clean_codes"] == 1
    assert numbers["nearest_neighbour_accuracy_noisy_codes"] == pytest.approx(0.1)  # 9 alone
    about_noise, about_codes = (answer for _, answer in page["answers"])
    assert "1.000 before, 2.250 after the autoencoder, which leaves 4.000" in about_noise
    assert "clipping alone gives 0.250" in about_noise
    assert "It moves a code by 0.707 on average (median 0.707)" in about_codes
    assert "100.0 % of the clean and 10.0 % of the noisy" in about_codes


def test_nats_are_those_of_the_test_images(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07c_nats, ex07_vae)
    sets = {
        "a": (greys([0.5] * 3), greys([0.25] * 2)),
        "b": (greys([0.125] * 3), greys([0.75] * 2)),
    }
    trainings = []
    monkeypatch.setattr(ex07c_nats, "image_sets", lambda settings: sets)
    monkeypatch.setattr(ex07c_nats, "train", lambda *a: trainings.append(a))
    monkeypatch.setattr(
        ex07c_nats, "elbo_terms",
        lambda model, x, rng, loss: {"reconstruction": 100 * float(x.mean()), "kl": len(x)},
    )  # fmt: skip
    ex07c_nats.run(settings)
    numbers = record(tmp_path, "ex07_nats")["numbers"]
    assert numbers["a"] == {"reconstruction": 25, "kl": 2, "negative_elbo": 27}
    assert numbers["b"] == {"reconstruction": 75, "kl": 2, "negative_elbo": 77}
    assert [t[1] for t in trainings] == ["vae-2-nats-a", "vae-2-nats-b"]
    assert len({id(t[2]) for t in trainings}) == 2  # each starts from the beginning


def test_figure_9_and_the_comparison_hold_the_test_codes_of_each_net(monkeypatch, tmp_path):
    module = ex07b_latent_space
    settings = settings_for(monkeypatch, tmp_path, module)
    rng = np.random.default_rng(0)
    vae, ae = ((None, rng.standard_normal((10, 2)) + shift) for shift in (0, 50))
    monkeypatch.setattr(module, "codes", lambda settings: vae)
    monkeypatch.setattr(module.ex02_latent_space, "codes", lambda settings: ae)
    monkeypatch.setattr(module, "trained", lambda settings: (None, None, "stamp"))
    module.figure_9(settings)
    numbers = record(tmp_path, "ex07_fig9")["numbers"]
    assert numbers["vae"]["mean"] == pytest.approx(vae[1].mean(axis=0))
    assert numbers["autoencoder"]["mean"] == pytest.approx(ae[1].mean(axis=0))
    results = {
        name: {"tiles_per_digit": np.arange(10), "1-NN_macro_percent": 10.0 * place,
               "silhouette": 0.125 * place, "image_mse": np.array([[0.5, 1.5]]) * place,
               "sure_tiles": 45 * place, "digits_covered": np.arange(place)}
        for place, name in enumerate(("AE", "VAE", "prior"), 1)
    }  # fmt: skip
    monkeypatch.setattr(module, "measured_generators", lambda settings: results)
    module.comparison(settings)
    page = record(tmp_path, "ex07_comparison")
    assert page["numbers"]["VAE"]["image_mse"] == [[1, 3]]
    planes, generators = (answer for _, answer in page["answers"])
    middle = ", ".join(f"{m:.1f}" for m in ae[1].mean(axis=0))
    assert f"its codes lie around ({middle})" in planes
    assert "Mean silhouette +0.25 against +0.12, 1-NN 20.0 % against 10.0 %." in planes
    assert generators.startswith("AE: 45 of 225 tiles")
    assert "VAE: 90 of 225 tiles are read with a confidence above .9, 2 of 10 digits" in generators
    assert generators.endswith("nearest training image is 3.0000.")


def test_what_is_searched_and_from_where(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08b_map)
    calls, asked = [], []

    def search(decoder, x, starts, beta, **options):
        calls.append((decoder, x, starts, beta, options))
        return SimpleNamespace(evaluations=len(calls))

    monkeypatch.setattr(ex08b_map, "map_estimate", search)
    model = SimpleNamespace(decoder="decoder")
    monkeypatch.setattr(ex08b_map, "trained", lambda _, w: asked.append(w) or (model, ""))
    x = ten_greys().x_test[::-1]
    monkeypatch.setattr(ex08b_map, "noisy", lambda settings: x)
    monkeypatch.setattr(ex08b_map, "ten_digits", lambda data: np.arange(10)[::-1])
    for solver in ("adam", "lbfgs"):
        assert ex08b_map.searched.__wrapped__(settings, solver).evaluations == len(calls)
    assert asked == [2.56, 2.56]
    for decoder, images, starts, beta, _ in calls:
        assert (decoder, beta) == ("decoder", 0.0625)
        np.testing.assert_array_equal(images, x[::-1])
        np.testing.assert_array_equal(starts, calls[0][2])  # both searches from the same codes
    assert calls[0][2].shape == (1, 10, 16)
    wholes = [calls[i][-1] for i in (1, 3)]
    assert wholes == [
        {"solver": solver, "iterations": 1000, "learning_rate": 0.01}
        for solver in ("adam", "lbfgs")
    ]


def test_figure_13_holds_both_searches(monkeypatch, tmp_path):
    module = ex08b_map
    settings = settings_for(monkeypatch, tmp_path, module)

    def trace(*values):
        rows = np.repeat(np.array(values)[:, None] / 10, 10, axis=1)  # ten images have a tenth each
        return SimpleNamespace(trace=rows, objective=rows[-1], evaluations=len(values))

    found = {"adam": trace(900.0, 640.0, 630.0), "lbfgs": trace(900.0, 630.0)}
    monkeypatch.setattr(module, "trained", lambda *_: (None, "stamp"))
    monkeypatch.setattr(module, "searched", lambda settings, solver="adam": found[solver])
    monkeypatch.setattr(module, "noisy", lambda settings: ten_greys().x_test)
    module.figure_13(settings)
    numbers = record(tmp_path, "ex08_fig13")["numbers"]
    assert numbers["adam_start_and_end_[0,1]"] == [900, 630]
    assert numbers["noise_floor_[0,1]"] == 640  # 10 images of 32 x 32 pixels, each 1/16
    assert numbers["lbfgs_iterations_to_adams_objective"] == 1
    assert (numbers["adam_evaluations"], numbers["lbfgs_evaluations"]) == (3, 2)


def test_figure_8_holds_its_history(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07_vae)
    curves = {
        "train reconstruction": [40.0, 30.0], "train kl": [1.0, 2.0],
        "test reconstruction": [50.0, 45.0], "test kl": [3.0, 4.0],
    }  # fmt: skip
    history = History(loss=[0.0, 0.0], measured=curves)
    monkeypatch.setattr(ex07_vae, "trained", lambda settings: (None, history, "stamp"))
    ex07_vae.figure_8(settings)
    numbers = record(tmp_path, "ex07_fig8")["numbers"]
    assert numbers["test_total"] == pytest.approx(45 + 2.56 * 4)
    assert numbers["train_total_by_epoch"] == pytest.approx([42.56, 35.12])


def test_codes_of_the_vae_are_of_training_and_of_test_images(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07b_latent_space)
    model = Formula(None)
    model.encode = lambda x: (x[:, 0, :2, 0], x[:, 0, :2, 0] + 9)  # mu and logvar
    monkeypatch.setattr(ex07b_latent_space, "trained", lambda settings: (model, None, ""))
    train, test = ex07b_latent_space.codes.__wrapped__(settings)
    assert (len(train), len(test)) == (20, 10)
    assert test[9].tolist() == pytest.approx([0.9, 0.9])

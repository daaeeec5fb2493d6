"""The numbers in the figures of exercise 8, measured where they can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import ex08_denoising, ex08b_map
from exercises.common import Settings
from exercises.ex08_denoising import BETA, KL_WEIGHTS
from nnscratch.datasets import Dataset
from nnscratch.map_inference import MapEstimate
from nnscratch.metrics import pca, pca_reconstruct
from tests.exercises.formulas import (
    Formula,
    greys,
    halving_autoencoder,
    painter,
    record,
    settings_for,
    ten_greys,
)

BEST, ENCODED = "MAP, w = 2.56", "VAE-16 of noisy, w = 2.56"
CONTROL = "control: noisy to clean, w = 2.56"


def estimate(trace, z=None, evaluations=0):
    """What a search found; ``trace`` has a row for each point and a column for each image."""
    trace = np.array(trace)
    start, converged = np.zeros((2, trace.shape[1]), int)
    return MapEstimate(z, trace[-1], start, trace, converged == 1, evaluations)


def test_the_control_learns_to_give_the_clean_image_of_a_noisy_one():
    clean = np.full((10, 20, 20, 1), 0.5, np.float32)
    x, target = ex08_denoising.training_pairs(clean, np.random.default_rng(0))
    assert target is clean
    assert (x - clean).std() == pytest.approx(0.25, rel=0.05)
    x, target = ex08_denoising.training_pairs(clean, None)
    assert x is target is clean


@pytest.mark.parametrize("on_noise", [False, True])
def test_which_net_is_trained_on_what(monkeypatch, tmp_path, on_noise):
    settings = settings_for(monkeypatch, tmp_path, ex08_denoising)
    seen = []
    monkeypatch.setattr(ex08_denoising, "train", lambda *arguments: seen.extend(arguments))
    ex08_denoising.trained.__wrapped__(settings, 0.5, on_noise)
    _, name, _, loss, _, (x, target), validation = seen
    assert name == "vae-16-w0.5" + ("-control" if on_noise else "")
    assert loss.__name__ == "mse + 0.5 KL"
    data = ten_greys()
    np.testing.assert_array_equal(target, data.x_train)
    assert np.array_equal(x, data.x_train) is not on_noise
    np.testing.assert_array_equal(validation, (data.x_test, data.x_test))


def test_beta_is_the_variance_of_the_noise_and_both_starts_are_given(monkeypatch):
    assert BETA == 0.25**2
    calls = []

    def search(decoder, x, starts, beta, **options):
        calls.append((x, starts, beta, options))
        return SimpleNamespace(z=starts[0])

    monkeypatch.setattr(ex08_denoising, "map_estimate", search)
    model = SimpleNamespace(
        encode=lambda x: (np.repeat(x[:, 0, 0], 16, axis=1), None), decoder=painter(2)
    )
    x = greys(np.arange(150) / 150, side=2)
    images = ex08_denoising.clean_by_map(Settings(), model, x)
    np.testing.assert_array_equal(images, x)  # every code went to its own image
    assert [len(part) for part, *_ in calls] == [100, 50]
    for part, starts, beta, options in calls:
        assert starts.shape == (2, len(part), 16)
        np.testing.assert_array_equal(starts[0, :, 0], part[:, 0, 0, 0])
        assert abs(starts[1].std() - 1) < 0.1
        assert (beta, options) == (0.0625, {"solver": "lbfgs", "iterations": 100})
    assert not np.array_equal(calls[0][1][1, :50], calls[1][1][1])  # noise of its own for each part


def test_every_method_is_that_of_its_name(monkeypatch):
    """Training images differ in their upper four rows only, so PCA keeps no more than those."""
    settings, rng = Settings(), np.random.default_rng(0)
    x_train = np.concatenate([rng.random((50, 4, 8, 1)), np.zeros((50, 4, 8, 1))], axis=1)
    x_test = rng.random((40, 8, 8, 1))
    data = Dataset(x_train, None, x_test, None, "", "")
    monkeypatch.setattr(ex08_denoising, "mnist32", lambda settings: data)
    x = (x_test + 1).astype(np.float32)
    monkeypatch.setattr(ex08_denoising, "noisy", lambda settings: x)
    monkeypatch.setattr(ex08_denoising, "IMAGES", 30)

    def trained(settings, w, on_noise=False):
        return Formula(lambda x: x + (10 if on_noise else 1) * w), ""

    monkeypatch.setattr(ex08_denoising, "trained", trained)
    monkeypatch.setattr(
        ex08_denoising, "clean_by_map", lambda settings, model, x: -model.forward(x)
    )
    found = ex08_denoising.cleaned.__wrapped__(settings)
    assert list(found) == [
        "noisy input", "PCA-16", "PCA-32", ENCODED, "VAE-16 of noisy, w = 0.5", BEST,
        "MAP, w = 0.5", CONTROL,
    ]  # fmt: skip
    x = x[:30]
    upper = np.concatenate([x[:, :4], 0 * x[:, 4:]], axis=1)
    np.testing.assert_allclose(found.pop("PCA-32"), upper, atol=1e-4)
    part = found.pop("PCA-16")
    assert 0.1 < np.abs(part - upper).mean() < 1  # half the directions are not enough
    np.testing.assert_allclose(part, pca_reconstruct(x, *pca(x_train, 16)), atol=1e-4)
    for name, images in {
        "noisy input": x, ENCODED: x + 2.56,
        "VAE-16 of noisy, w = 0.5": x + 0.5, BEST: -x - 2.56, "MAP, w = 0.5": -x - 0.5,
        CONTROL: x + 25.6,
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[name], images, rtol=1e-5, err_msg=name)


def test_methods_are_compared_with_the_best_one():
    rng = np.random.default_rng(0)
    errors = {BEST: np.full(20, 0.25), "worse": np.full(20, 1.0), "better": np.full(20, 0.125),
              "alike": 0.125 + np.tile([0.5, -0.5], 10)}  # fmt: skip
    intervals, differences = ex08_denoising.compared(errors, BEST, rng)
    assert intervals[BEST] == (0.25, 0.25, 0.25)
    assert differences["worse"] == (-0.75, -0.75, -0.75)  # MAP's error is the smaller one
    assert differences["better"] == (0.125, 0.125, 0.125)
    mean, low, high = differences["alike"]
    assert (mean, low < 0 < high) == (0.125, True)  # smaller on average, but not surely
    assert ex08_denoising.surely_better(differences) == ["better"]
    assert set(differences) == {"worse", "better", "alike"}


def test_the_table_and_its_answer(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08_denoising)
    clean = ten_greys().x_test
    shifts = {"noisy input": 0.5, ENCODED: 0.25, BEST: 0.125, CONTROL: 0.0625}
    monkeypatch.setattr(
        ex08_denoising,
        "cleaned",
        lambda _: {name: clean + np.float32(s) for name, s in shifts.items()},
    )
    monkeypatch.setattr(ex08_denoising, "trained", lambda *_: (None, "stamp"))
    ex08_denoising.table(settings)
    page = record(tmp_path, "ex08_table")
    numbers = page["numbers"]
    for name, shift in shifts.items():
        assert numbers["mse_[-1,1]"][name] == pytest.approx(4 * shift**2, rel=1e-5)
        assert numbers["interval_95_percent"][name] == pytest.approx(2 * [4 * shift**2], rel=1e-5)
    differences = numbers[f"{BEST}_minus_others_with_interval"]
    assert differences[ENCODED][0] == pytest.approx(4 * (0.125**2 - 0.25**2), rel=1e-5)
    assert numbers["images"] == 10
    answer = page["answers"][0][1]
    assert answer.startswith("MAP: 0.0625 against 0.2500 by encoding")
    assert answer.endswith(f"Surely better than MAP here: {CONTROL}.")


def test_figure_11_and_how_far_noise_moves_codes(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08_denoising)
    clean = ten_greys().x_test
    monkeypatch.setattr(ex08_denoising, "noisy", lambda settings: clean + np.float32(0.3))
    control = Formula(np.negative)
    control.encode = lambda x: (0 * x[:, 0, :2, 0], None)
    drawn = []
    monkeypatch.setattr(ex08_denoising, "image_rows", lambda _, rows, __: drawn.extend(rows))
    monkeypatch.setattr(
        ex08_denoising, "trained",
        lambda settings, w, on_noise=False: (control if on_noise else halving_autoencoder(), w),
    )  # fmt: skip
    ex08_denoising.figure_11(settings)
    x = clean + np.float32(0.3)
    for (_, images), expected in zip(drawn, (x, x / 2, -x, clean), strict=True):
        np.testing.assert_array_equal(images, expected)
    assert record(tmp_path, "ex08_fig11")["stamp"] == 2.56
    numbers = record(tmp_path, "ex08_fig11")["numbers"]
    errors = [4 * ((d / 10 + 0.3) / 2 - d / 10) ** 2 for d in range(10)]
    assert numbers["mse_[-1,1]"] == pytest.approx(errors, rel=1e-4, abs=1e-6)
    # codes (v, v) of greys v: 0.3 apart on both axes; the next digit's 0.1, but 0.9 from 9 to 0
    assert numbers["distance_to_own_clean_code"] == pytest.approx(0.3 * np.sqrt(2))
    assert numbers["distance_between_clean_codes"] == pytest.approx(0.18 * np.sqrt(2))


def test_figure_12(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08b_map)
    clean = ten_greys().x_test
    z = np.full((10, 16), 0.5, np.float32)
    monkeypatch.setattr(ex08b_map, "noisy", lambda settings: clean)
    model = SimpleNamespace(decoder=painter())
    monkeypatch.setattr(ex08b_map, "trained", lambda *_: (model, "stamp"))
    monkeypatch.setattr(ex08b_map, "searched", lambda _: estimate(np.ones((8, 10)), z))
    ex08b_map.figure_12(settings)
    numbers = record(tmp_path, "ex08_fig12")["numbers"]
    errors = [4 * (0.5 - d / 10) ** 2 for d in range(10)]
    assert numbers["mse_[-1,1]"] == pytest.approx(errors, abs=1e-6)
    assert numbers["iterations"] == 7
    assert numbers["codes"] == z.tolist()


def test_both_searches_are_summed_over_the_images():
    adam = estimate([[6.0, 4], [3, 2], [1, 1]], evaluations=3)
    lbfgs = estimate([[6.0, 4], [1.5, 0.501], [1.2, 0.8]], evaluations=5)
    found = ex08b_map.search_numbers(adam, lbfgs, pixels=100)
    assert found["adam_start_and_end_[0,1]"].tolist() == [10, 2]
    assert found["adam_start_and_end_[-1,1]"].tolist() == [40, 8]
    assert found["lbfgs_end_[0,1]"] == 2
    assert found["noise_floor_[0,1]"] == 2 * 100 * 0.0625
    assert (found["adam_evaluations"], found["lbfgs_evaluations"]) == (3, 5)
    assert found["lbfgs_iterations_to_adams_objective"] == 1  # 2.001 is near enough
    excess = found["largest_excess_of_lbfgs_over_adam_in_an_image"]
    assert excess == pytest.approx(0.2)
    never = estimate([[6.0, 4], [2, 0.1]])
    found = ex08b_map.search_numbers(adam, never, pixels=100)
    assert found["lbfgs_iterations_to_adams_objective"] is None


def test_the_sweep_goes_over_multiples_of_the_noise_variance(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08b_map)
    clean, counts = ten_greys().x_test, set()
    monkeypatch.setattr(ex08b_map, "SWEEP_IMAGES", 6)
    monkeypatch.setattr(ex08b_map, "noisy", lambda settings: clean)
    monkeypatch.setattr(ex08b_map, "trained", lambda settings, w: (w, "stamp"))

    def clean_by_map(settings, w, x, beta):
        counts.add(len(x))
        return x + np.float32(beta + w)

    monkeypatch.setattr(ex08b_map, "clean_by_map", clean_by_map)
    ex08b_map.beta_figure(settings)
    numbers = record(tmp_path, "ex08_beta")["numbers"]
    assert counts == {6}
    factors = numbers["beta_over_noise_variance"]
    assert factors == [0, 0.1, 0.3, 1, 3, 10, 30]
    for w in KL_WEIGHTS:
        errors = [4 * (f * 0.0625 + w) ** 2 for f in factors]
        assert numbers[f"mse_[-1,1]_w_{w:g}"] == pytest.approx(errors, rel=1e-4)


def test_missing_pixels():
    masks = ex08b_map.observed((4, 50, 1), np.random.default_rng(0))
    lower, few = masks.values()
    assert list(masks) == ["lower half", "3 of 4 pixels"]
    assert lower[:, 0, 0].tolist() == [1, 1, 0, 0]
    assert few.mean() == pytest.approx(0.25, abs=0.1)
    mask = np.array([1.0, 0]).reshape(1, 2, 1)
    clean = np.array([[1.0, 1], [0, 0]]).reshape(2, 1, 2, 1)
    outputs = np.array([[9.0, 2], [9, 3]]).reshape(2, 1, 2, 1)  # wrong where it was seen
    assert ex08b_map.unseen_error(outputs, clean, mask) == 4 * (1 + 9) / 2
    assert ex08b_map.with_grey(clean, mask)[:, 0, :, 0].tolist() == [[1, 0.5], [0, 0.5]]


def test_inpainting_compares_observed_pixels_only(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex08b_map)
    masks, betas = [], []

    def search(decoder, x, starts, beta, *, mask, **options):
        np.testing.assert_array_equal(x, ten_greys().x_test)
        assert starts.shape == (5, 10, 16)
        masks.append(mask)
        betas.append(beta)
        return SimpleNamespace(z=np.full((10, 16), 0.5))

    monkeypatch.setattr(ex08b_map, "map_estimate", search)
    model = SimpleNamespace(decoder=painter())
    asked = []
    monkeypatch.setattr(ex08b_map, "trained", lambda _, w: asked.append(w) or (model, "stamp"))
    ex08b_map.inpainting_figure(settings)
    numbers = record(tmp_path, "ex08_inpainting")["numbers"]
    for name in ("lower half", "3 of 4 pixels"):
        assert numbers[f"mse_of_unseen_pixels_[-1,1]_{name}"] == pytest.approx(4 * 0.085)
    assert betas == pytest.approx([1.024, 1.024])  # 0.001 a pixel
    assert asked == [0.5]  # the net whose latents are all in use
    assert masks[0][:16].all() and not masks[0][16:].any()  # noqa: PT018

"""What walks through the codes and their users measure, on numbers small enough for a hand."""

import numpy as np
import pytest

from exercises import beta_vae_downstream, beta_vae_interpolation
from exercises.common import Settings
from nnscratch import datasets
from tests.exercises.formulas import Formula, greys, painter

QUICK = Settings(data="embedded", quick=True)
rng = np.random.default_rng(0)


def walk(*values):
    """Images of one grey each, (1, T, 2, 2, 1)."""
    return np.repeat(np.array(values, np.float32), 4).reshape(1, -1, 2, 2, 1)


# -- walks


def test_pairs_have_different_labels():
    labels = np.array([4] * 80 + [7] * 20)
    a, b = beta_vae_interpolation.unequal_pairs(labels, 30, rng)
    assert len(a) == len(b) == 30
    assert (labels[a] != labels[b]).all()
    assert len(set(a)) > 5


def test_steps_of_a_walk_by_hand():
    """Four pixels of one grey: the distance is twice the difference of the greys."""
    found = beta_vae_interpolation.moves(np.concatenate([walk(0, 1, 0, 3), walk(0, 1, 2, 3)]))
    assert found["mean_step"].tolist() == [2, 2, 4]
    assert found["unevenness"] == pytest.approx([6 / (10 / 3), 1])
    assert found["length"] == pytest.approx([10 / 6, 1])


def test_the_middle_of_a_walk_is_its_middle(monkeypatch):
    """The judge is as sure as an image is bright; only the middle is a training image."""
    monkeypatch.setattr(
        beta_vae_interpolation, "read_digits", lambda _, x: (None, x.mean(axis=(1, 2, 3)))
    )
    train = walk(0.75)[0]
    data = datasets.Dataset(train, np.zeros(1), train, np.zeros(1), "", "")
    monkeypatch.setattr(beta_vae_interpolation, "mnist28", lambda settings: data)
    found = beta_vae_interpolation.measure(QUICK, walk(0, 0.5, 0.75, 0.5, 0.25))
    assert found["confidence"] == pytest.approx(0.75)
    assert found["nearest"] == pytest.approx(0, abs=1e-6)
    assert found["mean_confidence"] == pytest.approx([0, 0.5, 0.75, 0.5, 0.25])
    later = beta_vae_interpolation.measure(QUICK, walk(0, 0, 0.25, 0.75, 0.75))
    assert later["nearest"] == pytest.approx(0.25)


def test_comparison_is_the_vae_minus_the_autoencoder():
    keys = beta_vae_interpolation.MEASURES
    ae, vae, fade = (
        {key: np.array([1.0, 2, 3]) + shift * place for place, key in enumerate(keys, 1)}
        for shift in (0, 10, 100)
    )
    found = beta_vae_interpolation.compared({"AE": ae, "VAE": vae, "fade": fade}, rng)
    assert found["walks"] == 3
    assert found["AE"]["unevenness"] == 2
    assert found["fade"]["length"] == 202
    for place, key in enumerate(keys, 1):
        assert found["VAE_minus_AE_with_interval"][key] == (10 * place,) * 3
    text = beta_vae_interpolation.answer(
        {"AE": ae, "VAE": vae, "fade": fade},
        {key: (sign * 10.0, sign * 10 - 1.0, sign * 10 + 1.0)
         for key, sign in zip(keys, (1, -1, 1, 1), strict=True)}
        | {"nearest": (0.5, -1.0, 2.0)},
    )  # fmt: skip
    assert "2 for the autoencoder, 12 for the VAE, surely higher (+10," in text
    assert "surely lower (-10," in text
    assert "not surely higher (+0.5, 95 % interval -1 to +2)" in text


# -- downstream


def test_accuracies_are_summed_up_over_the_draws():
    found = {"probe": {"AE": {100: np.array([0.5, 0.7]), 640: np.array([0.9])}}}
    assert beta_vae_downstream.summary(found) == {
        "probe, AE, 100 labels": {"accuracy": pytest.approx(0.6), "sd": pytest.approx(0.1)},
        "probe, AE, 640 labels": {"accuracy": 0.9, "sd": 0},
    }


def test_a_tie_is_no_win():
    same = {10: np.array([0.5])}
    text = beta_vae_downstream.answer(
        {"probe": {"AE": same, "VAE": same, "PCA": {10: np.zeros(1)}}}
    )
    assert "best in 0 of 1 cases" in text
    assert "best: the autoencoder and the VAE." in text


def test_codes_are_those_of_training_and_of_test_images(monkeypatch):
    rows = np.zeros((70, 10, 10, 1), np.float32)
    rows[np.arange(70), 0, 0, 0] = np.arange(70)
    data = datasets.Dataset(rows, None, rows + 100, None, "", "")
    ae = Formula(None)
    ae.encoder = Formula(lambda x: x[:, 0, 0])
    module = beta_vae_downstream
    monkeypatch.setattr(module, "mnist28", lambda settings: data)
    monkeypatch.setattr(module, "chosen", lambda settings: 0.5)
    monkeypatch.setattr(module, "trained_ae", lambda settings: (ae, ""))
    asked = []
    monkeypatch.setattr(
        module, "trained_vae",
        lambda settings, beta, long=False: asked.append((beta, long)) or (beta, None, ""),
    )  # fmt: skip
    monkeypatch.setattr(module, "means", lambda beta, x: beta * x[:, 0, 0])
    found = module.codes.__wrapped__(QUICK)
    assert list(found) == ["AE", "VAE, beta 0.5", "PCA"]
    ends = [[part[:, 0][[0, -1]].tolist() for part in found[name]] for name in list(found)[:2]]
    assert ends == [[[0, 69], [100, 169]], [[0, 34.5], [50, 84.5]]]
    train, test = found["PCA"]
    assert abs(test[:, 0] - train[:, 0]) == pytest.approx(100 * np.ones(70), rel=1e-4)
    assert asked == [(0.5, True)]
    assert train.shape == (70, 64)
    assert np.ptp(train[:, 0]) == pytest.approx(69)  # all the variance lies along one direction
    assert abs(train[:, 0].mean()) < 1e-3


def test_walks_start_and_end_at_images_of_different_digits(monkeypatch):
    """Images as grey as their label; codes are ten times that."""
    module, labels = beta_vae_interpolation, np.array([1, 2, 1, 2, 1, 1])
    data = datasets.Dataset(None, None, greys(labels, 28), labels, "", "")
    codes = 10 * labels[:, None].astype(np.float32)
    monkeypatch.setattr(module, "mnist28", lambda settings: data)
    monkeypatch.setattr(module, "walkers", lambda settings: {"AE": (painter(28), codes)})
    monkeypatch.setattr(module, "measure", lambda settings, images: images)
    found = module.measured_walks.__wrapped__(QUICK)
    assert list(found) == ["AE", "cross-fade"]
    drawn, faded = (walk[..., 0, 0, 0] for walk in found.values())
    assert drawn.shape == (50, module.STEPS + 1)
    np.testing.assert_allclose(drawn, 10 * faded, rtol=1e-5)
    assert set(faded[:, 0] + faded[:, -1]) == {3}
    np.testing.assert_allclose(faded[:, module.STEPS // 2], 1.5)

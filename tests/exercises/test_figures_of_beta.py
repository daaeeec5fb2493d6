"""Which models and images the figures on beta-VAE hold, with formulas for the networks."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import beta_vae, beta_vae_betas, beta_vae_interpolation, beta_vae_sweep
from exercises.common import Settings
from nnscratch.datasets import Dataset
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    bright_training,
    greys,
    halving_autoencoder,
    painter,
    record,
)


@pytest.fixture
def settings(tmp_path):
    return Settings(data="embedded", quick=True, out=tmp_path)


def test_numbers_of_the_autoencoder(monkeypatch, settings):
    """Its codes are 64 pixels; the normal distribution is "fitted" by handing the codes on."""
    module = beta_vae
    model = halving_autoencoder()
    model.encoder = Formula(lambda x: x.reshape(len(x), -1)[:, :64])
    model.decoder = painter(28)
    prior = np.full((20, 64), 0.25, np.float32)
    monkeypatch.setattr(module, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(module, "trained_ae", lambda settings: (model, "stamp"))
    monkeypatch.setattr(module, "prior_codes", lambda settings: prior)
    monkeypatch.setattr(
        module, "normal_like", lambda codes, count, rng: codes if count == 1000 else None
    )
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 0.5)
    monkeypatch.setattr(
        module, "sample_quality", lambda settings, x: {"accepted_share": float(x.mean())}
    )
    module.run(settings)
    numbers = record(settings.out, "beta_vae_ae")["numbers"]
    assert numbers["test_mse"] == pytest.approx(285 / 4000)
    assert numbers["mean_image_test_mse"] == 0.5
    assert numbers["mean_sd_of_a_code"] == pytest.approx(np.arange(10).std() / 10)
    assert numbers["mean_length_of_codes"] == pytest.approx(8 * 1.45)  # of the training images
    assert numbers["mean_length_of_prior_codes"] == pytest.approx(8 * 0.25)
    shares = {
        "test_digits": 0.45, "reconstructions": 0.225, "samples_of_N(0, I)": 0.25,
        "samples_of_fitted normal": 1.45,
    }  # fmt: skip
    for name, share in shares.items():
        assert numbers[name]["accepted_share"] == pytest.approx(share)


def test_a_beta_is_drawn_with_its_own_net(monkeypatch, settings):
    """The VAE paints the first number of a code, which is beta at mu and 1 + beta if sampled."""
    module = beta_vae_betas
    drawn, asked = [], []

    def trained_vae(settings, beta, long):
        asked.append((beta, long))
        return SimpleNamespace(decoder=painter(28), beta=beta), history, "stamp"

    def encode(settings, model, x):
        mu = np.full((len(x), 64), model.beta, np.float32)
        return mu, None, mu + 1

    parts = {f"{name} {i}": [i + add] for name, add in (("SSE", 100), ("KL", 0)) for i in range(20)}
    history = History(measured=parts | {"reconstruction": [1.0], "kl": [2.0]})
    monkeypatch.setattr(module, "trained_vae", trained_vae)
    monkeypatch.setattr(module, "encode", encode)
    monkeypatch.setattr(module, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(module, "prior_codes", lambda _: np.full((20, 64), 7, np.float32))
    monkeypatch.setattr(module, "measured", lambda settings, beta, long: {"of": [beta, long]})
    monkeypatch.setattr(module, "image_sheet", lambda axis, images, *_: drawn.append(images))
    module.figure_of(settings, "some", 0.5, "", [], long=True)
    page = record(settings.out, "some")
    assert asked == [(0.5, True)]
    assert page["title"].endswith("trained longer")
    assert page["numbers"]["of"] == [0.5, True]
    assert page["numbers"]["kl_weight"] == pytest.approx(0.5 * 784 / 64)
    assert page["numbers"]["train_KL_by_twentieth_epoch"] == list(range(20))
    assert page["numbers"]["train_SSE_by_twentieth_epoch"] == list(range(100, 120))
    rows, samples = (
        images[:, 0, 0, 0].reshape(-1, n) for images, n in zip(drawn, (5, 4), strict=True)
    )
    assert rows.tolist() == [
        pytest.approx([0, 0.1, 0.2, 0.3, 0.4]), [0.5] * 5, [1.5] * 5,
        pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9]), [0.5] * 5, [1.5] * 5,
    ]  # fmt: skip
    assert samples.tolist() == [[7] * 4] * 4


def test_each_beta_of_the_report_has_its_figure_and_explanation(monkeypatch, settings):
    made = []
    monkeypatch.setattr(beta_vae_betas, "figure_of", lambda *arguments: made.append(arguments))
    monkeypatch.setattr(beta_vae_betas, "answer", lambda settings, beta: ("?", f"about {beta:g}"))
    beta_vae_betas.run(settings)
    assert [(name, beta, answers) for _, name, beta, _, answers in made] == [
        ("beta_vae_0", 0, [("?", "about 0")]), ("beta_vae_10", 10, [("?", "about 10")]),
        ("beta_vae_0_1", 0.1, [("?", "about 0.1")]), ("beta_vae_0_01", 0.01, [("?", "about 0.01")]),
        ("beta_vae_0_2", 0.2, [("?", "about 0.2")]),
    ]  # fmt: skip


def test_the_answer_about_a_beta_is_about_its_numbers(monkeypatch, settings):
    def measured(settings, beta):
        return {
            "test_mse": 0.01 + beta, "test_mse_sampled": 0.02 + beta, "kl": 30 + beta,
            "kl_largest_unit": 3.0, "kl_median_unit": 0.5, "active_units": 12,
            "accepted_share": 0.25, "effective_digits": 7.0, "kl_slope_at_the_end": 3.0,
            "kl_slope_error": 1.0,
        }  # fmt: skip

    module = beta_vae_betas
    monkeypatch.setattr(module, "measured", measured)
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 5.0)
    monkeypatch.setattr(module, "trained_ae", lambda settings: (halving_autoencoder(), ""))
    monkeypatch.setattr(module, "mnist28", lambda settings: bright_training())
    for beta, said in ((0, "0.14 times that of the autoencoder"), (10, "2.004 times the mean"),
                       (0.5, "51.0 times that at beta = 0")):  # fmt: skip
        question, text = module.answer(settings, beta)
        assert f"beta = {beta:g}?" in question
        assert said in text
        assert f"Test error {0.01 + beta:.4f} at mu and {0.02 + beta:.4f} at a sampled" in text
        assert f"KL {30 + beta:g} nats, 3 in the largest of 64 latents and 0.5 in the" in text
        assert "12 latents are active" in text
        assert "still rises: +3 ± 1 nats" in text
        assert "accepts 25.0 %, as if of 7.0 equally" in text


def test_the_chosen_beta_is_trained_for_longer(monkeypatch, settings):
    made = []
    module = beta_vae_sweep
    monkeypatch.setattr(module, "chosen", lambda settings: 0.05)
    monkeypatch.setattr(module, "figure_of_sweep", lambda settings: None)
    monkeypatch.setattr(module, "figure_of", lambda *a, **options: made.append((a[1:3], options)))
    module.run(settings)
    assert made == [(("beta_vae_chosen", 0.05), {"long": True})]


def test_betas_of_the_sweep_are_measured_briefly(monkeypatch, settings):
    monkeypatch.setattr(
        beta_vae_sweep, "measured",
        lambda settings, beta, long=False: {"explained": -abs(beta - 0.2), "long": long},
    )  # fmt: skip
    rows = beta_vae_sweep.sweep.__wrapped__(settings)
    assert list(rows) == [0, 0.001, 0.01, 0.05, 0.1, 0.2, 1, 10]
    assert not any(row["long"] for row in rows.values())
    monkeypatch.setattr(beta_vae_sweep, "sweep", lambda settings: rows)
    assert beta_vae_sweep.chosen(settings) == 0.2


def test_numbers_of_the_sweep(monkeypatch, settings):
    def row(beta, accepted):
        return {"test_mse": 0.01 + beta, "test_mse_sampled": 0.02, "kl": 5.0, "active_units": 9,
                "accepted_share": accepted, "effective_digits": 5.0, "explained": 0.75}  # fmt: skip

    module, asked = beta_vae_sweep, []

    def measured(settings, beta, long):
        asked.append((beta, long))
        return row(beta, 0.875)

    rows = {0: row(0, 0.25), 0.1: row(0.1, 0.5)}
    model = halving_autoencoder()
    model.decoder = painter(28)
    monkeypatch.setattr(module, "sweep", lambda settings: rows)
    monkeypatch.setattr(module, "measured", measured)
    monkeypatch.setattr(module, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 0.5)
    monkeypatch.setattr(module, "trained_ae", lambda settings: (model, ""))
    monkeypatch.setattr(
        module, "trained_vae", lambda _, beta: (0, 0, f"beta {beta:g} (w = {12.25 * beta:g}), ten")
    )
    monkeypatch.setattr(module, "prior_codes", lambda _: np.full((4, 64), 0.125, np.float32))
    monkeypatch.setattr(module, "sample_quality", lambda _, x: {"accepted_share": float(x.mean())})
    module.figure_of_sweep(settings)
    page = record(settings.out, "beta_vae_sweep")
    numbers = page["numbers"]
    assert numbers["chosen_beta"] == 0.1
    assert numbers["autoencoder"]["accepted_share"] == 0.125
    assert (numbers["beta 0"]["score"], numbers["beta 0.1"]["score"]) == (0.125, 0.25)
    assert numbers["beta 0.1"]["test_mse"] == pytest.approx(0.11)
    assert asked == [(0.1, True)]
    assert page["stamp"] == "each, ten"
    assert "of its samples 87.5 % are accepted" in page["answers"][0][1]


def test_strips_go_from_one_image_to_the_other(monkeypatch, settings):
    """The autoencoder's codes are ten times as bright as its images, the VAE's a hundred times."""
    module, strips = beta_vae_interpolation, []
    labels = np.array([5, 8, 5, 8, 5])
    x = greys(np.arange(5), 28)
    monkeypatch.setattr(
        module, "mnist28", lambda settings: Dataset(x + 50, labels, x, labels, "", "")
    )
    codes = np.arange(5, dtype=np.float32)[:, None]
    walkers = {"AE": (painter(28), 10 * codes), "VAE": (painter(28), 100 * codes)}
    monkeypatch.setattr(module, "walkers", lambda settings: walkers)
    monkeypatch.setattr(module, "chosen", lambda settings: 0.25)
    monkeypatch.setattr(module, "stamp", lambda settings: "stamp")
    plain = module.image_rows

    def image_rows(figure, rows, columns):
        strips.extend((name, row[:, 0, 0, 0].tolist()) for name, row in rows)
        assert columns[:2] == ["start", "t = 0"]
        assert columns[6:9] == ["end", "", "start"]
        plain(figure, rows, columns)

    monkeypatch.setattr(module, "image_rows", image_rows)
    module.strips(settings, ((5, 8),))
    assert strips == [
        ("5 - 8, AE", [0, 0, 2.5, 5, 7.5, 10, 1, 1, 2, 20, 22.5, 25, 27.5, 30, 3]),
        ("5 - 8, VAE", [0, 0, 25, 50, 75, 100, 1, 1, 2, 200, 225, 250, 275, 300, 3]),
    ]
    assert record(settings.out, "beta_vae_interpolation")["numbers"] == {
        "pairs": ["5-8"], "chosen_beta": 0.25
    }  # fmt: skip

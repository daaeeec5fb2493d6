"""What the exercises on the beta-VAE measure and say, on numbers small enough to do by hand."""

import numpy as np
import pytest

from exercises import beta_vae, beta_vae_betas, beta_vae_sweep
from exercises.common import Settings
from exercises.judge import SURE
from exercises.measures import mean_image_error, squared_error
from nnscratch import datasets
from tests.exercises.formulas import Formula, greys, painter

QUICK = Settings(data="embedded", quick=True)
rng = np.random.default_rng(0)


# -- errors


def test_squared_error_is_the_mean_over_pixels():
    y, x = np.array([[1.0, 2], [3, 4]], np.float32), np.array([[1.0, 0], [0, 4]], np.float32)
    assert squared_error(y, x) == (4 + 9) / 4
    assert isinstance(squared_error(y, x), float)


def test_mean_image_is_that_of_the_training_images():
    train, test = np.array([[0.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    assert mean_image_error(train, test) == (0 + 4 + 16) / 3


# -- the autoencoder as a generator


def test_accepted_is_what_is_read_surely():
    labels, sure = np.array([3, 3, 7, 7, 1]), np.array([0.95, 1.0, 0.91, 0.99, SURE])
    found = beta_vae.accepted(labels, sure)
    assert found["accepted_share"] == 4 / 5  # the last one is not above the limit
    assert found["accepted_per_digit"].tolist() == [0, 0, 0, 2, 0, 0, 0, 2, 0, 0]
    assert found["effective_digits"] == pytest.approx(2)
    none = beta_vae.accepted(labels, 0 * sure)
    assert (none["accepted_share"], none["effective_digits"]) == (0, 0)
    uneven = beta_vae.accepted(np.array([0, 0, 0, 5]), np.ones(4))["effective_digits"]
    assert uneven == pytest.approx(4 / 3**0.75)  # exp(-(3/4 ln 3/4 + 1/4 ln 1/4))


def test_sizes_of_codes():
    codes, prior = np.array([[3.0, 4], [-3, -4]]), np.array([[0.0, 2], [4, 0]])
    assert beta_vae.sizes(codes, prior) == {
        "mean_sd_of_a_code": 3.5,
        "mean_length_of_codes": 5,
        "mean_length_of_prior_codes": 3,
    }


def test_draws_have_mean_and_covariance_of_the_codes():
    codes = np.array([[5.0, 1], [7, 1], [6, 0], [6, 2]], np.float32) * [1, 3]
    drawn = beta_vae.normal_like(codes.astype(np.float32), 40_000, rng)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), [6, 3], atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.15)


def test_answer_about_the_autoencoder_follows_the_numbers():
    numbers = {
        "test_mse": 0.01, "mean_image_test_mse": 0.05, "mean_sd_of_a_code": 3.0,
        "mean_length_of_codes": 24.0, "mean_length_of_prior_codes": 8.0,
        "samples_of_N(0, I)": {"accepted_share": 0.02},
        "samples_of_fitted normal": {"accepted_share": 0.4},
        "reconstructions": {"accepted_share": 0.9}, "test_digits": {"accepted_share": 0.95},
    }  # fmt: skip
    text = beta_vae.answer(numbers)
    assert "20.0 % of the mean image's" in text
    assert "3.0 times as long" in text
    assert "accepts 2.0 %, of test digits 95.0 %" in text
    assert "40.0 % are accepted; of images decoded from the test digits' own codes, 90.0 %" in text
    assert "a normal distribution does not have it" in text
    numbers["samples_of_fitted normal"] = {"accepted_share": 0.9}
    assert "does not have it" not in beta_vae.answer(numbers)


# -- what the code tells, and the sentences about it


def test_kl_and_its_share_by_latent():
    mu = np.array([[1.0, 0, 2], [-1, 0, 2]], np.float32)
    logvar = np.array([[0.0, 0, np.log(4)]] * 2, np.float32)
    found = beta_vae_betas.told_by(mu, logvar)
    third = (4 + 4 - 1 - np.log(4)) / 2
    assert found["kl"] == pytest.approx(0.5 + third)
    assert found["kl_largest_unit"] == pytest.approx(third)
    assert found["kl_median_unit"] == 0.5
    assert found["active_units"] == 1  # the third mean is large but always the same


def test_kl_near_the_prior_is_not_lost_in_rounding():
    logvar = np.full((5, 1), 1e-6, np.float32)
    found = beta_vae_betas.told_by(0 * logvar, logvar)
    assert found["kl"] == pytest.approx(2.5e-13, rel=1e-6, abs=0)  # logvar^2 / 4


def test_sampled_codes_spread_as_the_encoder_says():
    class Encoder:
        def encode(self, x):
            mu = x[:, :1] * np.ones(64, np.float32)
            return mu, np.full_like(mu, np.log(9))

    x = np.arange(1200, dtype=np.float32)[:, None]
    mu, logvar, z = beta_vae_betas.encode(QUICK, Encoder(), x)
    assert mu[:, 0].tolist() == x[:, 0].tolist()
    assert logvar.shape == z.shape == (1200, 64)
    assert (z - mu).std() == pytest.approx(3, rel=0.02)
    assert (z - mu).mean() == pytest.approx(0, abs=0.05)


def test_a_trend_needs_two_standard_errors():
    assert beta_vae_betas.trend(1.9, 1) == beta_vae_betas.trend(-1.9, 1) == "is level"
    assert beta_vae_betas.trend(2.1, 1) == "still rises"
    assert beta_vae_betas.trend(-2.1, 1) == "falls"


def test_sentences_about_the_ends_of_the_scale_follow_the_numbers():
    free = {"test_mse": 0.02, "test_mse_sampled": 0.021}
    text = beta_vae_betas.without_price(free, 0.01, longer=True)
    assert "2.00 times that of the autoencoder (which was trained longer)." in text
    assert "changes the error by +5 %" in text
    assert "longer" not in beta_vae_betas.without_price(free, 0.01, longer=False)
    dead = {"test_mse": 0.09, "test_mse_sampled": 0.06, "kl": 0.01, "active_units": 0}
    text = beta_vae_betas.at_a_high_price(dead, 0.06)
    assert "sampled code is 1.000 times the mean image's, with 0.01 nats" in text
    assert "collapse" in text
    assert "At mu the error is even 1.500 times" in text
    alive = dead | {"test_mse": 0.05, "active_units": 3}
    text = beta_vae_betas.at_a_high_price(alive, 0.06)
    assert "collapse" not in text
    assert "At mu" not in text


def test_sentence_about_a_beta_between_the_ends():
    free = {"test_mse": 0.01, "accepted_share": 0.1}
    high = {"test_mse": 0.07, "accepted_share": 0.3}
    more = {"test_mse": 0.02, "accepted_share": 0.5}
    text = beta_vae_betas.between(more, free, high)
    assert "2.0 times that at beta = 0" in text
    assert "20.0 percentage points more are accepted" in text
    fewer = beta_vae_betas.between(more | {"accepted_share": 0.25}, free, high)
    assert "5.0 percentage points fewer" in fewer


# -- the sweep


def test_score_is_the_share_times_the_tenths_of_digits():
    assert beta_vae_sweep.score({"accepted_share": 0.5, "effective_digits": 4}) == 0.2
    just = {"explained": 0.5, "accepted_share": 0.1, "effective_digits": 5}
    below = {"explained": 0.499, "accepted_share": 1.0, "effective_digits": 10}
    poor = {"explained": 0.9, "accepted_share": 0.1, "effective_digits": 4}
    assert beta_vae_sweep.choose({1: below, 2: just, 3: poor}) == 2


@pytest.mark.parametrize(
    ("errors", "shares", "said", "unsaid"),
    [
        ((0.01, 0.02), (0.1, 0.5), ("so a low beta does not blur", "No beta has"), "One beta has"),
        ((0.02, 0.01), (0.1, 0.5), ("beta = 1 (0.0100);", "One beta has"), "so a low beta"),
    ],
)
def test_answer_about_the_sweep_follows_the_numbers(errors, shares, said, unsaid):
    rows = {
        beta: {"test_mse": error, "accepted_share": share}
        for beta, error, share in zip((0, 1), errors, shares, strict=True)
    }
    tuned = {"explained": 0.8, "test_mse": 0.015, "accepted_share": 0.6, "effective_digits": 7.5,
             "active_units": 20, "kl": 9.0}  # fmt: skip
    text = beta_vae_sweep.answer(rows, 1, tuned, {"accepted_share": 0.02})
    for part in said:
        assert part in text
    assert unsaid not in text
    assert "explain 80.0 %" in text
    assert "most samples are accepted at beta = 1 (50.0 %)" in text


def test_errors_at_mu_and_at_a_sample_by_hand(monkeypatch):
    """Images of grey 0.5; at mu grey 0.4 is drawn, at the sampled code 0.8."""
    module, x = beta_vae_betas, greys([0.5, 0.5], 28)
    data = datasets.Dataset(x + 1, None, x, None, "", "")
    model = Formula(None)
    model.decoder = painter(28)
    mu = np.full((2, 64), 0.4, np.float32)
    monkeypatch.setattr(module, "trained_vae", lambda *_: (model, "history", ""))
    monkeypatch.setattr(module, "mnist28", lambda settings: data)
    monkeypatch.setattr(module, "encode", lambda *_: (mu, 0 * mu, 2 * mu))
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 0.04)
    monkeypatch.setattr(module, "prior_codes", lambda settings: np.full((3, 64), 0.7, np.float32))
    monkeypatch.setattr(module, "sample_quality", lambda _, images: {"grey": images.mean()})
    monkeypatch.setattr(module, "kl_slope", lambda history: {"of": history})
    found = module.measured.__wrapped__(QUICK, 0.1)
    assert found["test_mse"] == pytest.approx(0.01)
    assert found["test_mse_sampled"] == pytest.approx(0.09)
    assert found["explained"] == pytest.approx(0.75)
    assert found["grey"] == pytest.approx(0.7)
    assert found["of"] == "history"
    assert found["kl"] == pytest.approx(64 * 0.08)

"""The VAE: what its two heads, its sample and its loss do."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients, check_loss
from nnscratch.gradcheck.model_cases import negative_elbo, small_vae
from nnscratch.layers import Dense, Flatten, ReLU, Reshape, Sequential
from nnscratch.losses import binary_crossentropy, gaussian_kl, mse
from nnscratch.models import VAE, NegativeELBO, elbo_terms
from nnscratch.optimizers import Adam
from nnscratch.training import fit, predict


def make(latent=2, seed=0, dtype=np.float32):
    encoder = Sequential([Flatten(), Dense(16), ReLU()], (4, 4, 1), seed=1, dtype=dtype)
    decoder = Sequential([Dense(16), Reshape((4, 4, 1))], (latent,), seed=2, dtype=dtype)
    return VAE(encoder, latent, decoder, seed=seed)


@pytest.fixture
def x():
    """Images that two numbers describe."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((200, 2)) @ rng.standard_normal((2, 16))).reshape(-1, 4, 4, 1)


def test_evaluation_decodes_mu(x):
    model, x = make(), x.astype(np.float32)
    y = model.forward(x)
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (200, 2)
    np.testing.assert_array_equal(y, model.decoder.forward(mu))
    np.testing.assert_array_equal(model.mu, mu)
    np.testing.assert_array_equal(model.forward(x), y)


def test_training_samples_with_exp_of_half_logvar(x):
    """Over many draws the decoded codes have mean mu and standard deviation exp(logvar / 2)."""
    model = make(dtype=np.float64)
    drawn = []
    model.decoder.forward, forward = (
        (lambda z, training: drawn.append(z) or forward(z)),
        (model.decoder.forward),
    )
    for _ in range(4000):
        model.forward(x[:3], training=True)
    z = np.array(drawn)
    sd = np.exp(model.logvar / 2)
    assert (abs(z.mean(axis=0) - model.mu) < 4 * sd / np.sqrt(4000)).all()
    assert (abs(z.std(axis=0) / sd - 1) < 4 / np.sqrt(2 * 4000)).all()


def test_loss_is_reconstruction_plus_weighted_divergence(x):
    model = make(dtype=np.float64)
    y = model.forward(x, training=True)
    kl, (dmu, dlogvar) = gaussian_kl(model.mu, model.logvar)
    rec, dy = mse(y, x, reduction="batch_mean")
    value, gradients = NegativeELBO(model, 2.5)(y, x)
    assert value == pytest.approx(rec + 2.5 * kl, rel=1e-12)
    for found, expected in zip(gradients, (dy, 2.5 * dmu, 2.5 * dlogvar), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_without_more_backward_is_that_of_the_image_alone(x):
    """A loss leaves nothing behind on the model."""
    model = make(dtype=np.float64)
    dy = np.random.default_rng(1).standard_normal(x.shape)
    model.forward(x)
    plain = model.backward(dy)
    _, (_, *of_kl) = NegativeELBO(model, 3.0)(model.forward(x), x)
    np.testing.assert_array_equal(model.backward(dy), plain)
    assert not np.allclose(model.backward(dy, *of_kl), plain)
    np.testing.assert_array_equal(model.backward(dy), plain)


@pytest.mark.parametrize("training", [False, True])
def test_gradient_of_the_image(training):
    x = np.random.default_rng(2).uniform(size=(3, 4, 4, 1))
    no_effect = [] if training else ["logvar"]
    assert check_gradients(small_vae(), x, training=training, no_effect=no_effect).ok


def forget_one_head(model):
    def backward(dy, of_kl, _):
        dmu = model.sampling.backward(model.decoder.backward(dy))[:, :2] + of_kl
        model.logvar_head.backward(np.zeros_like(dmu))
        return model.encoder.backward(model.mean_head.backward(dmu))

    model.backward = backward


def forget_divergence(model):
    backward = model.backward
    model.backward = lambda dy, dmu, dlogvar: backward(dy)


def log_sd_for_log_variance(model):
    backward = model.sampling.backward
    model.sampling.backward = lambda dz: backward(dz) * np.array([1, 1, 2, 2])


@pytest.mark.parametrize(
    "mutate", [None, forget_one_head, forget_divergence, log_sd_for_log_variance]
)
def test_gradient_of_the_whole_loss(mutate, monkeypatch):
    """All parameters, the noise frozen; and mistakes are found."""
    if mutate is not None:
        import nnscratch.gradcheck.model_cases as cases

        def mutant():
            model = small_vae()
            mutate(model)
            return model

        monkeypatch.setattr(cases, "small_vae", mutant)
        function, _, points = cases.negative_elbo()
    else:
        function, _, points = negative_elbo()
    assert check_loss(function, *points).ok == (mutate is None)


def test_training_learns_and_weight_of_the_divergence_counts(x):
    x = x.astype(np.float32)
    terms = {}
    for weight in (0.01, 1000.0):
        model = make()
        loss = NegativeELBO(model, weight)
        fit(model, x, x, loss=loss, optimizer=Adam(1e-2), epochs=60, batch_size=20, progress=False)
        terms[weight] = elbo_terms(model, x, np.random.default_rng(1))
        assert predict(model, x).shape == x.shape
    variance = 16 * float(x.var())
    assert terms[0.01]["reconstruction"] < 0.05 * variance
    assert terms[0.01]["kl"] > 1
    assert terms[1000.0]["kl"] < 0.01  # nothing is left but the prior,
    assert terms[1000.0]["reconstruction"] > 0.7 * variance  # and one image for all


def test_terms_are_those_of_the_loss(x):
    model = make(dtype=np.float64)
    terms = elbo_terms(model, x, np.random.default_rng(1), batch_size=64)
    mu, logvar = model.encode(x)
    assert terms["kl"] == pytest.approx(gaussian_kl(mu, logvar)[0], rel=1e-12)
    z = mu + np.exp(logvar / 2) * np.random.default_rng(1).standard_normal(mu.shape)
    expected = ((model.decoder.forward(z) - x) ** 2).sum() / len(x)
    assert terms["reconstruction"] == pytest.approx(expected, rel=1e-12)
    nats = elbo_terms(model, abs(x) / abs(x).max(), np.random.default_rng(1), binary_crossentropy)
    assert nats["reconstruction"] > 0


def test_interrupted_training_ends_with_the_same_bits(tmp_path, x):
    x = x.astype(np.float32)

    def train(epochs, path):
        model = make()
        fit(
            model, x, x, loss=NegativeELBO(model, 1.0), optimizer=Adam(1e-2), epochs=epochs,
            batch_size=32, checkpoint=path, progress=False,
        )  # fmt: skip
        return model

    whole = train(4, tmp_path / "whole.npz")
    train(2, tmp_path / "parts.npz")
    parts = train(4, tmp_path / "parts.npz")
    for key, array in {**whole.params, **whole.state}.items():
        np.testing.assert_array_equal(array, {**parts.params, **parts.state}[key])


def test_build_draws_anew_and_keeps_shapes(x):
    model = make()
    before = {k: p.copy() for k, p in model.params.items()}
    assert model.output_shape((4, 4, 1)) == (4, 4, 1)
    assert model.build((4, 4, 1), np.random.default_rng(5), np.float64) == (4, 4, 1)
    assert model.dtype == np.float64
    assert all(p.dtype == np.float64 for p in model.params.values())
    for key, p in model.params.items():
        assert p.shape == before[key].shape
    assert not np.allclose(model.params["mean.W"], before["mean.W"])
    assert model.forward(x).dtype == np.float64


def test_what_does_not_fit():
    encoder = Sequential([Flatten(), Dense(8)], (4, 4, 1))
    images = Sequential([ReLU()], (4, 4, 1))
    decoder = Sequential([Dense(16), Reshape((4, 4, 1))], (2,))
    with pytest.raises(ValueError, match=r"decoder takes float32 codes of \(2,\).*\(3,\)"):
        VAE(encoder, 3, decoder)
    with pytest.raises(ValueError, match="let it end with Flatten"):
        VAE(images, 2, decoder)
    with pytest.raises(TypeError, match="must be Sequentials"):
        VAE(encoder, 2, Dense(3))
    with pytest.raises(ValueError, match="kl_weight is -1; it must not be negative"):
        NegativeELBO(make(), -1)


def test_summary(capsys):
    make().summary()
    assert "-- heads: 16 -> mu, logvar (2 each)" in capsys.readouterr().out

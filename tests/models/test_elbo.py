"""The loss of the VAE: whose model it takes, its weight in time, and numbers at the edges."""

import copy
import pickle

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients, check_loss
from nnscratch.gradcheck.model_cases import negative_elbo, small_vae
from nnscratch.layers import Dense, Flatten, GaussianSampling, Reshape, Sequential
from nnscratch.layers.base import all_parts
from nnscratch.losses import gaussian_kl
from nnscratch.models import VAE, NegativeELBO, elbo_terms, linear_warmup
from nnscratch.optimizers import SGD, Adam
from nnscratch.training import evaluate, fit, predict, train_step
from tests.layers.helpers import build


def make(limits=(-np.inf, np.inf), dtype=np.float64):
    encoder = Sequential([Flatten(), Dense(8)], (4, 4, 1), dtype=dtype)
    decoder = Sequential([Dense(16), Reshape((4, 4, 1))], (2,), dtype=dtype)
    return VAE(encoder, 2, decoder, logvar_limits=limits)


def images(n=10, dtype=np.float64):
    return np.random.default_rng(0).uniform(size=(n, 4, 4, 1)).astype(dtype)


def train(model, loss, epochs=1, **options):
    x = images()
    return fit(
        model, x, x, loss=loss, optimizer=Adam(1e-2), epochs=epochs, batch_size=5,
        progress=False, **options,
    )  # fmt: skip


# -- whose model it is


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_loss_bound_to_another_model_is_refused(copied):
    """The gradient of KL would be that of the other model's codes."""
    model, x = make(), images()
    loss, other = NegativeELBO(model), copied(model)
    model.forward(x, training=True)
    with pytest.raises(ValueError, match="not of the latest forward pass of its model"):
        loss(other.forward(x, training=True), x)
    before = {key: p.copy() for key, p in other.params.items()}
    with pytest.raises(ValueError, match=r"Make one with the model that you train, NegativeELBO"):
        train(other, loss)
    for key, p in other.params.items():
        np.testing.assert_array_equal(p, before[key])


def test_outputs_of_an_earlier_pass_are_refused():
    model, x = make(), images()
    loss, y = NegativeELBO(model), model.forward(x)
    loss(y, x)
    loss(y.reshape(y.shape), x)
    model.forward(x[:5])
    with pytest.raises(ValueError, match="latest forward pass"):
        loss(y, x)
    with pytest.raises(ValueError, match="latest forward pass"):
        NegativeELBO(make())(y, x)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_model_and_loss_copied_together_belong_together(copied):
    model, x = make(), images()
    loss = NegativeELBO(model, 3.0)
    value, _ = loss(model.forward(x), x)
    both = copied((model, loss))
    assert both[1].model is both[0]
    assert both[1](both[0].forward(x), x)[0] == value


# -- the weight in time


def test_warmup_is_a_line_that_ends():
    weight = linear_warmup(2.0, 4)
    assert [weight(step) for step in range(7)] == [0, 0.5, 1, 1.5, 2, 2, 2]
    with pytest.raises(ValueError, match="steps is 0"):
        linear_warmup(1.0, 0)
    with pytest.raises(ValueError, match="weight is -1"):
        linear_warmup(-1.0, 2)


def test_every_step_has_the_weight_of_its_number_and_validation_that_of_the_latest_step():
    model, x = make(), images()
    loss, seen = NegativeELBO(model, linear_warmup(8.0, 4)), []

    def watched(y, target):
        seen.append(loss.weight())
        value, gradients = loss(y, target)
        kl, (dmu, _) = gaussian_kl(model.mu, model.logvar)
        rec = loss.reconstruction(y, target, reduction="batch_mean")[0]
        assert value == pytest.approx(rec + seen[-1] * kl, rel=1e-12)
        np.testing.assert_allclose(gradients[1], seen[-1] * dmu, rtol=1e-12)
        return value, gradients

    assert loss.weight() == 0
    for _ in range(3):  # epochs of two steps
        for batch in (x[:5], x[5:]):
            _, gradients = watched(model.forward(batch, training=True), batch)
            model.backward(*gradients)
        evaluate(model, x, x, watched)
    assert seen == [0, 2, 2, 4, 6, 6, 8, 8, 8]


def test_a_resumed_run_goes_on_with_the_weight_where_it_was(tmp_path):
    def trained(epochs, path):
        model = make()
        train(model, NegativeELBO(model, linear_warmup(50.0, 6)), epochs, checkpoint=path)
        return model

    whole = trained(4, tmp_path / "whole.npz")
    trained(2, tmp_path / "parts.npz")
    parts = trained(4, tmp_path / "parts.npz")
    for key, p in whole.params.items():
        np.testing.assert_array_equal(p, parts.params[key])


def test_the_name_says_the_schedule_and_a_bad_weight_is_refused():
    model = make()
    assert NegativeELBO(model, linear_warmup(2.0, 9)).__name__ == "mse + linear_warmup(2, 9) KL"
    assert NegativeELBO(model, 2.0).__name__ == "mse + 2 KL"
    for weight in (-1, np.nan, np.inf, lambda step: -1.0):
        with pytest.raises(ValueError, match="it must not be negative, infinite or NaN"):
            NegativeELBO(model, weight)(model.forward(images()), images())


# -- limits, and numbers at the edges


def beyond_limits(model):
    """Half of the log variances are outside (-1, 1), on either side."""
    model.params["logvar.b"][...] = [5.0, 0.1]
    model.params["logvar.W"][...] *= 0.1
    return model


def test_log_variances_are_clipped_wherever_they_are_used():
    free, limited = beyond_limits(make()), beyond_limits(make((-1, 1)))
    x = images()
    free.forward(x)
    limited.forward(x)
    assert (free.logvar[:, 0] > 4).all()
    np.testing.assert_array_equal(limited.logvar, np.clip(free.logvar, -1, 1))
    np.testing.assert_array_equal(limited.encode(x)[1], limited.logvar)
    assert (np.exp(limited.sampling.forward(np.hstack([limited.mu, limited.logvar]))) > 0).all()


@pytest.mark.parametrize("limits", [(-5, 1), (-np.inf, 0.5), (-0.5, np.inf)])
def test_gradient_of_the_whole_loss_with_limits(limits, monkeypatch):
    import nnscratch.gradcheck.model_cases as cases

    def limited():
        model = small_vae()
        model.logvar_limits = limits
        return model

    monkeypatch.setattr(cases, "small_vae", limited)
    function, _, points = negative_elbo()
    keys = list(small_vae().params)
    points[keys.index("logvar.b")][...] = [3.0, -3.0]
    assert check_loss(function, *points).ok
    _, gradients = function(*points)
    outside = [limits[1] < 3, limits[0] > -3]
    np.testing.assert_array_equal(gradients[keys.index("logvar.b")] == 0, outside)
    model = limited()
    model.params["logvar.b"][...] = [3.0, -3.0]
    assert check_gradients(model, images(3), training=True).ok


def test_limits_the_wrong_way_round():
    for limits in ((1, 1), (2, -2), (np.nan, 1)):
        with pytest.raises(ValueError, match=r"logvar_limits are .*the first must be below"):
            make(limits)


def test_evaluation_is_the_decoded_mean_though_the_deviation_overflows():
    """0 times infinity would be NaN."""
    model, x = make(dtype=np.float32), images(dtype=np.float32)
    model.params["logvar.b"][...] = 400  # exp(200) is infinite in float32
    with np.errstate(all="raise"):
        y = predict(model, x)
    np.testing.assert_array_equal(y, model.decoder.forward(model.mu))
    assert np.isfinite(y).all()


def test_evaluation_of_a_sample_layer_with_infinite_deviation():
    layer = build(GaussianSampling(), (4,))
    x = np.array([[1.0, 2.0, 1e4, np.inf]])
    z = layer.forward(x)
    np.testing.assert_array_equal(z, [[1, 2]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), [[1, 1, 0, 0]])
    z[...] = 7
    np.testing.assert_array_equal(x[0, :2], [1, 2])


def test_limits_keep_pixels_up_to_255_finite():
    model, x = make((-30, 20), np.float32), 255 * images(dtype=np.float32)
    loss = NegativeELBO(model)
    model.params["logvar.b"][...] = 400
    value, gradients = loss(model.forward(x, training=True), x)
    model.backward(*gradients)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in model.grads.values())
    terms = elbo_terms(model, x, np.random.default_rng(0))
    assert np.isfinite(list(terms.values())).all()


# -- encode in batches


def test_encode_takes_few_images_at_once_and_gives_all():
    model, x, sizes = make(), images(1203), []
    forward = model.encoder.forward
    expected = model.mean_head.forward(forward(x)), model.logvar_head.forward(forward(x))

    def counted(batch, training=False):
        sizes.append(len(batch))
        assert not training
        return forward(batch, training)

    model.encoder.forward = counted
    for got, wanted in zip(model.encode(x), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)
    assert sizes == [500, 500, 203]
    assert not any(part.cache for part in all_parts(model))
    model.forward(x)
    model.forget()
    assert model.output is None
    assert model.encode(x[:0])[0].shape == (0, 2)
    assert len(model.encode(x, batch_size=2000)[1]) == 1203
    with pytest.raises(ValueError, match="batch_size is 0"):
        model.encode(x, batch_size=0)
    with pytest.raises(ValueError, match="x has shape"):
        model.encode(x[..., 0])


def test_plain_loop_with_a_warmed_up_loss_learns():
    model, x = make(), images()
    loss, optimizer = NegativeELBO(model, linear_warmup(0.1, 20)), SGD(0.02)
    values = []
    for _ in range(60):
        value = train_step(model, optimizer, loss, x, x)
        values.append(value)
    assert np.mean(values[-10:]) < 0.7 * values[0]

"""The beta-VAE and what is measured of it, on cases whose answer is known."""

import argparse

import numpy as np
import pytest
from scipy.stats import linregress

from exercises import (
    beta_vae,
    beta_vae_betas,
    beta_vae_downstream,
    beta_vae_interpolation,
    beta_vae_sweep,
)
from exercises.common import Settings, mnist28
from nnscratch.losses import gaussian_kl, mse
from nnscratch.models import NegativeELBO, elbo_terms
from nnscratch.plotting import new_figure
from nnscratch.training import History, evaluate, fit


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return Settings(data="embedded", quick=True, out=tmp_path_factory.mktemp("quick"))


# -- the nets and their loss


@pytest.mark.parametrize("net", [beta_vae.autoencoder(0), beta_vae.vae(0)])
def test_network_is_the_one_of_the_course(net):
    kernels = [p.shape for key, p in net.params.items() if "encoder" in key and p.ndim == 4]
    assert kernels == [(4, 4, 1, 32), (4, 4, 32, 64), (3, 3, 64, 128), (3, 3, 128, 256)]
    mirrored = [p.shape for key, p in net.params.items() if "decoder" in key and p.ndim == 4]
    assert mirrored == kernels[::-1]
    assert net.decoder.input_shape == (64,)
    assert net.built_shape == (28, 28, 1)


def test_autoencoder_and_vae_start_from_the_same_weights():
    ae, net = beta_vae.autoencoder(5), beta_vae.vae(5)
    for key, p in ae.decoder.params.items():
        np.testing.assert_array_equal(p, net.decoder.params[key])
    common = ae.encoder.params.keys() & net.encoder.params.keys()
    assert len(common) == len(net.encoder.params)


def test_weight_is_the_report_s_loss_times_the_number_of_pixels():
    rng = np.random.default_rng(0)
    net = beta_vae.vae(0)
    x, y = rng.random((2, 3, 28, 28, 1), np.float32)
    net.mu, net.logvar, net.output = *rng.standard_normal((2, 3, 64), np.float32), y
    value, _ = NegativeELBO(net, beta_vae.kl_weight(0.1))(y, x)
    mean_kl, _ = gaussian_kl(net.mu, net.logvar, reduction="mean")
    assert value / 784 == pytest.approx(((y - x) ** 2).mean() + 0.1 * mean_kl, rel=1e-5)
    assert beta_vae.kl_weight(0.1) == pytest.approx(1.225)


def test_nets_do_not_start_saturated():
    """All pixels black or white would stop the gradient at the sigmoid."""
    x = mnist28(Settings(data="embedded")).x_train[:64]
    for seed in range(3):
        y = beta_vae.autoencoder(seed).forward(x, training=True)
        assert (y * (1 - y)).mean() > 0.1


def test_curve_holds_every_training_step_and_nothing_else(tmp_path):
    x = mnist28(Settings(data="embedded")).x_train[:80]
    net = beta_vae.vae(0)
    loss = beta_vae.RecordedELBO(net, 2.0)
    taken = []

    def measure():
        taken.append(dict(loss.parts))
        return loss.take()

    history = fit(
        net, x, x, loss=loss, optimizer=beta_vae.Recipe(1e-3, 2, 2).optimizer(80), epochs=2,
        batch_size=2, validation=(x[:7], x[:7]), measure=measure, progress=False,
    )  # fmt: skip
    sse, kl = (beta_vae_betas.curve(history, name).reshape(2, 20) for name in ("SSE", "KL"))
    np.testing.assert_allclose((sse + 2 * kl).mean(axis=1), history.loss, rtol=1e-6)
    assert [sorted(step for step in parts if step > 0) for parts in taken] == [
        [*range(1, 41)],
        [*range(41, 81)],
    ]
    first = [taken[0][step] for step in (1, 2)]  # 40 steps an epoch, two in each twentieth
    assert (sse[0, 0], kl[0, 0]) == pytest.approx(tuple(np.mean(first, axis=0)))


# -- measurements


def history_of(kl):
    """A history with this KL curve, twenty parts an epoch."""
    parts = np.reshape(kl, (-1, beta_vae.PARTS)).T
    return History(measured={f"KL {i}": list(values) for i, values in enumerate(parts)})


def test_slope_of_the_kl_is_taken_at_the_end():
    kl = np.concatenate([np.geomspace(1, 100, 48), 100 + np.arange(12) * 0.5])
    slope = beta_vae_betas.kl_slope(history_of(kl))
    assert slope["kl_slope_at_the_end"] == pytest.approx(10)  # half a nat a twentieth of an epoch
    assert slope["kl_slope_error"] == pytest.approx(0, abs=1e-6)


def test_slope_error_is_that_of_scipy():
    kl = np.random.default_rng(0).normal(50, 3, 100)
    slope = beta_vae_betas.kl_slope(history_of(kl))
    expected = linregress(np.arange(20) / beta_vae.PARTS, kl[-20:])
    assert slope["kl_slope_at_the_end"] == pytest.approx(expected.slope)
    assert slope["kl_slope_error"] == pytest.approx(expected.stderr)


def test_quality_of_real_digits_blanks_and_a_single_digit(quick):
    data = mnist28(Settings(data="embedded"))
    good = Settings(data="embedded", quick=True, epochs=12, out=quick.out)
    real = beta_vae.sample_quality(good, data.x_test)
    assert real["accepted_share"] > 0.5
    assert real["effective_digits"] > 8
    assert real["accepted_share"] == pytest.approx(real["accepted_per_digit"].sum() / 1000)
    zeros = beta_vae.sample_quality(good, data.x_test[data.y_test == 0])
    assert zeros["effective_digits"] < 2


def test_measurements_of_a_vae_are_those_of_its_loss(quick):
    measured = beta_vae_betas.measured(quick, 0.1)
    model, x = beta_vae.trained_vae(quick, 0.1)[0], mnist28(quick).x_test
    terms = elbo_terms(model, x, np.random.default_rng(0))
    assert measured["kl"] == pytest.approx(terms["kl"], rel=1e-5)
    assert measured["test_mse"] == pytest.approx(evaluate(model, x, x, mse), rel=1e-5)
    sampled = 784 * measured["test_mse_sampled"]
    assert sampled == pytest.approx(terms["reconstruction"], rel=0.02)
    assert measured["kl"] / 64 <= measured["kl_largest_unit"] <= measured["kl"]


def test_the_mean_image_explains_nothing(quick):
    data = mnist28(quick)
    by_hand = np.mean([((x - data.x_train.mean(axis=0)) ** 2).mean() for x in data.x_test])
    assert beta_vae.mean_image_mse(quick) == pytest.approx(by_hand, rel=1e-5)


def test_rate_decays_except_where_the_trend_of_the_kl_is_asked(quick):
    assert "cosine" not in beta_vae.trained_vae(quick, 0)[2]
    assert "cosine decay" in beta_vae.trained_vae(quick, 0.1)[2]


def test_sheet_shows_images_from_left_to_right_and_down():
    images = np.random.default_rng(0).random((6, 4, 5, 1))
    axis = new_figure(3, 3, "").subplots()
    beta_vae.image_sheet(axis, images, 3, "")
    canvas = np.asarray(axis.images[0].get_array())
    assert canvas.shape == (2 * 6, 3 * 7)
    np.testing.assert_array_equal(canvas[7:11, 1:6], images[3, ..., 0])
    np.testing.assert_array_equal(canvas[1:5, 15:20], images[2, ..., 0])


def test_ten_images_stand_above_what_was_made_of_them():
    x = np.arange(10).reshape(10, 1, 1, 1)
    rows = beta_vae.above(x, x + 100, x + 200).reshape(6, 5)
    assert rows[:, 2].tolist() == [2, 102, 202, 7, 107, 207]


def row(explained, share, digits):
    return {"explained": explained, "accepted_share": share, "effective_digits": digits}


def test_rule_chooses_samples_among_those_that_reconstruct():
    rows = {
        0: row(0.95, 0.1, 9),
        0.1: row(0.9, 0.6, 9),
        0.2: row(0.85, 0.7, 9),
        1: row(0.45, 0.9, 10),  # samples best, but does not reconstruct
        10: row(0.0, 1.0, 1),
    }
    assert beta_vae_sweep.choose(rows) == 0.2
    rows[0.2] = row(0.85, 0.9, 2)  # always the same two digits
    assert beta_vae_sweep.choose(rows) == 0.1
    poor = {0: row(0.3, 0.0, 0), 0.1: row(0.4, 0.0, 0), 1: row(0.1, 0.9, 9)}
    assert beta_vae_sweep.choose(poor) == 0.1


# -- interpolation


def test_walk_goes_straight_and_reaches_both_ends():
    a, b = np.zeros((2, 3)), np.array([[1.0, 2, 3], [4, 5, 6]])
    walk = beta_vae_interpolation.along(a, b, np.array([0, 0.25, 1]))
    assert walk.shape == (2, 3, 3)
    np.testing.assert_allclose(walk[1], [[0, 0, 0], [1, 1.25, 1.5], [4, 5, 6]])


def test_decodes_stay_in_their_places():
    decoder = beta_vae.decoder(0)
    z = np.random.default_rng(0).standard_normal((3, 4, 64), np.float32)
    images = beta_vae_interpolation.decode(decoder, z)
    assert images.shape == (3, 4, 28, 28, 1)
    np.testing.assert_allclose(images[2, 1], decoder.forward(z[2, 1][None])[0], atol=1e-6)


@pytest.mark.parametrize("pair", [(5, 8), (3, 3)])
def test_ends_have_their_labels_and_differ(quick, pair):
    labels = mnist28(quick).y_test
    ends = [beta_vae_interpolation.ends_of(quick, pair, sample) for sample in range(2)]
    for end in ends:
        assert tuple(labels[list(end)]) == pair
        assert end[0] != end[1]
    assert len({image for end in ends for image in end}) == 4


def test_walks_by_hand(quick):
    """A cross-fade is even; one jump is as uneven as can be; a detour is longer."""
    x = mnist28(quick).x_train
    t = np.linspace(0, 1, 5)
    fade = beta_vae_interpolation.along(x[[3]], x[[7]], t)
    jump = np.stack([x[3], x[3], x[7], x[7], x[7]])[None]
    detour = np.stack([x[3], x[7], x[3], x[7], x[7]])[None]
    even, uneven, long = (
        beta_vae_interpolation.measure(quick, walk) for walk in (fade, jump, detour)
    )
    assert (even["unevenness"], even["length"]) == (pytest.approx(1), pytest.approx(1))
    assert (uneven["unevenness"], uneven["length"]) == (pytest.approx(4), pytest.approx(1))
    assert long["length"] == pytest.approx(3)
    assert uneven["nearest"] == pytest.approx(0, abs=1e-7)  # a training image is in the middle
    assert even["nearest"] > 0.005
    distance = np.linalg.norm(x[7] - x[3])
    np.testing.assert_allclose(even["mean_step"], distance / 4, rtol=1e-5)


def test_pairs_on_the_command_line():
    assert beta_vae_interpolation.pair_of_digits("5-8") == (5, 8)
    for text in ("58", "5-", "a-b", "10-2", "5-8-1", "-5-8"):
        with pytest.raises(argparse.ArgumentTypeError, match="no pair of digits such as 5-8"):
            beta_vae_interpolation.pair_of_digits(text)


# -- downstream


def test_all_codes_get_the_same_labels(quick, monkeypatch):
    """Codes that are the answer, codes that are nothing, and a user that counts."""
    data = mnist28(quick)
    truth = [np.eye(10, dtype=np.float32)[y] for y in (data.y_train, data.y_test)]
    fake = {"answer": truth, "again": truth, "nothing": [0 * part for part in truth]}
    monkeypatch.setattr(beta_vae_downstream, "codes", lambda settings: fake)
    seen = []

    def user(train, labels, codes):
        seen.append((len(train), tuple(labels)))
        assert (train.argmax(axis=1) == labels).all() or not train.any()
        return codes.argmax(axis=1)

    monkeypatch.setattr(beta_vae_downstream, "USERS", {"user": user})
    found = beta_vae_downstream.accuracies.__wrapped__(quick)["user"]
    draws = beta_vae_downstream.DRAWS
    assert {n: len(values) for n, values in found["answer"].items()} == {100: draws, 640: 1}
    assert found["answer"][100].tolist() == [1] * draws
    assert found["nothing"][640] == (data.y_test == 0).mean()
    assert seen[: draws + 1] == seen[draws + 1 : 2 * draws + 2] == seen[2 * draws + 2 :]
    assert len(set(seen)) == draws + 1


def test_answer_counts_what_the_vae_wins():
    accuracy = {100: np.array([0.5, 0.7]), 4000: np.array([0.9])}
    less = {n: values - 0.1 for n, values in accuracy.items()}
    found = {
        "linear probe": {"AE": less, "VAE": accuracy, "PCA": less},
        "1-NN": {"AE": less, "VAE": less, "PCA": accuracy},
    }
    answer = beta_vae_downstream.answer(found)
    assert answer.startswith("The VAE's codes are the best in 2 of 4 cases.")
    assert "linear probe, 100 labels: 50.0 % on codes of the autoencoder, 60.0 % on mu" in answer

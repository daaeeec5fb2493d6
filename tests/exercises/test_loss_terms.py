"""What the exercise on the terms of the loss measures, on cases whose answer is known."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from exercises import loss_terms
from exercises.common import Settings, mnist32
from exercises.ex07_vae import KL_WEIGHT, means, vae
from nnscratch.losses import gaussian_kl, mse
from nnscratch.optimizers import Adam
from nnscratch.training import fit

QUICK = Settings(data="embedded", quick=True)


def outputs():
    """A network after one pass over a few digits, and what went in and came out."""
    model, x = vae(0), mnist32(QUICK).x_train[:8]
    return model, model.forward(x, training=True), x


def test_each_loss_asks_for_its_term_alone():
    model, y, x = outputs()
    values, gradients = {}, {}
    for name, loss in loss_terms.losses(model).items():
        values[name], (dy, *of_kl) = loss(y, x)
        gradients[name] = dy, of_kl
    sse, kl = mse(y, x, "batch_mean")[0], gaussian_kl(model.mu, model.logvar)[0]
    assert values["reconstruction only"] == pytest.approx(sse)
    assert values["KL only"] == pytest.approx(kl)
    assert values["both"] == pytest.approx(sse + KL_WEIGHT * kl)
    assert not gradients["KL only"][0].any()
    assert gradients["KL only"][1][0].any()
    assert not any(g.any() for g in gradients["reconstruction only"][1])
    assert gradients["reconstruction only"][0].any()


def test_the_terms_pull_where_the_page_says():
    """A few steps: without KL s shrinks and the error falls, with KL alone the codes gather."""
    x, found = mnist32(QUICK).x_train[:256], {}
    for name in loss_terms.losses(vae(0)):
        model = vae(0)
        loss = loss_terms.losses(model)[name]
        fit(model, x, x, loss=loss, optimizer=Adam(2e-3), epochs=4, batch_size=16, progress=False)
        mu, logvar = model.encode(x)
        found[name] = {
            "kl": gaussian_kl(mu, logvar)[0],
            "s": np.exp(logvar / 2).mean(),
            "mse": mse(model.decoder.forward(mu), x)[0],
        }
    free, pulled, both = (found[n] for n in ("reconstruction only", "KL only", "both"))
    assert pulled["kl"] < 0.05 < both["kl"] < free["kl"]
    assert free["s"] < both["s"] < 1
    assert pulled["s"] == pytest.approx(1, abs=0.05)
    assert max(free["mse"], both["mse"]) < 0.9 * pulled["mse"]


def test_empty_cells_are_counted():
    square = np.random.default_rng(0).random((40_000, 2))
    assert loss_terms.empty_cells(square) == 0
    corners = np.repeat([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], 100, axis=0)
    assert loss_terms.empty_cells(corners) == pytest.approx(100 * (1 - 4 / 400))
    outside = abs(square - 0.5).max(axis=1) > 0.25  # a hole of a quarter of the square
    assert loss_terms.empty_cells(square[outside]) == pytest.approx(25, abs=5)
    with_an_outlier = np.concatenate([square, [[1e6, 1e6]]])
    assert loss_terms.empty_cells(with_an_outlier) == 0


def test_measured_numbers_are_those_of_the_codes():
    model, data = vae(0), mnist32(QUICK)
    z = means(model, data.x_test)
    measured = loss_terms.measure(QUICK, model, z)
    np.testing.assert_allclose(measured["code_sd"], z.std(axis=0), rtol=1e-5)
    logvar = model.encode(data.x_test)[1]
    assert measured["sampling_sd"] == pytest.approx(np.median(np.exp(logvar / 2)), rel=1e-5)
    error = mse(model.decoder.forward(z), data.x_test, "batch_mean")[0]
    assert measured["sse_at_mu"] == pytest.approx(error, rel=1e-4)
    assert measured["sse_at_a_sample"] != measured["sse_at_mu"]
    assert 0 <= measured["1-NN_macro_percent"] <= 100


def test_all_codes_are_in_sight_and_circles_are_round():
    axis = Figure().subplots()
    z = np.array([[0.0, 0.0], [10.0, 1.0], [3.0, -2.0]])
    loss_terms.prior_circles(axis)
    loss_terms.square_limits(axis, z)
    (left, right), (lower, upper) = axis.get_xlim(), axis.get_ylim()
    assert left < z[:, 0].min() < z[:, 0].max() < right
    assert lower < z[:, 1].min() < z[:, 1].max() < upper
    assert right - left == pytest.approx(upper - lower)
    assert [patch.radius for patch in axis.patches] == [1, 2]

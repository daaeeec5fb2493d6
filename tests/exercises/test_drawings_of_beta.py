"""What the figures on beta-VAE show."""

import numpy as np
import pytest

from exercises import (
    beta_vae_betas,
    beta_vae_downstream,
    beta_vae_interpolation,
    beta_vae_sweep,
)
from exercises.common import Settings
from nnscratch.plotting import new_figure
from nnscratch.training import History
from tests.exercises.formulas import bars_drawn, bright_training, halving_autoencoder, lines_drawn


def test_curves_of_a_beta():
    parts = {f"{name} {i}": [i + add] for name, add in (("SSE", 100), ("KL", 0)) for i in range(20)}
    axis = new_figure(3, 3, "").subplots()
    history = History(measured=parts | {"reconstruction": [7.0], "kl": [8.0]})
    beta_vae_betas.draw_curves(axis, history)
    assert lines_drawn(axis) == {
        "SSE, training": list(range(100, 120)), "KL, training": list(range(20)),
        "SSE, test": [7], "KL, test": [8],
    }  # fmt: skip
    assert axis.lines[0].get_xdata()[[0, -1]] == pytest.approx([0.025, 0.975])
    assert axis.lines[1].get_xdata().tolist() == [1]


def test_the_sweep_is_drawn_with_a_star_at_its_best(monkeypatch):
    def row(k):
        return {"test_mse": k / 8, "test_mse_sampled": k / 4, "kl": 1.0 * k, "active_units": 10 * k,
                "accepted_share": k / 16, "effective_digits": 2 * k}  # fmt: skip

    module = beta_vae_sweep
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 0.5)
    monkeypatch.setattr(module, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(module, "trained_ae", lambda settings: (halving_autoencoder(), ""))
    rows = {beta: row(k) for k, beta in enumerate((0, 0.1, 10), 1)}
    figure = module.draw(Settings(), rows, 0.1, {"accepted_share": 0.125})
    errors, codes, samples, units = figure.axes
    lines = lines_drawn(errors)
    assert lines["VAE, at mu"] == [0.125, 0.25, 0.375]
    assert lines["VAE, at a sampled code"] == [0.25, 0.5, 0.75]
    assert lines["autoencoder"] == pytest.approx([285 / 4000] * 2)
    assert lines["50 % explained"] == [0.25, 0.25]
    assert lines["mean image"] == [0.5, 0.5]
    assert lines_drawn(codes)["KL per image"] == [1, 2, 3]
    assert lines_drawn(units)["active latents"] == [10, 20, 30]
    lines = lines_drawn(samples)
    assert lines["accepted, % of samples"] == [6.25, 12.5, 18.75]
    assert lines["effective number of digits x 10"] == [20, 40, 60]
    assert lines["autoencoder, accepted"] == [12.5, 12.5]
    stars = [(axis.lines[-1].get_xdata()[0], axis.lines[-1].get_ydata()[0])
             for axis in (errors, codes, samples)]  # fmt: skip
    assert stars == [(1, 0.25), (1, 2), (1, 12.5)]


def test_walks_and_users_are_drawn():
    walks = {
        name: {"mean_step": np.full(20, k), "mean_confidence": np.full(21, k / 4),
               "nearest": np.tile([0, k / 4], 5), "unevenness": np.tile([1, 2.0 * k + 1], 5)}
        for k, name in enumerate(("AE", "VAE", "cross-fade"), 1)
    }  # fmt: skip
    figure = beta_vae_interpolation.draw(walks, np.random.default_rng(0))
    step, confidence, nearest, uneven = figure.axes
    assert lines_drawn(step)["VAE"] == [2] * 20
    assert step.lines[0].get_xdata()[[0, -1]] == pytest.approx([0.025, 0.975])
    assert lines_drawn(confidence)["cross-fade"] == [0.75] * 21
    assert bars_drawn(nearest) == [[0.125], [0.25], [0.375]]
    assert bars_drawn(uneven) == [[2], [3], [4]]
    found = {
        user: {
            name: {10: np.array([0.25, 0.75]) / k, 20: np.array([1.0 / k])}
            for k, name in ((1, "AE"), (2, "VAE"))
        }
        for user in ("probe", "1-NN")
    }
    for axis in beta_vae_downstream.draw(found).axes:
        means, _, (bars,) = axis.containers[0].lines
        assert means.get_ydata().tolist() == [50, 100]
        assert means.get_xdata().tolist() == [10, 20]
        assert bars.get_segments()[0][:, 1].tolist() == [25, 75]
        assert axis.containers[1].lines[0].get_ydata().tolist() == [25, 50]

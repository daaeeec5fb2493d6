"""Training on data that is drawn anew before every epoch."""

from itertools import pairwise

import numpy as np

from nnscratch.layers import Dense, Sequential
from nnscratch.losses import mse
from nnscratch.optimizers import Adam
from nnscratch.training import fit


def train(epochs, seen, path=None):
    """Inputs are never the same; what was drawn is entered into ``seen``."""

    def renew(rng):
        x = rng.standard_normal((12, 3)).astype(np.float32)
        seen.append(x)
        return x, 2 * x

    model = Sequential([Dense(3)], (3,))
    x = np.zeros((12, 3), np.float32)
    history = fit(
        model, x, x, loss=mse, optimizer=Adam(1e-2), epochs=epochs, batch_size=5, renew=renew,
        checkpoint=path, progress=False,
    )  # fmt: skip
    return model.params["0.dense.W"], history.loss


def test_every_epoch_sees_new_data():
    seen = []
    W, losses = train(300, seen)
    assert len(seen) == 300
    assert not any(np.array_equal(a, b) for a, b in pairwise(seen))
    assert losses[-1] < 0.01 < losses[0]
    np.testing.assert_allclose(W, 2 * np.eye(3), atol=0.1)  # which x = 0 could not have taught


def test_new_data_share_no_random_numbers_with_the_order_of_the_samples():
    """One stream for both would pair what is drawn for a sample with its place in the epoch."""
    drawn, seen = [], []

    def renew(rng):
        drawn.append(rng.permutation(12))
        return np.zeros((12, 3), np.float32), np.arange(36, dtype=np.float32).reshape(12, 3)

    def loss(y, target):
        seen.append(int(target[0, 0]) // 3)
        return mse(y, target)

    def train_alone(epochs):
        model = Sequential([Dense(3)], (3,))
        x = np.zeros((12, 3), np.float32)
        fit(
            model, x, x, loss=loss, optimizer=Adam(1e-2), epochs=epochs, batch_size=1, renew=renew,
            progress=False,
        )  # fmt: skip

    train_alone(2)
    orders = np.reshape(seen[-24:], (2, 12))
    for one in [*drawn, *orders]:
        assert sorted(one) == list(range(12))
        assert sum(np.array_equal(one, other) for other in [*drawn, *orders]) == 1


def test_an_interrupted_run_draws_the_same_data(tmp_path):
    whole, parts = [], []
    W, losses = train(4, whole, tmp_path / "whole.npz")
    train(2, parts, tmp_path / "parts.npz")
    resumed, all_losses = train(4, parts, tmp_path / "parts.npz")
    assert len(parts) == 4
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(resumed, W)
    assert all_losses == losses

"""The numbers of exercise 1, and what others measure too, where they can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    alive_start,
    ex01_autoencoder,
    ex01b_dead_starts,
    ex01c_inside,
    measures,
)
from exercises.trained import Recipe
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    greys,
    halving_autoencoder,
    record,
    settings_for,
)

# -- what several exercises measure


def test_squared_errors_are_means_over_the_pixels_of_each_image():
    images = np.array([[0, 2.0], [1, 1]]).reshape(2, 1, 2, 1)
    assert measures.squared_errors(images, np.ones((2, 1, 2, 1))).tolist() == [1, 0]
    assert measures.squared_errors(images, np.zeros((2, 1, 2, 1))).tolist() == [2, 1]


def test_means_by_digit_and_none_where_a_digit_is_missing():
    found = measures.by_digit(np.array([1.0, 3, 5]), np.array([3, 3, 9]))
    assert found[[3, 9]].tolist() == [2, 5]
    assert np.isnan(found).sum() == 8
    assert measures.ranked(found) == [3, 9]
    assert measures.ranked(-found) == [9, 3]


def test_ranks_of_what_is_the_same_everywhere_say_nothing():
    rising = np.array([1.0, 2, 3, 4])
    assert measures.rank_correlation(rising, np.ones(4)) == (0, 1)
    assert measures.rank_correlation(np.ones(4), rising) == (0, 1)
    assert measures.rank_correlation(rising[:2], rising[:2]) == (0, 1)
    assert measures.rank_correlation(rising, rising**3)[0] == pytest.approx(1)
    assert measures.rank_correlation(rising, -rising)[0] == pytest.approx(-1)


def test_errors_on_both_scales_differ_by_four():
    errors = np.array([0.1, 0.3, 0.5])
    every = measures.all_errors(errors, np.array([3, 3, 7]))
    assert every["test_mse_[0,1]"] == pytest.approx(0.3)
    assert every["test_mse_[-1,1]"] == pytest.approx(1.2)  # both -1 and 1 where 0 and 1 were
    assert every["mse_per_digit_[0,1]"][[3, 7]] == pytest.approx([0.2, 0.5])
    assert every["mse_per_digit_[-1,1]"][[3, 7]] == pytest.approx([0.8, 2])
    shown = measures.shown_errors(errors, np.array([2, 0]))
    assert shown["test_indices"].tolist() == [2, 0]
    assert shown["mse_per_image_[0,1]"] == pytest.approx([0.5, 0.1])
    assert shown["mse_per_image_[-1,1]"] == pytest.approx([2, 0.4])


def test_loss_curves_are_those_of_the_training_times_four():
    curves = measures.loss_curves(History(loss=[0.5, 0.25], validation_loss=[0.4, 0.2]))
    assert curves["train_mse_by_epoch_[-1,1]"].tolist() == [2, 1]
    assert curves["test_mse_by_epoch_[-1,1]"] == pytest.approx([1.6, 0.8])
    assert curves["test_mse_[-1,1]"] == pytest.approx(0.8)


# -- exercise 1


def test_figure_1_of_a_net_that_halves_every_pixel(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex01_autoencoder)
    curves = History(loss=[0.5, 0.25, 0.2])
    ex01_autoencoder.figure_1(settings, halving_autoencoder(), curves, "stamp")
    page = record(tmp_path, "ex01_fig1")
    numbers = page["numbers"]
    assert numbers["epochs"] == 3
    assert numbers["test_indices"] == list(range(10))
    errors = [(d / 20) ** 2 for d in range(10)]  # half of the grey d / 10 is missing
    assert numbers["mse_per_image_[0,1]"] == pytest.approx(errors)
    assert numbers["mse_per_digit_[0,1]"] == pytest.approx(errors)
    assert numbers["mse_per_image_[-1,1]"] == pytest.approx([4 * e for e in errors])
    assert numbers["test_mse_[0,1]"] == pytest.approx(285 / 400 / 10)  # 0 + 1 + 4 + ... + 81
    assert numbers["test_mse_[-1,1]"] == pytest.approx(285 / 100 / 10)
    assert "0 0.000, 1 0.010, 2 0.040" in page["answers"][0][1]  # best first


def test_figure_2_holds_both_trainings(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex01_autoencoder)
    plain = History(loss=[0.5, 0.25], validation_loss=[0.5, 0.125])
    other = History(loss=[0.75, 0.5], validation_loss=[1.0, 0.25])
    monkeypatch.setattr(
        ex01_autoencoder, "trained", lambda _, extra=False: (None, (plain, other)[extra], "s")
    )
    ex01_autoencoder.figure_2(settings)
    numbers = record(tmp_path, "ex01_fig2")["numbers"]
    assert numbers["test_mse_by_epoch_[-1,1]"] == [2, 0.5]
    assert numbers["train_mse_by_epoch_[-1,1]"] == [2, 1]
    assert numbers["test_mse_[-1,1]"] == 0.5
    assert numbers["extra_test_mse_by_epoch_[-1,1]"] == [4, 1]
    assert numbers["extra_train_mse_by_epoch_[-1,1]"] == [3, 2]
    assert numbers["extra_test_mse_[-1,1]"] == 1
    assert numbers["mean image_test_mse_[-1,1]"] == pytest.approx(4 * 0.0825)  # of 0, 0.1 ... 0.9
    assert numbers["PCA-2_test_mse_[-1,1]"] == pytest.approx(0, abs=1e-6)  # one direction is enough
    first, second = ex01_autoencoder.recipes(settings)
    assert (numbers["recipe"], numbers["extra_recipe"]) == (str(first), str(second))


def test_baselines_are_the_mean_image_and_the_plane_of_two_directions():
    train = np.zeros((6, 2, 2, 1))
    train[:2, 0, 0, 0], train[2:4, 0, 1, 0], train[4:, 1, 0, 0] = (3, -3), (2, -2), (1, -1)
    test = np.zeros((1, 2, 2, 1))
    test[0, 0, 0], test[0, 1, 0] = 1, 2  # the first and the third pixel
    lines = ex01_autoencoder.baselines(train + 5, test + 5)
    assert lines["mean image"] == pytest.approx(4 * (1 + 4) / 4)
    assert lines["PCA-2"] == pytest.approx(4 * 4 / 4)  # the 1 lies in the plane, the 2 does not


def alive_or_dead(first, second, output):
    """An autoencoder whose code and output are zero where these are."""

    def encode(x):
        return np.stack([first * x[:, 0, 0, 0], second * x[:, 0, 0, 0]], axis=1)

    return SimpleNamespace(
        encoder=Formula(encode), decoder=Formula(lambda z: output * np.ones((len(z), 2, 2, 1)))
    )


def test_dead_places_are_named():
    images = np.array([0.0, 1]).reshape(2, 1, 1, 1)  # the first one makes zeros everywhere
    assert alive_start.dead_places(alive_or_dead(1, 1, 1), images) == []
    assert alive_start.dead_places(alive_or_dead(1, 0, 1), images) == ["code axis 2"]
    assert alive_start.dead_places(alive_or_dead(0, 1, 0), images) == ["code axis 1", "output"]
    assert alive_start.dead_places(alive_or_dead(1, 1, 1), images[:1]) == [
        "code axis 1", "code axis 2",
    ]  # fmt: skip


def test_starts_are_counted_by_how_much_of_them_is_dead():
    kinds = [(1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 1)]
    found = ex01b_dead_starts.count(
        lambda seed: alive_or_dead(*kinds[seed]), range(7), np.ones((3, 1, 1, 1))
    )
    counts = [*(found[kind] for kind in ex01b_dead_starts.KINDS), found["output all zero"]]
    assert counts == [4, 2, 1, 3]


def test_trial_training_takes_so_many_steps_of_the_recipe(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        alive_start, "fit", lambda model, x, y, **options: seen.update(options, x=x, y=y)
    )
    x = np.arange(100.0)
    alive_start.train_a_little(None, x, Recipe(0.25, 4, 9, cosine=True), seed=5)
    assert len(seen["x"]) == 4 * alive_start.TRIAL_ITERATIONS
    assert seen["x"][:102].tolist() == [*range(100), 0, 1]
    assert seen["y"] is seen["x"]
    assert (seen["epochs"], seen["batch_size"], seen["seed"]) == (1, 4, 5)
    assert seen["optimizer"].learning_rate == 0.25  # and not along the recipe's cosine


def test_numbers_of_a_digit_inside_the_autoencoder():
    made = {
        "a.relu": np.array([0, 0, 3.0, 1]).reshape(1, 2, 2, 1),
        "encoder.14.maxpooling2d": np.array([1.0, 2]).reshape(1, 1, 2, 1),
        "decoder.14.relu": np.full((1, 2, 2, 1), 0.5),
    }
    dead = {"a.relu": [7]}
    found = ex01c_inside.inside_numbers(made, np.zeros((1, 2, 2, 1)), dead)
    assert found["code"].tolist() == [1, 2]
    assert found["mse_[-1,1]"] == 1
    assert found["dead_channels"] is dead
    assert found["zeros_for_this_digit_percent"] == {"a.relu": 50}
    assert found["largest_number_for_this_digit"] == {"a.relu": 3}


def test_greys_are_what_they_are_called():
    assert greys([0.5, 1.0], side=2).tolist() == [[[[0.5]] * 2] * 2, [[[1]] * 2] * 2]

"""The numbers in the figures of exercises 1 to 4, measured where they can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    alive_start,
    ex01_autoencoder,
    ex01b_dead_starts,
    ex01c_inside,
    ex02_latent_space,
    ex03_nearest_neighbour,
    ex04_classifier,
    measures,
)
from exercises.trained import Recipe
from nnscratch.datasets import Dataset
from nnscratch.layers import Conv2D, MaxPooling2D, ReLU, Sequential
from nnscratch.losses import softmax_crossentropy
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    greys,
    halving_autoencoder,
    record,
    settings_for,
    ten_greys,
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
    train = np.zeros((4, 2, 2, 1))
    train[:2, 0, 0, 0], train[2:, 0, 1, 0] = (3, -3), (2, -2)  # all but two pixels stay the same
    test = np.zeros((1, 2, 2, 1))
    test[0, 0, 0], test[0, 1, 0] = 1, 2
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
    kinds = [(1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0), (1, 1, 0), (1, 1, 1)]
    found = ex01b_dead_starts.count(
        lambda seed: alive_or_dead(*kinds[seed]), range(6), np.ones((3, 1, 1, 1))
    )
    counts = [*(found[kind] for kind in ex01b_dead_starts.KINDS), found["output all zero"]]
    assert counts == [3, 2, 1, 3]


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


# -- exercise 2


def test_clipped_codes_are_counted_by_axis():
    """One with a largest number of exactly 0 before the ReLU, and one with all below."""
    encoder = Sequential([Conv2D(1, 1), ReLU(), MaxPooling2D(2)], (2, 4, 1))
    encoder.params["0.conv2d.W"][...] = 1
    images = np.array([
        [[0, -1, 3, 1], [0, 0, 1, 1]], [[-1, -1, 5, 0], [-2, -3, 0, 0]],
        [[1, 0, 0, -1], [0, 0, 0, 0]], [[2, 2, 2, 2], [2, 2, 2, 2]],
    ], np.float32)[..., None]  # fmt: skip
    found = ex02_latent_space.clipping(encoder, images)
    assert found["share_exactly_0"].tolist() == [0.5, 0.25]
    assert found["share_of_maxima_not_above_0_before_the_relu"].tolist() == [0.5, 0.25]
    assert found["share_exactly_0_without_the_relu"].tolist() == [0.25, 0.25]
    answer = ex02_latent_space.clipping_answer(found)
    assert answer.startswith("50.00 % and 25.00 %")
    assert "agree exactly" in answer
    wrong = found | {"share_of_maxima_not_above_0_before_the_relu": np.array([0.5, 0.5])}
    assert "DO NOT agree" in ex02_latent_space.clipping_answer(wrong)


def test_overlap_of_a_few_codes():
    train = np.array([[0.0, 0], [10, 0], [0, 10]])
    codes = np.array([[0.0, 1], [9, 0], [10, 1], [0, 9], [1, 10]])
    labels = np.array([0, 0, 1, 2, 2])
    found = ex02_latent_space.overlap(train, np.array([0, 1, 2]), codes, labels)
    mistaken = found["confusion_rows_true"]
    assert mistaken[:3, :3].tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    assert np.isnan(mistaken[3:]).all()
    assert found["most_confused_pairs"][0] == ("0 and 1", 0.25)
    scores = found["silhouette_per_digit"]
    assert scores[1] == 0  # the only one of its digit
    assert scores[2] > 0.8
    assert found["silhouette_mean"] == pytest.approx((2 * scores[0] + 2 * scores[2]) / 5)
    # ranks 1, 2, 3 against 1, 2.5, 2.5
    assert found["spearman_silhouette_accuracy"] == pytest.approx(np.sqrt(3) / 2)


# -- exercise 3


def test_accuracies_leave_out_a_digit_without_images():
    labels, predicted = np.array([0, 0, 0, 5]), np.array([0, 0, 5, 5])
    found = ex03_nearest_neighbour.percent_right(labels, predicted)
    assert found["accuracy_percent_per_digit"][[0, 5]] == pytest.approx([200 / 3, 100])
    assert np.isnan(found["accuracy_percent_per_digit"]).sum() == 8
    assert found["macro_percent"] == pytest.approx((200 / 3 + 100) / 2)
    assert found["micro_percent"] == 75


def test_separation_of_classes_on_a_line():
    train, codes = np.array([[0.0, 0], [8, 0]]), np.array([[0.0, 0], [1, 0], [9, 0], [3, 0]])
    labels = np.array([0, 0, 1, 1])
    found = ex03_nearest_neighbour.class_separation(train, np.array([0, 1]), codes, labels)
    assert found["1-NN_macro_percent"] == 75  # the code at 3 is nearer to 0 than to 8
    # (b - a) / max(a, b): with a = 1, 1, 6, 6 and b = 6, 5, 8.5, 2.5
    assert found["silhouette"] == pytest.approx(np.mean([5 / 6, 4 / 5, 2.5 / 8.5, -3.5 / 6]))


def test_chance_is_binomial():
    chance = ex03_nearest_neighbour.chance_level(
        np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    )
    assert chance["hits"] == 2 * 0.75 + 2 * 0.25
    assert chance["sd"] == pytest.approx(np.sqrt(4 * 0.75 * 0.25))
    assert chance["images"].tolist() == [2, 2] + [0] * 8
    assert chance["right"].tolist() == [1, 2] + [0] * 8
    z = chance["z"]
    assert z[:2] == pytest.approx([-0.5 / np.sqrt(0.375), 1.5 / np.sqrt(0.375)])
    assert np.isnan(z[2:]).all()
    answer = ex03_nearest_neighbour.chance_answer(chance, np.array([1, 3]), 4)
    assert "above chance: 1 (+2.4), 0 (-0.8)." in answer
    assert "gave 2.0 (sd 1.4, 20 shuffles)" in answer
    assert answer.endswith("once in 740): 0, 1.")


# -- exercise 4


def test_the_kept_epoch_and_its_test_loss():
    curves = History(
        loss=[3.0, 2.0, 1.0], validation_loss=[0.5, 0.3, 0.4],
        measured={"test loss": [0.6, 0.5, 0.2], "test accuracy": [0.7, 0.8, 0.9]},
    )  # fmt: skip
    numbers = ex04_classifier.loss_numbers(curves)
    assert numbers["train_loss_by_epoch"] == [3, 2, 1]
    assert numbers["validation_loss_by_epoch"] == [0.5, 0.3, 0.4]
    assert numbers["test_loss_by_epoch"] == [0.6, 0.5, 0.2]
    assert numbers["best_epoch_on_validation"] == 2
    assert numbers["best_epoch_on_test"] == 3
    assert numbers["test_loss"] == 0.5  # not the lowest: nothing is chosen on the test images


def test_look_is_the_loss_and_the_accuracy_of_each_set():
    logits = np.array([[0.0, np.log(3)], [0, 0]])
    net = Formula(lambda x: logits[x.astype(int).ravel()])
    x = np.array([0.0, 1, 0, 0])
    found = ex04_classifier.look(
        net, {"a": (x, np.array([1, 0, 0, 1])), "b": (x[:1], np.array([0]))}
    )
    assert found["a accuracy"] == 0.75
    expected = (2 * np.log(4 / 3) + np.log(2) + np.log(4)) / 4
    assert found["a loss"] == pytest.approx(expected)
    assert found["b accuracy"] == 0
    labels = np.array([1, 0, 0, 1])
    assert found["a loss"] == pytest.approx(softmax_crossentropy(net.forward(x), labels)[0])


def test_accuracies_of_the_classifier_and_a_digit_without_images():
    labels = np.arange(9).repeat(4)  # no 9
    predicted = labels.copy()
    predicted[[28, 29, 30, 0]] = 9  # three of the 7s and one 0
    numbers = ex04_classifier.accuracy_numbers(labels, predicted)
    assert numbers["accuracy_percent"] == pytest.approx(100 * 32 / 36)
    p = 32 / 36
    assert numbers["accuracy_percent_standard_error"] == pytest.approx(
        100 * np.sqrt(p * (1 - p) / 36)
    )
    assert numbers["accuracy_percent_per_digit"][[0, 1, 7]].tolist() == [75, 100, 25]
    assert numbers["macro_percent"] == pytest.approx(800 / 9)
    answer = ex04_classifier.accuracy_answer(numbers, 36)
    assert "worst 7 with 25.0 %" in answer
    assert "nan" not in answer


def test_the_table_of_a_test_set_without_one_digit(monkeypatch, tmp_path):
    data = ten_greys()
    some = Dataset(data.x_train, data.y_train, data.x_test[:7], data.y_test[:7], "greys", "greys")
    settings = settings_for(monkeypatch, tmp_path, ex04_classifier, data=some)
    net = Formula(lambda x: np.eye(10)[np.rint(10 * x[:, 0, 0, 0]).astype(int)])
    monkeypatch.setattr(ex04_classifier, "trained", lambda settings: (net, None, "stamp"))
    ex04_classifier.table(settings)
    page = record(tmp_path, "ex04_table")
    assert page["numbers"]["accuracy_percent"] == 100
    assert page["numbers"]["accuracy_percent_per_digit"] == [100] * 7 + [None] * 3
    assert "nan" not in page["answers"][0][1]


def test_greys_are_what_they_are_called():
    assert greys([0.5, 1.0], side=2).tolist() == [[[[0.5]] * 2] * 2, [[[1]] * 2] * 2]

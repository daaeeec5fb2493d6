"""The numbers in the figures of exercises 2 to 4, measured where they can be worked out by hand."""

import numpy as np
import pytest

from exercises import ex02_latent_space, ex03_nearest_neighbour, ex04_classifier, ex04b_capacity
from exercises.common import Settings
from nnscratch.datasets import Dataset
from nnscratch.layers import Conv2D, MaxPooling2D, ReLU, Sequential
from nnscratch.losses import mse, softmax_crossentropy
from nnscratch.training import History
from tests.exercises.formulas import Formula, record, settings_for, ten_greys

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


def test_overlap_where_there_is_but_one_digit():
    codes, labels = np.array([[0.0, 1], [9, 0]]), np.array([4, 4])
    found = ex02_latent_space.overlap(codes, labels, codes, labels)
    assert found["confusion_rows_true"][4, 4] == 1
    assert found["silhouette_mean"] == 0
    assert found["most_confused_pairs"] == []
    assert (found["spearman_silhouette_accuracy"], found["spearman_p_value"]) == (0, 1)


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


def test_shuffled_codes_keep_how_many_there_are_of_each_digit():
    train, z = np.array([[0.0, 0], [9, 9]]), np.array([[1.0, 1], [2, 2], [8, 8]])
    labels, rng = np.array([5, 5, 6]), np.random.default_rng(0)
    hits = ex03_nearest_neighbour.shuffled_hits(train, np.array([5, 5]), z, labels, rng)
    assert hits.tolist() == [2] * 20
    hits = ex03_nearest_neighbour.shuffled_hits(train, np.array([5, 6]), z, labels, rng)
    assert sorted(set(hits)) == [0, 3]  # as they were, or the two exchanged


# -- exercise 4


def test_a_few_images_are_still_split_in_two(monkeypatch):
    data = ten_greys()
    few = data._replace(x_train=data.x_train[:5], y_train=data.y_train[:5])
    monkeypatch.setattr(ex04_classifier, "mnist32", lambda settings: few)
    (_, learn), (_, validate) = ex04_classifier.split.__wrapped__(Settings())
    assert (len(learn), len(validate)) == (4, 1)
    assert sorted([*learn, *validate]) == [0, 1, 2, 3, 4]


def test_nets_of_different_capacity_learn_from_the_same_few_images(monkeypatch):
    data = ten_greys()
    everything, validation = (data.x_train, data.y_train), (data.x_test[:2], data.y_test[:2])
    monkeypatch.setattr(ex04b_capacity, "mnist32", lambda settings: data)
    monkeypatch.setattr(ex04b_capacity, "split", lambda settings: (everything, validation))
    monkeypatch.setattr(ex04b_capacity, "LEARNED", 12)
    monkeypatch.setattr(ex04b_capacity, "MEASURED", 5)
    monkeypatch.setattr(ex04b_capacity, "look", lambda model, sets: sets)
    seen = []
    monkeypatch.setattr(ex04b_capacity, "train", lambda *a, measure: seen.append((*a, measure())))
    for name in ("16, dropout 0.3", ex04b_capacity.SQUARED):
        ex04b_capacity.curves(None, name, None, None)
    (_, file, _, loss, _, learn, watched, sets), squared = seen
    assert (file, loss) == ("capacity-16-dropout-0.3", softmax_crossentropy)
    np.testing.assert_array_equal(learn[1], [*range(10), 0, 1])
    assert watched is validation
    assert {name: y.tolist() for name, (_, y) in sets.items()} == {
        "train": [0, 1, 2, 3, 4], "validation": [0, 1], "test": [*range(10)],
    }  # fmt: skip
    assert squared[3] is mse
    np.testing.assert_array_equal(squared[5][1], np.eye(10)[[*range(10), 0, 1]])
    np.testing.assert_array_equal(squared[6][1], np.eye(10)[:2])
    assert squared[7]["test"][1].tolist() == [*range(10)]  # labels, to count what is right


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

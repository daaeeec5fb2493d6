"""Which images, nets and epochs the figures of exercise 4 rest on, and what they draw of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import ex04_classifier, ex04b_capacity
from exercises.common import Settings
from exercises.ex04b_capacity import SQUARED
from nnscratch.losses import softmax_crossentropy
from nnscratch.plotting import DIGIT_COLORS
from nnscratch.training import History
from tests.exercises.formulas import Formula, lines_drawn, published, settings_for, uneven_greys

PART_1 = ("x to learn from", "y to learn from")
PART_2 = ([1, 2, 3], [4, 5, 6])
CURVES = History(
    loss=[3.0, 2.0, 1.0, 0.5], validation_loss=[0.5, 0.25, 0.75, 0.625],
    measured={"test loss": [0.75, 0.625, 0.125, 0.375], "test accuracy": [0.7, 0.8, 0.9, 0.95]},
)  # fmt: skip


@pytest.fixture
def settings(monkeypatch, tmp_path):
    modules = (ex04_classifier, ex04b_capacity)
    return settings_for(monkeypatch, tmp_path, *modules, data=uneven_greys())


def test_the_classifier_learns_and_is_chosen_on_two_parts_and_measured_on_the_test(
    monkeypatch, settings
):
    calls, measured, data = [], [], uneven_greys()
    settings = Settings(seed=4)
    monkeypatch.setattr(ex04_classifier, "split", lambda _: (PART_1, PART_2))
    monkeypatch.setattr(ex04_classifier, "look", lambda *a: measured.append(a) or "looked")

    def train(*arguments, measure):
        calls.append((*arguments, measure()))
        return CURVES

    monkeypatch.setattr(ex04_classifier, "train", train)
    model, history, stamp = ex04_classifier.trained.__wrapped__(settings)
    ((given, name, net, loss, recipe, learned, validation, looked),) = calls
    assert (given, name, loss) == (settings, "classifier", softmax_crossentropy)
    assert (learned, validation, looked) == (PART_1, PART_2, "looked")
    assert recipe == ex04_classifier.recipe_for(settings)
    assert recipe.keep_best
    ((of, sets),) = measured
    assert of is net is model
    assert list(sets) == ["test"]
    np.testing.assert_array_equal(sets["test"][0], data.x_test)
    np.testing.assert_array_equal(sets["test"][1], data.y_test)
    for key, p in ex04_classifier.classifier(4).params.items():
        np.testing.assert_array_equal(net.params[key], p)
    assert history is CURVES
    assert stamp == f"{data.source}, 3 to validate on · classifier: {recipe} · seed 4"


@pytest.mark.parametrize(
    ("images", "quick", "classifier", "capacity"),
    [
        (60_000, False, "10 epochs, best epoch kept, Adam 0.002, cosine decay, batch 64",
         "10 epochs, Adam 0.001, batch 64"),
        (4000, False, "20 epochs, best epoch kept, Adam 0.002, cosine decay, batch 32",
         "8 epochs, Adam 0.001, batch 32"),
        (640, True, "2 epochs, best epoch kept, Adam 0.002, cosine decay, batch 32",
         "2 epochs, Adam 0.001, batch 32"),
    ],
)  # fmt: skip
def test_only_the_nets_that_shall_overfit_keep_their_rate(
    monkeypatch, images, quick, classifier, capacity
):
    for module in (ex04_classifier, ex04b_capacity):
        monkeypatch.setattr(module, "mnist32", lambda _: SimpleNamespace(x_train=range(images)))
    settings = Settings(quick=quick)
    assert str(ex04_classifier.recipe_for(settings)) == classifier
    assert str(ex04b_capacity.plain_recipe(settings)) == capacity
    decayed = ex04b_capacity.variants(settings)["16, weight decay 0.1"][1]
    assert str(decayed) == f"{capacity}, weight decay 0.1"
    assert ex04_classifier.recipe_for(Settings(epochs=3)).epochs == 3
    assert ex04b_capacity.plain_recipe(Settings(epochs=3)).epochs == 3


def test_the_split_is_drawn_from_the_seed(monkeypatch, settings):
    """A twelfth of 55 is 4; another seed takes others."""
    data, parts = uneven_greys(), {}
    for seed in (0, 1):
        learn, validate = ex04_classifier.split.__wrapped__(Settings(seed=seed))
        parts[seed] = validate[0][:, 0, 0, 0].tolist()
        greys = np.concatenate([learn[0], validate[0]])[:, 0, 0, 0]
        labels = np.concatenate([learn[1], validate[1]])
        order = np.argsort(greys)
        np.testing.assert_array_equal(greys[order], data.x_train[:, 0, 0, 0])
        np.testing.assert_array_equal(labels[order], data.y_train)
        assert len(validate[1]) == 4
    assert not set(parts[0]) & set(parts[1])


def test_figure_4_marks_the_kept_epoch_and_names_the_one_that_the_test_would_have_chosen(
    monkeypatch, settings
):
    pages = published(monkeypatch, ex04_classifier)
    monkeypatch.setattr(ex04_classifier, "trained", lambda _: (None, CURVES, "stamp"))
    ex04_classifier.figure_4(settings)
    page = pages["ex04_fig4"]
    (axis,) = page.figure.axes
    lines = lines_drawn(axis)
    assert lines["train"] == CURVES.loss
    assert lines["validation"] == CURVES.validation_loss
    assert lines["test"] == CURVES.measured["test loss"]
    assert lines["kept: best on validation, epoch 2"] == [0.25]
    assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"] == [2]
    assert lines["report, train"] == [0.0856, 0.0209]
    assert lines["report, test"] == [0.0757, 0.0496]
    assert list(axis.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert page.answers[0][1] == (
        "The validation loss is lowest in epoch 2, whose weights are kept: 0.2500, and 0.6250 on "
        "the test images. Chosen on the test images it would have been epoch 3 with 0.1250."
    )
    assert page.numbers == ex04_classifier.loss_numbers(CURVES)


def test_the_table_is_of_all_test_images(monkeypatch, settings):
    """A net that takes the 0 that comes last for a 9."""
    pages, data = published(monkeypatch, ex04_classifier), uneven_greys()
    predicted = np.append(data.y_test[:-1], 9)
    net = Formula(lambda x: np.eye(10)[predicted[np.rint(128 * x[:, 0, 0, 0] - 64).astype(int)]])
    monkeypatch.setattr(ex04_classifier, "trained", lambda _: (net, None, "stamp"))
    ex04_classifier.table(settings)
    page = pages["ex04_table"]
    assert page.numbers["accuracy_percent"] == pytest.approx(100 * 11 / 12)
    assert page.numbers["accuracy_percent_per_digit"] == pytest.approx([200 / 3, *9 * [100]])
    (axis,) = page.figure.axes
    assert [bar.get_height() for bar in axis.patches] == pytest.approx([100 / 3, *9 * [0]])
    assert [text.get_text() for text in axis.get_xticklabels()][:2] == ["0\n66.7 %", "1\n100.0 %"]
    lines = lines_drawn(axis)
    assert lines["all digits, here: 91.7 % right"] == pytest.approx(2 * [100 / 12])
    assert lines["all digits, report: 97.8 % right"] == pytest.approx(2 * [2.2])
    assert lines["all digits, course's own run: 97.2 % right"] == pytest.approx(2 * [2.8])
    assert page.answers[0][1].startswith("91.67 % of 12 test images (standard error")
    assert "worst 0 with 66.7 %" in page.answers[0][1]
    assert len(DIGIT_COLORS) == len(axis.patches)


def watched(name, steps=3):
    """Curves that differ between nets, sets and epochs."""
    base = len(name) / 64
    return {
        f"{of} {what}": [base + k / 8 + step / 128 for step in range(steps)]
        for k, (of, what) in enumerate(
            (of, what) for of in ("train", "validation", "test") for what in ("loss", "accuracy")
        )
    }


def test_nets_of_different_capacity_are_trained_and_counted_under_their_names(
    monkeypatch, settings
):
    module, calls = ex04b_capacity, []
    pages = published(monkeypatch, module)

    def curves(given, name, model, recipe):
        calls.append((given, name, model, recipe))
        return History(measured=watched(name))

    monkeypatch.setattr(module, "curves", curves)
    monkeypatch.setattr(module, "LEARNED", 40)
    monkeypatch.setattr(module, "draw", lambda *a: a)
    module.run(settings)
    page = pages["ex04_capacity"]
    nets = module.variants(settings)
    assert [call[1] for call in calls] == list(nets) == list(page.numbers)
    for given, name, model, recipe in calls:
        assert given is settings
        assert recipe == nets[name][1]
        assert model.layers[0].filters == nets[name][0].layers[0].filters
        filters = model.layers[0].filters
        size = 10 * filters + 3 * (9 * filters + 1) * filters + (4 * filters + 1) * 10
        numbers = page.numbers[name]
        assert numbers["parameters"] == size
        for key, values in watched(name).items():
            assert numbers[f"{key}_by_epoch"] == values
            assert numbers[key] == values[-1]
    histories, found = page.figure
    assert {name: history.measured for name, history in histories.items()} == {
        name: watched(name) for name in nets
    }
    assert found == {name: module.summary(histories[name]) for name in nets}
    assert "learn from the same 40 images" in page.caption
    assert page.stamp.startswith("12 + 55 greys, 40 learned from · 8 epochs, Adam 0.001, batch 32")
    capacity, improvement, loss = (answer for _, answer in page.answers)
    assert capacity == module.capacity_answer(found)
    assert improvement == module.improvement_answer(found)
    assert loss == module.loss_answer(found)


def test_all_images_are_learned_from_where_there_are_few(monkeypatch, settings):
    module = ex04b_capacity
    pages = published(monkeypatch, module)
    monkeypatch.setattr(module, "curves", lambda _, name, *__: History(measured=watched(name)))
    monkeypatch.setattr(module, "split", lambda _: (([0] * 51, None), None))
    monkeypatch.setattr(module, "draw", lambda *a: None)
    module.run(settings)
    assert "55 greys, 51 learned from" in pages["ex04_capacity"].stamp


def made_up():
    """What four nets came to, in round numbers."""
    rows = {  # train loss, test loss, test accuracy, best validation loss and epoch, test slope
        "4 filters": (0.3125, 0.75, 0.5, 0.25, 3, 0.0),
        "16 filters": (0.125, 0.5, 0.75, 0.375, 2, 0.5),
        "16, dropout 0.3": (0.25, 0.375, 0.875, 0.3125, 4, -0.5),
        SQUARED: (9, 9, 0.625, 0.01, 1, 1),
    }  # fmt: skip
    return {
        name: {
            "train loss": train, "test loss": test, "test accuracy": accuracy, "gap": test - train,
            "best_validation_loss": loss, "best_epoch": epoch, "test_slope_after_best": slope,
            "test_accuracy_at_best_epoch": accuracy + 0.0625, "train accuracy": accuracy + 0.125,
        }
        for name, (train, test, accuracy, loss, epoch, slope) in rows.items()
    }  # fmt: skip


def test_answers_compare_with_16_filters_and_leave_the_squared_error_out():
    found = made_up()
    capacity = ex04b_capacity.capacity_answer(found)
    assert capacity.startswith(
        "4 filters: cross-entropy 0.3125 train, 0.7500 test (gap +0.4375), accuracy 50.00 %; "
        "underfits: worse"  # than 0.25; not the 0.01 of another loss, nor a test loss
    )
    assert "16 filters: cross-entropy 0.1250 train" in capacity
    assert "overfits: after epoch 2" in capacity
    assert "dropout" not in capacity
    assert ex04b_capacity.improvement_answer(found) == (
        "Against 16 filters (gap +0.3750, test loss 0.5000, 75.00 %): 4 filters: gap +0.4375, test "
        "loss 0.7500, test accuracy 50.00 %; 16, dropout 0.3: gap +0.1250, test loss 0.3750, test "
        "accuracy 87.50 %. Stopping 16 filters at its best epoch, 2, gives 81.25 %."
    )
    loss = ex04b_capacity.loss_answer(found)
    assert "With it, 75.00 % of the test images" in loss
    assert loss.endswith("squared errors to one-hot labels gets 62.50 %, less.")
    found[SQUARED]["test accuracy"] = 0.75
    assert "75.00 %, which is no less" in ex04b_capacity.loss_answer(found)


def test_capacities_are_drawn_with_a_ring_at_the_best_epoch():
    found = made_up()
    histories = {name: History(measured=watched(name, 4)) for name in found}
    left, right = ex04b_capacity.draw(histories, found).axes
    lines = left.lines[:-1]  # the last one is for the legend
    names = [name for name in found if name != SQUARED]
    assert len(lines) == 3 * len(names)
    for k, name in enumerate(names):
        validation, train, ring = lines[3 * k : 3 * k + 3]
        assert validation.get_label() == name
        assert list(validation.get_ydata()) == watched(name, 4)["validation loss"]
        assert list(train.get_ydata()) == watched(name, 4)["train loss"]
        best = found[name]["best_epoch"]
        assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (
            best, watched(name, 4)["validation loss"][best - 1],
        )  # fmt: skip
    widths = [bar.get_width() for bar in right.patches]
    accuracies = [net["test accuracy"] for net in found.values()]
    wrong = [100 * (1 - a - 0.125) for a in accuracies] + [100 * (1 - a) for a in accuracies]
    assert widths == pytest.approx(wrong)
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["train", "test"]


def test_errors_on_both_sets_stand_side_by_side_at_each_net():
    found = made_up()
    figure = ex04b_capacity.draw(
        {name: History(measured=watched(name, 4)) for name in found}, found
    )
    _, right = figure.axes
    for bars, shift, label, key in zip(
        right.containers, (-0.2, 0.2), ("train", "test"), ("train accuracy", "test accuracy"),
        strict=True,
    ):  # fmt: skip
        assert bars.get_label() == label
        assert [bar.get_width() for bar in bars] == [100 * (1 - net[key]) for net in found.values()]
        middles = [bar.get_y() + bar.get_height() / 2 for bar in bars]
        assert middles == pytest.approx(np.arange(len(found)) + shift)
    assert [label.get_text() for label in right.get_yticklabels()] == list(found)
    assert right.get_ylim()[0] > right.get_ylim()[1]  # the first net on top

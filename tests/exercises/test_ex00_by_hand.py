"""What exercise 0 measures of trainings, and says of them, where it can be worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from exercises import ex00_backprop, ex00_comparison, ex00_training
from exercises.common import Settings
from exercises.ex00_nets import linear_decoder
from exercises.ex00_training import Outcome, RightNets
from exercises.ex00_view import Quantity
from nnscratch.datasets import Dataset
from nnscratch.losses import softmax_crossentropy
from tests.exercises.formulas import Formula, lines_drawn, published, uneven_greys


def runs(*ends):
    return [Outcome([0, 10], [2.0, end], 0.5 + end, True) for end in ends]


def right(*ends, epochs=2):
    return RightNets(None, uneven_greys(), epochs, 4, runs(*ends))


def finding(name, end, told=True, named=True, failed=("conv2d",), chain=False, places=(1,)):
    reports = [SimpleNamespace(subject=subject) for subject in failed]
    diagnosis = SimpleNamespace(
        failed=reports, named=named, hint=f"hint of {name}", whole=SimpleNamespace(ok=chain)
    )
    mistake = SimpleNamespace(
        name=name, sentence=f"Sentence of {name}.", places=places, net=None, words="the words"
    )
    return ex00_training.Finding(mistake, diagnosis, runs(end)[0], told, f"curve of {name}")


# -- the digits and the trainings


def test_the_first_images_of_each_set_are_halved(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random((9, 28, 28, 1), np.float32), np.arange(9)
    data = Dataset(x[:5], y[:5], x[5:], y[5:], "name", "source")
    monkeypatch.setattr(ex00_training, "mnist28", lambda _: data)
    monkeypatch.setattr(ex00_training, "TRAIN", 3)
    monkeypatch.setattr(ex00_training, "TEST", 2)
    found = ex00_training.digits(Settings())
    means = x.reshape(9, 14, 2, 14, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(found.x_train, means[:3], atol=1e-5)
    np.testing.assert_allclose(found.x_test, means[5:7], atol=1e-5)
    assert (found.y_train.tolist(), found.y_test.tolist()) == ([0, 1, 2], [5, 6])
    assert found.source == "source, of which 3 + 2 at 14 x 14"


class Counting(Formula):
    """Its logits favour one class by the number that it has been trained to."""

    def __init__(self):
        super().__init__(lambda x: np.tile([self.params["a"], 0.0], (len(x), 1)))
        self.params, self.grads, self.seen = {"a": np.zeros(())}, {"a": None}, []

    def backward(self, dy):
        self.seen.append(dy)
        self.grads["a"] = np.asarray(-1.0)


def test_a_training_is_watched_on_the_test_images(monkeypatch):
    """Each of six steps moves the number by the rate."""
    monkeypatch.setattr(ex00_training, "BATCH", 2)
    monkeypatch.setattr(ex00_training, "EVERY", 4)
    data = Dataset(np.arange(6.0), np.zeros(6, int), np.arange(4.0), np.array([0, 0, 0, 1]), "", "")
    batches = []

    def loss(y, labels):
        batches.append(labels)
        return 0.0, y

    outcome = ex00_training.train(Counting(), loss, data, 2, [0, 0])
    assert outcome.steps == [0, 4, 6]
    values = [
        softmax_crossentropy(np.tile([0.1 * step, 0.0], (4, 1)), data.y_test)[0]
        for step in outcome.steps
    ]
    assert outcome.losses == pytest.approx(values)
    assert (outcome.accuracy, outcome.finished, len(batches)) == (0.75, True, 6)


def test_images_come_in_another_order_in_each_epoch_and_run(monkeypatch):
    monkeypatch.setattr(ex00_training, "BATCH", 4)
    data = Dataset(np.arange(12.0), np.arange(12), np.arange(1.0), np.array([0]), "", "")

    def order_of(run):
        seen = []
        model, seed = Counting(), [0, run]
        ex00_training.train(model, lambda y, labels: (seen.extend(labels), y), data, 2, seed)
        return seen[:12], seen[12:]

    orders = [order_of(run) for run in (0, 1)]
    for epochs in orders:
        for epoch in epochs:
            assert sorted(epoch) == list(range(12))
    assert len({tuple(epoch) for epochs in orders for epoch in epochs}) == 4


def test_a_training_ends_where_its_loss_does():
    data = Dataset(np.zeros(1), np.array([0]), np.zeros(1), np.array([0]), "", "")
    model = Counting()
    model.params["a"][...] = np.nan
    assert ex00_training.train(model, None, data, 1, [0, 0]) == Outcome([], [], 0.0, False)


def test_right_nets_start_from_seeds_of_their_own_and_the_wrong_one_from_the_first(monkeypatch):
    calls = []

    def train(*a):
        calls.append(a)
        return runs(0.5)[0]

    monkeypatch.setattr(ex00_training, "train", train)
    monkeypatch.setattr(ex00_training, "digits", lambda _: "digits")
    monkeypatch.setattr(ex00_training, "to_train", lambda network, seed: (network, seed))
    found = ex00_training.right_nets(Settings(seed=4), "network")
    assert [seed for *_, seed in calls] == [[4, run] for run in range(8)]
    for model, loss, data, epochs, seed in calls:
        assert (model, loss, data, epochs) == (
            ("network", seed), softmax_crossentropy, "digits", 2,
        )  # fmt: skip
    assert (found.epochs, found.seed, len(found.runs)) == (2, 4, 8)
    assert ex00_training.right_nets(Settings(quick=True), "network").epochs == 1
    assert ex00_training.right_nets(Settings(quick=True, epochs=5), "network").epochs == 5

    monkeypatch.setattr(ex00_training, "plant", lambda model, mistake: ("wrong", model))
    monkeypatch.setattr(ex00_training, "diagnose", lambda *a: a)
    network = lambda *a: a  # noqa: E731
    wrong = SimpleNamespace(net=None, words="words")
    one = ex00_training.examine(wrong, RightNets(network, "digits", 3, 4, runs(0.5, 0.6)))
    small = (6, 2, 3, 0, np.float64)
    assert one.diagnosis == (small, ("wrong", small), "words")
    model, loss, data, epochs, seed = calls[-1]
    assert (model, loss) == ((network, [4, 0]), ("wrong", model))
    assert (data, epochs, seed) == ("digits", 3, [4, 0])


def test_a_search_goes_downhill_and_counts_the_images_that_get_nearer(monkeypatch):
    """The objective of an image falls by its gradient's square; that of the last one rises."""
    monkeypatch.setattr(ex00_training, "SEARCHED", 4)
    monkeypatch.setattr(ex00_training, "SEARCH_STEPS", 2)
    steps, given = [], []

    def objective(decoder, x, z):
        given.append((x, z.copy()))
        steps.append(len(steps))
        return np.array([8.0, 8, 8, 8]) + steps[-1] * np.array([-1, -2, -3, 1.0]), np.ones_like(z)

    data = uneven_greys()
    outcome = ex00_training.search(SimpleNamespace(input_shape=(3,)), objective, data, [0, 0])
    assert outcome == Outcome([0, 1, 2], [8, 8 - 5 / 4, 8 - 10 / 4], 0.75, True)
    np.testing.assert_array_equal(given[0][0], data.x_test[:4])
    assert given[0][1].shape == (4, 3)
    np.testing.assert_allclose(given[0][1] - given[2][1], 0.02)  # two steps of 0.01


def test_half_of_the_digits_is_enough():
    assert right(0.0, 0.25).learned  # accuracies 0.5 and 0.75
    assert not right(0.25, -0.01).learned


# -- numbers and words


def test_numbers_of_right_nets_and_of_a_mistake():
    nets = right(0.25, 0.3, 0.35)
    found = ex00_comparison.numbers_of_right(nets)
    assert found["steps"] == [0, 10]
    assert found["test_loss_by_run"] == [[2, 0.25], [2, 0.3], [2, 0.35]]
    assert found["accuracy_percent_by_run"] == pytest.approx([75, 80, 85])
    assert found["where_95_percent_end"] == nets.usual_end
    wrong = finding("a", 0.5, told=None, chain=True)
    assert ex00_comparison.numbers(wrong, nets) == {
        "mistake": "Sentence of a.", "wrong_parts": ["conv2d"], "named": True,
        "hint": "hint of a", "chain_passes": True, "steps": [0, 10], "test_loss": [2, 0.5],
        "accuracy_percent": 100, "loss_change_percent": 100, "told_by_the_loss": None,
        "curve": "curve of a",
    }  # fmt: skip
    searched = ex00_comparison.numbers_of_right(right(0.25, 0.3, epochs=0))
    assert "objective_fell_in_percent_by_run" in searched


def test_answers_count_what_was_found_named_hidden_and_told():
    found = [
        finding("a", 0.5), finding("b", 0.25, told=False, named=False),
        finding("c", 0.125, told=False, chain=True),
        finding("d", 1.0, named=False, places=(), failed=()),
    ]  # fmt: skip
    nets = right(0.25, 0.3, 0.35)
    named, chain, told = (answer for _, answer in ex00_comparison.answers(found, nets))
    assert named == "It finds 3 of 4 and names 2. Found but not named: b."
    assert chain.startswith("Of 3 mistakes in layers, the chain passes the check with 1 (c).")
    low, high = nets.usual_end
    assert told.startswith("Of 2 (a, d). Not of 2, whose loss ends")
    assert told.endswith(f"{low:.3f} to {high:.3f}): b 0.250, c 0.125.")
    unlearned = ex00_comparison.answers(found, right(-0.2, -0.3))
    assert unlearned[2][1] == "Nothing can be said: curve of a. Train longer, without --quick."


def test_what_the_checker_and_the_curve_do_in_words():
    say = ex00_comparison.what_the_checker_does
    assert say(finding("a", 0.5, failed=())) == "The checker does not find it."
    assert "in conv2d and loss, but" in say(
        finding("a", 0.5, named=False, failed=("conv2d", "loss"))
    )
    assert say(finding("a", 0.5)).endswith('in conv2d, and names it: "the words".')
    nets = right(0.25, 0.5)
    curve = ex00_comparison.what_the_curve_does
    assert curve(finding("a", 0.5), nets) == (
        "The loss curve tells of it: curve of a (+100 % against the right net of the same start)."
    )
    assert "does not tell of it: curve of a (-50 %" in curve(finding("a", 0.125, told=False), nets)
    assert curve(finding("a", 0.5, told=None), nets) == "The loss curve tells nothing: curve of a."


def test_stamps_of_trainings_and_searches():
    say = ex00_comparison.stamp
    assert say(right(0.5)) == "12 + 55 greys · 2 epochs, SGD 0.1, batch 32 · seed 4"
    assert "· 1 epoch, SGD" in say(right(0.5, epochs=1))
    assert say(right(0.5, epochs=0)) == "12 + 55 greys · 50 codes by gradient descent · seed 4"


def test_every_mistake_is_compared_with_the_right_nets_of_its_own(monkeypatch):
    module, pages = ex00_comparison, published(monkeypatch, ex00_comparison)
    one, two = finding("one", 0.5), finding("two", 0.5)
    two.mistake.net = "MAP"
    rights = {None: right(0.25, 0.3), "MAP": right(0.125, 0.3, epochs=0)}
    monkeypatch.setattr(module, "MISTAKES", {"one": one.mistake, "two": two.mistake})
    monkeypatch.setattr(module, "right_of_nets", lambda *a: rights)
    monkeypatch.setattr(
        module, "examine",
        lambda mistake, nets: {id(rights[None]): one, id(rights["MAP"]): two}[id(nets)],
    )  # fmt: skip
    monkeypatch.setattr(module, "draw", lambda *a: a)
    module.compare("settings", "network")
    page = pages["ex00_mistakes"]
    assert list(page.numbers) == ["right", "one", "two"]
    assert page.numbers["right"] == module.numbers_of_right(rights[None])
    assert page.numbers["one"]["loss_change_percent"] == 100
    assert page.numbers["two"]["loss_change_percent"] == 300
    assert page.figure == ([one, two], rights)
    assert page.answers == module.answers([one, two], rights[None])


def test_curves_are_drawn_with_the_right_net_of_the_same_start():
    nets, wrong = right(0.25, 0.3, 0.35), finding("a", 0.5)
    figure = ex00_comparison.draw([wrong], {None: nets})
    (axis,) = figure.axes
    lines = lines_drawn(axis)
    assert lines["right, from the same weights"] == [2, 0.25]
    assert lines["right, from other weights"] == [2, 0.35]
    assert lines["with the mistake"] == [2, 0.5]
    band = axis.patches[0].get_extents().transformed(axis.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx(nets.usual_end)
    said = [text.get_text() for text in axis.texts]
    assert said[:2] == ["checker: names it", "loss curve: tells"]
    assert "curve of a" in said[2]
    assert "checker: hint of a" in said[2]
    (axis,) = ex00_comparison.draw([finding("a", 0.5, None, False)], {None: nets}).axes
    said = [text.get_text() for text in axis.texts]
    assert said[:2] == ["checker: finds it, no name", "loss curve: no verdict"]


def test_the_panels_that_no_mistake_needs_are_blank_but_for_the_legend():
    nets = right(0.25, 0.3)
    found = [finding(name, 0.5) for name in "abcde"]
    axes = ex00_comparison.draw(found, {None: nets}).axes
    assert [axis.axison for axis in axes] == 5 * [True] + 3 * [False]
    assert [axis.get_legend() is not None for axis in axes] == 5 * [False] + [True, False, False]


# -- the passes


def quantity(name, difference):
    array = np.array([1.0, 2])
    return Quantity(name, array, array + 10, array + 10 - [difference, 0], "line", "line")


def test_the_largest_difference_leaves_kinks_out():
    moved = Quantity("a", None, np.array([1.0, 2, 3]), np.array([1.0, 2.5, np.nan]), "", "")
    assert (moved.difference, moved.kinks) == (0.5, 1)


def test_every_array_and_both_gradients_are_kept(monkeypatch):
    pages, found = published(monkeypatch, ex00_backprop), [quantity("a", 0.25), quantity("b", 0.5)]
    found.append(Quantity("c", np.zeros(2), np.ones(2), np.array([np.nan, 1]), "", ""))
    p = np.array([[0.125, 0.125, 0.75]])
    monkeypatch.setattr(ex00_backprop, "by_hand", lambda: ("net", "x"))
    monkeypatch.setattr(ex00_backprop, "passes", lambda *a: (found, 0.2877, p))
    monkeypatch.setattr(ex00_backprop, "draw_passes", lambda *a: a)
    ex00_backprop.figure_passes(Settings())
    page = pages["ex00_backprop"]
    numbers = page.numbers
    assert (numbers["loss_nats"], numbers["p"] is p, numbers["right_class"]) == (0.2877, True, "7")
    differences = numbers["largest_difference_to_the_numerical_gradient"]
    assert differences == {"a": 0.25, "b": 0.5, "c": 0}
    assert numbers["arrays"]["a"].tolist() == [1, 2]
    assert numbers["gradients"]["a"].tolist() == [11, 12]
    moved = numbers["numerical_gradients_without_kinks"]
    assert [moved[name].tolist() for name in "abc"] == [[10.75, 12], [10.5, 12], [None, 1]]
    assert "the chain rule is 5.0e-01, in db." in page.answers[0][1]
    assert "a probability of 0.750, so the loss is -log 0.750 = 0.288 nats" in page.answers[0][1]


def test_a_search_with_a_mistake_is_diagnosed_and_run_with_it(monkeypatch):
    monkeypatch.setattr(ex00_training, "diagnose_search", lambda *a: a)
    searched = []
    monkeypatch.setattr(ex00_training, "search", lambda *a: searched.append(a) or runs(0.5)[0])
    nets = RightNets(lambda *_: "decoder", uneven_greys(), 0, 4, runs(0.25, 0.3))
    mistake = SimpleNamespace(net="MAP", wrong="wrong", words="words")
    found = ex00_training.examine(mistake, nets)
    decoder, objective, x, words = found.diagnosis
    assert (decoder, objective, words) == ("decoder", "wrong", "words")
    assert x is nets.data.x_test
    assert searched == [("decoder", "wrong", nets.data, [4, 0])]


def test_codes_of_unit_spread_give_images_with_the_spread_of_the_training_images():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2, 4, 1)) * np.arange(1, 9).reshape(2, 4, 1) + 5
    decoder = linear_decoder(x, np.float64)
    W, b = decoder.params["0.dense.W"], decoder.params["0.dense.b"]
    np.testing.assert_allclose(b, x.reshape(40, 8).mean(axis=0))
    np.testing.assert_allclose(W.T @ W, np.cov(x.reshape(40, 8).T, bias=True))


@pytest.mark.parametrize(("points", "shown"), [(13, (0, 50, 100, 120)), (8, (0, 50, 70))])
def test_symptoms_are_printed_at_every_fifth_point_and_at_the_end(
    monkeypatch, capsys, points, shown
):
    """The end of the training with the mistake, which may have stopped sooner."""
    pages = published(monkeypatch, ex00_comparison)
    steps = [*range(0, 130, 10)]
    wrong = finding("a", 0.5, told=None)
    one = Outcome(steps[:points], [1.0] * points, 0.25, True)
    wrong = replace(wrong, outcome=one)
    nets = RightNets(None, uneven_greys(), 2, 4, [Outcome(steps, [2.0] * 13, 0.75, True)] * 2)
    monkeypatch.setattr(ex00_comparison, "right_of_nets", lambda *a: {None: nets})
    monkeypatch.setattr(ex00_comparison, "hidden_mistake", lambda number: wrong.mistake)
    monkeypatch.setattr(ex00_comparison, "examine", lambda *a: wrong)
    monkeypatch.setattr(ex00_comparison, "draw_symptoms", lambda *a: a)
    ex00_comparison.show_symptoms(Settings(), "network", 7, False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if len(line) == 3 and line[0].isdigit()]
    assert rows == [[str(step), "2", "1"] for step in shown]
    assert ["accuracy", "75.0", "%", "right,", "25.0", "%", "wrong"] in lines
    numbers = pages["ex00_hidden_7"].numbers
    assert numbers["wrong"] == {"steps": steps[:points], "test_loss": [1.0] * points}
    assert numbers["right"] == ex00_comparison.numbers_of_right(nets)

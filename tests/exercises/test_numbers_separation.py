"""What the separation exercises measure and say, on numbers small enough to do by hand."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from exercises import image_separation, image_separation_methods, image_separation_more_data
from exercises import image_separation_training as training
from exercises.common import Settings
from exercises.image_separation_data import Halves, scores
from exercises.trained import Recipe
from nnscratch.datasets import Dataset
from nnscratch.training import History

QUICK = Settings(data="embedded", quick=True)
rng = np.random.default_rng(0)


def pair(first, second):
    """One pair of grey images of 2 x 2 pixels, (1, 2, 2, 2)."""
    return np.stack([np.full((1, 2, 2), grey) for grey in (first, second)], axis=-1)


def test_scores_by_hand():
    """Images of grey 0 and 1, so the average is 0.5; three outputs, the last in wrong order."""
    both = np.concatenate([pair(0.0, 1.0)] * 3)
    average = np.full((3, 2, 2, 1), 0.5)
    outputs = np.concatenate([pair(0.0, 1.0), pair(0.1, 0.8), pair(1.0, 0.2)])
    found = scores(outputs, average, both)
    errors, better = (0 + 0.05 + 1.64), (0 + 0.05 + 0.04)
    assert found["error"] == pytest.approx(errors / 3)
    assert found["error_better_order"] == pytest.approx(better / 3)
    assert found["ratio"] == pytest.approx(errors / 3 / 0.5)
    assert found["ratio_better_order"] == pytest.approx(better / 3 / 0.5)
    assert found["order_kept_percent"] == pytest.approx(200 / 3)
    assert image_separation_more_data.error_of_the_average(found) == pytest.approx(0.5)


def found(ratio, better, kept):
    return {"ratio": ratio, "ratio_better_order": better, "order_kept_percent": kept}


def test_answer_about_unseen_pairs_follows_the_numbers():
    known, new = found(0.25, 0.25, 99.0), found(2.0, 1.5, 51.0)
    text = image_separation.explain(known, new, 1000)
    assert text.startswith("Which image counts as the first is known by heart, or not at all.")
    assert "99 % of the training pairs and in 51 % of the test pairs" in text
    assert "The error is 25 % and 200 % of what giving the average twice has" in text
    assert "25 % and 150 %." in text
    assert "does worse, even then" in text
    for pairs, by_heart in ((300, True), (400, True), (2600, False)):  # 50 +- 2 * 50 / sqrt(pairs)
        text = image_separation.explain(known, found(2.0, 1.5, 54.0), pairs)
        assert ("by heart" in text) is by_heart
    surely = image_separation.explain(known, found(0.9, 0.8, 60.0), 1000)
    assert "by heart" not in surely
    assert "even then" not in surely
    assert image_separation.explain(new, known, 1000).startswith("They are not worse.")


def test_images_never_seen_are_all_test_images_whatever_they_show(monkeypatch):
    labels, grey = np.repeat(np.arange(10), 4), np.arange(40.0).reshape(-1, 1, 1, 1)
    data = SimpleNamespace(x_train=grey, y_train=labels, x_test=-grey[:5], y_test=0 * labels[:5])
    monkeypatch.setattr(image_separation, "photographs", lambda settings: data)
    learned, unseen = image_separation.sets.__wrapped__(Settings(quick=True)).values()
    assert len(learned.first) == len(learned.second) == 20
    assert unseen.first.ravel().tolist() == [0, -2]
    assert unseen.second.ravel().tolist() == [-1, -3]


def test_methods_without_training_by_hand():
    """One training image a set; the mean images do not see the average."""
    learned = Halves(np.full((2, 2, 2, 1), 0.2), np.full((2, 2, 2, 1), 0.6))
    learned.first[1], learned.second[1] = 0.4, 1.0
    average = np.full((3, 2, 2, 1), 0.5)
    outputs = image_separation_methods.untrained(learned, average)
    np.testing.assert_allclose(outputs["average, twice"], 0.5)
    np.testing.assert_allclose(outputs["mean images"][..., 0], 0.3)
    np.testing.assert_allclose(outputs["mean images"][..., 1], 0.8)
    parts = outputs["linear map"]
    np.testing.assert_allclose(parts.mean(axis=-1), 0.5)


def test_each_method_is_scored_on_both_kinds_of_pairs(monkeypatch):
    pairs = {"train": (np.full((1, 2, 2, 1), 0.5), pair(0.0, 1.0)),
             "test": (np.full((1, 2, 2, 1), 0.25), pair(0.0, 0.5))}  # fmt: skip
    made = {"train": pair(0.0, 1.0), "test": pair(0.5, 0.0)}
    methods = image_separation_methods
    monkeypatch.setattr(methods, "evaluation_pairs", lambda _, which: pairs[which])
    monkeypatch.setattr(methods, "outputs_of_all", lambda _, which: {"net": made[which]})
    measured = methods.measured_methods(Settings(seed=4321))["net"]
    assert measured["train"]["error"] == 0
    assert measured["test"]["ratio"] == pytest.approx(0.5 / 0.125)
    assert measured["test"]["order_kept_percent"] == 0


@pytest.mark.parametrize(("linear", "lesson"), [(0.1, "none of the networks does as well"),
                                                (0.3, "the best network does better")])  # fmt: skip
def test_lesson_about_memory_follows_the_numbers(linear, lesson):
    def row(train):
        return {"train": {"error": train, "ratio": train}, "test": {"error": 1.5, "ratio": 1.5}}

    rows = {"U-Net": row(0.2), "autoencoder": row(0.4), "VAE": row(0.5), "linear map": row(linear)}
    assert lesson in image_separation_methods.which_is_best(rows)


def test_networks_of_all_sizes_meet_their_own_pairs_and_unseen_ones(monkeypatch):
    """Each "network" knows how many images it learned from; unseen images are all black."""
    module = image_separation_more_data
    x = np.linspace(0.1, 1, 400, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones(
        (1, 8, 8, 1), "f4"
    )
    data = Dataset(x, np.arange(400) % 10, x[:40], np.arange(40) % 10, "some", "some")
    black = Halves(0 * x[:20], 0 * x[:20])
    monkeypatch.setattr(module, "photographs", lambda settings: data)
    monkeypatch.setattr(module, "sets", lambda settings: {"test": black})
    monkeypatch.setattr(module, "unet", lambda shape, seed: "net")
    seen = []

    def train_on_pairs(settings, name, model, loss, recipe, view, learned, unseen):
        seen.append((name, len(learned.first), unseen is black))
        return History(loss=[0.5])

    def separate(model, view, average):
        dark = not average.any()
        return np.concatenate([average, average], axis=-1) + (1 if dark else 0)

    monkeypatch.setattr(module, "train_on_pairs", train_on_pairs)
    monkeypatch.setattr(module, "separate", separate)
    with np.errstate(divide="ignore"):  # the average of black images is no error
        results = module.measured(Settings(quick=True, seed=9876))
    assert seen == [("u-net-100-images", 50, True), ("u-net-200-images", 100, True)]
    for measured, history in results.values():
        assert measured["train"]["ratio"] == pytest.approx(1)
        assert measured["test"]["error"] == 2  # two images, each off by 1 in every pixel
        assert history.loss == [0.5]


def test_answer_about_more_data_follows_the_numbers():
    def measured(train, test):
        return {
            "train": {"error": train, "ratio": train, "ratio_better_order": train},
            "test": {"error": test, "ratio": test, "ratio_better_order": test / 2},
        }, None

    text = image_separation_more_data.answer({100: measured(0.3, 1.5), 9000: measured(1.2, 1.5)})
    assert "100 images: 30 % on their own pairs, 150 % on test pairs; 9,000 images: 120 %" in text
    assert "the test error is not lower" in text
    assert "75 % with 100 and 75 % with 9,000 images." in text
    assert "do not even teach it" in text
    text = image_separation_more_data.answer({100: measured(0.3, 1.5), 9000: measured(1.0, 1.0)})
    assert "do not even teach it" not in text
    assert "below 100 % it is never" in text


def test_hours_count_a_smaller_last_batch_as_a_step(monkeypatch):
    """Three passes of 2, 3 and 4 seconds: the last one counts."""
    clock = iter([0, 2, 2, 5, 5, 9])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))

    class Idle:
        input_shape, dtype = (2, 2, 1), np.dtype("f4")

        def forward(self, x, training):
            assert x.shape == (16, 2, 2, 1)
            return x

        def backward(self, dy):
            return dy

    assert training.hours(Idle(), Recipe(1e-3, 16, 9), 33) == 9 * 3 * 4 / 3600

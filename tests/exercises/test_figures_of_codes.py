"""Which codes, labels and images the figures of exercises 2, 3 and 5 rest on, and draw."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgba_array

from exercises import ex02_latent_space, ex03_nearest_neighbour, ex04b_capacity, ex05_generator
from exercises.alive_start import IMAGES, TRIAL_ITERATIONS
from exercises.common import Settings
from exercises.timing import GALLERY
from nnscratch.datasets import Dataset
from nnscratch.plotting import DIGIT_COLORS
from nnscratch.randomness import stream
from tests.exercises.formulas import (
    Formula,
    greys,
    greys_drawn,
    painter,
    published,
    settings_for,
    uneven_greys,
)

MODULES = (ex02_latent_space, ex03_nearest_neighbour, ex05_generator)
TRAIN_CODES = np.random.default_rng(1).random((55, 2)).astype(np.float32)
TEST_CODES = np.random.default_rng(2).random((12, 2)).astype(np.float32) + 1


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """Under which the decoder is a painter and the codes are those above."""
    model = SimpleNamespace(encoder="encoder", decoder=painter(2))
    for module in MODULES:
        monkeypatch.setattr(module, "trained", lambda _: (model, None, "stamp"))
        monkeypatch.setattr(module, "codes", lambda _: (TRAIN_CODES, TEST_CODES))
    return settings_for(monkeypatch, tmp_path, *MODULES, data=uneven_greys())


def scattered(axis):
    """The points (N, 2) and colours of the scatter in a diagram."""
    (points,) = axis.collections
    return np.asarray(points.get_offsets()), points.get_facecolors()[:, :3]


def color_of(digits):
    """As `scattered` has them."""
    return to_rgba_array(DIGIT_COLORS)[digits, :3]


def by_place(points, colors):
    """In an order that does not depend on that of drawing."""
    order = np.lexsort(points.T)
    return points[order], colors[order]


def assert_scattered(axis, codes, labels):
    for found, wanted in zip(
        by_place(*scattered(axis)), by_place(codes, color_of(labels)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


# -- exercise 2


def test_codes_are_those_of_the_encoder_training_images_first(monkeypatch):
    model = SimpleNamespace(encoder=Formula(lambda x: 2 * x[:, :1, :, :]), decoder=None)
    monkeypatch.setattr(ex02_latent_space, "trained", lambda _: (model, None, "stamp"))
    monkeypatch.setattr(ex02_latent_space, "mnist32", lambda _: uneven_greys())
    train, test = ex02_latent_space.codes.__wrapped__(Settings())
    data = uneven_greys()
    for z, x in ((train, data.x_train), (test, data.x_test)):
        np.testing.assert_array_equal(z, 2 * x[:, 0, :, 0])


def test_figure_3_shows_each_set_with_its_own_labels_and_shares(monkeypatch, settings):
    pages, seen, data = published(monkeypatch, ex02_latent_space), [], uneven_greys()
    train = TRAIN_CODES.copy()
    train[:11, 0], train[11:33, 1] = 0, 0
    monkeypatch.setattr(ex02_latent_space, "codes", lambda _: (train, TEST_CODES))
    shares = np.array([0.125, 0.25])

    def clipping(encoder, x):
        seen.append((encoder, x))
        return {
            "share_exactly_0": shares, "share_of_maxima_not_above_0_before_the_relu": shares,
            "share_exactly_0_without_the_relu": 0 * shares,
        }  # fmt: skip

    monkeypatch.setattr(ex02_latent_space, "clipping", clipping)
    ex02_latent_space.figure_3(settings)
    page = pages["ex02_fig3"]
    ((encoder, x),) = seen
    assert encoder == "encoder"
    np.testing.assert_array_equal(x, data.x_test)
    assert page.numbers["test"]["share_exactly_0"] is shares
    assert page.numbers["train_share_exactly_0"].tolist() == [0.2, 0.4]
    left, right = page.figure.axes
    assert_scattered(left, TEST_CODES, data.y_test)
    assert_scattered(right, train, data.y_train)
    assert [axis.get_title() for axis in (left, right)] == [
        "12 test images; exactly 0 on axis 1 and 2: 12.5 % and 25.0 %",
        "55 training images; exactly 0 on axis 1 and 2: 20.0 % and 40.0 %",
    ]
    assert page.answers[0][1].startswith("12.50 % and 25.00 % of the test codes")
    assert "0.00 % and 0.00 % would be exactly 0" in page.answers[0][1]


def test_overlap_is_that_of_test_codes_and_ranked_from_the_clearest_cluster_on(
    monkeypatch, settings
):
    pages, seen, data = published(monkeypatch, ex02_latent_space), [], uneven_greys()
    scores = np.array([0.1, 0.9, -0.2, 0, 0.5, 0.4, 0.3, 0.2, np.nan, -0.5])
    mistaken = np.arange(100).reshape(10, 10) / 100

    def overlap(*arrays):
        seen.extend(arrays)
        return {
            "silhouette_per_digit": scores, "confusion_rows_true": mistaken,
            "most_confused_pairs": [("4 and 9", 0.25), ("3 and 5", 0.125)],
            "spearman_silhouette_accuracy": 0.75, "spearman_p_value": 0.0625,
        }  # fmt: skip

    monkeypatch.setattr(ex02_latent_space, "overlap", overlap)
    ex02_latent_space.overlap_figure(settings)
    page = pages["ex02_overlap"]
    for found, wanted in zip(
        seen, (TRAIN_CODES, data.y_train, TEST_CODES, data.y_test), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    answer = page.answers[0][1]
    assert "overlap below 0: 1 (+0.90), 4 (+0.50), 5 (+0.40)" in answer
    assert "9 (-0.50). Most" in answer  # and not the 8, of which there is none
    assert "either taken for the other: 4 and 9 25 %; 3 and 5 12 %" in answer
    assert answer.endswith("a rank correlation of 0.75 (p = 0.06).")
    left, right, _ = page.figure.axes
    assert [bar.get_width() for bar in left.patches] == pytest.approx(scores, nan_ok=True)
    assert np.asarray(right.images[0].get_array()) == pytest.approx(100 * mistaken)
    assert right.texts[57].get_text() == "57"
    assert right.texts[57].get_position() == (7, 5)  # a row is a true digit


# -- exercise 3


def test_table_1_counts_the_first_thousand_and_all(monkeypatch, settings):
    """Codes are numbers on a line; the test images are right but for one, the last."""
    module, pages = ex03_nearest_neighbour, published(monkeypatch, ex03_nearest_neighbour)
    y_train = np.array([0] * 6 + [1] * 2)
    y_test = np.array([1] * 250 + [0] * 750 + [1] * 200)
    train_codes = np.stack([np.arange(8), np.zeros(8)], axis=1)
    test_codes = np.where(y_test == 1, 7.1, 1.1)[:, None] * [1, 0]
    test_codes[-1], test_codes[0] = 0, 0
    data = Dataset(None, y_train, None, y_test, "", "")
    monkeypatch.setattr(module, "mnist32", lambda _: data)
    monkeypatch.setattr(module, "codes", lambda _: (train_codes, test_codes))
    shuffled = []
    monkeypatch.setattr(
        module, "shuffled_hits", lambda *a: shuffled.append(a) or np.array([500, 502])
    )
    module.run(Settings(seed=3))
    page = pages["ex03_table1"]
    numbers = page.numbers
    few, everything = ("first_1000", "first_1200")
    assert numbers[f"micro_percent_{few}"] == pytest.approx(99.9)
    assert numbers[f"micro_percent_{everything}"] == pytest.approx(100 * 1198 / 1200)
    assert numbers[f"macro_percent_{few}"] == pytest.approx((100 + 99.6) / 2)
    per_digit = numbers[f"accuracy_percent_per_digit_{everything}"]
    assert per_digit[:2] == pytest.approx([100, 100 * 448 / 450])
    chance = numbers["chance"]
    assert chance["hits"] == 750 * 6 / 8 + 250 * 2 / 8  # of the first thousand
    assert chance["right"].tolist() == [750, 249, *8 * [0]]
    assert numbers["shuffled_codes_hits"].tolist() == [500, 502]
    ((z, y, tested, labels, rng),) = shuffled
    assert (z is train_codes, y is y_train) == (True, True)
    np.testing.assert_array_equal(tested, test_codes[:1000])
    np.testing.assert_array_equal(labels, y_test[:1000])
    same = stream(3, "shuffled labels")
    assert rng.bit_generator.state == same.bit_generator.state
    (axis,) = page.figure.axes
    words = [str(line.get_label()) for line in axis.lines]
    assert f"chance, {(750 * 6 / 8 + 250 * 2 / 8) / 10:.1f} %" in words
    assert {"report, 42.8 %", "course's own run, 35.4 %"} < set(words)  # as the page says
    assert "macro 42.8 %" in page.theirs
    assert axis.lines[-1].get_ydata()[0] == pytest.approx(62.5)
    assert "bars: first 1,000 test images, 99.8 %" in words
    assert "paler bars: first 1,200 test images, 99.8 %" in words
    heights = [bar.get_height() for bar in axis.patches]
    assert heights[:2] == pytest.approx([100, 99.6])
    assert heights[10:12] == pytest.approx([100, 100 * 448 / 450])
    assert page.answers[0][1].startswith("Chance gives 625.0 of 1,000 (sd")


def test_table_1_of_a_few_images_has_one_row(monkeypatch, settings):
    pages = published(monkeypatch, ex03_nearest_neighbour)
    ex03_nearest_neighbour.run(settings)
    numbers, data = pages["ex03_table1"].numbers, uneven_greys()
    assert [key for key in numbers if key.startswith("macro")] == ["macro_percent_first_12"]
    apart = ((TEST_CODES[:, None] - TRAIN_CODES) ** 2).sum(axis=-1)
    right = data.y_train[apart.argmin(axis=1)] == data.y_test
    assert numbers["micro_percent_first_12"] == pytest.approx(100 * right.mean())
    p = np.arange(1, 11) / 55
    assert numbers["chance"]["hits"] == pytest.approx(p.sum() + 2 * p[0])


# -- exercise 5


def test_the_grid_reaches_over_the_test_codes_and_is_measured_among_the_training_codes(
    monkeypatch, settings
):
    pages, seen = published(monkeypatch, ex05_generator), []
    measured = {"what": "was measured"}
    monkeypatch.setattr(ex05_generator, "measure_grid", lambda *a: seen.append(a) or measured)
    drawn = []
    monkeypatch.setattr(ex05_generator, "draw_tiles", lambda *a: drawn.append(a))
    monkeypatch.setattr(ex05_generator, "tiles_answer", str)
    ex05_generator.run(settings)
    figure_5, tiles = pages["ex05_fig5"], pages["ex05_tiles"]
    for axis in (0, 1):
        found = figure_5.numbers[f"axis_{axis + 1}"]
        z = TEST_CODES[:, axis]
        np.testing.assert_allclose(found, np.linspace(z.min(), z.max(), 15), rtol=1e-6)
    ((_, images, grid, codes),) = seen
    assert codes is TRAIN_CODES
    horizontal, vertical = (figure_5.numbers[f"axis_{axis}"] for axis in (1, 2))
    np.testing.assert_array_equal(grid, ex05_generator.grid_of_codes(horizontal, vertical))
    np.testing.assert_allclose(images[..., 0, 0], np.tile(horizontal, (15, 1)), rtol=1e-6)
    assert tiles.numbers is measured
    assert tiles.answers[0][1] == str(measured)
    assert drawn == [(measured, horizontal, vertical)]
    left, right = figure_5.figure.axes
    assert greys_drawn(figure_5.figure) == pytest.approx([horizontal[0]])
    assert_scattered(right, TEST_CODES, uneven_greys().y_test)
    assert right.get_xlim() == left.get_xlim()
    assert right.get_ylim() == left.get_ylim()


def test_tiles_are_read_by_the_judge_and_compared_with_training_images(monkeypatch, settings):
    data, seen = uneven_greys(), []
    monkeypatch.setattr(
        ex05_generator, "read_digits", lambda _, x: (x[:, 0, 0, 0], x[:, 1, 1, 0] + 1)
    )
    monkeypatch.setattr(ex05_generator, "measure_tiles", lambda *a: seen.extend(a))
    images = greys(np.arange(6), side=2)[..., 0].reshape(2, 3, 2, 2)
    ex05_generator.measure_grid(settings, images, "grid", "codes")
    assert seen[0] is images
    assert (seen[1], seen[4]) == ("grid", "codes")
    assert [seen[2].tolist(), seen[3].tolist()] == [[*range(6)], [*range(1, 7)]]
    np.testing.assert_array_equal(seen[5], data.y_train)
    np.testing.assert_array_equal(seen[6], data.x_train)


def test_confidence_is_drawn_against_distance_and_against_purity():
    measured = {
        "labels": np.array([[1, 2], [3, 4]]), "confidences": np.array([[0.5, 0.6], [0.7, 0.8]]),
        "distances": np.array([[5.0, 6], [7, 8]]), "purities": np.array([[0.1, 0.2], [0.3, 0.4]]),
        "spearman_distance_confidence": -0.5, "spearman_purity_confidence": 0.25,
    }  # fmt: skip
    figure = ex05_generator.draw_tiles(measured, np.array([0.0, 1]), np.array([0.0, 1]))
    left, middle, right = figure.axes
    for axis, values in ((middle, "distances"), (right, "purities")):
        points, colors = scattered(axis)
        assert points == pytest.approx(
            np.stack([measured[values].ravel(), measured["confidences"].ravel()], axis=1)
        )
        np.testing.assert_allclose(colors, color_of([1, 2, 3, 4]))
    assert [axis.get_title() for axis in (middle, right)] == [
        "rank correlation -0.50", "rank correlation +0.25",
    ]  # fmt: skip
    assert "distance" in middle.get_xlabel()
    assert "share" in right.get_xlabel()
    assert [text.get_text() for text in left.texts] == ["1", "2", "3", "4"]


def test_distances_of_tiles_are_medians_and_the_middle_is_read_both_ways():
    measured = {
        "confidences": np.array([[1.0, 0.95, 1], [0.5, 0.5, 0.5], [0, 0, 0.9]]),
        "labels": np.arange(9).reshape(3, 3), "sure_tiles": 3,
        "distances": np.array([[1.0, 2, 9], [3, 4, 5], [6, 7, 80]]),
        "tiles_per_digit": np.array([1, 0, 2, *7 * [0]]),
        "spearman_distance_confidence": -0.5, "spearman_distance_p_value": 0.0625,
        "spearman_purity_confidence": 0.25, "spearman_purity_p_value": 0.5,
    }  # fmt: skip
    answer = ex05_generator.tiles_answer(measured)
    assert answer.startswith("3 of 9 tiles are read with a confidence above 0.9: 2 (2), 0 (1);")
    assert "2.000 for these, 5.500 for the others" in answer
    assert "is -0.50 (p = 0.06)" in answer
    assert "has +0.25 (p = 0.5)" in answer
    assert "read as 3 4 5, along the middle column, from the top down, as 7 4 1." in answer


def in_gallery(name):
    return json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))


def test_sizes_are_those_that_the_figures_of_the_gallery_were_made_with():
    captions = {
        "ex01_dead_starts": (f"all of {IMAGES} images", f"through {TRIAL_ITERATIONS} iterations"),
        "ex01_inside": (f"all of {IMAGES} training images",),
        "ex04_capacity": (
            f"on {ex04b_capacity.MEASURED:,} (or all)", f"{ex04b_capacity.LEARNED:,} images",
        ),
        "ex05_tiles": (f"among the {ex05_generator.NEIGHBOURS} nearest",),
    }  # fmt: skip
    for name, words in captions.items():
        for part in words:
            assert part in in_gallery(name)["caption"], name
    numbers = in_gallery("ex05_fig5")["numbers"]
    assert len(numbers["axis_1"]) == len(numbers["axis_2"]) == ex05_generator.STEPS
    assert len(in_gallery("ex03_table1")["numbers"]["shuffled_codes_hits"]) == 20

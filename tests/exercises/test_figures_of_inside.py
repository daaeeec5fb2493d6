"""Which images and nets the figures of the inside of the autoencoder rest on, and draw."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import ex01c_inside
from exercises.ex01c_view import COLUMNS, TILE, Strip, draw_flow, draw_strips
from nnscratch.profiling import LayerProfile
from tests.exercises.formulas import (
    FIRST_OF_EACH,
    lines_drawn,
    published,
    settings_for,
    uneven_greys,
)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    return settings_for(monkeypatch, tmp_path, ex01c_inside, data=uneven_greys())


def test_the_digit_inside_is_a_test_image_and_dead_channels_are_those_of_training_images(
    monkeypatch, settings
):
    module, seen = ex01c_inside, {}
    pages, data = published(monkeypatch, module), uneven_greys()
    monkeypatch.setattr(module, "IMAGES", 7)
    monkeypatch.setattr(module, "trained", lambda _: ("net", None, "stamp"))
    monkeypatch.setattr(module, "activations", lambda net, x: {"of": (net, x)})
    monkeypatch.setattr(
        module, "dead_channels", lambda net, x: seen.update(net=net, images=x) or {"a.relu": [2]}
    )
    monkeypatch.setattr(
        module, "inside_numbers", lambda made, x, dead: {"made": made, "x": x, "dead": dead}
    )
    monkeypatch.setattr(module, "strips", lambda *a: seen.update(strips=a))
    monkeypatch.setattr(module, "draw_strips", lambda strips, title: title)
    monkeypatch.setattr(module, "answer_dead", lambda net, dead: str((net, dead)))
    module.figure_inside(settings)
    page = pages["ex01_inside"]
    numbers, four = page.numbers, FIRST_OF_EACH[4]
    assert (numbers["digit"], numbers["test_index"]) == (4, four)
    assert numbers["training_images_to_find_dead_channels"] == 7
    assert seen["net"] == "net"
    np.testing.assert_array_equal(seen["images"], data.x_train[:7])
    np.testing.assert_array_equal(numbers["x"], data.x_test[[four]])
    assert numbers["made"]["of"] == ("net", numbers["x"])
    assert seen["strips"] == ("net", numbers["x"], numbers["made"], {"a.relu": [2]})
    assert numbers["dead"] == {"a.relu": [2]}
    assert page.answers[0][1] == "('net', {'a.relu': [2]})"
    assert page.figure.startswith(f"A 4, test image {four},")


def row(name, gradient=None, output_gradient=1.0, multiply_adds=0, dead=0.0):
    """Of a ReLU, unless it has a gradient of its own."""
    return LayerProfile(
        name, (2,), 0, multiply_adds, 1.0, 1.0, None, None, gradient, output_gradient,
        dead if gradient is None else None,
    )  # fmt: skip


def test_the_way_back_is_measured_on_training_images_before_and_after(monkeypatch, settings):
    module, calls = ex01c_inside, []
    pages, data = published(monkeypatch, module), uneven_greys()
    monkeypatch.setattr(module, "IMAGES", 6)
    monkeypatch.setattr(module, "trained", lambda _: ("trained", None, "stamp"))
    monkeypatch.setattr(module, "alive_seed", lambda _: 7000)
    monkeypatch.setattr(module, "autoencoder", lambda seed: f"net {seed}")
    monkeypatch.setattr(module, "draw_flow", list)
    monkeypatch.setattr(module, "answer_gradient", list)

    def profile(net, x, loss):
        calls.append((net, x, loss))
        norm = 4.0 * len(calls)
        return [row("a.0.conv2d", norm, 2 * norm, 30), row("a.1.relu", None, 3 * norm, dead=0.25)]

    monkeypatch.setattr(module, "profile", profile)
    module.figure_gradient_flow(settings)
    page = pages["ex01_gradient_flow"]
    assert [net for net, _, _ in calls] == ["net 7000", "trained"]
    for _, x, loss in calls:
        np.testing.assert_array_equal(x, data.x_train[:6])
        assert loss(x + 1)[0] == pytest.approx(1)
    assert page.numbers == {
        "training_images": 6,
        "multiply_adds_an_image": {"a.0.conv2d": 30},
        **{
            when: {
                "parameter_gradient_norm": {"a.0.conv2d": norm},
                "output_gradient_norm": {"a.0.conv2d": 2 * norm, "a.1.relu": 3 * norm},
                "dead_channels_percent": {"a.1.relu": 25},
            }
            for when, norm in (("at the start", 4), ("after training", 8))
        },
    }
    assert page.figure == page.answers[0][1] == ["at the start", "after training"]


def test_flow_is_drawn_in_percent():
    def rows(scale):
        return [
            row("a.0.conv2d", 1.0 * scale, 9.0, 3), row("a.1.relu", None, 2.0 * scale, dead=0.5),
            row("a.2.conv2d", 4.0 * scale, 9.0, 1), row("a.3.relu", None, 8.0 * scale, dead=0.25),
        ]  # fmt: skip

    figure = draw_flow({"before": rows(1), "after": rows(10)})
    weights, outputs, dead, work = figure.axes
    assert lines_drawn(weights) == {"before": [1, 4], "after": [10, 40]}
    assert lines_drawn(outputs) == {"before": [2, 8], "after": [20, 80]}
    assert [bar.get_height() for bar in dead.patches] == [50, 25, 50, 25]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in dead.patches]
    assert middles == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [bar.get_height() for bar in work.patches] == [75, 25]
    assert [axis.get_yscale() for axis in figure.axes] == ["log", "log", "linear", "linear"]


def test_strips_stand_below_each_other_with_their_scales_and_crosses():
    tall = Strip("a", [np.eye(2), np.zeros((2, 1))], 3.0, "0 to 3", dead=[1])
    signed = Strip("b", [np.eye(2)], 2.0, "±2", signed=True)
    (axis,) = draw_strips([tall, signed], "title").axes
    first, half, second = axis.images
    assert first.get_extent() == [0, TILE, TILE, 0]
    assert half.get_extent() == pytest.approx([1, 1 + TILE / 2, TILE, 0])  # as wide as its array
    assert second.get_extent() == [0, TILE, 1 + TILE, 1]
    assert [image.get_clim() for image in axis.images] == [(0, 3), (0, 3), (-2, 2)]
    assert [image.get_cmap().name for image in axis.images] == ["gray", "gray", "RdBu_r"]
    crosses = [(*line.get_xdata(), *line.get_ydata()) for line in axis.lines]
    assert crosses == [(1, 1 + TILE, 0, TILE), (1, 1 + TILE, TILE, 0)]
    notes = [(text.get_text(), *text.get_position()) for text in axis.texts]
    assert notes == [("0 to 3", 2.1, TILE / 2), ("±2", 1.1, 1 + TILE / 2)]
    assert axis.get_ylim() == (2, 0)  # the first strip is the upper one
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]
    assert len(axis.get_xticks()) == COLUMNS


def test_dead_channels_are_counted_among_all_channels(monkeypatch):
    layers = [(name, SimpleNamespace(built_shape=(4, 4, 16))) for name in ("a.relu", "b.relu")]
    monkeypatch.setattr(ex01c_inside, "leaves", lambda model: layers)
    say = ex01c_inside.answer_dead
    assert say(None, {"a.relu": [3, 5], "b.relu": []}).startswith(
        "2 of the 32 channels after a ReLU (a.relu: 3, 5)."
    )
    assert say(None, {"a.relu": [], "b.relu": []}).startswith("None of the 32 channels")


def test_strips_name_size_scale_and_code():
    names = ["encoder.1.relu", "encoder.13.relu", "decoder.2.relu", "decoder.14.relu"]
    made = {
        "encoder.1.relu": np.arange(16.0).reshape(1, 4, 2, 2),
        "encoder.13.relu": np.array([[1.0, 2], [0, 3]]).reshape(1, 2, 2, 1),
        "encoder.14.maxpooling2d": np.array([1.0, 3]).reshape(1, 1, 2, 1),
        "decoder.2.relu": np.full((1, 2, 3, 1), 0.5), "decoder.14.relu": np.ones((1, 4, 2, 1)),
    }  # fmt: skip
    W = np.stack([np.tri(3), -2 * np.eye(3)], axis=-1)[:, :, None]
    filters = {f"{name}.W": W for name in ("encoder.0.conv2d", "decoder.13.conv2dtranspose")}
    model, x = SimpleNamespace(params=filters), np.zeros((1, 4, 2, 1))
    found = ex01c_inside.strips(model, x, made, {name: [k] for k, name in enumerate(names)})
    assert [(strip.label.replace("\n", ": "), strip.note, strip.largest) for strip in found] == [
        ("input: 32 x 32", "0 to 1", 1), ("encoder.0.conv2d: filters, 3 x 3", "±2.00", 2),
        ("encoder.1.relu: 4 x 2", "0 to 15.00", 15),
        ("encoder.13.relu, 2 x 2: and the code, 1 x 2", "code (1.00, 3.00)", 3),
        ("decoder.2.relu: 2 x 3", "0 to 0.50", 0.5),
        ("decoder.13.conv2dtranspose: filters, 3 x 3", "±2.00", 2),
        ("output: 32 x 32", "0 to 1", 1),
    ]  # fmt: skip
    assert [strip.dead for strip in found] == [(), (), [0], [1], [2], (), [3]]
    assert [strip.signed for strip in found].count(True) == 2
    np.testing.assert_array_equal(found[1].tiles[0], np.tri(3))
    np.testing.assert_array_equal(found[2].tiles[1], made["encoder.1.relu"][0, ..., 1])

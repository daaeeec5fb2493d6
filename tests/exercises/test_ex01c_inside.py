"""What is said of the inside of the autoencoder, on networks whose inside is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from exercises import ex01_autoencoder, ex01c_inside
from exercises.common import Settings, mnist32
from exercises.ex01c_view import draw_flow, draw_strips
from nnscratch.losses import mse
from nnscratch.profiling import LayerProfile, profile

QUICK = Settings(data="embedded", quick=True)
FIGURES = ("ex01_inside", "ex01_gradient_flow")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """What a quick run leaves behind: its settings, and the record of each figure."""
    settings = replace(QUICK, out=tmp_path_factory.mktemp("out"))
    ex01c_inside.run(settings)
    paths = [settings.out / f"{name}.json" for name in FIGURES]
    return settings, *[json.loads(path.read_text(encoding="utf-8")) for path in paths]


def planted():
    """An autoencoder whose second ReLU has two dead channels."""
    model = ex01_autoencoder.autoencoder(0)
    model.params["encoder.3.conv2d.b"][[5, 11]] = -100
    return model


def row(name, gradient=None, output_gradient=1.0, multiply_adds=0):
    """Of a ReLU, unless it has a gradient of its own."""
    dead = 0.0 if gradient is None else None
    return LayerProfile(
        name, (2,), 0, multiply_adds, 1.0, 1.0, None, None, gradient, output_gradient, dead
    )


def test_figures_and_numbers(quick):
    settings, inside, flow = quick
    for name in FIGURES:
        assert np.asarray(Image.open(settings.out / f"{name}.png").convert("L")).std() > 10
    model = ex01_autoencoder.trained(settings)[0]
    data = mnist32(settings)
    x = data.x_test[[inside["numbers"]["test_index"]]]
    assert data.y_test[inside["numbers"]["test_index"]] == inside["numbers"]["digit"]
    assert inside["numbers"]["code"] == pytest.approx(model.encoder.forward(x).ravel(), rel=1e-4)
    assert inside["numbers"]["mse_[-1,1]"] == pytest.approx(4 * mse(model.forward(x), x)[0])
    assert sum(flow["numbers"]["multiply_adds_an_image"].values()) == model.multiply_adds()
    assert not any("ms" in key.split("_") for key in flow["numbers"])  # times differ between runs


@pytest.mark.parametrize("when", [ex01c_inside.START, ex01c_inside.END])
def test_norms_are_those_of_the_gradients_that_training_sees(quick, when):
    settings, _, flow = quick
    model = ex01_autoencoder.trained(settings)[0]
    if when == ex01c_inside.START:
        model = ex01_autoencoder.autoencoder(ex01_autoencoder.alive_seed(settings))
    x = mnist32(settings).x_train[:256]
    model.backward(mse(model.forward(x, training=True), x)[1])
    measured = flow["numbers"][when]["parameter_gradient_norm"]
    assert len(measured) == 10
    for name, norm in measured.items():
        both = [model.grads[f"{name}.{key}"].ravel() for key in "Wb"]
        assert norm == pytest.approx(np.linalg.norm(np.concatenate(both)), rel=1e-3)


def test_planted_dead_channels_are_reported(quick, monkeypatch, tmp_path):
    settings = replace(quick[0], out=tmp_path)
    monkeypatch.setattr(ex01c_inside, "trained", lambda settings: (planted(), None, "planted"))
    ex01c_inside.figure_inside(settings)
    record = json.loads((tmp_path / "ex01_inside.json").read_text(encoding="utf-8"))
    assert record["numbers"]["dead_channels"]["encoder.4.relu"] == [5, 11]
    ((_, answer),) = record["answers"]
    assert "encoder.4.relu: 5, 11" in answer


def test_both_figures_have_the_same_dead_channels():
    x = mnist32(QUICK).x_train[:32]
    rows = profile(planted(), x)
    shares = ex01c_inside.norms(rows)["dead_channels_percent"]
    assert shares["encoder.4.relu"] == pytest.approx(100 * 2 / 16)
    channels = {r.name: r.output_shape[-1] for r in rows}
    assert shares == pytest.approx({
        name: 100 * len(dead) / channels[name]
        for name, dead in ex01c_inside.dead_channels(planted(), x).items()
    })  # fmt: skip


def test_a_network_that_is_all_dead_is_drawn():
    model = ex01_autoencoder.autoencoder(0)
    for key, p in model.params.items():
        if key.endswith(".b"):
            p[...] = -100
    x = mnist32(QUICK).x_train[:8]
    dead = ex01c_inside.dead_channels(model, x)
    assert sum(map(len, dead.values())) == 130
    made = ex01c_inside.activations(model, x[:1])
    figure = draw_strips(ex01c_inside.strips(model, x[:1], made, dead), "dead")
    figure.canvas.draw()
    assert len(figure.axes[0].lines) == 2 * 130  # a cross each


def test_strips_show_what_the_layers_make():
    model, x = planted(), mnist32(QUICK).x_test[:1]
    dead = ex01c_inside.dead_channels(model, mnist32(QUICK).x_train[:256])
    made = ex01c_inside.activations(model, x)
    np.testing.assert_allclose(made["decoder.14.relu"], model.forward(x), atol=1e-6)
    strips = {s.label.split()[0]: s for s in ex01c_inside.strips(model, x, made, dead)}
    assert len(strips) == 13
    for name in ("encoder.0.conv2d", "decoder.13.conv2dtranspose"):
        W = model.params[f"{name}.W"]
        for channel, tile in enumerate(strips[name].tiles):
            np.testing.assert_array_equal(tile, W[:, :, 0, channel])
        assert abs(W).max() == strips[name].largest
    y = made["encoder.4.relu"][0]  # (16, 16, 16)
    assert strips["encoder.4.relu"].dead == [5, 11]
    for channel, tile in enumerate(strips["encoder.4.relu"].tiles):
        np.testing.assert_array_equal(tile, y[:, :, channel])
    narrow, code = strips["encoder.13.relu,"].tiles
    np.testing.assert_array_equal(narrow.max(axis=0), code[0])
    figure = draw_strips(list(strips.values()), "title")
    figure.canvas.draw()
    assert len(figure.axes[0].images) == sum(len(s.tiles) for s in strips.values())


def test_words_on_the_gradient_are_right():
    rows = [row("a", gradient=0.5), row("b", output_gradient=2.0), row("c", output_gradient=1.0),
            row("d", output_gradient=4.0), row("e", gradient=10.0)]  # fmt: skip
    answer = ex01c_inside.answer_gradient({"at the start": rows})
    assert "At the start" in answer
    assert "0.05 times the norm" in answer
    assert "0.25, on the way from d to c" in answer
    still = [row("a", 0.0), row("b", output_gradient=0.0), row("c", output_gradient=0.0)]
    assert "1 times" in ex01c_inside.answer_gradient({"dead": still})


def test_words_on_the_work_are_right():
    rows = [row("a", multiply_adds=10), row("b", multiply_adds=60), row("c", multiply_adds=30)]
    assert ex01c_inside.answer_work(rows).startswith("90 % of the 100 multiply-adds for an image")


def test_flow_has_a_place_for_each_layer():
    rows = [row("a.0.conv2d", 1.0, multiply_adds=3), row("a.1.relu"), row("a.2.conv2d", 2.0),
            row("a.3.relu")]  # fmt: skip
    figure = draw_flow({"before": rows, "after": rows})
    weights, outputs, dead, _ = figure.axes
    assert [text.get_text() for text in weights.get_xticklabels()] == ["a.0", "a.2"]
    assert [text.get_text() for text in outputs.get_xticklabels()] == ["a.1", "a.3"]
    assert list(weights.lines[0].get_ydata()) == [1.0, 2.0]
    assert len(dead.patches) == 4

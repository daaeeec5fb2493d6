"""What the figures from exercise 6 on show: lines, bars, pictures and the numbers beside them."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    ex06_denoising,
    ex07_vae,
    ex07b_latent_space,
    ex07c_nats,
    ex08_denoising,
    ex08b_map,
)
from exercises.ex06_denoising import AE_NOISY, CLEAN, CLIPPED, NOISY, PCA_NOISY
from nnscratch.training import History
from tests.exercises.formulas import (
    bars_drawn,
    greys_drawn,
    halving_autoencoder,
    lines_drawn,
    painter,
    published,
    settings_for,
    ten_greys,
)

TEN = pytest.approx(np.arange(10) / 10)


def texts(axis):
    """What is written into a diagram, as numbers and words."""
    return [text.get_text().strip() for text in axis.texts]


def titles(figure, n=10):
    return [axis.get_title() for axis in figure.axes[:n]]


# -- exercise 6


def test_bars_of_the_denoisers():
    rows = {
        name: {"accuracy": place / 4, "mse_[-1,1]": place / 2, "mse_[0,1]": 9.0, "psnr_db": place}
        for place, name in enumerate((NOISY, AE_NOISY, CLEAN), 1)
    }  # fmt: skip
    left, right = ex06_denoising.draw(rows).axes[:2]
    assert bars_drawn(left) == [[0.5, 1]]
    assert texts(left) == ["0.500 · 1.0 dB", "1.000 · 2.0 dB"]
    assert bars_drawn(right) == [[25, 50, 75]]
    assert texts(right) == ["25.0 %", "50.0 %", "75.0 %"]
    (upper,) = left.child_axes
    assert upper._functions[0](4.0) == 1
    assert upper._functions[1](1.0) == 4


def test_pictures_of_figure_6(monkeypatch, tmp_path):
    module = ex06_denoising
    settings = settings_for(monkeypatch, tmp_path, module)
    pages = published(monkeypatch, module)
    clean = ten_greys().x_test
    images = {NOISY: clean + 1, AE_NOISY: clean / 2, CLEAN: clean, CLIPPED: 7, PCA_NOISY: 8}
    monkeypatch.setattr(module, "versions", lambda settings: images)
    monkeypatch.setattr(module, "stamp", lambda settings: "stamp")
    backwards = np.arange(10)[::-1]
    monkeypatch.setattr(module, "ten_digits", lambda data: backwards)
    monkeypatch.setattr(
        module, "read_digits", lambda settings, x: (np.rint(20 * x[:, 0, 0, 0]).astype(int), None)
    )
    module.figure_6(settings)
    figure = pages["ex06_fig6"].figure
    rows = np.reshape(greys_drawn(figure), (3, 10))
    for row, expected in zip(rows, (clean + 1, clean / 2, clean), strict=True):
        assert row == pytest.approx(expected[backwards, 0, 0, 0])
    assert titles(figure)[:2] == ["MSE 0.810\nread as 9", "MSE 0.640\nread as 8"]


# -- exercise 7


def test_pictures_of_figure_7(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07_vae)
    pages = published(monkeypatch, ex07_vae)
    monkeypatch.setattr(ex07_vae, "trained", lambda _: (halving_autoencoder(), None, "stamp"))
    monkeypatch.setattr(ex07_vae, "ten_digits", lambda data: np.arange(10)[::-1])
    ex07_vae.figure_7(settings)
    figure = pages["ex07_fig7"].figure
    upper, lower = np.reshape(greys_drawn(figure), (2, 10))
    assert upper[::-1] == TEN
    assert 2 * lower[::-1] == TEN
    assert titles(figure)[:2] == ["MSE 0.810", "MSE 0.640"]


def test_lines_of_figure_8(monkeypatch, tmp_path):
    settings = settings_for(monkeypatch, tmp_path, ex07_vae)
    pages = published(monkeypatch, ex07_vae)
    curves = {
        "train reconstruction": [40.0, 30.0], "train kl": [1.0, 2.0],
        "test reconstruction": [50.0, 45.0], "test kl": [3.0, 4.0],
    }  # fmt: skip
    history = History(loss=[0.0, 0.0], measured=curves)
    monkeypatch.setattr(ex07_vae, "trained", lambda settings: (None, history, "stamp"))
    ex07_vae.figure_8(settings)
    left, right = pages["ex07_fig8"].figure.axes
    assert lines_drawn(left) == {
        "total, 2,000 train images": [42.56, 35.12], "SSE, 2,000 train images": [40, 30],
        "total, test images": [57.68, 55.24], "SSE, test images": [50, 45],
    }  # fmt: skip
    assert lines_drawn(right) == {"KL, 2,000 train images": [1, 2], "KL, test images": [3, 4]}
    assert left.lines[0].get_xdata().tolist() == [1, 2]


def test_planes_and_generators_are_drawn_beside_each_other(monkeypatch, tmp_path):
    module = ex07b_latent_space
    settings = settings_for(monkeypatch, tmp_path, module)
    pages = published(monkeypatch, module)
    vae, ae = np.stack([np.arange(10.0), np.zeros(10)], axis=1), np.eye(10)[:, :2] + 50
    model = SimpleNamespace(decoder=painter(2))
    monkeypatch.setattr(module, "codes", lambda settings: (None, vae))
    monkeypatch.setattr(module.ex02_latent_space, "codes", lambda settings: (None, ae))
    monkeypatch.setattr(module, "trained", lambda settings: (model, None, "stamp"))
    module.figure_9(settings)
    left, right = pages["ex07_fig9"].figure.axes[:2]
    assert left.collections[0].get_offsets().min() == 0
    assert right.collections[0].get_offsets().min() == 50
    assert [patch.radius for patch in left.patches] == [1, 2]
    module.figure_10(settings)
    left, right = pages["ex07_fig10"].figure.axes
    for axis, first, last in ((left, -3, 3), (right, 0, 9)):
        picture = np.asarray(axis.images[0].get_array())
        assert (picture[0, 0], picture[0, -1]) == (first, last)
    results = {
        name: {"tiles_per_digit": place * np.arange(10), "1-NN_macro_percent": 10.0 * place,
               "silhouette": 0.0, "image_mse": np.array([[0.5, 1.5]]) * place,
               "sure_tiles": place, "digits_covered": np.arange(place)}
        for place, name in enumerate(("AE", "VAE", "prior"), 1)
    }  # fmt: skip
    monkeypatch.setattr(module, "measured_generators", lambda settings: results)
    module.comparison(settings)
    left, middle, right = pages["ex07_comparison"].figure.axes
    assert bars_drawn(left) == [[k * d for d in range(10)] for k in (1, 2, 3)]
    assert bars_drawn(middle) == [[10, 20, 30]]
    assert bars_drawn(right) == [[1, 2, 3]]


def test_bars_of_the_nats(monkeypatch, tmp_path):
    module = ex07c_nats
    settings = settings_for(monkeypatch, tmp_path, module, ex07_vae)
    pages = published(monkeypatch, module)
    x = ten_greys().x_test
    monkeypatch.setattr(module, "image_sets", lambda settings: {"a": (x, x), "b": (x, x)})
    monkeypatch.setattr(module, "train", lambda *_: None)
    found = iter(({"reconstruction": 100.0, "kl": 7.0}, {"reconstruction": 120.0, "kl": 9.0}))
    monkeypatch.setattr(module, "nats", lambda *_: next(found))
    module.run(settings)
    (axis,) = pages["ex07_nats"].figure.axes
    assert bars_drawn(axis) == [[100, 120], [7, 9]]
    second = axis.containers[1]
    assert [bar.get_x() for bar in second] == [100, 120]
    assert texts(axis) == ["107.0", "129.0"]


# -- exercise 8


def test_bars_of_the_denoising_table(monkeypatch, tmp_path):
    module = ex08_denoising
    settings = settings_for(monkeypatch, tmp_path, module)
    pages = published(monkeypatch, module)
    clean = ten_greys().x_test
    names = ("MAP, w = 2.56", "VAE-16 of noisy, w = 2.56", "control: noisy to clean, w = 2.56")
    shifts = np.tile([0.0, 0.5], 5).reshape(10, 1, 1, 1).astype(np.float32)
    images = {name: clean + k * shifts for k, name in enumerate(names, 1)}
    monkeypatch.setattr(module, "cleaned", lambda settings: images)
    monkeypatch.setattr(module, "trained", lambda *_: (None, "stamp"))
    module.table(settings)
    (axis,) = pages["ex08_table"].figure.axes
    assert bars_drawn(axis) == [pytest.approx([0.5, 2, 4.5])]
    assert texts(axis) == ["0.5000", "2.0000", "4.5000"]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(names)


def test_pictures_and_lines_of_map(monkeypatch, tmp_path):
    module = ex08b_map
    settings = settings_for(monkeypatch, tmp_path, module)
    pages = published(monkeypatch, module)
    clean = ten_greys().x_test
    z = np.full((10, 16), 0.5, np.float32)
    rows = np.array([90.0, 64, 63])[:, None] * np.ones((1, 10))
    found = SimpleNamespace(trace=rows, z=z, objective=rows[-1], evaluations=3)
    monkeypatch.setattr(module, "noisy", lambda settings: clean + 1)
    monkeypatch.setattr(module, "trained", lambda *_: (SimpleNamespace(decoder=painter()), "stamp"))
    monkeypatch.setattr(module, "searched", lambda settings, solver="adam": found)
    monkeypatch.setattr(module, "map_estimate", lambda *_, **__: found)
    monkeypatch.setattr(module, "clean_by_map", lambda settings, model, x, beta: x - 1 + beta)
    module.figure_12(settings)
    noisy, drawn, ideal = np.reshape(greys_drawn(pages["ex08_fig12"].figure), (3, 10))
    assert noisy - 1 == TEN
    assert (drawn == 0.5).all()
    assert ideal == TEN
    assert titles(pages["ex08_fig12"].figure)[0] == "MSE 1.000"
    module.figure_13(settings)
    (axis,) = pages["ex08_fig13"].figure.axes
    floor = "expected squared noise, 640"
    assert lines_drawn(axis) == {
        "Adam, to 630.0": [900, 640, 630], "L-BFGS, to 630.0": [900, 640, 630], floor: [640, 640]
    }  # fmt: skip
    words = [text.get_text() for text in axis.get_legend().get_texts()]
    assert words == list(lines_drawn(axis))
    module.beta_figure(settings)
    (axis,) = pages["ex08_beta"].figure.axes
    errors = [4 * (f / 16) ** 2 for f in ex08b_map.FACTORS]
    lines = lines_drawn(axis)
    for w in ("2.56", "0.5"):
        assert lines[f"VAE-16 with w = {w}"] == pytest.approx(errors, rel=1e-5, abs=1e-7)
    assert axis.lines[-1].get_xdata() == [1, 1]
    module.inpainting_figure(settings)
    pictures = [
        np.asarray(p.get_array())[[0, -1], 0]
        for axis in pages["ex08_inpainting"].figure.axes for p in axis.images
    ]  # fmt: skip
    half = np.reshape(pictures, (5, 10, 2))[0]
    assert half[:, 0] == TEN
    assert (half[:, 1] == 0.5).all()  # the grey of what is missing
    np.testing.assert_allclose(np.reshape(pictures, (5, 10, 2))[[1, 3]], 0.5)

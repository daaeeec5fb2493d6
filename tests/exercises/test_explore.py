"""The window of `exercises.explore`, sent events as a window system would, without a display."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backend_bases import CloseEvent, KeyEvent, MouseEvent, ResizeEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from exercises import explore
from exercises.common import Settings
from exercises.ex06_denoising import NOISE_SD
from exercises.ex08b_map import ITERATIONS
from exercises.explore import MODELS, STEPS, Explorer, Subject
from exercises.explore_view import CLEAN, CODE, ENCODED, NEIGHBOUR, PATH
from nnscratch.datasets import Dataset
from nnscratch.layers import Conv2DTranspose, Dense, ReLU, Reshape, Sequential, UpSampling2D
from nnscratch.map_inference import map_estimate
from nnscratch.optimizers import Adam

CHECKOUT = Path(__file__).parents[2]


class Idle(FigureCanvasAgg):
    """Draws as a whole only when told to, to save time; a toolkit does it when it is idle."""

    def draw_idle(self):
        pass


class WithoutBlit(FigureCanvasAgg):
    """As WebAgg and Cairo are."""

    supports_blit = False


def digits():
    """Grey noise with labels; nobody has to recognise it."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 8, 8, 1), np.float32), np.arange(60) % 10
    return Dataset(x[:40], y[:40], x[40:], y[40:], "noise", "noise")


def subject(d=2, beta=0.125):
    """An untrained decoder of d latents; of three, latents 0 and 2 vary most."""
    blow_up = [UpSampling2D(2), Conv2DTranspose(4, 3), ReLU(), UpSampling2D(2)]
    if d == 0:  # codes of the shape that the autoencoder has
        layers = [UpSampling2D((2, 1)), *blow_up, Conv2DTranspose(1, 3)]
        decoder, d = Sequential(layers, (1, 2, 1), seed=2), 2
    else:
        layers = [Dense(12), ReLU(), Reshape((2, 2, 3)), *blow_up, Conv2DTranspose(1, 3)]
        decoder = Sequential(layers, (d,), seed=2)
    spread = np.array([4, 1, 3], np.float32)[:d]
    projection = spread * np.random.default_rng(1).standard_normal((64, d), np.float32) / 4
    return Subject(decoder, lambda x: (x - 0.5).reshape(len(x), 64) @ projection, beta, digits(),
                   "a stamp")  # fmt: skip


def explorer(d=2, beta=0.125, canvas=Idle):
    figure = Figure(figsize=(9, 5))
    canvas(figure)
    window = Explorer(figure, subject(d, beta), seed=0)
    figure.canvas.draw()
    return window


def send(window, name, x, y, **which):
    """An event at a place of the plane, in its coordinates."""
    canvas = window.figure.canvas
    event = MouseEvent(name, canvas, *window.view.plane.transData.transform((x, y)), **which)
    canvas.callbacks.process(name, event)
    return event


def move(window, x, y):
    return send(window, "motion_notify_event", x, y)


def click(window, x, y, button=1):
    return send(window, "button_press_event", x, y, button=button)


def escape(window):
    canvas = window.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, "escape"))


def picture(window):
    return np.array(window.figure.canvas.buffer_rgba())


def shown(window, panel):
    return np.asarray(window.view.images[panel].get_array())


def nearest(codes, z):
    return np.linalg.norm(codes - z, axis=1).argmin()


@pytest.mark.parametrize("d", [0, 2, 3])
def test_pointer_shows_what_the_decoder_makes_of_the_code_below(d):
    window = explorer(d)
    decoder, data = window.subject.decoder, window.subject.data
    assert len(window.view.sliders) == (d if d > 2 else 0)
    for x, y in [(0.3, -0.2), (-0.5, 0.4)]:
        before = window.z.copy()
        event = move(window, x, y)
        assert (event.xdata, event.ydata) == pytest.approx((x, y))
        z = before
        z[window.latents] = event.xdata, event.ydata
        np.testing.assert_array_equal(window.z, z)
        image = decoder.forward(z.reshape(1, *decoder.input_shape))[0, ..., 0]
        np.testing.assert_array_equal(shown(window, 0), image)
        i = nearest(window.train_codes, z)
        assert window.nearest == i
        np.testing.assert_array_equal(shown(window, 1), data.x_train[i, ..., 0])
        distance = np.linalg.norm(window.train_codes[i] - z)
        assert window.view.titles[1].get_text() == f"a {data.y_train[i]}, {distance:.2f} away"
        for name, code in ((CODE, z), (NEIGHBOUR, window.train_codes[i])):
            xy = window.view.marks[name].get_xydata()
            np.testing.assert_array_equal(xy, code[None, window.latents])


def test_pointer_outside_the_plane_changes_nothing():
    window = explorer(3)
    move(window, 0.3, -0.2)
    z, before = window.z.copy(), picture(window)
    canvas = window.figure.canvas
    places = [(-3, -3), window.view.images[0].axes.bbox.get_points().mean(axis=0)]
    for x, y in [*places, window.view.sliders[0].ax.bbox.get_points().mean(axis=0)]:
        event = MouseEvent("motion_notify_event", canvas, x, y)
        assert event.inaxes is not window.view.plane
        canvas.callbacks.process("motion_notify_event", event)
    np.testing.assert_array_equal(window.z, z)
    np.testing.assert_array_equal(picture(window), before)


def test_sliders_move_every_latent_and_follow_the_pointer():
    window = explorer(3)
    assert window.latents.tolist() == [0, 2]
    assert window.view.plane.get_xlabel() == "latent 1 of 3"
    event = move(window, 0.5, -0.25)
    values = [slider.val for slider in window.view.sliders]
    np.testing.assert_array_equal(np.float32(values), window.z)
    assert np.float32([event.xdata, event.ydata]).tolist() == np.float32(values)[[0, 2]].tolist()
    decoder = window.subject.decoder
    for k, slider in enumerate(window.view.sliders):
        z = window.z.copy()
        z[k] = 0.125 * (k + 1)
        slider.set_val(0.125 * (k + 1))
        np.testing.assert_array_equal(window.z, z)
        np.testing.assert_array_equal(shown(window, 0), decoder.forward(z[None])[0, ..., 0])
        assert window.nearest == nearest(window.train_codes, z)


def by_hand(decoder, x, start, beta, rate, iterations):
    """The same search, with all gradients and nothing left out."""
    z, optimizer = start.reshape(1, *decoder.input_shape).copy(), Adam(rate)
    for _ in range(iterations):
        dz = decoder.backward(2 * (decoder.forward(z) - x)) + 2 * beta * z
        optimizer.step({"z": z}, {"z": dz})
    return z.ravel()


@pytest.mark.parametrize(("d", "beta"), [(0, 0.0), (2, 0.125), (3, 0.125)])
def test_click_searches_as_map_estimate_does(d, beta):
    window = explorer(d, beta)
    decoder, data = window.subject.decoder, window.subject.data
    params = {key: p.copy() for key, p in decoder.params.items()}
    below = window.z.copy()
    event = click(window, 0.2, 0.3)
    below[window.latents] = event.xdata, event.ydata
    assert window.target == nearest(window.test_codes, below)
    noisy, start = window.search.x, window.path[0]
    assert (start == window.train_codes).all(axis=1).any()
    np.testing.assert_array_equal(shown(window, 2), noisy[..., 0])
    np.testing.assert_array_equal(shown(window, 3), data.x_test[window.target, ..., 0])
    np.testing.assert_array_equal(window.z, start)

    ticks, places = 5, [start[window.latents]]
    for _ in range(ticks):
        window.tick()
        places.append(window.z[window.latents].copy())
    objectives = window.search.objectives
    assert len(objectives) == ticks * STEPS
    assert objectives[-1] < objectives[0]
    if decoder.input_shape == (d,):
        found = map_estimate(
            decoder, noisy[None], start[None, None], beta, iterations=ticks * STEPS,
            learning_rate=window.learning_rate,
        )  # fmt: skip
        np.testing.assert_array_equal(window.z, found.z[0])
        np.testing.assert_allclose(objectives, found.trace[:-1, 0], rtol=1e-5)
    expected = by_hand(decoder, noisy, start, beta, window.learning_rate, ticks * STEPS)
    np.testing.assert_allclose(window.z, expected, rtol=1e-4, atol=1e-5)

    np.testing.assert_array_equal(window.view.marks[PATH].get_xydata(), places)
    np.testing.assert_array_equal(window.view.curve.get_ydata(), objectives)
    image = decoder.forward(window.z.reshape(1, *decoder.input_shape))[0]
    np.testing.assert_array_equal(shown(window, 0), image[..., 0])
    for panel, seen in ((0, image), (2, noisy)):
        error = 4 * ((seen - data.x_test[window.target]) ** 2).mean()
        assert window.view.titles[panel].get_text() == f"MSE {error:.3f}"
    assert window.view.titles[4].get_text() == f"iteration {ticks * STEPS} of {ITERATIONS:,}"
    for name, code in (
        (ENCODED, window.subject.encode(noisy[None])[0]),
        (CLEAN, window.test_codes[window.target]),
    ):
        xy = window.view.marks[name].get_xydata()
        np.testing.assert_allclose(xy, code[None, window.latents])
    for key, p in decoder.params.items():
        np.testing.assert_array_equal(p, params[key])


def test_noise_is_that_of_the_exercises():
    window = explorer()
    noises = []
    for _ in range(30):
        click(window, 0.1, 0.1)
        noises.append(window.search.x - window.subject.data.x_test[window.target])
    assert np.std(noises) == pytest.approx(NOISE_SD, rel=0.05)
    assert np.mean(noises) == pytest.approx(0, abs=0.02)
    assert not np.array_equal(noises[0], noises[1])


def test_another_click_starts_again_and_the_pointer_waits():
    window = explorer()
    click(window, 0.2, 0.3)
    first = window.search
    window.tick()
    z = window.z.copy()
    move(window, -0.4, -0.4)
    np.testing.assert_array_equal(window.z, z)
    click(window, -0.4, -0.4)
    assert window.search is not first
    assert window.search.objectives == []
    assert window.view.marks[PATH].get_xydata().shape == (1, 2)
    window.tick()
    assert len(window.search.objectives) == STEPS
    assert len(first.objectives) == STEPS


@pytest.mark.parametrize("leave", [escape, lambda window: click(window, 0, 0, button=3)])
def test_leaving_a_search(leave):
    window = explorer(3)
    before = picture(window)
    click(window, 0.2, 0.3)
    window.tick()
    assert not np.array_equal(picture(window), before)
    leave(window)
    assert window.search is None
    np.testing.assert_array_equal(picture(window), before)
    window.tick()  # the timer's last may come late
    np.testing.assert_array_equal(picture(window), before)
    event = move(window, 0.25, 0.5)
    assert window.z[window.latents].tolist() == np.float32([event.xdata, event.ydata]).tolist()


def test_a_slider_ends_a_search_where_it_is():
    window = explorer(3)
    click(window, 0.2, 0.3)
    window.tick()
    z = window.z.copy()
    window.view.sliders[1].set_val(0.5)
    assert window.search is None
    np.testing.assert_array_equal(window.z, [z[0], 0.5, z[2]])


def test_timer_runs_while_a_search_does(monkeypatch):
    monkeypatch.setattr(explore, "ITERATIONS", 4 * STEPS)
    window, calls = explorer(), []
    for name in ("start", "stop"):
        monkeypatch.setattr(window.timer, name, lambda name=name: calls.append(name))
    assert [function for function, *_ in window.timer.callbacks] == [window.tick]
    click(window, 0.2, 0.3)
    for _ in range(4):
        assert calls == ["start"]
        window.tick()
    assert calls == ["start", "stop"]
    assert len(window.search.objectives) == 4 * STEPS
    escape(window)
    assert calls == ["start", "stop", "stop"]
    canvas = window.figure.canvas
    canvas.callbacks.process("close_event", CloseEvent("close_event", canvas))
    assert calls == ["start", "stop", "stop", "stop"]


def test_the_window_keeps_what_answers_to_it():
    window = explorer()
    figure, seen = window.figure, weakref.ref(window)
    del window
    gc.collect()
    assert seen() is not None
    move(seen(), 0.3, -0.2)
    assert figure is seen().figure


def test_clicks_of_the_zoom_tool_are_not_ours():
    window = explorer()
    window.figure.canvas.widgetlock(window)
    click(window, 0.2, 0.3)
    assert window.search is None


@pytest.mark.parametrize("canvas", [FigureCanvasAgg, WithoutBlit])
def test_quick_drawing_looks_like_slow_drawing(canvas, tmp_path):
    """Also after the picture was saved and the window resized."""
    window = explorer(3, canvas=canvas)

    def look():
        quick = picture(window)
        window.figure.canvas.draw()
        np.testing.assert_array_equal(picture(window), quick)
        return quick

    pictures = [look()]
    move(window, 0.3, -0.2)
    pictures.append(look())
    window.figure.savefig(tmp_path / "a.png")
    click(window, 0.2, 0.3)
    window.tick()
    pictures.append(look())
    window.figure.set_size_inches(7, 4)
    canvas = window.figure.canvas
    canvas.callbacks.process("resize_event", ResizeEvent("resize_event", canvas))
    window.tick()
    look()
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


@pytest.mark.parametrize("name", MODELS)
def test_models_of_the_exercises(name, tmp_path):
    """Trained for a moment; what is encoded and decoded has the shapes that the window needs."""
    settings = Settings(data="embedded", quick=True, out=tmp_path)
    found = MODELS[name](settings)
    d = 16 if name == "vae16" else 2
    assert found.encode(found.data.x_test[:3]).shape == (3, d)
    assert np.prod(found.decoder.input_shape) == d
    assert found.decoder.built_shape == found.data.x_train.shape[1:]
    assert found.beta == (0 if name == "autoencoder" else NOISE_SD**2)
    assert "QUICK RUN" in found.stamp


@pytest.mark.parametrize("backend", [None, "tkagg"])
def test_without_a_display_it_says_so_before_training(backend, tmp_path):
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"PYTHONPATH": str(CHECKOUT)} | ({"MPLBACKEND": backend} if backend else {})
    result = subprocess.run(
        [sys.executable, "-m", "exercises.explore", "--quick", "--data", "embedded"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "No window can be opened" in result.stderr
    assert "pip install PySide6" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "figures" / "models").exists()

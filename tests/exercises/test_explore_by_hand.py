"""What the explorer's window is made from, without a window: formulas for nets, nothing drawn."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from exercises import explore
from exercises.explore import MODELS, Explorer, Subject
from exercises.explore_view import View
from nnscratch.plotting import new_figure
from tests.exercises.formulas import Formula, painter, settings_for, uneven_greys


@pytest.fixture
def window(monkeypatch):
    """Codes are (3 g, g, 2 g) for an image of grey g, so the first latent varies most."""
    monkeypatch.setattr(explore, "View", MagicMock())
    explore.View.return_value.sliders = []
    decoder = painter(2)
    decoder.input_shape = (3,)
    encode = lambda x: x[:, 0, 0, :] * np.float32([3, 1, 2])  # noqa: E731
    return Explorer(MagicMock(), Subject(decoder, encode, 0.25, uneven_greys(), "stamp"), seed=3)


def test_the_window_is_given_the_training_codes_and_the_scale_of_the_search(window):
    data = uneven_greys()
    train = data.x_train[:, 0, 0, :] * [3, 1, 2]
    assert window.learning_rate == pytest.approx(explore.LEARNING_RATE * train[:, 0].std())
    assert window.latents.tolist() == [0, 2]
    _, stamp, codes, labels, latents, shape, iterations, floor = explore.View.call_args.args
    assert stamp == "stamp · search: noise sd 0.25, beta = 0.25"
    np.testing.assert_allclose(codes, train)
    np.testing.assert_array_equal(labels, data.y_train)
    assert (latents.tolist(), shape, iterations) == ([0, 2], (2, 2), explore.ITERATIONS)
    assert floor == 4 * 0.25**2  # of four pixels
    np.testing.assert_allclose(window.z, train.mean(axis=0))


def test_a_click_takes_the_test_digit_with_the_nearest_code(monkeypatch, window):
    data, searches = uneven_greys(), []
    monkeypatch.setattr(explore, "Search", lambda *a: searches.append(a) or MagicMock())
    grey = data.x_test[5, 0, 0, 0]
    window.start_search(np.float32([3 * grey, grey, 2 * grey + 0.001]))
    assert window.target == 5
    ((decoder, noisy, start, beta, rate),) = searches
    assert decoder is window.subject.decoder
    assert (beta, rate) == (0.25, window.learning_rate)
    assert noisy.shape == (2, 2, 1)
    assert not np.array_equal(noisy, data.x_test[5])
    assert (start == window.train_codes).all(axis=1).any()
    view = window.view
    image, title, code = view.show_noisy.call_args.args
    np.testing.assert_array_equal(image, noisy[..., 0])
    assert title == f"MSE {4 * ((noisy - data.x_test[5]) ** 2).mean():.3f}"
    np.testing.assert_allclose(code, noisy[None, 0, 0, :] * [3, 1, 2], rtol=1e-6)
    image, title, code = view.show_clean.call_args.args
    np.testing.assert_array_equal(image, data.x_test[5, ..., 0])
    assert title == "a 8, no. 5"
    np.testing.assert_array_equal(code, window.test_codes[5])


def test_a_code_is_shown_with_its_image_and_its_neighbour(window):
    data = uneven_greys()
    window.show(window.train_codes[7] + np.float32([0, 0.001, 0]))
    z, image, error = window.view.show_code.call_args.args
    assert error == " "  # there is no search
    np.testing.assert_allclose(image, z[0])
    code, image, title = window.view.show_neighbour.call_args.args
    assert window.nearest == 7
    np.testing.assert_array_equal(code, window.train_codes[7])
    np.testing.assert_array_equal(image, data.x_train[7, ..., 0])
    assert title == f"a {data.y_train[7]}, 0.00 away"


@pytest.mark.parametrize("name", MODELS)
def test_each_name_stands_for_the_net_of_its_exercise(monkeypatch, tmp_path, name):
    settings = settings_for(monkeypatch, tmp_path, explore, data=uneven_greys())
    nets = {
        n: SimpleNamespace(
            decoder=f"decoder of {n}", encoder=Formula(lambda x, k=k: x[:, :1, :, :] + k)
        )
        for k, n in enumerate(MODELS)
    }
    monkeypatch.setattr(
        explore.ex01_autoencoder, "trained", lambda _: (nets["autoencoder"], None, "one")
    )
    monkeypatch.setattr(explore.ex07_vae, "trained", lambda _: (nets["vae"], None, "seven"))
    weights = []
    monkeypatch.setattr(
        explore.ex08_denoising,
        "trained",
        lambda _, w: weights.append(w) or (nets["vae16"], "eight"),
    )
    monkeypatch.setattr(explore, "means", lambda net, x: (net, x))
    found = MODELS[name](settings)
    assert found.decoder == f"decoder of {name}"
    x = uneven_greys().x_test
    np.testing.assert_array_equal(found.data.x_test, x)
    if name == "autoencoder":
        np.testing.assert_array_equal(found.encode(x), x[:, 0, :, 0])
    else:
        assert found.encode(x) == (nets[name], x)
    assert found.beta == (0 if name == "autoencoder" else 0.0625)
    assert weights == ([0.5] if name == "vae16" else [])
    stamps = {"autoencoder": "autoencoder · one", "vae": "seven", "vae16": "eight · w = 0.5"}
    assert found.stamp == stamps[name]


def test_an_empty_window_shows_how_much_noise_to_expect():
    """Drawn once, before anything moves."""
    codes = np.arange(30.0).reshape(10, 3)
    figure = new_figure(9, 5, "")
    view = View(figure, "stamp", codes, np.arange(10), np.array([0, 2]), (2, 2), 300, 16.0)
    axis = view.curve.axes
    assert (axis.get_xlim(), axis.get_ylim()) == ((0, 300), (0, 64))
    assert axis.lines[0].get_ydata() == [16, 16]
    points = np.asarray(view.plane.collections[0].get_offsets())
    assert sorted(points[:, 0]) == sorted(codes[:, 0])
    assert sorted(points[:, 1]) == sorted(codes[:, 2])
    assert [slider.valmax for slider in view.sliders] == pytest.approx([1.1 * 29] * 3)
    weights = [slider.label.get_fontweight() for slider in view.sliders]
    assert weights == ["bold", "normal", "bold"]


@pytest.mark.parametrize("chosen", [None, *MODELS])
def test_the_model_that_was_asked_for_is_explored(monkeypatch, tmp_path, chosen):
    """The VAE of exercise 7, if none was."""
    seen, words = [], [] if chosen is None else ["--model", chosen]
    arguments = ["explore", "--data", "embedded", "--quick", "--seed", "3", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*arguments, *words])
    models = {name: lambda settings, name=name: (name, settings.seed) for name in MODELS}
    monkeypatch.setattr(explore, "MODELS", models)
    monkeypatch.setattr(explore, "new_window", lambda: "window")
    monkeypatch.setattr(explore, "Explorer", lambda *a: seen.append(a))
    monkeypatch.setattr(explore, "set_num_threads", lambda n: seen.append(n))
    monkeypatch.setattr(explore.pyplot, "show", lambda: seen.append("shown"))
    explore.main()
    assert seen == [("window", (chosen or "vae", 3), 3), 1, "shown"]

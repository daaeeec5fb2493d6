"""Which images, nets and seeds the figures of exercise 1 rest on, and what they draw of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import alive_start, ex01_autoencoder, ex01b_dead_starts
from exercises.alive_start import IMAGES
from exercises.common import Settings
from exercises.trained import Recipe
from nnscratch.losses import mse
from nnscratch.training import History
from tests.exercises.formulas import (
    FIRST_OF_EACH,
    greys_drawn,
    halving_autoencoder,
    published,
    settings_for,
    uneven_greys,
)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    modules = (ex01_autoencoder, ex01b_dead_starts)
    return settings_for(monkeypatch, tmp_path, *modules, data=uneven_greys())


# -- the autoencoder


def test_figure_1_draws_a_test_image_of_each_digit_above_what_the_net_makes_of_it(
    monkeypatch, settings
):
    pages, data = published(monkeypatch, ex01_autoencoder), uneven_greys()
    ex01_autoencoder.figure_1(settings, halving_autoencoder(), History(loss=[1.0]), "stamp")
    page = pages["ex01_fig1"]
    assert page.numbers["test_indices"].tolist() == FIRST_OF_EACH
    shown = data.x_test[FIRST_OF_EACH, 0, 0, 0]
    assert greys_drawn(page.figure) == pytest.approx([*shown, *shown / 2])
    above = [axis.get_title() for axis in page.figure.axes[:10]]
    assert above == [f"MSE {4 * (grey / 2) ** 2:.3f}" for grey in shown]
    assert [page.figure.axes[k].get_ylabel() for k in (0, 10)] == ["input", "autoencoder"]
    errors = (data.x_test[:, 0, 0, 0] / 2) ** 2
    per_digit = [errors[data.y_test == digit].mean() for digit in range(10)]
    assert page.numbers["mse_per_digit_[0,1]"] == pytest.approx(per_digit)
    assert page.numbers["test_mse_[0,1]"] == pytest.approx(errors.mean())
    best = int(np.argmin(per_digit))
    assert f"pixels in [-1, 1]: {best} {4 * per_digit[best]:.3f}," in page.answers[0][1]


def test_figure_2_draws_both_losses_of_both_trainings_and_the_baselines(monkeypatch, settings):
    pages, data = published(monkeypatch, ex01_autoencoder), uneven_greys()
    plain = History(loss=[0.5, 0.25], validation_loss=[0.375, 0.125])
    other = History(loss=[0.75, 0.5], validation_loss=[1.0, 0.625])
    monkeypatch.setattr(
        ex01_autoencoder, "trained", lambda _, extra=False: (None, (plain, other)[extra], "s")
    )
    ex01_autoencoder.figure_2(settings)
    page = pages["ex01_fig2"]
    axis, unit = page.figure.axes
    recipe, extra = ex01_autoencoder.recipes(settings)
    found = {str(line.get_label()): list(line.get_ydata()) for line in axis.lines}
    epochs = [list(line.get_xdata()) for line in axis.lines[:5]]
    assert epochs == 4 * [[1, 2]] + [[*range(1, 11)]]
    assert [text.xy[0] for text in axis.texts] == 2 * [recipe.epochs]
    assert [text.xy[1] for text in axis.texts] == [
        page.numbers[f"{n}_test_mse_[-1,1]"] for n in ("mean image", "PCA-2")
    ]
    mean = "(mean over the epoch)"
    assert found[f"test · {recipe}"] == [1.5, 0.5]
    assert found[f"train {mean} · {recipe}"] == [2, 1]
    assert found[f"test · extra: {extra}"] == [4, 2.5]
    assert found[f"train {mean} · extra: {extra}"] == [3, 2]
    assert np.array(unit.get_ylim()) == pytest.approx(np.array(axis.get_ylim()) / 4)
    train, test = (x[:, 0, 0, 0].astype(float) for x in (data.x_train, data.x_test))
    error = 4 * ((test - train.mean()) ** 2).mean()  # of the training images' mean, on the others
    assert page.numbers["mean image_test_mse_[-1,1]"] == pytest.approx(error, rel=1e-5)
    dotted = [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == ":"]
    assert dotted == [page.numbers[f"{n}_test_mse_[-1,1]"] for n in ("mean image", "PCA-2")]


@pytest.mark.parametrize("extra", [False, True])
def test_the_autoencoder_learns_from_one_set_and_is_watched_on_the_other(monkeypatch, extra):
    data, settings, calls, looked = uneven_greys(), Settings(seed=5), [], []
    monkeypatch.setattr(ex01_autoencoder, "mnist32", lambda _: data)
    monkeypatch.setattr(ex01_autoencoder, "IMAGES", 20)
    monkeypatch.setattr(ex01_autoencoder, "alive_seed", lambda _: 3005)
    monkeypatch.setattr(
        ex01_autoencoder, "dead_places", lambda net, x: looked.append((net, x)) or ["output"]
    )
    monkeypatch.setattr(
        ex01_autoencoder, "train", lambda *a: calls.append(a) or History(loss=[0.5])
    )
    model, history, stamp = ex01_autoencoder.trained.__wrapped__(settings, extra, 1)
    ((given, name, net, loss, recipe, learned, watched, first_look),) = calls
    assert (given, loss, first_look, history.loss) == (settings, mse, 1, [0.5])
    assert name == ("autoencoder-extra" if extra else "autoencoder")
    assert recipe == ex01_autoencoder.recipes(settings)[extra]
    assert all(x is data.x_train for x in learned)
    assert all(x is data.x_test for x in watched)
    assert model is net is looked[0][0]
    np.testing.assert_array_equal(looked[0][1], data.x_train[:20])
    for key, p in ex01_autoencoder.autoencoder(3005).params.items():
        np.testing.assert_array_equal(net.params[key], p)
    seeds = "seed 5 (weights 3005, dead after training: output)"
    assert stamp == f"{data.source} · only 1 of {recipe} · {seeds}"


def test_stamp_of_a_whole_training_that_is_alive(monkeypatch, settings):
    monkeypatch.setattr(ex01_autoencoder, "alive_seed", lambda _: 0)
    monkeypatch.setattr(ex01_autoencoder, "dead_places", lambda net, x: [])
    whole = History(loss=[0.5] * 15)
    monkeypatch.setattr(ex01_autoencoder, "train", lambda *_: whole)
    stamp = ex01_autoencoder.trained.__wrapped__(settings)[2]
    assert " · 15 epochs, Adam 0.002, cosine decay, batch 32 · " in stamp
    assert stamp.endswith("seed 0 (weights 0, alive after training)")


def test_the_reports_recipe_comes_first_on_the_full_data_and_is_the_extra_elsewhere(monkeypatch):
    report = "10 epochs, Adam 0.0003, batch 64"
    full = SimpleNamespace(x_train=range(60_000))
    monkeypatch.setattr(ex01_autoencoder, "mnist32", lambda _: full)
    first, extra = map(str, ex01_autoencoder.recipes(Settings()))
    assert (first, extra) == (report, "10 epochs, Adam 0.001, cosine decay, batch 64")
    monkeypatch.setattr(ex01_autoencoder, "mnist32", lambda _: uneven_greys())
    first, extra = map(str, ex01_autoencoder.recipes(Settings()))
    assert (first, extra) == (
        "15 epochs, Adam 0.002, cosine decay, batch 32", report.replace("10", "15")
    )  # fmt: skip
    assert {r.epochs for r in ex01_autoencoder.recipes(Settings(quick=True))} == {1}


def test_every_convolution_has_its_relu_and_its_change_of_size():
    """Only the halves next to the code keep a side."""
    encoder, decoder = ex01_autoencoder.encoder(0), ex01_autoencoder.decoder(0)
    kinds = [type(layer).__name__ for layer in (*encoder.layers, *decoder.layers)]
    assert kinds == 5 * ["Conv2D", "ReLU", "MaxPooling2D"] + 5 * [
        "UpSampling2D", "Conv2DTranspose", "ReLU",
    ]  # fmt: skip
    down = [layer.built_shape[:2] for layer in encoder.layers[2::3]]
    up = [layer.built_shape[:2] for layer in decoder.layers[::3]]
    assert down == [(16, 16), (8, 8), (4, 4), (2, 2), (1, 2)]
    assert up == [(2, 2), (4, 4), (8, 8), (16, 16), (32, 32)]


def test_encoder_and_decoder_have_streams_of_their_own(monkeypatch):
    seeds = []
    monkeypatch.setattr(
        ex01_autoencoder, "Sequential", lambda layers, input_shape, seed: seeds.append(seed)
    )
    for part in (ex01_autoencoder.encoder, ex01_autoencoder.decoder):
        part(7)
    assert seeds == [[7, 0], [7, 1]]


def test_another_seed_draws_all_weights_anew():
    one, two = (ex01_autoencoder.autoencoder(seed).params for seed in (0, 1))
    kernels = [key for key in one if key.endswith(".W")]
    assert len(kernels) == 10
    for key in kernels:
        assert (one[key] != two[key]).mean() > 0.9


def test_alive_seeds_are_looked_for_with_the_recipe_of_the_report(monkeypatch, settings):
    seen = []
    monkeypatch.setattr(ex01_autoencoder, "find_alive_seed", lambda *a: seen.extend(a) or 9)
    assert ex01_autoencoder.alive_seed.__wrapped__(settings) == 9
    make, x, recipe, seed = seen
    assert (make, seed) == (ex01_autoencoder.autoencoder, settings.seed)
    np.testing.assert_array_equal(x, uneven_greys().x_train)
    assert recipe == ex01_autoencoder.recipes(settings)[0]


def test_a_long_training_shows_its_first_epoch_and_then_its_end(monkeypatch):
    made = []
    monkeypatch.setattr(ex01_autoencoder, "ten_digits", lambda data: made.append("checked"))
    monkeypatch.setattr(
        ex01_autoencoder, "trained", lambda settings, first_look=None: (first_look, None, None)
    )
    monkeypatch.setattr(ex01_autoencoder, "figure_1", lambda _, look, *__: made.append(look))
    monkeypatch.setattr(ex01_autoencoder, "figure_2", lambda _: made.append("figure 2"))
    for images, expected in ((60_000, [1, None]), (640, [None])):
        few = SimpleNamespace(x_train=range(images))
        monkeypatch.setattr(ex01_autoencoder, "mnist32", lambda _, few=few: few)
        made.clear()
        ex01_autoencoder.run(Settings(quick=True))
        assert made == ["checked", *expected, "figure 2"]


# -- starts that are dead


@pytest.mark.parametrize(("quick", "starts", "trials"), [(True, 10, 2), (False, 200, 20)])
def test_each_kind_of_start_is_counted_under_its_name(monkeypatch, settings, quick, starts, trials):
    module, counted, trained = ex01b_dead_starts, [], []
    pages = published(monkeypatch, module)
    monkeypatch.setattr(module, "train_a_little", lambda *a: trained.append(a))
    monkeypatch.setattr(module, "draw", lambda counts: None)

    def count(make, seeds, x):
        counted.append((make, list(seeds), x))
        return {"number": len(counted)}

    monkeypatch.setattr(module, "count", count)
    module.run(Settings(quick=quick))
    page = pages["ex01_dead_starts"]
    assert page.numbers == {
        "starts": starts, "trials": trials,
        "Glorot, bias 0": {"number": 1}, "Glorot, output bias +0.1": {"number": 2},
        "He, bias 0": {"number": 3}, "Glorot, after 150 iterations": {"number": 4},
    }  # fmt: skip
    assert page.stamp.endswith(f"seeds 0 to {starts - 1}, last bar 0 to {trials - 1}")
    makers = [ex01_autoencoder.autoencoder, module.with_output_bias, module.with_he_weights]
    assert [make for make, _, _ in counted[:3]] == makers
    assert [seeds for _, seeds, _ in counted] == 3 * [[*range(starts)]] + [[*range(trials)]]
    for _, _, x in counted:
        np.testing.assert_array_equal(x, uneven_greys().x_train)
    model = counted[3][0](7)
    assert trained == [
        (model, counted[3][2], ex01_autoencoder.recipes(Settings(quick=quick))[0], 7)
    ]
    for key, p in ex01_autoencoder.autoencoder(7).params.items():
        np.testing.assert_array_equal(model.params[key], p)


def test_only_the_last_bias_is_moved():
    plain, moved = ex01_autoencoder.autoencoder(3).params, ex01b_dead_starts.with_output_bias(3)
    changed = [key for key, p in moved.params.items() if not np.array_equal(p, plain[key])]
    assert changed == ["decoder.13.conv2dtranspose.b"]
    assert moved.params[changed[0]] == pytest.approx(0.1)


def test_he_weights_are_those_of_glorot_widened_layer_by_layer():
    glorot, he = ex01_autoencoder.autoencoder(3), ex01b_dead_starts.with_he_weights(3)
    for key, p in glorot.params.items():
        if key.endswith(".b"):
            np.testing.assert_array_equal(he.params[key], p)
            continue
        inputs, outputs = p.shape[2:] if "transpose" not in key else p.shape[:1:-1]
        np.testing.assert_allclose(he.params[key], p * np.sqrt(1 + outputs / inputs), rtol=1e-5)


def test_starts_are_shown_so_many_images(monkeypatch):
    seen = []
    monkeypatch.setattr(ex01b_dead_starts, "dead_places", lambda net, x: seen.append(x) or [])
    x = np.arange(300)
    ex01b_dead_starts.count(lambda seed: None, range(2), x)
    for images in seen:
        np.testing.assert_array_equal(images, x[:256])


def test_bars_are_shares_of_the_seeds():
    alive, one, both = ex01b_dead_starts.KINDS
    dead = "output all zero"
    figure = ex01b_dead_starts.draw(
        {"a": {alive: 5, one: 3, both: 2, dead: 1}, "b": {alive: 1, one: 0, both: 3, dead: 4}}
    )
    (axis,) = figure.axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axis.patches]
    assert bars == [(0, 50), (0, 25), (50, 30), (25, 0), (80, 20), (25, 75)]
    assert [text.get_text() for text in axis.texts] == ["5", "1", "3", "", "2", "3"]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == ["a\n(output all zero: 1)", "b\n(output all zero: 4)"]


def test_seeds_are_tried_until_one_is_alive_before_and_after_the_trial(monkeypatch, capsys):
    looked, tried = [], []
    verdicts = iter([["output"], [], ["code axis 1"], [], []])

    def look(model, x):
        looked.append((model, len(x), x[0]))
        return next(verdicts)

    monkeypatch.setattr(alive_start, "dead_places", look)
    monkeypatch.setattr(alive_start, "train_a_little", lambda *a: tried.append(a))
    x = np.arange(300)
    assert alive_start.find_alive_seed(lambda seed: f"net {seed}", x, "recipe", 5) == 2005
    nets = ["net 5", "net 1005", "net 1005", "net 2005", "net 2005"]
    assert looked == [(net, IMAGES, 0) for net in nets]
    assert [(net, recipe, seed) for net, _, recipe, seed in tried] == [
        ("net 1005", "recipe", 1005), ("net 2005", "recipe", 2005),
    ]  # fmt: skip
    assert all(images is x for _, images, _, _ in tried)
    assert capsys.readouterr().out.splitlines() == [
        "  weights of seed 5: dead output at the start, drawing another",
        "  weights of seed 1005: dead code axis 1 after 150 iterations, drawing another",
        "  weights of seed 2005: alive after 150 iterations",
    ]
    monkeypatch.setattr(alive_start, "dead_places", lambda model, x: ["output"])
    seeds = []
    with pytest.raises(ValueError, match="100 seeds from 5 on began dead"):
        alive_start.find_alive_seed(seeds.append, x, "recipe", 5)
    assert (len(seeds), seeds[-1]) == (100, 99_005)


def test_trial_begins_with_the_recipes_first_rate_and_its_first_images(monkeypatch):
    seen = []
    monkeypatch.setattr(alive_start, "fit", lambda model, x, *a, **o: seen.append((model, x[:3])))
    alive_start.train_a_little("net", np.arange(100), Recipe(0.5, 2, 1), 0)
    assert (seen[0][0], seen[0][1].tolist()) == ("net", [0, 1, 2])

"""Which images, pairs and networks the separation exercises learn from and measure."""

import numpy as np
import pytest

from exercises import image_separation, image_separation_methods, image_separation_more_data
from exercises import image_separation_training as training
from exercises.common import Settings
from exercises.image_separation_data import Halves, draw_pairs
from exercises.image_separation_view import Pixels, WhitenedPatches
from nnscratch.datasets import Dataset
from nnscratch.training import History
from tests.exercises.formulas import record

QUICK = Settings(data="embedded", quick=True)
rng = np.random.default_rng(0)


def bright(first, second, n=40):
    """Sets of n images of 4 x 4 pixels, each of one grey."""
    return Halves(*(np.full((n, 4, 4, 1), grey, np.float32) for grey in (first, second)))


def test_pairs_to_evaluate_are_of_their_set_and_the_same_for_all(monkeypatch):
    module = image_separation
    monkeypatch.setattr(module, "sets", lambda _: {"train": bright(0, 1), "test": bright(2, 3)})
    for which, average in (("train", 0.5), ("test", 2.5)):
        x, both = module.evaluation_pairs(QUICK, which)
        assert (x.shape, both.shape) == ((100, 4, 4, 1), (100, 4, 4, 2))
        assert (x == average).all()
    random = Halves(rng.random((40, 4, 4, 1)), rng.random((40, 4, 4, 1)))
    monkeypatch.setattr(module, "sets", lambda _: {"train": random, "test": random})
    first, again, other = (module.evaluation_pairs(QUICK, w)[0] for w in ("train", "train", "test"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)  # nor are the partners the same for both kinds
    assert len(module.evaluation_pairs(Settings(), "test")[0]) == 1000


def test_networks_learn_from_training_images_and_see_them_whitened(monkeypatch):
    module, seen = image_separation, []
    own = Settings(quick=True, seed=4242)  # since views are kept
    learned = Halves(*rng.random((2, 40, 8, 8, 1)).astype(np.float32))
    data = Dataset(None, None, None, None, "some", "some images")
    monkeypatch.setattr(module, "photographs", lambda settings: data)
    monkeypatch.setattr(module, "sets", lambda _: {"train": learned, "test": "unseen"})
    monkeypatch.setattr(module, "train_on_pairs", lambda *a: seen.append(a))
    kinds = {"U-Net": "UNet", "autoencoder": "Autoencoder", "VAE": "VAE"}
    for net, kind in kinds.items():
        model, stamp = module.trained.__wrapped__(own, net)
        _, name, same, trained_with, recipe, view, images, unseen = seen.pop()
        assert (name, type(model).__name__, same is model) == (net.lower(), kind, True)
        assert trained_with.__name__ == ("mse + 1 KL" if net == "VAE" else "mse_of_both")
        assert recipe == module.recipe(own, False)
        assert view is module.view(own, False)
        assert view.shape == model.input_shape == (2, 2, 16)
        assert (images is learned, unseen) == (True, "unseen")
        assert "\n80 of them trained on" in stamp
    white = module.view(own, False).look(np.concatenate(learned)).reshape(80, -1)
    assert white.std(axis=0) == pytest.approx(np.ones(64), rel=0.01)
    assert isinstance(module.view(own, True), Pixels)


def test_outputs_are_those_of_the_net_on_the_pairs_asked_for(monkeypatch):
    module = image_separation
    pairs = {"train": ("train averages", None), "test": ("test averages", None)}
    monkeypatch.setattr(module, "evaluation_pairs", lambda _, which: pairs[which])
    monkeypatch.setattr(module, "trained", lambda _, net, full: ((net, full), "stamp"))
    monkeypatch.setattr(module, "view", lambda _, full: full)
    monkeypatch.setattr(module, "separate", lambda *parts: parts)
    assert module.outputs(QUICK, "VAE", "test") == (("VAE", False), False, "test averages")
    assert module.outputs(QUICK, "U-Net", "train", True) == (
        ("U-Net", True),
        True,
        "train averages",
    )


def test_all_methods_know_the_training_images_only(monkeypatch):
    module = image_separation_methods
    monkeypatch.setattr(module, "sets", lambda _: {"train": bright(1, 3), "test": bright(5, 7)})
    monkeypatch.setattr(module, "evaluation_pairs", lambda _, which: (bright(2, 0, 3).first, None))
    monkeypatch.setattr(module, "outputs", lambda settings, net, which: (net, which))
    found = module.outputs_of_all(QUICK, "test")
    assert list(found) == [
        "average, twice", "mean images", "linear map", "VAE", "autoencoder", "U-Net"
    ]  # fmt: skip
    assert found["U-Net"] == ("U-Net", "test")
    assert found["mean images"][0, 0, 0].tolist() == [1, 3]


@pytest.mark.parametrize("quick", [True, False])
def test_training_pairs_are_of_the_learned_images_and_watched_ones_of_the_unseen(
    monkeypatch, quick
):
    seen = []
    monkeypatch.setattr(training, "train", lambda *a, **options: seen.append((a, options)))
    learned, unseen = bright(0, 1), bright(2, 3)
    settings = Settings(quick=quick, seed=3)
    training.train_on_pairs(
        settings, "net", "model", "loss", "recipe", Pixels(learned), learned, unseen
    )
    (*_, name, model, loss, recipe, first, watched), options = seen.pop()
    assert (name, model, loss, recipe) == ("net", "model", "loss", "recipe")
    number = 64 if quick else 1024
    for x, both in (first, options["renew"](np.random.default_rng(0))):
        assert len(x) == number
        assert (x == 0.5).all()
        assert both[..., 0].max() == 0
        assert both[..., 1].min() == 1
    assert len(watched[0]) == 100
    assert (watched[0] == 2.5).all()


def test_directions_of_a_hundredth_of_the_largest_deviation_are_kept():
    """One pixel varies by 1, one by 0.01, one by 0.0001, in all combinations."""
    x = np.zeros((8, 4, 4, 1))
    for i, size in enumerate((1, 1e-2, 1e-4)):
        x[:, 0, i, 0] = size * (-1.0) ** (np.arange(8) >> i)
    view = WhitenedPatches(Halves(x[:4], x[4:]))
    white = view.look(x).reshape(8, -1)
    assert white.std(axis=0)[:4] == pytest.approx([1, 1, 0, 0], abs=1e-6)


def test_figures_of_pairs_hold_the_scores_of_their_pairs(monkeypatch, tmp_path):
    """Training pairs come back as they were, test pairs in the wrong order."""
    module, settings = image_separation, Settings(quick=True, out=tmp_path)
    pairs = {w: draw_pairs(bright(*g), 8, rng) for w, g in (("train", (0, 1)), ("test", (0.5, 1)))}
    monkeypatch.setattr(module, "evaluation_pairs", lambda _, which: pairs[which])
    monkeypatch.setattr(module, "trained", lambda *_: (None, "stamp"))
    monkeypatch.setattr(module, "setting", lambda *_: "")
    swapped = {"train": slice(None), "test": slice(None, None, -1)}
    monkeypatch.setattr(
        module, "outputs", lambda _, net, which, full: pairs[which][1][..., swapped[which]]
    )
    for which, error, ratio, kept in (("train", 0, 0, 100), ("test", 0.5, 4, 0)):
        module.figure_of_pairs(settings, which, False)
        page = record(tmp_path, f"separation_{which}")
        numbers = page["numbers"]
        assert (numbers["error"], numbers["ratio"]) == (error, ratio)
        assert numbers["order_kept_percent"] == kept
        what = "Figure 2: pairs of training" if which == "train" else "Figure 3: pairs of test"
        assert page["title"] == f"Separation, {what} images"
    answer = page["answers"][0][1]
    assert "100 % of the training pairs and in 0 % of the test pairs" in answer
    assert "The error is 0 % and 400 % of" in answer


def test_figure_of_more_data(monkeypatch, tmp_path):
    module = image_separation_more_data
    some = {"error": 0.5, "ratio": 2.0, "ratio_better_order": 1.5}
    results = {
        n: ({"train": some | {"error": n / 1000}, "test": some}, History(loss=[0.5, 0.25]))
        for n in (100, 200)
    }
    data = Dataset(None, None, None, None, "some", "some images")
    monkeypatch.setattr(module, "measured", lambda settings: results)
    monkeypatch.setattr(module, "photographs", lambda settings: data)
    monkeypatch.setattr(image_separation, "photographs", lambda settings: data)
    module.more_data(Settings(quick=True, out=tmp_path))
    numbers = record(tmp_path, "separation_more_data")["numbers"]
    assert numbers["training_images"] == [100, 200]
    assert numbers["scores"]["200"]["train"]["error"] == 0.2
    assert numbers["training_loss_by_epoch"]["100"] == [0.5, 0.25]
    assert numbers["error_of_the_average_on_test_pairs"] == 0.25


def test_sizes_go_up_to_ten_thousand():
    assert image_separation_more_data.SIZES == (100, 1000, 5000, 10_000)


def test_epochs_on_photographs_on_clothes_and_of_the_report(monkeypatch):
    names = {}
    monkeypatch.setattr(
        image_separation, "photographs", lambda s: Dataset(None, None, None, None, names["of"], "")
    )
    for name, epochs in (("CIFAR-10", 100), ("Fashion-MNIST", 40)):
        names["of"] = name
        assert image_separation.recipe(Settings(), False).epochs == epochs
        assert image_separation.recipe(Settings(epochs=7), False).epochs == 7
        assert image_separation.recipe(QUICK, False).epochs == 1
        assert image_separation_more_data.recipe(Settings()).epochs == 15
        assert image_separation_more_data.recipe(Settings(epochs=7)).epochs == 7
        assert image_separation_more_data.recipe(Settings()).batch_size == 16

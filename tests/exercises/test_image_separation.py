"""What the separation exercise draws, trains on and measures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from exercises import (
    image_separation,
    image_separation_data,
    image_separation_methods,
    image_separation_more_data,
)
from exercises.common import Settings
from exercises.image_separation_data import Halves, draw_pairs, halves, photographs, scores
from exercises.image_separation_nets import autoencoder, report_unet, unet, vae
from exercises.image_separation_training import mse_of_both, train_on_pairs
from exercises.image_separation_view import Pixels, WhitenedPatches, separate
from exercises.trained import Recipe
from nnscratch import datasets
from nnscratch.layers import Layer
from nnscratch.models import UNet

rng = np.random.default_rng(0)


@pytest.fixture
def settings(tmp_path):
    return Settings(data="embedded", quick=True, out=tmp_path)


@pytest.fixture
def learned():
    return Halves(rng.random((6, 16, 16, 1), np.float32), rng.random((6, 16, 16, 1), np.float32))


def test_two_sets_share_no_image_and_have_all_classes_alike():
    labels = np.repeat(np.arange(10), 8)[rng.permutation(80)]
    x = np.arange(80, dtype=np.float32).reshape(80, 1, 1, 1)
    first, second = halves(x, labels, 60)
    assert len(first) == len(second) == 30
    assert not set(first.ravel()) & set(second.ravel())
    for part in (first, second):
        assert np.bincount(labels[part.ravel().astype(int)]).tolist() == [3] * 10
    fewer, _ = halves(x[2:], labels[2:], 1000)  # some class has only seven left, or six
    assert len(fewer) == 30


def test_pairs_are_averages_with_fresh_partners(learned):
    generator = np.random.default_rng(1)
    average, both = draw_pairs(learned, 12, generator)
    assert average.dtype == both.dtype == np.float32
    np.testing.assert_allclose(average, both.mean(axis=-1, keepdims=True), rtol=1e-6)
    places = [
        [int(np.flatnonzero((x == image).all(axis=(1, 2)))[0]) for image in both[..., i]]
        for i, x in enumerate((learned.first[..., 0], learned.second[..., 0]))
    ]
    for which in places:  # found in its own set, and each image twice
        assert np.bincount(which).tolist() == [2] * 6
    assert len(draw_pairs(learned, 4, generator)[0]) == 4
    assert not np.array_equal(draw_pairs(learned, 12, generator)[1], both)


def test_scores_of_outputs_that_are_known():
    both = rng.random((50, 4, 4, 6)).astype(np.float32)
    average = (both[..., :3] + both[..., 3:]) / 2
    swapped = np.concatenate([both[..., 3:], both[..., :3]], axis=-1)
    twice = np.concatenate([average, average], axis=-1)
    perfect, exchanged, trivial = (scores(y, average, both) for y in (both, swapped, twice))
    assert perfect["error"] == perfect["error_better_order"] == 0
    assert perfect["order_kept_percent"] == 100
    assert exchanged["order_kept_percent"] == exchanged["error_better_order"] == 0
    difference = both[..., :3].astype(np.float64) - both[..., 3:]
    assert exchanged["error"] == pytest.approx(2 * (difference**2).mean())
    assert trivial["error"] == pytest.approx((difference**2).mean() / 2)
    assert trivial["ratio"] == trivial["ratio_better_order"] == 1
    assert trivial["order_kept_percent"] == 50
    assert exchanged["ratio"] == pytest.approx(4)
    half = np.concatenate([both[:25], swapped[25:]])
    assert scores(half, average, both)["order_kept_percent"] == 50


def test_loss_is_the_sum_of_both_errors():
    y, target = rng.random((2, 3, 4, 4, 6))
    value, dy = mse_of_both(y, target)
    squares = (y - target) ** 2
    assert value == pytest.approx(squares[..., :3].mean() + squares[..., 3:].mean())
    assert dy[0, 0, 0, 0] == pytest.approx(2 * (y - target)[0, 0, 0, 0] / (3 * 4 * 4 * 3))


def test_networks_have_the_same_bottleneck():
    shape = (8, 8, 3)
    nets = [make(shape, 0) for make in (unet, autoencoder, vae)]
    assert all(net.built_shape == (8, 8, 6) for net in nets)
    dense = nets[0].bottleneck.params["1.dense.W"].shape
    for net in nets[1:]:
        assert dense in {p.shape for p in net.encoder.params.values()}
        assert net.encoder.built_shape == dense[1:]
    full, default = report_unet((32, 32, 3), 0), UNet()
    assert {k: p.shape for k, p in full.params.items()} == {
        k: p.shape for k, p in default.params.items()
    }


def test_whitened_images_are_orthonormal_so_that_sums_can_be_taken_apart():
    learned = Halves(rng.random((10, 8, 8, 3)), rng.random((10, 8, 8, 3)))
    view = WhitenedPatches(learned)
    images = np.concatenate(learned)
    white = view.look(images).reshape(20, -1)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-12)
    products = white @ white.T / 20  # the mean is gone, so they lie 1/20 from a right angle
    np.testing.assert_allclose(products, np.eye(20) - 1 / 20, atol=1e-9)
    average, both = draw_pairs(learned, 10, rng)
    halves_of_both = sum(view.look(x) for x in np.split(both, 2, axis=-1)) / 2
    np.testing.assert_allclose(view.look(average), halves_of_both, atol=1e-9)


def test_directions_without_variance_are_left_out():
    alike = rng.random((1, 8, 8, 1)) + rng.random((40, 1, 1, 1)) * rng.random((1, 8, 8, 1))
    view = WhitenedPatches(Halves(alike[:20], alike[20:]))
    white = view.look(rng.random((5, 8, 8, 1))).reshape(5, -1)
    assert np.linalg.matrix_rank(white) == 1


def test_patches_are_cut_where_they_lie_and_put_back():
    images = Halves(*rng.random((2, 4, 8, 12, 3)))
    view, both = WhitenedPatches(images), rng.random((4, 8, 12, 6))
    answer = view.target(both)
    assert view.shape == (2, 3, 48)
    assert answer.shape == (4, 2, 3, 96)
    np.testing.assert_array_equal(answer[1, 1, 2, :48].reshape(4, 4, 3), both[1, 4:, 8:, :3])
    np.testing.assert_array_equal(view.images(answer), both)
    pixels = Pixels(images)
    assert pixels.shape == (8, 12, 3)
    for same in (pixels.look, pixels.target, pixels.images):
        assert same(both) is both


def test_a_net_that_answers_right_separates_perfectly(learned):
    view = WhitenedPatches(learned)
    average, both = draw_pairs(learned, 6, rng)

    class Perfect(Layer):
        def forward(self, x):
            np.testing.assert_array_equal(x, view.look(average))
            return view.target(both)

    np.testing.assert_array_equal(separate(Perfect(), view, average), both)


def test_linear_map_is_exact_on_pairs_it_knows():
    known = Halves(rng.random((20, 8, 8, 1)), rng.random((20, 8, 8, 1)))
    average, both = draw_pairs(known, 20, rng)
    np.testing.assert_allclose(image_separation_methods.linear_map(known, average), both, atol=1e-9)
    new = Halves(rng.random((20, 8, 8, 1)), rng.random((20, 8, 8, 1)))
    average, both = draw_pairs(new, 20, rng)
    outputs = image_separation_methods.linear_map(known, average)
    assert scores(outputs, average, both)["ratio"] > 1


def test_linear_map_does_not_blow_rounding_up():
    """Images of single precision with fewer dimensions than there are images."""
    images = rng.random((60, 20)) @ rng.random((20, 64))
    first, second = images.astype(np.float32).reshape(2, 30, 8, 8, 1)
    average, both = draw_pairs(Halves(first, second), 30, rng)
    outputs = image_separation_methods.linear_map(Halves(first, second), average)
    assert 0.01 < scores(outputs, average, both)["ratio"] < 100


def train(settings, learned, epochs, name):
    model = UNet((16, 16, 1), (4,), 4)
    recipe = Recipe(1e-2, 16, epochs)
    history = train_on_pairs(
        settings, name, model, mse_of_both, recipe, Pixels(learned), learned, learned
    )
    return model, history


def test_a_trained_model_is_known_again_but_not_on_other_images(settings, learned, capsys):
    model, history = train(settings, learned, 2, "net")
    again, same = train(settings, learned, 2, "net")
    assert "going on from" in capsys.readouterr().out
    assert same.loss == history.loss
    for key, parameter in model.params.items():
        np.testing.assert_array_equal(again.params[key], parameter)
    train(settings, Halves(learned.second, learned.first), 2, "net")
    assert "going on from" not in capsys.readouterr().out


def test_without_cifar_clothes_stand_in_and_the_stamp_says_so(monkeypatch):
    data = photographs(Settings(data="embedded"))
    assert data.x_train.shape == (4000, 32, 32, 1)
    assert "Fashion-MNIST images, in place of CIFAR-10" in data.source

    def missing(data):
        raise FileNotFoundError("CIFAR-10 is nowhere.")

    monkeypatch.setattr(datasets, "cifar10", missing)
    photographs.cache_clear()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        photographs(Settings(data="full"))
    photographs.cache_clear()


def test_photographs_are_taken_where_they_are_at_hand(monkeypatch):
    images = rng.random((400, 32, 32, 3), np.float32)
    labels = np.arange(400) % 10
    some = datasets.Dataset(images, labels, images[:100], labels[:100], "CIFAR-10", "some images")
    monkeypatch.setattr(datasets, "cifar10", lambda data: some)
    photographs.cache_clear()
    assert photographs(Settings()).source == "some images"
    assert "QUICK RUN" in photographs(Settings(quick=True)).source
    unseen = image_separation_data.unseen_halves(some)
    np.testing.assert_array_equal(unseen.first[3], images[6])
    np.testing.assert_array_equal(unseen.second[3], images[7])
    photographs.cache_clear()


def test_full_announces_how_long_it_takes(settings, capsys, monkeypatch):
    """And trains the report's network, here for one epoch on a few pairs."""
    monkeypatch.setattr(
        image_separation, "report_unet", lambda shape, seed: UNet(shape, (4,), 4, seed)
    )
    one = replace(settings, epochs=1)
    model, stamp = image_separation.trained(one, "U-Net", full=True)
    assert "hours in all" in capsys.readouterr().out
    assert "1 epoch, Adam 0.001, batch 32" in stamp
    assert model.built_shape == (32, 32, 2)
    assert image_separation.recipe(replace(settings, epochs=None), True).epochs == 1250


def test_answers_follow_the_numbers():
    def found(train, test):
        return {
            which: {"error": ratio, "ratio": ratio, "ratio_better_order": ratio / 2}
            for which, ratio in (("train", train), ("test", test))
        }

    rows = {"U-Net": found(0.3, 1.5), "autoencoder": found(0.4, 1.4), "VAE": found(0.5, 1.2),
            "linear map": found(0, 80.0)}  # fmt: skip
    assert "U-Net 30 %, autoencoder 40 %, VAE 50 %, as in the report" in (
        image_separation_methods.which_is_best(rows)
    )
    rows["VAE"] = found(0.2, 1.2)
    assert "unlike in the report" in image_separation_methods.which_is_best(rows)
    text = image_separation_more_data.answer(
        {1000: (found(0.3, 1.5), None), 5000: (found(0.9, 1.0), None)}
    )
    assert "the test error is lower" in text
    assert "below 100 % it is never" in text
    text = image_separation_more_data.answer(
        {1000: (found(0.3, 0.9), None), 5000: (found(0.9, 1.0), None)}
    )
    assert "not lower" in text
    assert "below 100 % it is with 1,000" in text


def test_figures_of_a_quick_run_carry_their_numbers(settings):
    for module in (image_separation, image_separation_methods, image_separation_more_data):
        module.run(settings)
    names = {p.stem for p in settings.out.glob("*.png")}
    assert names == {f"separation_{n}" for n in ("train", "test", "table", "more_data")}
    for name in names:
        record = json.loads((settings.out / f"{name}.json").read_text(encoding="utf-8"))
        assert record["numbers"]
        assert "QUICK RUN" in record["stamp"]
        assert "in place of CIFAR-10" in record["stamp"]
    table = json.loads((settings.out / "separation_table.json").read_text(encoding="utf-8"))
    assert table["numbers"]["average, twice"]["test"]["ratio"] == 1

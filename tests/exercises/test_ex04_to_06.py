"""The classifier, the generator and the denoiser: what their figures rest on."""

import numpy as np
import pytest

from exercises import ex01_autoencoder, ex04_classifier, ex04b_capacity, ex05_generator
from exercises.common import Settings, mnist32
from exercises.ex06_denoising import CLEAN, NOISE_SD, NOISY, noisy, versions
from exercises.judge import accuracy, judge, read_digits
from nnscratch.losses import softmax_crossentropy
from nnscratch.metrics import psnr
from nnscratch.plotting import decoded_grid, new_figure
from nnscratch.training import History, evaluate

EMBEDDED = Settings(data="embedded")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return Settings(data="embedded", quick=True, out=tmp_path_factory.mktemp("quick"))


# -- exercise 4


def test_classifier_is_the_encoder_with_another_head():
    net, encoder = ex04_classifier.classifier(0), ex01_autoencoder.encoder(0)
    kernels, originals = (
        [p.shape for key, p in model.params.items() if key.endswith("conv2d.W")]
        for model in (net, encoder)
    )
    assert kernels == originals[:-1]
    assert net.built_shape == (10,)
    assert sum(p.size for p in net.params.values()) == 160 + 3 * 2320 + 650


def test_split_uses_every_training_image_once():
    data = mnist32(EMBEDDED)
    (x, y), (x_validation, y_validation) = ex04_classifier.split(EMBEDDED)
    assert len(x) == len(y) == 4000 - 333
    assert len(x_validation) == len(y_validation) == 333
    digests = [image.tobytes() for image in (*x, *x_validation)]
    assert sorted(digests) == sorted(image.tobytes() for image in data.x_train)
    at = {image.tobytes(): label for image, label in zip(data.x_train, data.y_train, strict=True)}
    assert [at[digest] for digest in digests] == [*y, *y_validation]
    assert set(y_validation) == set(range(10))


def test_kept_epoch_is_the_best_on_validation(tmp_path):
    settings = Settings(data="embedded", quick=True, epochs=4, out=tmp_path)
    model, history, _ = ex04_classifier.trained(settings)
    _, validation = ex04_classifier.split(settings)
    assert len(history.loss) == len(history.validation_loss) == 4
    now = evaluate(model, *validation, softmax_crossentropy)
    assert now == pytest.approx(min(history.validation_loss), rel=1e-6)
    data = mnist32(settings)
    on_test = evaluate(model, data.x_test, data.y_test, softmax_crossentropy)
    recorded = history.measured["test loss"][history.best_epoch]
    assert on_test == pytest.approx(recorded, rel=1e-6)


def test_test_labels_have_no_part_in_the_training(tmp_path, monkeypatch):
    """With the test labels in disorder, the very same weights come out."""
    settings = Settings(data="embedded", quick=True, out=tmp_path / "a")
    weights = ex04_classifier.trained(settings)[0].params
    data = mnist32(settings)
    other = type(data)(
        data.x_train, data.y_train, data.x_test, data.y_test[::-1], data.name, data.source
    )
    monkeypatch.setattr(ex04_classifier, "mnist32", lambda settings: other)
    model, history, _ = ex04_classifier.trained(
        Settings(data="embedded", quick=True, out=tmp_path / "b")
    )
    for key, p in model.params.items():
        np.testing.assert_array_equal(p, weights[key])
    assert history.measured["test accuracy"][-1] < 0.3


def fake_net(validation, test, train):
    accuracies = [0.8, 0.9, 0.95, 0.94]
    names = ("validation loss", "test loss", "train loss", "test accuracy")
    curves = dict(zip(names, (validation, test, train, accuracies), strict=True))
    return ex04b_capacity.summary(History(measured=curves))


def test_verdicts_on_capacity():
    falling = [0.5, 0.4, 0.1, 0.02]
    rising = fake_net([0.5, 0.1, 0.12, 0.16], [0.6, 0.2, 0.3, 0.3], falling)
    assert rising["best_epoch"] == 2
    assert rising["validation_slope_after_best"] == pytest.approx(0.03)
    assert rising["test_slope_after_best"] == pytest.approx(0.05)
    assert rising["gap"] == pytest.approx(0.28)
    assert rising["test_accuracy_at_best_epoch"] == 0.9
    assert ex04b_capacity.verdict(rising, 0.1).startswith("overfits: after epoch 2")
    lucky = fake_net([0.5, 0.1, 0.12, 0.16], [0.6, 0.2, 0.2, 0.19], falling)
    assert ex04b_capacity.verdict(lucky, 0.1).startswith("not overfitting yet")
    improving = fake_net([0.5, 0.4, 0.2, 0.1], [0.5, 0.4, 0.3, 0.2], falling)
    assert improving["best_epoch"] == 4
    assert improving["test_slope_after_best"] == 0
    assert ex04b_capacity.verdict(improving, 0.1).startswith("not overfitting yet")
    poor = fake_net([0.5, 0.4, 0.3, 0.31], [0.5, 0.4, 0.3, 0.31], [0.5, 0.4, 0.3, 0.3])
    assert ex04b_capacity.verdict(poor, 0.1).startswith("underfits")


def test_variants_differ_in_what_their_names_say(quick):
    nets = ex04b_capacity.variants(quick)
    widths = {name: model.params["0.conv2d.W"].shape[-1] for name, (model, _) in nets.items()}
    assert all(width == int(name.split()[0].strip(",")) for name, width in widths.items())
    decays = {name: recipe.optimizer(1).weight_decay for name, (_, recipe) in nets.items()}
    assert {name for name, decay in decays.items() if decay} == {"16, weight decay 0.1"}
    rates = {name: model.layers[-2].rate for name, (model, _) in nets.items()}
    assert {name for name, rate in rates.items() if rate} == {"16, dropout 0.3"}
    assert len({str(recipe) for name, (_, recipe) in nets.items() if "64" not in name}) == 2
    start = nets["16 filters"][0].params
    for name in nets:
        if name.startswith("16"):
            for key, p in nets[name][0].params.items():
                np.testing.assert_array_equal(p, start[key])


def test_judge_reads_digits(quick):
    data = mnist32(quick)
    labels, confidences = read_digits(quick, data.x_test)
    logits = judge(quick).forward(data.x_test)
    assert labels.tolist() == logits.argmax(axis=1).tolist()
    p = np.exp(logits.astype(float))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(confidences, p.max(axis=1), rtol=1e-5)
    assert accuracy(quick, data.x_test, data.y_test) == (labels == data.y_test).mean()


# -- exercise 5


def test_grid_reaches_both_ends_of_both_axes():
    z = np.random.default_rng(0).random((50, 2)) * [3, 5]
    horizontal, vertical = ex05_generator.axis_values(z)
    assert len(horizontal) == len(vertical) == 15
    for values, codes in zip((horizontal, vertical), z.T, strict=True):
        assert values[0] == codes.min()
        assert values[-1] == pytest.approx(codes.max(), rel=1e-12)
        np.testing.assert_allclose(np.diff(values), np.ptp(codes) / 14)


def test_grid_over_a_dead_axis_still_has_an_extent():
    horizontal, vertical = ex05_generator.axis_values(np.array([[0.0, 1], [0, 3]]))
    assert horizontal[-1] > horizontal[0]
    assert (vertical[0], vertical[-1]) == (1, 3)


def test_every_drawn_tile_is_the_decode_of_the_code_it_is_drawn_at():
    """Read back from the picture: neither exchanged axes nor an upside-down picture passes."""
    decoder = ex01_autoencoder.decoder(3)
    horizontal, vertical = ex05_generator.axis_values(np.array([[0.0, 0.5], [2.0, 4.0]]))
    grid = ex05_generator.grid_of_codes(horizontal, vertical)
    images = ex05_generator.decode(decoder, grid)
    assert images.std() > 0
    axis = new_figure(4, 4, "").subplots()
    decoded_grid(axis, images, horizontal, vertical)
    (picture,) = axis.images
    canvas = np.asarray(picture.get_array())
    left, right, bottom, top = picture.get_extent()
    assert picture.origin == "upper"
    for x in horizontal:
        for y in vertical:
            column = int((x - left) / (right - left) * 15)
            row = int((top - y) / (top - bottom) * 15)
            tile = canvas[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            code = np.array([x, y], np.float32).reshape(1, 1, 2, 1)
            expected = decoder.forward(code)[0, ..., 0]
            np.testing.assert_allclose(tile, expected, rtol=1e-4, atol=1e-5)


def test_nearest_image_against_brute_force():
    rng = np.random.default_rng(0)
    images, x_train = rng.random((2, 3, 4, 4)), rng.random((20, 4, 4, 1))
    images[1, 2] = x_train[7, ..., 0]
    expected = [
        min(((image - x[..., 0]) ** 2).mean() for x in x_train) for image in images.reshape(6, 4, 4)
    ]
    found = ex05_generator.nearest_image_mse(images, x_train)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[5] == pytest.approx(0, abs=1e-12)


def test_measure_grid_counts_what_the_judge_says(quick):
    data = mnist32(quick)
    images = data.x_test[:12, ..., 0].reshape(3, 4, 32, 32)
    grid = ex05_generator.grid_of_codes(np.arange(4.0), np.arange(3.0))
    train_codes = np.array([[0.0, 0], [3, 2]])
    measured = ex05_generator.measure_grid(quick, images, grid, train_codes)
    labels, confidences = read_digits(quick, data.x_test[:12])
    assert measured["labels"].tolist() == labels.reshape(3, 4).tolist()
    sure = confidences > 0.9
    assert measured["sure_tiles"] == sure.sum()
    assert set(measured["digits_covered"]) == set(labels[sure])
    assert measured["distances"][0, 0] == measured["distances"][2, 3] == 0
    assert measured["distances"][0, 3] == 2
    pure = data.y_train[0] == data.y_train[1]
    assert set(measured["purities"].ravel()) == {1.0 if pure else 0.5}
    assert ex05_generator.tiles_answer(measured)


# -- exercise 6


def test_noise_is_the_reports_and_not_clipped():
    data = mnist32(EMBEDDED)
    x = noisy(EMBEDDED)
    assert x.dtype == np.float32
    noise = x - data.x_test
    assert 4 * (noise**2).mean() == pytest.approx(0.25, rel=0.01)  # pixels in [-1, 1]
    assert noise.mean() == pytest.approx(0, abs=1e-3)
    assert x.min() < -0.5
    assert x.max() > 1.5
    assert psnr(x, data.x_test).mean() == pytest.approx(-20 * np.log10(NOISE_SD), abs=0.05)


def test_noise_is_drawn_once_from_its_own_seed(tmp_path):
    first = noisy(EMBEDDED)
    same = noisy(Settings(data="embedded", out=tmp_path))
    np.testing.assert_array_equal(first, same)
    assert (noisy(Settings(data="embedded", seed=1)) != first).mean() > 0.99


def test_versions_of_the_test_images(quick):
    images, data = versions(quick), mnist32(quick)
    assert images[CLEAN] is data.x_test
    assert images[NOISY] is noisy(quick)
    for x in images.values():
        assert x.shape == data.x_test.shape
        assert x.dtype == np.float32

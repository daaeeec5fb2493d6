"""Every script trains the net that it names, on training images alone and by its recipe."""

from functools import partial

import numpy as np
import pytest

from exercises import (
    alive_start,
    beta_vae,
    common,
    ex01_autoencoder,
    ex04_classifier,
    ex07_vae,
    ex07c_nats,
    ex08_denoising,
    fashion_vae,
    loss_terms,
    pca_ae_vae,
    pca_linear,
)
from exercises.common import Settings
from exercises.pca_linear import BOTH, LINEAR, RELU, SIGMOID, WIDE
from nnscratch.datasets import Dataset
from nnscratch.training import History

TRAIN, TEST, FEW = 24, 20, 15
GREYS = {"MNIST at 32 x 32": 0, "MNIST": 20, "Fashion-MNIST": 10}  # of the darkest test image


def tagged(name, source, quick):
    """Test images with greys from 0 to 1, training images from 1 to 2, above that of the set."""
    side = 32 if "32" in name else 28

    def images(n, darkest):
        x = np.ones((n, side, side, 1)) * (darkest + np.arange(n) / n).reshape(n, 1, 1, 1)
        return x.astype(np.float32)

    darkest = GREYS[name]
    return Dataset(
        images(TRAIN, darkest + 1), np.arange(TRAIN) % 10, images(TEST, darkest),
        np.arange(TEST) % 10, name, "some images",
    )  # fmt: skip


@pytest.fixture
def trainings(monkeypatch):
    """What was handed over for training; nothing is trained."""
    seen = []

    def fit(model, x, y, **options):
        seen.append((model, x, y, options))
        return History(loss=[1.0], validation_loss=[1.0])

    monkeypatch.setattr("exercises.trained.fit", fit)
    monkeypatch.setattr(alive_start, "fit", lambda *_, **__: None)
    monkeypatch.setattr(common, "_images", tagged)
    for module, limit in (
        (ex07_vae, "FEW"), (ex07c_nats, "FEW"), (ex08_denoising, "FEW"), (beta_vae, "WATCHED"),
        (fashion_vae, "MEASURED"),
    ):  # fmt: skip
        monkeypatch.setattr(module, limit, FEW)
    return seen


def same_start(model, other):
    return model.params.keys() == other.params.keys() and all(
        np.array_equal(p, other.params[key]) for key, p in model.params.items()
    )


SMALL, NATIVE, CLOTHES = GREYS

TRAININGS = {
    "exercise 7": (ex07_vae.trained, ex07_vae.vae, SMALL, ["vae-2"], ["mse + 2.56 KL"]),
    "exercise 8": (
        partial(ex08_denoising.trained, kl_weight=0.5),
        ex08_denoising.vae, SMALL, ["vae-16-w0.5"], ["mse + 0.5 KL"],
    ),
    "loss terms": (
        loss_terms.trained, ex07_vae.vae, SMALL,
        ["loss-terms-reconstruction-only", "loss-terms-KL-only", "loss-terms-both"],
        ["mse + 0 KL", "no_reconstruction + 1 KL", "mse + 2.56 KL"],
    ),
    "beta-VAE": (
        partial(beta_vae.trained_vae, beta=0.1), beta_vae.vae, NATIVE, ["vae-64-beta-0.1-6"],
        ["mse + 1.225 KL"],
    ),
    "beta-VAE, long": (
        partial(beta_vae.trained_vae, beta=0, long=True), beta_vae.vae, NATIVE,
        ["vae-64-beta-0-12"], ["mse + 0 KL"],
    ),
    "autoencoder-64": (beta_vae.trained_ae, beta_vae.autoencoder, NATIVE, ["ae-64"], ["mse"]),
    "clothes": (
        partial(fashion_vae.trained, name="Fashion-MNIST"), fashion_vae.vae, CLOTHES,
        ["fashion-mnist-vae"], ["mse + 5 KL"],
    ),
    "digits": (
        partial(fashion_vae.trained, name="MNIST"), fashion_vae.vae, NATIVE, ["mnist-vae"],
        ["mse + 5 KL"],
    ),
    "canvas": (
        pca_ae_vae.trained, pca_ae_vae.vae, CLOTHES, ["pca-vae"], ["binary_crossentropy + 1 KL"]
    ),
}  # fmt: skip
TRAININGS |= {
    variant.name: (
        partial(pca_linear.trained, variant=variant),
        partial(pca_linear.autoencoder, variant=variant), CLOTHES, [f"pca-{file}"],
        [variant.loss.__name__],
    )
    for variant, file in (
        (LINEAR, "linear"), (RELU, "ReLU-on-the-code"), (SIGMOID, "sigmoid-output-BCE"),
        (BOTH, "ReLU-sigmoid-BCE"),
    )
}  # fmt: skip
TRAININGS |= {
    "exercise 1": (
        ex01_autoencoder.trained, ex01_autoencoder.autoencoder, SMALL, ["autoencoder"], ["mse"]
    ),
    "exercise 1, extra": (
        partial(ex01_autoencoder.trained, extra=True), ex01_autoencoder.autoencoder, SMALL,
        ["autoencoder-extra"], ["mse"],
    ),
}  # fmt: skip


ALL_TEST_IMAGES = {"loss-terms-reconstruction-only", "pca-vae", "autoencoder", "autoencoder-extra"}
ALL_TEST_IMAGES |= {names[0] for *_, names, _ in TRAININGS.values() if names[0].startswith("pca-")}


@pytest.mark.parametrize(
    ("train", "make", "images", "names", "losses"),
    TRAININGS.values(),
    ids=TRAININGS,
)
def test_what_a_script_trains_and_on_what(trainings, tmp_path, train, make, images, names, losses):
    settings, data = Settings(seed=5, out=tmp_path), tagged(images, "", False)
    result = train(settings)
    files = [options["checkpoint"].name.rsplit("-", 1)[0] for *_, options in trainings]
    assert files == names
    assert [options["loss"].__name__ for *_, options in trainings] == losses
    starts = [make(seed) for seed in (5, 1005, 2005, 3005, 4005)]  # where weights died
    for model, x, y, options in trainings:
        np.testing.assert_array_equal(x, data.x_train)
        assert y is x
        assert any(same_start(model, start) for start in starts)
        watched = data.x_test[:FEW] if names[0] not in ALL_TEST_IMAGES else data.x_test
        np.testing.assert_array_equal(options["validation"], (watched, watched))
        assert options["seed"] == 5
    parts = result if isinstance(result, tuple) else ()
    for stamp in [part for part in parts if isinstance(part, str)]:
        epochs, batch = (trainings[0][-1][name] for name in ("epochs", "batch_size"))
        assert stamp.startswith("some images")
        assert f"{epochs} epochs, Adam" in stamp
        assert f"batch {batch}" in stamp
        assert "seed 5" in stamp


@pytest.mark.parametrize("name", ["Fashion-MNIST", "MNIST"])
def test_curves_of_clothes_are_taken_on_the_first_images_of_both_parts(
    trainings, tmp_path, monkeypatch, name
):
    fashion_vae.trained(Settings(seed=5, out=tmp_path), name)
    ((trained, *_, options),) = trainings
    monkeypatch.setattr(fashion_vae, "parts_of_the_loss", lambda *a: {"total": a})
    measured, data = options["measure"](), tagged(name, "", False)
    assert measured.keys() == {"train total", "test total"}
    for part, x in (("train", data.x_train), ("test", data.x_test)):
        model, seen = measured[f"{part} total"]
        assert model is trained
        np.testing.assert_array_equal(seen, x[:FEW])


def test_the_control_is_trained_and_only_trained_on_noise(trainings, tmp_path):
    ex08_denoising.trained(Settings(seed=5, out=tmp_path), 2.56, on_noise=True)
    ((_, x, y, options),) = trainings
    data = tagged(SMALL, "", False)
    np.testing.assert_array_equal(y, data.x_train)
    assert (x - y).std() == pytest.approx(0.25, rel=0.05)
    np.testing.assert_array_equal(options["validation"], (data.x_test[:FEW], data.x_test[:FEW]))


def test_nats_are_trained_at_both_sizes(trainings, tmp_path, monkeypatch):
    sets = {"32 x 32": tagged(SMALL, "", False), "28 x 28": tagged(NATIVE, "", False)}
    monkeypatch.setattr(ex07c_nats, "nats", lambda *_: {"reconstruction": 1.0, "kl": 1.0})
    ex07c_nats.run(Settings(seed=5, out=tmp_path))
    for (model, x, y, options), data in zip(trainings, sets.values(), strict=True):
        inside = slice(2, -2) if data.x_train.shape[1] == 28 else slice(None)
        np.testing.assert_array_equal(x[:, inside, inside], data.x_train)
        np.testing.assert_array_equal(
            options["validation"][0][:, inside, inside], data.x_test[:FEW]
        )
        assert y is x
        assert options["loss"].__name__ == "binary_crossentropy + 1 KL"
        assert same_start(model, ex07_vae.vae(5))


def test_the_classifier_learns_from_its_part_of_the_training_images(trainings, tmp_path):
    ex04_classifier.trained(Settings(seed=5, out=tmp_path))
    ((model, x, y, options),) = trainings
    assert same_start(model, ex04_classifier.classifier(5))
    assert (len(x), len(y)) == (22, 22)
    both = np.concatenate([x, options["validation"][0]])
    np.testing.assert_array_equal(np.sort(both, axis=0), tagged(SMALL, "", False).x_train)
    assert set(options["measure"]()) == {"test loss", "test accuracy"}


RATES = {
    ex07_vae.recipe: ((30, 2e-3, 128), (30, 2e-3, 32)),
    ex07c_nats.shorter: ((4, 2e-3, 128), (4, 2e-3, 32)),
    partial(ex08_denoising.recipe, kl_weight=2.56): ((10, 1e-3, 64), (12, 1e-3, 32)),
    partial(ex08_denoising.recipe, kl_weight=0.5): ((5, 1e-3, 64), (12, 1e-3, 32)),
    loss_terms.recipe: ((3, 2e-3, 128), (15, 2e-3, 32)),
    partial(beta_vae.recipe, full=3, embedded=12): ((3, 1e-3, 64), (12, 1e-3, 32)),
    fashion_vae.recipe: ((20, 2e-3, 128), (30, 1e-3, 32)),
    partial(pca_linear.recipe, variant=LINEAR): ((20, 2e-3, 256), (60, 2e-3, 32)),
    partial(pca_linear.recipe, variant=RELU): ((20, 2e-3, 256), (60, 2e-3, 32)),
    partial(pca_linear.recipe, variant=WIDE): ((2, 2e-3, 256), (6, 2e-3, 32)),
    partial(pca_linear.recipe, variant=SIGMOID): ((10, 1e-3, 256), (30, 1e-3, 32)),
    partial(pca_linear.recipe, variant=BOTH): ((10, 1e-3, 256), (30, 1e-3, 32)),
}


@pytest.mark.parametrize(("recipe", "expected"), RATES.items())
def test_recipes_on_the_full_and_on_the_embedded_images(monkeypatch, recipe, expected):
    for count, (epochs, rate, batch) in zip((60_000, 4000), expected, strict=True):
        x = np.broadcast_to(np.float32(0), (count, 1, 1, 1))
        data = Dataset(x, None, None, None, "", "")
        monkeypatch.setattr(common, "_images", lambda *_, d=data: d)
        chosen = recipe(Settings())
        assert (chosen.epochs, chosen.learning_rate, chosen.batch_size) == (epochs, rate, batch)
        few = 2 if recipe is ex07c_nats.shorter else 9
        assert recipe(Settings(epochs=9)).epochs == few
        quick = recipe(Settings(quick=True))
        assert quick.epochs == 1 or count == 60_000
        loss = getattr(recipe, "keywords", {}).get("variant", LINEAR).loss
        assert chosen.cosine is (loss is LINEAR.loss)


def test_epochs_of_brief_and_of_long_trainings_of_the_beta_vae():
    assert (beta_vae.BRIEF, beta_vae.LONG) == ((1, 6), (3, 12))


def test_the_autoencoder_beside_the_beta_vae_is_trained_as_long_as_the_long_one(
    trainings, tmp_path
):
    beta_vae.trained_ae(Settings(seed=5, out=tmp_path))
    beta_vae.trained_vae(Settings(seed=5, out=tmp_path), 0.1, long=True)
    beta_vae.trained_vae(Settings(seed=5, out=tmp_path), 0.1)
    assert [options["epochs"] for *_, options in trainings] == [12, 12, 6]


@pytest.mark.parametrize("module", [beta_vae, ex07_vae, ex08_denoising, fashion_vae, pca_ae_vae])
def test_the_parts_of_a_vae_have_streams_of_their_own(monkeypatch, module):
    seeds = []

    def recorded(make):
        return lambda *arguments, seed, **named: (
            seeds.append(seed) or make(*arguments, seed=seed, **named)
        )

    for kind in ("Sequential", "VAE"):
        monkeypatch.setattr(module, kind, recorded(getattr(module, kind)))
    module.vae(7)
    assert seeds == [[7, 0], [7, 1], [7, 2]]

"""Which net, set, order and seed is chosen where several would do, from exercise 6 on."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    beta_vae,
    beta_vae_betas,
    beta_vae_interpolation,
    ex01_autoencoder,
    ex01c_inside,
    ex06_denoising,
    ex07_vae,
    ex08_denoising,
    ex08b_map,
    fashion_vae,
    fashion_vae_latents,
    image_separation,
    pca_ae_vae,
    pca_linear,
)
from exercises.common import Settings
from exercises.ex06_denoising import AE_CLEAN, AE_NOISY, CLEAN, NOISY, PCA_NOISY
from exercises.pca_linear import BOTH, SIGMOID
from nnscratch.datasets import Dataset
from nnscratch.training import History
from tests.exercises.formulas import (
    Formula,
    bright_training,
    greys,
    greys_drawn,
    halving_autoencoder,
    painter,
    published,
    uneven_greys,
)

QUICK = Settings(data="embedded", quick=True, seed=77)  # its own, as results are kept by settings
BACKWARDS = np.arange(10)[::-1]
rng = np.random.default_rng(0)


# -- denoising


def test_versions_are_of_the_test_images_with_the_plane_of_the_training_images(monkeypatch):
    """Training images are all black but for the first two pixels."""
    x_train, x_test = np.zeros((9, 4, 4, 1)), rng.random((5, 4, 4, 1))
    x_train[:, 0, :2] = rng.random((9, 2, 1))
    data = Dataset(x_train, None, x_test, None, "", "")
    monkeypatch.setattr(ex06_denoising, "mnist32", lambda settings: data)
    monkeypatch.setattr(ex06_denoising, "noisy", lambda settings: x_test + 1)
    monkeypatch.setattr(ex06_denoising, "trained", lambda _: (halving_autoencoder(), None, ""))
    found = ex06_denoising.versions.__wrapped__(QUICK)
    assert found[CLEAN] is x_test
    np.testing.assert_array_equal(found[NOISY], x_test + 1)
    np.testing.assert_allclose(found[AE_NOISY], (x_test + 1) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[AE_CLEAN], x_test / 2, rtol=1e-6)
    plane = np.zeros_like(x_test)
    plane[:, 0, :2] = x_test[:, 0, :2] + 1
    np.testing.assert_allclose(found[PCA_NOISY], plane, atol=1e-6)


def test_ten_digits_are_denoised_in_their_order(monkeypatch):
    data = bright_training(side=32)
    model, pages = halving_autoencoder(), published(monkeypatch, ex08_denoising, ex08b_map)
    searches = []

    def search(decoder, x, starts, beta, **options):
        searches.append((x[:, 0, 0, 0], options))
        return SimpleNamespace(z=np.zeros((10, 16), np.float32))

    for module in (ex08_denoising, ex08b_map):
        monkeypatch.setattr(module, "mnist32", lambda settings: data)
        monkeypatch.setattr(module, "noisy", lambda settings: data.x_test + 1)
        monkeypatch.setattr(module, "ten_digits", lambda data: BACKWARDS)
        monkeypatch.setattr(module, "trained", lambda *_, **__: (model, "stamp"))
    monkeypatch.setattr(ex08b_map, "map_estimate", search)
    monkeypatch.setattr(
        ex08b_map, "searched",
        lambda _: SimpleNamespace(z=np.zeros((10, 16), np.float32), trace=np.zeros((3, 10))),
    )  # fmt: skip
    ex08_denoising.figure_11(QUICK)
    rows = np.reshape(greys_drawn(pages["ex08_fig11"].figure), (4, 10))
    assert rows[0] == pytest.approx(1 + BACKWARDS / 10)
    assert rows[3] == pytest.approx(BACKWARDS / 10)
    assert pages["ex08_fig11"].numbers["mse_[-1,1]"][0] == pytest.approx(4 * 0.05**2, rel=1e-4)
    ex08b_map.figure_12(QUICK)
    rows = np.reshape(greys_drawn(pages["ex08_fig12"].figure), (3, 10))
    assert rows[0] == pytest.approx(1 + BACKWARDS / 10)
    assert rows[2] == pytest.approx(BACKWARDS / 10)
    ex08b_map.inpainting_figure(QUICK)
    for x, options in searches:
        assert x == pytest.approx(BACKWARDS / 10)
        assert (options["solver"], options["iterations"]) == ("lbfgs", 20)
    means = pages["ex08_inpainting"].numbers.values()
    assert list(means) == pytest.approx([4 * 0.285] * 2)


# -- beta-VAE


def test_codes_of_the_prior_are_standard_normal():
    z = beta_vae.prior_codes(QUICK)
    assert (z.shape, z.dtype) == ((1000, 64), np.float32)
    assert z.std() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(z, beta_vae.prior_codes(Settings(seed=78)))


def test_the_vae_is_watched_on_the_first_test_images(monkeypatch):
    data, seen = bright_training(), {}
    monkeypatch.setattr(beta_vae, "mnist28", lambda settings: data)
    monkeypatch.setattr(beta_vae, "WATCHED", 3)
    monkeypatch.setattr(
        beta_vae, "elbo_terms", lambda model, x, rng: {"kl": float(x.mean()), "rng": rng.random()}
    )
    monkeypatch.setattr(beta_vae.RecordedELBO, "take", lambda self: {"KL 0": 7.0})
    monkeypatch.setattr(beta_vae, "train", lambda *a, **options: seen.update(options, a=a))
    beta_vae.trained_vae.__wrapped__(QUICK, 0.1)
    first, again = (seen["measure"]() for _ in range(2))
    assert first == again == {"KL 0": 7, "kl": pytest.approx(0.1), "rng": first["rng"]}
    assert len(seen["a"][-1][0]) == 3


def test_pictures_of_the_autoencoder(monkeypatch):
    module, data, sheets = beta_vae, bright_training(), []
    pages = published(monkeypatch, module)
    model = halving_autoencoder()
    model.encoder, model.decoder = Formula(lambda x: x.reshape(len(x), -1)[:, :64]), painter(28)
    monkeypatch.setattr(module, "mnist28", lambda settings: data)
    monkeypatch.setattr(module, "ten_digits", lambda data: BACKWARDS)
    monkeypatch.setattr(module, "trained_ae", lambda settings: (model, "stamp"))
    monkeypatch.setattr(module, "prior_codes", lambda _: np.full((20, 64), 5, np.float32))
    monkeypatch.setattr(module, "normal_like", lambda codes, count, rng: codes + 5)
    monkeypatch.setattr(module, "mean_image_mse", lambda settings: 0.5)
    monkeypatch.setattr(module, "sample_quality", lambda *_: {"accepted_share": 0.5})
    monkeypatch.setattr(module, "image_sheet", lambda _, x, *__: sheets.append(x[:, 0, 0, 0]))
    module.run(QUICK)
    assert pages["beta_vae_ae"].stamp == "stamp"
    digits, prior, fitted = sheets
    assert digits.reshape(4, 5)[[0, 2]].ravel() == pytest.approx(BACKWARDS / 10)
    assert digits.reshape(4, 5)[[1, 3]].ravel() == pytest.approx(BACKWARDS / 20)
    assert prior.tolist() == [5] * 16
    assert fitted == pytest.approx(6 + np.arange(16) % 10 / 10)


def test_whether_the_autoencoder_was_trained_longer(monkeypatch):
    monkeypatch.setattr(beta_vae_betas, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(beta_vae, "mnist28", lambda settings: bright_training())
    monkeypatch.setattr(beta_vae_betas, "trained_ae", lambda settings: (halving_autoencoder(), ""))
    numbers = {"test_mse": 1.0, "test_mse_sampled": 2.0}
    assert "trained longer" in beta_vae_betas.explain_none(Settings(), numbers)
    assert "trained longer" not in beta_vae_betas.explain_none(QUICK, numbers)


def test_walkers_are_the_autoencoder_and_the_vae_that_was_trained_longer(monkeypatch):
    module, data = beta_vae_interpolation, bright_training()
    ae, vae = halving_autoencoder(), Formula(None)
    vae.decoder = "the VAE's"
    vae.encode = lambda x: (x[:, 0, :2, 0] + 5, None)
    asked = []
    monkeypatch.setattr(module, "mnist28", lambda settings: data)
    monkeypatch.setattr(module, "chosen", lambda settings: 0.2)
    monkeypatch.setattr(module, "trained_ae", lambda settings: (ae, ""))
    monkeypatch.setattr(
        module, "trained_vae",
        lambda settings, beta, long: asked.append((beta, long)) or (vae, None, "a VAE-64, VAE-1"),
    )  # fmt: skip
    found = module.walkers.__wrapped__(QUICK)
    (first, z), (second, mu) = found.values()
    assert list(found) == ["AE", "VAE, beta 0.2"]
    assert first is ae.decoder
    assert z[:, 0, 0] == pytest.approx(np.arange(10) / 10)
    assert second == "the VAE's"
    assert mu[:, 0] == pytest.approx(5 + np.arange(10) / 10)
    assert module.stamp(QUICK) == "a AE and VAE-64, VAE-1"
    assert asked == [(0.2, True)] * 2


def test_the_page_of_walks_holds_its_comparison(monkeypatch):
    module, pages = beta_vae_interpolation, published(monkeypatch, beta_vae_interpolation)
    walks = {
        name: {key: np.full(6, k + place) for k, key in enumerate(module.MEASURES)}
        | {"mean_step": np.ones(20), "mean_confidence": np.ones(21)}
        for place, name in ((1.0, "AE"), (3.0, "VAE"), (9.0, "cross-fade"))
    }
    monkeypatch.setattr(module, "measured_walks", lambda settings: walks)
    monkeypatch.setattr(module, "stamp", lambda settings: "stamp")
    module.smoothness(QUICK)
    page = pages["beta_vae_smoothness"]
    assert page.title.startswith("6 walks")
    assert page.numbers["VAE"]["length"] == 4
    assert page.numbers["VAE_minus_AE_with_interval"]["nearest"] == (2, 2, 2)
    assert "1 for the autoencoder, 3 for the VAE, surely higher (+2," in page.answers[0][1]


# -- planes and clothes


def test_codes_of_clothes_are_of_both_sets(monkeypatch):
    model = Formula(None)
    model.encode = lambda x: (x[:, 0, :2, 0], x[:, 0, :2, 0] + 50)
    data = {"MNIST": bright_training(), "Fashion-MNIST": bright_training(5.0)}
    sets = {name: lambda settings, d=d: d for name, d in data.items()}
    monkeypatch.setattr(fashion_vae_latents, "SETS", sets)
    monkeypatch.setattr(fashion_vae_latents, "trained", lambda settings, name: (model, None, ""))
    for name, shift in (("MNIST", 0), ("Fashion-MNIST", 5)):
        train, test = fashion_vae_latents.codes.__wrapped__(QUICK, name)
        assert train[:, 0] == pytest.approx(shift + 1 + np.tile(np.arange(10), 2) / 10)
        assert test[:, 0] == pytest.approx(shift + np.arange(10) / 10)


def test_separation_is_measured_on_the_codes_of_each_kind(monkeypatch):
    module, data = fashion_vae_latents, uneven_greys(4)
    monkeypatch.setattr(module, "SETS", {"MNIST": lambda settings: data})
    z_train, z = rng.random((55, 10)), rng.random((12, 10))
    monkeypatch.setattr(module, "codes", lambda settings, name: (z_train, z))
    monkeypatch.setattr(module, "principal_components", lambda *x: x)
    seen = []

    def separation(*parts):
        seen.append(parts)
        one_nn = float(len(seen))
        return {"1-NN_macro_percent": one_nn, "silhouette": -one_nn, "confusion": np.eye(10)}

    monkeypatch.setattr(module, "separation", separation)
    found = module.measure(QUICK, "MNIST")
    assert found["VAE"] == {"1-NN_macro_percent": 1, "silhouette": -1}
    assert found["PCA-10"] == {"1-NN_macro_percent": 2, "silhouette": -2}
    for parts, (train, test) in zip(seen, ((z_train, z), (data.x_train, data.x_test)), strict=True):
        expected = (train, data.y_train, test, data.y_test)
        assert all(a is b for a, b in zip(parts, expected, strict=True))


def test_silhouettes_by_class():
    """Classes 2 to 9 are far away; of class 0 one code lies at 1, one at 3, and of class 1 at 4."""
    y = np.array([0, 0, 1, 1, *np.repeat(np.arange(2, 10), 2)])
    z = np.array([1.0, 3, 4, 4, *1000.0 * y[4:]])[:, None]
    found = fashion_vae_latents.separation(z, y, z, y)
    zeros = [1 - 2 / 3, 1 / 2 - 1]  # (b - a) / max(a, b) with a = 2 and b = 3, 1
    assert found["silhouette_per_class"][:3] == pytest.approx([np.mean(zeros), 1, 1])
    assert found["silhouette"] == pytest.approx(np.mean([np.mean(zeros), *[1] * 9]))


def test_originals_stand_above_what_came_out(monkeypatch):
    module, pages = fashion_vae, published(monkeypatch, fashion_vae)
    data = Dataset(None, None, greys(np.arange(130) / 200, 28), None, "", "")
    model = halving_autoencoder()
    monkeypatch.setattr(module, "fashion", lambda settings: data)
    monkeypatch.setattr(module, "trained", lambda *_: (model, History(), "stamp"))
    module.reconstructions(QUICK)
    (axis,) = pages["fashion_vae_reconstructions"].figure.axes
    canvas = np.asarray(axis.images[0].get_array())[::28, ::28]
    assert canvas.shape == (16, 16)
    assert canvas[::2].ravel() == pytest.approx(np.arange(128) / 200)
    np.testing.assert_allclose(canvas[1::2], canvas[::2] / 2)
    assert [label.get_text() for label in axis.get_yticklabels()][:2] == ["original", "at mu"]


def test_each_canvas_is_drawn_by_its_own_decoder(monkeypatch):
    models = {SIGMOID: 1.0, BOTH: 2.0}

    def net(size):
        return SimpleNamespace(decoder=Formula(lambda z: size + 0 * greys(z[:, 0], 28), (2,)))

    monkeypatch.setattr(pca_linear, "trained", lambda _, variant: (net(models[variant]), 0, 0))
    monkeypatch.setattr(pca_ae_vae, "trained", lambda settings: net(3.0))
    tiles = pca_ae_vae.grids.__wrapped__(QUICK)
    assert {name: float(t[0, 0, 0, 0]) for name, t in tiles.items()} == {
        name: pytest.approx(1 / (1 + np.exp(-k)))
        for k, name in enumerate(("AE, linear", "AE, ReLU", "VAE"), 1)
    }


# -- separation


@pytest.mark.parametrize(("settings", "images"), [(Settings(seed=79), 1000), (QUICK, 100)])
def test_images_to_separate(monkeypatch, settings, images):
    x, y = np.arange(2000.0).reshape(-1, 1, 1, 1), np.arange(2000) % 10
    data = Dataset(x, y, -x[:21], y[:21], "", "")
    monkeypatch.setattr(image_separation, "photographs", lambda settings: data)
    found = image_separation.sets.__wrapped__(settings)
    assert [len(part) for part in found["train"]] == [images // 2] * 2
    assert [len(part) for part in found["test"]] == [10, 10]
    assert min(part.min() for part in found["train"]) == 0
    assert max(part.max() for part in found["test"]) == 0
    text = image_separation.setting(settings, False)
    epochs = image_separation.recipe(settings, False).epochs
    pairs = 64 if settings.quick else 1024
    assert f"trained on {pairs * epochs:,} pairs" in text
    assert f"about {pairs * 1250:,} pairs." in text
    assert "those of the report" in image_separation.setting(settings, True)


@pytest.mark.parametrize(
    "module",
    [ex01_autoencoder, ex01c_inside, ex06_denoising, ex07_vae, ex08_denoising, ex08b_map],
)
def test_a_missing_digit_is_said_before_anything_is_trained(monkeypatch, module):
    data = uneven_greys()
    without_nine = np.where(data.y_test == 9, 0, data.y_test)
    data = Dataset(data.x_train, data.y_train, data.x_test, without_nine, data.name, data.source)
    monkeypatch.setattr(module, "mnist32", lambda settings: data)
    monkeypatch.setattr(module, "trained", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(ValueError, match="9"):
        module.run(Settings(quick=True))

"""Which models and images the figures on clothes and loss terms hold; networks are formulas."""

import numpy as np
import pytest

from exercises import fashion_vae, fashion_vae_latents, loss_terms
from exercises.common import Settings
from nnscratch.training import History
from tests.exercises.formulas import bright_training, halving_autoencoder, published, record


@pytest.fixture
def settings(tmp_path):
    return Settings(data="embedded", quick=True, out=tmp_path)


# -- clothes


def test_figures_of_the_vae_of_clothes(monkeypatch, settings):
    """The first two images count for the curves, all of them at the end."""
    module = fashion_vae
    data = {"Fashion-MNIST": bright_training(), "MNIST": bright_training(2.0)}
    sets = {name: lambda settings, d=d: d for name, d in data.items()}
    history = History(
        loss=[9.0, 8.0],
        measured={f"{part} {which}": [1.0, 2.0] for part in ("train", "test")
                  for which in ("total", "reconstruction", "kl")},
    )  # fmt: skip
    monkeypatch.setattr(module, "SETS", sets)
    monkeypatch.setattr(module, "MEASURED", 2)
    monkeypatch.setattr(module, "fashion", sets["Fashion-MNIST"])
    monkeypatch.setattr(
        module, "trained", lambda settings, name: (halving_autoencoder(), history, f"{name}\nhow")
    )
    monkeypatch.setattr(
        module, "parts_of_the_loss",
        lambda model, x: dict.fromkeys(("total", "reconstruction", "kl"), float(x.mean())),
    )  # fmt: skip
    with monkeypatch.context() as inner:
        pages = published(inner, module)
        module.loss_curves(settings)
    clothes, others = pages["fashion_vae_loss"].figure.axes
    lines = ["report, first epoch: 55.7", "report, last epoch: 42.3"]
    assert [text.get_text() for text in clothes.texts] == lines
    assert [text.xy for text in clothes.texts] == [(1, 55.7), (1, 42.3)]  # on their lines
    assert not others.texts
    module.loss_curves(settings)
    page = record(settings.out, "fashion_vae_loss")
    numbers = page["numbers"]
    totals = {
        name: (numbers[name]["train"]["total"], numbers[name]["test"]["total"]) for name in data
    }
    assert totals["Fashion-MNIST"] == pytest.approx((1.45, 0.45))
    assert totals["MNIST"] == pytest.approx((3.45, 2.45))
    assert numbers["MNIST"]["mean_loss_of_the_batches_by_epoch"] == [9, 8]
    assert numbers["MNIST"]["test_kl_by_epoch"] == [1, 2]
    assert page["stamp"] == "greys and greys\nhow"
    monkeypatch.setattr(module, "ROWS", 2)
    monkeypatch.setattr(module, "COLUMNS", 3)
    module.reconstructions(settings)
    page = record(settings.out, "fashion_vae_reconstructions")
    errors = [(d / 20) ** 2 for d in range(6)]  # of the first six test images
    assert page["numbers"] == {
        "mse_of_these": pytest.approx(np.mean(errors)), "worst": pytest.approx(errors[5]), "best": 0
    }  # fmt: skip
    assert page["stamp"] == "Fashion-MNIST\nhow"


def test_traversals_are_in_the_order_of_the_test_codes(monkeypatch, settings):
    """Test codes vary most along latent 9, training codes along latent 0; images are latent 9."""
    module, z = fashion_vae_latents, np.zeros((2, 10))
    z[1] = np.arange(10)
    monkeypatch.setattr(
        module, "codes", lambda settings, name: (z[:, ::-1], z if name == "MNIST" else 2 * z)
    )
    monkeypatch.setattr(module, "both_stamps", lambda settings: "stamp")
    monkeypatch.setattr(
        module, "draw",
        lambda settings, name, codes: codes[..., -1:, None] * np.ones((1, 1, 28, 28)) / 28,
    )  # fmt: skip
    module.traversals(settings)
    page = record(settings.out, "fashion_vae_traversals")
    for name, scale in (("MNIST", 1), ("Fashion-MNIST", 4)):
        numbers = page["numbers"][name]
        assert numbers["latent"] == list(range(9, -1, -1))
        assert numbers["variance_of_mu"] == [scale * k * k / 4 for k in range(9, -1, -1)]
        assert numbers["sse_between_both_ends"] == pytest.approx([36] + [0] * 9)
    assert "MNIST, 9 latents in use" in page["answers"][0][1]


def test_samples_and_classes_are_of_both_sets(monkeypatch, settings):
    module, drawn = fashion_vae_latents, []

    def draw(settings, name, z):
        drawn.append((name, z))
        return np.zeros((*z.shape[:2], 28, 28))

    def measure(settings, name):
        part = {"1-NN_macro_percent": float(len(name)), "silhouette": 0.5}
        return {"VAE": part, "PCA-10": part, "active_units": 3, "variance_of_mu": np.ones(10),
                "variance_of_images": 5.0, "most_confused": [("a", "b", 1.0)]}  # fmt: skip

    monkeypatch.setattr(module, "draw", draw)
    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr(module, "both_stamps", lambda settings: "stamp")
    module.samples(settings)
    assert record(settings.out, "fashion_vae_samples")["numbers"] == {"codes": 100}
    (first, z), (second, same) = drawn
    assert (first, second) == ("Fashion-MNIST", "MNIST")
    assert z.shape == (10, 10, 10)
    assert z is same
    assert abs(z.std() - 1) < 0.1
    module.classes(settings)
    numbers = record(settings.out, "fashion_vae_classes")["numbers"]
    assert [numbers[name]["VAE"]["1-NN_macro_percent"] for name in numbers] == [13, 5]


# -- the terms of the loss


def test_numbers_of_the_terms_are_of_the_test_images(monkeypatch, settings):
    """A code is two pixels, and s is 1 more than their squares."""
    module, data = loss_terms, bright_training(side=32)
    model = halving_autoencoder()
    model.encode = lambda x: (x[:, 0, :2, 0], 2 * np.log(1 + x[:, 0, :2, 0] ** 2))
    monkeypatch.setattr(module, "mnist32", lambda settings: data)
    monkeypatch.setattr(
        module, "elbo_terms", lambda model, x, rng: {"kl": x.mean(), "reconstruction": len(x)}
    )
    monkeypatch.setattr(
        module, "class_separation", lambda *parts: {"of": [float(part.mean()) for part in parts]}
    )
    found = module.measure(settings, model, data.x_test[:, 0, :2, 0])
    assert found["code_sd"] == pytest.approx(2 * [np.arange(10).std() / 10])
    assert found["sampling_sd"] == pytest.approx(1 + (0.16 + 0.25) / 2)
    assert (found["kl"], found["sse_at_a_sample"]) == (pytest.approx(0.45), 10)
    assert found["sse_at_mu"] == pytest.approx(1024 * 285 / 4000)
    assert found["of"] == pytest.approx([1.45, 4.5, 0.45, 4.5])


def test_the_figure_of_the_terms(monkeypatch, settings):
    module, data = loss_terms, bright_training(side=32)
    names = ("reconstruction only", "KL only", "both")
    monkeypatch.setattr(module, "mnist32", lambda settings: data)
    monkeypatch.setattr(module, "trained", lambda settings: {n: len(n) for n in names})
    monkeypatch.setattr(module, "means", lambda model, x: model * x[:, 0, :2, 0])

    def measure(settings, model, test):
        return dict.fromkeys(
            ("sampling_sd", "kl", "sse_at_mu", "sse_at_a_sample", "silhouette",
             "1-NN_macro_percent", "empty_cells_percent"), model,
        ) | {"code_sd": test.max(axis=0)}  # fmt: skip

    monkeypatch.setattr(module, "measure", measure)
    module.run(settings)
    numbers = record(settings.out, "loss_terms")["numbers"]
    for name in names:
        assert numbers[name]["kl"] == len(name)
        assert numbers[name]["code_sd"] == pytest.approx(2 * [0.9 * len(name)])
    reference = numbers["for_comparison"]
    mean_image = 1024 * np.mean((np.arange(10) / 10 - 1.45) ** 2)
    assert reference["sse_of_the_mean_image"] == pytest.approx(mean_image)
    assert reference["empty_cells_percent"] > 97  # ten points in 400 cells

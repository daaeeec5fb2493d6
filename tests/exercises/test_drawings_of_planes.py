"""What the figures on PCA, clothes, loss terms and separation show."""

from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    fashion_vae,
    fashion_vae_latents,
    image_separation,
    image_separation_methods,
    image_separation_more_data,
    loss_terms,
    pca_ae_vae,
    pca_linear,
)
from exercises.common import Settings
from exercises.pca_linear import BOTH, LINEAR, RELU, SIGMOID, WIDE
from nnscratch.datasets import Dataset
from nnscratch.plotting import new_figure
from nnscratch.training import History
from tests.exercises.formulas import (
    bars_drawn,
    bright_training,
    greys_drawn,
    lines_drawn,
    published,
)

SETTINGS = Settings(data="embedded", quick=True)


def texts(axis):
    """What is written into a diagram."""
    return [text.get_text().strip() for text in axis.texts]


# -- PCA


def test_bars_and_lines_of_pca(monkeypatch):
    history = History(measured={"angle": [40.0, 20.0]})
    monkeypatch.setattr(pca_linear, "trained", lambda *_: (None, history, 0))
    monkeypatch.setattr(pca_linear, "recipe", lambda *_: SimpleNamespace(epochs=2))
    results = {
        v.name: {"train_mse_ratio": 1 + k / 8, "test_mse_ratio": 2 + k / 8,
                 "largest_angle_degrees": 1.0 * k}
        for k, v in enumerate((LINEAR, RELU, SIGMOID, BOTH, WIDE))
    }  # fmt: skip
    left, middle, right = pca_linear.draw(SETTINGS, results).axes
    assert lines_drawn(left) == {key: [40, 20] for key in (LINEAR.name, RELU.name, SIGMOID.name)}
    assert left.lines[0].get_xdata().tolist() == [1, 2]
    train, test = bars_drawn(middle)
    assert train == [1, 1.125, 1.25, 1.375, 1.5]
    assert test == [2, 2.125, 2.25, 2.375, 2.5]
    assert texts(middle) == [f"{value:.4f}" for value in (*train, *test)]
    assert middle.lines[0].get_xdata() == [1, 1]
    assert bars_drawn(right) == [[0, 1, 2, 3, 4]]
    assert texts(right) == ["0.00", "1.00", "2.00", "3.00", "4.00"]
    legend = [text.get_text() for text in middle.get_legend().get_texts()]
    assert legend == ["train images", "test images"]


def test_numbers_of_pca_are_of_both_sets(monkeypatch):
    data = Dataset(np.ones((3, 2, 2, 1)), None, np.full((2, 2, 2, 1), 3.0), None, "", "some images")
    pages = published(monkeypatch, pca_linear)
    monkeypatch.setattr(pca_linear, "fashion", lambda settings: data)
    monkeypatch.setattr(pca_linear, "project", lambda settings, x: x / 2)
    monkeypatch.setattr(pca_linear, "measure", lambda settings, variant: {"of": variant.units})
    monkeypatch.setattr(pca_linear, "draw", lambda *_: None)
    monkeypatch.setattr(pca_linear, "answers", lambda results: [])
    pca_linear.run(SETTINGS)
    numbers = pages["pca_linear"].numbers
    assert numbers["PCA-2"] == {"train_mse": 0.25, "test_mse": 2.25}
    assert {name: n["of"] for name, n in numbers.items() if name != "PCA-2"} == {
        LINEAR.name: 2, RELU.name: 2, SIGMOID.name: 2, BOTH.name: 2, WIDE.name: 1000
    }  # fmt: skip


def test_the_canvases_are_those_of_their_decoders(monkeypatch):
    module = pca_ae_vae
    pages, data = published(monkeypatch, module), bright_training()
    greys = {"AE, linear": 0.25, "AE, ReLU": 0.5, "VAE": 0.75}
    tiles = {name: np.full((21, 21, 28, 28), grey) for name, grey in greys.items()}
    z = {name: (None, np.full((10, 2), k)) for k, name in enumerate(("PCA", *greys))}
    monkeypatch.setattr(module, "fashion", lambda settings: data)
    monkeypatch.setattr(module, "grids", lambda settings: tiles)
    monkeypatch.setattr(module, "codes", lambda settings: z)
    monkeypatch.setattr(module, "trained", lambda settings: "model")
    monkeypatch.setattr(module, "elbo_terms", lambda model, x, *_: {"kl": float(x.mean())})
    monkeypatch.setattr(
        module, "measure_grid",
        lambda settings, name: dict.fromkeys(
            ("codes_on_the_canvas_percent", "tile_mse_to_nearest_training_image",
             "variance_of_tiles_percent"), greys[name],
        ),
    )  # fmt: skip
    monkeypatch.setattr(
        module, "measure_codes",
        lambda settings, name: {"silhouette": len(name) / 64, "1-NN_macro_percent": len(name)},
    )  # fmt: skip
    module.ae_grid(SETTINGS)
    page = pages["pca_ae_grid"]
    assert greys_drawn(page.figure) == [0.25, 0.5]
    assert [axis.get_title() for axis in page.figure.axes] == ["AE, linear code", "AE, ReLU code"]
    assert list(page.numbers) == ["AE, linear", "AE, ReLU"]
    module.vae_grid(SETTINGS)
    page = pages["pca_vae_grid"]
    assert greys_drawn(page.figure) == [0.75]
    left, right = page.figure.axes[:2]
    assert (right.collections[0].get_offsets() == 3).all()
    assert left.images[0].get_extent() == pytest.approx([-4.2, 4.2, -4.2, 4.2])
    assert left.get_xlim() == left.get_ylim() == right.get_xlim() == right.get_ylim()
    assert left.get_shared_y_axes().joined(left, right)  # so numbers stand at the left only
    assert page.numbers["VAE"]["codes_on_the_canvas_percent"] == 0.75
    assert page.answers[0][1].endswith("Nearest to real clothes: AE, linear.")
    module.scatters(SETTINGS)
    page = pages["pca_scatters"]
    drawn = [axis.collections[0].get_offsets()[0, 0] for axis in page.figure.axes[:3]]
    assert drawn == [0, 1, 3]
    assert page.figure.axes[1].get_title() == "AE, linear: silhouette +0.156, 1-NN 10.0 %"
    assert page.numbers["vae_test_nats"] == {"kl": pytest.approx(0.45)}
    assert page.numbers["VAE"]["1-NN_macro_percent"] == 3


# -- clothes


def test_parts_of_the_loss_are_drawn():
    measured = {
        f"{part} {which}": [k + 10.0 * place, k + 20.0 * place]
        for k, part in enumerate(("train", "test"))
        for place, which in enumerate(("total", "reconstruction", "kl"), 1)
    }
    axis = new_figure(3, 3, "").subplots()
    fashion_vae.plot_parts(axis, History(loss=[0.0, 0.0], measured=measured))
    assert lines_drawn(axis) == {
        "total, train": [10, 20], "SSE, train": [20, 40], "5 KL, train": [150, 300],
        "total, test": [11, 21], "SSE, test": [21, 41], "5 KL, test": [155, 305],
    }  # fmt: skip
    assert axis.lines[0].get_xdata().tolist() == [1, 2]


def test_bars_and_labels_of_the_latents(monkeypatch):
    module = fashion_vae_latents
    pages = published(monkeypatch, module)

    def measure(settings, name):
        k = len(name)
        return {
            "VAE": {"1-NN_macro_percent": 1.0 * k, "silhouette": k / 16},
            "PCA-10": {"1-NN_macro_percent": 2.0 * k, "silhouette": -k / 16},
            "active_units": k, "variance_of_mu": k * np.ones(10), "variance_of_images": 5.0,
            "most_confused": [("a", "b", 1.0)],
        }  # fmt: skip

    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr(module, "both_stamps", lambda settings: "stamp")
    module.classes(SETTINGS)
    left, middle, right = pages["fashion_vae_classes"].figure.axes
    assert bars_drawn(left) == [[13, 26], [5, 10]]
    assert bars_drawn(middle) == [[13 / 16, -13 / 16], [5 / 16, -5 / 16]]
    assert texts(left) == ["13.0", "26.0", "5.0", "10.0"]
    assert lines_drawn(right) == {
        "Fashion-MNIST, 13 active": [13] * 10, "MNIST, 5 active": [5] * 10
    }  # fmt: skip
    assert right.lines[-1].get_ydata() == [0.01, 0.01]
    z = np.stack([np.zeros(10), np.arange(10)])
    monkeypatch.setattr(module, "codes", lambda settings, name: (None, z))
    monkeypatch.setattr(
        module, "draw",
        lambda settings, name, codes: codes.sum(axis=-1)[..., None, None] * np.ones((1, 1, 28, 28)),
    )  # fmt: skip
    module.traversals(SETTINGS)
    for axis in pages["fashion_vae_traversals"].figure.axes:
        picture = np.asarray(axis.images[0].get_array())
        assert picture[0, ::28] == pytest.approx(np.linspace(-3, 3, 10))
        labels = [label.get_text() for label in axis.get_yticklabels()]
        assert labels == [f"{k * k / 4:.2g}" for k in range(9, -1, -1)]
        ends = [axis.get_xticklabels()[i].get_text() for i in (0, 9)]
        assert ends == ["-3.0", "+3.0"]


def test_loss_terms_have_their_own_panels(monkeypatch):
    module, data = loss_terms, bright_training(side=32)
    pages = published(monkeypatch, module)
    names = ("reconstruction only", "KL only", "both")
    monkeypatch.setattr(module, "mnist32", lambda settings: data)
    monkeypatch.setattr(module, "trained", lambda _: {n: k for k, n in enumerate(names, 1)})
    monkeypatch.setattr(module, "means", lambda model, x: model * x[:, 0, :2, 0])

    def measure(settings, k, test):
        return {"sampling_sd": k / 2, "kl": 10.0 * k, "sse_at_mu": 20.0 * k, "silhouette": k / 4,
                "sse_at_a_sample": 1.0, "1-NN_macro_percent": 30.0 * k, "empty_cells_percent": 1.0,
                "code_sd": np.array([5.0, 6.0]) * k}  # fmt: skip

    monkeypatch.setattr(module, "measure", measure)
    module.run(SETTINGS)
    for k, axis in enumerate(pages["loss_terms"].figure.axes[:3], 1):
        assert axis.collections[0].get_offsets().max() == pytest.approx(0.9 * k)
        assert axis.get_title() == (
            f"{names[k - 1]}\nsd of codes {5 * k} and {6 * k}, sampled with {k / 2:.2g}\n"
            f"SSE {20 * k}.0, KL {10 * k}, silhouette {k / 4:+.2f}, 1-NN {30 * k}.0 %"
        )


# -- separation


def test_bars_of_all_methods(monkeypatch):
    module = image_separation_methods
    pages = published(monkeypatch, module)
    names = ("average, twice", "linear map", "VAE", "autoencoder", "U-Net")
    results = {
        name: {
            which: {"error": 0.25 * k + shift, "ratio": 0.01 * k + shift,
                    "ratio_better_order": 0.02 * k + shift, "order_kept_percent": k + 10 * shift}
            for which, shift in (("train", 0), ("test", 1))
        }
        for k, name in enumerate(names, 1)
    }  # fmt: skip
    monkeypatch.setattr(module, "measured_methods", lambda settings: results)
    monkeypatch.setattr(module, "trained", lambda *_: (None, "stamp"))
    module.table(SETTINGS)
    page = pages["separation_table"]
    ratio, better, kept = page.figure.axes
    train, test = bars_drawn(ratio)
    assert train == pytest.approx([3, 3, 3, 4, 5])  # at least three per cent
    assert test == pytest.approx([101, 102, 103, 104, 105])
    assert texts(ratio)[:5] == ["1", "2", "3", "4", "5"]
    assert bars_drawn(better)[0] == pytest.approx([3, 4, 6, 8, 10])
    assert bars_drawn(kept) == [[1, 2, 3, 4, 5], [11, 12, 13, 14, 15]]
    assert [label.get_text() for label in ratio.get_yticklabels()] == list(names)
    assert better.get_ylim() == kept.get_ylim() == ratio.get_ylim()  # the first method on top
    shares = "% of the error of giving the average twice"
    assert [axis.get_xlabel() for axis in page.figure.axes] == [shares, shares, ""]
    assert [axis.get_xscale() for axis in page.figure.axes] == ["log", "log", "linear"]
    for axis, words in ((ratio, "the order of the sets"), (better, "the better order"),
                        (kept, "pairs in which the order")):  # fmt: skip
        assert words in axis.get_title()
    assert "(0.2500 on training and 1.2500 on test pairs" in page.caption
    assert page.numbers is results


def test_lines_of_more_data(monkeypatch):
    module = image_separation_more_data
    pages = published(monkeypatch, module)
    results = {
        n: (
            {which: {"error": 0.5, "ratio": k * n / 100, "ratio_better_order": k * n / 200}
             for k, which in ((1, "train"), (2, "test"))},
            History(loss=[0.5, 0.25]),
        )
        for n in (100, 200)
    }  # fmt: skip
    data = Dataset(None, None, None, None, "some", "some images")
    monkeypatch.setattr(module, "measured", lambda settings: results)
    monkeypatch.setattr(module, "photographs", lambda settings: data)
    monkeypatch.setattr(image_separation, "photographs", lambda settings: data)
    module.more_data(SETTINGS)
    left, right = pages["separation_more_data"].figure.axes
    assert lines_drawn(left) == {
        "train pairs": [100, 200], "test pairs": [200, 400],
        "test pairs, better order of the two": [100, 200],
    }  # fmt: skip
    assert texts(left) == ["100", "200", "200", "400"]
    assert lines_drawn(right) == {key: [200, 100] for key in ("100 images", "200 images")}
    assert right.lines[0].get_xdata().tolist() == [64, 128]


def test_pictures_of_pairs(monkeypatch):
    module = image_separation
    pages = published(monkeypatch, module)
    both = np.stack([np.full((8, 2, 2), grey) for grey in (0.25, 0.75)], axis=-1)
    found = np.stack([np.full((8, 2, 2), grey) for grey in (0.375, 1.5)], axis=-1)
    monkeypatch.setattr(module, "evaluation_pairs", lambda *_: (both[..., :1] + 0.25, both))
    monkeypatch.setattr(module, "outputs", lambda *_: found)
    monkeypatch.setattr(module, "trained", lambda *_: (None, "stamp"))
    monkeypatch.setattr(module, "setting", lambda *_: "")
    module.figure_of_pairs(SETTINGS, "train", False)
    page = pages["separation_train"]
    rows = np.reshape([p.get_array().flat[0] for a in page.figure.axes for p in a.images], (5, 6))
    assert rows[:, 0].tolist() == [0.5, 0.25, 0.375, 0.75, 1.5]
    assert page.figure.axes[0].images[0].get_clim() == (0, 1)  # so 1.5 is drawn white
    assert page.figure.axes[0].get_title() == f"MSE1 + MSE2\n{0.125**2 + 0.75**2:.4f}"
    assert f"mean is {0.125**2 + 0.75**2:.4f}" in page.caption

"""What the README's table and the page say of a figure's numbers, on numbers made up."""

import json
from types import ModuleType

import pytest

from exercises import results
from exercises.catalogue import FIGURES
from exercises.results import MEASURED, _accepted, _count, _dead, _denoised, _first_over_last
from exercises.timing import GALLERY


def said(figure, numbers):
    return [ours(numbers) for _, _, ours in MEASURED[figure]]


def test_helpers_count_what_they_say():
    assert _dead({"both numbers of the code alive": 90, "one dead": 7, "both dead": 3}) == "10"
    mistakes = {"right": {"named": True}, "a": {"named": True}, "b": {"named": False}}
    assert _count(mistakes, "named") == "1"
    assert _first_over_last({"parameter_gradient_norm": {"a": 3.0, "b": 9.0, "c": 4.0}}) == "0.75"
    assert _denoised({"mse_[-1,1]": {"MAP, w = 2.56": 0.12345}}, "MAP") == "0.1235"
    assert _accepted({"accepted_share": 0.4567}) == "45.7 %"


MADE_UP = [
    (
        "ex00_mistakes",
        {
            "right": {}, "a": {"named": True, "told_by_the_loss": False},
            "b": {"named": True, "told_by_the_loss": True},
            "c": {"named": False, "told_by_the_loss": False},
        },
        ["2 of 3", "1"],
    ),
    ("ex01_fig2", {"test_mse_[-1,1]": 0.16, "extra_test_mse_[-1,1]": 0.125}, ["0.1600", "0.1250"]),
    (
        "ex01_dead_starts",
        {
            "Glorot, bias 0": {"one dead": 2, "both dead": 3},
            "Glorot, after 150 iterations": {"one dead": 1, "both dead": 0},
        },
        ["5", "1"],
    ),
    (
        "ex01_gradient_flow",
        {
            "at the start": {"parameter_gradient_norm": {"a": 1.0, "b": 4.0}},
            "after training": {"parameter_gradient_norm": {"a": 3.0, "b": 2.0}},
        },
        ["0.25; 1.5"],
    ),
    ("ex02_fig3", {"test": {"share_exactly_0": [0.5, 0.0125]}}, ["50.0 % and 1.2 %"]),
    ("ex02_overlap", {"silhouette_mean": -0.125}, ["-0.125"]),
    (
        "ex03_table1",
        {
            "macro_percent_first_1000": 40.04, "macro_percent_first_10000": 41.0,
            "chance": {"hits": 100.25, "sd": 9.0},
        },
        ["40.0 %", "41.0 %", "100.2"],
    ),
    ("ex04_fig4", {"test_loss": 0.125}, ["0.1250"]),
    ("ex04_table", {"accuracy_percent": 98.765, "macro_percent": 9.0}, ["98.77 %"]),
    (
        "ex04_capacity",
        {
            f"{k} filters": {"validation accuracy": k / 100, "test accuracy": 0.5}
            for k in (4, 16, 64)
        },
        ["4.0 / 16.0 / 64.0 %"],
    ),
    ("ex05_tiles", {"digits_covered": [1, 3, 9], "sure_tiles": 40}, ["3"]),
    (
        "ex06_table",
        {"autoencoder of noisy": {"mse_[-1,1]": 0.25}, "PCA-2 of noisy": {"mse_[-1,1]": 0.5}},
        ["0.2500", "0.5000"],
    ),
    ("ex07_fig7", {"test_mse_[-1,1]": 0.125, "test_mse_[0,1]": 0.03125}, ["0.1250"]),
    ("ex07_fig8", {"test_total": 201.126}, ["201.13"]),
    (
        "ex07_fig9",
        {"vae": {"kl_to_prior": 0.0625}, "autoencoder": {"kl_to_prior": 9.25}},
        ["0.062; 9.2"],
    ),
    (
        "ex07_comparison",
        {"VAE, extent of codes": {"digits_covered": [1, 2], "1-NN_macro_percent": 80.06}},
        ["2", "80.1 %"],
    ),
    ("ex07_nats", {"28 x 28": {"negative_elbo": 150.0}, "32 x 32": {}}, ["150.0"]),
    (
        "ex08_table",
        {"mse_[-1,1]": {"VAE-16 of noisy, w = 2.56": 0.5, "MAP, w = 2.56": 0.25}},
        ["0.5000", "0.2500"],
    ),
    ("ex08_fig13", {"adam_start_and_end_[-1,1]": [7000.0, 3370.4]}, ["3370"]),
    ("ex08_inpainting", {"mse_of_unseen_pixels_[-1,1]_lower half": 0.125}, ["0.125"]),
    (
        "beta_vae_ae",
        {"test_mse": 0.0035, "samples_of_N(0, I)": {"accepted_share": 0.5}},
        ["0.0035", "50.0 %"],
    ),
    ("beta_vae_0", {"kl": 123.4}, ["123"]),
    ("beta_vae_10", {"test_mse_sampled": 0.0625, "test_mse": 1.0}, ["0.0625"]),
    ("beta_vae_sweep", {"chosen_beta": 0.05}, ["0.05"]),
    ("beta_vae_chosen", {"accepted_share": 0.75}, ["75.0 %"]),
    (
        "beta_vae_smoothness",
        {"VAE, beta 0.05": {"confidence": 0.75}, "AE": {"confidence": 0.5}},
        ["0.750; 0.500"],
    ),
    (
        "beta_vae_downstream",
        {
            "linear probe, VAE, beta 0.05, 100 labels": {"accuracy": 0.75},
            "linear probe, AE, 100 labels": {"accuracy": 0.5},
        },
        ["75.0 %; 50.0 %"],
    ),
    ("loss_terms", {"reconstruction only": {"kl": 12.34}, "both": {"kl": 5.67}}, ["12.3; 5.7"]),
    (
        "pca_linear",
        {"linear": {"train_mse_ratio": 1.0001}, "sigmoid output, BCE": {"train_mse_ratio": 0.875}},
        ["1.0001", "0.875"],
    ),
    ("pca_scatters", {"VAE": {"1-NN_macro_percent": 60.06}, "PCA": {}}, ["60.1 %"]),
    ("fashion_vae_loss", {"Fashion-MNIST": {"train": {"total": 42.3}, "test": {}}}, ["42.30"]),
    (
        "fashion_vae_classes",
        {
            "Fashion-MNIST": {"VAE": {"1-NN_macro_percent": 70.0}},
            "MNIST": {"VAE": {"1-NN_macro_percent": 90.0}},
        },
        ["70.0 %; 90.0 %"],
    ),
    ("separation_train", {"ratio": 0.25}, ["25 %"]),
    ("separation_test", {"ratio": 0.5}, ["50 %"]),
    (
        "separation_table",
        {
            "autoencoder": {"train": {"ratio": 0.5}, "test": {"ratio": 9.0}},
            "VAE": {"train": {"ratio": 0.75}, "test": {"ratio": 9.0}},
        },
        ["50 %; 75 %"],
    ),
    (
        "separation_more_data",
        {
            "scores": {
                "100": {"test": {"ratio": 0.75}, "train": {"ratio": 9.0}},
                "9360": {"test": {"ratio": 0.5}, "train": {"ratio": 9.0}},
            }
        },
        ["75 %; 50 %"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("figure", "numbers", "expected"), MADE_UP)
def test_numbers_in_words(figure, numbers, expected):
    assert said(figure, numbers) == expected


def test_words_of_all_figures_are_looked_at():
    assert [figure for figure, *_ in MADE_UP] == list(MEASURED)


def test_a_row_holds_command_minutes_and_both_numbers(monkeypatch, tmp_path):
    """Only the first row of an exercise says its command, only that of a figure its title."""
    module = ModuleType("exercises.ex01")
    monkeypatch.setattr(results, "EXERCISES", ((module, ("ex01_fig2", "unmeasured")),))
    monkeypatch.setattr(results, "GALLERY", tmp_path)
    numbers = {"test_mse_[-1,1]": 0.25, "extra_test_mse_[-1,1]": 0.125}
    for name, title in (("ex01_fig2", "Losses"), ("unmeasured", "Else")):
        record = {"title": title, "numbers": numbers}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
        (tmp_path / f"{name}.png").write_bytes(b"")
    monkeypatch.setattr(
        results.timing, "read", lambda which: {"seconds": {"ex01": {"full": 90.0}[which]}}
    )
    lines = results.table().splitlines()[2:]
    picture = "gallery/ex01_fig2.png"
    assert lines == [
        f"| [Losses]({picture}) | `ex01` | 1.5 | test MSE after 10 epochs, pixels in [-1, 1] "
        "| 0.2500 | .1600 |",
        "|  |  |  | the same, 1e-3 with cosine decay | 0.1250 | – |",
        "| [Else](gallery/unmeasured.png) |  |  |  |  |  |",
    ]


def test_every_number_of_the_table_is_in_the_gallery():
    for figure in MEASURED:
        assert figure in FIGURES
        record = json.loads((GALLERY / f"{figure}.json").read_text(encoding="utf-8"))
        assert all(said(figure, record["numbers"]))
    lines = results.table().splitlines()
    assert len(lines) == 2 + sum(len(MEASURED.get(name, ((),))) for name in FIGURES)

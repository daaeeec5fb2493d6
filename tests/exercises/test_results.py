"""What the README's table and the page say of a figure's numbers, on numbers made up."""

import json

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


@pytest.mark.parametrize(
    ("figure", "numbers", "expected"),
    [
        ("ex01_fig2", {"test_mse_[-1,1]": 0.16, "extra_test_mse_[-1,1]": 0.125},
         ["0.1600", "0.1250"]),
        ("ex02_fig3", {"test": {"share_exactly_0": [0.5, 0.0125]}}, ["50.0 % and 1.2 %"]),
        ("ex02_overlap", {"silhouette_mean": -0.125}, ["-0.125"]),
        ("ex03_table1", {"macro_percent_first_1000": 40.04, "macro_percent_first_10000": 41.0,
                         "chance": {"hits": 100.25}}, ["40.0 %", "41.0 %", "100.2"]),
        ("ex04_table", {"accuracy_percent": 98.765}, ["98.77 %"]),
        ("ex04_capacity", {f"{k} filters": {"validation accuracy": k / 100} for k in (4, 16, 64)},
         ["4.0 / 16.0 / 64.0 %"]),
        ("ex05_tiles", {"digits_covered": [1, 3, 9]}, ["3"]),
        ("ex07_fig9", {"vae": {"kl_to_prior": 0.0625}, "autoencoder": {"kl_to_prior": 9.25}},
         ["0.062; 9.2"]),
        ("ex07_nats", {"28 x 28": {"negative_elbo": 150.0}}, ["150.0"]),
        ("ex08_fig13", {"adam_start_and_end_[-1,1]": [7000.0, 3370.4]}, ["3370"]),
    ],
)  # fmt: skip
def test_numbers_in_words(figure, numbers, expected):
    assert said(figure, numbers) == expected


def test_every_number_of_the_table_is_in_the_gallery():
    for figure in MEASURED:
        assert figure in FIGURES
        record = json.loads((GALLERY / f"{figure}.json").read_text(encoding="utf-8"))
        assert all(said(figure, record["numbers"]))
    lines = results.table().splitlines()
    assert len(lines) == 2 + sum(len(MEASURED.get(name, ((),))) for name in FIGURES)

"""The README says what is so."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
GALLERY = CHECKOUT / "exercises" / "gallery"


def block(language, number=0):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


def test_example_prints_what_the_readme_prints():
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block("python"), "README.md", "exec"), {})
    said, measured = (
        float(re.match(r"([\d.]+)% of 1000 test digits right", text)[1])
        for text in (block("text"), output.getvalue())
    )
    assert measured == pytest.approx(said, abs=0.5)  # the last bits depend on the CPU


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (CHECKOUT / link).exists(), link


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rsplit(" ", 1)[1] for command in commands] == ["exercises", "pytest"]


def gallery_numbers(name):
    return json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))["numbers"]


def test_results_are_those_of_the_gallery():
    curves, table = gallery_numbers("ex01_fig2"), gallery_numbers("ex03_table1")
    starts = gallery_numbers("ex01_dead_starts")
    dead, later = starts["Glorot, bias 0"], starts["Glorot, after 150 iterations"]
    rows = {
        "Fig 2, test MSE after 10 epochs": f"{curves['test_mse_[-1,1]']:.4f}",
        "the same, 1e-3 with cosine decay": f"{curves['extra_test_mse_[-1,1]']:.4f}",
        "Table I, mean accuracy, first 1,000": f"{table['macro_percent_first_1000']:.1f} %",
        "Table I, mean accuracy, all 10,000": f"{table['macro_percent_first_10000']:.1f} %",
        "right by chance, of 1,000": f"{table['chance']['hits']:.1f}",
        "starts with a dead code number, of 200": str(dead["one dead"] + dead["both dead"]),
        "the same after 150 iterations, of 20": str(later["one dead"] + later["both dead"]),
    }
    for name, measured in rows.items():
        (line,) = [line for line in README.splitlines() if name in line]
        assert line.rstrip(" |").endswith(f"| {measured}"), line

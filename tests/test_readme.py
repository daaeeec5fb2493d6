"""The README says what is so."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from exercises.catalogue import FIGURES
from exercises.results import MEASURED, table

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


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


def test_symbols_are_where_the_glossary_says():
    places = re.findall(r"\| (`[\w./]+`(?:, `[\w./]+`)*) \|$", README, re.MULTILINE)
    files = [file for place in places for file in re.findall(r"`([^`]+)`", place)]
    assert len(files) > 40
    for file in files:
        assert (CHECKOUT / "nnscratch" / file).resolve().exists(), file


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rsplit(" ", 1)[1] for command in commands] == ["exercises", "pytest"]


def test_table_is_that_of_the_gallery():
    (printed,) = re.findall(r"<!-- table -->\n(.*)\n<!-- end of table -->", README, re.DOTALL)
    assert printed == table()


def test_every_measure_is_of_a_figure():
    assert set(MEASURED) <= set(FIGURES)

"""The READMEs say what is so."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

import pytest

from exercises.catalogue import FIGURES
from exercises.results import MEASURED, table

CHECKOUT = Path(__file__).parents[1]
FILES = [CHECKOUT / place / "README.md" for place in
         (".", "nnscratch", "exercises", "tests", "tests/benchmarks")]  # fmt: skip
README, SYMBOLS, FIGURES_PAGE, _, SPEED = (file.read_text(encoding="utf-8") for file in FILES)
DENSE, EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_it_is_short():
    assert len(README.splitlines()) <= 130


def test_the_first_lines_are_those_of_the_file():
    text = (CHECKOUT / "nnscratch/layers/dense.py").read_text(encoding="utf-8")
    assert textwrap.indent(DENSE, "    ").replace("\n    \n", "\n\n") in text


def test_example_prints_what_the_readme_prints():
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(EXAMPLE, "README.md", "exec"), {})
    said, measured = (
        float(re.search(r"([\d.]+)% of 1000 test digits right", text)[1])
        for text in (README, output.getvalue())
    )
    assert measured == pytest.approx(said, abs=0.5)  # the last bits depend on the CPU


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_links_lead_somewhere(file):
    links = re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8"))
    for link in links:
        assert (file.parent / link).exists(), link


def test_rows_of_the_speed_table_are_those_of_the_whole():
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", README, re.MULTILINE)
    assert len(rows) >= 6
    for name, ms, numpy, eager in rows:
        (whole,) = re.findall(rf"^\| {re.escape(name)} \|(.*)$", SPEED, re.MULTILINE)
        cells = [cell.strip() for cell in whole.split("|")]
        assert (cells[0], cells[3]) == (ms, numpy)
        assert float(eager) == min(map(float, cells[4:6]))


def test_symbols_are_where_the_glossary_says():
    places = re.findall(r"\| (`[\w./]+`(?:, `[\w./]+`)*) \|$", SYMBOLS, re.MULTILINE)
    files = [file for place in places for file in re.findall(r"`([^`]+)`", place)]
    assert len(files) > 40
    for file in files:
        assert (CHECKOUT / "nnscratch" / file).resolve().exists(), file


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rsplit(" ", 1)[1] for command in commands] == ["exercises", "pytest"]


def test_table_is_that_of_the_gallery():
    (printed,) = re.findall(r"<!-- table -->\n(.*)\n<!-- end of table -->", FIGURES_PAGE, re.DOTALL)
    assert printed == table()


def test_every_measure_is_of_a_figure():
    assert set(MEASURED) <= set(FIGURES)

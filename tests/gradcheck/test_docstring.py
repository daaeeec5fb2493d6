"""The six lines that the package begins with do what they say."""

import doctest

import pytest

from nnscratch import gradcheck
from nnscratch.gradcheck.__main__ import main
from nnscratch.layers import Dense


def run():
    return doctest.testmod(gradcheck, report=False)


def test_central_differences_agree_in_six_lines():
    (example,) = doctest.DocTestFinder(recurse=False).find(gradcheck)
    assert sum(e.source.count("\n") for e in example.examples[-2:]) == 6
    assert run() == (0, 7)


@pytest.mark.parametrize("factor", [-1, 1 + 1e-5])
def test_they_find_a_wrong_backward(monkeypatch, capsys, factor):
    right = Dense.backward
    monkeypatch.setattr(Dense, "backward", lambda layer, dy: factor * right(layer, dy))
    assert run().failed == 1
    assert "AssertionError: dx[0, 0]: " in capsys.readouterr().out


def test_the_door_that_it_names_is_there(tmp_path, monkeypatch, capsys):
    """The command in the docstring, with the class that it means."""
    (command,) = (line for line in gradcheck.__doc__.splitlines() if "--input 8" in line)
    text = "from nnscratch.layers import Tanh\n\nclass MyLayer(Tanh):\n    pass\n"
    (tmp_path / "my_file.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main([*command.split()[3:], "--batch", "1"]) == 0
    assert "MyLayer(), samples 8x8x3, evaluation: ok" in capsys.readouterr().out

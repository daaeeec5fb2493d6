"""Progress in a terminal, a pipe and a notebook."""

import io
import sys

import pytest

from nnscratch import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.progress_bar(total=20, unit=" samples") as bar:
        bar.set_description("epoch 1/1", refresh=False)
        for _ in range(20):
            bar.start_t, bar.last_print_t = bar.start_t - 5, bar.last_print_t - 5  # 5 s ago
            bar.update(1)
    return stream.getvalue()


def test_a_line_that_is_redrawn_in_a_terminal(monkeypatch):
    text = use(monkeypatch, Terminal())
    assert text.count("\n") == 1
    assert text.count("\r") >= 20


def test_a_line_every_quarter_of_a_minute_in_a_pipe(monkeypatch):
    text = use(monkeypatch, io.StringIO())
    lines = text.splitlines()
    assert "\r" not in text
    assert "\x1b" not in text
    assert text.isascii()
    assert 6 <= len(lines) <= 9  # the first, the last, and one for each 15 of 100 seconds
    assert lines[-1].startswith("epoch 1/1: 100%")
    assert "20/20" in lines[-1]


def test_widgets_in_a_notebook():
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient, ipykernel and ipywidgets")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient, ipykernel and ipywidgets")
    pytest.importorskip("ipykernel", reason="needs nbclient, ipykernel and ipywidgets")
    pytest.importorskip("ipywidgets", reason="needs nbclient, ipykernel and ipywidgets")
    code = "from nnscratch.progress import progress_bar\nfor _ in progress_bar(range(3)): pass"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]

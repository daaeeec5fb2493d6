"""Progress in a terminal, a pipe and a notebook."""

import io
import sys

import numpy as np
import pytest

from nnscratch import progress
from nnscratch.layers import Dense, Sequential
from nnscratch.losses import mse
from nnscratch.optimizers import SGD
from nnscratch.training import fit


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


class Cut(io.StringIO):
    """A pipe whose reader goes away, or a terminal that is closed, after some characters."""

    def __init__(self, terminal, after, error):
        super().__init__()
        self.terminal, self.left, self.error = terminal, after, error

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.left -= len(text)
        if self.left < 0:
            raise self.error
        return super().write(text)

    def flush(self):
        if self.left < 0:
            raise self.error


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "pipe cut": lambda: Cut(False, 100, BrokenPipeError()),
    "pipe closed": lambda: Cut(False, 0, ValueError("I/O operation on closed file")),
    "terminal gone": lambda: Cut(True, 100, OSError(5, "Input/output error")),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_training_goes_on_where_nobody_can_read(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    x = np.random.default_rng(0).random((64, 3), np.float32)
    model = Sequential([Dense(3)], (3,))
    history = fit(model, x, x, loss=mse, optimizer=SGD(0.1), epochs=3, batch_size=4)
    assert len(history.loss) == 3


class Bars:
    """Stands in for `progress_bar` and remembers what was shown."""

    def __init__(self):
        self.shown, self.n, self.options = [], [], {}

    def __call__(self, **options):
        self.options = options
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def set_description(self, text, refresh):
        self.shown.append(text)

    def set_postfix_str(self, text, refresh):
        self.shown.append(text)

    def update(self, n):
        self.n.append(n)


def shown_while_training(monkeypatch, epochs, **options):
    bars, values = Bars(), []

    def loss(y, target):
        value, dy = mse(y, target)
        values.append(value)
        return value, dy

    monkeypatch.setattr("nnscratch.training.loop.progress_bar", bars)
    x = np.random.default_rng(0).random((10, 3))
    model = Sequential([Dense(3)], (3,), dtype=np.float64)
    fit(model, x, 2 * x, loss=loss, optimizer=SGD(0.3), epochs=epochs, batch_size=4, **options)
    return bars, values[3:]  # without those that only look at the targets


def test_the_bar_shows_the_mean_loss_of_the_epoch_so_far(monkeypatch):
    bars, values = shown_while_training(monkeypatch, 2)
    losses = [text for text in bars.shown if text.startswith("loss")]
    expected = []
    for epoch in (values[:3], values[3:]):
        sums = np.cumsum(np.multiply(epoch, [4, 4, 2]))
        expected += [f"loss {total / n:.4g}" for total, n in zip(sums, [4, 8, 10], strict=True)]
    assert losses == expected
    assert len(set(losses)) == 6
    assert [text for text in bars.shown if text.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert (bars.n, bars.options["total"]) == ([4, 4, 2] * 2, 20)


def test_the_bar_of_a_resumed_run_starts_where_it_was(monkeypatch, tmp_path):
    bars, _ = shown_while_training(monkeypatch, 2)
    assert bars.options["initial"] == 0

    x = np.random.default_rng(0).random((10, 3))
    for epochs, initial in ((2, 0), (5, 20)):
        bars = Bars()
        monkeypatch.setattr("nnscratch.training.loop.progress_bar", bars)
        model = Sequential([Dense(3)], (3,), dtype=np.float64)
        fit(
            model, x, x, loss=mse, optimizer=SGD(0.3), epochs=epochs, batch_size=4,
            checkpoint=tmp_path / "run.npz",
        )  # fmt: skip
        assert (bars.options["initial"], bars.options["total"]) == (initial, 10 * epochs)
        assert bars.shown[0] == f"epoch {initial // 10 + 1}/{epochs}"

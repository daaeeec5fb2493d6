"""Networks that are formulas, and images for which every number can be worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
from matplotlib.container import BarContainer

from exercises.common import Settings
from nnscratch.datasets import Dataset


class Formula:
    """A network whose forward pass is a function of its input."""

    def __init__(self, formula, input_shape=()):
        self.forward = lambda x, training=False: formula(x)
        self.input_shape, self.dtype = input_shape, np.dtype(np.float32)
        self.forget = lambda: None  # there is nothing that it keeps


def painter(side=32):
    """A decoder that paints the first number of a code over the whole image."""

    def paint(z):
        first = z.reshape(len(z), -1)[:, 0]
        return np.broadcast_to(first[:, None, None, None], (len(z), side, side, 1))

    return Formula(paint, (2,))


def halving_autoencoder():
    """Its code is the first two pixels, its output half the input."""
    model = Formula(lambda x: x * np.float32(0.5))
    model.encoder = Formula(lambda x: x[:, 0, :2])
    model.decoder = painter()
    model.encode = lambda x, **_: (x[:, 0, :2, 0], 0 * x[:, 0, :2, 0])
    return model


def greys(values, side=32):
    """Images (N, side, side, 1), each of one grey."""
    values = np.asarray(values, np.float32)
    return np.repeat(values, side * side).reshape(-1, side, side, 1)


def ten_greys():
    """Test digit d is all of grey d / 10, and so are two training images of each."""
    digits = np.arange(10)
    x = greys(digits / 10)
    return Dataset(np.concatenate([x, x]), np.tile(digits, 2), x, digits, "greys", "greys")


def bright_training(shift=0.0, side=28):
    """Two training images of each digit with grey 1 + d / 10, test images with d / 10."""
    labels = np.arange(10)
    x = greys(labels / 10 + shift, side)
    return Dataset(np.concatenate([x + 1, x + 1]), np.tile(labels, 2), x, labels, "", "greys")


FIRST_OF_EACH = [1, 2, 4, 0, 6, 8, 9, 7, 5, 3]  # test images of `uneven_greys`, from 0 to 9


def uneven_greys(side=2):
    """No two sets, orders or images can be taken for each other: no grey comes twice.

    Digits come in no order, in training d + 1 images of digit d (55) and in the test three zeros
    and one of each other (12); test images are brighter than all training images.
    """
    y_train = np.random.default_rng(0).permutation(np.repeat(np.arange(10), np.arange(1, 11)))
    y_test = np.array([3, 0, 1, 9, 2, 8, 4, 7, 5, 6, 0, 0])
    x_train, x_test = greys(np.arange(55) / 128, side), greys((64 + np.arange(12)) / 128, side)
    return Dataset(x_train, y_train, x_test, y_test, "uneven greys", "12 + 55 greys")


def published(monkeypatch, *modules):
    """The pages that these modules make, by name, each with its ``figure``; nothing is written."""
    pages = {}

    def keep(settings, page, figure, started):
        pages[page.name] = SimpleNamespace(**vars(page), figure=figure)

    for module in modules:
        monkeypatch.setattr(module, "publish", keep)
    return pages


def greys_drawn(figure):
    """The first pixel of every picture in a figure, in the order in which they were drawn."""
    return [float(p.get_array()[0, 0]) for axis in figure.axes for p in axis.images]


def lines_drawn(axis):
    """The heights of the labelled lines in a diagram, by the first words of their label."""
    return {
        str(line.get_label()).split(" (")[0]: np.asarray(line.get_ydata()).tolist()
        for line in axis.lines
        if not str(line.get_label()).startswith("_")
    }


def bars_drawn(axis):
    """How long the bars in a diagram are, one series after another, along either axis."""
    return [
        [b.get_width() if c.orientation == "horizontal" else b.get_height() for b in c]
        for c in axis.containers
        if isinstance(c, BarContainer)
    ]


def settings_for(monkeypatch, tmp_path, *modules, data=None):
    """Settings under which these modules see ``data`` (`ten_greys`) for MNIST."""
    data = data or ten_greys()
    for module in modules:
        monkeypatch.setattr(module, "mnist32", lambda settings: data)
    return Settings(out=tmp_path)


def record(tmp_path, name):
    """What a figure left in its JSON file."""
    return json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))

"""Where the latent explorer of the page puts its dots, lines and circles, in numbers."""

import re

import numpy as np

from exercises.explorer import Plane
from exercises.explorer_page import LAYERS, _axes, _points, _to_drawing


def plane(codes, low=(-2, 0), high=(2, 4), circles=()):
    """A square of 4 by 4 code numbers, 1000 by 1000 in the drawing."""
    return Plane("name", "text", "stamp", np.array(codes, float), np.array(low, float),
                 np.array(high, float), np.zeros((2, 2, 1, 1), np.uint8), 0.0, circles)  # fmt: skip


def test_the_vertical_axis_points_down_in_the_drawing():
    places = _to_drawing(plane([]), np.array([[-2.0, 0], [2, 4], [0, 1]]))
    assert places.tolist() == [[0, 1000], [1000, 0], [500, 750]]


def test_lines_stand_at_round_numbers():
    drawn = _axes(plane([]))
    upright = re.findall(r'<path class="(\w+)" d="M([\d.]+) 0v1000"/>', drawn)
    level = re.findall(r'<path class="(\w+)" d="M0 ([\d.]+)h1000"/>', drawn)
    assert upright == [("tick", "0.0"), ("tick", "250.0"), ("zero", "500.0"), ("tick", "750.0"),
                       ("tick", "1000.0")]  # fmt: skip
    assert level == [("zero", "1000.0"), ("tick", "750.0"), ("tick", "500.0"), ("tick", "250.0"),
                     ("tick", "0.0")]  # fmt: skip
    below = re.findall(r'<text x="[\d.]+" y="1036">(.+?)</text>', drawn)
    beside = re.findall(r'<text class="left" x="-10" y="([\d.]+)">(.+?)</text>', drawn)
    assert below == ["-2", "-1", "0", "1", "2"]
    assert beside == [("1010.0", "0"), ("760.0", "1"), ("510.0", "2"), ("260.0", "3"),
                      ("10.0", "4")]  # fmt: skip


def test_circles_of_the_prior_are_about_the_origin():
    drawn = _axes(plane([], circles=(1.0, 2.0)))
    circles = re.findall(r'<circle class="prior" cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"/>', drawn)
    assert circles == [("500.0", "1000.0", "250.0"), ("500.0", "1000.0", "500.0")]


def test_every_dot_has_the_colour_of_its_digit():
    rng = np.random.default_rng(0)
    codes, labels = rng.uniform((-2, 0), (2, 4), (60, 2)), np.arange(60) % 10
    paths = re.findall(r'<path class="dots d(\d)" d="(.*?)"/>', _points(plane(codes), labels))
    assert len(paths) == 10 * LAYERS
    drawn = [
        (int(digit), int(x), int(y))
        for digit, dots in paths
        for x, y in re.findall(r"M(-?\d+) (-?\d+)h0", dots)
    ]
    places = np.rint(_to_drawing(plane(codes), codes)).astype(int)
    expected = [(int(d), int(x), int(y)) for d, (x, y) in zip(labels, places, strict=True)]
    assert sorted(drawn) == sorted(expected)

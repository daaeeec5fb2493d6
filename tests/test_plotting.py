import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgba_array
from matplotlib.image import imread

from nnscratch.plotting import (
    DIGIT_COLORS,
    decoded_grid,
    digit_legend,
    image_rows,
    label_losses,
    labelled_grid,
    new_figure,
    prior_circles,
    save_figure,
    scatter_codes,
    tile_extent,
)


def small_figure():
    figure = new_figure(2, 1.5, "a title")
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def test_save_figure_writes_a_png_with_its_stamp(tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    figure = small_figure()
    save_figure(figure, path, "MNIST, seed 3")
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert imread(path).shape == (180, 240, 4)  # 120 dots an inch
    assert figure.get_supxlabel() == "MNIST, seed 3"
    assert figure.get_suptitle() == "a title"
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_equal_figures_are_equal_files(tmp_path):
    for name, stamp in [("a.png", "seed 1"), ("b.png", "seed 1"), ("c.png", "seed 2")]:
        save_figure(small_figure(), tmp_path / name, stamp)
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b
    assert a != c
    assert b"Matplotlib" not in a


def test_colors_survive_beside_many_greys(tmp_path):
    """A PNG has 256 colours; a picture full of greys must not use them all up."""
    figure = new_figure(6, 3, "")
    left, right = figure.subplots(1, 2)
    decoded_grid(
        left, np.random.default_rng(0).random((9, 9, 32, 32)), np.arange(9.0), np.arange(9.0)
    )
    codes = np.random.default_rng(1).random((10, 2))
    right.scatter(*codes.T, c=DIGIT_COLORS, s=60, linewidths=0)
    digit_legend(figure)
    save_figure(figure, tmp_path / "a.png", "")
    pixels = imread(tmp_path / "a.png")[..., :3].reshape(-1, 3)
    for color in to_rgba_array(DIGIT_COLORS)[:, :3]:
        assert abs(pixels - color).max(axis=1).min() < 0.06
    assert pixels.max(axis=1).max() == 1  # white stays white


def test_a_failed_save_leaves_the_old_figure_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    save_figure(small_figure(), path, "old")
    old = path.read_bytes()

    def refuse(*args):
        raise OSError("disk on fire")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk on fire"):
        save_figure(small_figure(), path, "new")
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_image_rows_are_upright_and_on_one_scale():
    images = np.random.default_rng(0).uniform(-0.5, 1.5, (2, 3, 4, 5, 1))
    figure = new_figure(3, 2, "")
    image_rows(figure, [("input", images[0]), ("output", images[1])], ["a", "b", "c"])
    assert len(figure.axes) == 6
    for axis, image in zip(figure.axes, images.reshape(6, 4, 5), strict=True):
        (shown,) = axis.images
        np.testing.assert_array_equal(shown.get_array(), image)
        assert shown.origin == "upper"
        assert shown.get_clim() == (0, 1)
        assert shown.get_cmap()(0.0)[:3] == (0, 0, 0)
        assert shown.get_cmap()(1.0)[:3] == (1, 1, 1)
        left, right = axis.get_xlim()
        bottom, top = axis.get_ylim()
        assert left < right
        assert top < bottom  # row 0 at the top
        assert len(axis.get_xticks()) == len(axis.get_yticks()) == 0
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c", "", "", ""]
    assert [axis.get_ylabel() for axis in figure.axes] == ["input", "", "", "output", "", ""]


def test_black_and_white_may_be_integers():
    figure = new_figure(2, 2, "")
    image_rows(figure, [("", np.eye(4, dtype=np.uint8)[None, ..., None])], [""])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), np.eye(4))


def test_image_rows_in_colour():
    image = np.random.default_rng(0).uniform(-0.5, 1.5, (1, 4, 5, 3))
    figure = new_figure(2, 2, "")
    image_rows(figure, [("", image)], [""])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), np.clip(image[0], 0, 1))


IMAGES, CODES, LABELS = np.full((2, 4, 4, 1), 0.5), np.zeros((3, 2)), np.arange(3)
GRID, TWO, THREE = np.full((2, 3, 4, 4), 0.5), np.arange(2.0), np.arange(3.0)
TAKEN, SURE = np.zeros((2, 3), int), np.full((2, 3), 0.5)


def rows(images, columns=("a", "b")):
    image_rows(new_figure(3, 2, ""), [("clean", IMAGES), ("noisy", images)], columns)


def on_axis(draw, *arguments):
    draw(new_figure(2, 2, "").subplots(), *arguments)


def bytes_of(images):
    return np.uint8(255 * images)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: rows(IMAGES[:1]), "'noisy' has 1 images and there are 2 columns"),
        (lambda: rows(IMAGES, "a"), "'clean' has 2 images and there are 1 columns"),
        (lambda: rows(IMAGES, "abc"), "'clean' has 2 images and there are 3 columns"),
        (lambda: rows(IMAGES[..., 0]), r"has shape \(2, 4, 4\); it must be \(n, H, W, 1\)"),
        (lambda: rows(IMAGES.repeat(2, axis=3)), r"has shape .* it must be \(n, H, W, 1\)"),
        (lambda: rows(IMAGES * np.nan), "image_rows: images holds NaN"),
        (lambda: rows(bytes_of(IMAGES)), "uint8 and run to 127, but 1 is white; divide them"),
        (lambda: rows(IMAGES[:, :0]), "holds nothing"),
        (lambda: rows(IMAGES, []), "2 rows, 0 columns"),
        (lambda: image_rows(new_figure(3, 2, ""), [], "ab"), "0 rows, 2 columns"),
        (lambda: on_axis(scatter_codes, CODES, LABELS[:2]), "with N = 3, as in codes"),
        (lambda: on_axis(scatter_codes, CODES[:, :1], LABELS), r"it must be \(N, 2\)"),
        (lambda: on_axis(scatter_codes, CODES[:0], LABELS[:0]), "holds nothing"),
        (lambda: on_axis(scatter_codes, CODES + np.inf, LABELS), "NaN or infinity"),
        (lambda: on_axis(scatter_codes, CODES, LABELS - 1), "labels run from -1 to 1"),
        (lambda: on_axis(scatter_codes, CODES, LABELS + 8), "labels run from 8 to 10"),
        (lambda: on_axis(decoded_grid, GRID, TWO, THREE), "with m = 3, as in images"),
        (lambda: on_axis(decoded_grid, GRID[..., None], THREE, TWO), r"must be \(n, m, H, W\)"),
        (lambda: on_axis(decoded_grid, bytes_of(GRID), THREE, TWO), "decoded_grid: .* by 255"),
        (lambda: on_axis(decoded_grid, GRID, THREE[::-1], TWO), "horizontal must be two or more"),
        (lambda: on_axis(decoded_grid, GRID, THREE, 0 * TWO), "vertical must be two or more"),
        (lambda: on_axis(decoded_grid, GRID, THREE**2, TWO), "horizontal .* equal distances"),
        (lambda: on_axis(decoded_grid, GRID[:1], THREE, TWO[:1]), "vertical must be two or more"),
        (lambda: on_axis(labelled_grid, TAKEN, SURE[:1], THREE, TWO), "with n = 2, as in labels"),
        (lambda: on_axis(labelled_grid, TAKEN, SURE, TWO, THREE), "with m = 3, as in labels"),
        (lambda: on_axis(labelled_grid, TAKEN + 10, SURE, THREE, TWO), "labels run from 10 to 10"),
        (lambda: on_axis(labelled_grid, TAKEN, 2 * SURE + 0.5, THREE, TWO), "from 1.5 to 1.5;"),
        (lambda: on_axis(labelled_grid, TAKEN, SURE - 1, THREE, TWO), "from -0.5 to -0.5;"),
        (lambda: tile_extent(THREE, TWO * np.nan), "tile_extent: vertical holds NaN"),
        (lambda: digit_legend(new_figure(2, 2, ""), ["only one"]), "got 1 names; there are ten"),
    ],
)
def test_what_cannot_be_drawn_gets_a_sentence(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: rows(IMAGES.tolist()), "is a list; it must be a NumPy array"),
        (lambda: rows(IMAGES > 1), "is of bool"),
        (lambda: on_axis(scatter_codes, CODES, LABELS / 1), "float64; .* of integers"),
        (lambda: on_axis(labelled_grid, TAKEN / 1, SURE, THREE, TWO), "float64; .* of integers"),
        (lambda: tile_extent([0.0, 1.0], TWO), "horizontal is a list"),
    ],
)
def test_what_is_no_array_of_numbers_is_not_drawn(draw, words):
    with pytest.raises(TypeError, match=words):
        draw()


def test_an_image_is_drawn_the_right_way_up(tmp_path):
    image = np.zeros((1, 8, 8, 1))
    image[0, :4, :4] = 1  # white in the upper left quarter
    figure = new_figure(2, 2, "")
    image_rows(figure, [("", image)], [""])
    save_figure(figure, tmp_path / "a.png", "")
    pixels = imread(tmp_path / "a.png")[..., 0]
    height, width = pixels.shape
    box = figure.axes[0].get_position()  # shares of the figure, from its bottom
    rows = slice(round((1 - box.y1) * height), round((1 - box.y0) * height))
    drawn = pixels[rows, round(box.x0 * width) : round(box.x1 * width)]
    h, w = (n // 2 for n in drawn.shape)
    corners = [drawn[h // 2, w // 2], drawn[h // 2, w * 3 // 2], drawn[h * 3 // 2, w // 2]]
    assert corners == [1, 0, 0]


def test_scatter_codes_gives_every_point_the_colour_of_its_digit():
    rng = np.random.default_rng(1)
    codes, labels = rng.normal(size=(60, 2)), np.arange(60) // 6
    axis = new_figure(2, 2, "").subplots()
    scatter_codes(axis, codes, labels, size=7)
    (points,) = axis.collections
    drawn = np.asarray(points.get_offsets())
    order = [int(np.flatnonzero((codes == point).all(axis=1))[0]) for point in drawn]
    assert sorted(order) == list(range(60))
    assert order != list(range(60))  # mixed, so that no digit lies on top
    expected = to_rgba_array(DIGIT_COLORS[labels[order]])[:, :3]
    np.testing.assert_array_equal(points.get_facecolors()[:, :3], expected)
    assert points.get_sizes().tolist() == [7]
    assert axis.get_xlabel()
    assert axis.get_ylabel()
    assert axis.get_xlabel() != axis.get_ylabel()
    again = new_figure(2, 2, "").subplots()
    scatter_codes(again, codes, labels)
    np.testing.assert_array_equal(again.collections[0].get_offsets(), drawn)


def test_scatter_codes_marks_zero():
    axis = new_figure(2, 2, "").subplots()
    scatter_codes(axis, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, 9]))
    lines = [(line.get_xdata(), line.get_ydata()) for line in axis.lines]
    assert any(list(y) == [0, 0] for _, y in lines)
    assert any(list(x) == [0, 0] for x, _ in lines)


def test_losses_are_labelled_in_plain_numbers():
    figure = new_figure(4, 4, "")
    axis = figure.subplots()
    axis.plot([1, 2, 3], [0.31, 0.08, 0.012])
    label_losses(axis, "MSE")
    figure.draw_without_rendering()
    assert axis.get_yscale() == "log"
    shown = {text.get_text() for text in axis.get_yticklabels()}
    assert {"0.02", "0.05", "0.1", "0.2"} <= shown
    assert all(text.get_text() == "" for text in axis.get_yticklabels(minor=True))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "MSE (logarithmic)")


HORIZONTAL, VERTICAL = np.array([0.0, 2.0, 4.0]), np.array([-1.0, -0.5, 0.0, 0.5])


def shown_at(picture, x, y):
    """The entry of a drawn array at a point in the axes' coordinates."""
    array = picture.get_array()
    left, right, bottom, top = picture.get_extent()
    column = int((x - left) / (right - left) * array.shape[1])
    row = int((y - bottom) / (top - bottom) * array.shape[0])
    return array[row if picture.origin == "lower" else array.shape[0] - 1 - row, column]


def test_decoded_grid_draws_every_tile_upright_around_its_code():
    H, W = 4, 6
    images = np.random.default_rng(0).random((4, 3, H, W))
    axis = new_figure(3, 3, "").subplots()
    decoded_grid(axis, images, HORIZONTAL, VERTICAL)
    (picture,) = axis.images
    for i, j, h, w in np.ndindex(images.shape):
        # a pixel's centre: the tile is 2 wide and 0.5 high; line 0 of an image is its upper one
        x = HORIZONTAL[j] + 2 * ((w + 0.5) / W - 0.5)
        y = VERTICAL[i] + 0.5 * (0.5 - (h + 0.5) / H)
        assert shown_at(picture, x, y) == images[i, j, h, w]
    assert axis.get_xlim() == (-1, 5)
    assert axis.get_ylim() == (-1.25, 0.75)
    assert picture.get_clim() == (0, 1)
    assert axis.get_xlabel() == "code axis 1"
    assert axis.get_ylabel() == "code axis 2"


def test_labelled_grid_lies_on_the_tiles_of_the_decoded_grid():
    labels = np.arange(12).reshape(4, 3) % 10
    confidences = np.linspace(0.1, 1, 12).reshape(4, 3)
    axis = new_figure(3, 3, "").subplots()
    labelled_grid(axis, labels, confidences, HORIZONTAL, VERTICAL)
    (picture,) = axis.images
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    for (i, j), label in np.ndenumerate(labels):
        place = HORIZONTAL[j], VERTICAL[i]
        color = shown_at(picture, *place)
        np.testing.assert_array_equal(color[:3], to_rgba_array(DIGIT_COLORS[label])[0, :3])
        assert color[3] == confidences[i, j]
        assert texts[place] == str(label)
    assert (axis.get_xlim(), axis.get_ylim()) == ((-1, 5), (-1.25, 0.75))


def test_the_upper_right_tile_is_drawn_in_the_upper_right(tmp_path):
    images = np.zeros((2, 2, 8, 8))
    images[1, 1, :4] = 1  # of the largest code on both axes, the upper half is white
    figure = new_figure(2, 2, "")
    axis = figure.subplots()
    decoded_grid(axis, images, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    save_figure(figure, tmp_path / "a.png", "")
    pixels = imread(tmp_path / "a.png")[..., 0]
    height, width = pixels.shape
    box = axis.get_position()

    def at(x, y):  # shares of the axes, from their lower left corner
        row = round((1 - box.y0 - y * box.height) * height)
        return pixels[row, round((box.x0 + x * box.width) * width)]

    assert at(0.75, 0.875) > 0.95
    assert max(at(0.75, 0.625), at(0.25, 0.875), at(0.75, 0.375), at(0.25, 0.375)) < 0.05


def test_circles_at_one_and_two_deviations():
    axis = new_figure(2, 2, "").subplots()
    prior_circles(axis)
    assert [(p.get_center(), p.get_radius()) for p in axis.patches] == [((0, 0), 1), ((0, 0), 2)]
    assert [(text.get_text(), text.xy) for text in axis.texts] == [
        ("1 sd of the prior", (0, 1)), ("2 sd of the prior", (0, 2)),
    ]  # fmt: skip


def test_ten_different_colours_and_a_legend_of_them():
    assert len(set(DIGIT_COLORS)) == 10
    figure = new_figure(2, 2, "")
    digit_legend(figure)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list("0123456789")
    colors = [line.get_color() for line in legend.get_lines()]
    assert colors == DIGIT_COLORS.tolist()
    assert legend.get_title().get_text() == "digit"


def test_a_legend_of_other_classes_has_the_same_colours():
    figure = new_figure(2, 2, "")
    digit_legend(figure, list("abcdefghij"))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list("abcdefghij")
    assert [line.get_color() for line in legend.get_lines()] == DIGIT_COLORS.tolist()
    assert legend.get_title().get_text() == "class"


def test_pyplot_and_so_a_display_is_never_needed(tmp_path):
    code = """
import sys, pathlib
import numpy as np
from nnscratch import plotting as p
figure = p.new_figure(2, 2, "t")
p.image_rows(figure, [("a", np.zeros((1, 2, 2, 1)))], ["b"])
p.scatter_codes(figure.axes[0], np.zeros((3, 2)), np.arange(3))
p.digit_legend(figure)
p.save_figure(figure, pathlib.Path(sys.argv[1]), "s")
assert "matplotlib.pyplot" not in sys.modules
"""
    path = tmp_path / "a.png"
    environment = {"MPLBACKEND": "TkAgg", "MPLCONFIGDIR": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**environment, "PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert path.exists()

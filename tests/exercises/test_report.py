"""The report page and what its latent explorer shows, without a browser."""

import base64
import hashlib
import html
import io
import itertools
import json
import re
import shutil
import types
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from scipy.interpolate import RegularGridInterpolator

import nnscratch
from exercises import report
from exercises.catalogue import EXERCISES, FIGURES, first_line
from exercises.common import Page, Settings, publish
from exercises.ex05_generator import decode
from exercises.explorer import (
    STEPS,
    blend,
    digit_sprite,
    make_explorer,
    make_plane,
    sample,
    sprite,
    square_around,
    to_bytes,
)
from exercises.explorer_page import explorer_section
from exercises.report import machine, numbers_table, prose, write_report
from exercises.timing import GALLERY
from nnscratch.layers import Dense, Reshape, Sequential
from nnscratch.plotting import new_figure
from tests.exercises.formulas import painter

EMPTY_TAGS = {"br", "img", "link", "meta", "rect", "circle", "path"}


class Reader(HTMLParser):
    """Collects elements with their attributes and text, and insists that tags are closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in EMPTY_TAGS:
            self.open.append(element)

    def handle_endtag(self, tag):
        if tag not in EMPTY_TAGS:
            assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1]["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]


@pytest.fixture(scope="module")
def read(page):
    return Reader(page.read_text(encoding="utf-8"))


def one_figure(folder, text="words", numbers=None):
    """A page of one figure that has ``text`` in every place."""
    numbers = {"n": 1} if numbers is None else numbers
    figure = Page("a", text, text, text, text, numbers, [(text, text)])
    publish(Settings(out=folder), figure, new_figure(1, 1, "x"), 0.0)
    module = types.ModuleType("exercises.one", f"{text}.\n\n{text} and `two`.")
    return write_report(folder, [(module, ["a"])]).read_text(encoding="utf-8")


# The page as a text


def test_every_figure_has_alternative_text(read):
    pictures = [image for image in read.all("img") if image.get("class") == "picture"]
    assert len(pictures) == len(FIGURES)
    for name, picture in zip(FIGURES, pictures, strict=True):
        record = json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))
        assert picture["alt"].startswith(record["title"])
        assert len(picture["alt"]) > len(record["title"]) + 10
        png = base64.b64decode(picture["src"].partition(",")[2])
        assert png == (GALLERY / f"{name}.png").read_bytes()
        assert (int(picture["width"]), int(picture["height"])) == Image.open(io.BytesIO(png)).size
    assert all(image.get("alt") for image in read.all("img") if "src" in image)


def test_everything_that_was_measured_is_said(page, read):
    said = html.unescape(page.read_text(encoding="utf-8"))
    for name in FIGURES:
        record = json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))
        for text in (record["caption"], record["theirs"], *itertools.chain(*record["answers"])):
            assert text in said
    for module, _ in EXERCISES:
        assert f"python -m {module.__name__}</code>" in said
    headings = [heading["text"] for heading in read.all("h2")]
    assert headings[1:] == [first_line(module).rstrip(".") for module, _ in EXERCISES]


def test_links_lead_somewhere(read):
    ids = [element["id"] for element in read.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    links = [link["href"] for link in read.all("a")]
    assert len(links) > len(FIGURES)
    for link in links:
        assert link.removeprefix("#") in ids, link


def test_page_needs_nothing_else(page, read):
    for element in read.elements:
        assert element.get("src", "data:").startswith("data:")
        assert element.get("href", "#")[0] == "#" or element["href"] == "data:,"
        assert not [name for name in element if name == "style" or name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", page.read_text(encoding="utf-8"))


def test_policy_admits_the_style_and_the_scripts_of_the_page_alone(read):
    policy = next(m["content"] for m in read.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    code = [s for s in read.all("script") if s.get("type") != "application/json"] + read.all(
        "style"
    )
    assert len(code) == 3
    for element in code:
        digest = base64.b64encode(hashlib.sha256(element["text"].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_page_names_no_folder_no_user_and_no_machine(tmp_path, monkeypatch):
    for name in ("USER", "LOGNAME", "HOME", "HOSTNAME"):
        monkeypatch.setenv(name, f"/home/its-{name}")
    monkeypatch.setattr("platform.node", lambda: "its-HOST")
    text = one_figure(tmp_path / "its-FOLDER")
    assert "its-" not in text
    assert str(tmp_path) not in text


def test_text_cannot_become_markup(tmp_path):
    evil = "</script><script>alert('x')</script><b class=\"x\">&amp;"
    text = one_figure(tmp_path, evil, {evil: evil, "list": [evil] * 20})
    read = Reader(text)
    assert not read.all("b")
    assert len(read.all("script")) == 1
    assert text.count(html.escape(evil)) >= 8
    (picture,) = (image for image in read.all("img") if "src" in image)
    assert picture["alt"].startswith(evil)


EVIL = "<script>alert('x')</script><b class=\"x\">&amp;"


def poisoned(value):
    """``value`` with evil words in the place of everything that is no container."""
    if isinstance(value, dict):
        return {f"{key}{EVIL}": poisoned(v) for key, v in value.items()}
    return [poisoned(v) for v in value] if isinstance(value, list) else EVIL


@pytest.mark.parametrize("name", ["ex03_table1", "ex06_table", "ex07_comparison", "ex08_table"])
def test_nothing_in_the_json_of_a_figure_can_become_markup(tmp_path, name):
    """Not the numbers either, nor the seed, nor the runtime, nor what is compared."""
    record = json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))
    for key, value in record.items():
        if key == "settings":
            record[key] = {k: EVIL for k in value}
        elif key in ("numbers", "answers"):
            record[key] = poisoned(value)
        else:
            record[key] = f"1 + 2 {EVIL}"
    record["numbers"] |= dict.fromkeys(
        json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))["numbers"], EVIL
    )
    (tmp_path / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    shutil.copy(GALLERY / f"{name}.png", tmp_path)
    module = types.ModuleType("exercises.one", f"Evil {EVIL}.\n\n{EVIL} and `{EVIL}`.")
    text = write_report(tmp_path, [(module, [name])], {"one": 3.0}).read_text(encoding="utf-8")
    read = Reader(text)
    assert not read.all("b")
    assert len(read.all("script")) == 1
    assert "<script>alert" not in text
    assert text.count(html.escape(EVIL)) > 12


def test_names_in_the_explorer_cannot_become_markup(explorer):
    evil = "</script><b>"
    plane = replace(explorer.planes[0], name=evil, text=evil, stamp=evil)
    read = Reader(explorer_section(replace(explorer, planes=(plane,)), ""))
    assert not read.all("b")
    data, _ = read.all("script")
    assert json.loads(data["text"])["planes"][0]["name"] == evil


def test_quick_run_says_that_its_numbers_mean_nothing(tmp_path, page):
    figure = Page("a", "t", "c", "r", "s", {})
    publish(Settings(out=tmp_path, quick=True), figure, new_figure(1, 1, "x"), 0.0)
    quick = write_report(tmp_path, [(types.ModuleType("exercises.one"), ["a"])])
    assert "numbers mean nothing" in quick.read_text(encoding="utf-8")
    assert "numbers mean nothing" not in page.read_text(encoding="utf-8")


def test_a_missing_figure_gets_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.json is not in .*run the exercise"):
        write_report(tmp_path, [(types.ModuleType("exercises.one"), ["b"])])


def test_numbers_are_a_table_and_long_lists_are_json():
    numbers = {"a": {"b": 1 / 3, "c": [1, 2.5]}, "long": [0.1] * 20, "deep": [[1, 2]], "no": None}
    read = Reader(numbers_table(numbers))
    cells = [cell["text"] for cell in read.all("th") + read.all("td")]
    assert cells == ["a · b", "a · c", "no", "0.333333", "1, 2.5", "None"]
    (lists,) = read.all("pre")
    assert lists["text"] == f"long = {[0.1] * 20}\ndeep = [[1, 2]]\n"


def test_docstrings_become_paragraphs_with_code_and_links():
    text = "One `ex02` and\n``a < b``.\n\n\nTwo."
    expected = (
        '<p>One <a href="#exercise-ex02"><code>ex02</code></a> and\n<code>a &lt; b</code>.</p>\n'
        "<p>Two.</p>"
    )
    assert prose(text, {"ex02"}) == expected


def test_machine_is_described(monkeypatch):
    before = nnscratch.use_kernels("reference")
    try:
        assert "reference kernels in plain NumPy" in machine()
    finally:
        nnscratch.use_kernels(before)
    monkeypatch.setattr(report, "Path", lambda name: types.SimpleNamespace(exists=lambda: False))
    monkeypatch.setattr("platform.processor", lambda: "a processor")
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert machine().startswith("a processor, 3 cores · Python ")
    assert f"NumPy {np.__version__}" in machine()


def test_colours_have_contrast():
    """WCAG 2.2, 1.4.3: 4.5 between text and ground, in light and in dark."""
    style = (report.PAGE / "page.css").read_text(encoding="utf-8")
    found = re.findall(r"--(\w+): light-dark\(#(\w{6}), #(\w{6})\)", style)
    for theme in (1, 2):
        colors = {color[0]: luminance(color[theme]) for color in found}
        for text, ground in itertools.product(("text", "soft", "accent"), ("ground", "raised")):
            low, high = sorted((colors[text], colors[ground]))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (theme, text, ground)


def luminance(color):
    channels = np.array([int(color[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


# What the explorer shows


def test_sample_has_as_many_of_every_class():
    labels = np.random.default_rng(0).integers(0, 10, 3000)
    chosen = sample(labels, 50, np.random.default_rng(1))
    assert np.bincount(labels[chosen]).tolist() == [50] * 10
    assert len(set(chosen)) == 500
    assert len(set(labels[chosen][:50])) == 10  # not class by class
    few = sample(np.array([0] * 5 + [1] * 100), 50, np.random.default_rng(1))
    assert len(few) == 55


def test_square_contains_the_codes_and_is_one():
    codes = np.random.default_rng(0).normal(size=(100, 2)) * [1, 5]
    low, high = square_around(codes)
    assert ((low < codes) & (codes < high)).all()
    np.testing.assert_allclose(*(high - low))
    low, high = square_around(np.zeros((5, 2)))  # of a net that died
    assert (high - low).tolist() == [2, 2]


def test_pixels_are_clipped_and_rounded_to_the_nearest_grey():
    pixels = np.array([-0.1, 0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1, 1.1])
    assert to_bytes(pixels).tolist() == [0, 0, 0, 1, 254, 255, 255, 255]
    assert to_bytes(pixels).dtype == np.uint8


def test_blend_is_bilinear_interpolation():
    rng = np.random.default_rng(0)
    drawings = rng.integers(0, 256, (5, 7, 3, 4))
    places = np.concatenate([rng.random((50, 2)), [[0, 0], [1, 1], [0, 1], [0.5, 0.25]]])
    grid = (np.linspace(0, 1, 5), np.linspace(0, 1, 7))
    expected = RegularGridInterpolator(grid, drawings)(places[:, ::-1])
    np.testing.assert_allclose(blend(drawings, places), expected, atol=1e-10)
    np.testing.assert_array_equal(blend(drawings, np.array([[0.5, 0.25]]))[0], drawings[1, 3])


def test_a_linear_decoder_is_shown_up_to_rounding():
    """Bilinear interpolation knows linear functions by heart."""
    decoder = Sequential([Dense(12), Reshape((3, 4, 1))], input_shape=(2,))
    decoder.params["0.dense.b"][...] = 0.5
    codes = np.random.default_rng(0).random((40, 2), np.float32) / 10
    plane = make_plane("", "", "", decoder, codes)
    horizontal, vertical = np.linspace(plane.low, plane.high, STEPS).T
    for i, j in ((0, 0), (3, 17), (STEPS - 1, 5)):
        expected = decode(decoder, np.array([[[horizontal[j], vertical[i]]]]))[0, 0]
        np.testing.assert_array_equal(plane.drawings[i, j], to_bytes(expected))
    assert 0 < plane.blend_error < 0.7 / 255  # two roundings, each of at most half a grey


def test_the_error_of_blending_is_a_root_mean_square(monkeypatch):
    """One grey too much here and seven too little there: the root of (1 + 49) / 2."""
    blended = np.array([101.0, 193])[:, None, None] * np.ones((2, 2, 2))
    monkeypatch.setattr("exercises.explorer.blend", lambda *_: blended)
    codes = np.array([[100 / 255, 0.0], [200 / 255, 1]], np.float32)
    plane = make_plane("", "", "", painter(side=2), codes)
    assert plane.blend_error == pytest.approx(5 / 255)


def test_sprites_hold_every_image():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 6), dtype=np.uint8)
    picture = np.asarray(Image.open(io.BytesIO(sprite(images))))
    for row, column in np.ndindex(3, 5):
        tile = picture[4 * row : 4 * row + 4, 6 * column : 6 * column + 6]
        np.testing.assert_array_equal(tile, images[row, column])
    png, columns = digit_sprite(images[0])  # five images, three in a row
    picture = np.asarray(Image.open(io.BytesIO(png)))
    assert (columns, picture.shape) == (3, (8, 18))
    np.testing.assert_array_equal(picture[4:, 6:12], images[0, 4])


def test_page_holds_the_drawings_of_both_decoders(explorer, read):
    """Upright: the largest code number of the vertical axis is on top."""
    sprites = [image for image in read.all("img") if image.get("class") == "sprite"]
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))))
        for image in sprites
    ]
    for plane, picture in zip(explorer.planes, pictures, strict=False):
        for i, j in ((0, 0), (STEPS - 1, 0), (12, 30)):
            top, left = 32 * (STEPS - 1 - i), 32 * j
            tile = picture[top : top + 32, left : left + 32]
            np.testing.assert_array_equal(tile, plane.drawings[i, j])
    columns = pictures[2].shape[1] // 32
    row, column = divmod(37, columns)
    tile = pictures[2][32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
    np.testing.assert_array_equal(tile, explorer.digits[37])


def test_both_planes_show_the_same_images_by_both_nets(explorer):
    autoencoder, vae = explorer.planes
    assert autoencoder.codes.shape == vae.codes.shape == (len(explorer.labels), 2)
    assert set(explorer.labels) == set(range(10))
    assert (autoencoder.codes >= 0).all()
    assert vae.circles == (1.0, 2.0)
    for plane in explorer.planes:
        places = (plane.codes - plane.low) / (plane.high - plane.low)
        assert ((places > 0) & (places < 1)).all()
        assert 0 < plane.blend_error < 0.05


def test_the_planes_show_two_hundred_training_images_of_every_digit(monkeypatch):
    """Before anything is trained, it is decided which."""

    def asked(labels, per_class, rng):
        raise LookupError(len(labels), per_class)

    data = types.SimpleNamespace(y_train=np.arange(7))
    monkeypatch.setitem(make_explorer.__globals__, "sample", asked)
    monkeypatch.setitem(make_explorer.__globals__, "mnist32", lambda settings: data)
    with pytest.raises(LookupError) as caught:
        make_explorer(Settings())
    assert caught.value.args == (7, 200)

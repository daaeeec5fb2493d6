"""What the report page says beside the figures, on records made up, and what its explorer shows."""

import re
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from exercises import explorer, report
from exercises.common import Settings
from exercises.explorer import MARGIN, PER_DIGIT, STEPS, Explorer, Plane
from exercises.explorer_page import explorer_section
from nnscratch.randomness import stream
from tests.exercises.formulas import painter, settings_for, uneven_greys


def module(name, doc="First sentence.\n\nMore."):
    made = ModuleType(f"exercises.{name}", doc)
    return made


def record(**changes):
    plain = {
        "name": "ex04_table", "title": "Title", "caption": "Caption one. And two.",
        "theirs": "98 %", "stamp": "MNIST, 3 + 2 images · 1 epoch · seed 0",
        "numbers": {"accuracy_percent": 98.765}, "answers": [["Why?", "Because."]],
        "settings": {"seed": 0, "quick": False}, "runtime_seconds": 12.5,
    }  # fmt: skip
    return plain | changes


def test_names_of_nested_numbers_lead_to_them():
    flat = dict(report._flat({"a": {"b": {"c": 1}, "d": 2}, "e": 3}))
    assert flat == {"a · b · c": 1, "a · d": 2, "e": 3}


def test_six_digits_are_said_also_in_lists():
    assert report._short([1 / 3, [2 / 3, 7]]) == [0.333333, [0.666667, 7]]
    assert report._short(123456789) == 123456789
    few, many = [0.5] * report.FEW, [0.5] * (report.FEW + 1)
    table = report.numbers_table({"few": few, "many": many})
    assert "<td>" + ", ".join(map(str, few)) + "</td>" in table
    assert f"many = {many}" in table


def test_our_number_stands_before_the_reports():
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", report._compared(record()))
    assert cells == ["", "here", "report", "test accuracy", "98.77 %", "97.8 %"]
    assert report._compared(record(numbers={})) == ""  # other data lack some numbers
    assert report._compared(record(name="unknown")) == ""


def test_facts_are_those_of_all_records():
    records = {
        "a": record(), "b": record(stamp="Fashion, 5 + 4 images · seed 1", settings={"seed": 1}),
        "c": record(stamp="MNIST, 3 + 2 images, of which 1 + 1 small and MNIST, 3 + 2 images"),
    }  # fmt: skip
    exercises = [(module("one"), ["a", "b"]), (module("two"), ["c"])]
    found = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", report._facts(
        exercises, records, {"one": 60.0, "two": 60.0}
    )))  # fmt: skip
    assert found["Figures"] == "3, from 2 exercises"
    assert found["Data"] == "MNIST, 3 + 2 images<br>Fashion, 5 + 4 images"  # each once, in order
    assert found["Seed"] == "0, 1"
    assert found["Runtime"].startswith("2 minutes;")
    assert "Runtime" not in report._facts(exercises, records, {})


def test_contents_lead_to_every_exercise_and_figure():
    records = {"a": record(title="A"), "b": record(title="B"), "c": record(title="C")}
    exercises = [(module("one", "One."), ["a", "b"]), (module("two", "Two."), ["c"])]
    contents = report._contents(exercises, records, True)
    links = re.findall(r'<a href="#(.*?)">(.*?)</a>', contents)
    assert links == [
        ("explorer", "Latent explorer"), ("exercise-one", "One"), ("a", "A"), ("b", "B"),
        ("exercise-two", "Two"), ("c", "C"),
    ]  # fmt: skip
    assert "explorer" not in report._contents(exercises, records, False)


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (1.9, " took a moment"), (2.0, " took 2 seconds")]
)
def test_an_exercise_says_how_long_it_took(seconds, words):
    section = report._section(module("one"), "FIGURES", set(), seconds)
    assert f"<code>python -m exercises.one</code>{words}</p>" in section
    assert "<p>More.</p>" in section
    assert section.index("More.") < section.index("FIGURES")


def test_a_quick_figure_among_others_is_warned_of():
    whole, quick = record(), record(settings={"seed": 0, "quick": True})
    assert report._warning({"a": whole}) == ""
    assert "quick run" in report._warning({"a": whole, "b": quick})


def test_exercises_are_given_their_own_seconds_and_figures(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(report, "_read", lambda folder, name: record(name=name, title=name))
    monkeypatch.setattr(report, "_figure", lambda path, record: f"{path.name} {record['name']}")
    monkeypatch.setattr(report, "_section", lambda *a: given.append(a[1:]) or "")
    exercises = [(module("one"), ["a", "b"]), (module("two"), ["c"])]
    report.write_report(tmp_path, exercises, {"two": 7.0})
    known = {"one", "two"}
    assert given == [("a.png a\nb.png b", known, None), ("c.png c", known, 7.0)]


# -- the explorer


def plane(name, error):
    codes = np.array([[0.123456, 1.0], [2.0, 3.0]])
    drawings = np.zeros((2, 2, 4, 4), np.uint8)
    return Plane(
        name, "text", "stamp", codes, np.array([0.0, 1]), np.array([2.0, 3]), drawings, error
    )


def test_errors_of_blending_are_said_in_percent_and_the_data_handed_over():
    shown = Explorer(
        (plane("a", 0.0123), plane("b", 0.5)), np.array([3, 4]), np.zeros((2, 4, 4), "u1")
    )
    page = explorer_section(shown, "script")
    assert "by 1.2 %, 50.0 % of the\nrange of grey (root mean square; left, right)" in page
    assert "Shown are 2 training images" in page
    assert f"at\n{STEPS} x {STEPS} places" in page
    data = report.json.loads(re.search(r'id="explorer-data">(.*?)</script>', page)[1])
    assert (data["side"], data["steps"], data["columns"], data["labels"]) == (4, STEPS, 2, [3, 4])
    first, second = data["planes"]
    assert first["codes"] == [[0.1235, 1.0], [2.0, 3.0]]
    assert (first["low"], first["high"], first["name"], second["name"]) == (
        [0, 1],
        [2, 3],
        "a",
        "b",
    )


def test_both_nets_show_their_own_codes_of_the_same_training_images(monkeypatch, tmp_path):
    data = uneven_greys()
    settings_for(monkeypatch, tmp_path, explorer, data=data)
    settings = Settings(seed=9)
    codes = {
        name: (np.arange(110.0).reshape(55, 2) + shift, np.zeros((12, 2)))
        for name, shift in (("autoencoder", 0), ("vae", 1000))
    }
    drawn = []
    for name, trained_in, codes_in in (
        ("autoencoder", explorer.ex01_autoencoder, explorer.ex02_latent_space),
        ("vae", explorer.ex07_vae, explorer.ex07b_latent_space),
    ):
        model = SimpleNamespace(decoder=f"decoder of {name}")
        monkeypatch.setattr(
            trained_in, "trained", lambda _, m=model, n=name: (m, None, f"stamp {n}")
        )
        monkeypatch.setattr(codes_in, "codes", lambda _, n=name: codes[n])
    monkeypatch.setattr(explorer, "make_plane", lambda *a: drawn.append(a) or a[0])
    made = explorer.make_explorer(settings)
    shown = explorer.sample(data.y_train, PER_DIGIT, stream(9, "codes shown"))
    assert sorted(shown) == list(range(55))
    np.testing.assert_array_equal(made.labels, data.y_train[shown])
    np.testing.assert_array_equal(made.digits, np.rint(255 * data.x_train[shown, ..., 0]))
    for (title, _, stamp, decoder, z, *circles), name in zip(drawn, codes, strict=True):
        assert (stamp, decoder) == (f"stamp {name}", f"decoder of {name}")
        np.testing.assert_array_equal(z, codes[name][0][shown])
        assert circles == ([(1.0, 2.0)] if name == "vae" else [])
        assert title.startswith("Variational" if name == "vae" else "Autoencoder")


def test_the_margin_is_a_share_of_the_longer_side():
    low, high = explorer.square_around(np.array([[0.0, 0], [10, 4]]))
    assert low == pytest.approx([-10 * MARGIN, 2 - 5 - 10 * MARGIN])
    assert high == pytest.approx([10 + 10 * MARGIN, 2 + 5 + 10 * MARGIN])


def test_a_plane_is_drawn_over_its_square(monkeypatch):
    codes = np.array([[0.0, 0], [1.0, 0.5]], np.float32)
    made = explorer.make_plane("name", "text", "stamp", painter(2), codes, (1.0,))
    low, high = explorer.square_around(codes)
    assert (made.low.tolist(), made.high.tolist()) == (low.tolist(), high.tolist())
    across = explorer.to_bytes(np.linspace(low[0], high[0], STEPS))
    np.testing.assert_array_equal(made.drawings[:, :, 0, 0], np.tile(across, (STEPS, 1)))
    assert (made.name, made.text, made.stamp, made.circles) == ("name", "text", "stamp", (1.0,))

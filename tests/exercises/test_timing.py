"""What is said about a run before it starts, and after."""

import json
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from exercises import __main__ as everything
from exercises import timing
from exercises.catalogue import EXERCISES, short_name
from exercises.common import Settings

EMBEDDED = Settings(data="embedded")


def test_kinds_of_runs():
    assert timing.kind(EMBEDDED) == "embedded"
    assert timing.kind(replace(EMBEDDED, quick=True)) is None
    assert timing.kind(replace(EMBEDDED, epochs=3)) is None


@pytest.mark.parametrize("which", ["full", "embedded"])
def test_the_kept_records_are_of_all_exercises(which):
    record = timing.read(which)
    assert list(record["seconds"]) == [short_name(module) for module, _ in EXERCISES]
    assert record["step_ms"] > 0
    assert all(seconds >= 0 for seconds in record["seconds"].values())


def test_a_machine_half_as_fast_takes_twice_as_long(tmp_path, monkeypatch):
    timing.keep(tmp_path, "full", 4.0, {"a": 60.04, "b": 30.0, "c": 1000.0})
    monkeypatch.setattr(timing, "GALLERY", tmp_path)
    assert timing.estimate("full", 8.0, ["a", "b"]) == pytest.approx(180)
    assert timing.read("full") == {"step_ms": 4.0, "seconds": {"a": 60.0, "b": 30.0, "c": 1000.0}}
    assert timing.estimate("full", 4.0, ["a", "a new one"]) == pytest.approx(60)


def test_a_step_is_timed(monkeypatch):
    """By a clock of its own; a round in which the machine was busy does not count."""
    rounds = [1.0, 1.0, 9.0, 1.0, 2.0, 2.0, 2.0]  # seconds for all steps of each
    ticks = iter([tick for seconds in rounds for tick in (5.0, 5.0 + seconds)])
    monkeypatch.setattr(timing, "ROUNDS", len(rounds))
    monkeypatch.setattr(timing, "STEPS", 2)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    monkeypatch.setattr(timing, "BATCH", 2)
    assert timing.step_ms() == pytest.approx(1000 * 2.0 / 2)
    assert next(ticks, None) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (41.2, "41 seconds"),
        (840, "14 minutes"),
        (89.9, "90 seconds"),
        (90, "2 minutes"),
        (5399, "90 minutes"),
        (5400, "1.5 hours"),
    ],
)
def test_times_in_words(seconds, words):
    assert timing.in_words(seconds) == words


@pytest.fixture
def two_exercises(monkeypatch, tmp_path):
    """Two that do nothing, one of which took a minute and the other two, 5 ms a step."""
    modules = [ModuleType("exercises.first"), ModuleType("exercises.second")]
    for module in modules:
        module.run = lambda settings: None
    monkeypatch.setattr(everything, "EXERCISES", tuple((module, ()) for module in modules))
    monkeypatch.setattr(everything, "write_report", lambda folder, *_: folder / "report.html")
    monkeypatch.setattr(everything, "make_explorer", lambda settings: None)
    monkeypatch.setattr(everything, "peak_in_words", lambda: ", with little memory")
    monkeypatch.setattr(timing, "GALLERY", tmp_path)
    monkeypatch.setattr(timing, "step_ms", lambda: 10.0)
    timing.keep(tmp_path, "embedded", 5.0, {"first": 60, "second": 120})


def test_the_estimate_comes_first_and_the_time_is_kept(two_exercises, tmp_path, capsys):
    settings = replace(EMBEDDED, out=tmp_path / "out")
    everything.run_all(settings)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 exercises, about 6 minutes on this machine."
    assert said[-1] == "It took 0 seconds, with little memory."
    record = json.loads((tmp_path / "out" / "timings-embedded.json").read_text())
    assert record == {"step_ms": 10.0, "seconds": {"first": 0.0, "second": 0.0}}


def test_with_kept_models_it_is_an_upper_bound_and_nothing_is_kept(two_exercises, tmp_path, capsys):
    (tmp_path / "out" / "models").mkdir(parents=True)
    (tmp_path / "out" / "models" / "a.npz").write_bytes(b"")
    everything.run_all(replace(EMBEDDED, out=tmp_path / "out"))
    assert "less, where trained models are kept" in capsys.readouterr().out
    assert not list((tmp_path / "out").glob("timings*"))


def test_a_quick_run_is_not_estimated(two_exercises, tmp_path, capsys):
    everything.run_all(replace(EMBEDDED, quick=True, out=tmp_path / "out"))
    assert "about" not in capsys.readouterr().out


def test_list_names_all_exercises_and_runs_none(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["exercises", "--list"])
    everything.main()
    said = capsys.readouterr().out
    for module, figures in EXERCISES:
        assert f"python -m {module.__name__}\n" in said
        assert ", ".join(figures) in said


def test_exercises_run_in_their_order_and_the_page_gets_their_seconds(
    two_exercises, monkeypatch, tmp_path, capsys
):
    """By a clock of its own: a minute and an hour."""
    ticks, done, page = iter([0.0, 60.0, 100.0, 3700.0]), [], []
    for module, _ in everything.EXERCISES:
        module.run = lambda settings, name=module.__name__: done.append((name, settings))
    monkeypatch.setattr(everything, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    monkeypatch.setattr(everything, "make_explorer", lambda settings: ("explorer", settings))
    monkeypatch.setattr(
        everything, "write_report", lambda *a: page.append(a) or tmp_path / "report.html"
    )
    settings = replace(EMBEDDED, out=tmp_path / "out")
    everything.run_all(settings)
    assert done == [("exercises.first", settings), ("exercises.second", settings)]
    seconds = {"first": 60.0, "second": 3600.0}
    assert page == [(settings.out, everything.EXERCISES, seconds, ("explorer", settings))]
    assert capsys.readouterr().out.splitlines()[-1].startswith("It took 61 minutes,")
    record = json.loads((settings.out / "timings-embedded.json").read_text())
    assert record["seconds"] == seconds


def test_the_gallery_takes_figures_with_their_numbers_and_no_large_ones(monkeypatch, tmp_path):
    folder, gallery = tmp_path / "out", tmp_path / "gallery"
    folder.mkdir()
    monkeypatch.setattr(everything, "GALLERY", gallery)
    monkeypatch.setattr(everything, "FIGURES", ("a", "b"))
    monkeypatch.setattr(everything, "GALLERY_BYTES", 100)
    for name in ("a.png", "a.json", "b.png", "b.json", "c.png", "timings-full.json"):
        (folder / name).write_bytes(b"." * 100)
    everything.fill_gallery(folder)
    kept = {path.name for path in gallery.iterdir()}
    assert kept == {"a.png", "a.json", "b.png", "b.json", "timings-full.json"}
    (folder / "b.png").write_bytes(b"." * 101)
    with pytest.raises(ValueError, match=r"b\.png has 101 bytes; the gallery takes 100"):
        everything.fill_gallery(folder)


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        ([], True), (["--data", "full"], True), (["--out", "there"], True),
        (["--data", "embedded"], False), (["--quick"], False), (["--seed", "1"], False),
        (["--epochs", "1"], False),
    ],
)  # fmt: skip
def test_gallery_is_filled_from_the_default_run_on_the_full_data(
    monkeypatch, tmp_path, capsys, flags, allowed
):
    done = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["exercises", "--gallery", *flags])
    monkeypatch.setattr(everything, "run_all", done.append)
    monkeypatch.setattr(everything, "fill_gallery", done.append)
    if not allowed:
        with pytest.raises(SystemExit):
            everything.main()
        assert "give only --out" in capsys.readouterr().err
        assert not done
        return
    everything.main()
    settings, folder = done
    assert settings == Settings(data="full", out=folder)
    assert folder.name == ("there" if "there" in flags else "figures")


def test_without_the_flag_the_gallery_stays(monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr("sys.argv", ["exercises", "--seed", "3", "--out", str(tmp_path)])
    monkeypatch.setattr(everything, "run_all", done.append)
    monkeypatch.setattr(everything, "fill_gallery", done.append)
    everything.main()
    assert done == [Settings(seed=3, out=tmp_path)]

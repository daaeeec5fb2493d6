"""What every exercise leaves behind, and what it asks of the images."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from exercises import (
    common,
    ex01_autoencoder,
    ex01c_inside,
    ex06_denoising,
    ex07_vae,
    ex08_denoising,
    ex08b_map,
    trained,
)
from exercises.common import Page, Settings, publish, ten_digits
from nnscratch.datasets import Dataset
from nnscratch.plotting import new_figure
from tests.exercises.formulas import greys, settings_for, ten_greys


def test_a_figure_leaves_its_numbers_as_plain_json(tmp_path, capsys):
    numbers = {
        "array": np.array([[1, 2]]), "number": np.float32(0.5), "list": [np.int64(3), (4, np.nan)],
        "nested": {"infinite": np.inf, "truth": np.bool_(True)}, "none": None, "word": "nan",
    }  # fmt: skip
    settings = Settings("embedded", 3, 7, tmp_path / "new", quick=True)
    page = Page("name", "title", "caption", "theirs", "stamp", numbers, [("why?", "so")])
    publish(settings, page, new_figure(1, 1, ""), 0.0)
    text = (tmp_path / "new" / "name.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    assert record["numbers"] == {
        "array": [[1, 2]], "number": 0.5, "list": [3, [4, None]],
        "nested": {"infinite": None, "truth": True}, "none": None, "word": "nan",
    }  # fmt: skip
    assert record["settings"] == {"data": "embedded", "epochs": 3, "seed": 7, "quick": True}
    assert record["answers"] == [["why?", "so"]]
    assert record["runtime_seconds"] > 0
    assert (tmp_path / "new" / "name.png").exists()
    assert "why?" in capsys.readouterr().out


def test_runtime_counts_from_the_start_of_the_figure(monkeypatch, tmp_path):
    monkeypatch.setattr(common, "time", SimpleNamespace(perf_counter=lambda: 112.34))
    page = Page("name", "title", "caption", "theirs", "stamp", {})
    publish(Settings(out=tmp_path), page, new_figure(1, 1, ""), 100.0)
    assert json.loads((tmp_path / "name.json").read_text())["runtime_seconds"] == 12.3


def test_a_quick_run_takes_the_first_images_with_their_labels(monkeypatch):
    labels = np.arange(1000) % 7
    images = Dataset(
        greys(labels / 10, side=1), labels, greys(labels[::-1] / 10, side=1), labels[::-1],
        "greys", "1,000 greys",
    )  # fmt: skip
    monkeypatch.setattr(common.datasets, "mnist", lambda **_: images)
    few = common._images.__wrapped__("MNIST", "auto", quick=True)
    assert (len(few.x_train), len(few.x_test)) == (640, 200)
    for x, y in ((few.x_train, few.y_train), (few.x_test, few.y_test)):
        np.testing.assert_array_equal(np.rint(10 * x.ravel()), y)
    assert "QUICK RUN" in few.source
    assert common._images.__wrapped__("MNIST", "auto", quick=False) is images


def test_ten_digits_are_the_first_of_each():
    y = np.array([3, 3, 1, 0, 2, 9, 8, 7, 6, 5, 4])
    data = ten_greys()._replace(y_test=y)
    assert ten_digits(data).tolist() == [3, 2, 4, 0, 10, 9, 8, 7, 6, 5]


def nothing_is_trained(*_, **__):
    pytest.fail("training began")


@pytest.mark.parametrize(
    "script",
    [ex01_autoencoder, ex01c_inside, ex06_denoising, ex07_vae, ex08_denoising, ex08b_map],
    ids=lambda script: script.__name__,
)
def test_a_missing_digit_is_reported_before_anything_is_trained(monkeypatch, tmp_path, script):
    data = ten_greys()
    data = data._replace(x_test=np.delete(data.x_test, 7, 0), y_test=np.delete(data.y_test, 7))
    settings = settings_for(monkeypatch, tmp_path, script, ex01_autoencoder, data=data)
    monkeypatch.setattr(trained, "fit", nothing_is_trained)
    with pytest.raises(ValueError, match=r"none of the digits \[7\]; the figures show one of each"):
        script.run(settings)
    assert not list(Path(tmp_path).iterdir())

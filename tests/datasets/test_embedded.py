from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnscratch import datasets
from nnscratch.datasets import idx, make_embedded

LOADERS = {"mnist": datasets.mnist, "fashion-mnist": datasets.fashion_mnist}
both = pytest.mark.parametrize("folder", LOADERS)


@both
def test_shapes_types_and_ranges(folder):
    d = LOADERS[folder](data="embedded")
    assert d.x_train.shape == (4000, 28, 28, 1)
    assert d.x_test.shape == (1000, 28, 28, 1)
    assert d.y_train.shape == (4000,)
    assert d.y_test.shape == (1000,)
    for x in (d.x_train, d.x_test):
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert x.min() == 0
        assert x.max() == 1
    assert d.y_train.dtype == d.y_test.dtype == np.int64
    assert d.source == f"embedded subset: 4,000 + 1,000 {d.name} images"


@both
def test_every_prefix_is_balanced(folder):
    d = LOADERS[folder](data="embedded")
    np.testing.assert_array_equal(d.y_train, np.arange(4000) % 10)
    np.testing.assert_array_equal(d.y_test, np.arange(1000) % 10)


@both
def test_pixels_are_bytes_over_255(folder):
    x = LOADERS[folder](data="embedded").x_test
    np.testing.assert_array_equal(x, np.round(x * 255).astype(np.float32) / np.float32(255))


@both
def test_train_and_test_share_no_image(folder):
    d = LOADERS[folder](data="embedded")
    train = {image.tobytes() for image in d.x_train}
    assert not any(image.tobytes() in train for image in d.x_test)


def test_digits_are_the_right_way_up():
    """A seven has its stroke at the top and little below; a one is higher than wide."""
    d = datasets.mnist(data="embedded")
    seven = d.x_train[d.y_train == 7].mean(axis=0)[..., 0]
    assert seven[6:13].sum() > 1.3 * seven[16:23].sum()
    assert seven[13:, 14:].sum() != pytest.approx(seven[13:, :14].sum(), rel=0.02)
    one = d.x_train[d.y_train == 1].mean(axis=0)[..., 0]
    rows, columns = one.sum(axis=1), one.sum(axis=0)
    assert (rows > 0.1 * rows.max()).sum() > (columns > 0.1 * columns.max()).sum()


def test_shoes_are_the_right_way_up():
    """An ankle boot stands on its sole: dark above, bright along the bottom."""
    d = datasets.fashion_mnist(data="embedded")
    boot = d.x_train[d.y_train == 9].mean(axis=0)[..., 0]
    assert boot[18:24].mean() > 2 * boot[:6].mean()


@both
def test_no_network_and_no_line_where_embedded_was_asked_for(folder, capsys, cache):
    LOADERS[folder](data="embedded")
    assert capsys.readouterr().err == ""
    assert not cache.exists()


@both
def test_is_the_first_500_of_each_class_of_the_official_training_set(folder, official):
    arrays = idx.read_folder(official / folder)
    if arrays is None:
        pytest.skip(f"NNSCRATCH_DATA has no {folder}")
    images, labels = arrays[:2]
    d = LOADERS[folder](data="embedded")
    for c in range(10):
        ours = np.concatenate([d.x_train[d.y_train == c], d.x_test[d.y_test == c]])
        theirs = images[labels == c][:500]
        np.testing.assert_array_equal(np.round(ours * 255).astype(np.uint8), theirs)


def test_small_enough_and_licensed():
    files = [path for path in datasets.EMBEDDED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    assert "Attribution-Share Alike 3.0" in (datasets.EMBEDDED / "mnist/LICENSE").read_text()
    assert "The MIT License" in (datasets.EMBEDDED / "fashion-mnist/LICENSE").read_text()


def test_select_keeps_the_order_within_a_class():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10, dtype=np.uint8), 600))
    place = np.arange(6000)  # in place of images: where each one came from
    train, y_train, test, y_test = make_embedded.select(place, labels)
    for c in range(10):
        kept = np.concatenate([train[y_train == c], test[y_test == c]])
        np.testing.assert_array_equal(kept, np.flatnonzero(labels == c)[:500])


def test_select_wants_500_of_each_class():
    with pytest.raises(ValueError, match="fewer than 500 images"):
        make_embedded.select(np.zeros((4990, 28, 28)), np.arange(4990) % 10)


def test_the_script_makes_what_is_embedded(tmp_path: Path):
    """From the embedded data itself, dressed up as the sources that the script reads."""
    x_train, y_train, x_test, y_test = idx.read_folder(datasets.EMBEDDED / "mnist")
    table = np.c_[np.concatenate([x_train, x_test]).reshape(5000, -1), np.r_[y_train, y_test]]
    rows = (",".join(map(str, row)) for row in table.tolist())
    (tmp_path / "mnist.csv").write_text("\n".join(rows))
    f_train, fy_train, f_test, fy_test = idx.read_folder(datasets.EMBEDDED / "fashion-mnist")
    idx_folder = tmp_path / "fashion"
    idx_folder.mkdir()
    idx.write(idx_folder / idx.TRAIN_IMAGES, np.concatenate([f_train, f_test])[..., 0])
    idx.write(idx_folder / idx.TRAIN_LABELS, np.concatenate([fy_train, fy_test]))
    idx.write(idx_folder / idx.TEST_IMAGES, f_test[..., 0])
    idx.write(idx_folder / idx.TEST_LABELS, fy_test)
    sources = ["--mnist-csv", tmp_path / "mnist.csv", "--fashion-mnist", idx_folder]
    script = [sys.executable, "-m", "nnscratch.datasets.make_embedded"]
    done = subprocess.run(
        [*script, *sources, "--out", tmp_path / "out"], capture_output=True, text=True, check=True
    )
    assert "mnist/train-images-idx3-ubyte.gz: " in done.stdout
    for folder in LOADERS:
        for made, kept in zip(
            idx.read_folder(tmp_path / "out" / folder),
            idx.read_folder(datasets.EMBEDDED / folder),
            strict=True,
        ):
            np.testing.assert_array_equal(made, kept)

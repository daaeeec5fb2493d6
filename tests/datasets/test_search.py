"""Which place is used, and what `data` allows."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from nnscratch import datasets
from nnscratch.datasets import fetch

from .helpers import small_files, small_remote, write_files

FROM_USER, FROM_CACHE, FROM_DEBIAN = small_files(11), small_files(12), small_files(13)


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("NNSCRATCH_DATA", str(folder))
    return folder


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("data", ["auto", "full"])
def test_user_folder(user_folder, capsys, raw, data):
    files = FROM_USER
    if raw:
        files = {n.removesuffix(".gz"): gzip.decompress(content) for n, content in files.items()}
    write_files(user_folder / "mnist", files)
    d = datasets.mnist(data=data)
    assert len(d.x_train) == 11
    assert d.name == "MNIST"
    assert d.source == "unknown images in MNIST's format, 11 + 10 images from NNSCRATCH_DATA"
    assert capsys.readouterr().err == ""


def test_order_of_the_places(user_folder, cache, tmp_path, monkeypatch):
    remote = small_remote(fetch.FASHION_MNIST, FROM_CACHE, *fetch.FASHION_MNIST.mirrors)
    monkeypatch.setattr(fetch, "FASHION_MNIST", remote)
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    assert len(datasets.fashion_mnist().x_train) == 4000
    write_files(tmp_path / "debian", FROM_DEBIAN)
    d = datasets.fashion_mnist()
    assert len(d.x_train) == 13
    assert d.source.endswith("images from Debian's dataset-fashion-mnist")
    write_files(cache / "fashion-mnist", FROM_CACHE)
    assert len(datasets.fashion_mnist().x_train) == 12
    write_files(user_folder / "fashion-mnist", FROM_USER)
    assert len(datasets.fashion_mnist().x_train) == 11
    assert len(datasets.fashion_mnist(data="embedded").x_train) == 4000


def test_full_is_never_the_embedded_subset():
    with pytest.raises(FileNotFoundError, match=r"MNIST could .*put the official files"):
        datasets.mnist(data="full")


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist, datasets.cifar10])
def test_unknown_kind_of_data(load):
    with pytest.raises(ValueError, match=r"data is 'all'; expected .*embedded.*full"):
        load(data="all")


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist, datasets.cifar10])
def test_user_folder_that_does_not_exist(load, tmp_path, monkeypatch):
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"NNSCRATCH_DATA is set to .*nowhere, which is not a fol"):
        load()


def test_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("NNSCRATCH_DATA", "")
    assert datasets.mnist().source.startswith("embedded subset")


def test_damaged_file_of_the_user_is_not_passed_over(user_folder):
    files = {name: content[: len(content) // 2] for name, content in FROM_USER.items()}
    write_files(user_folder / "mnist", files)
    with pytest.raises(ValueError, match=r"train-images.* is not a whole gzip file"):
        datasets.mnist()


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_official_data(load, official):
    try:
        d = load(data="full")
    except FileNotFoundError:
        pytest.skip("NNSCRATCH_DATA lacks this data set")
    assert d.x_train.shape == (60_000, 28, 28, 1)
    assert d.x_test.shape == (10_000, 28, 28, 1)
    assert d.x_train.dtype == np.float32
    assert np.bincount(d.y_train).sum() == 60_000
    assert np.bincount(d.y_test, minlength=10).min() >= 892  # the fives of MNIST
    assert d.source == f"{d.name}, 60,000 + 10,000 images from NNSCRATCH_DATA"


def test_official_cifar(official):
    try:
        d = datasets.cifar10()
    except FileNotFoundError:
        pytest.skip("NNSCRATCH_DATA lacks this data set")
    assert d.x_train.shape[1:] == d.x_test.shape[1:] == (32, 32, 3)
    assert np.bincount(d.y_train, minlength=10).min() > 0.09 * len(d.y_train)
    # Skies are over meadows: with planes mixed up, blue would not rule the upper rows of ships.
    ships = d.x_train[d.y_train == 8].mean(axis=(0, 2))
    assert (ships[:8, 2] > ships[:8, 0]).all()

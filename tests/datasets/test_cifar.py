from __future__ import annotations

import numpy as np
import pytest

from nnscratch import datasets
from nnscratch.datasets import cifar


def record(label, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, 3072, np.uint8)
    return bytes([label]) + pixels.tobytes()


def test_planes_become_channels(tmp_path):
    """Red counts along the rows, green is 7, blue only in the last row."""
    red = bytes(i % 256 for i in range(1024))
    green = bytes([7] * 1024)
    blue = bytes(992) + bytes([200] * 32)
    (tmp_path / "b.bin").write_bytes(bytes([4]) + red + green + blue)
    _, images, labels, _ = cifar.read(tmp_path / "b.bin")
    assert images.shape == (1, 32, 32, 3)
    assert images.flags.c_contiguous
    assert labels.tolist() == [4]
    assert images[0, 0, :3, 0].tolist() == [0, 1, 2]
    assert images[0, 1, 0, 0] == 32
    assert (images[0, :, :, 1] == 7).all()
    assert (images[0, :31, :, 2] == 0).all()
    assert (images[0, 31, :, 2] == 200).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes, which is 0 records.*whole records of 3,073"),
        (bytes(3072), "3,072 bytes, which is 0 records and 3,072 bytes"),
        (bytes(2 * 3073 + 5), "6,151 bytes, which is 2 records and 5 bytes"),
        (record(3) + record(10), "holds the label 10; expected classes 0 to 9"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, content, words):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        cifar.read(path)
    assert str(path) in str(error.value)
    assert "Replace it with a fresh copy" in str(error.value)


def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "data_batch_1.bin"
    with open(path, "wb") as file:
        file.truncate(3073 * 10**8)  # takes no room on the disk
    with pytest.raises(ValueError, match="100,000,000 records and 0 bytes; expected 1 to 100,000"):
        cifar.read(path)


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_folder_takes_all_batches_in_order(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    (folder / "data_batch_3.bin").write_bytes(record(3))
    (folder / "data_batch_1.bin").write_bytes(record(1) + record(2))
    (folder / "test_batch_first1000.bin").write_bytes(record(9))
    x_train, y_train, x_test, y_test = cifar.read_folder(folder).arrays
    assert y_train.tolist() == [1, 2, 3]
    assert y_test.tolist() == [9]
    assert x_train.shape == (3, 32, 32, 3)
    assert x_test.shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    ("present", "lacking"), [("data_batch_2.bin", "test_batch"), ("test_batch.bin", "data_batch")]
)
def test_folder_with_only_half(tmp_path, present, lacking):
    (tmp_path / present).write_bytes(record(0))
    with pytest.raises(ValueError, match=f"has {present} but lacks {lacking}"):
        cifar.read_folder(tmp_path)


def test_public_function(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "cifar-10"
    folder.mkdir(parents=True)
    (folder / "data_batch_1.bin").write_bytes(record(1) + record(2))
    (folder / "test_batch.bin").write_bytes(record(9))
    monkeypatch.setenv("NNSCRATCH_DATA", str(folder.parent))
    d = datasets.cifar10()
    assert d.x_train.dtype == np.float32
    assert d.y_train.dtype == np.int64
    assert d.x_train.max() <= 1
    assert d.source == "unknown images in CIFAR-10's format, 2 + 1 images from NNSCRATCH_DATA"


def test_has_no_embedded_subset():
    with pytest.raises(FileNotFoundError, match="CIFAR-10 has no embedded subset"):
        datasets.cifar10(data="embedded")


@pytest.mark.parametrize("data", ["auto", "full"])
def test_nowhere_to_be_had(data):
    with pytest.raises(FileNotFoundError, match=r"CIFAR-10 could not be downloaded.*put the off"):
        datasets.cifar10(data=data)


def test_auto_with_an_unwritable_cache_is_not_found(tmp_path):
    """Callers answer FileNotFoundError with other images, whatever kept CIFAR-10 away."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(FileNotFoundError, match=r"no embedded subset.*cannot be written to"):
        datasets.cifar10()


def test_labels_keep_no_records_in_memory(tmp_path):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(bytes(cifar.RECORD))
    assert cifar.read(path)[2].base is None

"""The official archive, and what may be hidden in another."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest

from nnscratch import datasets
from nnscratch.datasets import cifar

BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
OFFICIAL_MEMBERS = [f"cifar-10-batches-bin/{name}.bin" for name in BATCHES]
RECORD = bytes([3]) + bytes(3072)
BOTH = {"data_batch_1.bin": RECORD, "test_batch.bin": RECORD}


def make_archive(path, contents, *others, mode="w:gz"):
    """An archive of files with these contents, and ``others`` that are no files."""
    with tarfile.open(path, mode) as tar:
        for info in others:
            tar.addfile(info)
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def not_a_file(name, kind, target):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def labels_of(archive):
    return [a.tolist() for a in cifar.read_folder(archive.parent).arrays[1::2]]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (cifar.ARCHIVE, "w:gz"),
        ("CIFAR-10-binary.TAR.GZ", "w:gz"),
        ("cifar-10-binary.tar", "w"),  # as a browser leaves it that unzips what it can
    ],
)
def test_reads_the_batches_in_their_order_and_writes_nothing(tmp_path, name, mode):
    contents = {member: bytes([i]) + bytes(3072) for i, member in enumerate(OFFICIAL_MEMBERS)}
    contents = dict(reversed(contents.items()))
    contents |= {"../evil": b"evil", "/evil-too": b"evil", "cifar-10-batches-bin/readme.html": b""}
    archive = make_archive(tmp_path / name, contents, mode=mode)
    assert labels_of(archive) == [[0, 1, 2, 3, 4], [5]]
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_refuses_a_link_in_place_of_a_file(tmp_path, kind):
    (tmp_path / "secret").write_bytes(RECORD)
    link = not_a_file("data_batch_2.bin", kind, str(tmp_path / "secret"))
    archive = make_archive(tmp_path / cifar.ARCHIVE, BOTH, link)
    with pytest.raises(ValueError, match=r"data_batch_2\.bin in .* is not a regular file; expect"):
        labels_of(archive)


def test_a_link_within_the_archive_is_refused_too(tmp_path):
    """tarfile would follow it, once for each name."""
    link = not_a_file("data_batch_2.bin", tarfile.LNKTYPE, "test_batch.bin")
    with pytest.raises(ValueError, match="not a regular file"):
        labels_of(make_archive(tmp_path / cifar.ARCHIVE, BOTH, link))


def test_refuses_a_sparse_file(tmp_path):
    info = tarfile.TarInfo("data_batch_2.bin")
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(ValueError, match="not a regular file"):
        labels_of(make_archive(tmp_path / cifar.ARCHIVE, BOTH, info))


@pytest.mark.parametrize("size", [0, 3072, 3074])
def test_refuses_what_are_no_whole_records(tmp_path, size):
    archive = make_archive(tmp_path / cifar.ARCHIVE, BOTH | {"data_batch_2.bin": bytes(size)})
    with pytest.raises(ValueError, match=r"data_batch_2.bin in .*expected 1 to 100,000 whole rec"):
        labels_of(archive)


@pytest.mark.parametrize("name", ["data_batch_2.bin", "readme.html"])
def test_a_bomb_is_given_up_at_the_size_of_the_real_archive(tmp_path, monkeypatch, name):
    """Wherever it lies; scaled down to 20 records of the 100,000."""
    monkeypatch.setattr(cifar, "MOST", 20)
    bomb = make_archive(tmp_path / cifar.ARCHIVE, BOTH | {name: RECORD * 10, "rest": RECORD * 20})
    with pytest.raises(ValueError, match="unpacks to more than 20 records of 3,073 bytes"):
        labels_of(bomb)
    fine = make_archive(tmp_path / cifar.ARCHIVE, BOTH | {name: RECORD * 10})
    assert len(labels_of(fine)[1]) == 1


def test_a_bomb_in_a_header_of_the_archive(tmp_path, monkeypatch):
    """tarfile reads a long name whole before anybody can look at its size."""
    monkeypatch.setattr(cifar, "MOST", 100)
    with tarfile.open(tmp_path / cifar.ARCHIVE, "w:gz") as tar:
        info = tarfile.TarInfo("././@LongLink")
        info.type = tarfile.GNUTYPE_LONGNAME
        info.size = 50_000_000
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="unpacks to more than"):
        labels_of(tmp_path / cifar.ARCHIVE)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_names_what_is_missing(tmp_path):
    archive = make_archive(tmp_path / cifar.ARCHIVE, {"data_batch_1.bin": RECORD})
    with pytest.raises(ValueError, match=r"has data_batch_1.bin but lacks test_batch\.bin"):
        labels_of(archive)
    with pytest.raises(ValueError, match=r"tar.gz lacks data_batch_1\.bin"):
        labels_of(make_archive(tmp_path / cifar.ARCHIVE, {"other": RECORD}))


@pytest.mark.parametrize("keep", [0, 20, 60_000])
def test_cut_archive(tmp_path, keep):
    noise = np.random.default_rng(0).bytes(100_000)  # does not compress, so a cut is a cut
    archive = make_archive(tmp_path / cifar.ARCHIVE, {"readme": noise} | BOTH)
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        labels_of(archive)


def test_the_archive_in_the_folder_of_the_user(tmp_path, monkeypatch):
    make_archive(tmp_path / cifar.ARCHIVE, BOTH)
    monkeypatch.setenv("NNSCRATCH_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError):  # unknown images, and no name of a folder to believe
        datasets.cifar10()
    (tmp_path / "CIFAR10").mkdir()
    make_archive(tmp_path / "CIFAR10" / cifar.ARCHIVE, BOTH)
    d = datasets.cifar10()
    assert d.source == "unknown images in CIFAR-10's format, 1 + 1 images from NNSCRATCH_DATA"

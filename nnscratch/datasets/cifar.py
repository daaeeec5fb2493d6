"""The binary version of CIFAR-10: records of one label byte and three planes of 32 x 32 pixels.

::

    label   1,024 x red   1,024 x green   1,024 x blue       3,073 bytes, rows running fastest

A file is any whole number of such records. (The Python version of the data set is a pickle, and
unpickling a downloaded file can run any code that someone put into it; this one is only bytes.)
The archive is read as it is. Nothing in it is written to the disk, so that a link or a member
called ``../evil`` leads nowhere.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from nnscratch.datasets.folders import find_file
from nnscratch.datasets.known import Found, is_of_cifar10

Array = np.ndarray
Part = tuple[str, Array, Array, bool]  # file, images, labels, and whether it is an official one

SIDE = 32
CHANNELS = 3
RECORD = 1 + CHANNELS * SIDE * SIDE  # 3,073 bytes
MOST = 100_000  # records in a file or an archive; the whole of CIFAR-10 has 60,000
CLASSES = 10
ARCHIVE = "cifar-10-binary.tar.gz"
BATCH = re.compile(r"(data|test)_batch\w*\.bin", re.IGNORECASE)
ADVICE = "Replace it with a fresh copy of the official file, or take it away."


def read_folder(folder: Path) -> Found | None:
    """The official archive in ``folder``, or all ``data_batch_*.bin`` and ``test_batch*.bin``.

    Returns
    -------
    Found or None
        x_train (N, 32, 32, 3) uint8, y_train (N,) uint8, x_test, y_test, and "CIFAR-10" if every
        file is an official one. None where there is no such file.

    Raises
    ------
    ValueError
        If there are only training files or only test files, or a file is damaged; see `read`.
    """
    path = find_file(folder, ARCHIVE, ARCHIVE.removesuffix(".gz"))  # browsers may unzip it
    if path is not None:
        return _join(path, _read_archive(path))
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = [file for file in files if BATCH.fullmatch(file.name) and file.is_file()]
    return _join(folder, (read(path) for path in paths)) if paths else None


def _join(place: Path, parts: Iterator[Part]) -> Found:
    """One pair of arrays for training and one for tests; files in the order of their names."""
    found = sorted(parts, key=lambda part: part[0])
    train = [part for part in found if part[0].startswith("data")]
    test = [part for part in found if part[0].startswith("test")]
    if not train or not test:
        has = f"has {found[0][0]} but " if found else ""
        raise ValueError(
            f"{place} {has}lacks {'test_batch.bin' if train else 'data_batch_1.bin'}. "
            f"Add what is missing, or take the others away."
        )
    official = all(part[3] for part in found)
    return Found((*_stack(train), *_stack(test)), "CIFAR-10" if official else None)


def _stack(parts: list[Part]) -> tuple[Array, Array]:
    return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


def read(path: Path) -> Part:
    """Read one file of records.

    Returns
    -------
    name in lower case, images (N, 32, 32, 3) uint8 in the order R, G, B, labels (N,) uint8, and
    whether the file is known to be one of CIFAR-10

    Raises
    ------
    ValueError
        If the size is not a multiple of 3,073 bytes, is zero or more than `MOST` records, or a
        label is over 9.
    """
    _check_size(f"{path}", path.stat().st_size)
    return _part(f"{path}", path.name, np.fromfile(path, np.uint8))


def _check_size(place: str, size: int) -> None:
    if size == 0 or size % RECORD or size > MOST * RECORD:
        raise ValueError(
            f"{place} has {size:,} bytes, which is {size // RECORD:,} records and "
            f"{size % RECORD:,} bytes; expected 1 to {MOST:,} whole records of {RECORD:,}. {ADVICE}"
        )


def _part(place: str, name: str, content: Array) -> Part:
    records = content.reshape(-1, RECORD)  # (N, 3073)
    labels = records[:, 0].copy()  # a view would keep all the records in memory
    if labels.max() >= CLASSES:
        raise ValueError(
            f"{place} holds the label {labels.max()}; "
            f"expected classes 0 to {CLASSES - 1} only. {ADVICE}"
        )
    planes = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE)  # (N, C, H, W)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return name.lower(), images, labels, is_of_cifar10(content)


def _read_archive(path: Path) -> Iterator[Part]:
    """The batches in a ``.tar.gz``, one by one.

    Raises
    ------
    ValueError
        If a batch is no regular file, the archive unpacks to more than `MOST` records, or it is
        damaged; and as `read`.
    """
    zipped = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            limited: Any = _Limited(file, MOST * RECORD, path)
            # As a stream: tarfile reads from the front to the end, and from nothing else.
            with tarfile.open(fileobj=limited, mode="r|") as tar:
                for member in tar:
                    name = member.name.rpartition("/")[2]
                    if BATCH.fullmatch(name):
                        yield _part(f"{name} in {path}", name, _content(tar, member, path))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be unpacked ({error}); expected a whole .tar.gz archive. {ADVICE}"
        ) from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Array:
    # Sparse files count as regular, but unpack to far more than lies in the archive.
    source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if source is None:
        raise ValueError(
            f"{member.name} in {path} is not a regular file; expected one of CIFAR-10's. {ADVICE}"
        )
    _check_size(f"{member.name} in {path}", member.size)
    return np.frombuffer(source.read(), np.uint8)


class _Limited:
    """A file of which no more than ``most`` bytes are read.

    A gzip file of a megabyte unpacks to a gigabyte of zeros, in a batch, between two, or in a
    header of the archive.
    """

    def __init__(self, file: IO[bytes] | gzip.GzipFile, most: int, path: Path) -> None:
        self.file, self.left, self.path = file, most, path

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(
                f"{self.path} unpacks to more than {MOST:,} records of {RECORD:,} bytes; "
                f"expected the official archive. {ADVICE}"
            )
        return content

"""The IDX format, in which MNIST and Fashion-MNIST come: a short header, then plain bytes.

::

    0  0  8  d        magic: two zeros, 8 for "unsigned byte", d dimensions
    n1 n2 ... nd      each a 32-bit integer, most significant byte first
    n1*n2*...*nd      bytes, the last dimension running fastest

The whole is usually gzipped. A file from the network or an interrupted copy can be anything, so
nothing the header claims is believed before as many bytes have really been read.

Source: http://yann.lecun.com/exdb/mnist/, "THE IDX FILE FORMAT".
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from nnscratch.datasets.folders import find_file

Array = np.ndarray
Arrays = tuple[Array, Array, Array, Array]

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

UNSIGNED_BYTE = 8
SIDE = 28
IMAGE, LABEL = (SIDE, SIDE), ()  # one of what a file holds many of
MOST = 300_000  # images in a file; the largest known set of digits, EMNIST's, has 280,000
CLASSES = 10
CHUNK = 1 << 20
ADVICE = "Replace it with a fresh copy of the official file, or take it away."


class ByteStream(Protocol):
    """An open file, gzip file or member of a zip archive."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, none only at the end."""
        ...


def read_folder(folder: Path) -> Arrays | None:
    """The four arrays of the four files in ``folder``, each gzipped or raw (without ``.gz``).

    Returns
    -------
    x_train (N, 28, 28, 1) uint8, y_train (N,) uint8, x_test, y_test, or None
        None where the folder has none of the files.

    Raises
    ------
    ValueError
        If it has some of the files but not all (a copy that was interrupted, most likely), or
        a file is damaged; see `read`.
    """
    found = {name: find_file(folder, name, name.removesuffix(".gz")) for name in FILES}
    missing = [name for name, path in found.items() if path is None]
    if len(missing) == len(FILES):
        return None
    paths = [path for path in found.values() if path is not None]
    if missing:
        raise ValueError(
            f"{folder} has {paths[0].name} but lacks {', '.join(missing)}. "
            f"Add what is missing, or take the others away."
        )
    train, test = read_pair(paths[0], paths[1]), read_pair(paths[2], paths[3])
    return *train, *test


def read_pair(images_path: Path, labels_path: Path) -> tuple[Array, Array]:
    """Images (N, 28, 28, 1) and labels (N,), both uint8, that belong together.

    Raises
    ------
    ValueError
        If a file is damaged (see `read`), or the two do not fit (see `check_pair`).
    """
    return check_pair(
        read(images_path, IMAGE), read(labels_path, LABEL), f"{images_path}", f"{labels_path}"
    )


def check_pair(
    images: Array, labels: Array, images_place: str, labels_place: str
) -> tuple[Array, Array]:
    """The images with an axis for their channel, and the labels.

    Raises
    ------
    ValueError
        If the two counts differ, or a label is over 9.
    """
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_place} holds {len(labels):,} labels for the {len(images):,} images of "
            f"{images_place}; expected one label for each image. {ADVICE}"
        )
    if labels.max() >= CLASSES:
        raise ValueError(
            f"{labels_place} holds the label {labels.max()}; "
            f"expected classes 0 to {CLASSES - 1} only. {ADVICE}"
        )
    return images[..., np.newaxis], labels


def read(path: Path, item: tuple[int, ...]) -> Array:
    """Read one IDX file of unsigned bytes; a name ending in ``.gz`` is unzipped on the way.

    Parameters
    ----------
    path : Path
    item : tuple of int
        What the file holds many of: `IMAGE`, (28, 28), or `LABEL`, ().

    Returns
    -------
    uint8 array (N, *item)

    Raises
    ------
    ValueError
        If the magic number is another, the header promises another shape or more than `MOST`
        items, the file holds fewer or more bytes than that, or gzip cannot read it.
    """
    zipped = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            return read_items(file, _shape(file, path, 1 + len(item)), item, f"{path}")
    # A cut gzip ends in EOFError; wrong bytes inside end in either of the other two.
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is not a whole gzip file ({error}); "
            f"expected one that unzips to its end. {ADVICE}"
        ) from error


def _shape(file: ByteStream, path: Path, dimensions: int) -> tuple[int, ...]:
    """The shape in the header of an open file."""
    header = file.read(4 + 4 * dimensions)
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if len(header) < 4 + 4 * dimensions or header[:4] != magic:
        raise ValueError(
            f"{path} begins with the {len(header)} bytes {header.hex(' ', 4) or '(none)'}; "
            f"expected an IDX header that begins with the magic number {magic.hex()}. {ADVICE}"
        )
    return tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))


def read_items(
    file: ByteStream, shape: tuple[int, ...], item: tuple[int, ...], place: str
) -> Array:
    """The rest of an open file, which must be the bytes of ``shape``, many of ``item``.

    Raises
    ------
    ValueError
        If ``shape`` is another or holds more than `MOST` items, which is said before anything is
        read, or there are fewer or more bytes. ``place`` stands in the sentence.
    """
    if shape[1:] != item or not 1 <= shape[0] <= MOST:
        kind = f"images of {SIDE} x {SIDE}" if item else "labels"
        raise ValueError(
            f"{place} promises {_product(shape)} bytes in its header; "
            f"expected 1 to {MOST:,} {kind}. {ADVICE}"
        )
    size = math.prod(shape)
    # One byte more than promised is asked for, so that a file that is too long is noticed, and
    # gzip reads on to its checksum.
    content = _read_at_most(file, size + 1)
    if len(content) != size:
        found = f"{len(content):,}" if len(content) < size else "more"
        raise ValueError(
            f"{place} promises {_product(shape)} bytes in its header; expected exactly "
            f"these, found {found}. {ADVICE}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_at_most(file: ByteStream, size: int) -> bytearray:
    """Read ``size`` bytes or to the end, chunk by chunk.

    So memory grows with what is there; ``file.read(size)`` would allocate what the header claims.
    """
    content = bytearray()
    while chunk := file.read(min(CHUNK, size - len(content))):
        content += chunk
    return content


def _product(shape: tuple[int, ...]) -> str:
    """``(60000, 28, 28)`` as ``60,000 x 28 x 28 = 47,040,000``."""
    factors = " x ".join(f"{n:,}" for n in shape)
    return factors if len(shape) == 1 else f"{factors} = {math.prod(shape):,}"


def write(path: Path, array: Array) -> None:
    """Write a uint8 array as a gzipped IDX file, the same bytes each time.

    No file name and no time go into the gzip header: what is written depends on the array (and
    on the version of zlib) alone.
    """
    header = bytes((0, 0, UNSIGNED_BYTE, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as file,
    ):
        file.write(header + array.tobytes())

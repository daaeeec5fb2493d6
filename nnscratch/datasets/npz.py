"""``mnist.npz``, MNIST as Keras keeps it: a zip archive of four arrays, none of them pickled.

`numpy.load` reserves the memory that an array's header asks for. Here the header is read first, and
what it may ask for is limited.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from nnscratch.datasets.idx import ADVICE, IMAGE, LABEL, Arrays, check_pair, read_items

Array = np.ndarray


def read(path: Path) -> Arrays:
    """The four arrays of the archive.

    Returns
    -------
    x_train (N, 28, 28, 1) uint8, y_train (N,) uint8, x_test, y_test

    Raises
    ------
    ValueError
        If it is no zip archive, an array is missing, damaged or of other numbers than unsigned
        bytes, or has a wrong shape (see `idx.read_items` and `idx.check_pair`).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            train = _pair(archive, "x_train", "y_train")
            return *train, *_pair(archive, "x_test", "y_test")
    # KeyError: no such array; RuntimeError: a password, or an unknown way of packing.
    except (KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read ({error}); expected a zip archive of the arrays x_train, "
            f"y_train, x_test and y_test, as Keras has it. {ADVICE}"
        ) from error


def _pair(archive: zipfile.ZipFile, images: str, labels: str) -> tuple[Array, Array]:
    x, y = _array(archive, images, IMAGE), _array(archive, labels, LABEL)
    return check_pair(x, y, f"{images} in {archive.filename}", f"{labels} in {archive.filename}")


def _array(archive: zipfile.ZipFile, name: str, item: tuple[int, ...]) -> Array:
    place = f"{name} in {archive.filename}"
    with archive.open(f"{name}.npy") as file:
        try:
            version = npy.read_magic(file)
            shape, by_columns, dtype = npy.read_array_header_1_0(file)
        except ValueError as error:
            raise ValueError(f"{place} is no array ({error}). {ADVICE}") from error
        if version != (1, 0) or by_columns or dtype != np.uint8:
            raise ValueError(
                f"{place} is an array of {dtype}; expected unsigned bytes, row by row. {ADVICE}"
            )
        return read_items(file, shape, item, place)

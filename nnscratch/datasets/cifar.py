"""The binary version of CIFAR-10: records of one label byte and three planes of 32 x 32 pixels.

::

    label   1,024 x red   1,024 x green   1,024 x blue       3,073 bytes, rows running fastest

A file is any whole number of such records. (The Python version of the data set is a pickle, and
unpickling a downloaded file can run any code that someone put into it; this one is only bytes.)

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

Array = np.ndarray

SIDE = 32
CHANNELS = 3
RECORD = 1 + CHANNELS * SIDE * SIDE  # 3,073 bytes
MOST = 100_000  # records in a file; the whole of CIFAR-10 has 60,000
CLASSES = 10
INNER_FOLDER = "cifar-10-batches-bin"  # what the official archive unpacks to
ADVICE = "Replace it with a fresh copy of the official file, or take it away."


def read_folder(folder: Path) -> tuple[Array, Array, Array, Array] | None:
    """All ``data_batch_*.bin`` and ``test_batch*.bin`` in ``folder`` or its ``INNER_FOLDER``.

    Returns
    -------
    x_train (N, 32, 32, 3) uint8, y_train (N,) uint8, x_test, y_test, or None
        None where there is no such file.

    Raises
    ------
    ValueError
        If there are only training files or only test files, or a file is damaged; see `read`.
    """
    for place in (folder, folder / INNER_FOLDER):
        train = sorted(place.glob("data_batch_*.bin"))
        test = sorted(place.glob("test_batch*.bin"))
        if train and test:
            return *_read_all(train), *_read_all(test)
        if train or test:
            lacking = "test_batch.bin" if train else "data_batch_1.bin"
            raise ValueError(
                f"{place} has {(train or test)[0].name} but lacks {lacking}. "
                f"Add what is missing, or take the others away."
            )
    return None


def _read_all(paths: list[Path]) -> tuple[Array, Array]:
    images, labels = zip(*(read(path) for path in paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def read(path: Path) -> tuple[Array, Array]:
    """Read one file of records.

    Returns
    -------
    images (N, 32, 32, 3) uint8 in the order R, G, B, and labels (N,) uint8

    Raises
    ------
    ValueError
        If the size is not a multiple of 3,073 bytes, is zero or more than `MOST` records, or a
        label is over 9.
    """
    size = path.stat().st_size
    if size == 0 or size % RECORD or size > MOST * RECORD:
        raise ValueError(
            f"{path} has {size:,} bytes, which is {size // RECORD:,} records and "
            f"{size % RECORD:,} bytes; expected 1 to {MOST:,} whole records of {RECORD:,}. {ADVICE}"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD)  # (N, 3073)
    labels = records[:, 0].copy()  # a view would keep all the records in memory
    if labels.max() >= CLASSES:
        raise ValueError(
            f"{path} holds the label {labels.max()}; "
            f"expected classes 0 to {CLASSES - 1} only. {ADVICE}"
        )
    planes = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE)  # (N, C, H, W)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels

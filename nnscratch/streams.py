"""What every command does about its output: it may be closed, cut off, or know few letters."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

NOBODY_READS = 141  # the exit code of a program that SIGPIPE ends, 128 + 13


def run_command(main: Callable[[], int | None]) -> None:
    """Run the ``main`` of a command, and end the process if it returns an exit code but 0.

    A stream that is closed from the start (``2>&-``, ``pythonw``) swallows what is written to it.
    Letters that the encoding of a stream lacks become question marks. Where the reader goes away
    (``| head -1``), the process ends quietly with exit code 141.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        code = NOBODY_READS
    if code:
        sys.exit(code)

"""How much memory a run has taken at most, where the system says it."""

from __future__ import annotations

import sys


def peak_bytes() -> int | None:
    """The largest resident memory of this process so far; None on Windows, which does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux kB


def peak_in_words() -> str:
    """Such as ", with at most 0.83 GB of memory", to end a sentence with; empty on Windows."""
    peak = peak_bytes()
    return "" if peak is None else f", with at most {peak / 1e9:.2f} GB of memory"

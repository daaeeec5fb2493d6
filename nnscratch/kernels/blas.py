"""One thread for NumPy's matrix products while compiled steps run.

The threads of BLAS (the library that multiplies NumPy's matrices) keep spinning for a while after
a product and then hold the cores that the kernels want. So they are one while steps run, and as
many as before afterwards: a user's own ``a @ b`` keeps its speed.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_depth = 0  # of steps under way, in all Python threads
_before: list[tuple[Any, int]] = []
_lock = threading.Lock()


@functools.cache
def _libraries() -> list[Any]:
    """Looked for once, since that takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def at_work() -> Iterator[None]:
    """Within, BLAS has one thread; the end of the outermost gives it back what it had."""
    global _depth
    with _lock:
        if _depth == 0:
            _before[:] = [(library, library.get_num_threads()) for library in _libraries()]
            for library, _ in _before:
                library.set_num_threads(1)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                for library, threads in _before:
                    library.set_num_threads(threads)

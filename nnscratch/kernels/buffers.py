"""Memory that is used again: a training step asks for arrays of the same sizes thousands of times.

A large array fresh from the system costs a page fault (the system stops the program to find it
memory) for every 4 KB before a kernel has computed anything. So the arrays handed out here are
remembered, and their memory is handed out again once nobody else holds them or a view of them.
Nobody has to give anything back, and no array changes under the hands of somebody who kept it.

Memory that nobody asked for in a long time goes back to the system, and at the end of `one_call`
all of it does, or as soon as the last array that lies in it is gone.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike

from nnscratch.kernels.blas import at_work

Array = np.ndarray

_LINE = 64  # bytes that the cache of a CPU handles as one
_FORGET = 2000  # requests after which a block that nobody asked for is let go

_blocks: dict[int, list[list]] = {}  # bytes -> [memory, its aligned part, the last request]
_requests = 0
_calls = 0  # that are under way
_lock = threading.Lock()


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array with arbitrary contents, as ``np.empty``, if possible in memory used before.

    It begins with a line of the cache, so that vectors lie in one line and not across two.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    with _lock:
        return _block(size).view(dtype).reshape(shape)


def _block(size: int) -> Array:
    global _requests
    _requests += 1
    for block in _blocks.get(size, ()):
        if sys.getrefcount(block[0]) == _HELD_BY_NOBODY:
            block[2] = _requests
            break
    else:
        block = _new_block(size)
        _blocks.setdefault(size, []).append(block)
    if _requests % (_FORGET // 4) == 0:
        _forget()
    return block[1]


def _new_block(size: int) -> list:
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return [memory, memory[start : start + size], _requests]


def _forget() -> None:
    """Let go of the blocks that were not asked for in a long time."""
    for size, blocks in list(_blocks.items()):
        blocks[:] = [block for block in blocks if block[2] > _requests - _FORGET]
        if not blocks:
            del _blocks[size]


@contextmanager
def one_call() -> Iterator[None]:
    """Within, memory is used again; the end of the outermost lets go of it.

    What a model or a result still holds is theirs, and goes back to the system with them.
    """
    global _calls
    with _lock:
        _calls += 1
    try:
        with at_work():
            yield
    finally:
        with _lock:
            _calls -= 1
            if not _calls:
                _blocks.clear()


_probe = _new_block(1)
_HELD_BY_NOBODY = sys.getrefcount(_probe[0])  # every array made of it adds one

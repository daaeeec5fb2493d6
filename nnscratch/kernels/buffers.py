"""Memory that is used again: a training step asks for arrays of the same sizes thousands of times.

A large array fresh from the system costs a page fault for every 4 KB before a kernel has computed
anything. So the arrays handed out here are remembered, and their memory is handed out again once
nobody else holds them or a view of them. Nobody has to give anything back, and no array changes
under the hands of somebody who kept it.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np
from numpy.typing import DTypeLike

Array = np.ndarray

_SMALL = 1 << 15  # bytes; below this the allocator of the system is as good
_LINE = 64  # bytes that the cache of a CPU handles as one
_FORGET = 2000  # requests after which a block that nobody asked for is let go

_blocks: dict[int, list[list]] = {}  # bytes -> blocks of that size, [memory, last request]
_requests = 0
_lock = threading.Lock()

_probe = [np.empty(1)]
_HELD_BY_NOBODY = sys.getrefcount(_probe[0])  # what an array in a list counts, if nobody holds it


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array with arbitrary contents, as ``np.empty``, if possible in memory used before."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < _SMALL:
        return _aligned(np.empty(size + _LINE, np.uint8), size).view(dtype).reshape(shape)
    with _lock:
        return _aligned(_memory(size + _LINE), size).view(dtype).reshape(shape)


def _aligned(memory: Array, size: int) -> Array:
    """The part that begins with a line of the cache: vectors then lie in one line, not in two."""
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size]


def _memory(size: int) -> Array:
    global _requests
    _requests += 1
    for block in _blocks.setdefault(size, []):
        if sys.getrefcount(block[0]) == _HELD_BY_NOBODY:
            block[1] = _requests
            return block[0]
    _forget()
    _blocks.setdefault(size, []).append([np.empty(size, np.uint8), _requests])
    return _blocks[size][-1][0]


def _forget() -> None:
    """Let go of the blocks that were not asked for in a long time."""
    for size, blocks in list(_blocks.items()):
        blocks[:] = [block for block in blocks if block[1] > _requests - _FORGET]
        if not blocks:
            del _blocks[size]

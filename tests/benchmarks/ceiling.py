"""The ceiling: how many fused multiply-adds this processor does, measured rather than looked up.

One thread is measured, and multiplied by the number of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_features, get_process_triple

from nnscratch.kernels.convolution.vectors import LANES, add, broadcast, fma, store, zeros

ROUNDS = 200_000
CHAINS = 12  # independent sums: more than the latency of an FMA times the FMAs a cycle


@numba.njit
def _chains(a, out):  # type: ignore[no-untyped-def]
    """``CHAINS`` registers, each multiplied and added to ``ROUNDS`` times."""
    x, y = broadcast(a, 0), broadcast(a, 1)
    s0 = s1 = s2 = s3 = s4 = s5 = zeros(a)
    t0 = t1 = t2 = t3 = t4 = t5 = zeros(a)
    for _ in range(ROUNDS):
        s0, s1, s2 = fma(s0, x, y), fma(s1, x, y), fma(s2, x, y)
        s3, s4, s5 = fma(s3, x, y), fma(s4, x, y), fma(s5, x, y)
        t0, t1, t2 = fma(t0, y, x), fma(t1, y, x), fma(t2, y, x)
        t3, t4, t5 = fma(t3, y, x), fma(t4, y, x), fma(t5, y, x)
    s = add(add(add(s0, s1), add(s2, s3)), add(s4, s5))
    t = add(add(add(t0, t1), add(t2, t3)), add(t4, t5))
    store(out, 0, add(s, t))


class Ceiling:
    """Measures GFLOP/s of one thread, in two ways."""

    def __init__(self) -> None:
        lanes = LANES[np.dtype(np.float32)]
        a, out = np.array([0.5, 0.25], np.float32), np.zeros(lanes, np.float32)
        A, B = (np.full((768, 768), 0.5, np.float32) for _ in range(2))
        C = np.empty_like(A)
        self.ways = {
            "registers": (lambda: _chains(a, out), 2.0 * CHAINS * lanes * ROUNDS),
            "sgemm": (lambda: np.matmul(A, B, out=C), 2.0 * 768**3),
        }

    def measure(self, seconds: float = 0.05) -> dict[str, float]:
        """GFLOP/s of each way."""
        return {name: _rate(run, seconds) * flops / 1e9 for name, (run, flops) in self.ways.items()}


def _rate(run: Callable[[], object], seconds: float) -> float:
    """Runs a second."""
    run()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        run()
        count += 1
    return count / (time.perf_counter() - started)


def describe_machine(threads: int) -> str:
    """The machine by what its processor can do: "2 threads, x86-64 with AVX-512"."""
    architecture = get_process_triple().split("-")[0].replace("_", "-")
    features = get_host_cpu_features()
    names = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "neon": "NEON"}
    best = next((label for key, label in names.items() if features.get(key)), "no wide vectors")
    return f"{threads} thread{'s' * (threads != 1)}, {architecture} with {best}"

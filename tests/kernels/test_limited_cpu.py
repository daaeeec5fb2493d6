"""The kernels for CPUs with narrower registers than this one, and with other numbers of threads.

Each child process compiles everything for its CPU once, which takes about a minute, and finds it
in numba's cache from then on.
"""

import json
import os
import platform
import subprocess
import sys

import pytest

AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+sse2,+ssse3,+avx,+avx2,+fma"}
SSE2 = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"}

x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="these registers are those of x86"
)


def agreement(threads, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_CPU", "NNSCR"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.kernels.agreement"],
        env=inherited | {"NUMBA_NUM_THREADS": str(threads)} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert result["threads"] == threads
    assert result["agreed"] == 2 * 80 * (1 if threads == 1 else 2) + 9
    return result["bits"]


@x86
@pytest.mark.parametrize(
    ("cpu", "bits", "threads"), [(AVX2, 256, 4), (SSE2, 128, 1)], ids=["AVX2", "SSE2"]
)
def test_narrower_registers(cpu, bits, threads):
    assert agreement(threads, **cpu) == bits


@pytest.mark.parametrize("threads", [1, 4])
def test_this_cpu(threads):
    assert agreement(threads) in (128, 256, 512)

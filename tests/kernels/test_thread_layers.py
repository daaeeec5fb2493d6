"""Threads of numba that only one Python thread may use, or that are absent; and no compiler."""

import os
import subprocess
import sys

import pytest

STEPS = """
import threading
import numpy as np
from nnscratch.kernels import in_use
from nnscratch.layers import *
from nnscratch.losses import mse
from nnscratch.optimizers import Adam

def train(seed, found):
    model = Sequential(
        [Conv2D(16, 3), ReLU(), MaxPooling2D(2), Conv2D(16, 3), BatchNormalization(), ReLU()],
        (16, 16, 1), seed=seed,
    )
    x = np.random.default_rng(seed).random((64, 16, 16, 1), np.float32)
    optimizer = Adam(1e-3)
    for _ in range({steps}):
        y = model.forward(x, training=True)
        value, dy = mse(y, np.zeros_like(y))
        model.backward(dy)
        optimizer.step(model.params, model.grads)
    found.append((seed, value))
"""
TWO_THREADS = """
together, alone = [], []
threads = [threading.Thread(target=train, args=(seed, together)) for seed in (1, 2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for seed in (1, 2): train(seed, alone)
import numba
print(in_use(), numba.threading_layer(), sorted(together) == alone)
"""
ONE = "train(0, [])\nprint(in_use())"


def run(code, steps, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "NNSCRATCH_KERNELS"}
    return subprocess.run(
        [sys.executable, "-c", STEPS.replace("{steps}", str(steps)) + code],
        env=inherited | {"NUMBA_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
    )


def test_two_python_threads_take_turns_where_numba_cannot_have_both():
    done = run(TWO_THREADS, 40, NUMBA_THREADING_LAYER="workqueue")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["compiled", "workqueue", "True"]


def test_nothing_is_compiled_while_numba_is_told_not_to():
    done = run(ONE, 1, NUMBA_DISABLE_JIT="1")
    assert done.stdout.split() == ["reference"], done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert "slow kernels in plain NumPy are used: numba compiles nothing while" in warning
    assert "NUMBA_DISABLE_JIT" in warning


@pytest.mark.parametrize("layer", ["none-such", "tbb"])
def test_threads_that_are_not_there(layer):
    done = run(ONE, 1, NUMBA_THREADING_LAYER=layer)
    if layer == "tbb" and done.returncode == 0:
        pytest.skip("there is a tbb")
    last = done.stderr.split("RuntimeError: ")[-1]
    assert last.startswith("the compiled kernels have no threads: NUMBA_THREADING_LAYER is"), last
    assert f'"{layer}", which numba cannot load here. Unset' in last

"""Threads: how many compute, that BLAS keeps out of their way, and that no bit depends on them."""

import json
import os
import subprocess
import sys

import pytest

from nnscratch import set_num_threads

# Steps of two models, one a thread's work in blocks of samples, one in blocks of numbers.
STEPS = """
import hashlib
import sys

import numpy as np

from nnscratch import set_num_threads
from nnscratch.layers import *
from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.training import fit

set_num_threads(int(sys.argv[1]))
rng = np.random.default_rng(0)
x = rng.random((53, 16, 16, 1), np.float32)  # batches of 32 and 21
encoder = [Conv2D(16, 3), ReLU(), MaxPooling2D(2), Conv2D(16, 3), ReLU(), MaxPooling2D(2)]
decoder = [
    *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),
    *(Conv2DTranspose(16, 4, 2), ReLU(), Conv2DTranspose(1, 3)),
]
images = Autoencoder(Sequential(encoder, (16, 16, 1)), Sequential(decoder, (4, 4, 16)))
vectors = Sequential(
    [Conv2D(7, 3, 2), BatchNormalization(), LeakyReLU(0.1), Flatten(), Dense(300), ReLU(),
     BatchNormalization(), Dense(256), Reshape((16, 16, 1))],
    (16, 16, 1),
)
digest = hashlib.sha256()
for model in images, vectors:
    losses = fit(model, x, x, loss=mse, optimizer=Adam(1e-3), epochs=10, batch_size=32,
                 progress=False).loss
    assert losses[-1] < losses[0]
    for name, array in (model.params | model.state).items():
        digest.update(name.encode() + array.tobytes())
print(digest.hexdigest())
"""


def run(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env=os.environ | {"NUMBA_NUM_THREADS": "4"} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_bit_depends_on_the_number_of_threads_or_on_the_run():
    """20 Adam steps of each model; all processes are new."""
    digests = [run(STEPS, threads, NNSCRATCH_KERNELS="compiled") for threads in (1, 2, 4, 2)]
    assert len(digests[0]) == 64
    assert len(set(digests)) == 1, digests


THREADS = """
import json
import numpy as np
from threadpoolctl import threadpool_info
import nnscratch
from nnscratch.layers import Layer, Sequential

def blas():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

class Watching(Layer):
    def forward(self, x, training=False):
        seen.append(blas())
        return x

    def backward(self, dy):
        seen.append(blas())
        return dy

np.ones((4, 4)) @ np.ones((4, 4))
seen = [blas()]
model, x = Sequential([Watching()], (4,)), np.ones((1, 4), np.float32)
model.backward(model.forward(x))
nnscratch.set_num_threads(1)
seen.append(blas())
nnscratch.use_kernels("reference")
model.forward(x)
nnscratch.set_num_threads(1)
seen.append(blas())
import numba
seen.append([numba.get_num_threads()])
print(json.dumps(seen))
"""


def test_blas_has_one_thread_while_steps_run_and_no_longer():
    first, *later, threads = json.loads(run(THREADS, OPENBLAS_NUM_THREADS="2"))
    assert first, "NumPy has no BLAS that threadpoolctl knows"
    assert set(first) == {2}
    assert [set(pools) for pools in later] == [{1}, {1}, {2}, {2}, {1}]
    assert threads == [1]


MORE = """
import numpy as np
import nnscratch
nnscratch.set_num_threads(np.int64(2))
try:
    nnscratch.set_num_threads(3)
except ValueError as error:
    print(error)
"""


def test_more_threads_than_there_are():
    message = run(MORE, NUMBA_NUM_THREADS="2", NNSCRATCH_KERNELS="compiled")
    assert message.startswith("set_num_threads: 3 threads are wanted but at most 2 can be had")
    assert "NUMBA_NUM_THREADS" in message


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None, True])
def test_impossible_numbers(n):
    with pytest.raises(ValueError, match=r"set_num_threads: n is .*; it must be a positive int"):
        set_num_threads(n)

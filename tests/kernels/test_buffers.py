"""Memory that is used again: never while anybody holds it."""

import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch import kernels
from nnscratch.kernels import buffers
from nnscratch.kernels.buffers import empty
from nnscratch.layers.wanted import parameter_gradients_only
from nnscratch.losses import mse
from nnscratch.optimizers import SGD
from nnscratch.training import evaluate, fit, predict
from tests.benchmarks.nets import TrainingStep, autoencoder
from tests.layers.helpers import many_shapes

dtypes = st.sampled_from([np.float32, np.float64, np.uint8, np.int64])
shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No blocks of other tests."""
    monkeypatch.setattr(buffers, "_blocks", {})


def place(array):
    return array.__array_interface__["data"][0]


@many_shapes
@given(shapes, dtypes)
def test_shape_dtype_and_place(shape, dtype):
    a, b = empty(shape, dtype), empty(shape, np.dtype(dtype))
    for array in (a, b):
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.carray
        assert array.size == 0 or place(array) % 64 == 0
    a.fill(1)
    b.fill(2)
    assert (a == 1).all()
    assert (b == 2).all()
    assert not np.shares_memory(a, b)


def test_memory_is_used_again_when_nobody_holds_it():
    a = empty((5, 7), np.float32)
    before = place(a)
    del a
    b = empty((7, 5), np.float32)  # as many bytes
    assert place(b) == before
    del b
    assert place(empty((35,), np.int32)) == before


def test_no_more_memory_than_is_held_at_once():
    held = [empty((100,), np.float64) for _ in range(4)]
    places = {place(a) for a in held}
    assert len(places) == 4
    del held
    a = b = None
    for _ in range(50):  # two of the last round are still held
        a, b = empty((100,), np.float64), empty((10, 10), np.float64)
        assert {place(a), place(b)} <= places


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a.reshape(-1),
        lambda a: a[1:, ::2],
        lambda a: a.T,
        lambda a: a.transpose(2, 0, 1)[0],
        lambda a: a.reshape(6, 4)[:, 1:].T,
        lambda a: a.view(np.uint8),
        lambda a: a[0, 0, 0:1],
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=0),
        lambda a: np.broadcast_to(a, (3, *a.shape)),
        lambda a: np.asarray(a),
        lambda a: memoryview(a),
        lambda a: np.frombuffer(a, np.float32),
        lambda a: iter(a),
        lambda a: [a],
    ],
)
def test_memory_is_not_used_again_while_a_view_is_alive(view):
    a = empty((2, 3, 4), np.float32)
    before = place(a)
    kept = view(a)
    del a
    others = [empty((2, 3, 4), np.float32) for _ in range(3)]
    assert before not in [place(other) for other in others]
    del kept, others
    again = [empty((2, 3, 4), np.float32) for _ in range(4)]
    assert before in [place(other) for other in again]


def test_arrays_of_no_numbers():
    a, b = empty((0, 3), np.float32), empty((4, 0, 2), np.float64)
    assert (a.shape, b.shape) == ((0, 3), (4, 0, 2))
    assert (a.sum(), b.sum()) == (0, 0)
    assert empty((), np.float64).shape == ()


def requests(n, size=1):
    for _ in range(n):
        empty((size,), np.uint8)


@pytest.mark.parametrize("before", range(5))  # how far the count of requests has got
def test_blocks_nobody_asks_for_are_let_go(before, monkeypatch):
    monkeypatch.setattr(buffers, "_FORGET", 20)
    monkeypatch.setattr(buffers, "_requests", before)
    old, held, in_use = (empty((n,), np.float64) for n in (1000, 1001, 1002))
    memory = weakref.ref(old.base)
    held.fill(5)
    del old, in_use
    for i in range(15):
        requests(1)
        empty((1002,), np.float64)
        assert memory() is not None or i >= 8
    assert memory() is None  # although nothing of a new size was asked for
    assert {8 * 1002, 1} <= buffers._blocks.keys()
    assert not {8 * 1000, 8 * 1001} & buffers._blocks.keys()
    new = [empty((1001,), np.float64) for _ in range(3)]
    for array in new:
        array.fill(6)
    assert (held == 5).all()  # let go does not mean taken away


def test_a_block_that_is_asked_for_again_and_again_stays(monkeypatch):
    monkeypatch.setattr(buffers, "_FORGET", 20)
    memory = weakref.ref(empty((1000,), np.float64).base)
    for _ in range(60):
        requests(1)
        empty((1000,), np.float64)
    assert memory() is not None


def test_threads_never_share():
    """Each writes its number everywhere, gives way to the others, and looks again."""
    wrong, start = [], threading.Barrier(4)

    def work(number):
        start.wait()
        held = []
        for _ in range(10_000):
            held.append(empty((8,), np.float64))
            held[-1].fill(number)
            held = held[-3:]
            if not all((a == number).all() for a in held):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


@pytest.mark.parametrize("everything", [True, False], ids=["with dx", "without dx"])
def test_a_training_step_takes_no_new_memory(everything):
    """But for the small change of Python and NumPy: the smallest image in it has 65 kB.

    A loss of 262 kB, its gradient and twenty images and gradients of up to 4 MB come from memory
    that was used before.
    """
    kernels.use_kernels("compiled")
    kernels.use_fusion(True)
    model = autoencoder()
    x = np.random.default_rng(0).random((64, 32, 32, 1), np.float32)
    step = TrainingStep(model, x, x, mse)

    def steps(n):
        for _ in range(n):
            if everything:
                step()
            else:
                with parameter_gradients_only(model):
                    step()

    steps(5)
    gc.collect()
    tracemalloc.start()
    try:
        steps(1)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        steps(5)
        _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 60_000 + x.nbytes  # the loss may change its copy of the output
    assert after - before < 5_000


def held():
    """Bytes of all blocks that wait to be used again."""
    return sum(block[0].nbytes for blocks in buffers._blocks.values() for block in blocks)


@pytest.mark.parametrize("implementation", ["compiled", "reference"])
def test_nothing_stays_after_a_call(implementation):
    before = kernels.use_kernels(implementation)
    try:
        model = autoencoder()
        x = np.random.default_rng(0).random((6, 32, 32, 1), np.float32)
        predict(model, x, batch_size=3)
        assert held() == 0
        evaluate(model, x, x, mse, batch_size=3)
        assert held() == 0
        fit(model, x, x, loss=mse, optimizer=SGD(1e-3), epochs=1, batch_size=3, progress=False)
        assert held() == 0
    finally:
        kernels.use_kernels(before)


def test_memory_is_used_again_within_a_call():
    with buffers.one_call():
        with buffers.one_call():
            first = place(empty((1234,), np.float64))
        assert held() > 0  # or the system might give the same place again
        assert place(empty((1234,), np.float64)) == first
        kept = empty((1234,), np.float64)
        kept.fill(5)
    assert held() == 0
    memory = weakref.ref(kept.base)
    others = [empty((1234,), np.float64) for _ in range(3)]
    for other in others:
        other.fill(6)
    assert (kept == 5).all()  # it belongs to whom it was given, and goes with them
    del kept
    assert memory() is None


def test_a_call_that_fails_gives_memory_back():
    @buffers.one_call()
    def fail():
        empty((1234,), np.float64)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert held() == 0

"""What really happens to a training run: killed, a full disk, forks, threads, hours of steps."""

import gc
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    ReLU,
    Sequential,
)
from nnscratch.losses import mse
from nnscratch.optimizers import Adam, cosine_decay
from nnscratch.training import fit
from nnscratch.training.checkpoint import load_checkpoint

EPOCHS = 12
only_posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
rng = np.random.default_rng(0)
x = rng.random((60, 8, 8, 1), np.float32)
target = rng.random((60, 3), np.float32)


def make():
    layers = [Conv2D(8, 3), ReLU(), MaxPooling2D(2), Flatten()]
    return Sequential([*layers, BatchNormalization(), Dropout(0.2), Dense(3)], (8, 8, 1))


def train(path=None, epochs=EPOCHS):
    model = make()
    history = fit(
        model, x, target, loss=mse, optimizer=Adam(cosine_decay(0.01, 180)), epochs=epochs,
        batch_size=4, checkpoint=path, progress=False,
    )  # fmt: skip
    return model, history


def in_a_fork(work):
    """The process that does ``work`` in a copy of this one, and leaves without cleaning up."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def ended(pid):
    """How a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def assert_same_runs(path, other):
    """Two checkpoints: everything but the time it took."""
    with np.load(path) as a, np.load(other) as b:
        assert a.files == b.files
        for name in set(a.files) - {"run/seconds"}:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@only_posix
@pytest.mark.filterwarnings("ignore:.*fork")
def test_killed_fifty_times_it_ends_as_if_never_stopped(tmp_path):
    """SIGKILL at random moments, the writing of checkpoints among them; each run goes on."""
    path, whole, chance = tmp_path / "run.npz", tmp_path / "whole.npz", random.Random(0)
    started = time.perf_counter()
    assert ended(in_a_fork(lambda: train(whole))) == 0
    seconds = time.perf_counter() - started
    killed = finished = 0
    while killed < 50 or not finished:
        pid = in_a_fork(lambda: train(path))
        if killed < 50:
            time.sleep(chance.uniform(0, 0.5 * seconds))
            os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        killed += code == -signal.SIGKILL
        if code == 0:
            assert_same_runs(path, whole)
            finished += 1
            for file in tmp_path.glob("run*"):  # and from the beginning again
                file.unlink()


@only_posix
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_disk_that_fills_up_keeps_the_last_good_checkpoint(tmp_path):
    """The size of files is limited for the child, so that its write breaks off in the middle."""
    path = tmp_path / "run.npz"
    train(path, 3)
    good = path.read_bytes()

    def with_little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, len(good) // 2))
        with pytest.raises(OSError, match=r"cannot write the checkpoint .*run\.npz: .*space left"):
            train(path)

    assert ended(in_a_fork(with_little_room)) == 0
    assert path.read_bytes() == good
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith("part")] == []
    assert train(path)[1].loss == train()[1].loss


def test_sigint_ends_a_training_between_two_good_checkpoints(tmp_path):
    """As a process of its own, stopped by a real signal."""
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from tests.test_faults import train
        print("started", flush=True)
        train({str(tmp_path / "run.npz")!r}, 10**6)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        process.stdout.readline()
        while not (tmp_path / "run.npz").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert {p.name for p in tmp_path.iterdir()} <= {"run.npz", "run.previous.npz"}
    done = len(load_checkpoint(tmp_path / "run.npz", make())["loss"])
    assert train(tmp_path / "run.npz", done + 1)[1].loss == train(None, done + 1)[1].loss


@only_posix
@pytest.mark.filterwarnings("ignore:.*fork")
def test_fork_after_use_of_the_kernels():
    """OpenMP's threads do not live on in a child, which must not wait for them."""
    model = make()
    y = model.forward(x)

    def work():
        np.testing.assert_array_equal(model.forward(x), y)
        model.backward(np.ones_like(y))

    children = [in_a_fork(work) for _ in range(3)]
    deadline = time.perf_counter() + 600  # for ever, so to say
    codes = {}
    while len(codes) < 3 and time.perf_counter() < deadline:
        for pid in set(children) - set(codes):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                codes[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    for pid in set(children) - set(codes):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert list(codes.values()) == [0, 0, 0]


def test_kernels_in_two_threads_at_once():
    alone = step()
    results, errors = [], []

    def work():
        try:
            results.extend(step() for _ in range(20))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors
    assert len(results) == 40
    for result in results:
        for array, same in zip(result, alone, strict=True):
            np.testing.assert_array_equal(array, same)


def step():
    """Output and gradients of a fresh model."""
    model = make()
    y = model.forward(x)
    dx = model.backward(np.ones_like(y))
    return [y.copy(), dx.copy(), *(grad.copy() for grad in model.grads.values())]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_two_thousand_steps_leak_neither_memory_nor_files(tmp_path):
    def pages():
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1])

    train(tmp_path / "warm.npz", 20)  # 300 steps
    before, files = pages(), len(os.listdir("/proc/self/fd"))
    train(tmp_path / "run.npz", 2000 // 15 + 1)
    assert pages() <= 1.01 * before
    assert len(os.listdir("/proc/self/fd")) == files

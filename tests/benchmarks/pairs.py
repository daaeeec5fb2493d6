"""Fair comparisons: every side in its own process, one at a time, in turns, and medians.

A processor's speed drifts, and two pools of threads in one process disturb each other. So the
sides take turns within every round, and a ratio is the median over the rounds of the ratio
*within* a round.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.cases import Case

PAUSE = 0.05  # seconds for the threads of the side before to stop spinning
REFERENCE_ROUNDS = 3  # it is slow, and its speed-up needs no second digit


class SideFailedError(RuntimeError):
    """A side could not be built or run; the message says why in one line."""


class Worker:
    """A `worker` process; see there for what it answers."""

    def __init__(self, side: str, case: str, threads: int) -> None:
        names = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"
        # The ceiling is that of one thread; the worker multiplies.
        count = "1" if side == "ceiling" else str(threads)
        environment = {**os.environ, **dict.fromkeys(names, count)}
        environment.pop("NNSCRATCH_KERNELS", None)
        command = [sys.executable, "-m", "tests.benchmarks.worker", side, case, str(threads)]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, env=environment,
        )  # fmt: skip

    def read(self) -> dict:
        """The next line of JSON; other lines (of a compiler, say) are skipped."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        raised = [line for line in lines if "Error" in line and not line.startswith(" ")]
        reason = (raised or lines or ["no message"])[-1]
        raise SideFailedError(f"{reason[:200]} (exit status {self.process.returncode})")

    def ask(self) -> dict:
        """Let it time one chunk."""
        assert self.process.stdin is not None
        time.sleep(PAUSE)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        """End of input, which ends the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@dataclass
class Result:
    """What was measured for one case: a list with an entry a round, for each side."""

    case: Case
    flops: float = 0.0
    ms: dict[str, list[float]] = field(default_factory=dict)
    ceiling: list[float] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def median_ms(self, side: str) -> float | None:
        """Milliseconds an iteration."""
        return median(self.ms[side]) if self.ms.get(side) else None

    def ratio(self, *sides: str) -> float | None:
        """How often ours fits into the time of ``sides``, the fastest of which counts."""
        rivals = [self.ms[side] for side in sides if self.ms.get(side)]
        if not rivals or not self.ms.get("ours"):
            return None
        fastest = min(rivals, key=median)
        return median(theirs / ours for theirs, ours in zip(fastest, self.ms["ours"], strict=False))

    def gflops(self) -> float | None:
        """GFLOP/s of our side."""
        ms = self.median_ms("ours")
        return self.flops / ms / 1e6 if ms and self.flops else None

    def share(self) -> float | None:
        """GFLOP/s as a share of the ceiling, measured in the same rounds."""
        if not self.flops or not self.ceiling or not self.ms.get("ours"):
            return None
        pairs = zip(self.ms["ours"], self.ceiling, strict=True)
        return median(self.flops / ms / 1e6 / ceiling for ms, ceiling in pairs)


def compare(
    case: Case, sides: tuple[str, ...], rounds: int, threads: int, ceiling: Worker | None
) -> Result:
    """Time one case on all sides, in turns."""
    result = Result(case)
    workers: dict[str, Worker] = {}
    try:
        for side in sides:
            workers[side] = Worker(side, case.name, threads)
            _or_fail(result, workers, side)
        for turn in range(rounds):
            if ceiling is not None:
                result.ceiling.append(max(ceiling.ask()["gflops"].values()))
            for side in list(workers):
                if side != "reference" or turn < REFERENCE_ROUNDS:
                    _or_fail(result, workers, side)
    finally:
        for worker in workers.values():
            worker.close()
    return result


def _or_fail(result: Result, workers: dict[str, Worker], side: str) -> None:
    """Start a side, or time it once if it is started; drop it with a reason if that fails."""
    started = side in result.ms
    try:
        answer = workers[side].ask() if started else workers[side].read()
    except (SideFailedError, BrokenPipeError) as error:
        result.failures[side] = str(error)
        result.ms.pop(side, None)
        workers.pop(side).close()
        return
    if started:
        result.ms[side].append(answer["ms"])
    else:
        result.ms[side] = []
        result.flops = result.flops or answer["flops"]


def peak_memory(side: str, threads: int, processes: int = 3) -> tuple[float, float]:
    """MB after imports and at the peak of training, of the process with the lowest peak.

    The first may compile kernels, which takes memory once and not in training.
    """
    found = []
    for _ in range(processes):
        worker = Worker(side, "memory", threads)
        try:
            found.append(worker.read())
        finally:
            worker.close()
    best = min(found, key=lambda usage: usage["peak"])
    return best["imported"], best["peak"]

"""One side of one case in a process of its own: ``python -m tests.benchmarks.worker SIDE CASE N``.

Builds and warms up, says so in a line of JSON, and then waits: for each line it reads, it times a
chunk of iterations and answers with another line. While it waits the other sides have the machine.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

from tests.benchmarks.cases import Work

CHUNK = 0.2  # seconds
WARM_UP = 0.4


def main() -> None:
    """Serve ``side case threads`` from the command line."""
    side, case, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if side == "ceiling":
        serve_ceiling(threads)
        return
    build = builder(side, threads)
    if case == "memory":
        report_memory(build)
        return
    work = build(case)
    chunk = warm_up(work)
    say(ready=True, flops=work.flops)
    for _ in sys.stdin:
        say(ms=1e3 * timed(work.run, chunk))


def builder(side: str, threads: int) -> Callable[[str], Work]:
    """The function that builds a case for ``side``, with the number of threads set."""
    if side in ("ours", "reference"):
        import nnscratch
        from tests.benchmarks import ours

        if side == "reference":
            nnscratch.use_kernels("reference")
        nnscratch.set_num_threads(threads)
        return ours.build
    import torch

    from tests.benchmarks.peers import Peers

    torch.set_num_threads(threads)
    return Peers(channels_last=side != "torch", compiled=side == "torch_compile").build


def warm_up(work: Work) -> int:
    """Run until everything is compiled and in place; returns the iterations of a chunk."""
    if work.warm_up:
        for _ in range(3):
            work.warm_up()
        return 1
    work.run()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < WARM_UP or count < 2:
        work.run()
        count += 1
        if time.perf_counter() - started > 10 * WARM_UP:
            break
    return max(1, round(CHUNK / ((time.perf_counter() - started) / count)))


def timed(run: Callable[[], object], chunk: int) -> float:
    """Seconds an iteration, after one that wakes the threads (if a chunk has many)."""
    if chunk > 1:
        run()
    started = time.perf_counter()
    for _ in range(chunk):
        run()
    return (time.perf_counter() - started) / chunk


def report_memory(build: Callable[[str], Work]) -> None:
    """Peak memory after imports, and after 20 training steps of the autoencoder, in MB."""
    imported = peak_memory()
    work = build("step:autoencoder")
    for _ in range(20):
        work.run()
    say(imported=imported, peak=peak_memory())


def peak_memory() -> float:
    """The largest resident set so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def serve_ceiling(threads: int) -> None:
    """Answer every line with GFLOP/s of all threads."""
    from tests.benchmarks.ceiling import Ceiling, describe_machine

    ceiling = Ceiling()
    ceiling.measure()
    say(ready=True, machine=describe_machine(threads))
    for _ in sys.stdin:
        say(gflops={way: threads * one for way, one in ceiling.measure().items()})


def say(**values: object) -> None:
    """Send a line to the coordinator."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()

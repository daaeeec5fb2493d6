"""Time kernels and whole training steps, beside the reference kernels and PyTorch."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from statistics import median

from nnscratch.streams import run_command
from tests.benchmarks import scaling
from tests.benchmarks.cases import CASES, EPOCHS, SIDES, Case
from tests.benchmarks.pairs import Result, SideFailedError, Worker, compare, peak_memory
from tests.benchmarks.report import HEADER, failures, musts, number, row, table


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=7, help="turns of each side; medians are taken (7)")
    add("--quick", action="store_true", help="one round")
    add("--threads", type=int, default=2, help="of every side (2)")
    add("--only", nargs="+", metavar="NAME", default=[], help="cases whose name begins so")
    add("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="who takes part")
    add("--markdown", action="store_true", help="tables in Markdown")
    add("--list", action="store_true", help="print the names of the cases, and stop")
    add("--epoch", action="store_true", help="instead: whole epochs of exercise 1")
    add("--memory", action="store_true", help="instead: peak memory of training exercise 1")
    add("--scaling", action="store_true", help="instead: cost against batch, side, channels")
    add("--out", type=Path, default=Path("scaling.png"), help="where --scaling draws its plot")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else max(1, options.rounds)
    chosen = ["ours", *(side for side in SIDES if side in options.sides and side != "ours")]
    if importlib.util.find_spec("torch") is None:
        chosen = [side for side in chosen if not side.startswith("torch")]
        log("torch is not installed: nothing to compare with but the reference kernels")
    options.sides = tuple(chosen)
    return options


def log(text: str) -> None:
    """Say what goes on, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def warn_if_busy() -> None:
    """Threads that wait for each other by spinning suffer most from other work."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.7:
        log(f"other programs keep this machine busy (load {load:.1f}): figures will be off")


def main() -> None:
    """Print the tables that were asked for."""
    options = arguments()
    cases = [case for case in CASES if case.name.startswith(tuple(options.only) or "")]
    if options.list:
        print("\n".join(case.name for case in cases))
        return
    warn_if_busy()
    ceiling = Worker("ceiling", "-", options.threads)
    try:
        machine = ceiling.read()["machine"]
        special = {"epoch": epochs, "memory": memory, "scaling": growth}
        asked = [show for name, show in special.items() if getattr(options, name)]
        for show in asked:
            show(options, machine)
        if not asked:
            steps_and_kernels(options, cases, machine, ceiling)
    finally:
        ceiling.close()


def steps_and_kernels(
    options: argparse.Namespace, cases: list[Case], machine: str, ceiling: Worker
) -> None:
    """The main table, and what is required."""
    rates: dict[str, float] = ceiling.ask()["gflops"]
    best = max(rates, key=rates.__getitem__)
    results: list[Result] = []
    for i, case in enumerate(cases, 1):
        log(f"[{i}/{len(cases)}] {case.title}")
        sides = tuple(side for side in options.sides if side in case.sides)
        results.append(compare(case, sides, options.rounds, options.threads, ceiling))
    measured = median(rate for result in results for rate in result.ceiling)
    print(
        f"{machine}; FMA ceiling {measured:.0f} GFLOP/s ({best}); medians of {options.rounds} "
        f"alternating rounds, separate processes; x: their time / ours\n"
    )
    print(table(HEADER, [row(result) for result in results], options.markdown))
    required = musts(results, options.markdown)
    if required and any(side.startswith("torch") for side in options.sides):
        print(f"\n{required}")
    for reason in failures(results):
        print(f"\n- {reason}")


def epochs(options: argparse.Namespace, machine: str) -> None:
    """Whole epochs, in seconds."""
    sides = tuple(side for side in options.sides if side in ("ours", "torch", "torch_cl"))
    rows = []
    for case in EPOCHS:
        log(case.title)
        result = compare(case, sides, 1, options.threads, None)
        times = [result.median_ms(side) for side in sides]
        ratios = [number(result.ratio(side), "x") for side in sides[1:]]
        rows.append([case.title, *(number(ms and ms / 1e3) for ms in times), *ratios])
    header = ["one epoch of exercise 1", *(f"{SIDES[side]}, s" for side in sides)]
    header += [f"x {SIDES[side]}" for side in sides[1:]]
    print(f"{machine}\n\n{table(header, rows, options.markdown)}")


def memory(options: argparse.Namespace, machine: str) -> None:
    """Peak memory, in MB."""
    rows, peaks = [], {}
    for side in options.sides:
        if side not in ("ours", "torch", "torch_cl"):
            continue
        log(f"memory, {SIDES[side]}")
        try:
            imported, peaks[side] = peak_memory(side, options.threads)
        except SideFailedError as error:
            log(f"{SIDES[side]}: {error}")
            continue
        increase = peaks[side] - imported
        share = peaks["ours"] / peaks[side] if "ours" in peaks else None
        rows.append([SIDES[side], *map(number, (imported, increase, peaks[side])), number(share)])
    header = ["training the autoencoder, batch 128", "imports, MB", "training adds, MB"]
    header += ["peak, MB", "ours / this"]
    print(f"{machine}\n\n{table(header, rows, options.markdown)}")


def growth(options: argparse.Namespace, machine: str) -> None:
    """The sweeps over batch, side and channels: a table, and a plot in a file."""
    sides = tuple(side for side in options.sides if side in ("ours", "torch", "torch_cl"))
    found = scaling.run(options.rounds, options.threads, sides, log)
    print(f"{machine}\n\n{scaling.report(found, sides, options.markdown)}")
    scaling.plot(found, sides, machine, options.out)
    log(f"plot: {options.out}")


if __name__ == "__main__":
    run_command(main)

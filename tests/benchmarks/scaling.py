"""How the cost of a convolution grows with batch, image side and channels, ours beside torch's.

The step is that of the autoencoder's inner layers: a 3x3 convolution and ReLU, forward and both
gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.cases import SIDES, Case
from tests.benchmarks.pairs import Result, compare
from tests.benchmarks.report import number, table

BASE = {"batch": 128, "side": 16, "channels": 16}
SWEEPS = {
    "batch": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "side": (8, 16, 24, 32, 48, 64),
    "channels": (8, 16, 32, 64, 128, 256),
}
Found = dict[str, dict[int, Result]]


def run(rounds: int, threads: int, sides: tuple[str, ...], log: Callable[[str], None]) -> Found:
    """All three sweeps: axis -> value -> result."""
    found: Found = {}
    for axis, values in SWEEPS.items():
        found[axis] = {}
        for value in values:
            sizes = {**BASE, axis: value}
            case = Case(f"scaling:{','.join(map(str, sizes.values()))}", f"{axis} {value}")
            log(case.title)
            found[axis][value] = compare(case, sides, rounds, threads, None)
    return found


def report(found: Found, sides: tuple[str, ...], markdown: bool) -> str:
    """The table: milliseconds of each side, and what one sample, pixel or channel costs."""
    rivals = [side for side in sides if side != "ours"]
    header = [
        *("3x3 convolution + ReLU, a step", "ms", "GFLOP/s"),
        *(f"{SIDES[side]}, ms" for side in rivals),
        *(f"x {SIDES[side]}" for side in rivals),
    ]
    rows = [
        [
            result.case.title,
            number(result.median_ms("ours")),
            number(result.gflops()),
            *(number(result.median_ms(side)) for side in rivals),
            *(number(result.ratio(side)) for side in rivals),
        ]
        for results in found.values()
        for result in results.values()
    ]
    return table(header, rows, markdown)


def plot(found: Found, sides: tuple[str, ...], machine: str, path: Path) -> None:
    """Milliseconds against each axis, both logarithmic, with the slope of proportional cost."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(found), figsize=(11, 3.6), layout="constrained")
    for ax, (axis, results) in zip(axes, found.items(), strict=True):
        for side, marker in zip(sides, "osvd", strict=False):
            points = [(value, r.median_ms(side)) for value, r in results.items()]
            points = [(value, ms) for value, ms in points if ms is not None]
            label = "nnscratch" if side == "ours" else f"torch {SIDES[side]}"
            if points:
                ax.loglog(*zip(*points, strict=True), marker=marker, ms=4, label=label)
        _guide(ax, results, power=1 if axis == "batch" else 2)
        ticks = list(results)
        ax.set_xticks(ticks, map(str, ticks), fontsize=7)
        ax.minorticks_off()
        fixed = ", ".join(f"{key} {value}" for key, value in BASE.items() if key != axis)
        ax.set(xlabel=f"{axis} ({fixed})", ylabel="ms a step" if axis == "batch" else "")
        ax.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.suptitle(f"3x3 convolution + ReLU, forward and backward, {machine}", fontsize=10)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _guide(ax: Any, results: dict[int, Result], power: int) -> None:
    """A dotted line of the slope that the count of operations has."""
    largest = max(results)
    ms = results[largest].median_ms("ours")
    if ms:
        ys = [ms * (value / largest) ** power for value in results]
        ax.loglog(list(results), ys, ":", color="0.6", lw=1, label="as the FLOPs")

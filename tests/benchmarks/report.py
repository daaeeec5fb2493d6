"""Tables of results, for a terminal or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.cases import MUSTS, SIDES, Must
from tests.benchmarks.pairs import Result

HEADER = [
    *("", "ms", "GFLOP/s", "of the FMA ceiling", "x reference"),
    *(f"x {SIDES[side]}" for side in ("torch", "torch_cl", "torch_compile")),
]
RIVALS = ("reference", "torch", "torch_cl", "torch_compile")


def number(value: float | None, unit: str = "") -> str:
    """Three digits, or a dash."""
    if value is None:
        return "-"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}{unit}"


def row(result: Result) -> list[str]:
    """The table's line for a case."""
    share = result.share()
    return [
        result.case.title,
        number(result.median_ms("ours")),
        number(result.gflops()),
        "-" if share is None else f"{100 * share:.0f} %",
        *(number(result.ratio(side)) for side in RIVALS),
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """Columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded)

    lines = [line(header), *map(line, rows)]
    if markdown:
        lines.insert(1, f"| :{'-' * (widths[0] - 1)} |" + "".join(
            f" {'-' * (width - 1)}: |" for width in widths[1:]
        ))  # fmt: skip
    return "\n".join(lines)


def failures(results: Sequence[Result]) -> list[str]:
    """Why there are dashes."""
    return [
        f"{result.case.name}, {SIDES[side]}: {reason}"
        for result in results
        for side, reason in result.failures.items()
    ]


def musts(results: Sequence[Result], markdown: bool) -> str:
    """What is required of the measured cases, and whether it is met; "" if of none of them."""
    by_name = {result.case.name: result for result in results}
    rows = [
        must_row(by_name[name], must) for must in MUSTS for name in must.cases if name in by_name
    ]
    header = ["required: torch's time / ours", "measured", "must", "aim", "", "against"]
    return table(header, rows, markdown) if rows else ""


def must_row(result: Result, must: Must) -> list[str]:
    """One requirement and one case."""
    ratio = result.ratio(*must.against)
    verdict = "-" if ratio is None else "yes" if ratio >= must.least else "NO"
    against = " or ".join(SIDES[side] for side in must.against)
    measured = number(ratio, "x")
    return [result.case.title, measured, f"{must.least}x", f"{must.aim}x", verdict, against]

"""``python -m nnscratch.gradcheck [layer]``: check everything, or one layer, and print a table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nnscratch.gradcheck.cases import CASES, Case
from nnscratch.gradcheck.differences import GROUP, SMALL
from nnscratch.gradcheck.report import Report
from nnscratch.kernels import use_kernels
from nnscratch.streams import run_command

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
ROW = "{:<21}{:<66}{:>8}{:>10}{:>7}{:>7}  {}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 0 if all is well, 1 if something failed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(
        prog="python -m nnscratch.gradcheck",
        description="Compare every backward pass with central differences.",
    )
    parser.add_argument("layer", nargs="?", help="only this layer, model or loss, such as Conv2D")
    parser.add_argument(
        "--kernels",
        choices=("reference", "compiled"),
        default="reference",
        help="who computes the heavy loops (default: reference, which needs no compiling)",
    )
    options = parser.parse_args(arguments)
    name = options.layer
    cases = [case for case in CASES if name is None or case.layer.lower() == name.lower()]
    if not cases:
        known = ", ".join(sorted({case.layer for case in CASES}, key=str.lower))
        print(f"there are no cases for {name!r}; known are {known}.", file=sys.stderr)
        return 2
    before = use_kernels(options.kernels)
    try:
        return print_table(cases)
    finally:
        use_kernels(before)


def print_table(cases: Sequence[Case]) -> int:
    """Check the cases, print a line for each, then the diagnosis of those that failed."""
    print(ROW.format("layer", "configuration", "worst", "elements", "kinks", "zeros", "verdict"))
    failed: list[Report] = []
    for case in cases:
        report = case.check()
        if not report.ok:
            failed.append(report)
        verdict = _coloured("ok", GREEN) if report.ok else _coloured("FAILED", RED)
        zeros = f"{100 * report.zero_share:.0f} %"
        numbers = (f"{report.worst:.1e}", report.elements, report.kinks, zeros, verdict)
        print(ROW.format(case.layer, case.configuration, *numbers), flush=True)
    print(
        "\nworst: largest relative error, allowed 1e-7 (1e-5 with kinks). elements: entries of "
        "input and parameters,\ncompared one by one or, in arrays of more than "
        f"{SMALL}, in groups of about {GROUP}. kinks: entries left out because\n"
        "a ReLU or a maximum switches within the step. zeros: compared entries whose gradient is "
        "0, claimed\nand measured; an array of nothing else fails, unless it can have no effect."
    )
    for report in failed:
        print(f"\n{report}")
    print(f"\n{len(cases) - len(failed)} of {len(cases)} cases passed.")
    return 1 if failed else 0


def _coloured(word: str, colour: str) -> str:
    """In a terminal, unless ``NO_COLOR`` is set (see https://no-color.org)."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"{colour}{word}{PLAIN}" if wanted else word


if __name__ == "__main__":
    run_command(main)

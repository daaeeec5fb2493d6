"""``python -m nnscratch.gradcheck [layer]``: check everything, or one layer, and print a table.

``python -m nnscratch.gradcheck my_file.py:MyLayer --input 8,8,3`` checks a class of one's own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nnscratch.gradcheck.cases import CASES, Case
from nnscratch.gradcheck.differences import GROUP, SMALL
from nnscratch.gradcheck.from_file import is_target
from nnscratch.gradcheck.own_layer import check_own
from nnscratch.gradcheck.report import Report
from nnscratch.kernels import use_kernels
from nnscratch.layers.geometry import check_shape
from nnscratch.streams import run_command

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
ROW = "{:<21}{:<66}{:>8}{:>10}{:>7}{:>7}  {}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or the report on a class of one's own.

    Returns 0 if all is well, 1 if something failed, and 2 for an unknown name.
    """
    parser = argparse.ArgumentParser(
        prog="python -m nnscratch.gradcheck",
        description="Compare every backward pass with central differences.",
    )
    parser.add_argument(
        "layer",
        nargs="?",
        help="only this layer, model or loss, such as Conv2D; or a class of your own, such as "
        "my_file.py:MyLayer or 'my_file.py:MyLayer(4, rate=0.5)'",
    )
    group = parser.add_argument_group("for a class of your own")
    group.add_argument("--input", type=_shape, help="shape of one sample, such as 8,8,3")
    group.add_argument("--batch", type=_count, help="number of samples (default: 3)")
    group.add_argument("--seed", type=_seed, help="of parameters, input and dy (default: 0)")
    parser.add_argument(
        "--kernels",
        choices=("reference", "compiled"),
        default="reference",
        help="who computes the heavy loops (default: reference, which needs no compiling)",
    )
    options = parser.parse_args(arguments)
    name = options.layer
    own = name is not None and is_target(name)
    given = {k: v for k in ("batch", "seed") if (v := getattr(options, k)) is not None}
    if own and options.input is None:
        parser.error("say the shape of one sample, without the batch axis: --input 8,8,3")
    if not own and (given or options.input is not None):
        parser.error("--input, --batch and --seed go with a class of your own: my_file.py:MyLayer")
    cases = [case for case in CASES if name is None or case.layer.lower() == name.lower()]
    if not own and not cases:
        known = ", ".join(sorted({case.layer for case in CASES}, key=str.lower))
        print(f"there are no cases for {name!r}; known are {known}.", file=sys.stderr)
        return 2
    before = use_kernels(options.kernels)
    try:
        return check_own(name, options.input, **given) if own else print_table(cases)
    finally:
        use_kernels(before)


def _shape(text: str) -> tuple[int, ...]:
    try:
        return check_shape([int(n) for n in text.split(",")])
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape of a sample; write positive ints such as 8,8,3, or 7"
        ) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of samples; write an int >= 1")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; write an int >= 0")
    return int(text)


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

"""Plant every mistake in a copy of the library and see whether the tests find it.

``python -m tests.mutation`` prints a table of who found what and fails if a mistake survives.
"""

from __future__ import annotations

import argparse
import importlib
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nnscratch.streams import run_command
from tests.mutation.mutants import Mutant

CHECKOUT = Path(__file__).parents[2]
LISTS = sorted(path.stem for path in Path(__file__).parent.glob("in_*.py"))
MUTANTS = [m for name in LISTS for m in importlib.import_module(f"tests.mutation.{name}").MUTANTS]
PARTS = ("nnscratch", "exercises", "tests", "setup.cfg", "README.md")
SECONDS = 600  # a mistake that makes a test run for longer is found, too


def copy_of_the_checkout(folder: Path) -> Path:
    """With compiled kernels but without bytecode, which Python would not notice to be outdated."""
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_file():
            shutil.copy2(source, folder)
        else:
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.pyc"))
    return folder


def run_tests(folder: Path, tests: str) -> tuple[int, str]:
    """The exit code of pytest, and the first test that failed."""
    places = [f"tests/{place}" for place in tests.split()]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NNSCRATCH_")}
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "-p", "no:cacheprovider", *places],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 1, f"still running after {SECONDS} s"
    failed = re.search(r"^(?:FAILED|ERROR) tests/(\S+)", result.stdout, re.MULTILINE)
    return result.returncode, failed[1] if failed else result.stdout[-300:] + result.stderr[-300:]


def try_out(mutant: Mutant, folder: Path) -> tuple[int, str]:
    """Plant the mistake, run the tests, take it out again."""
    file = folder / mutant.path
    text, times = file.read_text(encoding="utf-8"), file.stat()
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return run_tests(folder, mutant.tests)
    finally:
        file.write_text(text, encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # or all is compiled anew


def one_line(text: str, width: int = 44) -> str:
    """``text`` as it fits into a column."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="files whose name contains this")
    parser.add_argument("--jobs", type=int, default=2, help="at once (2)")
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if options.only in m.file]
    survivors = 0
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(options.jobs) as pool:
        free: queue.Queue[Path] = queue.Queue()
        for job in range(options.jobs):
            folder = Path(root) / str(job)
            folder.mkdir()
            free.put(copy_of_the_checkout(folder))

        def work(mutant: Mutant) -> tuple[int, str, float]:
            folder, started = free.get(), time.perf_counter()
            try:
                return *try_out(mutant, folder), time.perf_counter() - started
            finally:
                free.put(folder)

        everything = " ".join(sorted({test for m in chosen for test in m.tests.split()}))
        code, failed = run_tests(Path(root) / "0", everything)
        if code != 0:
            sys.exit(f"the tests fail without any mistake: {failed}")
        print(f"{'file':<32} {'text':<44} {'replaced by':<44} {'s':>4}  found by")
        for mutant, (code, who, seconds) in zip(chosen, pool.map(work, chosen), strict=True):
            survived = code != 1
            survivors += survived
            print(
                f"{mutant.file:<32} {one_line(mutant.old):<44} {one_line(mutant.new):<44} "
                f"{seconds:4.0f}  {'SURVIVED' if code == 0 else ''}{who if code else ''}",
                flush=True,
            )
    print(f"{len(chosen) - survivors} of {len(chosen)} mistakes found")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    run_command(main)

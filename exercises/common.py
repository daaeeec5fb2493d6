"""What every exercise script shares: its flags, its data, and how it publishes a figure."""

from __future__ import annotations

import _thread
import argparse
import functools
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from nnscratch import datasets
from nnscratch.files import check_writable, written_whole
from nnscratch.plotting import save_figure
from nnscratch.streams import run_command

Array = np.ndarray


@dataclass(frozen=True)
class Settings:
    """The common flags; see ``--help``."""

    data: str = "auto"
    epochs: int | None = None
    seed: int = 0
    out: Path = Path("figures")
    quick: bool = False


@dataclass
class Page:
    """One figure with everything that is said about it; becomes a PNG and a JSON file.

    Attributes
    ----------
    name : str
        File name without ending.
    title, caption : str
        What the figure is, and how to read it.
    theirs : str
        What the report printed at this place.
    stamp : str
        Data, seed and training, as written into the figure's lower edge.
    numbers : dict
        Every measured number, by name, with units in the name or the caption.
    answers : list of (question, answer)
        The report's questions, answered by a measurement.
    """

    name: str
    title: str
    caption: str
    theirs: str
    stamp: str
    numbers: dict[str, Any]
    answers: list[tuple[str, str]] = field(default_factory=list)


def publish(settings: Settings, page: Page, figure: Figure, started: float) -> None:
    """Write ``page`` to the output folder and say so; ``started`` is a `time.perf_counter`."""
    path = settings.out / f"{page.name}.png"
    save_figure(figure, path, page.stamp)
    chosen = {key: value for key, value in asdict(settings).items() if key != "out"}
    record = asdict(page) | {
        "settings": chosen,
        "runtime_seconds": round(time.perf_counter() - started, 1),
    }
    text = json.dumps(_plain(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path.with_suffix(".json"), text + "\n")
    print(f"  {path}: {page.title}", flush=True)
    for question, answer in page.answers:
        print(f"    {question}\n      {answer}", flush=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """As JSON has it: no NumPy numbers and arrays, and None for a number that is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def mnist32(settings: Settings) -> datasets.Dataset:
    """MNIST at 32 x 32, as in the 5LSL0 exercises."""
    return _images("MNIST at 32 x 32", settings.data, settings.quick)


def mnist28(settings: Settings) -> datasets.Dataset:
    """MNIST at its own size."""
    return _images("MNIST", settings.data, settings.quick)


def fashion(settings: Settings) -> datasets.Dataset:
    """Fashion-MNIST."""
    return _images("Fashion-MNIST", settings.data, settings.quick)


@functools.lru_cache(maxsize=2)  # no script needs more at once, and each has up to 280 MB
def _images(name: str, source: str, quick: bool) -> datasets.Dataset:
    """All the images, or a handful for ``--quick``."""
    if name == "Fashion-MNIST":
        data = datasets.fashion_mnist(data=source)
    else:
        data = datasets.mnist(size=32 if "32" in name else 28, data=source)
    if not quick:
        return data
    return data._replace(
        x_train=data.x_train[:640].copy(),  # or the rest would be kept with them
        y_train=data.y_train[:640].copy(),
        x_test=data.x_test[:200].copy(),
        y_test=data.y_test[:200].copy(),
        source=f"QUICK RUN, 640 + 200 images of: {data.source}",
    )


def ten_digits(data: datasets.Dataset) -> Array:
    """Indices of the test images 0, 1, ..., 9 that the figures show.

    In the official test set these are the ones of the report; elsewhere, the first of each.

    Raises
    ------
    ValueError
        If a digit is missing.
    """
    of_the_report = np.array([10, 14, 1, 18, 19, 15, 11, 17, 61, 12])
    digits = np.arange(10)
    if len(data.y_test) == 10_000 and np.array_equal(data.y_test[of_the_report], digits):
        return of_the_report
    missing = set(digits.tolist()) - set(data.y_test.tolist())
    if missing:
        raise ValueError(
            f"the test images have none of the digits {sorted(missing)}; the figures show one of "
            "each. Take test images with all ten."
        )
    return np.array([int(np.argmax(data.y_test == digit)) for digit in digits])


def to_settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Settings:
    """Check the common flags and make `Settings` of them.

    Raises
    ------
    SystemExit
        With a sentence, if a value makes no sense or the output folder cannot be written to.
    """
    if options.epochs is not None and options.epochs < 1:
        parser.error(f"--epochs is {options.epochs}; it must be at least 1.")
    if options.seed < 0:
        parser.error(f"--seed is {options.seed}; it must not be negative.")
    try:
        check_writable(options.out)
    except OSError as error:
        parser.error(f"--out: {error}")
    return Settings(options.data, options.epochs, options.seed, options.out, options.quick)


def script_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line that all exercises have in common; some add flags of their own."""
    spec = sys.modules["__main__"].__spec__
    command = "python -m " + (spec.name.removesuffix(".__main__") if spec else "exercises")
    parser = argparse.ArgumentParser(
        prog=command,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"example: {command} --data embedded --out trial\n\n"
        "Exit codes: 0, done; 1, bad input or data; 2, a wrong flag; 130, stopped by Ctrl-C.",
    )
    add = parser.add_argument
    add(
        "--data",
        choices=("auto", "embedded", "full"),
        default="auto",
        help="auto: full data if at hand or downloadable, else the embedded images (default: auto)",
    )
    add("--epochs", type=int, help="passes over the data (default: as the report says)")
    add("--seed", type=int, default=0, help="of weights and shuffling (default: 0)")
    add(
        "--out",
        type=Path,
        default=Path("figures"),
        metavar="FOLDER",
        help="where figures, numbers and trained models go (default: figures)",
    )
    add("--quick", action="store_true", help="a smoke test on a few images (default: all images)")
    return parser


def run_as_script(run: Callable[[Settings], None], description: str) -> None:
    """The ``main`` of an exercise script."""

    def main() -> None:
        parser = script_parser(description)
        settings = to_settings(parser, parser.parse_args())
        run_stoppable(lambda: run(settings))

    run_command(main)


def run_stoppable(work: Callable[[], None]) -> None:
    """Run; turn Ctrl-C into a sentence and exit code 130, and bad input into its sentence.

    BLAS gets one thread: these matrices are so small that a second one gains little on an idle
    machine, and on a busy one the waiting for each other takes most of the time.
    """
    try:
        with threadpool_limits(1, "blas"), _no_swallowed_interrupts():
            work()
    except KeyboardInterrupt:
        print(
            "\nStopped. Finished epochs are kept: run the same command again to go on from there.",
            file=sys.stderr,
        )
        sys.exit(130)
    except BrokenPipeError:  # nobody reads the output any more
        raise
    except (ValueError, OSError, FloatingPointError) as error:
        if os.environ.get("NNSCRATCH_TRACEBACK"):
            raise
        print(f"\n{error}\n(NNSCRATCH_TRACEBACK=1 shows where.)", file=sys.stderr)
        sys.exit(1)


@contextmanager
def _no_swallowed_interrupts() -> Iterator[None]:
    """Interrupt again whenever Ctrl-C came at a moment when Python drops exceptions.

    These are callbacks of weak references and destructors, in which drawing spends much time.
    """
    before = sys.unraisablehook

    def again(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            threading.Timer(0.05, _thread.interrupt_main).start()  # by then the callback is over
        else:
            before(dropped)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before

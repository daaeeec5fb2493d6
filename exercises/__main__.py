"""Run every exercise and write the report page: ``python -m exercises``."""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path

from exercises import timing
from exercises.catalogue import EXERCISES, FIGURES, first_line, short_name
from exercises.common import Settings, run_stoppable, script_parser, to_settings
from exercises.explorer import make_explorer
from exercises.memory import peak_in_words
from exercises.report import write_report
from exercises.results import table
from exercises.timing import GALLERY
from nnscratch.streams import run_command

GALLERY_BYTES = 150_000


def run_all(settings: Settings) -> None:
    """Run all exercises and write the page, with an estimate of the time before."""
    which = timing.kind(settings)
    from_nothing = not any((settings.out / "models").glob("*.npz"))
    names = [short_name(module) for module, _ in EXERCISES]
    ms = timing.step_ms() if which else 0.0
    if which:
        expected = timing.in_words(timing.estimate(which, ms, names))
        kept = "" if from_nothing else "; less, where trained models are kept already"
        print(f"{len(names)} exercises, about {expected} on this machine{kept}.", flush=True)
    seconds = {}
    for module, _ in EXERCISES:
        started = time.perf_counter()
        module.run(settings)
        seconds[short_name(module)] = time.perf_counter() - started
    if which and from_nothing:
        timing.keep(settings.out, which, ms, seconds)
    path = write_report(settings.out, EXERCISES, seconds, make_explorer(settings))
    print(f"  {path}: all figures on one page", flush=True)
    print(f"It took {timing.in_words(sum(seconds.values()))}{peak_in_words()}.", flush=True)


def fill_gallery(folder: Path) -> None:
    """Copy the figures, their numbers and the record of times to ``exercises/gallery``.

    Raises
    ------
    ValueError
        If a picture is too large to be committed.
    """
    for name in FIGURES:
        size = (folder / f"{name}.png").stat().st_size
        if size > GALLERY_BYTES:
            raise ValueError(f"{name}.png has {size:,} bytes; the gallery takes {GALLERY_BYTES:,}.")
    GALLERY.mkdir(exist_ok=True)
    for name in FIGURES:
        for ending in (".png", ".json"):
            shutil.copy(folder / f"{name}{ending}", GALLERY)
    for record in folder.glob(timing.file_name("*")):
        shutil.copy(record, GALLERY)
    print(f"  {GALLERY.name}: refreshed with {len(FIGURES)} figures")


def print_list() -> None:
    """Every exercise with what it is about, its figures, and its minutes on the full data."""
    seconds = timing.read("full")["seconds"]
    for module, figures in EXERCISES:
        name = short_name(module)
        print(f"python -m exercises.{name}\n    {first_line(module)}\n    {', '.join(figures)}")
        print(f"    {timing.in_words(seconds[name])} on the full data, as part of the whole")


def main() -> None:
    """The command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument(
        "--table", action="store_true", help="print the table of figures, and run nothing"
    )
    parser.add_argument(
        "--gallery",
        action="store_true",
        help="also refresh exercises/gallery, from a run on the full data",
    )
    options = parser.parse_args()
    if options.list or options.table:
        run_stoppable(print_list if options.list else lambda: print(table()))
        return
    settings = to_settings(parser, options)
    if options.gallery:
        settings = _for_the_gallery(parser, settings)

    def work() -> None:
        run_all(settings)
        if options.gallery:
            fill_gallery(settings.out)

    run_stoppable(work)


def _for_the_gallery(parser: argparse.ArgumentParser, settings: Settings) -> Settings:
    if settings != Settings(data=settings.data, out=settings.out) or settings.data == "embedded":
        parser.error("--gallery shows the default run on the full data; give only --out.")
    return replace(settings, data="full")


if __name__ == "__main__":
    run_command(main)

"""How the kernels are compiled, and where the result is kept.

Numba compiles a kernel when it is first called with some type of numbers, and keeps the machine
code in a folder. By itself it compiles anew after any change of the kernel's file, a comment
included, and overlooks the functions that the kernel calls from other files. So here the folder
carries a digest of what all files next to this one mean: somebody who changes a line never runs
yesterday's code, and a comment changes nothing.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import caching, event

from nnscratch.meaning import digest_of_files

CONFIG: Any = numba.config
if CONFIG.DISABLE_JIT:
    raise ImportError("numba compiles nothing while NUMBA_DISABLE_JIT is set; unset it.")

HERE = Path(__file__).parent
CALLERS = {"planner.py", "twins.py", "__main__.py"}  # nothing in these is compiled
SECONDS = 40  # to compile everything for one type of numbers, on two cores of 2023


def _folder() -> Path | None:
    """The first place that only this user can write to, or None."""
    files = [file for file in HERE.rglob("*.py") if file.name not in CALLERS]
    name = f"compiled-{digest_of_files(files)[:12]}"
    for place in _places():
        folder = place / name
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            folder = folder.resolve()  # what is checked is what is used
            if _only_ours(folder):
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError:
            continue
    return None


def _places() -> Iterator[Path]:
    if CONFIG.CACHE_DIR:  # the environment variable NUMBA_CACHE_DIR
        yield Path(CONFIG.CACHE_DIR)
    else:
        yield HERE / "__pycache__"
        home = os.path.expanduser("~")
        if home != "~":  # a user who is only a number, as in some containers, has none
            yield Path(home) / ".cache/nnscratch"
    with contextlib.suppress(FileNotFoundError):  # no folder for temporary files
        user = os.geteuid() if hasattr(os, "geteuid") else getpass.getuser()
        yield Path(tempfile.gettempdir()) / f"nnscratch-{user}"


def _only_ours(folder: Path) -> bool:
    """Whether nobody else can put machine code there, by writing it or by moving folders about.

    Who may write to any of the folders around it could move it away and leave another in its
    place, between this check and the loading. In a sticky folder, such as /tmp, nobody may move
    what is another's.
    """
    if not hasattr(os, "geteuid"):
        return True
    own = folder.stat()
    if own.st_uid != os.geteuid() or own.st_mode & 0o077:
        return False
    around = [place.stat() for place in folder.parents]
    # Whoever owns "/" can change everything; in some containers, that is not user 0.
    trusted = {0, os.geteuid(), around[-1].st_uid}
    return all(place.st_uid in trusted and _keeps_others_out(place) for place in around)


def _keeps_others_out(place: os.stat_result) -> bool:
    # Many systems give each user a group of their own, with the same number, that may write.
    others = 0o002 if place.st_gid == place.st_uid else 0o022
    return not place.st_mode & others or bool(place.st_mode & stat.S_ISVTX)


FOLDER = _folder()


def serial(function: Callable, **options: Any) -> Callable:
    """A kernel: compiled when first called, and kept."""
    kernel = numba.njit(error_model="numpy", nogil=True, **options)(function)
    if FOLDER is not None:
        kernel._cache = _Kept(function)
    return kernel


class _KeptByName(caching.CompileResultCacheImpl):
    """Machine code is found by the name of its function; `FOLDER` holds no other version of it."""

    def __init__(self, function: Callable) -> None:
        self._locator, self._py_file, self._lineno = self, function.__code__.co_filename, 0
        version = f"{sys.version_info[0]}{sys.version_info[1]}"
        module = function.__module__.removeprefix(f"{__package__}.")
        self._filename_base = f"{module}.{function.__qualname__}.py{version}"

    def get_cache_path(self) -> str:
        return str(FOLDER)

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(mode=0o700, exist_ok=True)

    def get_source_stamp(self) -> int:
        return 0


class _Kept(caching.FunctionCache):
    _impl_class = _KeptByName


def parallel(function: Callable) -> Callable:
    """A kernel whose ``prange`` loops are shared among the threads, called from Python only."""
    kernel = serial(function, parallel=True)

    @functools.wraps(function)
    def launched(*arguments: Any) -> Any:
        # Numba ends a process in which two Python threads start a parallel kernel at the same time,
        # if its threads are of the kind "workqueue".
        if _threads_take_turns():
            with _one_by_one:
                return kernel(*arguments)
        return kernel(*arguments)

    return launched


def num_threads() -> int:
    """How many threads compute; the first call starts them.

    Raises
    ------
    RuntimeError
        If the kind of threads that NUMBA_THREADING_LAYER asks for is not to be had.
    """
    try:
        return _started_threads() and numba.get_num_threads()
    except ValueError as error:
        raise RuntimeError(
            f"the compiled kernels have no threads: NUMBA_THREADING_LAYER is "
            f'"{CONFIG.THREADING_LAYER}", which numba cannot load here. Unset that environment '
            f'variable or set it to "workqueue", which is always there. ({error})'
        ) from error


@functools.cache
def _started_threads() -> bool:
    """Threads that wait for work spin for some 20 us and then sleep.

    Spinning for longer, GNU OpenMP's habit, makes a step twenty times slower if another program
    wants one of the cores. It reads this variable when it is loaded, and nobody else shall see it.
    """
    ours = not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if ours:
        os.environ["GOMP_SPINCOUNT"] = "10000"
    try:
        numba.get_num_threads()
    finally:
        if ours:
            del os.environ["GOMP_SPINCOUNT"]
    return True


_one_by_one = threading.Lock()


@functools.cache
def _threads_take_turns() -> bool:
    num_threads()
    return numba.threading_layer() == "workqueue"


def _new_lock() -> None:
    global _one_by_one
    _one_by_one = threading.Lock()


if hasattr(os, "register_at_fork"):  # another thread may hold it, which the child does not have
    os.register_at_fork(after_in_child=_new_lock)


def part(function: Callable) -> Callable:
    """Part of a kernel: compiled with whatever calls it."""
    only_here: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(error_model="numpy", **only_here)(function)


def inline(function: Callable) -> Callable:
    """The same, without a call: for functions so short that a call would cost as much."""
    return numba.njit(error_model="numpy", forceinline=True)(function)


def threads_die_in_a_fork() -> bool:
    """Whether threads are at work that a fork of this process would be ended for asking for.

    Numba's own threads and Intel's live on, GNU's, which is OpenMP on Linux, do not.
    """
    try:
        return numba.threading_layer() == "omp" and sys.platform.startswith("linux")
    except ValueError:  # no parallel kernel has run yet
        return False


class _OwnCompilation(event.Listener):
    """Does what has to be done around the compilation of a function of this package.

    Says, once, why the first call takes long. And has LLVM optimise at level 2 only: level 3, which
    numba asks for, takes a quarter longer, and what it gains in the convolution of a one-channel
    image, about a tenth, is lost in the noise of a whole training step.
    """

    said = False

    def __init__(self) -> None:
        self.levels: list[Any] = []

    def on_start(self, event: event.Event) -> None:
        self.levels.append(CONFIG.OPT)
        function = event.data["dispatcher"].py_func
        if not function.__module__.startswith(__package__):
            return
        if "NUMBA_OPT" not in os.environ:
            CONFIG.OPT = type(CONFIG.OPT)(2)
        if not self.said:
            self.said = True
            once = "once" if FOLDER else "each time, as no folder is yours alone to write to"
            line = f"compiling its kernels, {once}, about {SECONDS} s in all for a type of numbers"
            if sys.stderr is not None:
                print(f"nnscratch: {line}", file=sys.stderr, flush=True)

    def on_end(self, event: event.Event) -> None:
        CONFIG.OPT = self.levels.pop()


OWN = _OwnCompilation()
event.register("numba:compile", OWN)

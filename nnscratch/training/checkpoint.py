"""Checkpoints: everything a training run needs to go on, in one .npz file.

A file holds four groups of arrays, ``params/``, ``state/``, ``optimizer/`` and ``run/``, and no
Python object: pickle is neither written nor read. It is written beside its final name and renamed,
so that a crash leaves either the old checkpoint or the new one.
"""

from __future__ import annotations

import math
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from nnscratch.files import written_whole
from nnscratch.layers.base import Layer
from nnscratch.optimizers import Optimizer

Array = np.ndarray


BEST = "best/"  # before the names of the best weights, in the group ``run``


class DamagedCheckpointError(ValueError):
    """The file is not a whole checkpoint."""


def previous(path: str | Path) -> Path:
    """Where the checkpoint that was at ``path`` before the latest one is kept."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def save_checkpoint(
    path: str | Path,
    model: Layer,
    optimizer: Optimizer | None = None,
    run: Mapping[str, Array] | None = None,
) -> None:
    """Write a model and, if given, its optimiser and the arrays of ``run`` to ``path``.

    What was there before is kept beside it, see `previous`.

    Raises
    ------
    ValueError
        If the optimiser moves other parameters than the model's, such as those of a part of it.
    OSError
        If the folder cannot be written to; an older file of that name is then untouched.
    """
    path = Path(path)
    if optimizer is not None:
        optimizer.check_owner(model.params)
    groups: dict[str, Mapping[str, Array]] = {"params": model.params, "state": model.state}
    groups["optimizer"] = {} if optimizer is None else optimizer.state
    groups["run"] = run or {}
    arrays = {f"{group}/{key}": a for group, part in groups.items() for key, a in part.items()}
    try:
        with written_whole(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            if path.exists():
                _keep(path)
    except OSError as error:
        raise OSError(
            f"cannot write the checkpoint {path}: {error}. Give a folder that you may write to, "
            "on a disk with space left."
        ) from error


def _keep(path: Path) -> None:
    with written_whole(previous(path)) as beside:
        try:
            os.link(path, beside)
        except OSError:  # no hard links on this file system
            shutil.copyfile(path, beside)


def load_checkpoint(
    path: str | Path,
    model: Layer,
    optimizer: Optimizer | None = None,
    check_run: Callable[[dict[str, Array]], None] | None = None,
) -> dict[str, Array]:
    """Read ``path`` into ``model`` and ``optimizer``, in place, and return the arrays of ``run``.

    Training with ``patience`` keeps the best weights beside the latest. With an optimiser, which
    goes on from the latest, these are read; without one, for use, the best. Nothing is changed
    unless the whole file is good and fits, and ``check_run``, called with the arrays of ``run``,
    raises nothing.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    DamagedCheckpointError
        If the file is not a whole checkpoint. No more memory is taken than the file has bytes.
    ValueError
        If it is of a model with other parameters, or of another optimiser or run; the sentence
        names the first difference.
    """
    groups = _read(Path(path))
    for group, arrays in (("params", model.params), ("state", model.state)):
        _check_fit(path, groups[group], arrays)
    if optimizer is not None:
        _check_optimizer(path, groups["optimizer"], optimizer, model.params)
    if check_run is not None:
        check_run(groups["run"])
    best = below(BEST, groups["run"]) if optimizer is None else {}
    if best:
        _check_fit(path, best, learnt(model))
    for group, arrays in (("params", model.params), ("state", model.state)):
        for key, array in arrays.items():
            array[...] = best.get(key, groups[group][key])
    if optimizer is not None:
        optimizer.load_state(groups["optimizer"], model.params)
    return groups["run"]


def learnt(model: Layer) -> dict[str, Array]:
    """Parameters and running statistics: what makes one epoch better than another.

    The counters of random draws are left out, which are integers. Whoever goes back to the best
    weights and trains on must not see the same noise again.
    """
    arrays = {**model.params, **model.state}
    return {key: array for key, array in arrays.items() if array.dtype.kind == "f"}


def below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The entries whose names begin so, without that beginning."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _read(path: Path) -> dict[str, dict[str, Array]]:
    groups: dict[str, dict[str, Array]] = {"params": {}, "state": {}, "optimizer": {}, "run": {}}
    try:
        _check_sizes(path)
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            for name in file.files:
                group, key = name.split("/", 1)
                groups[group][key] = file[name]
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # damaged bytes make the zip and npy readers raise almost anything
        raise DamagedCheckpointError(
            f"{path} is not a whole checkpoint ({error}); it was damaged or is another kind of "
            "file. Delete it to start again."
        ) from error
    return groups


def _check_sizes(path: Path) -> None:
    """Raise a ValueError if an array is said to be larger than the file that it should lie in.

    NumPy takes the memory that the header of an array asks for before it reads the numbers.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError(f"{entry.filename} is of another version of the format")
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if math.prod(shape) * dtype.itemsize > min(entry.file_size, size):
                raise ValueError(f"{entry.filename} claims {shape} numbers, more than there are")


def _check_fit(path: str | Path, saved: dict[str, Array], wanted: dict[str, Array]) -> None:
    advice = "Build the model exactly as it was when the checkpoint was saved."
    for key in [*wanted, *saved]:
        if key not in saved or key not in wanted:
            where = "the model" if key in wanted else "the checkpoint"
            raise ValueError(f"{path} is of another architecture: only {where} has {key}. {advice}")
        a, b = saved[key], wanted[key]
        if a.shape != b.shape or a.dtype != b.dtype:
            raise ValueError(
                f"{path} is of another architecture: {key} is {a.dtype} {a.shape} there and "
                f"{b.dtype} {b.shape} in the model. {advice}"
            )


def _check_optimizer(
    path: str | Path, saved: dict[str, Array], optimizer: Optimizer, params: dict[str, Array]
) -> None:
    if "steps" not in saved:
        raise ValueError(f"{path} holds a model but no optimiser; load it without one.")
    try:
        optimizer.check_state(saved, params)
    except ValueError as error:
        raise ValueError(
            f"{path} is of another optimiser: {error} Use the optimiser of the run that saved it."
        ) from error

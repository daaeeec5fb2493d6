"""Checkpoints: everything a training run needs to go on, in one .npz file.

A file holds four groups of arrays, ``params/``, ``state/``, ``optimizer/`` and ``run/``, and no
Python object: pickle is neither written nor read. It is written beside its final name and renamed,
so that a crash leaves either the old checkpoint or the new one.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from nnscratch.layers.base import Layer
from nnscratch.optimizers import Optimizer

Array = np.ndarray


def save_checkpoint(
    path: str | Path,
    model: Layer,
    optimizer: Optimizer | None = None,
    run: Mapping[str, Array] | None = None,
) -> None:
    """Write a model and, if given, its optimiser and the arrays of ``run`` to ``path``.

    Raises
    ------
    OSError
        If the folder cannot be written to; an older file of that name is then untouched.
    """
    path = Path(path)
    groups: dict[str, Mapping[str, Array]] = {"params": model.params, "state": model.state}
    groups["optimizer"] = {} if optimizer is None else optimizer.state
    groups["run"] = run or {}
    arrays = {f"{group}/{key}": a for group, part in groups.items() for key, a in part.items()}
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise OSError(
            f"cannot write the checkpoint {path}: {error}. Give a folder that you may write to, "
            "on a disk with space left."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def load_checkpoint(
    path: str | Path,
    model: Layer,
    optimizer: Optimizer | None = None,
    check_run: Callable[[dict[str, Array]], None] | None = None,
) -> dict[str, Array]:
    """Read ``path`` into ``model`` and ``optimizer``, in place, and return the arrays of ``run``.

    Nothing is changed unless the whole file is good and fits, and ``check_run``, called with the
    arrays of ``run``, raises nothing.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or is of a model with other parameters; the sentence names the
        first difference.
    """
    groups = _read(Path(path))
    for group, arrays in (("params", model.params), ("state", model.state)):
        _check_fit(path, groups[group], arrays)
    if optimizer is not None and "steps" not in groups["optimizer"]:
        raise ValueError(f"{path} holds a model but no optimiser; load it without one.")
    if check_run is not None:
        check_run(groups["run"])
    for group, arrays in (("params", model.params), ("state", model.state)):
        for key, array in arrays.items():
            array[...] = groups[group][key]
    if optimizer is not None:
        optimizer.state = groups["optimizer"]
    return groups["run"]


def _read(path: Path) -> dict[str, dict[str, Array]]:
    groups: dict[str, dict[str, Array]] = {"params": {}, "state": {}, "optimizer": {}, "run": {}}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                group, key = name.split("/", 1)
                groups[group][key] = file[name]
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, KeyError, OSError, EOFError,
            NotImplementedError, AttributeError, TypeError) as error:  # fmt: skip
        raise ValueError(
            f"{path} is not a whole checkpoint ({error}); it was damaged or is another kind of "
            "file. Delete it to start again."
        ) from error
    return groups


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

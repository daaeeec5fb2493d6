"""What an optimiser asks of numbers, gradients, parameters and state before anything moves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from operator import is_

import numpy as np

Array = np.ndarray
Arrays = Mapping[str, Array]


def without_frozen(params: Arrays) -> Arrays:
    """The parameters that steps move: all but those of layers that are not ``trainable``."""
    frozen = getattr(params, "frozen", ())
    if not frozen:
        return params
    return {key: p for key, p in params.items() if key not in frozen}


def check_positive(number: float, what: str) -> None:
    """Raise a ValueError unless this is a number above 0, and a finite one."""
    if not isinstance(number, float | int | np.floating | np.integer) or not 0 < number < math.inf:
        raise ValueError(f"{what} is {number!r}; it must be positive, and finite.")


def check_gradients(params: Arrays, grads: Arrays) -> None:
    """Raise a ValueError or TypeError, which names the parameter, unless each has its gradient."""
    if params.keys() != grads.keys():
        raise ValueError(
            "params and grads must have the same keys; only one of them has "
            f"{sorted(params.keys() ^ grads.keys())}."
        )
    for key, p in params.items():
        g = grads[key]
        if not isinstance(p, np.ndarray) or not isinstance(g, np.ndarray):
            kinds = f"a {type(p).__name__} and its gradient a {type(g).__name__}"
            raise TypeError(f"{key} is {kinds}; both must be NumPy arrays.")
        if p.shape != g.shape:
            raise ValueError(f"{key} has shape {p.shape} but its gradient {g.shape}.")
        if p.dtype != g.dtype or p.dtype.kind != "f":
            raise TypeError(
                f"{key} is {p.dtype} but its gradient {g.dtype}; both must be of the same dtype, a "
                "floating one. Convert the gradient with g.astype(p.dtype)."
            )
        if not p.flags.writeable:
            raise ValueError(f"{key} is read-only, but steps change it in place; give a copy.")


def same_arrays(a: Arrays, b: Arrays) -> bool:
    """Whether both hold the very same arrays by the same names, in any order."""
    if list(a) == list(b):
        return all(map(is_, a.values(), b.values()))
    return a.keys() == b.keys() and all(a[key] is array for key, array in b.items())


def check_same_arrays(who: str, steps: int, own: Arrays, params: Arrays) -> None:
    """Raise a ValueError if ``own``, unless it is empty, are not the very arrays of ``params``."""
    if not own or same_arrays(own, params):
        return
    other = [key for key, p in params.items() if own.get(key) is not p]
    why = f"{other[0]} is not the array that it moved" if other else "some of its own are missing"
    raise ValueError(
        f"{who} belongs to the parameters of its first {steps} steps, but here {why}. What it "
        "remembers is of no use to others: make a new optimiser for every model, and after an "
        "array of a model was replaced."
    )


def check_moment(name: str, moment: Array | None, p: Array) -> Array:
    """Return ``moment``; raise a ValueError or TypeError unless it is an array like ``p``."""
    if moment is not None and (type(moment) is not np.ndarray or not moment.flags.writeable):
        kind = type(moment).__name__
        raise TypeError(
            f"the optimiser's {name} is a {kind}; it must be a plain NumPy array, and writable."
        )
    if moment is None or moment.shape != p.shape or moment.dtype != p.dtype:
        there = "is missing" if moment is None else f"is {moment.dtype} {moment.shape}"
        raise ValueError(
            f"the optimiser's {name} {there}, but the parameter is {p.dtype} {p.shape}. "
            "Make a new optimiser for another model."
        )
    return moment


def check_state(
    who: str, state: Arrays, params: Arrays, moments: Iterable[str], never_negative: Iterable[str]
) -> None:
    """Raise a ValueError unless ``state`` is what steps of ``params`` could have left.

    That is the number of steps and, if it is above 0, all ``moments`` of each parameter that is
    not frozen.
    """
    steps = state.get("steps")
    if steps is None or steps.shape != (1,) or steps.dtype.kind != "i" or steps[0] < 0:
        raise ValueError(
            f"the optimiser's steps are {steps}; there must be one number, not below 0."
        )
    wanted = {f"{moment}.{key}": (moment, p) for key, p in params.items() for moment in moments}
    for name in state.keys() - {"steps"} - wanted.keys():
        raise ValueError(f"the optimiser's state has {name}, which {who} does not keep for these.")
    moved = without_frozen(params)
    for name, (moment, p) in wanted.items():
        array = state.get(name)
        if array is None and (steps[0] == 0 or name.removeprefix(f"{moment}.") not in moved):
            continue
        array = check_moment(name, array, p)
        if np.isnan(array).any() or (moment in never_negative and np.any(array < 0)):
            raise ValueError(f"the optimiser's {name} holds NaN, or means of squares below 0.")

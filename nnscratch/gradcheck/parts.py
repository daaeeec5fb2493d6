"""A model that failed, narrowed down: its parts alone, each with the input that it gets there.

If a part fails alone, the mistake is in it. If all pass, it is where the model joins them: a sum
over the places in which something is read, or the order of the backward pass.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from nnscratch.gradcheck.report import Report
from nnscratch.layers.base import Composite, Layer

Array = np.ndarray


def narrow_down(
    model: Composite, x: Array, training: bool, report: Report, check: Callable[..., Report]
) -> None:
    """Enter into the report of a model which of its parts are to blame, by name and in words.

    Parameters
    ----------
    model : Composite
    x : array
    training : bool
    report : Report
        Of the model, with failures.
    check : function (layer, x, subject) -> Report
        Checks one part; it narrows that down as well.
    """
    passed: list[str] = []
    words: list[str] = []
    for name, (layer, row) in inputs_of_parts(model, x, training).items():
        try:
            of_part = check(layer, row, name)
        except (TypeError, ValueError) as error:
            words.append(f"{name} cannot be checked alone: {error}")
            continue
        if not of_part.wrong:
            passed.append(name)
            continue
        inner = of_part.culprits or [""]
        report.culprits += [f"{name}.{part}" if part else name for part in inner]
        words.append(f"{name} fails alone, with the input that it gets in the model:")
        words.append(textwrap.indent(str(of_part), "  "))
    if report.culprits:
        head = f"Narrowed down to {' and '.join(report.culprits)}."
        words += [f"These parts pass alone: {', '.join(passed)}."] if passed else []
    else:
        report.culprits.append("")
        head = (
            f"Narrowed down: {_listed(passed)} right when checked alone, with the inputs that they "
            f"get here. The mistake is in the backward of {type(_joining(model)).__name__} itself, "
            "which joins them: look at its order, and whether all that is read in several places "
            "gets the sum of what these send back, each once."
        )
        words += _first_wrong_part(model, report)
    report.narrowed = "\n".join([head, *words])


def _listed(passed: list[str]) -> str:
    if len(passed) < 2:
        return "".join(passed) + " is"
    return f"all {len(passed)} parts ({', '.join(passed)}) are"


def _first_wrong_part(model: Composite, report: Report) -> Iterator[str]:
    """Backward runs from the last part to the first: where does it leave the right path?"""
    wrong = {failure.where for failure in report.wrong}
    parts = _joining(model).parts
    with_parameters = [name for name, part in parts.items() if part.params]
    bad = [
        name
        for name in with_parameters
        if any(array.endswith(f"{name}.{k}") for k in parts[name].params for array in wrong)
    ]
    good = [name for name in with_parameters if name not in bad]
    if bad and good:
        yield (
            f"Gradients of parameters are right in {', '.join(good)} and wrong in "
            f"{', '.join(bad)}: look at what is handed to the backward of {bad[-1]}."
        )
    elif with_parameters and not bad and "input" in wrong:
        yield (
            "All gradients of parameters are right and only that of the input is wrong: look at "
            "what is returned at the end."
        )


def inputs_of_parts(model: Composite, x: Array, training: bool) -> dict[str, tuple[Layer, Array]]:
    """Every part that runs in a forward pass, in that order, with its input there.

    A part that takes or gives several arrays comes as a `OneRow`.
    """
    calls: dict[str, tuple[Layer, Array]] = {}

    def recorded(
        name: str, part: Layer, forward: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        kept = _map_arrays(np.array, args)
        y = forward(*args, **more)
        if isinstance(y, np.ndarray) and len(_arrays(kept)) == 1:
            calls[name] = part, _arrays(kept)[0]
        else:
            calls[name] = OneRow(part, kept, more, y), _joined(kept)
        return y

    parts = _joining(model).parts
    before = {name: part.__dict__.get("forward") for name, part in parts.items()}
    try:
        for name, part in parts.items():
            part.forward = partial(recorded, name, part, part.forward)  # type: ignore[method-assign]
        model.forward(x, training)
    finally:
        for name, part in parts.items():
            del part.forward
            if before[name] is not None:
                part.forward = before[name]  # type: ignore
    return calls


class OneRow(Composite):
    """A part whose passes take or give several arrays, as a layer of one long row a sample.

    Parameters
    ----------
    part : Layer
        ``part.forward(*args, **more)`` gives an array or several, and then ``part.backward`` takes
        as many; it returns the gradients of the arrays in ``args``, in their order.
    args : tuple
        What its forward pass gets; arrays (N, ...), also in lists, and other things.
    more : dict
        Named arguments of that pass.
    y : array, or several
        What it gives.
    """

    def __init__(self, part: Layer, args: tuple[Any, ...], more: dict[str, Any], y: Any) -> None:
        super().__init__({part.name: part})
        self.part, self.args, self.more, self.y = part, args, more, y
        self.dtype = np.dtype(np.float64)
        self.input_shape, self.built_shape = _joined(args).shape[1:], _joined(y).shape[1:]

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        y = self.part.forward(*_split(x, self.args), **self.more)
        self.cache = (x.shape,)
        return _joined(y)

    def backward(self, dy: Array) -> Array:
        dys = _split(dy, self.y)
        several = isinstance(self.y, tuple | list)
        return _joined(self.part.backward(*dys) if several else self.part.backward(dys))


def _joining(model: Composite) -> Composite:
    """The model whose backward joins the parts: the one inside a `OneRow`."""
    inside = model.part if isinstance(model, OneRow) else model
    return inside if isinstance(inside, Composite) else Composite({})


def _map_arrays(function: Callable[[Array], Array], value: Any) -> Any:
    """The same tuples and lists, with the function's result for each array in them."""
    if isinstance(value, tuple | list):
        return type(value)(_map_arrays(function, item) for item in value)
    return function(value) if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> list[Array]:
    found: list[Array] = []
    _map_arrays(lambda array: found.append(array) or array, value)  # type: ignore[func-returns-value]
    return found


def _joined(value: Any) -> Array:
    """All arrays, a row for each sample."""
    return np.concatenate([array.reshape(len(array), -1) for array in _arrays(value)], axis=1)


def _split(rows: Array, like: Any) -> Any:
    """What was joined, taken apart again: shapes as in ``like``, but for the batch."""
    widths = [array[0].size for array in _arrays(like)]
    pieces = iter(np.split(rows, np.cumsum(widths)[:-1], axis=1))
    return _map_arrays(
        lambda array: np.ascontiguousarray(next(pieces)).reshape(-1, *array.shape[1:]), like
    )

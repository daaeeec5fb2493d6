"""The one place where other code may stand in for the code that you read.

The arithmetic of this library is the NumPy in its layers, losses and optimisers. `Sequential` asks
here what to run for its layers, `nnscratch.training` and `Optimizer.step` what to call for a
function. The answer is what stands there, or faster code that computes the same. Such code comes
from a planner that attaches itself (`nnscratch.kernels.planner`); nothing else knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Planner(Protocol):
    """Who can name code that computes the same, only faster."""

    def version(self, layers: Sequence[Any]) -> object: ...
    def steps(self, layers: Sequence[Any]) -> list[Any]: ...
    def stand_in(self, function: Any) -> Any: ...
    def at_work(self) -> AbstractContextManager[None]: ...
    def one_call(self) -> AbstractContextManager[None]: ...


_planner: Planner | None = None


def attach(planner: Planner | None) -> None:
    """Let ``planner`` answer from now on, or with None, nobody."""
    global _planner
    _planner = planner


def version(layers: Sequence[Any]) -> object:
    """All that `steps` depends on, to be compared: while it is equal, so are the steps."""
    return None if _planner is None else _planner.version(layers)


def steps(layers: Sequence[Any]) -> list[Any]:
    """What to run for ``layers``, in this order; each has forward, backward, cache and forget."""
    return list(layers) if _planner is None else _planner.steps(layers)


def stand_in(function: F) -> F:
    """What to call for ``function``, with the same arguments and results."""
    return function if _planner is None else _planner.stand_in(function)


def at_work() -> AbstractContextManager[None]:
    """Within, steps may run; the planner sees to what they need of the process."""
    return nullcontext() if _planner is None else _planner.at_work()


@contextmanager
def one_call() -> Iterator[None]:
    """Within, steps use memory again; the end of the outermost lets go of it.

    As a decorator, ``@one_call()``, for functions that run a model many times.
    """
    with nullcontext() if _planner is None else _planner.one_call():  # who is asked when called
        yield

"""Looking inside a model: what each layer costs, what gradient reaches it, which units are dead.

`profile` makes one pass to look at gradients and units and a few more to take the time. In both,
functions that look or measure stand in for the layers' own ``forward`` and ``backward``, as where
`nnscratch.training.divergence` searches for the origin of a NaN.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from nnscratch import stand_ins
from nnscratch.array_checks import check_samples
from nnscratch.layers.activations import ReLU
from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.optimizers import global_norm
from nnscratch.randomness import stream
from nnscratch.training.checks import handed_over
from nnscratch.training.divergence import leaves, replaced

REPEATS = 5  # passes of which the median time is taken

OutputLoss = Callable[[Array], tuple[float, Array]]
Milliseconds = tuple[float, float]  # forward, backward


@dataclass(frozen=True)
class LayerProfile:
    """What `profile` measured of one layer.

    Attributes
    ----------
    name : str
        As in ``model.params``: "encoder.0.conv2d".
    output_shape : tuple of int
        Without the batch axis.
    parameters, multiply_adds : int
        Numbers that are trained; operations of the forward pass for one sample.
    forward_ms, backward_ms : float
        Milliseconds for the whole batch, of this layer alone; backward gives dL/dx and the
        gradients of the parameters.
    forward_gflops, backward_gflops : float or None
        1e9 operations a second. A multiply-add is two; backward has twice as many as forward,
        for it computes two gradients. None without multiply-adds.
    gradient_norm : float or None
        Euclidean norm of dL/dparameters, all of this layer together. None without parameters.
    output_gradient_norm : float
        Euclidean norm of dL/dy, with y the output for the whole batch.
    dead_share : float or None
        Of a `ReLU`: the share of units that are 0 for every sample of the batch and in every place,
        so that no gradient passes them. A unit is an index of the last axis: a channel of images, a
        feature of vectors. None for other layers.
    """

    name: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    forward_ms: float
    backward_ms: float
    forward_gflops: float | None
    backward_gflops: float | None
    gradient_norm: float | None
    output_gradient_norm: float
    dead_share: float | None


def profile(model: Layer, x: Array, loss: OutputLoss | None = None) -> list[LayerProfile]:
    """Print a table of what each layer does in a training pass over one batch, and return it.

    Times are those of the layers one by one, medians of a few passes after a first one. Training
    does not run them so: with the compiled kernels, neighbouring layers become one step
    (`nnscratch.kernels.planner`), whose time belongs to none of them. So the last line has the time
    of the model as it is run, beside the sum of the layers. Both include dL/dx of the first layer,
    which training leaves out; the sum lacks what happens between layers, such as putting skips
    beside images. Operations are those of the direct algorithm, though some kernels need fewer.

    Afterwards the model has the parameters, the state and the gradients of before; only what layers
    keep of their latest forward pass is now that of ``x``.

    Parameters
    ----------
    model : Layer
        Such as a `Sequential` or any of `nnscratch.models`.
    x : array (N, ...)
        What the model takes, with N at least 1.
    loss : function y -> (value, dL/dy), optional
        Of the model's output, such as ``lambda y: mse(y, target)``. Without it dL/dy is normally
        distributed noise, the same each time, and gradient norms are only to be compared.

    Returns
    -------
    list of LayerProfile
        Of all layers that are not made of others, in the order of ``model.params``.

    Raises
    ------
    ValueError, TypeError
        If ``x`` is not what the model was built for, has no samples or is not finite, or the loss
        gives a gradient of the wrong shape or dtype.
    """
    model.check_input(x)
    check_samples("x", x)
    if loss is None:
        noise = stream(0, "profiling").standard_normal((len(x), *model.built_shape))
        cotangent = noise.astype(model.dtype)

        def loss(y: Array) -> tuple[float, Array]:
            return 0.0, cotangent

    seen = _look(model, x, loss)
    times = _time_layers(model, x, loss)
    rows = [_row(name, layer, len(x), times[name], seen[name]) for name, layer in leaves(model)]
    _print_table(rows, len(x), _time_model(model, x, loss))
    return rows


def _look(model: Layer, x: Array, loss: OutputLoss) -> dict[str, dict[str, float]]:
    """Of each layer, by name, what a pass shows: the norms, and the share of dead units."""
    seen: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        for name, layer in leaves(model):
            stack.enter_context(_looked_at(layer, seen.setdefault(name, {})))
        _run(model, x, loss, model.forward, model.backward)
    return seen


def _looked_at(layer: Layer, seen: dict[str, float]) -> AbstractContextManager[None]:
    forward, backward = layer.forward, layer.backward

    def looking_forward(x: Array, *others: Any, **options: Any) -> Array:
        y = forward(x, *others, **options)
        if isinstance(layer, ReLU):
            seen["dead_share"] = 1 - y.reshape(-1, *layer.built_shape[-1:]).any(axis=0).mean()
        return y

    def looking_backward(dy: Array) -> Array:
        dx = backward(dy)
        seen["output_gradient_norm"] = global_norm([dy])
        if layer.params:
            seen["gradient_norm"] = global_norm(layer.grads.values())
        return dx

    return replaced(layer, looking_forward, looking_backward)


def _time_layers(model: Layer, x: Array, loss: OutputLoss) -> dict[str, Milliseconds]:
    """Of each layer, by name; a layer that the model does not use takes no time."""
    seconds: dict[str, tuple[list[float], list[float]]] = {}
    with ExitStack() as stack:
        for name, layer in leaves(model):
            forward, backward = seconds[name] = [], []
            (step,) = stand_ins.steps([layer])  # what computes this layer if it stands alone
            timed = _timed(step.forward, forward), _timed(step.backward, backward)
            stack.enter_context(replaced(layer, *timed))
        for _ in range(REPEATS):
            _run(model, x, loss, model.forward, model.backward)
    return {name: _milliseconds(*both) for name, both in seconds.items()}


def _time_model(model: Layer, x: Array, loss: OutputLoss) -> Milliseconds:
    """Of the whole model, as it is run when nobody watches."""
    forward: list[float] = []
    backward: list[float] = []
    for _ in range(1 + REPEATS):  # the first one plans the steps, and may compile kernels
        _run(model, x, loss, _timed(model.forward, forward), _timed(model.backward, backward))
    return _milliseconds(forward[1:], backward[1:])


def _run(
    model: Layer, x: Array, loss: OutputLoss, forward: Callable[..., Array], backward: Callable
) -> None:
    """A training pass that leaves state and gradients as they were, so all passes are equal."""
    before = [
        (what, key, array.copy())
        for what in ("state", "grads")
        for key, array in getattr(model, what).items()
    ]
    try:
        backward(*handed_over(loss(forward(x, training=True))[1]))
    finally:
        for what, key, array in before:
            getattr(model, what)[key][...] = array


def _timed(call: Callable, seconds: list[float]) -> Callable:
    def timed_call(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        result = call(*arguments, **options)
        seconds.append(time.perf_counter() - started)
        return result

    return timed_call


def _milliseconds(forward: list[float], backward: list[float]) -> Milliseconds:
    return 1e3 * median(forward or [0.0]), 1e3 * median(backward or [0.0])


def _row(
    name: str, layer: Layer, samples: int, times: Milliseconds, seen: dict[str, float]
) -> LayerProfile:
    operations = 2 * layer.multiply_adds() * samples
    return LayerProfile(
        name,
        layer.built_shape,
        sum(p.size for p in layer.params.values()),
        layer.multiply_adds(),
        *times,
        _gflops(operations, times[0]),
        _gflops(2 * operations, times[1]),
        seen.get("gradient_norm"),
        seen.get("output_gradient_norm", 0.0),  # no gradient comes to a layer without use
        seen.get("dead_share"),
    )


def _gflops(operations: int, milliseconds: float) -> float | None:
    return operations / milliseconds / 1e6 if operations and milliseconds else None


def _print_table(rows: list[LayerProfile], samples: int, whole: Milliseconds) -> None:
    name = max(len(r.name) for r in rows) + 2
    row = (
        f"{{:<{name}}}{{:<14}}{{:>10}}{{:>12}}{{:>9}}{{:>13}}{{:>9}}{{:>13}}{{:>10}}{{:>7}}".format
    )
    print(
        row("layer", "output", "parameters", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s",
            "|dL/dparam|", "|dL/dy|", "dead")
    )  # fmt: skip
    for r in rows:
        print(
            row(
                r.name,
                str(r.output_shape),
                f"{r.parameters:,}",
                *(f"{r.forward_ms:.3f}", _or_blank(r.forward_gflops, "{:.1f}")),
                *(f"{r.backward_ms:.3f}", _or_blank(r.backward_gflops, "{:.1f}")),
                _or_blank(r.gradient_norm, "{:.2e}"),
                f"{r.output_gradient_norm:.2e}",
                _or_blank(r.dead_share, "{:.0%}"),
            ).rstrip()
        )
    parameters = sum(r.parameters for r in rows)
    forward, backward = sum(r.forward_ms for r in rows), sum(r.backward_ms for r in rows)
    total = row("sum", "", f"{parameters:,}", f"{forward:.3f}", "", f"{backward:.3f}", *4 * [""])
    print(total.rstrip())
    print(
        f"{samples} samples. The layers run one by one take {forward + backward:.3f} ms, the model "
        f"as it is run, neighbours fused where possible, {sum(whole):.3f} ms "
        f"({whole[0]:.3f} forward, {whole[1]:.3f} backward)."
    )


def _or_blank(number: float | None, how: str) -> str:
    return "" if number is None else how.format(number)

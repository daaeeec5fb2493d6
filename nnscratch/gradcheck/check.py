"""The gradient check: backward beside measured slopes, and how much their agreement guarantees.

Two words: dy is also called the cotangent, the numbers that turn an output into one number
L = <dy, output>, the sum of products, so that there is something to differentiate. A kink is a
place where a function has no derivative because its slope jumps, like that of a ReLU at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from nnscratch.gradcheck.contract import Runner, check_contract, run_on_other_data, unguarded
from nnscratch.gradcheck.differences import (
    Comparison,
    Subject,
    compare,
    compare_ties,
    kink_pattern,
)
from nnscratch.gradcheck.hints import diagnose
from nnscratch.gradcheck.hints.evidence import Scene
from nnscratch.gradcheck.parts import narrow_down
from nnscratch.gradcheck.report import Failure, Report
from nnscratch.gradcheck.start import move_from_start
from nnscratch.gradcheck.zeros import MOST_ZEROS, check_answers, taken_away, without_gradient
from nnscratch.layers.base import Composite, Layer

Array = np.ndarray
Loss = Callable[..., tuple[float, Array | tuple[Array, ...]]]

SMOOTH, KINKED = 1e-7, 1e-5  # default tolerances
HANDFUL = 3  # kinks in one array that are always forgiven
MOST_KINKS = 0.1  # of one array's entries


def check_gradients(
    layer: Layer,
    x: Array,
    *,
    training: bool = False,
    seed: int = 0,
    tolerance: float | None = None,
    every_element: bool = False,
    move: bool = True,
    no_effect: Collection[str] = (),
    subject: str | None = None,
) -> Report:
    """Check that ``layer.backward`` is the derivative of ``layer.forward`` at ``x``.

    Parameters and statistics are first moved off the values that they start from, whose ones and
    zeros hide mistakes (see `start`); at the end all are as they were. Then comes the contract (see
    `contract`): shapes, dtypes, repeatable, nothing changed in place, grads overwritten, backward
    linear in dy. Then, with a random dy, the gradient of L = <dy, forward(x)> with respect to the
    input and to each parameter is compared with central differences (see `differences`). Of a model
    that fails, the parts are checked alone (see `parts`).

    What is guaranteed: every entry of every array takes part in a comparison or is counted in
    ``report.kinks``. In an array of up to 256 entries, an entry whose error exceeds ``tolerance``
    times the root mean square of that array's gradient (or times the entry, if that is larger) is
    found. In a larger one, groups of about 64 entries are compared along random directions, so a
    single wrong entry is found from about ten times that error on, and only by a coincidence of
    probability about ``tolerance`` could several cancel. Nothing is averaged. The gradients are
    those at one point: give another ``x``, or another seed, for another.

    What is not: a forward pass that computes something else than it should, and a backward pass
    that is the derivative of that, agree. Sampling with ``exp(logvar)`` for ``exp(logvar / 2)``, a
    variance divided by m - 1, or a kernel that is flipped both ways passes every gradient check;
    only another source of the right outputs shows it (this package's own are in ``tests/layers``).
    A check in evaluation says nothing about training, nor the other way round. Of a gradient that
    is 0 at this point, no factor is seen: an array without any other gradient fails the check, as
    do many zeros to which hardly an output answers. Only a parameter that a later layer takes away,
    as a normalisation does with a bias, may be without: a note says so.

    Parameters
    ----------
    layer : Layer
        Built with dtype float64: any layer, Sequential, or model that keeps the contract.
    x : array (N, *layer.input_shape), float64
        Use N > 1, or a missing sum over the batch goes unseen.
    training : bool
        Handed to forward. Noise is repeated, as it comes from ``layer.state``.
    seed : int
        Of dy, of the directions, and of where the parameters are moved.
    tolerance : float, optional
        Allowed relative error (defined at `differences.Slope.relative_error`); by default 1e-7,
        or 1e-5 if the layer holds a ReLU, LeakyReLU or MaxPooling2D.
    every_element : bool
        Compare large arrays entry by entry, too.
    move : bool
        Whether parameters and statistics are moved first; without, the check is made where they
        are.
    no_effect : names
        Parameters, parts of a model, or "input", on which the output is known not to depend here,
        as on the logvar of a VAE in evaluation. Only their gradients may be 0 throughout, and they
        must be.
    subject : str, optional
        What the report calls the layer.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If the layer is none, or it or x is not float64.
    ValueError
        If the layer is not built for this x, or ``no_effect`` holds an unknown name.
    """
    if not isinstance(layer, Layer):
        raise TypeError(
            f"check_gradients got {layer!r}, which is no Layer. Derive the class from "
            "nnscratch.layers.Layer, which brings build, params, grads and check_input."
        )
    if getattr(layer, "dtype", np.float64) != np.float64:
        raise TypeError(
            f"check_gradients needs a layer built with dtype=np.float64, not {layer.dtype}: "
            "float32 has too few digits for differences."
        )
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
        raise TypeError("check_gradients needs a float64 array x; convert it with x.astype(float).")
    layer.check_input(x)
    names = ["input", *layer.params]
    for name in no_effect:
        if not any(_belongs(array, [name]) for array in names):
            raise ValueError(f"no_effect: there is no {name!r}; known are {', '.join(names)}.")
    as_found = Runner(layer, x, training)
    try:
        if move:
            move_from_start(layer, np.random.default_rng([seed, 1]))
        options = _Options(training, seed, tolerance, every_element, tuple(no_effect))
        return _check(layer, x, subject or layer.name, options)
    finally:
        as_found.restore()


@dataclass(frozen=True)
class _Options:
    """Of `check_gradients`, where they are described."""

    training: bool
    seed: int
    tolerance: float | None
    every_element: bool
    no_effect: tuple[str, ...]


def _check(layer: Layer, x: Array, subject: str, options: _Options) -> Report:
    """The check itself, at the present parameters; it may leave the state changed."""
    rng = np.random.default_rng(options.seed)
    runner = Runner(layer, x, options.training)
    report = Report(subject, options.tolerance or SMOOTH)
    report.failures += check_contract(runner, rng)
    if not report.failures:
        report.notes += unguarded(runner)
        run_on_other_data(runner, rng)
        dy = rng.standard_normal(runner.forward().shape)
        if options.tolerance is None and kink_pattern(layer):
            report.tolerance = KINKED
        checked = Subject(
            {"input": runner.x} | dict(layer.params),
            lambda: (runner.forward(), kink_pattern(layer)),
            dy,
            runner.backward(dy),
        )
        params = {} if isinstance(layer, Composite) else dict(layer.params)
        scene = Scene(runner.x, dy, params, runner.backward, runner.forward)
        _compare_all(checked, scene, report, rng, options, layer)
    runner.restore()
    if report.wrong and isinstance(layer, Composite):
        # whether an array has an effect is the model's affair, not that of a part
        narrow_down(layer, x, options.training, report, partial(_check, options=options))
        runner.restore()
    return report


def check_loss(
    function: Loss, *arrays: Array, tolerance: float = SMOOTH, subject: str = "loss"
) -> Report:
    """Check ``value, gradient = function(*arrays)``, entry by entry.

    Parameters
    ----------
    function : function
        Of one array, and then ``gradient`` is an array, or of several, and then it is a tuple of
        as many: ``lambda y: mse(y, target)``.
    arrays : float64 arrays
        Where to check.
    tolerance : float
        Allowed relative error, as in `check_gradients`.
    subject : str
        What the report calls the loss.

    Returns
    -------
    Report
        Also where the shapes of the gradients are wrong; nothing is raised for that.
    """
    names = ["input"] if len(arrays) == 1 else [f"input {i}" for i in range(len(arrays))]
    points = {name: np.array(array, np.float64) for name, array in zip(names, arrays, strict=True)}
    report = Report(subject, tolerance)
    kept = [p.copy() for p in points.values()]
    value, gradients = function(*points.values())
    claims = gradients if isinstance(gradients, tuple) else (gradients,)
    claim_shapes, shapes = [np.shape(c) for c in claims], [p.shape for p in kept]
    if not np.isfinite(value) or claim_shapes != shapes:
        what = f"value {value}, gradients of shapes {claim_shapes} for arrays of {shapes}"
        report.failures.append(Failure("contract", what, hint="one gradient for each array"))
    if not all(np.array_equal(a, b) for a, b in zip(points.values(), kept, strict=True)):
        report.failures.append(Failure("contract", "the loss changes its input in place"))
    if report.failures:
        return report
    checked = Subject(
        points,
        lambda: (np.array([function(*points.values())[0]]), []),
        np.ones(1),  # the output is one number, so no cotangent can hide anything
        {name: np.array(claim) for name, claim in zip(names, claims, strict=True)},
    )
    scene = Scene(kept[0], checked.cotangent, {}, lambda dy: checked.gradients, None)
    options = _Options(False, 0, tolerance, every_element=True, no_effect=())
    _compare_all(checked, scene, report, np.random.default_rng(0), options)
    return report


def _compare_all(
    checked: Subject,
    scene: Scene,
    report: Report,
    rng: np.random.Generator,
    options: _Options,
    layer: Layer | None = None,
) -> None:
    """Compare every array and enter the findings into the report."""
    dead: list[str] = []
    for name, array in checked.arrays.items():
        result = compare(checked, name, report.tolerance, rng, options.every_element)
        zeros, kinks = int(result.zeros.sum()), int(result.kinks.sum())
        report.kinks += kinks
        report.zeros += zeros
        report.elements += result.compared
        report.one_by_one += result.one_by_one
        report.worst = max(report.worst, float(np.nanmax(result.error, initial=0.0)))
        if (result.error > report.tolerance).any():
            report.failures.append(_describe(name, result, report.tolerance, scene))
        if kinks > max(HANDFUL, MOST_KINKS * array.size) or result.kinks.all():
            what = f"{kinks} of {array.size} entries lie within a step of a kink"
            hint = "little was compared; move x or the parameters away from zeros and ties."
            report.failures.append(Failure(name, what, hint=hint, proves_little=True))
        if _belongs(name, options.no_effect):
            if zeros < result.compared:
                what = f"was said to have no effect, but {result.compared - zeros} entries have one"
                report.failures.append(Failure(name, what, hint="leave it out of no_effect."))
        elif result.compared and zeros == result.compared:
            dead.append(name)
        elif zeros > MOST_ZEROS * result.compared:
            report.failures += check_answers(checked, name, zeros, rng)
    for name in taken_away(dead, checked, layer, rng):
        dead.remove(name)
        report.notes.append(
            f"the output does not depend on {name} (a normalisation follows?): check it alone"
        )
    if dead:
        report.failures.append(without_gradient(dead, checked))
    _check_ties(checked, report, rng)


def _belongs(array: str, names: Collection[str]) -> bool:
    """Whether an array is one of those named, or in one of the parts named."""
    return any(array == name or array.startswith(f"{name}.") for name in names)


def _describe(name: str, result: Comparison, tolerance: float, scene: Scene) -> Failure:
    wrong = result.error > tolerance
    index = np.unravel_index(np.nanargmax(result.error), result.error.shape)
    compared = result.one_by_one
    return Failure(
        name,
        f"{wrong.sum()} of {compared} entries compared one by one are wrong",
        tuple(int(i) for i in index),
        float(result.analytic[index]),
        float(result.numeric[index]),
        diagnose(name, result, tolerance, scene),
    )


def _check_ties(checked: Subject, report: Report, rng: np.random.Generator) -> None:
    """Where inputs are equal, check one direction that keeps them so; see `compare_ties`."""
    slope = compare_ties(checked, "input", rng) if "input" in checked.arrays else None
    if slope is None:
        return
    error = slope.relative_error(checked.scale("input"), report.tolerance)
    report.worst = max(report.worst, error)
    if error > report.tolerance and report.ok:
        hint = "of equal numbers exactly one may win the maximum and receive its gradient."
        what = "wrong along a direction that moves equal entries alike"
        failure = Failure("input", what, None, slope.analytic, slope.numeric, hint)
        report.failures.append(failure)

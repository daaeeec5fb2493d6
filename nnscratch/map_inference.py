"""MAP inference: the code that explains an image best, searched for through a frozen decoder.

Given a generator g, here a decoder, and a measurement x, noisy or with pixels missing, find::

    z* = argmin_z  ||m (x - g(z))||^2 + beta ||z||^2

where ||a||^2 is the sum of the squares of a, and the mask m is 1 where a pixel was observed and 0
where it was not. With pixels x = g(z) + noise of variance v and a prior z ~ N(0, I), all observed,
this z is the most probable one (maximum a posteriori) for ``beta = v``: minus twice the logarithm
of p(x | z) p(z) is ``||x - g(z)||^2 / v + ||z||^2`` plus a constant. The gradient is::

    dz = g.backward(2 m (g(z) - x)) + 2 beta z        since m^2 = m

Only z moves: backward goes through the decoder to its input, and gradients of its parameters are
not computed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from nnscratch.array_checks import check_number, check_samples
from nnscratch.layers.base import Layer
from nnscratch.layers.geometry import check_count
from nnscratch.layers.wanted import input_gradient_only
from nnscratch.lbfgs import minimize_rows
from nnscratch.optimizers import Adam
from nnscratch.stand_ins import one_call

Array = np.ndarray


@dataclass
class MapEstimate:
    """The best code found for each image.

    Attributes
    ----------
    z : array (N, d)
    objective : array (N,)
        Its value at z, in squared pixels; not finite if no start of the image gave a finite one.
    start : array (N,) of int
        From which of the starts it was found.
    trace : array (T, N)
        The objective along the way from that start, at T points: before the first iteration, then
        after each; of a search that ended sooner than others, its last value.
    converged : array (N,) of bool
        Whether L-BFGS got no further, instead of running out of iterations. Adam does not ask
        itself, and is said not to have converged.
    evaluations : int
        How often the decoder was run, forward and backward, on all the codes still searched for at
        once.
    """

    z: Array
    objective: Array
    start: Array
    trace: Array
    converged: Array
    evaluations: int


@one_call()
def map_estimate(
    decoder: Layer,
    x: Array,
    starts: Array,
    beta: float,
    *,
    mask: Array | None = None,
    solver: str = "adam",
    iterations: int = 1000,
    learning_rate: float = 1e-2,
) -> MapEstimate:
    """Search for the codes of all images at once, from several starts, and keep the best of each.

    Every start of every image is a search by itself. The decoder runs on all of them at once, but
    none has any influence on another; a start that ends in NaN loses against one that does not.

    Parameters
    ----------
    decoder : Layer
        Codes (d,) -> images (H, W, C). Used in evaluation mode; neither its parameters nor their
        gradients change.
    x : array (N, H, W, C)
    starts : array (S, N, d)
        S codes for every image to start from: the encoder's, or drawn from the prior N(0, I).
    beta : float >= 0
        How much the prior counts; the variance of the noise in x, if that is known.
    mask : array of 0 and 1 that broadcasts to x, optional
        1 where a pixel was observed. All, if not given.
    solver : "adam" or "lbfgs"
        `nnscratch.optimizers.Adam`, or `nnscratch.lbfgs`, which learns from its steps how the slope
        changes and usually needs far fewer evaluations.
    iterations : int
        At most, with L-BFGS, which stops when it gets no further.
    learning_rate : float > 0
        Of Adam.

    Raises
    ------
    ValueError, TypeError
        If shapes or dtypes do not fit, numbers are not finite, or an argument makes no sense.

    Warns
    -----
    RuntimeWarning
        If some images have no start from which the objective stayed finite.

    References
    ----------
    Bora et al., "Compressed sensing using generative models", ICML 2017, where beta is lambda.
    """
    problem = _Problem(decoder, x, starts, beta, mask)
    check_count(iterations, "iterations")
    if solver not in ("adam", "lbfgs"):
        raise ValueError(f'solver is {solver!r}; it must be "adam" or "lbfgs".')
    # a start may end in NaN, which is said below
    with input_gradient_only(decoder), np.errstate(over="ignore", invalid="ignore"):
        if solver == "adam":
            z, steps = _by_adam(problem, iterations, learning_rate)
            converged = np.zeros(len(z), bool)
        else:
            z, steps, converged = minimize_rows(
                problem.value_and_gradient, problem.starts, iterations
            )
    decoder.forget()
    N = len(x)
    trace = np.array(steps)
    per_start = trace.reshape(len(trace), -1, N)  # (T, S, N)
    last = per_start[-1]
    best = np.where(np.isfinite(last), last, np.inf).argmin(axis=0)  # (N,)
    images = np.arange(N)
    lost = np.flatnonzero(~np.isfinite(last).any(axis=0))
    if len(lost):
        warnings.warn(
            f"map_estimate: from no start did the objective of {len(lost)} of {N} images stay "
            f"finite, the first of them image {lost[0]}. Start nearer to 0, or lower the learning "
            "rate.",
            RuntimeWarning,
            stacklevel=2,
        )
    return MapEstimate(
        z.astype(x.dtype).reshape(-1, N, z.shape[-1])[best, images],
        last[best, images],
        best,
        per_start[:, best, images],
        converged.reshape(-1, N)[best, images],
        problem.evaluations,
    )


def _by_adam(problem: _Problem, iterations: int, learning_rate: float) -> tuple[Array, list[Array]]:
    z, trace, everyone = problem.starts.copy(), [], np.arange(len(problem.starts))
    optimizer = Adam(learning_rate)
    for _ in range(iterations):
        values, dz = problem.value_and_gradient(z, everyone)
        trace.append(values)
        optimizer.step({"z": z}, {"z": dz})
    trace.append(problem.value_and_gradient(z, everyone)[0])
    return z, trace


class _Problem:
    """The objective of all images and starts, checked once; a start is a sample of the batch."""

    def __init__(
        self, decoder: Layer, x: Array, starts: Array, beta: float, mask: Array | None
    ) -> None:
        check_samples("x", x)
        check_samples("starts", starts)
        decoder.check_array("x", x, ("N", *decoder.built_shape))
        if starts.ndim != 3 or starts.shape[1] != len(x):
            raise ValueError(
                f"starts has shape {starts.shape}; it must be (S, {len(x)}, d), S codes for each "
                f"of the {len(x)} images."
            )
        check_number("beta", beta)
        S, N, d = starts.shape
        self.starts: Array = np.ascontiguousarray(starts).reshape(S * N, d)
        decoder.check_input(self.starts)
        self.decoder, self.beta = decoder, x.dtype.type(beta)
        self.x, self.mask = x, None if mask is None else _as_mask(mask, x)
        self.evaluations = 0

    def value_and_gradient(self, z: Array, rows: Array) -> tuple[Array, Array]:
        """The objective (n,) and its gradient (n, d) at the codes z of n ``rows`` of all S N."""
        self.evaluations += 1
        z, images = z.astype(self.x.dtype, copy=False), rows % len(self.x)
        difference = self.decoder.forward(z) - self.x[images]
        if self.mask is not None:
            difference *= self.mask[images]
        pixels = difference.reshape(len(z), -1)
        values = np.einsum("ij,ij->i", pixels, pixels, dtype=np.float64)
        values += self.beta * np.square(z, dtype=np.float64).sum(axis=1)
        dz = self.decoder.backward(2 * difference) + 2 * self.beta * z  # as mask * mask = mask
        return values, dz


def _as_mask(mask: Array, x: Array) -> Array:
    if not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must hold 0 (not observed) and 1 (observed) only.")
    try:
        return np.broadcast_to(mask, x.shape).astype(x.dtype)
    except ValueError:
        raise ValueError(
            f"mask has shape {np.shape(mask)}, which does not broadcast to the images' {x.shape}."
        ) from None

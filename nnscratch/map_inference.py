"""MAP inference: the code that explains an image best, searched for through a frozen decoder.

Given a generator g, here a decoder, and a measurement x, noisy or with pixels missing, find::

    z* = argmin_z  ||m (x - g(z))||^2 + beta ||z||^2

where ||a||^2 is the sum of the squares of a, and the mask m is 1 where a pixel was observed and 0
where it was not. With pixels x = g(z) + noise of variance v and a prior z ~ N(0, I), all observed,
this z is the most probable one (maximum a posteriori) for ``beta = v``: minus twice the logarithm
of p(x | z) p(z) is ``||x - g(z)||^2 / v + ||z||^2`` plus a constant. The gradient is::

    dz = g'(2 m (g(z) - x)) + 2 beta z        g' being the backward pass of g, and m^2 = m

Only z moves: backward goes through the decoder to its input, and gradients of its parameters are
not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from nnscratch.data_checks import check_samples
from nnscratch.kernels.buffers import one_call
from nnscratch.layers.base import Layer
from nnscratch.layers.fusion import input_gradient_only
from nnscratch.layers.geometry import check_count
from nnscratch.optimizers import Adam

Array = np.ndarray


@dataclass
class MapEstimate:
    """The best code found for each image.

    Attributes
    ----------
    z : array (N, d)
    objective : array (N,)
        Its value at z, in squared pixels.
    start : array (N,) of int
        From which of the starts it was found.
    trace : array (T, N)
        The objective along the way from that start, at T points: before the first iteration, then
        after each.
    evaluations : int
        How often the decoder was run, forward and backward, on all images and starts at once.
    """

    z: Array
    objective: Array
    start: Array
    trace: Array
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
        `nnscratch.optimizers.Adam`, or `scipy.optimize`'s L-BFGS-B, which learns from its steps how
        the slope changes and usually needs far fewer evaluations. It is run on the sum over all
        images and starts, whose parts share nothing.
    iterations : int
        At most, with L-BFGS, which stops when it gets no further.
    learning_rate : float > 0
        Of Adam.

    Raises
    ------
    ValueError, TypeError
        If shapes or dtypes do not fit, numbers are not finite, or an argument makes no sense.

    References
    ----------
    Bora et al., "Compressed sensing using generative models", ICML 2017, where beta is lambda.
    """
    problem = _Problem(decoder, x, starts, beta, mask)
    check_count(iterations, "iterations")
    if solver not in ("adam", "lbfgs"):
        raise ValueError(f'solver is {solver!r}; it must be "adam" or "lbfgs".')
    with input_gradient_only(decoder):
        if solver == "adam":
            z, trace = _by_adam(problem, iterations, learning_rate)
        else:
            z, trace = _by_lbfgs(problem, iterations)
    decoder.forget()
    N = len(x)
    per_start = trace.reshape(len(trace), -1, N)  # (T, S, N)
    best = per_start[-1].argmin(axis=0)  # (N,)
    images = np.arange(N)
    return MapEstimate(
        z.reshape(-1, N, z.shape[-1])[best, images],
        per_start[-1, best, images],
        best,
        per_start[:, best, images],
        problem.evaluations,
    )


def _by_adam(problem: _Problem, iterations: int, learning_rate: float) -> tuple[Array, Array]:
    z, trace = problem.starts.copy(), []
    optimizer = Adam(learning_rate)
    for _ in range(iterations):
        values, dz = problem.value_and_gradient(z)
        trace.append(values)
        optimizer.step({"z": z}, {"z": dz})
    trace.append(problem.value_and_gradient(z)[0])
    return z, np.array(trace)


def _by_lbfgs(problem: _Problem, iterations: int) -> tuple[Array, Array]:
    shape, dtype = problem.starts.shape, problem.starts.dtype
    trace = [problem.value_and_gradient(problem.starts)[0]]
    latest: dict[bytes, Array] = {}

    def function(row: Array) -> tuple[float, Array]:
        values, dz = problem.value_and_gradient(row.reshape(shape).astype(dtype))
        latest[row.tobytes()] = values
        return float(values.sum()), dz.ravel().astype(np.float64)

    def keep(intermediate_result: OptimizeResult) -> None:
        trace.append(latest[intermediate_result.x.tobytes()])
        latest.clear()

    result = minimize(
        function,
        problem.starts.ravel().astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        callback=keep,
        options={"maxiter": iterations, "maxfun": 20 * iterations, "ftol": 1e-9, "gtol": 0},
    )
    return result.x.reshape(shape).astype(dtype), np.array(trace)


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
        if not beta >= 0:
            raise ValueError(f"beta is {beta}; it must not be negative.")
        S, N, d = starts.shape
        self.starts: Array = np.ascontiguousarray(starts).reshape(S * N, d)
        decoder.check_input(self.starts)
        self.decoder, self.beta = decoder, x.dtype.type(beta)
        self.target = np.concatenate([x] * S)
        self.mask = None if mask is None else np.concatenate([_as_mask(mask, x)] * S)
        self.evaluations = 0

    def value_and_gradient(self, z: Array) -> tuple[Array, Array]:
        """The objective (S N,) and its gradient like z (S N, d)."""
        self.evaluations += 1
        difference = self.decoder.forward(z) - self.target
        if self.mask is not None:
            difference *= self.mask
        pixels = difference.reshape(len(z), -1)
        values = np.einsum("ij,ij->i", pixels, pixels) + self.beta * (z**2).sum(axis=1)
        dz = self.decoder.backward(2 * difference) + 2 * self.beta * z  # as mask * mask = mask
        return values.astype(np.float64), dz


def _as_mask(mask: Array, x: Array) -> Array:
    if not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must hold 0 (not observed) and 1 (observed) only.")
    try:
        return np.broadcast_to(mask, x.shape).astype(x.dtype)
    except ValueError:
        raise ValueError(
            f"mask has shape {np.shape(mask)}, which does not broadcast to the images' {x.shape}."
        ) from None

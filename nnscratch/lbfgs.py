"""L-BFGS for many small problems at once: each has steps of its own, all share the evaluations.

A quasi-Newton method: from the latest steps s and the changes y of the gradient along them it
guesses the inverse Hessian H, and goes along ``-H g`` instead of -g. Every row of z is a problem
by itself: none waits for another, and one that ends, well or badly, leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Objective = Callable[[Array, Array], tuple[Array, Array]]

MEMORY = 10  # how many of the latest steps are remembered
ENOUGH = 1e-4  # of the decrease that the slope promises, what a step must give
TRIALS = 20  # shorter and shorter steps, before a row is given up
TINY = 1e-9  # a decrease that is smaller, as a share of the objective, is none


def minimize_rows(
    function: Objective, z: Array, iterations: int
) -> tuple[Array, list[Array], Array]:
    """Minimise the objective of every row of ``z`` by itself.

    Parameters
    ----------
    function : (z (n, d), rows (n,)) -> values (n,), gradient (n, d)
        Of some of the rows, whose numbers it is told.
    z : array (B, d)
        Where they start; unchanged.
    iterations : int
        Steps of each row, at most; trials of too long steps do not count.

    Returns
    -------
    z : array (B, d)
    trace : list of arrays (B,)
        The objective before the first step and after each; of a row that has ended, its last.
    converged : array (B,) of bool
        Whether the row got no further. False if the iterations were too few, or the objective was
        not finite at the start.

    References
    ----------
    Nocedal & Wright, "Numerical Optimization", 2nd ed., 2006, algorithms 7.4 and 3.1.
    """
    B, d = z.shape
    z = z.astype(np.float64)
    values, g = (a.astype(np.float64) for a in function(z, np.arange(B)))
    s, y = np.zeros((2, MEMORY, B, d))
    rho = np.zeros((MEMORY, B))  # 1 / (s y); 0 for a step that is not remembered
    scale = 1 / np.maximum(np.linalg.norm(g, axis=1), 1e-30)  # the first step is at most 1 long
    scale = np.minimum(scale, 1)
    direction, t, trials = -scale[:, None] * g, np.ones(B), np.zeros(B, int)
    history = [[value] for value in values]
    converged = np.zeros(B, bool)
    active = np.flatnonzero(np.isfinite(values) & np.isfinite(g).all(axis=1))
    while len(active):
        new_z = z[active] + t[active, None] * direction[active]
        new, new_g = function(new_z, active)
        slope = (g[active] * direction[active]).sum(axis=1)
        good = np.isfinite(new_g).all(axis=1)
        good &= new <= values[active] + ENOUGH * t[active] * slope
        short = active[~good]
        # the minimum of the parabola through both values and the slope, but not too far away
        excess = new[~good] - values[short] - t[short] * slope[~good]
        with np.errstate(all="ignore"):
            parabola = -slope[~good] * t[short] / (2 * excess)
        t[short] *= np.clip(np.where(np.isfinite(parabola), parabola, 0.1), 0.1, 0.5)
        trials[short] += 1

        rows = active[good]
        steps, changes = new_z[good] - z[rows], new_g[good] - g[rows]
        curvature = (steps * changes).sum(axis=1)
        length = (changes**2).sum(axis=1)
        for memory, latest in ((s, steps), (y, changes)):
            memory[:-1, rows] = memory[1:, rows]
            memory[-1, rows] = latest
        rho[:-1, rows] = rho[1:, rows]
        bent = curvature > 1e-10 * length  # upward, as H needs it
        rho[-1, rows] = np.divide(1, curvature, out=np.zeros_like(curvature), where=bent)
        scale[rows[bent]] = curvature[bent] / length[bent]
        decrease = values[rows] - new[good]
        z[rows], values[rows], g[rows] = new_z[good], new[good], new_g[good]
        direction[rows] = _along(g[rows], s[:, rows], y[:, rows], rho[:, rows], scale[rows])
        t[rows], trials[rows] = 1, 0
        for row in rows:
            history[row].append(values[row])
        converged[rows[decrease <= TINY * np.maximum(abs(values[rows]), TINY)]] = True
        converged[active[trials[active] == TRIALS]] = True
        full = np.array([len(history[row]) > iterations for row in active])
        active = active[~converged[active] & ~full]
    length = max(map(len, history))
    trace = np.array([row + row[-1:] * (length - len(row)) for row in history])
    return z, list(trace.T), converged


def _along(g: Array, s: Array, y: Array, rho: Array, scale: Array) -> Array:
    """The direction -H g (n, d) of n rows, from their latest steps s, y (MEMORY, n, d)."""
    q, alphas = g.copy(), []
    for i in reversed(range(MEMORY)):
        alphas.append(rho[i] * (s[i] * q).sum(axis=1))
        q -= alphas[-1][:, None] * y[i]
    q *= scale[:, None]
    for i in range(MEMORY):
        beta = rho[i] * (y[i] * q).sum(axis=1)
        q += (alphas[MEMORY - 1 - i] - beta)[:, None] * s[i]
    return -q

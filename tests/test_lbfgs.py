"""The many-problems L-BFGS, held to functions whose minimum is known, and to SciPy's."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from nnscratch import lbfgs
from nnscratch.lbfgs import minimize_rows


def rosenbrock(z, rows):
    """A curved valley, one for each row, of heights that differ by a factor of 1e6 a row."""
    heights = 1e6 ** (rows - 1.0)
    return heights * rosen(z.T), heights[:, None] * rosen_der(z.T).T


def test_rosenbrocks_valleys_of_all_heights():
    z0 = np.array([[-1.2, 1.0], [-1.2, 1.0], [3.0, -2.0]])
    z, trace, converged = minimize_rows(rosenbrock, z0, 500)
    assert converged.all()
    np.testing.assert_allclose(z, 1, atol=1e-3)
    scipys = minimize(rosen, z0[0], jac=rosen_der, method="L-BFGS-B")
    steps = [len(np.unique(row)) for row in np.array(trace).T]
    assert max(steps) < 2 * scipys.nit + 20
    assert (np.diff(trace, axis=0) <= 0).all()
    np.testing.assert_array_equal(z0[0], [-1.2, 1.0])


def test_a_quadratic_of_few_numbers_needs_few_steps():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 6, 6))
    A = A @ A.transpose(0, 2, 1) + np.eye(6)
    b = rng.normal(size=(5, 6))

    def quadratic(z, rows):
        product = np.einsum("nij,nj->ni", A[rows], z)
        return ((product / 2 - b[rows]) * z).sum(axis=1), product - b[rows]

    z, trace, _ = minimize_rows(quadratic, np.zeros((5, 6)), 200)
    np.testing.assert_allclose(z, np.linalg.solve(A, b[..., None])[..., 0], atol=1e-3)
    assert len(trace) < 40


@pytest.mark.parametrize("iterations", [1, 2, 7])
def test_trials_are_no_iterations(iterations):
    _, trace, converged = minimize_rows(rosenbrock, np.full((1, 2), [-1.2, 1.0]), iterations)
    assert len(trace) == iterations + 1
    assert not converged.any()


def test_trials_are_counted_anew_after_every_step(monkeypatch):
    monkeypatch.setattr(lbfgs, "TRIALS", 5)  # fewer than the whole way needs
    z, _, _ = minimize_rows(rosenbrock, np.full((1, 2), [-1.2, 1.0]), 500)
    np.testing.assert_allclose(z, 1, atol=1e-3)

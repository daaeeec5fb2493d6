"""Mistakes in measures, losses near their edges, and the search for codes."""

from tests.mutation.mutants import Mutant

METRICS, LOSSES, MAP, LBFGS = "metrics.py", "losses.py", "map_inference.py", "lbfgs.py"
OF_METRICS, OF_LOSSES = "test_metrics.py", "test_losses.py"

MUTANTS = [
    Mutant(METRICS, "        nearest[part] = halves.argmin(axis=1)\n", "", OF_METRICS),
    Mutant(METRICS, ".sum(axis=1) != 1)", ".sum(axis=1) < 1)", OF_METRICS),
    Mutant(
        METRICS,
        "np.subtract(images, reference, dtype=np.float64)",
        "(images - reference)",
        OF_METRICS,
    ),
    Mutant(METRICS, "np.subtract(a, b, dtype=np.float64)", "a - b", OF_METRICS),
    Mutant(METRICS, "np.full_like(counts, np.nan)", "np.zeros_like(counts)", OF_METRICS),
    Mutant(METRICS, "1.001 * peak", "1001 * peak", "test_array_checks.py"),
    Mutant(
        "pca.py",
        "mean = rows.mean(axis=0, dtype=np.float64)",
        "mean = rows.mean(axis=0)",
        OF_METRICS,
    ),
    Mutant("pca.py", "range(0, N, 1000)", "range(0, N - 1000, 1000)", OF_METRICS),
    Mutant(LOSSES, "terms.sum(dtype=np.float64)", "terms.sum()", OF_LOSSES),
    Mutant(LOSSES, "np.expm1(logvar) * (0.5 / m)", "(np.exp(logvar) - 1) * (0.5 / m)", OF_LOSSES),
    Mutant(LOSSES, "x = logits.astype(np.float64)", "x = logits", OF_LOSSES),
    Mutant(MAP, "np.where(np.isfinite(last), last, np.inf)", "last", "test_map_inference.py"),
    Mutant(MAP, "self.x[images]", "self.x[: len(z)]", "test_map_inference.py"),
    Mutant(MAP, "pixels, pixels, dtype=np.float64", "pixels, pixels", "test_map_inference.py"),
    Mutant(
        LBFGS,
        "len(history[row]) > iterations",
        "len(history[row]) > iterations - 1",
        "test_lbfgs.py",
    ),
    Mutant(LBFGS, "beta = rho[i] * (y[i] * q)", "beta = rho[i] * (s[i] * q)", "test_lbfgs.py"),
]

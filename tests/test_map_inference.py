"""MAP inference, held to problems whose answer is known."""

import numpy as np
import pytest

from nnscratch.layers import (
    Conv2DTranspose,
    Dense,
    Layer,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Tanh,
)
from nnscratch.map_inference import _Problem, map_estimate

SHAPE = (3, 4, 1)


def linear(dtype=np.float64):
    """g(z) = z W + b."""
    decoder = Sequential([Dense(12), Reshape(SHAPE)], (2,), seed=3, dtype=dtype)
    decoder.params["0.dense.b"][...] = np.random.default_rng(0).standard_normal(12)
    return decoder


def deep(dtype=np.float64):
    layers = [Dense(12), ReLU(), Reshape((2, 2, 3)), Conv2DTranspose(1, 3, strides=2), Sigmoid()]
    return Sequential(layers, (4,), seed=4, dtype=dtype)


def images(n, shape=SHAPE, dtype=np.float64):
    return np.random.default_rng(1).uniform(size=(n, *shape)).astype(dtype)


def starts(s, n, d, dtype=np.float64):
    return np.random.default_rng(2).standard_normal((s, n, d)).astype(dtype)


def ridge(decoder, x, beta, mask):
    """The minimum for a linear decoder: (W M W' + beta) z = W M (x - b)."""
    W, b = decoder.params["0.dense.W"], decoder.params["0.dense.b"]
    rows = []
    for image, m in zip(x.reshape(len(x), -1), mask.reshape(len(x), -1), strict=True):
        A = (W * m) @ W.T + beta * np.eye(2)
        rows.append(np.linalg.solve(A, (W * m) @ (image - b)))
    return np.array(rows)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("masked", [False, True])
def test_linear_decoder_gives_ridge_regression(solver, masked):
    decoder, x, beta = linear(), images(5), 0.3
    mask = np.random.default_rng(4).random(x.shape) < 0.6 if masked else np.ones(x.shape)
    found = map_estimate(
        decoder, x, starts(2, 5, 2), beta, mask=mask if masked else None, solver=solver,
        iterations=3000, learning_rate=2e-2,
    )  # fmt: skip
    np.testing.assert_allclose(found.z, ridge(decoder, x, beta, mask), atol=1e-4)
    error = mask * (x - decoder.forward(found.z))
    expected = (error**2).sum(axis=(1, 2, 3)) + beta * (found.z**2).sum(axis=1)
    np.testing.assert_allclose(found.objective, expected, rtol=1e-8)


def test_unseen_pixels_do_not_count():
    """Whatever stands in them; a mask for all images, and one for each."""
    decoder, x = deep(), images(3, (4, 4, 1))
    mask = np.ones((4, 4, 1))
    mask[:2] = 0
    other = np.where(mask == 1, x, 77.0)
    arguments = starts(1, 3, 4), 0.1
    a = map_estimate(decoder, x, *arguments, mask=mask, iterations=50)
    b = map_estimate(decoder, other, *arguments, mask=np.stack([mask] * 3), iterations=50)
    np.testing.assert_array_equal(a.z, b.z)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_trace_and_best_of_the_starts(solver):
    decoder, x, z0 = deep(), images(4, (4, 4, 1)), starts(3, 4, 4)
    together = map_estimate(decoder, x, z0, 0.05, solver=solver, iterations=120)
    assert together.trace.shape[1:] == (4,)
    np.testing.assert_array_equal(together.trace[-1], together.objective)
    assert (together.trace[-1] < together.trace[0]).all()
    first = ((x - decoder.forward(z0[together.start, range(4)])) ** 2).sum(axis=(1, 2, 3))
    first += 0.05 * (z0[together.start, range(4)] ** 2).sum(axis=1)
    np.testing.assert_allclose(together.trace[0], first, rtol=1e-10)
    if solver == "adam":  # which treats every start by itself
        alone = [map_estimate(decoder, x, z0[i : i + 1], 0.05, iterations=120) for i in range(3)]
        np.testing.assert_allclose(together.objective, np.min([a.objective for a in alone], axis=0))
        assert together.trace.shape[0] == together.evaluations == 121


def test_lbfgs_needs_fewer_evaluations():
    decoder, x, z0 = deep(), images(4, (4, 4, 1)), starts(6, 4, 4)  # one may end in a worse valley
    slow = map_estimate(decoder, x, z0, 0.05, iterations=1500, learning_rate=2e-2)
    fast = map_estimate(decoder, x, z0, 0.05, solver="lbfgs", iterations=500)
    assert fast.objective.sum() < 1.001 * slow.objective.sum()
    assert fast.evaluations < slow.evaluations / 3


def test_decoder_stays_as_it_was():
    decoder = deep(np.float32)
    kept = {k: a.copy() for k, a in decoder.params.items()}
    for gradient in decoder.grads.values():
        gradient[...] = 5
    x, z0 = images(2, (4, 4, 1), np.float32), starts(1, 2, 4, np.float32)
    before = z0.copy()
    found = map_estimate(decoder, x, z0, 0.05, iterations=5)
    assert found.z.dtype == np.float32
    np.testing.assert_array_equal(z0, before)
    for key, array in decoder.params.items():
        np.testing.assert_array_equal(array, kept[key])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_large_beta_draws_codes_to_the_prior(solver):
    layers = [Dense(16), Tanh(), Dense(12), Reshape(SHAPE)]
    decoder = Sequential(layers, (2,), seed=1, dtype=np.float64)
    z0 = starts(1, 3, 2)
    lengths = [
        np.linalg.norm(
            map_estimate(decoder, images(3), z0, beta, solver=solver, iterations=2000).z, axis=1
        )
        for beta in (0.01, 1.0, 100.0)
    ]
    assert (lengths[0] > lengths[1]).all()
    assert (lengths[1] > lengths[2]).all()
    assert (lengths[2] < 0.1).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": images(5)[:, :2]}, "x has shape"),
        ({"x": images(5) * np.nan}, "x holds NaN"),
        ({"starts": starts(1, 4, 2)}, r"starts has shape \(1, 4, 2\); it must be \(S, 5, d\)"),
        ({"starts": starts(1, 5, 2)[0]}, "starts has shape"),
        ({"starts": starts(1, 5, 3)}, "has shape"),
        ({"beta": -1.0}, "beta is -1.0; it must be a finite number >= 0"),
        ({"beta": np.nan}, "beta is nan"),
        ({"solver": "newton"}, "solver is 'newton'"),
        ({"iterations": 0}, "iterations"),
        ({"mask": np.full(SHAPE, 0.5)}, "mask must hold 0"),
        ({"mask": np.ones((2, 2, 1))}, "does not broadcast"),
    ],
)
def test_what_makes_no_sense(changes, words):
    arguments = {"x": images(5), "starts": starts(1, 5, 2), "beta": 0.1, **changes}
    with pytest.raises(ValueError, match=words):
        map_estimate(linear(), **arguments)


def test_other_dtype():
    with pytest.raises(TypeError, match="float32 but the model is float64"):
        map_estimate(linear(), images(2, dtype=np.float32), starts(1, 2, 2), 0.1)


class Cliff(Layer):
    """g(z) = exp(z): from starts far up it is infinite, and stays so."""

    def forward(self, x, training=False):
        self.check_input(x)
        y = np.exp(x).reshape(len(x), *SHAPE)
        self.cache = (y,)
        return y

    def backward(self, dy):
        return (dy * self.cache[0]).reshape(len(dy), -1)

    def output_shape(self, input_shape):
        return SHAPE


def cliff():
    layer = Cliff()
    layer.build((12,), np.random.default_rng(0), np.float64)
    return layer


SOLVERS = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


@SOLVERS
def test_a_start_that_ends_in_nan_loses(solver):
    """Whatever its place, and without a warning, for another start was fine."""
    x, z0 = images(3) + 0.5, np.zeros((2, 3, 12))
    z0[0, 0] = z0[1, 1] = 800  # exp(800) is infinite
    found = map_estimate(cliff(), x, z0, 0.0, solver=solver, iterations=400)
    assert found.start[:2].tolist() == [1, 0]
    np.testing.assert_allclose(found.objective, 0, atol=1e-3)
    assert np.isfinite(found.trace).all()


@SOLVERS
def test_an_image_without_a_finite_start_is_named(solver):
    x, z0 = images(4) + 0.5, np.zeros((2, 4, 12))
    z0[:, 2] = 800
    with pytest.warns(RuntimeWarning, match=r"of 1 of 4 images stay finite, .* image 2\. Start"):
        found = map_estimate(cliff(), x, z0, 0.0, solver=solver, iterations=400)
    assert np.isfinite(found.objective).tolist() == [True, True, False, True]
    assert not found.converged[2]
    np.testing.assert_allclose(found.objective[[0, 1, 3]], 0, atol=1e-3)


@SOLVERS
def test_every_image_and_start_is_searched_for_as_if_alone(solver):
    """Beside an image 10,000 times as bright, whose objective is 1e8 times as large."""
    decoder, x, z0 = deep(), images(4, (4, 4, 1)), starts(2, 4, 4)
    x[1] *= 1e4
    together = map_estimate(decoder, x, z0, 0.05, solver=solver, iterations=200)
    for i in range(4):
        one = slice(i, i + 1)
        alone = map_estimate(decoder, x[one], z0[:, one], 0.05, solver=solver, iterations=200)
        np.testing.assert_allclose(together.z[i], alone.z[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(together.objective[i], alone.objective[0], rtol=1e-7)
        assert together.converged[i] == alone.converged[0] == (solver == "lbfgs")
        n = len(alone.trace)
        np.testing.assert_allclose(together.trace[:n, i], alone.trace[:, 0], rtol=1e-4)
        assert (together.trace[n:, i] == together.trace[n - 1, i]).all()


def test_lbfgs_takes_all_its_iterations_however_many_trials_they_need():
    """And says that they were too few, or that they were enough."""
    few, many = (
        map_estimate(deep(), images(3, (4, 4, 1)), starts(1, 3, 4), 0.05, solver="lbfgs",
                     iterations=iterations)
        for iterations in (3, 500)
    )  # fmt: skip
    assert len(few.trace) == 4
    assert not few.converged.any()
    assert many.converged.all()
    assert 10 < len(many.trace) < 500


@pytest.mark.parametrize("masked", [False, True])
def test_gradient_of_the_objective_by_central_differences(masked):
    """Of every entry of every code, the prior's beta z included."""
    x, z0 = images(3, (4, 4, 1)), starts(2, 3, 4)
    mask = np.random.default_rng(4).random(x.shape) < 0.6 if masked else None
    problem = _Problem(deep(), x, z0, 0.7, mask)
    rows, h = np.arange(6), 1e-6
    dz = problem.value_and_gradient(problem.starts, rows)[1]
    for k in range(4):
        step = h * np.eye(4)[k]
        above, below = (
            problem.value_and_gradient(problem.starts + sign * step, rows)[0] for sign in (1, -1)
        )
        np.testing.assert_allclose(dz[:, k], (above - below) / (2 * h), rtol=1e-6, atol=1e-7)


def test_objective_is_added_up_in_float64():
    """A bright image of a million pixels, from which nothing is taken away."""
    decoder = Sequential([Dense(1_000_000), Reshape((1000, 1000, 1))], (1,), seed=0)
    decoder.params["0.dense.W"][...] = 0
    x = np.full((1, 1000, 1000, 1), 1 / 3, np.float32)
    found = map_estimate(decoder, x, np.zeros((1, 1, 1), np.float32), 0.0, iterations=1)
    assert found.objective[0] == pytest.approx(1e6 * float(x[0, 0, 0, 0]) ** 2, rel=1e-10)

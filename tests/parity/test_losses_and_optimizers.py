"""Losses with their gradients, and optimisers over many steps, are those of PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

from torch.nn import functional

from nnscratch import losses, optimizers
from tests.parity.agreement import TOLERANCE, assert_close

drawn = settings(max_examples=60, deadline=None, derandomize=True)
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
shapes = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)
reductions = st.sampled_from(["mean", "sum", "batch_mean"])
seeds = st.integers(0, 2**32 - 1)


def reduced(total, shape, reduction):
    """A sum over all entries, as the reduction of ours wants it."""
    return total / {"mean": np.prod(shape), "sum": 1, "batch_mean": shape[0]}[reduction]


def compare(ours, theirs, inputs):
    """Value and gradients; ``ours`` gives (value, gradient or gradients)."""
    value, gradients = ours
    theirs.backward()
    like = inputs[0].detach().numpy()
    assert value == pytest.approx(theirs.item(), rel=TOLERANCE[like.dtype])
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for gradient, x in zip(gradients, inputs, strict=True):
        assert_close("gradient", gradient, x.grad, like)


def leaf(array):
    return torch.from_numpy(array.copy()).requires_grad_(True)


@both_dtypes
@drawn
@given(shapes, reductions, seeds)
def test_mse_and_binary_crossentropy(dtype, shape, reduction, seed):
    rng = np.random.default_rng(seed)
    y, target = (3 * rng.standard_normal(shape)).astype(dtype), rng.random(shape).astype(dtype)
    for ours, theirs in (
        (losses.mse, functional.mse_loss),
        (losses.binary_crossentropy, functional.binary_cross_entropy_with_logits),
    ):
        x = leaf(y)
        total = theirs(x, torch.from_numpy(target), reduction="sum")
        compare(ours(y, target, reduction), reduced(total, shape, reduction), [x])


@both_dtypes
@drawn
@given(st.integers(1, 20), st.integers(1, 12), st.sampled_from(["mean", "sum"]), seeds)
def test_softmax_crossentropy(dtype, N, classes, reduction, seed):
    rng = np.random.default_rng(seed)
    logits = (5 * rng.standard_normal((N, classes))).astype(dtype)
    labels = rng.integers(classes, size=N)
    x = leaf(logits)
    theirs = functional.cross_entropy(x, torch.from_numpy(labels), reduction=reduction)
    compare(losses.softmax_crossentropy(logits, labels, reduction), theirs, [x])


@both_dtypes
@drawn
@given(st.integers(1, 9), st.integers(1, 9), seeds)
def test_gaussian_kl(dtype, N, d, seed):
    rng = np.random.default_rng(seed)
    mu, logvar = rng.standard_normal((2, N, d)).astype(dtype)
    inputs = leaf(mu), leaf(logvar)
    posterior = torch.distributions.Normal(inputs[0], torch.exp(inputs[1] / 2))
    prior = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    theirs = torch.distributions.kl_divergence(posterior, prior).sum() / N
    compare(losses.gaussian_kl(mu, logvar), theirs, inputs)


OPTIMIZERS = {
    "SGD": (lambda: optimizers.SGD(0.1), torch.optim.SGD, {"lr": 0.1}),
    "momentum": (
        lambda: optimizers.SGD(0.03, momentum=0.9),
        torch.optim.SGD,
        {"lr": 0.03, "momentum": 0.9},
    ),
    "Nesterov": (
        lambda: optimizers.SGD(0.03, momentum=0.8, nesterov=True),
        torch.optim.SGD,
        {"lr": 0.03, "momentum": 0.8, "nesterov": True},
    ),
    "Adam": (
        lambda: optimizers.Adam(0.01, 0.8, 0.99, 1e-6),
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6},
    ),
    "AdamW": (
        lambda: optimizers.Adam(0.01, weight_decay=0.1),
        torch.optim.AdamW,
        {"lr": 0.01, "weight_decay": 0.1},
    ),
}


@both_dtypes
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps(name, dtype):
    """Gradients that depend on the parameters, so that an error grows."""
    rng = np.random.default_rng(0)
    make_ours, make_theirs, options = OPTIMIZERS[name]
    params = {key: rng.standard_normal(s).astype(dtype) for key, s in (("a", (3, 4)), ("b", (5,)))}
    scales = {key: rng.uniform(0.1, 3, p.shape).astype(dtype) for key, p in params.items()}
    leaves = {key: leaf(p) for key, p in params.items()}
    ours, theirs = make_ours(), make_theirs(leaves.values(), **options)
    for _ in range(20):
        ours.step(params, {key: scales[key] * p for key, p in params.items()})
        for key, parameter in leaves.items():
            parameter.grad = torch.from_numpy(scales[key]) * parameter.detach()
        theirs.step()
    for key, parameter in leaves.items():
        assert_close(key, params[key], parameter, params[key])

"""Values against formulas written another way; gradients against their closed forms.

That each gradient is the derivative of its value is checked in tests/gradcheck.
"""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, log_expit, log_softmax, softmax
from scipy.stats import norm

from nnscratch.layers import GaussianSampling
from nnscratch.losses import binary_crossentropy, gaussian_kl, mse, softmax_crossentropy

DIVISORS = {"mean": 12, "sum": 1, "batch_mean": 3}  # of arrays (3, 4)
REDUCTIONS = pytest.mark.parametrize("reduction", DIVISORS)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@REDUCTIONS
def test_mse(rng, reduction):
    y, target = rng.normal(size=(2, 3, 4))
    value, dy = mse(y, target, reduction)
    m = DIVISORS[reduction]
    assert value == pytest.approx(np.linalg.norm(y - target) ** 2 / m, rel=1e-14)
    np.testing.assert_allclose(dy, 2 * (y - target) / m, rtol=1e-14)


def test_mse_by_hand():
    value, dy = mse(np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[0.0, 2.0], [5.0, 1.0]]))
    assert value == (1 + 0 + 4 + 16) / 4
    assert dy.tolist() == [[0.5, 0.0], [-1.0, 2.0]]


@REDUCTIONS
def test_binary_crossentropy(rng, reduction):
    logits, target = rng.normal(size=(3, 4)) * 5, rng.random((3, 4))
    target[0, :2] = 0, 1
    value, dlogits = binary_crossentropy(logits, target, reduction)
    m = DIVISORS[reduction]
    likelihood = target * log_expit(logits) + (1 - target) * log_expit(-logits)
    assert value == pytest.approx(-likelihood.sum() / m, rel=1e-13)
    np.testing.assert_allclose(dlogits, (expit(logits) - target) / m, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("reduction", "m"), [("mean", 3), ("sum", 1), ("batch_mean", 3)])
def test_softmax_crossentropy(rng, reduction, m):
    logits, labels = rng.normal(size=(3, 4)) * 3, np.array([2, 0, 3])
    value, dlogits = softmax_crossentropy(logits, labels, reduction)
    expected = -log_softmax(logits, axis=1)[[0, 1, 2], labels].sum() / m
    assert value == pytest.approx(expected, rel=1e-13)
    one_hot = np.eye(4)[labels]
    np.testing.assert_allclose(dlogits, (softmax(logits, axis=1) - one_hot) / m, rtol=1e-12)


@REDUCTIONS
def test_gaussian_kl(rng, reduction):
    """Against the integral of q (log q - log p), number by number."""
    mu, logvar = rng.normal(size=(2, 3, 4))
    total = 0.0
    for center, s in zip(mu.ravel(), np.exp(logvar / 2).ravel(), strict=True):
        q = norm(center, s)
        total += quad(
            lambda z, q=q: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)),
            center - 12 * s,
            center + 12 * s,
        )[0]
    m = DIVISORS[reduction]
    value, (dmu, dlogvar) = gaussian_kl(mu, logvar, reduction)
    assert value == pytest.approx(total / m, rel=1e-9)
    np.testing.assert_allclose(dmu, mu / m, rtol=1e-14)
    np.testing.assert_allclose(dlogvar, np.expm1(logvar) / 2 / m, rtol=1e-12)


def test_default_reductions(rng):
    a, b = rng.random((2, 3, 4))
    assert mse(a, b)[0] == mse(a, b, "mean")[0]
    assert binary_crossentropy(a, b)[0] == binary_crossentropy(a, b, "mean")[0]
    assert gaussian_kl(a, b)[0] == gaussian_kl(a, b, "batch_mean")[0]


def test_images_count_every_entry(rng):
    y, target = rng.random((2, 2, 3, 5, 4))
    total = mse(y, target, "sum")[0]
    assert mse(y, target, "mean")[0] == pytest.approx(total / 120, rel=1e-14)
    assert mse(y, target, "batch_mean")[0] == pytest.approx(total / 2, rel=1e-14)


@pytest.mark.parametrize(
    ("mu", "logvar"), [(0.0, 0.0), (1.0, 0.0), (0.3, 1.0), (-2.0, -1.5), (0.0, -4.0), (1.5, 1.2)]
)
def test_sampler_and_kl_agree_what_logvar_is(mu, logvar):
    """E_q[log q(z) - log p(z)], the mean taken over what the sampling layer draws."""
    n = 40_000
    layer = GaussianSampling()
    layer.build((2,), np.random.default_rng(2), np.float64)
    z = layer.forward(np.tile([mu, logvar], (n, 1)), training=True)
    log_ratio = norm.logpdf(z, mu, np.sqrt(np.exp(logvar))) - norm.logpdf(z)
    standard_error = log_ratio.std() / np.sqrt(n)
    value, _ = gaussian_kl(np.array([[mu]]), np.array([[logvar]]))
    assert abs(log_ratio.mean() - value) <= 4 * standard_error + 1e-12


@DTYPES
def test_extreme_logits_stay_finite_without_a_warning(dtype):
    logits = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    value, dlogits = binary_crossentropy(logits, np.array([[1, 0, 0, 1]], dtype), "sum")
    assert value == 2e4
    assert dlogits.tolist() == [[0, 0, 1, -1]]
    value, dlogits = softmax_crossentropy(logits[:, :2].repeat(2, 0), np.array([0, 1]), "sum")
    assert value == 2e4
    assert dlogits.tolist() == [[0, 0], [1, -1]]


def test_equal_huge_logits_share_the_probability():
    value, dlogits = softmax_crossentropy(np.full((1, 4), 1e4), np.array([1]))
    assert value == pytest.approx(np.log(4))
    np.testing.assert_allclose(dlogits, [[0.25, -0.75, 0.25, 0.25]])


@DTYPES
@pytest.mark.parametrize("reduction", DIVISORS)
def test_dtype_is_kept_and_the_value_is_a_python_float(rng, dtype, reduction):
    a, b = rng.random((2, 3, 4)).astype(dtype)
    labels = np.array([0, 3, 1], np.uint8)
    for value, gradient in [
        mse(a, b, reduction),
        binary_crossentropy(a, b, reduction),
        softmax_crossentropy(a, labels, reduction),
    ]:
        assert type(value) is float
        assert (gradient.dtype, gradient.shape) == (dtype, a.shape)
    value, gradients = gaussian_kl(a, b, reduction)
    assert type(value) is float
    assert [(g.dtype, g.shape) for g in gradients] == [(dtype, a.shape)] * 2


def test_a_float32_sum_is_accumulated_in_float64():
    y = np.full((1, 3_000_001), 0.1, np.float32)
    exact = y.size * float(y[0, 0]) ** 2
    assert mse(y, np.zeros_like(y), "sum")[0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("size", [1, 1e-3, 1e-6, 1e-9])
def test_gaussian_kl_near_the_prior(rng, size):
    """In float32: against its series there, mu^2 / 2 + logvar^2 / 4 + logvar^3 / 12 + ..."""
    mu, logvar = (size * rng.normal(size=(2, 50, 4))).astype(np.float32)
    m, v = mu.astype(np.float64), logvar.astype(np.float64)
    series = sum(v**k / math.factorial(k) for k in range(2, 30))
    values = [
        gaussian_kl(m, v, "sum")[0] for m, v in zip(mu[:, None], logvar[:, None], strict=True)
    ]
    np.testing.assert_allclose(values, (m**2 + series).sum(axis=1) / 2, rtol=1e-6)
    dlogvar = gaussian_kl(mu, logvar, "sum")[1][1]
    np.testing.assert_allclose(dlogvar, np.expm1(v) / 2, rtol=3e-7)


@DTYPES
def test_gaussian_kl_is_never_negative(dtype):
    logvar = np.concatenate([np.linspace(-1e-6, 1e-6, 2001), np.logspace(-20, 1, 2000)])
    for signed in (logvar, -logvar):
        for value in signed.astype(dtype):
            assert gaussian_kl(np.zeros((1, 1), dtype), np.full((1, 1), value))[0] >= 0


def test_losses_at_the_ends_of_float32():
    """Squares and differences of numbers that float32 holds, but which it does not hold itself."""
    huge = np.array([[3e38, -3e38]], np.float32)
    distance = 2 * float(huge[0, 0])
    value, dlogits = softmax_crossentropy(huge.repeat(2, 0), np.array([0, 1]), "sum")
    assert value == distance
    assert dlogits.tolist() == [[0, 0], [1, -1]]
    value, dlogits = binary_crossentropy(huge, np.array([[0, 1]], np.float32), "sum")
    assert value == distance
    assert dlogits.tolist() == [[1, -1]]
    for size in (1e20, 1e-30):
        y = np.full((1, 300), size, np.float32)
        value, dy = mse(y, np.zeros_like(y), "sum")
        assert value == pytest.approx(300 * float(y[0, 0]) ** 2, rel=1e-12)
        np.testing.assert_array_equal(dy, 2 * y)
    value, (dmu, dlogvar) = gaussian_kl(np.full((1, 1), 1e20, np.float32), huge[:, :1] / 1e37)
    assert value == pytest.approx((1e40 + math.expm1(30) - 30) / 2)
    assert dmu[0, 0] == np.float32(1e20)
    assert dlogvar[0, 0] == pytest.approx(math.expm1(30) / 2)


def test_every_float32_sum_is_added_up_in_float64():
    """A million equal terms: added in float32, their sum would be off in the fourth digit."""
    n, third = 1_000_000, np.float32(1 / 3)
    y = np.full((1, n), third)
    zeros = np.zeros_like(y)
    term = float(third)
    exact = {
        mse: term**2,
        binary_crossentropy: np.log1p(np.exp(term)),
        gaussian_kl: term**2 / 2,
    }
    for loss, one in exact.items():
        assert loss(y, zeros, "sum")[0] == pytest.approx(n * one, rel=3e-7), loss.__name__
    value = softmax_crossentropy(np.full((n, 3), third), np.zeros(n, int), "sum")[0]
    assert value == pytest.approx(n * np.log(3), rel=1e-9)


def test_inputs_are_left_alone(rng):
    a, b = rng.random((2, 3, 4))
    labels = np.array([0, 3, 1])
    a0, b0, labels0 = a.copy(), b.copy(), labels.copy()
    results = [
        mse(a, b)[1],
        binary_crossentropy(a, b)[1],
        softmax_crossentropy(a, labels)[1],
        *gaussian_kl(a, b)[1],
    ]
    for g in results:
        assert not np.shares_memory(g, a)
        assert not np.shares_memory(g, b)
        g += 1
    assert all(map(np.array_equal, (a, b, labels), (a0, b0, labels0)))


@pytest.mark.parametrize("loss", [mse, binary_crossentropy, gaussian_kl])
def test_shape_mismatch(loss):
    """Broadcasting (3, 1) against (3,) would quietly make nine terms."""
    with pytest.raises(ValueError, match=rf"{loss.__name__}: .*\(3, 1\).*\(3,\).*must be equal"):
        loss(np.zeros((3, 1)), np.zeros(3))


@pytest.mark.parametrize("loss", [mse, binary_crossentropy, softmax_crossentropy, gaussian_kl])
def test_unknown_reduction_and_empty_batch(loss):
    second = np.zeros(2, int) if loss is softmax_crossentropy else np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"reduction is 'average'; .*\"batch_mean\""):
        loss(np.zeros((2, 3)), second, "average")
    for reduction in DIVISORS:
        with pytest.raises(ValueError, match="loss of an empty batch is undefined"):
            loss(np.zeros((0, 3)), second[:0], reduction)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([0.0, 255.0], "from 0.0 to 255.0"),
        ([-0.1, 1.0], "from -0.1 to 1.0"),
        ([0.0, 1.001], "from 0.0 to 1.001"),
        ([0.5, np.nan], "from nan to nan"),
    ],
)
def test_binary_targets_outside_0_1(targets, said):
    with pytest.raises(ValueError, match=rf"targets run {said}; .*must lie in \[0, 1\]"):
        binary_crossentropy(np.zeros((1, 2)), np.array([targets]))


@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 3, 4], "label 4 at index 2"), ([0, -1, 7], "label -1 at index 1")],
)
def test_label_out_of_range(labels, said):
    with pytest.raises(ValueError, match=f"{said} is out of range.* 4 logits.*from 0 to 3"):
        softmax_crossentropy(np.zeros((3, 4)), np.array(labels))


@pytest.mark.parametrize("bad_shape", [(3, 4), (3, 1), (2,)])
def test_labels_of_another_shape(bad_shape):
    with pytest.raises(ValueError, match=r"logits \(N, classes\) and labels \(N,\).*not one-hot"):
        softmax_crossentropy(np.zeros((3, 4)), np.zeros(bad_shape, int))


@pytest.mark.parametrize("dtype", [np.float64, bool])
def test_labels_must_be_integers(dtype):
    with pytest.raises(TypeError, match=r"must be integers.*astype\(int\)"):
        softmax_crossentropy(np.zeros((3, 4)), np.zeros(3, dtype))

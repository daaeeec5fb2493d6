import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import svd
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import log_softmax

from nnscratch.metrics import (
    active_units,
    confusion,
    linear_probe,
    nearest_neighbour_labels,
    paired_bootstrap,
    pca,
    pca_reconstruct,
    psnr,
    silhouettes,
)

few_examples = settings(derandomize=True, deadline=None, max_examples=40)
seeds = st.integers(0, 1000)


@few_examples
@given(seeds, st.integers(1, 30), st.integers(1, 20), st.integers(1, 4))
def test_nearest_neighbour_labels_against_brute_force(seed, n, m, d):
    rng = np.random.default_rng(seed)
    train, codes = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    labels = rng.permutation(n) + 100  # every training code has a label of its own
    expected = [labels[np.argmin([sum((c - t) ** 2) for t in train])] for c in codes]
    assert nearest_neighbour_labels(train, labels, codes).tolist() == expected


@pytest.mark.parametrize("d", [20, 21, 64])
def test_nearest_neighbour_labels_in_many_dimensions(d):
    """With or without a tree, over several blocks of codes, and far from zero."""
    rng = np.random.default_rng(d)
    train, codes = (rng.normal(100, 1, (n, d)).astype(np.float32) for n in (300, 250))
    expected = cdist(codes.astype(float), train.astype(float)).argmin(axis=1)
    assert nearest_neighbour_labels(train, np.arange(300) + 5, codes).tolist() == [*(expected + 5)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ["two distant clusters", "one distant code", "copies", "bytes"])
def test_nearest_neighbours_whose_distances_hardly_differ(case, dtype):
    """64 numbers a code, where the product of matrices rounds away what decides."""
    rng = np.random.default_rng(5)
    train, codes = rng.normal(size=(400, 64)), rng.normal(size=(250, 64))
    if case == "two distant clusters":
        train[::2] += 1e4
        codes[::2] += 1e4
    elif case == "one distant code":
        train[7] = 1e6
    elif case == "copies":
        train[200:] = train[:200]
        codes = train[rng.permutation(400)[:250]] + 1e-7
    else:
        train, codes, dtype = (40 * (6 + train) % 256, 40 * (6 + codes) % 256, np.uint8)
    train, codes = train.astype(dtype), codes.astype(dtype)
    expected = cdist(codes.astype(float), train.astype(float)).argmin(axis=1)
    np.testing.assert_array_equal(nearest_neighbour_labels(train, np.arange(400), codes), expected)


def test_a_training_code_is_its_own_neighbour():
    codes = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    labels = np.arange(50) % 10
    assert nearest_neighbour_labels(codes, labels, codes).tolist() == labels.tolist()


def blobs(rng, n, classes=3, d=4):
    labels = rng.integers(0, classes, n)
    return 3 * np.eye(classes, d)[labels] + rng.normal(size=(n, d)), labels


def probe_by_definition(train, labels, codes, penalty):
    """The penalised likelihood written out, minimised without gradients by another method."""
    scale = np.sqrt(((train - train.mean(axis=0)) ** 2).mean())
    d, C = train.shape[1], labels.max() + 1

    def logits(flat, x):
        return (x - train.mean(axis=0)) / scale @ flat[C:].reshape(d, C) + flat[:C]

    def objective(flat):
        rows = np.arange(len(labels))
        log_likelihood = log_softmax(logits(flat, train), axis=1)[rows, labels].sum()
        return penalty / 2 * (flat[C:] ** 2).sum() - log_likelihood

    found = minimize(objective, np.zeros((d + 1) * C), method="SLSQP", options={"maxiter": 500})
    return logits(found.x, codes).argmax(axis=1)


def test_linear_probe_says_that_it_was_not_finished(monkeypatch):
    class Stopped:
        x, nit, status = np.zeros(4), 1000, 1

    monkeypatch.setattr("nnscratch.metrics.minimize", lambda *_, **__: Stopped)
    codes, labels = np.array([[0.0], [1.0]]), np.array([0, 1])
    with pytest.warns(RuntimeWarning, match="not reached in 1000 iterations; with a larger"):
        linear_probe(codes, labels, codes)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
def test_linear_probe_against_the_definition(penalty):
    """Far from the training codes too, where a wrong weight shows."""
    rng = np.random.default_rng(0)
    train, labels = blobs(rng, 60)
    train = train * [3, 1, 0.3, 1] + 5
    codes = rng.normal(5, 5, (2000, 4))
    expected = probe_by_definition(train, labels, codes, penalty)
    assert len(set(expected)) == 3
    agree = (linear_probe(train, labels, codes, penalty) == expected).mean()
    assert agree > 0.998


def test_linear_probe_has_classes_of_any_name():
    rng = np.random.default_rng(1)
    train, labels = blobs(rng, 300)
    codes, truth = blobs(rng, 300)
    names = np.array([7, 2, 40])
    predicted = linear_probe(train.astype(np.float32), names[labels], codes.astype(np.float32))
    assert set(predicted) == set(names)
    assert (predicted == names[truth]).mean() > 0.9


def test_linear_probe_depends_neither_on_scale_nor_on_place():
    rng = np.random.default_rng(2)
    train, labels = blobs(rng, 100)
    codes = rng.normal(0, 3, (500, 4))
    first = linear_probe(train, labels, codes)
    second = linear_probe(1000 * train - 7, labels, 1000 * codes - 7)
    assert (first == second).mean() > 0.998


def test_linear_probe_of_codes_that_say_nothing():
    """A collapsed code: the commonest label is the best guess, and nothing is divided by zero."""
    labels = np.array([3, 3, 3, 5])
    assert linear_probe(np.ones((4, 2)), labels, np.ones((3, 2))).tolist() == [3, 3, 3]


def test_active_units_by_hand():
    mu = np.zeros((100, 4), np.float32)
    mu[::2] = [2, 0.25, 0.15, 0]  # variances 1, .0156, .0056, 0
    assert active_units(mu) == 2
    assert active_units(mu + 1000) == 2
    assert active_units(mu, threshold=0.5) == 1
    assert active_units(mu, threshold=0) == 3  # a latent that never moves is not active


def test_confusion_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1, 3])
    predicted = np.array([0, 0, 0, 1, 1, 3, 0])
    rows = [[0.75, 0.25, 0, 0], [0, 0.5, 0, 0.5], [np.nan] * 4, [1, 0, 0, 0]]
    np.testing.assert_array_equal(confusion(labels, predicted, 4), rows)


@few_examples
@given(seeds, st.integers(1, 60))
def test_confusion_diagonal_is_the_accuracy_per_class(seed, n):
    labels, predicted = np.random.default_rng(seed).integers(0, 3, (2, n))
    table = confusion(labels, predicted, 3)
    for t in range(3):
        of_class = predicted[labels == t]
        if not len(of_class):
            assert np.isnan(table[t]).all()
        else:
            assert table[t].sum() == pytest.approx(1)
            assert table[t, t] == pytest.approx((of_class == t).mean())


def silhouette_by_definition(codes, labels, i):
    distance = np.sqrt(((codes - codes[i]) ** 2).sum(axis=1))
    own = [j for j in range(len(codes)) if labels[j] == labels[i] and j != i]
    if not own:
        return 0
    a = np.mean(distance[own])
    b = min(distance[labels == other].mean() for other in set(labels) - {labels[i]})
    return (b - a) / max(a, b) if max(a, b) > 0 else 0


@few_examples
@given(seeds, st.integers(2, 5), st.integers(0, 25), st.integers(1, 3))
def test_silhouettes_against_the_definition(seed, classes, more, d):
    """Every class has a member; with few more, some have only that one."""
    rng = np.random.default_rng(seed)
    labels = np.array([7, 2, 5, 0, 9])[[*range(classes), *rng.integers(0, classes, more)]]
    codes = rng.normal(size=(len(labels), d)) + 0.3 * labels[:, None]
    expected = [silhouette_by_definition(codes, labels, i) for i in range(len(codes))]
    np.testing.assert_allclose(silhouettes(codes, labels), expected, rtol=1e-9, atol=1e-12)


def test_silhouettes_by_hand():
    """On a line, class 0 at 0 and 1, class 1 at 4 and 6, a lone class 2 at 20."""
    s = silhouettes(np.array([[0.0], [4], [1], [6], [20]]), np.array([0, 1, 0, 1, 2]))
    np.testing.assert_allclose(s, [1 - 1 / 5, 1 - 2 / 3.5, 1 - 1 / 4, 1 - 2 / 5.5, 0], rtol=1e-12)


def test_silhouettes_of_coinciding_points_are_zero():
    assert silhouettes(np.ones((4, 2)), np.array([0, 0, 1, 1])).tolist() == [0, 0, 0, 0]


def test_silhouettes_over_several_blocks():
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(2003, 2)), rng.integers(0, 4, 2003)
    codes += labels[:, None]
    s = silhouettes(codes, labels)
    assert s.shape == (2003,)
    for i in [0, 1, 998, 999, 1000, 1001, 1999, 2000, 2002]:
        assert s[i] == pytest.approx(silhouette_by_definition(codes, labels, i), rel=1e-9)


def test_silhouettes_of_one_class_are_zero():
    """There is no other class to be far from; that must not make NaN."""
    assert silhouettes(np.array([[0.0], [1.0]]), np.array([3, 3])).tolist() == [0, 0]


def reference_pca(x, k):
    rows = x.reshape(len(x), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    return mean, svd(rows - mean, full_matrices=False)[2][:k]


def assert_same_directions(directions, expected, atol=1e-8):
    """Up to the sign of each."""
    np.testing.assert_allclose(abs((directions * expected).sum(axis=1)), 1, atol=atol)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_pca_against_svd(k):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 12)) * np.arange(12, 0, -1) + 2).reshape(200, 2, 3, 2)
    mean, directions = pca(x, k)
    expected_mean, expected = reference_pca(x, k)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-12)
    assert directions.shape == (k, 12)
    np.testing.assert_allclose(directions @ directions.T, np.eye(k), atol=1e-12)
    assert_same_directions(directions, expected)


@pytest.mark.parametrize("k", [1, 4, 6])
def test_pca_reconstruction_error_is_the_dropped_singular_values(k):
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(50, 6)) * [6, 5, 4, 3, 2, 1] - 3).reshape(50, 3, 2)
    back = pca_reconstruct(x, *pca(x, k))
    assert back.shape == x.shape
    dropped = svd((x - x.mean(axis=0)).reshape(50, 6), compute_uv=False)[k:]
    assert ((back - x) ** 2).sum() == pytest.approx((dropped**2).sum(), rel=1e-9, abs=1e-20)
    twice = pca_reconstruct(back, *pca(x, k))
    np.testing.assert_allclose(twice, back, atol=1e-12)


@pytest.mark.parametrize("offset", [0, 1000])
def test_pca_of_float32_far_from_zero(offset):
    """E[x x'] - mean mean' would lose the variance in the rounding of the large mean."""
    x = np.random.default_rng(2).normal(size=(500, 5)) * [5, 3, 2, 1, 1] + offset
    x = x.astype(np.float32)
    assert_same_directions(pca(x, 3)[1], reference_pca(x, 3)[1], atol=1e-6)


def test_pca_of_bytes():
    """Products of uint8 pixels do not fit in a uint8."""
    rng = np.random.default_rng(3)
    x = (rng.random((300, 4)) * [250, 120, 60, 30]).astype(np.uint8)
    assert_same_directions(pca(x, 2)[1], reference_pca(x, 2)[1], atol=1e-6)


def test_psnr_by_hand():
    """Errors of a tenth and of a hundredth of the range are 20 and 40 dB."""
    reference = np.zeros((3, 2, 2, 1))
    images = reference + np.array([0.1, 0.01, 0]).reshape(3, 1, 1, 1)
    np.testing.assert_allclose(psnr(images, reference), [20, 40, np.inf])
    np.testing.assert_allclose(psnr(2 * images - 1, 2 * reference - 1, peak=2), [20, 40, np.inf])


def test_psnr_of_bytes_is_that_of_their_numbers():
    """1 - 2 is not 255: differences of bytes wrap round, and so do their squares."""
    images, reference = np.array([[[1, 200]], [[255, 0]]], np.uint8), np.zeros((2, 1, 2), np.uint8)
    reference[0] = [[2, 184]]
    expected = 10 * np.log10(255**2 / np.array([(1 + 256) / 2, 255**2 / 2]))
    np.testing.assert_allclose(psnr(images, reference, peak=255), expected)


def test_psnr_adds_up_in_float64():
    """A third in float32, a million times."""
    images = np.full((1, 1_000_000), 1 / 3, np.float32)
    expected = -20 * np.log10(float(images[0, 0]))
    assert psnr(images, np.zeros_like(images))[0] == pytest.approx(expected, abs=1e-9)


def test_pca_mean_is_added_up_in_float64():
    x = np.full((300_000, 2), 0.1, np.float32)
    np.testing.assert_allclose(pca(x, 1)[0], float(np.float32(0.1)), rtol=1e-9)


def test_pca_of_many_rows_counts_each_of_them():
    """The covariance is added up in parts, of which the last is shorter."""
    x = np.zeros((2003, 3))
    x[:1500, 0], x[1999:, 1], x[-1, 2] = 1e-3, 1, 0.9
    assert_same_directions(pca(x, 3)[1], reference_pca(x, 3)[1])


def interval_by_hand(differences, rng, resamples):
    """The middle 95 % of the means of resamples, drawn one after the other."""
    n = len(differences)
    means = [differences[rng.integers(0, n, n)].mean() for _ in range(resamples)]
    return np.percentile(means, [2.5, 97.5])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_paired_bootstrap_by_hand(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.exponential(20, (2, 300)) + np.array([[5], [0]])).astype(dtype)
    difference, *interval = paired_bootstrap(a, b, np.random.default_rng(1), resamples=2000)
    exact = a.astype(float) - b.astype(float)
    assert difference == pytest.approx(exact.mean(), rel=1e-12)
    low, high = interval_by_hand(exact, np.random.default_rng(2), 2000)
    np.testing.assert_allclose(interval, [low, high], atol=0.06 * (high - low))


@pytest.mark.parametrize("place", [0, -1])
def test_paired_bootstrap_draws_the_first_sample_and_the_last(place):
    """Of ten differences one is 10, so the means are how often it was drawn: 0 to 3 or 4 times."""
    a = np.zeros(10)
    a[place] = 10
    difference, low, high = paired_bootstrap(a, np.zeros(10), np.random.default_rng(0))
    assert (difference, low) == (1, 0)
    assert high in (3, 4)


def test_paired_bootstrap_covers_the_truth_about_95_times_in_100():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        common = rng.normal(0, 10, 60)  # in both, so it must not widen the interval
        a, b = common + rng.normal(1, 1, 60), common
        _, low, high = paired_bootstrap(a, b, rng, resamples=400)
        covered += low < 1 < high
        assert high - low < 1
    assert 180 <= covered <= 199


def test_paired_bootstrap_repeats_with_its_seed():
    a, b = np.random.default_rng(0).normal(size=(2, 40))
    first, second = (paired_bootstrap(a, b, np.random.default_rng(3), 50) for _ in range(2))
    assert first == second
    assert paired_bootstrap(a, a, np.random.default_rng(3), 50) == (0, 0, 0)

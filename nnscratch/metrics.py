"""Numbers that say how good a code or a reconstruction is."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from nnscratch.losses import softmax_crossentropy

Array = np.ndarray

TREE_DIMENSIONS = 20  # with more, a k-d tree looks at nearly all points, and more slowly


def nearest_neighbour_labels(train_codes: Array, train_labels: Array, codes: Array) -> Array:
    """Label every code like the training code nearest to it (1-NN, Euclidean distance).

    Parameters
    ----------
    train_codes : array (N, d)
        N codes of d numbers each, as everywhere here.
    train_labels : array (N,)
    codes : array (M, d)

    Returns
    -------
    array (M,)
    """
    if train_codes.shape[1] > TREE_DIMENSIONS:
        return train_labels[_nearest(train_codes, codes)]
    _, nearest = cKDTree(train_codes).query(codes)
    return train_labels[nearest]


def _nearest(train_codes: Array, codes: Array) -> Array:
    """Which training code t is nearest to each code c, from all the distances between them.

    ``|c - t|^2 = |c|^2 - 2 c t + |t|^2``, of which |c|^2 is the same for all t; half of the rest is
    compared. Around the mean, so that little is lost in the rounding of this difference.
    """
    mean = train_codes.mean(axis=0)
    t, c = train_codes - mean, codes - mean
    squares = (t**2).sum(axis=1) / 2
    parts = [(squares - c[s : s + 100] @ t.T).argmin(axis=1) for s in range(0, len(c), 100)]
    return np.concatenate(parts)


def linear_probe(
    train_codes: Array, train_labels: Array, codes: Array, penalty: float = 1.0
) -> Array:
    """Label codes with the best linear classifier of the training codes.

    Multinomial logistic regression: W and b minimise ``sum of cross-entropies of softmax(x W + b)
    + penalty / 2 |W|^2``, a convex problem, solved by L-BFGS. The codes are centred and divided by
    one number, the root of their mean variance, so that the penalty means the same for all codes;
    no axis is stretched against another.

    Parameters
    ----------
    train_codes : array (N, d)
    train_labels : array (N,)
    codes : array (M, d)
    penalty : float >= 0
        Without it, W has no bound where the classes can be separated.

    Returns
    -------
    array (M,)
        Labels that occur in ``train_labels``.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
    """
    classes, index = np.unique(train_labels, return_inverse=True)
    mean = train_codes.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(train_codes.var(axis=0, dtype=np.float64).mean()) or 1.0
    x = (train_codes - mean) / scale
    d, C = x.shape[1], len(classes)  # no channels here

    def objective(flat: Array) -> tuple[float, Array]:
        W, b = flat[: d * C].reshape(d, C), flat[d * C :]
        value, dlogits = softmax_crossentropy(x @ W + b, index, reduction="sum")
        gradient = np.concatenate([(x.T @ dlogits + penalty * W).ravel(), dlogits.sum(axis=0)])
        return value + penalty / 2 * (W**2).sum(), gradient

    options = {"maxiter": 1000, "maxfun": 2000}
    found = minimize(objective, np.zeros((d + 1) * C), jac=True, method="L-BFGS-B", options=options)
    W, b = found.x[: d * C].reshape(d, C), found.x[d * C :]
    return classes[((codes - mean) / scale @ W + b).argmax(axis=1)]


def active_units(mu: Array, threshold: float = 0.01) -> int:
    """How many latents of a VAE say anything about the image.

    Parameters
    ----------
    mu : array (N, d)
        Means of the codes of N images.
    threshold : float
        A latent is active if its mean has a larger variance over the images.

    Returns
    -------
    int

    References
    ----------
    Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, section 5.2.
    """
    return int((mu.var(axis=0, dtype=np.float64) > threshold).sum())


def confusion(labels: Array, predicted: Array, classes: int) -> Array:
    """Row t, column p: which share of the samples of class t was taken for class p.

    Parameters
    ----------
    labels, predicted : arrays (N,) of int
    classes : int

    Returns
    -------
    array (classes, classes)
        Rows sum to 1 (to 0 for a class without samples); the diagonal is the accuracy per class.

    Raises
    ------
    ValueError
        If a label is out of range.
    """
    if min(labels.min(), predicted.min()) < 0 or max(labels.max(), predicted.max()) >= classes:
        raise ValueError(f"labels must run from 0 to {classes - 1}; there are others.")
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, predicted), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def silhouettes(codes: Array, labels: Array) -> Array:
    """How much closer each sample is to its own class than to the nearest other class.

    ``(b - a) / max(a, b)`` with a the mean distance to the other samples of its class and b the
    smallest of the mean distances to the other classes: 1 far inside its own cluster, 0 between
    two, negative inside a foreign one. 0 for the only sample of a class, or if there is one class.

    Parameters
    ----------
    codes : array (N, d)
    labels : array (N,)

    Returns
    -------
    array (N,)

    References
    ----------
    Rousseeuw, J. Comput. Appl. Math. 20, 1987, Eq. 2.
    """
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        return np.zeros(len(codes))  # there is no other class to be far from
    member = np.eye(len(classes))[index]  # (N, classes)
    sizes = member.sum(axis=0)
    result = np.zeros(len(codes))
    for start in range(0, len(codes), 1000):  # a thousand rows of the distance matrix at a time
        part = slice(start, start + 1000)
        sums = cdist(codes[part], codes) @ member  # (rows, classes)
        own = index[part]
        rows = np.arange(len(own))
        a = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
        means = sums / sizes
        means[rows, own] = np.inf
        b = means.min(axis=1)
        largest = np.maximum(a, b)
        s = np.divide(b - a, largest, out=np.zeros_like(a), where=largest > 0)
        result[part] = np.where(sizes[own] > 1, s, 0)
    return result


def pca(x: Array, k: int) -> tuple[Array, Array]:
    """The mean and the k principal directions of ``x``: those in which it varies most.

    Parameters
    ----------
    x : array (N, ...)
        Each sample is taken as one vector of D numbers.
    k : int
        From 1 to D.

    Returns
    -------
    mean : array (D,)
    directions : array (k, D)
        Orthonormal, the direction of largest variance first.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, section 12.1.
    """
    rows = x.reshape(len(x), -1)
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = (rows - mean).astype(np.result_type(x, np.float32))
    covariance = (centred.T @ centred).astype(np.float64) / len(rows)
    D = len(mean)
    _, directions = eigh(covariance, subset_by_index=(D - k, D - 1))
    return mean, directions[:, ::-1].T


def pca_reconstruct(x: Array, mean: Array, directions: Array) -> Array:
    """The points nearest to ``x`` (N, ...) in the plane through ``mean`` along ``directions``."""
    codes = (x.reshape(len(x), -1) - mean) @ directions.T
    return (codes @ directions + mean).reshape(x.shape)


def psnr(images: Array, reference: Array, peak: float = 1.0) -> Array:
    """Peak signal-to-noise ratio of each image, ``10 log10(peak^2 / MSE)``, MSE over its pixels.

    Parameters
    ----------
    images, reference : arrays (N, ...)
    peak : float
        Width of the range of pixels: 1 for [0, 1], 2 for [-1, 1], which gives the same ratio.

    Returns
    -------
    array (N,)
        In decibels; infinite where the two are equal.

    References
    ----------
    Gonzalez & Woods, "Digital Image Processing", 4th ed., 2018, section 8.1 (fidelity criteria).
    """
    errors = ((images - reference) ** 2).reshape(len(images), -1).mean(axis=1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(peak**2 / errors)


def paired_bootstrap(
    a: Array, b: Array, rng: np.random.Generator, resamples: int = 2000
) -> tuple[float, float, float]:
    """How much larger ``a`` is than ``b`` on average, and how sure that is.

    Both were measured on the same N samples, so their differences are drawn, with replacement, N
    at a time; the interval holds the middle 95 % of the means of such draws.

    Parameters
    ----------
    a, b : arrays (N,)
        In the same unit and order.
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    difference, low, high : float
        Mean of ``a - b`` and its 95 % interval.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3 (percentile
    interval).
    """
    differences = a - b
    N = len(differences)
    means = [differences[rng.integers(0, N, N)].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)

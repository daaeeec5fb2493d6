"""Numbers that say how good a code or a reconstruction is.

Arrays of integers, such as bytes, are taken for the numbers that they hold; sums and differences
are those of float64. Every function raises a TypeError or ValueError with a sentence if an array is
empty, not finite, of a wrong shape or of another kind, or if a number makes no sense.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.stats import bootstrap

from nnscratch.array_checks import INTEGERS, NAMES, check_arrays, check_labels, check_number
from nnscratch.layers.geometry import check_count
from nnscratch.losses import softmax_crossentropy
from nnscratch.pca import pca, pca_reconstruct  # noqa: F401, for those who look here

Array = np.ndarray

TREE_DIMENSIONS = 20  # with more, a k-d tree looks at nearly all points, and more slowly


def nearest_neighbour_labels(train_codes: Array, train_labels: Array, codes: Array) -> Array:
    """Label every code like the training code nearest to it (1-NN, Euclidean distance).

    Parameters
    ----------
    train_codes : array (N, d)
        N codes of d numbers each, as everywhere here.
    train_labels : array (N,) of int or str
    codes : array (M, d)

    Returns
    -------
    array (M,)
    """
    check_arrays(
        "nearest_neighbour_labels",
        train_codes=(train_codes, "N d"),
        train_labels=(train_labels, "N", NAMES),
        codes=(codes, "M d"),
    )
    if train_codes.shape[1] > TREE_DIMENSIONS:
        return train_labels[_nearest(train_codes, codes)]
    _, nearest = cKDTree(train_codes).query(codes)
    return train_labels[nearest]


def _nearest(train_codes: Array, codes: Array) -> Array:
    """Which training code t is nearest to each code c, from all the distances between them.

    ``|c - t|^2 = |c|^2 - 2 c t + |t|^2``, of which |c|^2 is the same for all t; half of the rest is
    compared, around the mean, by one product of matrices. Where its rounding could decide, because
    the second nearest is as near but for that, the differences c - t themselves are squared.
    """
    mean = train_codes.mean(axis=0, dtype=np.float64)
    dtype = np.result_type(train_codes, codes, np.float32)  # rounded to that, products are faster
    t, c = (train_codes - mean).astype(dtype), (codes - mean).astype(dtype)
    squares = (t**2).sum(axis=1) / 2
    # each of d products and sums, and t and c themselves, are rounded by half an eps of themselves
    rounding = (t.shape[1] + 4) * np.finfo(dtype).eps * ((c**2).sum(axis=1) + 2 * squares.max())
    nearest = np.empty(len(c), np.intp)
    for start in range(0, len(c), 100):
        part = slice(start, start + 100)
        halves = squares - c[part] @ t.T
        nearest[part] = halves.argmin(axis=1)
        bound = halves.min(axis=1) + rounding[part]
        unsure = start + np.flatnonzero((halves <= bound[:, None]).sum(axis=1) != 1)
        if len(unsure):
            nearest[unsure] = cdist(codes[unsure], train_codes).argmin(axis=1)
    return nearest


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
    train_labels : array (N,) of int or str
    codes : array (M, d)
    penalty : float >= 0
        Without it, W has no bound where the classes can be separated.

    Returns
    -------
    array (M,)
        Labels that occur in ``train_labels``.

    Warns
    -----
    RuntimeWarning
        If the best classifier is not reached within the iterations that L-BFGS is given.

    References
    ----------
    Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
    """
    check_arrays(
        "linear_probe",
        train_codes=(train_codes, "N d"),
        train_labels=(train_labels, "N", NAMES),
        codes=(codes, "M d"),
    )
    check_number("penalty", penalty)
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
    if found.status == 1:  # its number for a limit that was hit
        warnings.warn(
            f"linear_probe: the best classifier was not reached in {found.nit} iterations; with a "
            f"larger penalty than {penalty:g} it is found sooner.",
            RuntimeWarning,
            stacklevel=2,
        )
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
    check_arrays("active_units", mu=(mu, "N d"))
    check_number("threshold", threshold)
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
        Rows sum to 1; the diagonal is the accuracy per class. The row of a class without samples
        is NaN.
    """
    check_count(classes, "classes")
    check_arrays("confusion", labels=(labels, "N", INTEGERS), predicted=(predicted, "N", INTEGERS))
    check_labels("confusion: labels", labels, classes)
    check_labels("confusion: predicted labels", predicted, classes)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, predicted), 1)
    sizes = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sizes, out=np.full_like(counts, np.nan), where=sizes > 0)


def silhouettes(codes: Array, labels: Array) -> Array:
    """How much closer each sample is to its own class than to the nearest other class.

    ``(b - a) / max(a, b)`` with a the mean distance to the other samples of its class and b the
    smallest of the mean distances to the other classes: 1 far inside its own cluster, 0 between
    two, negative inside a foreign one. 0 for the only sample of a class, or if there is one class.

    Parameters
    ----------
    codes : array (N, d)
    labels : array (N,) of int or str

    Returns
    -------
    array (N,)

    References
    ----------
    Rousseeuw, J. Comput. Appl. Math. 20, 1987, Eq. 2.
    """
    check_arrays("silhouettes", codes=(codes, "N d"), labels=(labels, "N", NAMES))
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


def psnr(images: Array, reference: Array, peak: float = 1.0) -> Array:
    """Peak signal-to-noise ratio of each image, ``10 log10(peak^2 / MSE)``, MSE over its pixels.

    Parameters
    ----------
    images, reference : arrays (N, ...)
    peak : float
        Width of the range of pixels: 1 for [0, 1], 2 for [-1, 1], which gives the same ratio, and
        255 for bytes. The pixels of ``reference`` must not lie further apart.

    Returns
    -------
    array (N,)
        In decibels; infinite where the two are equal.

    References
    ----------
    Gonzalez & Woods, "Digital Image Processing", 4th ed., 2018, section 8.1 (fidelity criteria).
    """
    check_arrays("psnr", images=(images, "N ..."), reference=(reference, "N ..."))
    check_number("peak", peak, above=True)
    low, high = float(reference.min()), float(reference.max())
    if high - low > 1.001 * peak:
        raise ValueError(
            f"psnr: the reference's pixels run from {low:g} to {high:g}, further than peak = "
            f"{peak:g}; peak is the width of their range, 1 for [0, 1] and 255 for bytes."
        )
    differences = np.subtract(images, reference, dtype=np.float64).reshape(len(images), -1)
    errors = np.einsum("ij,ij->i", differences, differences) / differences.shape[1]
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
        At least 1.

    Returns
    -------
    difference, low, high : float
        Mean of ``a - b`` and its 95 % interval.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3 (percentile
    interval).
    """
    check_arrays("paired_bootstrap", a=(a, "N"), b=(b, "N"))
    check_count(resamples, "resamples")
    if len(a) == 1:
        raise ValueError("paired_bootstrap: one sample has no interval; at least two are needed.")
    differences = np.subtract(a, b, dtype=np.float64)
    low, high = bootstrap(
        (differences,), np.mean, n_resamples=resamples, method="percentile", batch=100,
        random_state=rng,
    ).confidence_interval  # fmt: skip
    return float(differences.mean()), float(low), float(high)

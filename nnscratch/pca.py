"""Principal components: the plane in which data varies most, the linear code to compare with."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from nnscratch.array_checks import check_arrays
from nnscratch.layers.geometry import check_count

Array = np.ndarray


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
    check_arrays("pca", x=(x, "N ..."))
    rows = x.reshape(len(x), -1)
    N, D = rows.shape
    if not 1 <= check_count(k, "k") <= D:
        raise ValueError(f"k is {k}; vectors of {D} numbers have 1 to {D} principal directions.")
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((D, D))
    for start in range(0, N, 1000):  # so that no second copy of all images is needed
        centred = rows[start : start + 1000] - mean
        covariance += centred.T @ centred / N
    _, directions = eigh(covariance, subset_by_index=(D - k, D - 1))
    return mean, directions[:, ::-1].T


def pca_reconstruct(x: Array, mean: Array, directions: Array) -> Array:
    """The points nearest to ``x`` in the plane through ``mean`` along ``directions``.

    Parameters
    ----------
    x : array (N, ...)
        Each sample is taken as one vector of D numbers.
    mean : array (D,), directions : array (k, D)
        As given by `pca`.

    Returns
    -------
    array like x, float64
    """
    check_arrays("pca_reconstruct", x=(x, "N ..."))
    rows = x.reshape(len(x), -1)
    check_arrays(
        "pca_reconstruct", x=(rows, "N D"), mean=(mean, "D"), directions=(directions, "k D")
    )
    return ((rows - mean) @ directions.T @ directions + mean).reshape(x.shape)

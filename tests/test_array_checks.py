"""Whatever does not suit is answered with a sentence, by every function that takes arrays."""

import re

import numpy as np
import pytest

from nnscratch import metrics
from nnscratch.array_checks import check_number
from nnscratch.metrics import confusion, paired_bootstrap, pca, psnr

X, IMAGES = np.random.default_rng(0).random((6, 3)), np.random.default_rng(1).random((2, 4, 4, 1))
LABELS = np.array([0, 1, 2, 0, 1, 2])
RNG = np.random.default_rng(0)
MEAN, DIRECTIONS = pca(X, 2)

# each with arguments that suit it
CALLS = {
    metrics.nearest_neighbour_labels: (X, LABELS, X[:2]),
    metrics.linear_probe: (X, LABELS, X[:2]),
    metrics.active_units: (X,),
    metrics.confusion: (LABELS, LABELS, 3),
    metrics.silhouettes: (X, LABELS),
    metrics.pca: (X, 2),
    metrics.pca_reconstruct: (X, MEAN, DIRECTIONS),
    metrics.psnr: (IMAGES, IMAGES),
    metrics.paired_bootstrap: (X[:, 0], X[:, 1], RNG, 10),
}
WRONG = {
    "a list": (lambda a: a.tolist(), TypeError, "is a list; it must be a NumPy array"),
    "empty": (lambda a: a[:0], ValueError, "has shape"),
    "bool": (lambda a: a > 0.5, TypeError, "is of bool; it must be"),
    "complex": (lambda a: a + 1j, TypeError, "is of complex128; it must be"),
    "objects": (lambda a: a.astype(object), TypeError, "is of object; it must be"),
    "no axis": (lambda a: a.reshape(-1)[0], TypeError, "it must be a NumPy array"),
    "an axis more": (lambda a: a[..., None, None], ValueError, "has shape"),
    "one sample fewer": (lambda a: a[1:], ValueError, "has shape"),
    "NaN": (lambda a: np.where(a == a.max(), np.nan, a), ValueError, "holds NaN or infinity"),
    "infinite": (lambda a: np.where(a == a.max(), np.inf, a), ValueError, "holds NaN or infinity"),
}
# what suits: any number of samples by themselves, samples of any shape, and labels that are no
# numbers at all
FINE = {
    ("one sample fewer", "nearest_neighbour_labels", 2),
    ("one sample fewer", "linear_probe", 2),
    *(("one sample fewer", name, 0) for name in ("active_units", "pca", "pca_reconstruct")),
    ("one sample fewer", "pca_reconstruct", 2),
    *(("an axis more", name, 0) for name in ("pca", "pca_reconstruct")),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_every_array_of_every_function(function, wrong):
    change, error, words = WRONG[wrong]
    good = CALLS[function]
    function(*good)
    for place, argument in enumerate(good):
        if not isinstance(argument, np.ndarray) or (wrong, function.__name__, place) in FINE:
            continue
        arguments = [*good[:place], change(argument), *good[place + 1 :]]
        if wrong in ("NaN", "infinite") and argument.dtype == int:
            error, words = TypeError, "is of float64; it must be a NumPy array of integers"
        else:
            _, error, words = WRONG[wrong]
        with pytest.raises(error, match=re.escape(words)) as raised:
            function(*arguments)
        assert str(raised.value).startswith(f"{function.__name__}: ")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: psnr(IMAGES, IMAGES[..., 0]), "with ... = (4, 4, 1), as in images"),
        (lambda: psnr(IMAGES, IMAGES, peak=0), "peak is 0; it must be a finite number > 0"),
        (lambda: psnr(IMAGES, IMAGES, peak=-1), "peak is -1; it must be a finite number > 0"),
        (lambda: psnr(255 * IMAGES, 255 * IMAGES), "further than peak = 1; peak is the width"),
        (lambda: psnr(2 * IMAGES - 1, 2 * IMAGES - 1), "further than peak = 1"),
        (lambda: pca(X, 0), "k is 0; it must be an int >= 1"),
        (lambda: pca(X, 4), "k is 4; vectors of 3 numbers have 1 to 3 principal directions"),
        (lambda: pca(X, 1.0), "k is 1.0; it must be an int"),
        (lambda: confusion(LABELS, LABELS, 2), "labels run from 0 to 2; they must run from 0 to 1"),
        (lambda: confusion(LABELS, LABELS - 1, 3), "predicted labels run from -1 to 1"),
        (lambda: confusion(LABELS, LABELS, -1), "classes is -1; it must be an int >= 1"),
        (lambda: paired_bootstrap(X[:1, 0], X[:1, 1], RNG), "one sample has no interval"),
        (lambda: paired_bootstrap(X[:, 0], X[:, 1], RNG, -1), "resamples is -1; it must be an int"),
        (lambda: metrics.linear_probe(X, LABELS, X, -1), "penalty is -1; it must be"),
        (lambda: metrics.active_units(X, np.nan), "threshold is nan; it must be a finite number"),
    ],
)
def test_what_makes_no_sense(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


@pytest.mark.parametrize("value", [-1e-9, np.inf, np.nan, None, "1", True, np.zeros(1)])
def test_check_number(value):
    with pytest.raises(ValueError, match=r"^beta is .*; it must be a finite number >= 0\.$"):
        check_number("beta", value)
    for good in (0, 0.0, np.float32(3), np.int64(2)):
        check_number("beta", good)
    with pytest.raises(ValueError, match=r"beta is 0\.0; .* > 0"):
        check_number("beta", 0.0, above=True)

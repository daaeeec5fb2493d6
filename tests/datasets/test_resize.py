from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from nnscratch import datasets
from nnscratch.datasets.resize import resize


@pytest.mark.parametrize(("height", "width"), [(28, 28), (5, 9), (1, 4)])
@pytest.mark.parametrize("size", [1, 2, 7, 28, 32, 61])
def test_against_scipy(height, width, size):
    x = np.random.default_rng(0).random((3, height, width, 2))
    zoom = (1, size / height, size / width, 1)
    expected = ndimage.zoom(x, zoom, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(resize(x, size), expected, atol=1e-12)


def test_against_numbers_from_the_formula():
    """Output centres at 1/4, 3/4, 5/4, 7/4, input centres at 1/2 and 3/2."""
    x = np.array([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 2, 2, 1)
    expected = [0.0, 0.25, 0.75, 1.0]
    np.testing.assert_array_equal(resize(x, 4)[0, :, :, 0], [expected] * 4)
    np.testing.assert_array_equal(resize(x.transpose(0, 2, 1, 3), 4)[0, :, 0, 0], expected)


@pytest.mark.parametrize("size", [1, 3, 27, 28, 29, 32, 100])
@pytest.mark.parametrize("value", [0.1, 1.0])
def test_constant_image_stays_exactly_constant(size, value):
    x = np.full((2, 28, 28, 1), value, np.float32)
    y = resize(x, size)
    assert y.shape == (2, size, size, 1)
    assert y.dtype == np.float32
    assert (y == np.float32(value)).all()


def test_linear_ramp_stays_linear():
    ramp = np.broadcast_to(np.arange(28.0) + 0.5, (28, 28)).reshape(1, 28, 28, 1)
    row = resize(ramp, 32)[0, 5, :, 0]
    centres = (np.arange(32) + 0.5) * 28 / 32
    np.testing.assert_allclose(row, centres.clip(0.5, 27.5), rtol=1e-14)


def test_same_size_changes_nothing():
    x = np.random.default_rng(0).random((300, 28, 28, 1), np.float32)
    np.testing.assert_array_equal(resize(x, 28), x)


def test_what_is_computed_in_between_stays_small():
    x = np.zeros((2_000, 28, 28, 1), np.float32)
    tracemalloc.start()
    y = resize(x, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * y.nbytes  # 256 images at a time; all at once would need five times as much


@pytest.mark.parametrize("size", [0, -3, 28.0, 2.5, "28", None, True])
def test_wrong_size(size):
    with pytest.raises(ValueError, match=r"size is .*expected a whole number .*at least 1"):
        datasets.mnist(size=size, data="embedded")


def test_mnist_in_other_sizes():
    small = datasets.mnist(data="embedded")
    large = datasets.mnist(size=np.int64(32), data="embedded")
    assert large.x_train.shape == (4000, 32, 32, 1)
    assert large.x_test.shape == (1000, 32, 32, 1)
    assert large.x_train.dtype == np.float32
    assert large.x_train.flags.c_contiguous
    assert large.x_train.min() == 0
    assert large.x_train.max() <= 1
    assert large.source == small.source
    np.testing.assert_array_equal(large.x_test, resize(small.x_test, 32))
    assert datasets.mnist(size=1, data="embedded").x_test.shape == (1000, 1, 1, 1)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.full((1, 2, 2, 1), 200, np.uint8), TypeError, "x is of uint8, which .* divide by 255"),
        (np.ones((2, 2, 1)), ValueError, r"it must be \(N, H, W, C\)"),
        (np.ones((0, 2, 2, 1)), ValueError, "holds nothing"),
        (np.full((1, 2, 2, 1), np.nan), ValueError, "holds NaN or infinity"),
    ],
)
def test_what_cannot_be_resized(x, error, words):
    with pytest.raises(error, match=f"resize: .*{words}"):
        resize(x, 4)

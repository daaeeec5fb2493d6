"""Cutting windows and putting them back; and what NumPy and compiled code share, by adjointness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnscratch.layers.upsampling import bilinear_matrix
from nnscratch.layers.windows import crop, pad, padded_zeros, taps, windows
from tests.kernels import compiled_code, numpy_code
from tests.layers.helpers import many_shapes, normal, window_cases

implementations = pytest.mark.parametrize("k", [numpy_code, compiled_code])
few = st.integers(1, 3)


@implementations
@many_shapes
@given(window_cases(), few, few, few)
def test_the_three_convolution_kernels_are_one_trilinear_form(k, case, N, C, K):
    """sum dy conv(x, W) = sum x input_gradient(dy, W) = sum W weight_gradient(x, dy)."""
    size, kernel, strides, _, pads = case
    x, W = normal(N, *size, C), normal(*kernel, C, K, seed=2)
    y = k.conv2d(x, W, None, strides, pads)
    dy = normal(*y.shape, seed=3)
    dx = k.conv2d_input_gradient(dy, W, size, strides, pads)
    dW = k.conv2d_weight_gradient(x, dy, kernel, strides, pads)
    assert (dx.shape, dW.shape) == (x.shape, W.shape)
    scale = np.linalg.norm(dy) * np.linalg.norm(y)
    assert abs((dx * x).sum() - (dy * y).sum()) <= 1e-10 * scale
    assert abs((dW * W).sum() - (dy * y).sum()) <= 1e-10 * scale


@implementations
def test_bias_is_optional_and_added_once(k):
    x, W, b = normal(2, 4, 4, 3), normal(3, 3, 3, 2), np.array([10.0, 20.0])
    pads = ((1, 1), (1, 1))
    without = k.conv2d(x, W, None, (1, 1), pads)
    np.testing.assert_allclose(k.conv2d(x, W, b, (1, 1), pads), without + b, rtol=1e-12)


@implementations
@many_shapes
@given(window_cases(4, 3, pads_below_kernel=True), few, few)
def test_pooling_kernels_are_adjoint(k, case, N, C):
    size, kernel, strides, _, pads = case
    x = normal(N, *size, C)
    y = k.average_pool2d(x, kernel, strides, pads)
    dy = normal(*y.shape, seed=2)
    dx = k.average_pool2d_input_gradient(dy, size, kernel, strides, pads)
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum(), rtol=1e-9, atol=1e-10)

    y, winner = k.max_pool2d(x, kernel, strides, pads)
    dx = k.max_pool2d_input_gradient(dy, winner, size, kernel, strides, pads)
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(dx.sum(), dy.sum(), rtol=1e-9, atol=1e-10)


def test_windows_are_views_row_by_row():
    x = np.arange(20.0).reshape(1, 4, 5, 1)
    view = windows(x, (2, 3), (2, 1))
    assert view.shape == (1, 2, 3, 2, 3, 1)
    assert view[0, 1, 2, ..., 0].tolist() == [[12, 13, 14], [17, 18, 19]]
    assert np.shares_memory(view, x)


def test_taps_can_be_written_through():
    x = np.zeros((1, 3, 3, 1))
    for _, _, tap in taps(x, (2, 2), (2, 2), (1, 1)):
        assert tap.shape == (1, 2, 2, 1)
        tap += 1
    assert x[0, ..., 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_crop_undoes_pad():
    x, pads = normal(2, 3, 4, 2), ((1, 2), (0, 3))
    padded = pad(x, pads, 7.0)
    assert padded.shape == (2, 6, 7, 2)
    assert padded.sum() == pytest.approx(x.sum() + 7 * 2 * 2 * (6 * 7 - 3 * 4))
    np.testing.assert_array_equal(crop(padded, pads), x)
    assert pad(x, ((0, 0), (0, 0))) is x
    assert padded_zeros(x.shape, pads, x.dtype).shape == padded.shape


def test_bilinear_matrix_by_hand():
    assert bilinear_matrix(2, 2).tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    assert bilinear_matrix(1, 3).tolist() == [[1], [1], [1]]
    assert bilinear_matrix(3, 1).tolist() == np.eye(3).tolist()
    np.testing.assert_allclose(bilinear_matrix(5, 4).sum(axis=1), 1)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import zoom

from nnscratch.layers import UpSampling2D
from tests.layers.helpers import build, image, many_shapes, normal, pairs

few = st.integers(1, 3)
interpolations = pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])


@many_shapes
@given(pairs(1, 6), pairs(1, 4), few, few)
def test_nearest_is_a_kronecker_product(size, factors, N, C):
    x = normal(N, *size, C)
    y = build(UpSampling2D(factors), (*size, C)).forward(x)
    assert y.shape == (N, size[0] * factors[0], size[1] * factors[1], C)
    np.testing.assert_array_equal(y, np.kron(x, np.ones((1, *factors, 1))))


@many_shapes
@given(pairs(1, 6), pairs(1, 4), few, few)
def test_bilinear_is_scipys_zoom_with_pixels_as_areas(size, factors, N, C):
    x = normal(N, *size, C)
    y = build(UpSampling2D(factors, "bilinear"), (*size, C)).forward(x)
    expected = zoom(x, (1, *factors, 1), order=1, grid_mode=True, mode="nearest")
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("row", "factor", "expected"),
    [
        ([0, 4], 2, [0, 1, 3, 4]),  # the new centres stand at -1/4, 1/4, 3/4, 5/4
        ([0, 6], 3, [0, 0, 2, 4, 6, 6]),
        ([0, 4, 0], 2, [0, 1, 3, 3, 1, 0]),
        ([7], 3, [7, 7, 7]),
        ([1, 2], 1, [1, 2]),
    ],
)
def test_bilinear_by_hand(row, factor, expected):
    wide = build(UpSampling2D((1, factor), "bilinear"), (1, len(row), 1))
    np.testing.assert_allclose(wide.forward(image([row])).ravel(), expected, atol=1e-14)
    high = build(UpSampling2D((factor, 1), "bilinear"), (len(row), 1, 1))
    np.testing.assert_allclose(high.forward(image(np.c_[row])).ravel(), expected, atol=1e-14)


@interpolations
@many_shapes
@given(pairs(1, 6), pairs(1, 4), few, few)
def test_backward_is_the_adjoint(interpolation, size, factors, N, C):
    layer = build(UpSampling2D(factors, interpolation), (*size, C))
    x = normal(N, *size, C)
    Ux = layer.forward(x)
    y = normal(*Ux.shape, seed=2)
    Uty = layer.backward(y)
    assert Uty.shape == x.shape
    scale = np.linalg.norm(Ux) * np.linalg.norm(y)
    assert abs((Ux * y).sum() - (x * Uty).sum()) <= 1e-10 * scale


def test_nearest_with_a_pencil():
    layer = build(UpSampling2D((1, 2)), (1, 2, 1))
    assert layer.forward(image([[1, 2]])).ravel().tolist() == [1, 1, 2, 2]
    assert layer.backward(image([[1, 10, 100, 1000]])).ravel().tolist() == [11, 1100]


def test_unknown_interpolation():
    with pytest.raises(ValueError, match=r'interpolation is .cubic..* "nearest" or "bilinear"'):
        UpSampling2D(2, "cubic")

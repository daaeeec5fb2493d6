import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnscratch.layers import AveragePooling2D, MaxPooling2D, Sequential
from tests.layers.helpers import build, image, many_shapes, normal, window_cases

few = st.integers(1, 3)


def naive_pooling(x, dy_of, case, kind):
    """y and dx, one window and one pixel at a time; dy_of(shape) gives the dy to go back with."""
    (H, W), (kh, kw), (sh, sw), _, ((top, bottom), (left, right)) = case
    N, C = len(x), x.shape[3]
    y = np.zeros((N, (H + top + bottom - kh) // sh + 1, (W + left + right - kw) // sw + 1, C))
    dy, dx = dy_of(y.shape), np.zeros_like(x)
    for n, h, w, c in np.ndindex(y.shape):
        pixels = [
            (n, row, column, c)
            for row in range(h * sh - top, h * sh - top + kh)
            for column in range(w * sw - left, w * sw - left + kw)
            if 0 <= row < H and 0 <= column < W
        ]
        if kind == "max":
            winner = max(pixels, key=lambda p: x[p])  # Python's max: the first of equals
            y[n, h, w, c] = x[winner]
            dx[winner] += dy[n, h, w, c]
        else:
            y[n, h, w, c] = sum(x[p] for p in pixels) / len(pixels)
            for p in pixels:
                dx[p] += dy[n, h, w, c] / len(pixels)
    return y, dy, dx


@pytest.mark.parametrize(("make", "kind"), [(MaxPooling2D, "max"), (AveragePooling2D, "mean")])
@many_shapes
@given(
    case=window_cases(most_kernel=4, most_stride=3, pads_below_kernel=True),
    N=few,
    C=few,
    ties=st.booleans(),
)
@example(case=((1, 1), (3, 2), (1, 1), "same", ((1, 1), (0, 1))), N=1, C=1, ties=False)
def test_pooling_is_the_naive_loop(make, kind, case, N, C, ties):
    size, kernel, strides, padding, _ = case
    rng = np.random.default_rng(0)
    # Small whole numbers, none above 0: many ties, and a padding of 0 would beat them all.
    x = rng.integers(-2, 1, (N, *size, C)) - 0.5 if ties else normal(N, *size, C)
    y, dy, dx = naive_pooling(x, rng.standard_normal, case, kind)
    layer = build(make(kernel, strides, padding), (*size, C))
    assert layer.built_shape == y.shape[1:]
    np.testing.assert_allclose(layer.forward(x), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-12, atol=1e-12)


def test_max_pooling_with_a_pencil():
    layer = build(MaxPooling2D(2), (4, 4, 1))
    x = image([[1, 5, 2, 0], [3, 4, 8, 8], [-1, -2, 7, 6], [-3, -1, 6, 7]])
    assert layer.forward(x)[0, ..., 0].tolist() == [[5, 8], [-1, 7]]
    # of the two 8, the two -1 and the two 7 the first takes it all
    assert layer.backward(image([[10, 20], [30, 40]]))[0, ..., 0].tolist() == [
        [0, 10, 0, 0],
        [0, 0, 20, 0],
        [30, 0, 40, 0],
        [0, 0, 0, 0],
    ]


def test_overlapping_windows_with_a_pencil():
    x, dy = image([[1, 9, 2, 3]]), image([[10, 20, 40]])
    most = build(MaxPooling2D((1, 2), 1), (1, 4, 1))
    assert most.forward(x).ravel().tolist() == [9, 9, 3]
    assert most.backward(dy).ravel().tolist() == [0, 30, 0, 40]  # the 9 won twice
    mean = build(AveragePooling2D((1, 2), 1), (1, 4, 1))
    assert mean.forward(x).ravel().tolist() == [5, 5.5, 2.5]
    assert mean.backward(dy).ravel().tolist() == [5, 5 + 10, 10 + 20, 20]


def test_average_does_not_count_padding():
    layer = build(AveragePooling2D(3, 1, "same"), (2, 3, 1))
    y = layer.forward(np.ones((1, 2, 3, 1)))
    assert (y == 1).all()
    # every pixel's gradient: 1/4 from each corner window (2 x 2 real pixels), 1/6 from the middle
    dx = layer.backward(np.ones_like(y))
    corner, middle = 2 * (1 / 4 + 1 / 6), 2 * (1 / 4 + 1 / 6 + 1 / 4)
    np.testing.assert_allclose(dx[0, ..., 0], 2 * [[corner, middle, corner]])


def test_a_pool_of_more_places_than_a_byte_can_count():
    layer = build(MaxPooling2D((17, 16)), (17, 16, 1))
    x = np.arange(17.0 * 16).reshape(1, 17, 16, 1)
    assert layer.forward(x).item() == 271
    dx = layer.backward(np.full((1, 1, 1, 1), 5.0))
    assert dx[0, 16, 15, 0] == dx.sum() == 5


def test_strides_are_the_pool_size_by_default():
    for make in (MaxPooling2D, AveragePooling2D):
        assert make((2, 3)).output_shape((9, 9, 4)) == (4, 3, 4)
        assert make((2, 3), 1).output_shape((9, 9, 4)) == (8, 7, 4)


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_nan_is_not_swallowed(place):
    for make in (MaxPooling2D, AveragePooling2D):
        x = np.arange(16.0).reshape(1, 4, 4, 1)
        x[0, place[0], place[1], 0] = np.nan
        y = build(make(2), (4, 4, 1)).forward(x)
        assert np.isnan(y[0, ..., 0]).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("make", [MaxPooling2D, AveragePooling2D])
@pytest.mark.parametrize("padding", [((2, 0), (0, 0)), ((0, 0), (0, 3)), ((5, 5), (5, 5))])
def test_padding_not_smaller_than_the_pool(make, padding):
    with pytest.raises(ValueError, match=r"layer 0\..*hold no pixel at all; use less padding"):
        Sequential([make((2, 3), 1, padding)], (8, 8, 1))


def test_padding_just_smaller_than_the_pool():
    assert MaxPooling2D((2, 3), 1, ((1, 1), (2, 2))).output_shape((8, 8, 1)) == (9, 10, 1)

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.signal import correlate

from nnscratch.layers import Conv2D, Conv2DTranspose
from tests.layers.helpers import build, image, many_shapes, normal, pairs, window_cases

few = st.integers(1, 3)
ONE_PIXEL = ((1, 1), (4, 3), (2, 1), "same", ((1, 2), (1, 1)))


@many_shapes
@given(window_cases(), few, few, few)
@example(ONE_PIXEL, 1, 1, 1)
@example(((1, 6), (2, 4), (1, 3), "same", ((0, 1), (0, 1))), 2, 3, 2)
def test_conv2d_is_scipys_correlation(case, N, C, K):
    size, kernel, strides, padding, pads = case
    layer = build(Conv2D(K, kernel, strides, padding), (*size, C))
    x, W = normal(N, *size, C), layer.params["W"]
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    expected = [
        [
            sum(correlate(sample[..., c], W[..., c, k], "valid", "direct") for c in range(C))
            + layer.params["b"][k]
            for k in range(K)
        ]
        for sample in padded
    ]
    expected = np.moveaxis(expected, 1, 3)[:, :: strides[0], :: strides[1]]
    y = layer.forward(x)
    assert y.shape == expected.shape == (N, *layer.built_shape)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-10)


@many_shapes
@given(pairs(1, 5), pairs(1, 5), pairs(1, 4), st.data(), few, few, few)
def test_conv2d_transpose_is_the_adjoint_of_conv2d(size, kernel, strides, data, N, C, K):
    padding = data.draw(st.sampled_from(["same", "valid", ((0, 1), (2, 0)), ((1, 1), (0, 3))]))
    output_padding = None
    if data.draw(st.booleans()):  # every number that some Conv2D maps back to `size`
        least = [int(padding == "same" and k % 2 == 0) for k in kernel]
        output_padding = tuple(
            n + data.draw(st.integers(0, s - 1)) for n, s in zip(least, strides, strict=True)
        )
    output_size = expected_size(size, kernel, strides, padding, output_padding)
    assume(min(output_size) > 0)

    transpose = build(Conv2DTranspose(K, kernel, strides, padding, output_padding), (*size, C))
    conv = build(Conv2D(C, kernel, strides, padding), (*output_size, K))
    assert transpose.built_shape == (*output_size, K)
    assert conv.built_shape == (*size, C)
    assert transpose.params["W"].shape == conv.params["W"].shape == (*kernel, K, C)
    transpose.params["W"][...] = conv.params["W"]

    x, y = normal(N, *output_size, K), normal(N, *size, C, seed=2)
    Wx = conv.forward(x) - conv.params["b"]
    Wty = transpose.forward(y) - transpose.params["b"]
    scale = np.linalg.norm(Wx) * np.linalg.norm(y)
    assert abs((Wx * y).sum() - (x * Wty).sum()) <= 1e-10 * scale


def expected_size(size, kernel, strides, padding, output_padding):
    """Keras's formula (`deconv_output_length`), with explicit padding cropped."""
    result = []
    for a, (n, k, s) in enumerate(zip(size, kernel, strides, strict=True)):
        if output_padding is None and padding == "same":
            result.append(n * s)
        elif output_padding is None and padding == "valid":
            result.append(n * s + max(k - s, 0))
        else:
            pad = {"same": 2 * (k // 2), "valid": 0}[padding] if isinstance(padding, str) else 0
            pad += 0 if isinstance(padding, str) else sum(padding[a])
            result.append((n - 1) * s + k - pad + (output_padding or (0, 0))[a])
    return tuple(result)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"kernel_size": 3, "strides": 2, "padding": "same"}, (14, 14, 5)),
        ({"kernel_size": 4, "strides": 2, "padding": "same"}, (14, 14, 5)),
        ({"kernel_size": 3, "strides": 2, "padding": "valid"}, (15, 15, 5)),
        ({"kernel_size": 2, "strides": 3, "padding": "valid"}, (21, 21, 5)),
        ({"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0}, (13, 13, 5)),
        ({"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1}, (14, 14, 5)),
        ({"kernel_size": 3, "strides": 2, "padding": "valid", "output_padding": 1}, (16, 16, 5)),
        ({"kernel_size": (3, 5), "strides": (1, 2), "padding": "valid"}, (9, 17, 5)),
        ({"kernel_size": 4, "strides": 2, "padding": ((1, 1), (1, 1))}, (14, 14, 5)),
    ],
)
def test_conv2d_transpose_sizes_known_from_keras(arguments, shape):
    assert Conv2DTranspose(5, **arguments).output_shape((7, 7, 2)) == shape


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "output_padding"),
    [
        (3, 2, "same", 2),
        (3, 2, "valid", 2),
        (3, 1, "same", 1),
        (4, 2, "same", 0),
        (4, 2, "same", 3),
        ((3, 3), (2, 2), "same", (0, 2)),
    ],
)
def test_impossible_output_padding(kernel, stride, padding, output_padding):
    layer = Conv2DTranspose(1, kernel, stride, padding, output_padding)
    with pytest.raises(ValueError, match=r"output_padding=.* not back to 4 x 4; use None, or"):
        layer.output_shape((4, 4, 1))


def test_a_transpose_that_crops_everything():
    with pytest.raises(ValueError, match="crops away all of it"):
        Conv2DTranspose(1, 2, padding=((1, 1), (0, 0))).output_shape((1, 4, 1))


# The kernel's taps are 1, 10, 100, ...: each digit of y says which pixel that tap met, 0 padding.
@pytest.mark.parametrize(
    ("n", "kernel", "stride", "expected"),
    [
        (3, 2, 1, [21, 32, 3]),  # even kernel: the zero stands after the image
        (3, 4, 1, [3210, 321, 32]),  # one zero before, two after
        (3, 3, 1, [210, 321, 32]),
        (4, 3, 2, [321, 43]),  # stride 2, even size: (0, 1), where (1, 1) would give [210, 432]
        (5, 3, 2, [210, 432, 54]),
        (5, 2, 2, [21, 43, 5]),
        (4, 2, 3, [21, 4]),
        (5, 1, 3, [1, 4]),
        (1, 4, 1, [10]),
        (6, 5, 4, [43210, 654]),
    ],
)
def test_where_same_padding_stands(n, kernel, stride, expected):
    column = np.arange(1.0, n + 1)[:, np.newaxis]
    taps = 10.0 ** np.arange(kernel)
    for rows, size, strides in [
        (column, (kernel, 1), (stride, 1)),
        (column.T, (1, kernel), (1, stride)),
    ]:
        layer = build(Conv2D(1, size, strides, "same"), (*rows.shape, 1))
        layer.params["W"][...] = taps.reshape(*size, 1, 1)
        layer.params["b"][...] = 0
        assert layer.forward(image(rows)).ravel().tolist() == expected
        assert len(expected) == -(-n // stride)


def test_conv2d_with_a_pencil():
    layer = build(Conv2D(1, 2, padding="valid"), (3, 3, 1))
    layer.params["W"][...] = np.reshape([[1, 2], [3, 4]], (2, 2, 1, 1))
    layer.params["b"][...] = 1
    y = layer.forward(image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    # top left: 1*1 + 2*2 + 3*4 + 4*5 + 1 = 38
    assert y[0, ..., 0].tolist() == [[38, 48], [68, 78]]

    dx = layer.backward(image([[1, 0], [2, -1]]))
    # dW[0, 0] = 1*1 + 0*2 + 2*4 - 1*5 = 4, db = 1 + 0 + 2 - 1
    assert layer.grads["W"][..., 0, 0].tolist() == [[4, 6], [10, 12]]
    assert layer.grads["b"].tolist() == [2]
    # centre: 1*4 + 0*3 + 2*2 - 1*1 = 7
    assert dx[0, ..., 0].tolist() == [[1, 2, 0], [5, 7, -2], [6, 5, -4]]


def test_conv2d_transpose_with_a_pencil():
    layer = build(Conv2DTranspose(1, (1, 3), (1, 2), "valid"), (1, 2, 1))
    layer.params["W"][...] = np.reshape([1, 10, 100], (1, 3, 1, 1))
    layer.params["b"][...] = 0.5
    y = layer.forward(image([[1, 2]]))
    # the two windows overlap in the middle: 1 * 100 + 2 * 1
    assert y.ravel().tolist() == [1.5, 10.5, 102.5, 20.5, 200.5]

    dx = layer.backward(image([[1, 2, 3, 4, 5]]))
    assert dx.ravel().tolist() == [1 + 20 + 300, 3 + 40 + 500]
    # dW[j] = x[0] dy[j] + x[1] dy[j + 2]
    assert layer.grads["W"].ravel().tolist() == [1 + 2 * 3, 2 + 2 * 4, 3 + 2 * 5]
    assert layer.grads["b"].tolist() == [15]


def test_batch_samples_do_not_mix():
    layer = build(Conv2D(2, 3), (4, 4, 2))
    x = normal(3, 4, 4, 2)
    np.testing.assert_allclose(
        layer.forward(x), np.concatenate([layer.forward(x[i : i + 1]) for i in range(3)])
    )


@pytest.mark.parametrize(
    ("layer", "shape", "multiply_adds"),
    [
        (Conv2D(4, 3, 2), (8, 6, 3), 4 * 3 * 9 * 3 * 4),  # every output pixel reads a window
        (Conv2DTranspose(4, 3, 2), (8, 6, 3), 8 * 6 * 9 * 3 * 4),  # every input pixel paints one
    ],
)
def test_multiply_adds(layer, shape, multiply_adds):
    assert build(layer, shape).multiply_adds() == multiply_adds


@pytest.mark.parametrize(
    ("make", "weights"), [(Conv2D, (2, 3, 4, 5)), (Conv2DTranspose, (2, 3, 5, 4))]
)
def test_fans_of_the_initializer(make, weights):
    calls = []

    def spy(shape, fan_in, fan_out, rng):
        calls.append((shape, fan_in, fan_out))
        return np.zeros(shape)

    build(make(5, (2, 3), kernel_initializer=spy), (6, 6, 4))
    assert calls == [(weights, 2 * 3 * 4, 2 * 3 * 5)]

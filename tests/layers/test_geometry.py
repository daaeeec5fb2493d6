import numpy as np
import pytest

from nnscratch.layers import (
    AveragePooling2D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    MaxPooling2D,
    Sequential,
    UpSampling2D,
)
from nnscratch.layers.geometry import pair, resolve_padding, window_counts

WINDOWED = {
    "Conv2D": lambda size=3, **more: Conv2D(2, size, **more),
    "Conv2DTranspose": lambda size=3, **more: Conv2DTranspose(2, size, **more),
    "MaxPooling2D": lambda size=3, **more: MaxPooling2D(size, **more),
    "AveragePooling2D": lambda size=3, **more: AveragePooling2D(size, **more),
}
windowed = pytest.mark.parametrize("make", list(WINDOWED.values()), ids=list(WINDOWED))
NO_SIZES = [
    0,
    -1,
    2.0,
    True,
    "3",
    None,
    (3,),
    (1, 2, 3),
    (3, 0),
    (3, 2.5),
    (3, True),
    np.ones((2, 2), int),
]


@windowed
@pytest.mark.parametrize("size", NO_SIZES, ids=repr)
def test_sizes_that_are_none(make, size):
    with pytest.raises(ValueError, match=r"(?s)(kernel|pool)_size is .* must be an int >= 1"):
        make(size)


@windowed
@pytest.mark.parametrize("strides", [0, -2, 1.5, True, (1, 0), (1, 2, 3)], ids=repr)
def test_strides_that_are_none(make, strides):
    with pytest.raises(ValueError, match=r"strides is .* must be an int >= 1"):
        make(strides=strides)


@pytest.mark.parametrize("size", NO_SIZES, ids=repr)
def test_upsampling_factors_that_are_none(size):
    with pytest.raises(ValueError, match=r"(?s)size is .* must be an int >= 1"):
        UpSampling2D(size)


@windowed
@pytest.mark.parametrize("padding", ["full", "SAME", "", 1, None, ((0, 0),), ("same", "same")])
def test_paddings_that_are_none(make, padding):
    with pytest.raises(ValueError, match=r'padding is .* must be "same", "valid" or a pair of'):
        make(padding=padding)


@windowed
@pytest.mark.parametrize("padding", [((-1, 0), (0, 0)), ((0, 0), (0, 0.5)), ((0, 0), (0, True))])
def test_padding_numbers_that_are_none(make, padding):
    with pytest.raises(ValueError, match=r"padding is .* a pair of pairs of ints >= 0"):
        make(padding=padding)


@pytest.mark.parametrize("output_padding", [-1, 0.5, True, (0, -1), "same"])
def test_output_padding_that_is_none(output_padding):
    with pytest.raises(ValueError, match=r"output_padding is .* int >= 0"):
        Conv2DTranspose(1, 3, output_padding=output_padding)


CHANNELS = {
    "Dense": Dense,
    "Conv2D": lambda n: Conv2D(n, 3),
    "Conv2DTranspose": lambda n: Conv2DTranspose(n, 3),
}
channels = pytest.mark.parametrize("make", list(CHANNELS.values()), ids=list(CHANNELS))


@channels
@pytest.mark.parametrize("count", [0, -1, 2.0, True, "3", None], ids=repr)
def test_numbers_of_channels_that_are_none(make, count):
    with pytest.raises(ValueError, match=r"(units|filters) is .* must be an int >= 1"):
        make(count)


@channels
@pytest.mark.parametrize("count", [(8, 16), 2.5], ids=repr)
def test_a_number_of_channels_is_no_pair(make, count):
    with pytest.raises(ValueError, match=r"(units|filters) is .*; it must be an int >= 1\.$"):
        make(count)


@channels
def test_numpy_integers_count_as_integers(make):
    layer = make(np.prod((2, 3)))
    assert layer.output_shape((4,) if isinstance(layer, Dense) else (4, 4, 1))[-1] == 6


@pytest.mark.parametrize("value", [3, np.int64(3), (3, 3), [3, 3], (np.int32(3), 3)], ids=repr)
def test_pair(value):
    assert pair(value, "size") == (3, 3)
    assert all(type(n) is int for n in pair(value, "size"))


@pytest.mark.parametrize("make", [WINDOWED["Conv2D"], WINDOWED["MaxPooling2D"]])
@pytest.mark.parametrize(
    ("size", "padding", "words"),
    [
        ((6, 1), "valid", "height 6 is larger than the image's 5 plus 0 \\+ 0"),
        ((1, 5), "valid", "width 5 is larger than the image's 4 plus 0 \\+ 0"),
        ((9, 1), ((1, 2), (0, 0)), "height 9 is larger than the image's 5 plus 1 \\+ 2"),
    ],
)
def test_a_window_larger_than_the_image(make, size, padding, words):
    with pytest.raises(ValueError, match=rf"layer 0\..*takes? .*\(5, 4, 2\).*{words}"):
        Sequential([make(size, padding=padding)], (5, 4, 2))


@windowed
@pytest.mark.parametrize("shape", [(8,), (8, 8), (2, 8, 8, 1), (0, 8, 1), (8, 8, 0)], ids=str)
def test_inputs_that_are_no_images(make, shape):
    with pytest.raises(ValueError, match=r"expected images of shape \(H, W, C\), got"):
        make().output_shape(shape)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads", "count"),
    [
        (28, 3, 1, (1, 1), 28),
        (28, 2, 1, (0, 1), 28),
        (28, 4, 1, (1, 2), 28),
        (28, 3, 2, (0, 1), 14),
        (7, 3, 2, (1, 1), 4),
        (8, 2, 2, (0, 0), 4),
        (7, 2, 2, (0, 1), 4),
        (5, 1, 3, (0, 0), 2),
        (1, 5, 4, (2, 2), 1),
    ],
)
def test_same_padding_by_hand(size, kernel, stride, pads, count):
    other = (1, 1)  # the pads of an axis of 5 pixels, kernel 3, stride 1
    assert resolve_padding("same", (size, 5), (kernel, 3), (stride, 1)) == (pads, other)
    assert resolve_padding("same", (5, size), (3, kernel), (1, stride)) == (other, pads)
    assert window_counts((size, 5), (kernel, 3), (stride, 1), (pads, other)) == (count, 5)
    assert count == -(-size // stride)

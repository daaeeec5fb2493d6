"""Where a window stands on an image: kernel sizes, strides and padding, one axis at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Padding = str | Sequence[Sequence[int]]


def pair(value: int | Sequence[int], what: str, least: int = 1) -> Pair:
    """Turn an int or a pair of ints into a pair (height, width).

    Raises
    ------
    ValueError
        If it is neither, or below ``least``.
    """
    values: Sequence[int] = value if isinstance(value, Sequence) else (value, value)
    if len(values) != 2 or not all(is_int(v) and v >= least for v in values):
        raise ValueError(
            f"{what} is {value!r}; it must be an int >= {least} or a pair (height, width) of them."
        )
    return int(values[0]), int(values[1])


def check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of one sample as a tuple of ints.

    Raises
    ------
    ValueError
        If it is not a sequence of positive ints.
    """
    if not isinstance(shape, Sequence) or not all(is_int(n) and n > 0 for n in shape):
        raise ValueError(
            f"input_shape is {shape!r}; it must be a tuple of positive ints, the shape of one "
            "sample without the batch axis, such as (28, 28, 1)."
        )
    return tuple(int(n) for n in shape)


def check_count(value: int, what: str) -> int:
    """Return ``value``, a number of channels or units.

    Raises
    ------
    ValueError
        If it is not a positive int.
    """
    if not is_int(value) or value < 1:
        raise ValueError(f"{what} is {value!r}; it must be an int >= 1.")
    return int(value)


def check_padding(padding: Padding) -> str | Pads:
    """Return ``padding`` normalised: "same", "valid" or ((top, bottom), (left, right)).

    Raises
    ------
    ValueError
        If it is anything else, or negative.
    """
    if padding in ("same", "valid"):
        return str(padding)
    if not isinstance(padding, str) and _is_pair(padding, _is_pair_of_counts):
        (top, bottom), (left, right) = padding
        return (int(top), int(bottom)), (int(left), int(right))
    raise ValueError(
        f'padding is {padding!r}; it must be "same", "valid" or a pair of pairs of ints >= 0, '
        "((top, bottom), (left, right))."
    )


def _is_pair(value: object, accepts: Callable[[object], bool]) -> bool:
    return isinstance(value, Sequence) and len(value) == 2 and all(map(accepts, value))


def _is_pair_of_counts(value: object) -> bool:
    return _is_pair(value, lambda n: is_int(n) and n >= 0)  # type: ignore[operator]


def resolve_padding(padding: str | Pads, size: Pair, kernel: Pair, strides: Pair) -> Pads:
    """The numbers of zeros ((top, bottom), (left, right)) put around an image of ``size``.

    "same" makes the output ``ceil(size / stride)`` long, as in Keras: it needs
    ``(ceil(size / stride) - 1) * stride + kernel - size`` zeros (none if that is negative); half of
    them, rounded down, come before the image and the rest after it, so an odd total is asymmetric.
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        return padding  # type: ignore[return-value]
    before_after = []
    for n, k, s in zip(size, kernel, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        before_after.append((total // 2, total - total // 2))
    return before_after[0], before_after[1]


def window_counts(size: Pair, kernel: Pair, strides: Pair, pads: Pads) -> Pair:
    """How many windows fit along each axis: ``(size + pads - kernel) // stride + 1``.

    Raises
    ------
    ValueError
        If the window is larger than the padded image.
    """
    counts = []
    for n, k, s, (before, after), axis in zip(
        size, kernel, strides, pads, ("height", "width"), strict=True
    ):
        if n + before + after < k:
            raise ValueError(
                f"the window's {axis} {k} is larger than the image's {n} plus "
                f'{before} + {after} of padding; use a smaller window or padding="same".'
            )
        counts.append((n + before + after - k) // s + 1)
    return counts[0], counts[1]


def check_image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return ``shape`` as (H, W, C).

    Raises
    ------
    ValueError
        If it is not the shape of a non-empty channels-last image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"expected images of shape (H, W, C), got {tuple(shape)}; put Reshape((H, W, C)) "
            "before this layer, or give a grey image a channel axis with x[..., np.newaxis]."
        )
    return int(shape[0]), int(shape[1]), int(shape[2])


def is_int(value: object) -> bool:
    """Whether ``value`` is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)

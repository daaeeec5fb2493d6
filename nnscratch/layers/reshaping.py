"""Layers that move no number, only the axes: their backward is the reshape back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.geometry import is_int


class Reshape(Layer):
    """Give every sample the shape ``target_shape``; row-major order is kept.

    Parameters
    ----------
    target_shape : int or sequence of int
        Without the batch axis; one entry may be -1, which is then worked out.

    Raises
    ------
    ValueError
        For an impossible target; at build, if the numbers of elements differ.

    Notes
    -----
    Input (N, any shape), output (N, *target_shape).
    """

    def __init__(self, target_shape: int | Sequence[int]) -> None:
        super().__init__()
        target = target_shape if isinstance(target_shape, Sequence) else (target_shape,)
        if not all(is_int(n) and (n > 0 or n == -1) for n in target) or target.count(-1) > 1:
            raise ValueError(
                f"target_shape is {target_shape!r}; it must hold positive ints, and "
                "-1 at most once."
            )
        self.target_shape = tuple(int(n) for n in target)

    def output_shape(self, input_shape: Shape) -> Shape:
        elements, known = math.prod(input_shape), abs(math.prod(self.target_shape))
        fits = elements % known == 0 if -1 in self.target_shape else elements == known
        if not fits:
            raise ValueError(
                f"cannot reshape {tuple(input_shape)}, {elements} numbers, to "
                f"{self.target_shape}; the target must hold as many."
            )
        return tuple(elements // known if n == -1 else n for n in self.target_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x.shape,)
        return x.reshape(len(x), *self.built_shape)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        (x_shape,) = self.cache
        return dy.reshape(x_shape)


class Flatten(Reshape):
    """Make every sample a vector: (N, H, W, C), say, becomes (N, H * W * C)."""

    def __init__(self) -> None:
        super().__init__(-1)

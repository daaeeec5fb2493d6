"""A convolution together with its neighbours, in one compiled pass.

Enlargement before it, ReLU and 2x2 max pooling behind it. The plans, which say how the loops run,
are those of `phases`, and so are the taps, the places of a window.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nnscratch.kernels.convolution.passes import backward, forward
from nnscratch.kernels.convolution.phases import Geometry, Pair, Plan, plans
from nnscratch.kernels.convolution.pooled_passes import pooled_backward
from nnscratch.kernels.convolution.vectors import LANES
from nnscratch.kernels.launch import check_fits

Array = np.ndarray
Size = tuple[int, int, int]


class Block(NamedTuple):
    """What a fused step computes, apart from its numbers.

    ``image`` (H, W, C) before the enlargement by ``factors``, ``output`` (OH, OW, K) of the
    convolution, before pooling; ``before`` are the pads (top, left) of the Conv2D that is meant, or
    whose adjoint is.
    """

    image: Size
    output: Size
    kernel: Pair
    strides: Pair
    before: Pair
    factors: Pair
    transposed: bool
    rectified: bool
    pooled: bool

    def check(self, x: Array, W: Array, b: Array | None = None) -> None:
        """Raise a ValueError or TypeError unless the loops can run over these arrays."""
        if x.dtype not in LANES:
            raise TypeError(f"a convolution got {x.dtype} numbers; it takes float32 and float64.")
        weights, bias = _parameter_shapes(self)
        if x.shape[1:] != self.image:
            check_fits("images", x, (len(x), *self.image), x.dtype)
        check_fits("W", W, weights, x.dtype)
        if b is not None:
            check_fits("b", b, bias, x.dtype)

    def check_outputs(self, samples: int, dtype: np.dtype, winner: Array, *outputs: Array) -> None:
        """The same for y and dy, and the winners of the pooling."""
        OH, OW, K = self.output
        shape = (samples, OH // 2, OW // 2, K) if self.pooled else (samples, OH, OW, K)
        for array in outputs:
            check_fits("outputs", array, shape, dtype)
        if self.pooled:
            check_fits("winners", winner, shape, np.dtype(np.uint8))

    def by_taps(self, W: Array) -> Array:
        """The weights as (taps, C, K), the taps in the order of the plans."""
        if not self.transposed:
            return W.reshape(-1, *W.shape[2:])
        if self.factors != (1, 1):
            W = W[::-1, ::-1]
        return W.reshape(-1, *W.shape[2:]).transpose(0, 2, 1)

    def from_taps(self, dW: Array) -> Array:
        """The inverse of `by_taps`, for the gradient."""
        if not self.transposed:
            return dW.reshape(*self.kernel, *dW.shape[1:])
        dW = dW.transpose(0, 2, 1)
        dW = dW.reshape(*self.kernel, *dW.shape[1:])
        return dW if self.factors == (1, 1) else dW[::-1, ::-1]


@lru_cache(maxsize=512)
def _parameter_shapes(block: Block) -> tuple[tuple[int, ...], tuple[int, ...]]:
    C, K = block.image[2], block.output[2]
    return (*block.kernel, *((K, C) if block.transposed else (C, K))), (K,)


@lru_cache(maxsize=512)
def block_plans(block: Block) -> tuple[Plan, Plan]:
    """Forward, and back to the gradient of the image."""
    if not block.transposed:
        return plans(Geometry(*block[:6]))
    if block.factors == (1, 1):  # the adjoint, with the same weights
        adjoint = Geometry(block.output, block.image, block.kernel, block.strides, block.before)
        return plans(adjoint)[::-1]
    # with stride 1, the adjoint is the convolution with the taps in reverse order
    top, left = (k - 1 - b for k, b in zip(block.kernel, block.before, strict=True))
    return plans(
        Geometry(block.image, block.output, block.kernel, (1, 1), (top, left), block.factors)
    )


def block_forward(block: Block, x: Array, W: Array, b: Array) -> tuple[Array, Array]:
    """The outputs y of the block, and the winners of its pooling (empty without)."""
    block.check(x, W, b)
    there, _ = block_plans(block)
    return forward(there, x, block.by_taps(W), b, block.rectified, block.pooled)


def block_backward(
    block: Block,
    x: Array,
    y: Array | None,
    winner: Array,
    dy: Array,
    W: Array,
    want_dx: bool,
    want_dW: bool,
) -> tuple[Array, Array | None, Array | None]:
    """The gradients dx, dW and db, from what `block_forward` took and gave.

    y is needed for a ReLU only. Without ``want_dx``, dx is empty; without ``want_dW``, dW and db
    are None.
    """
    block.check(x, W)
    outputs = [dy] if y is None else [dy, y]
    block.check_outputs(len(x), x.dtype, winner, *outputs)
    there, back = block_plans(block)
    taps = block.by_taps(W) if want_dx else None
    kept = x if want_dW else None
    if block.pooled and y is not None:
        dx, dW, db = pooled_backward(there, back, kept, dy, taps, y, winner)
    else:
        dx, dW, db = backward(there, back, kept, dy, taps, y)
    return dx, None if dW is None else block.from_taps(dW), db

"""When are two arrays equal, and are a model of ours and its twin?"""

from __future__ import annotations

import numpy as np
import torch

from nnscratch.layers import BatchNormalization, Layer
from tests.parity.translation import Twin

Array = np.ndarray
TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}


def assert_close(
    name: str, found: Array, wanted: torch.Tensor | None, like: Array, least: float = 1e-3
) -> None:
    """Within the tolerance of the dtype, relative to the largest number of the array.

    That counts as ``least`` if it is smaller. What PyTorch gives no gradient to has none.
    """
    assert found.dtype == like.dtype, name
    expected = np.zeros(like.shape) if wanted is None else wanted.detach().numpy()
    assert found.shape == expected.shape, name
    if not found.size:
        return
    off = np.abs(found - expected).max()
    scale = max(np.abs(expected).max(), least)
    assert off <= TOLERANCE[found.dtype] * scale, f"{name}: off by {off:.2g}, largest {scale:.2g}"


def check_model(model: Layer, twin: Twin, x: Array, training: bool) -> None:
    """Output, gradient of the input, gradients of all parameters."""
    rng = np.random.default_rng(3)
    y = model.forward(x, training)
    dy = rng.standard_normal(y.shape).astype(x.dtype)
    dx = model.backward(dy)
    x_twin = torch.from_numpy(x.copy()).requires_grad_(True)
    y_twin = twin(x_twin, training)
    y_twin.backward(torch.from_numpy(dy.copy()))
    assert_close("y", y, y_twin, x)
    assert_close("dx", dx, x_twin.grad, x)
    grads = twin.arrays("grads")
    largest = max((np.abs(grad).max() for _, grad in grads), default=0.0)
    for (name, grad), leaf in zip(grads, twin.parameters(), strict=True):
        least = (100 if is_without_effect(name, twin) else 0.1) * largest
        assert_close(name, grad, leaf.grad, grad, least)


def is_without_effect(name: str, twin: Twin) -> bool:
    """Whether batch normalisation undoes such biases, so that their gradients are rounding alone.

    (A few others are of the same name.)
    """
    normalized = any(isinstance(part, BatchNormalization) for part in twin.parts)
    return normalized and name in ("conv2d.b", "dense.b")

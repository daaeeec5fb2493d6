"""When are two arrays equal, and are a model of ours and its twin?"""

from __future__ import annotations

import numpy as np
import torch

from nnscratch.layers import Layer
from tests.parity.translation import Twin

Array = np.ndarray
TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}


def assert_close(name: str, found: Array, wanted: torch.Tensor | None, like: Array) -> None:
    """Within the tolerance of the dtype, relative to the largest number of the array.

    What PyTorch gives no gradient to has none.
    """
    assert found.dtype == like.dtype, name
    expected = np.zeros(like.shape) if wanted is None else wanted.detach().numpy()
    assert found.shape == expected.shape, name
    if not found.size:
        return
    off = np.abs(found - expected).max()
    scale = max(np.abs(expected).max(), 1e-3)
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
    for (name, grad), leaf in zip(twin.arrays("grads"), twin.parameters(), strict=True):
        assert_close(name, grad, leaf.grad, grad)

"""Stretches of layers that may be fused, drawn, and the check that fused equals unfused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from nnscratch import kernels, layers
from tests.kernels.agreement import channels, pads, same
from tests.layers.helpers import normal, pairs, window_cases

Array = np.ndarray


@contextmanager
def plain_layers() -> Iterator[None]:
    """Within: layers one by one, with the reference kernels."""
    kernels.use_kernels("reference")
    try:
        yield
    finally:
        kernels.use_kernels("compiled")


@dataclass(frozen=True)
class Stretch:
    """Layers that may be fused; ``arguments`` are of UpSampling2D, the convolution, pooling."""

    image: tuple[int, int, int]
    N: int
    upsampling: tuple | None
    convolution: tuple
    transposed: bool
    rectified: bool
    pooling: tuple | None

    def model(self, dtype: type, absolute: bool = False) -> layers.Sequential:
        """Without ReLU and pooling if ``absolute``, and all parameters are then positive."""
        kind = layers.Conv2DTranspose if self.transposed else layers.Conv2D
        parts: list[layers.Layer] = [kind(*self.convolution)]
        if self.upsampling:
            parts.insert(0, layers.UpSampling2D(*self.upsampling))
        if self.rectified and not absolute:
            parts.append(layers.ReLU())
        if self.pooling and not absolute:
            parts.append(layers.MaxPooling2D(*self.pooling))
        return layers.Sequential(parts, self.image, dtype=dtype)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    """[UpSampling2D] + convolution + [ReLU + [MaxPooling2D]], of all kinds."""
    kernel, strides, transposed = draw(pairs(1, 5)), draw(pairs(1, 2)), draw(st.booleans())
    strides = draw(st.sampled_from([(1, 1), strides]))
    enlarged = draw(st.sampled_from([None, None, "nearest", "nearest", "bilinear"]))
    upsampling = enlarged and ((2, 2) if enlarged == "bilinear" else draw(pairs(1, 3)), enlarged)
    padding = draw(st.sampled_from(["same", "valid", "explicit"]))
    padding = draw(pads) if padding == "explicit" else padding
    image = (*draw(pairs(1, 8)), draw(channels))
    convolution = draw(channels), kernel, strides, padding
    ending = draw(st.sampled_from(["", "relu", "halved", "halved", "halved", "pooled"]))
    pooling: tuple | None = None
    if ending == "halved":
        pooling = (2,)
    elif ending == "pooled":
        pooling = draw(window_cases(3, 2, pads_below_kernel=True))[1:4]
    N = draw(st.sampled_from([2, 1, 3, 5, 8, 0]))
    case = Stretch(image, N, upsampling, convolution, transposed, ending != "", pooling)
    try:
        case.model(np.float64)
    except ValueError:  # too small an image
        assume(False)
    return case


def check_stretch(case: Stretch, dtype: type, whole_numbers: bool) -> None:
    """Fused equals unfused: outputs, dx and all gradients.

    Sums of ``whole_numbers`` are exact in every order, so not one bit may differ then, and equal
    numbers in a pooling window are frequent.
    """
    model, plain = case.model(dtype), case.model(np.float64)
    sizes = case.model(np.float64, absolute=True)
    x = _numbers((case.N, *case.image), 1, whole_numbers)
    dy = _numbers((case.N, *model.built_shape), 2, whole_numbers)
    for seed, (name, p) in enumerate(model.params.items()):
        p[...] = _numbers(p.shape, 3 + seed, whole_numbers)
        plain.params[name][...] = p
        sizes.params[name][...] = abs(p)
    x, dy = x.astype(dtype), dy.astype(dtype)
    kept = x.copy(), dy.copy()
    y, dx = model.forward(x, training=True), model.backward(dy)
    assert (x == kept[0]).all()
    assert (dy == kept[1]).all()
    with plain_layers():
        x, dy = (a.astype(np.float64) for a in kept)
        expected, expected_dx = plain.forward(x, training=True), plain.backward(dy)
        same_way = _took_the_same_way(model, plain, y, expected)
        raw = dy  # dL/d(output of the convolution)
        for layer in plain.layers[: len(sizes.layers) - 1 : -1]:
            raw = layer.backward(raw)
        scale = sizes.forward(abs(x))
        dx_scale = sizes.backward(abs(raw))
        for layer in plain.layers[len(sizes.layers) :]:
            scale = layer.forward(scale)
    factor = 0.0 if whole_numbers and (not case.upsampling or "nearest" in case.upsampling) else 1.0
    filters, kernel = case.convolution[:2]
    seen = int(np.prod(kernel)) * int(np.prod(case.upsampling[0] if case.upsampling else 1))
    spare = 16  # roundings of bilinear interpolation
    same(y, expected, dtype, seen * case.image[2] + spare, factor * scale)
    if not same_way:
        assert factor, "of equal numbers, another one won"
        return  # a number so close to 0 or to a rival that rounding decided
    same(dx, expected_dx, dtype, seen * filters + spare, factor * dx_scale)
    pixels = max(raw[..., 0].size, x[..., 0].size * seen)
    for name, gradient in model.grads.items():
        scale = factor * sizes.grads[name]
        same(gradient, plain.grads[name], dtype, pixels + seen + spare, scale)


def _numbers(shape: tuple[int, ...], seed: int, whole: bool) -> Array:
    numbers = normal(*shape, seed=seed)
    return np.round(1.5 * numbers) if whole else numbers.astype(np.float32).astype(np.float64)


def _took_the_same_way(
    model: layers.Sequential, plain: layers.Sequential, y: Array, expected: Array
) -> bool:
    """Whether ReLU and pooling let the same numbers through."""
    if not isinstance(model.layers[-1], layers.ReLU | layers.MaxPooling2D):
        return True
    if not np.array_equal(y > 0, expected > 0):
        return False
    if isinstance(model.layers[-1], layers.ReLU):
        return True
    return np.array_equal(model.layers[-1].cache[0][y > 0], plain.layers[-1].cache[0][y > 0])

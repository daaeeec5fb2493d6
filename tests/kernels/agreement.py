"""Do the compiled convolutions and the fused steps agree with the reference?

Drawn cases and their checks, for the tests here and in tests/layers/test_fusion.py. As a program,
``python -m tests.kernels.agreement``, it checks a fixed set of cases, for child processes in which
numba compiles for a lesser CPU or has another number of threads.

How far numbers may be off. A sum of n products, in whatever order and with or without fused
multiply-adds, differs from the exact one by at most ``n u / (1 - n u) * sum |product|``, u being
half the distance from 1 to the next number (Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, section 3.1). So for float32 everything is compared with the float64 reference,
within that bound; what is rounded only once, such as a single product, may then be off by an ulp.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numba
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnscratch import kernels, layers
from nnscratch.kernels import compiled, compiled_blocks, reference
from tests.layers.helpers import normal, pairs, window_cases

Array = np.ndarray
LAYOUTS = ["contiguous", "strided", "transposed", "readonly"]
CHANNELS = [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 40]
many_cases = settings(max_examples=300, deadline=None, derandomize=True)
channels = st.sampled_from(CHANNELS)
pads = st.tuples(pairs(0, 4), pairs(0, 4))


def laid_out(values: Array, layout: str) -> Array:
    """The same numbers, lying differently in memory."""
    values = values.copy()
    if layout == "strided":
        wide = np.full((2 * len(values), *values.shape[1:-1], 3 * values.shape[-1]), 99.0)
        wide = wide.astype(values.dtype)
        wide[::2, ..., ::3] = values
        return wide[::2, ..., ::3]
    if layout == "transposed":
        return np.asfortranarray(values)
    values.flags.writeable = layout != "readonly"
    return values


def same(found: Array, expected: Array, dtype: type, terms: int, scale: Array) -> None:
    """``found`` is ``expected``, rounded: ``scale`` holds the sums of the |products|.

    Two more terms are for the bias and the final rounding. ``expected`` is in float64; if ``dtype``
    is, too, it has errors of its own, so u counts twice.
    """
    assert (found.dtype, found.shape) == (dtype, expected.shape)
    assert found.flags.c_contiguous
    u = np.finfo(dtype).eps / (2 if dtype == np.float32 else 1)
    bound = (terms + 2) * u * scale
    wrong = abs(found - expected) > bound
    assert not wrong.any(), f"{wrong.sum()} numbers are off, such as {np.argwhere(wrong)[0]}"


# ---------------------------------------------------------------- the three convolution kernels


@dataclass(frozen=True)
class Convolution:
    """Everything but the numbers."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[tuple[int, int], tuple[int, int]]
    N: int
    C: int
    K: int
    layouts: tuple[str, str, str] = ("contiguous",) * 3

    @property
    def out_size(self) -> tuple[int, int]:
        oh, ow = (
            (n + sum(p) - k) // s + 1
            for n, k, s, p in zip(self.size, self.kernel, self.strides, self.pads, strict=True)
        )
        return oh, ow

    def arrays(self, dtype: type) -> tuple[Array, Array, Array, Array]:
        """x, W, b, dy."""
        x, W, dy = (
            laid_out(normal(*shape, seed=seed, dtype=dtype), layout)
            for seed, (shape, layout) in enumerate(zip(self.shapes(), self.layouts, strict=True))
        )
        return x, W, normal(self.K, seed=4, dtype=dtype), dy

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return (
            (self.N, *self.size, self.C),
            (*self.kernel, self.C, self.K),
            (self.N, *self.out_size, self.K),
        )


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    kernel, padding = draw(pairs(1, 5)), draw(pads)
    least = [max(1, k - sum(p)) for k, p in zip(kernel, padding, strict=True)]
    size = draw(pairs(1, 12)) if draw(st.integers(0, 5)) else (1, 1)
    size = max(least[0], size[0]), max(least[1], size[1])
    numbers = draw(st.integers(0, 12)), draw(channels), draw(channels)
    layouts = draw(st.tuples(*3 * [st.sampled_from(LAYOUTS)]))
    return Convolution(size, kernel, draw(pairs(1, 3)), padding, *numbers, layouts)


def check_convolution(case: Convolution, dtype: type) -> None:
    """All three kernels agree with the reference in float64, and leave their arguments alone."""
    x, W, b, dy = arrays = case.arrays(dtype)
    kept = [a.copy() for a in arrays]
    window = case.strides, case.pads
    y = compiled.conv2d(x, W, b, *window)
    without_bias = compiled.conv2d(x, W, None, *window)
    dW = compiled.conv2d_weight_gradient(x, dy, case.kernel, *window)
    dx = compiled.conv2d_input_gradient(dy, W, case.size, *window)
    for a, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(a, before)

    x, W, b, dy = (a.astype(np.float64) for a in kept)
    ax, aW, ab, ady = (abs(a) for a in (x, W, b, dy))
    taps = int(np.prod(case.kernel))
    for found, bias, abias in ((y, b, ab), (without_bias, None, None)):
        expected, scale = (
            reference.conv2d(x, W, bias, *window),
            reference.conv2d(ax, aW, abias, *window),
        )
        same(found, expected, dtype, taps * case.C, scale)
    expected, scale = (
        reference.conv2d_weight_gradient(*a, case.kernel, *window) for a in ((x, dy), (ax, ady))
    )
    same(dW, expected, dtype, int(np.prod(dy.shape[:3])), scale)
    expected, scale = (
        reference.conv2d_input_gradient(*a, case.size, *window) for a in ((dy, W), (ady, aW))
    )
    same(dx, expected, dtype, taps * case.K, scale)


# ---------------------------------------------------------------- stretches of layers


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
    upsampling = draw(
        st.none() | st.tuples(pairs(1, 3), st.just("nearest")) | st.just(((2, 2), "bilinear"))
    )
    padding = draw(st.sampled_from(["same", "valid", "explicit"]))
    padding = draw(pads) if padding == "explicit" else padding
    image = (*draw(pairs(1, 8)), draw(channels))
    convolution = draw(channels), kernel, strides, padding
    rectified = draw(st.booleans())
    pooling = None
    if rectified and draw(st.booleans()):
        _, *pool, _ = draw(window_cases(3, 2, pads_below_kernel=True))
        pooling = draw(st.sampled_from([(2,), tuple(pool)]))
    N = draw(st.integers(0, 5))
    case = Stretch(image, N, upsampling, convolution, transposed, rectified, pooling)
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
    if not _took_the_same_way(model, plain, y, expected):
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


# ---------------------------------------------------------------- the program


def main() -> None:
    raise NotImplementedError

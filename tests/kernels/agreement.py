"""Do the compiled convolutions agree with the reference? Drawn cases, and their check.

Those of fused steps stand in tests/kernels/stretches.py. As a program,
``python -m tests.kernels.agreement``, it checks a fixed set of cases, for child processes in which
numba compiles for a lesser CPU or has another number of threads.

How far numbers may be off. A sum of n products, in whatever order and with or without fused
multiply-adds, differs from the exact one by at most ``n u / (1 - n u) * sum |product|``, u being
half the distance from 1 to the next number (Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, section 3.1). So for float32 everything is compared with the float64 reference,
within that bound; what is rounded only once, such as a single product, may then be off by an ulp.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnscratch.kernels import pooling
from nnscratch.kernels.convolution import vectors
from tests.kernels import compiled_code as compiled
from tests.kernels import numpy_code as reference
from tests.layers.helpers import normal, pairs

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


# ---------------------------------------------------------------- the program


def main() -> None:
    """Check a part of the cases with one thread and with all, and say what was done on what."""
    from tests.kernels.stretches import check_stretch, stretches

    done = {"bits": vectors.BITS, "threads": numba.config.NUMBA_NUM_THREADS, "agreed": 0}

    @settings(many_cases, max_examples=80)
    @given(convolutions(), stretches(), st.sampled_from([np.float32, np.float64]), st.booleans())
    def check(convolution, stretch, dtype, whole_numbers):
        check_convolution(convolution, dtype)
        check_stretch(stretch, dtype, whole_numbers)
        done["agreed"] += 2

    for threads in sorted({1, done["threads"]}):
        numba.set_num_threads(threads)
        check()
    done["agreed"] += _check_other_kernels()
    print(json.dumps(done))


def _check_other_kernels() -> int:
    """The drawn tests of pooling and of what is done number by number; how many there are."""
    from tests.kernels import test_pointwise, test_pooling

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "BLOCK", 40)  # so that several threads have work
        modules = vars(test_pointwise), vars(test_pooling)
        tests = [f for names in modules for f in names.values() if hasattr(f, "hypothesis")]
        for test in tests:
            test()
    return len(tests)


if __name__ == "__main__":
    main()

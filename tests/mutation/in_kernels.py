"""Mistakes in kernels."""

from tests.mutation.mutants import Mutant

REFERENCE, POINTWISE = "kernels/reference.py", "kernels/reference_pointwise.py"
FAST_POINTWISE, FAST_POOLING = "kernels/compiled_pointwise.py", "kernels/compiled_pooling.py"

MUTANTS = [
    # -- kernels
    Mutant(REFERENCE, "i : i + sh * OH : sh", "i : i + sw * OH : sw", "kernels/test_reference.py"),
    Mutant(
        REFERENCE,
        "top : top + size[0], left : left + size[1]",
        "top : top + size[0], top : top + size[1]",
        "kernels layers/test_convolution.py",
    ),
    Mutant(
        REFERENCE,
        "dx_tap += (dy_rows @ W[i, j].T)",
        "dx_tap[...] = (dy_rows @ W[i, j].T)",
        "kernels/test_reference.py layers/test_convolution.py kernels/test_compiled_convolution.py",
    ),
    Mutant(
        REFERENCE,
        "pad(x, pads, -np.inf)",
        "pad(x, pads)",
        "kernels/test_reference.py layers/test_pooling.py kernels/test_compiled_pooling.py",
    ),
    Mutant(
        REFERENCE,
        "in reversed(x_taps)",
        "in x_taps",
        "kernels/test_reference.py layers/test_pooling.py kernels/test_compiled_pooling.py",
    ),
    Mutant(
        REFERENCE,
        "(p + 0.5) / factor - 0.5",
        "p / factor",
        "kernels/test_reference.py layers/test_upsampling.py",
    ),
    Mutant(
        REFERENCE,
        "dy.reshape(N, H, fh, W, fw, C).sum(axis=(2, 4))",
        "dy.reshape(N, H, fh, W, fw, C).mean(axis=(2, 4))",
        "kernels/test_reference.py kernels/test_compiled_pooling.py layers/test_upsampling.py",
    ),
    Mutant(POINTWISE, "(x, 0), x > 0", "(x, 0), x >= 0", "kernels/test_compiled_pointwise.py"),
    Mutant(
        POINTWISE,
        "((x - mean) ** 2).mean(axis=axes)",
        "((x - mean) ** 2).mean(axis=axes) * 1.1",
        "kernels/test_compiled_pointwise.py",
    ),
    Mutant(
        POINTWISE, "- xhat * (dgamma / m)", "- xhat * dgamma", "kernels/test_compiled_pointwise.py"
    ),
    Mutant(
        POINTWISE, "mhat = m / (1 - beta_1**t)", "mhat = m", "kernels/test_compiled_pointwise.py"
    ),
    Mutant(
        FAST_POINTWISE,
        "y[i] = x[i] if x[i] > 0 else slope * x[i]",
        "y[i] = x[i] if x[i] > 0 else -slope * x[i]",
        "kernels/test_compiled_pointwise.py",
    ),
    Mutant(
        FAST_POINTWISE,
        "np.sqrt(v[i] / bias_2) + epsilon",
        "np.sqrt(v[i] / bias_2 + epsilon)",
        "kernels/test_compiled_pointwise.py test_optimizers.py",
    ),
    Mutant(
        FAST_POINTWISE,
        "rise_2 * (g[i] * g[i])",
        "rise_2 * g[i]",
        "kernels/test_compiled_pointwise.py test_optimizers.py",
    ),
    Mutant(FAST_POINTWISE, "        p[i] -= decay * p[i]\n", "", "test_optimizers.py"),
    Mutant(
        FAST_POOLING,
        "tap if pixel > best else first",
        "tap if pixel >= best else first",
        "kernels/test_compiled_pooling.py",
    ),
    Mutant(
        FAST_POOLING,
        "2 * oh + 1, 2 * ow, c]",
        "2 * oh, 2 * ow, c]",
        "kernels/test_compiled_pooling.py",
    ),
    Mutant(
        "kernels/buffers.py",
        "        if sys.getrefcount(block[0]) == _HELD_BY_NOBODY:\n",
        "        if True:\n",
        "kernels/test_buffers.py",
    ),
    Mutant(
        "kernels/buffers.py",
        "block[2] > _requests - _FORGET",
        "block[2] > 0",
        "kernels/test_buffers.py",
    ),
]

"""Mistakes in kernels."""

from tests.mutation.mutants import LAYERS, Mutant

FAST_POINTWISE, FAST_POOLING = "kernels/pointwise.py", "kernels/pooling.py"

MUTANTS = [
    # -- kernels
    Mutant(
        "layers/windows.py",
        "i : i + sh * OH : sh",
        "i : i + sw * OH : sw",
        "layers/test_windows.py",
    ),
    Mutant(
        "layers/windows.py",
        "top : top + H, left : left + W",
        "top : top + H, top : top + W",
        "layers/test_windows.py layers/test_convolution.py",
    ),
    Mutant(
        "layers/convolution.py",
        "dx_tap += (dy_rows @ W[i, j].T)",
        "dx_tap[...] = (dy_rows @ W[i, j].T)",
        "layers/test_windows.py layers/test_convolution.py kernels/test_convolution.py",
    ),
    Mutant(
        "layers/pooling.py",
        "pad(x, self.pads(), -np.inf)",
        "pad(x, self.pads())",
        "layers/test_windows.py layers/test_pooling.py kernels/test_pooling.py",
    ),
    Mutant(
        "layers/pooling.py",
        "in reversed(list(self._taps(padded)))",
        "in self._taps(padded)",
        "layers/test_windows.py layers/test_pooling.py kernels/test_pooling.py",
    ),
    Mutant(
        "layers/upsampling.py",
        "(p + 0.5) / factor - 0.5",
        "p / factor",
        "layers/test_windows.py layers/test_upsampling.py",
    ),
    Mutant(
        "layers/upsampling.py",
        "dy.reshape(len(dy), H, fh, W, fw, C).sum(axis=(2, 4))",
        "dy.reshape(len(dy), H, fh, W, fw, C).mean(axis=(2, 4))",
        "layers/test_windows.py kernels/test_pooling.py layers/test_upsampling.py",
    ),
    Mutant(
        "layers/activations.py",
        "positive = x > 0",
        "positive = x >= 0",
        "layers/test_activations.py",
    ),
    Mutant(
        "layers/normalization.py",
        "((x - mean) ** 2).mean(axis=self._axes())",
        "((x - mean) ** 2).mean(axis=self._axes()) * 1.1",
        "layers/test_normalization.py",
    ),
    Mutant("layers/normalization.py", "- xhat * (dgamma / m)", "- xhat * dgamma", LAYERS),
    Mutant("optimizers.py", "m / (1 - self.beta_1**t), v", "m, v", "test_optimizers.py"),
    Mutant(
        FAST_POINTWISE,
        "y[i] = x[i] if x[i] > 0 else slope * x[i]",
        "y[i] = x[i] if x[i] > 0 else -slope * x[i]",
        "kernels/test_pointwise.py",
    ),
    Mutant(
        FAST_POINTWISE,
        "np.sqrt(v[i] / bias_2) + epsilon",
        "np.sqrt(v[i] / bias_2 + epsilon)",
        "kernels/test_pointwise.py test_optimizers.py",
    ),
    Mutant(
        FAST_POINTWISE,
        "rise_2 * (g[i] * g[i])",
        "rise_2 * g[i]",
        "kernels/test_pointwise.py test_optimizers.py",
    ),
    Mutant(FAST_POINTWISE, "        p[i] -= decay * p[i]\n", "", "test_optimizers.py"),
    Mutant(
        FAST_POOLING,
        "tap if pixel > best else first",
        "tap if pixel >= best else first",
        "kernels/test_pooling.py",
    ),
    Mutant(
        FAST_POOLING,
        "2 * oh + 1, 2 * ow, c]",
        "2 * oh, 2 * ow, c]",
        "kernels/test_pooling.py",
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

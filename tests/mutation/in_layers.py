"""Mistakes in layers and their initial weights."""

from tests.mutation.mutants import LAYERS, Mutant

DENSE, ACTIVATIONS = "layers/dense.py", "layers/activations.py"
CONVOLUTION, NORMALIZATION = "layers/convolution.py", "layers/normalization.py"

MUTANTS = [
    # -- layers
    Mutant(DENSE, "x.T @ dy  #", "x.T @ dy / len(x)  #", LAYERS),
    Mutant(DENSE, "dy.sum(axis=0)", "dy.mean(axis=0)", LAYERS),
    Mutant(
        DENSE, 'self.params["W"] + self.params["b"]', 'self.params["W"]', "layers/test_dense.py"
    ),
    Mutant(DENSE, 'self.grads["W"][...] =', 'self.grads["W"][...] +=', LAYERS),
    Mutant(ACTIVATIONS, "return dy * y * (1 - y)", "return dy * y * (1 + y)", LAYERS),
    Mutant(ACTIVATIONS, "dy * (1 - y**2)", "dy * (1 - y)", LAYERS),
    Mutant(
        ACTIVATIONS,
        "0.5 * (1 + np.tanh(0.5 * x))",
        "1 / (1 + np.exp(-x))",
        "layers/test_activations.py",
    ),
    Mutant(
        ACTIVATIONS,
        "self.negative_slope = float(negative_slope)",
        "self.negative_slope = 0.3",
        "layers/test_activations.py",
    ),
    Mutant(
        CONVOLUTION,
        "(dy_rows @ W[i, j].T)",
        "(dy_rows @ W[-1 - i, -1 - j].T)",
        LAYERS,
    ),
    Mutant(
        CONVOLUTION,
        "dy_rows.sum(axis=0, dtype=np.float64)",
        "0",
        LAYERS,
    ),
    Mutant(
        CONVOLUTION,
        "        y += b\n        return y.reshape",
        "        return y.reshape",
        "layers/test_convolution.py",
    ),
    Mutant(CONVOLUTION, "return n * s\n", "return n * s - 1\n", "layers/test_convolution.py"),
    Mutant(CONVOLUTION, "n * s + max(k - s, 0)", "n * s", "layers/test_convolution.py"),
    Mutant(
        "layers/geometry.py",
        "total // 2, total - total // 2",
        "total - total // 2, total // 2",
        "layers/test_geometry.py layers/test_convolution.py",
    ),
    Mutant(
        "layers/pooling.py",
        "self.pool_size if strides is None",
        "(1, 1) if strides is None",
        "layers/test_pooling.py",
    ),
    Mutant(
        NORMALIZATION,
        "1 / np.sqrt(var + self.epsilon)",
        "1 / (np.sqrt(var) + self.epsilon)",
        "layers/test_normalization.py",
    ),
    Mutant(
        NORMALIZATION,
        "(1 - self.momentum) * (batch - running)",
        "self.momentum * (batch - running)",
        "layers/test_normalization.py",
    ),
    Mutant(
        NORMALIZATION,
        "            return dy * gamma * inv_std\n",
        "            return dy * gamma\n",
        LAYERS,
    ),
    Mutant(
        NORMALIZATION,
        "        if training:\n            self.check_kept",
        "        if True:\n            self.check_kept",
        "layers/test_normalization.py",
    ),
    Mutant("layers/dropout.py", ">= self.rate", "< self.rate", "layers/test_dropout.py"),
    Mutant("layers/dropout.py", " / x.dtype.type(1 - self.rate)", "", "layers/test_dropout.py"),
    Mutant("layers/dropout.py", "dy if mask is None else dy * mask", "dy", LAYERS),
    Mutant("layers/sampling.py", "dy * eps * std / 2", "dy * eps * std", LAYERS),
    Mutant("layers/sampling.py", "np.exp(logvar / 2)", "np.exp(logvar)", "layers/test_sampling.py"),
    Mutant(
        "layers/sampling.py", "return mu.copy()", "return logvar.copy()", "layers/test_sampling.py"
    ),
    Mutant("layers/noise.py", 'state["draws"] += 1', 'state["draws"] += 0', "layers/test_noise.py"),
    Mutant(
        "layers/reshaping.py",
        "return dy.reshape(x_shape)",
        'return dy.reshape(x_shape, order="F")',
        LAYERS,
    ),
    Mutant(
        "layers/sequential.py",
        "        for layer in reversed(self._steps):\n",
        "        for layer in self._steps:\n",
        "layers/test_base.py",
    ),
    Mutant(
        "kernels/twins.py",
        "        x, y, winner = self.cache\n",
        '        x, y, winner = self.__dict__.setdefault("first", self.cache)\n',
        "kernels/test_planner.py kernels/test_fused_numbers.py",
    ),
    Mutant(
        "initializers.py",
        "a = np.sqrt(6.0 / (fan_in + fan_out))",
        "a = np.sqrt(3.0 / (fan_in + fan_out))",
        "test_initializers.py",
    ),
    Mutant(
        "initializers.py",
        "np.sqrt(2.0 / fan_in), shape",
        "np.sqrt(2.0 / fan_out), shape",
        "test_initializers.py",
    ),
]

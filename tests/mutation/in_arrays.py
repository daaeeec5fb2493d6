"""Planted in what layers ask of arrays, in memory that is used again, in sums and threads."""

from tests.mutation.mutants import Mutant

CHECKS = "layers/test_array_checks.py"
OUTPUTS = "layers/test_outputs_changed.py"
POINTWISE = "kernels/test_pointwise.py"
BUFFERS = "kernels/test_buffers.py"

MUTANTS = [
    Mutant(
        "layers/array_checks.py",
        "(array.shape, array.dtype) != kind:\n            _refuse",
        "(array.size, array.dtype) != (np.prod(kind[0]), kind[1]):\n            _refuse",
        CHECKS,
    ),
    Mutant(
        "layers/array_checks.py",
        "(array.shape, array.dtype) != kind:\n            _refuse",
        "array.shape != kind[0]:\n            _refuse",
        CHECKS,
    ),
    Mutant(
        "layers/array_checks.py",
        "if written and not array.flags.writeable:",
        "if False:",
        CHECKS,
    ),
    Mutant(
        "layers/array_checks.py",
        "id(array if array.base is None else array.base)",
        "id(array)",
        CHECKS,
    ),
    Mutant(
        "layers/base.py",
        "        for group in self.wanted:\n",
        '        for group in ["params"]:\n',
        CHECKS,
    ),
    Mutant(
        "layers/base.py",
        '            self.check_kept("grads", written=True)\n',
        "",
        CHECKS,
    ),
    Mutant("layers/base.py", "            part.place = place\n", "            pass\n", CHECKS),
    Mutant("layers/sequential.py", "(y, chain(others, [x]))", "(y, [x])", OUTPUTS),
    Mutant("layers/sequential.py", "(y, chain(others, [x]))", "(y, others)", OUTPUTS),
    Mutant(
        "layers/activations.py",
        "y = np.tanh(x)\n        self.cache = (y.copy(),)",
        "y = np.tanh(x)\n        self.cache = (y,)",
        OUTPUTS,
    ),
    Mutant(
        "layers/activations.py",
        "y = sigmoid(x)\n        self.cache = (y.copy(),)",
        "y = sigmoid(x)\n        self.cache = (y,)",
        OUTPUTS,
    ),
    Mutant(
        "kernels/twins.py",
        '            self.convolution.check_kept("params")\n        params = ',
        "            pass\n        params = ",
        CHECKS,
    ),
    Mutant(
        "kernels/twins.py",
        '            self.convolution.check_kept("grads", written=True)\n',
        "",
        CHECKS,
    ),
    Mutant("kernels/convolution/blocks.py", "    block.check(x, W, b)\n", "", CHECKS),
    Mutant(
        "kernels/buffers.py",
        "    if _requests % (_FORGET // 4) == 0:\n        _forget()\n",
        "",
        BUFFERS,
    ),
    Mutant("kernels/buffers.py", "            if not _calls:\n", "            if True:\n", BUFFERS),
    Mutant(
        "kernels/buffers.py", "                _blocks.clear()\n", "                pass\n", BUFFERS
    ),
    Mutant(
        "kernels/twins.py",
        "for array in (p, m, v))",
        "for array in (p, m))",
        POINTWISE,
    ),
    Mutant(
        "kernels/pointwise.py",
        "v[i] = beta_2 * v[i] + rise_2 * (g[i] * g[i])",
        "v[i] += rise_2 * (g[i] * g[i] - v[i])",
        POINTWISE,
    ),
    Mutant(
        "optimizers.py",
        "        v += (1 - self.beta_2) * g**2\n",
        "        v += (1 - self.beta_2) * g\n",
        "test_optimizers.py",
    ),
    Mutant("kernels/pointwise.py", "LANES), np.float64)", "LANES), y.dtype)", POINTWISE),
    Mutant(
        "kernels/pointwise.py",
        "np.float64(difference) * np.float64(difference)",
        "np.float64(difference * difference)",
        POINTWISE,
    ),
    Mutant(
        "losses.py",
        "np.square(difference, dtype=np.float64)",
        "np.square(difference)",
        "kernels/test_pointwise.py test_losses.py",
    ),
    Mutant(
        "layers/normalization.py",
        "x.mean(axis=self._axes(), dtype=np.float64)",
        "x.mean(axis=self._axes())",
        "layers/test_normalization.py",
    ),
    Mutant(
        "layers/normalization.py",
        "dbeta = dy.sum(axis=self._axes(), dtype=np.float64)",
        "dbeta = dy.sum(axis=self._axes())",
        "layers/test_normalization.py",
    ),
    Mutant(
        "kernels/channels.py",
        "1, C, np.float64, flat)",
        "1, C, x.dtype, flat)",
        POINTWISE,
    ),
    Mutant(
        "kernels/channels.py",
        "(x[i + k] - mean[k] - rest[k]) * inv_std[k]",
        "(x[i + k] - mean[k]) * inv_std[k]",
        POINTWISE,
    ),
    Mutant(
        "kernels/compilation.py",
        "        if _threads_take_turns():\n",
        "        if False:\n",
        "kernels/test_thread_layers.py",
    ),
    Mutant(
        "kernels/compilation.py",
        "if CONFIG.DISABLE_JIT:",
        "if False:",
        "kernels/test_thread_layers.py",
    ),
    Mutant(
        "optimizer_checks.py",
        "(type(moment) is not np.ndarray or not moment.flags.writeable)",
        "type(moment) is not np.ndarray",
        "test_optimizers.py",
    ),
    Mutant(
        "optimizer_checks.py",
        "    if moment is not None and (type(moment)",
        "    if False and (type(moment)",
        "test_optimizers.py",
    ),
    Mutant(
        "layers/base.py",
        "(x.shape[1:], x.dtype) != (self.input_shape, self.dtype)",
        "x.shape[1:] != self.input_shape",
        CHECKS,
    ),
    Mutant(
        "optimizers.py",
        "if not self.steps or same_arrays(self._left, self.state):",
        "if not self.steps or self._left:",
        "test_optimizers.py",
    ),
    Mutant(
        "optimizer_checks.py",
        "        return all(map(is_, a.values(), b.values()))\n",
        "        return True\n",
        "test_optimizers.py",
    ),
]

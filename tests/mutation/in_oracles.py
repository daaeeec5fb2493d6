"""Slips of a forward pass that its backward pass shares: every gradient check passes.

What finds them is another source of the right outputs: a formula, or moments of what is drawn.
"""

from tests.mutation.mutants import Mutant

ORACLES, LOSSES = "layers/test_oracles.py", "test_losses.py"

SAMPLING = """        std = np.exp({})
        self.cache = (eps, std)
        return mu + std * eps

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # dz (N, ..., d)
        eps, std = self.cache
        dmu = dy
        dlogvar = np.zeros_like(dy) if eps is None else dy * {}
"""

MUTANTS = [
    Mutant(
        "layers/sampling.py",
        SAMPLING.format("logvar / 2", "eps * std / 2"),
        SAMPLING.format("logvar", "eps * std"),
        "layers/test_sampling.py",
    ),
    Mutant(
        "layers/dropout.py",
        "keep.astype(x.dtype) / x.dtype.type(1 - self.rate)",
        "keep.astype(x.dtype)",
        "layers/test_dropout.py",
    ),
    Mutant("layers/dropout.py", ">= self.rate", "< self.rate", "layers/test_dropout.py"),
    Mutant(
        "layers/normalization.py",
        'self.state["mean"], self.state["var"]',
        'self.state["mean"], np.sqrt(self.state["var"])',
        ORACLES,
    ),
    Mutant(
        "layers/normalization.py",
        "running += (1 - self.momentum)",
        "running += self.momentum",
        "layers/test_normalization.py",
    ),
    Mutant(
        "layers/geometry.py",
        "(total // 2, total - total // 2)",
        "(total - total // 2, total // 2)",
        ORACLES,
    ),
    Mutant(
        "layers/pooling.py", "self.dtype), self.pads())", "self.dtype), self.pads(), 1)", ORACLES
    ),
    Mutant("layers/pooling.py", "pad(x, self.pads(), -np.inf)", "pad(x, self.pads())", ORACLES),
    Mutant("layers/upsampling.py", "(p + 0.5) / factor - 0.5", "p / factor", ORACLES),
    Mutant("losses.py", "divisor(y.shape, reduction)", 'divisor(y.shape, "sum")', LOSSES),
    Mutant("losses.py", "divisor(logits.shape, reduction)", "len(logits)", LOSSES),
    Mutant("losses.py", "divisor(mu.shape, reduction)", 'divisor(mu.shape, "mean")', LOSSES),
]

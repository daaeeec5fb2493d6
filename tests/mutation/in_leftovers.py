"""Mistakes that all tests together let through once."""

from tests.mutation.mutants import Mutant

CHECK = "gradcheck/test_gradcheck.py"

MUTANTS = [
    Mutant(
        "training.py",
        'renew(stream(seed, "renewed data", optimizer.steps))',
        'renew(stream(seed, "shuffling", optimizer.steps))',
        "test_renewed_data.py",
    ),
    Mutant("divergence.py", "        vars(layer).update(own)\n", "", "test_divergence.py"),
    Mutant("layers/sampling.py", "mu.copy()", "mu", "layers/test_sampling.py"),
    Mutant("layers/summary.py", "add(id(owner))", "add(id(array))", "layers/test_base.py"),
    Mutant("models/unet.py", "copy.deepcopy(self.low)", "self.low", "models/test_unet.py"),
    Mutant("gradcheck/check.py", "max(HANDFUL", "min(HANDFUL", CHECK),
    Mutant(
        "gradcheck/differences.py",
        "name, places, weights, shrink)",
        "name, places, weights)",
        CHECK,
    ),
]

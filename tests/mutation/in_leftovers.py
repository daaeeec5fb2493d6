"""Mistakes that all tests together let through once."""

from tests.mutation.mutants import Mutant

PLOTTING = "test_plotting.py"
CHECK = "gradcheck/test_gradcheck.py"

MUTANTS = [
    Mutant(
        "training/loop.py",
        'renew(stream(seed, "renewed data", optimizer.steps))',
        'renew(stream(seed, "shuffling", optimizer.steps))',
        "training/test_renewed_data.py",
    ),
    Mutant(
        "training/divergence.py",
        "        vars(layer).update(own)\n",
        "",
        "training/test_divergence.py",
    ),
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
    Mutant("plotting.py", 'kind in "iu" and images.max() > 1', 'kind in "iu"', PLOTTING),
    Mutant("plotting.py", "steps[0] <= 0 or", "steps[0] < 0 or", PLOTTING),
    Mutant(
        "plotting.py", "if len(images) != len(columns)", "if len(images) < len(columns)", PLOTTING
    ),
    Mutant("plotting.py", "confidences.min() < 0 or", "", PLOTTING),
    Mutant(
        "kernels/twins.py",
        "for array in (p, m, v))",
        "for array in (p, m))",
        "kernels/test_pointwise.py",
    ),
    Mutant(
        "kernels/upsampling.py",
        "if OH % fh or OW % fw",
        "if OH % fh",
        "kernels/test_pooling.py",
    ),
    Mutant(
        "kernels/buffers.py", "            block[2] = _requests\n", "", "kernels/test_buffers.py"
    ),
    Mutant(
        "gradcheck/zeros.py",
        "if all(other in dead for other in siblings)",
        "if not siblings",
        "gradcheck/test_start.py",
    ),
    Mutant("gradcheck/zeros.py", "not _equal(own, own_after) and ", "", "gradcheck/test_start.py"),
]

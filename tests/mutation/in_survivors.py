"""Mistakes that the tests nearest to them let through once."""

from tests.mutation.mutants import Mutant

CHECKPOINT = "training/test_checkpoint.py"

MUTANTS = [
    Mutant(
        "optimizers.py",
        "for key, p in params.items():  # frozen",
        "for key, p in moved.items():  # frozen",
        "test_optimizers.py",
    ),
    Mutant("lbfgs.py", "t[rows], trials[rows] = 1, 0", "t[rows] = 1", "test_lbfgs.py"),
    Mutant("metrics.py", "> threshold", ">= threshold", "test_metrics.py"),
    Mutant(
        "training/checkpoint.py",
        "min(entry.file_size, size)",
        "max(entry.file_size, size)",
        CHECKPOINT,
    ),
    Mutant(
        "training/settings.py",
        "held += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]",
        "held += [*(value.__defaults__ or ())]",
        CHECKPOINT,
    ),
    Mutant("training/checks.py", "(array).data, checksum)", "(array).data)", CHECKPOINT),
    Mutant("files.py", "beside.unlink(missing_ok=True)", "beside.unlink()", CHECKPOINT),
    Mutant("datasets/cifar.py", "records[:, 0].copy()", "records[:, 0]", "datasets/test_cifar.py"),
]

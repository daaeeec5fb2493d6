"""Mistakes in what a run keeps, and in what it is compared with."""

from tests.mutation.mutants import Mutant

TRAINING, CHECKPOINT, SETTINGS = (
    "training/loop.py",
    "training/checkpoint.py",
    "training/settings.py",
)
RENEWED = "training/test_renewed_data.py"
RUNS = "training/test_training.py training/test_checkpoint.py"

MUTANTS = [
    # -- the order of epochs, and fresh data
    Mutant(TRAINING, '"shuffling", optimizer.steps)', '"shuffling")', RUNS),
    Mutant(TRAINING, '"renewed data", optimizer.steps)', '"renewed data")', RENEWED),
    Mutant(
        TRAINING,
        'renew(stream(seed, "renewed data", optimizer.steps))',
        "renew(np.random.default_rng())",
        "training/test_renewed_data.py",
    ),
    # -- what is shown and added up
    Mutant(TRAINING, "initial=len(history.loss) * len(x)", "initial=0", RUNS),
    Mutant(TRAINING, 'f"loss {total / done:.4g}"', 'f"loss {value:.4g}"', RUNS),
    Mutant(TRAINING, "total + float(value) * len(batch)", "total + value * len(batch)", RUNS),
    Mutant(
        TRAINING,
        "total += float(loss(model.forward(x[batch]), target[batch])[0]) * len(x[batch])",
        "total += loss(model.forward(x[batch]), target[batch])[0] * np.float32(len(x[batch]))",
        RUNS,
    ),
    Mutant(TRAINING, "    optimizer.check_owner(model.params)\n", "", RUNS),
    # -- the best and the latest
    Mutant(
        TRAINING,
        "run.keep_if_best()\n            if checkpoint is not None:\n"
        "                run.save(checkpoint)\n",
        "pass\n            if checkpoint is not None:\n"
        "                run.save(checkpoint)\n            if patience is not None:\n"
        "                run.keep_if_best()\n",
        RUNS,
    ),
    Mutant(CHECKPOINT, "best.get(key, groups[group][key])", "groups[group][key]", RUNS),
    Mutant(CHECKPOINT, "if optimizer is None else {}\n", "\n", RUNS),
    Mutant(CHECKPOINT, 'if array.dtype.kind == "f"}', "}", RUNS),
    # -- another run
    Mutant(TRAINING, '"data": (x, target)', '"data": (x, x)', RUNS),
    Mutant(TRAINING, '"data": (x, target)', '"data": (target, target)', RUNS),
    Mutant(TRAINING, '"validation": validation}', '"validation": validation is None}', RUNS),
    Mutant(TRAINING, '"loss": loss, "optimizer": optimizer', '"optimizer": optimizer', RUNS),
    Mutant(TRAINING, '"optimizer": optimizer, "batch', '"optimizer": 1, "batch', RUNS),
    Mutant(SETTINGS, "for cell in value.__closure__ or ()", "for cell in ()", RUNS),
    Mutant(SETTINGS, "if there.get(name) != here.get(name)", "if name not in there", RUNS),
    Mutant(SETTINGS, "elif constant != doc:", "elif False:", RUNS),
    Mutant(SETTINGS, "if not isinstance(part, list | dict | set)]", "]", RUNS),
    Mutant(CHECKPOINT, "        optimizer.check_state(saved, params)\n", "        pass\n", RUNS),
    Mutant(CHECKPOINT, "        optimizer.check_owner(model.params)\n", "        pass\n", RUNS),
    Mutant("files.py", "            os.fsync(file.fileno())", "            pass", RUNS),
    # -- whose an optimiser is
    Mutant("optimizer_checks.py", "return all(map(is_, a.values(), b.values()))", "return True",
           "test_optimizers.py"),
    Mutant("optimizers.py", "        self.check_owner(params)\n", "", "test_optimizers.py"),
    Mutant("optimizers.py", "for key in moved}, self", "for key in params}, self",
           "test_optimizers.py"),
    Mutant("optimizers.py", "g.dtype.type(limit / norm)", "g.dtype.type(limit)",
           "test_optimizers.py"),
    Mutant("optimizer_checks.py", "(moment in never_negative and", "(False and",
           "training/test_checkpoint.py"),
]  # fmt: skip

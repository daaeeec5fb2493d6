"""Mistakes in the command that checks a learner's own class."""

from tests.mutation.mutants import Mutant

FILE, OWN, COMMAND = "gradcheck/from_file.py", "gradcheck/own_layer.py", "gradcheck/__main__.py"
CONTRACT = "gradcheck/contract.py"
OF_OWN = "gradcheck/test_own_layer.py"

MUTANTS = [
    Mutant(FILE, '    return ":" in text or text', "    return text", OF_OWN),
    Mutant(FILE, "        sys.path.remove(folder)\n", "        pass\n", OF_OWN),
    Mutant(FILE, "        del sys.modules[module.__name__]", "        pass", OF_OWN),
    Mutant(FILE, "    sys.path.insert(0, folder)", "    sys.path.insert(0, folder * 2)", OF_OWN),
    Mutant(FILE, "ERRORS = (Exception, SystemExit)", "ERRORS = (Exception, KeyError)", OF_OWN),
    Mutant(FILE, "value.__module__ == module.__name__", "True", OF_OWN),
    Mutant(FILE, " if frame.filename == str(path))][-1]", " if not frame.filename)][-1]", OF_OWN),
    Mutant(FILE, "return kind(*target.arguments, **target.named)", "return kind()", OF_OWN),
    Mutant(FILE, "any(word.arg is None for", "any(word is None for", OF_OWN),
    Mutant(OWN, "standard_normal((batch, *shape))", "standard_normal((3, *shape))", OF_OWN),
    Mutant(OWN, "    for training in (False, True):", "    for training in (False,):", OF_OWN),
    Mutant(OWN, "x, training=training, seed", "x, training=False, seed", OF_OWN),
    Mutant(OWN, "return 0 if reports[-1].ok", "return 0 if reports[0].ok", OF_OWN),
    Mutant(OWN, "        if not report.ok:\n", "        if report.ok:\n", OF_OWN),
    Mutant(OWN, "rng(seed), np.float64)  #", "rng(seed), np.float32)  #", OF_OWN),
    Mutant(OWN, "or array.dtype != np.float64:", "or array.dtype == object:", OF_OWN),
    Mutant(OWN, 'for what in ("params", "grads"):', 'for what in ("params",):', OF_OWN),
    Mutant(OWN, "and not only_named", "", OF_OWN),
    Mutant(OWN, "    if not hasattr(own, ", "    if hasattr(own, ", OF_OWN),
    Mutant(OWN, "    if not isinstance(own, Layer):", "    if isinstance(own, Layer):", OF_OWN),
    Mutant(OWN, "max(self.left - len(text), 0)", "self.left", OF_OWN),
    Mutant(OWN, "self.more += max(len(text) - self.left, 0)", "self.more += 0", OF_OWN),
    Mutant(OWN, "contextlib.redirect_stdout(printed), ", "", OF_OWN),
    Mutant(COMMAND, "if not own and (given or", "if not own and (not given and", OF_OWN),
    Mutant(CONTRACT, "    if not isinstance(y, np.ndarray):", "    if y is None:", OF_OWN),
    Mutant(
        CONTRACT,
        "        if not isinstance(gradient, np.nd",
        "        if isinstance(0, np.nd",
        OF_OWN,
    ),
    Mutant(CONTRACT, "    if not isinstance(layer.grads, dict):", "    if False:", OF_OWN),
    Mutant(
        CONTRACT,
        "    elif not np.isfinite(first).all():",
        "    if not np.isfinite(first).all():",
        OF_OWN,
    ),
]

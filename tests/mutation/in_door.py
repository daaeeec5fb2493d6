"""Mistakes in the command that checks a learner's own class, and in the hints that it prints."""

from tests.mutation.mutants import Mutant

FILE, OWN, COMMAND = "gradcheck/from_file.py", "gradcheck/own_layer.py", "gradcheck/__main__.py"
CONTRACT = "gradcheck/contract.py"
OF_OWN, OF_HINTS = "gradcheck/test_own_layer.py", "gradcheck/test_hints.py"
OF_MUTANTS = "gradcheck/test_mutants.py"
OF_DOCSTRING = "gradcheck/test_docstring.py"
HINTS, EVIDENCE = "gradcheck/hints/__init__.py", "gradcheck/hints/evidence.py"

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
    Mutant(OWN, "rng(seed), np.float64)", "rng(seed), np.float32)", OF_OWN),
    Mutant(OWN, "or kind != np.float64:", "or kind == object:", OF_OWN),
    Mutant(OWN, 'for what in ("params", "grads", *', 'for what in ("params", *', OF_OWN),
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
    Mutant(HINTS, "    factors.of_each_channel,\n", "", OF_HINTS),
    Mutant(HINTS, "    terms.in_each_group,\n", "    terms.in_each_channel,\n", OF_HINTS),
    Mutant(EVIDENCE, "        array[...] = kept\n", "        pass\n", OF_MUTANTS),
    Mutant(EVIDENCE, "(upper - lower) / (2 * STEP)", "(upper - lower) / STEP", OF_HINTS),
    Mutant(EVIDENCE, "numeric, numeric**2", "numeric, analytic**2", OF_MUTANTS),
    Mutant(EVIDENCE, "<= 1e-5 * rms(b[known])", "<= 1e5 * rms(b[known])", OF_MUTANTS),
    Mutant("gradcheck/hints/factors.py", "axis=0)", "axis=1)", OF_HINTS),
    Mutant(
        "gradcheck/hints/sums.py",
        "with replaced(scene.x, 2 * scene.x)",
        "with replaced(scene.x, 3 * scene.x)",
        OF_HINTS,
    ),
    Mutant(
        "gradcheck/hints/places.py", "2 * len(indices) <= length", "len(indices) < 0", OF_MUTANTS
    ),
    Mutant("gradcheck/hints/pointwise.py", "+= 0.1", "+= 0.0", OF_MUTANTS),
    Mutant("gradcheck/__init__.py", "/ (2 * h)", "/ h", OF_DOCSTRING),
    Mutant("gradcheck/__init__.py", "< 1e-7", "< 10", OF_DOCSTRING),
]

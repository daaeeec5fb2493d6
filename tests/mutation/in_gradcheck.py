"""Mistakes in the gradient checker itself, and in what exercise 0 makes of it."""

from tests.mutation.mutants import Mutant

CHECK, DIFFERENCES = "gradcheck/check.py", "gradcheck/differences.py"
CONTRACT, ZEROS, PARTS = "gradcheck/contract.py", "gradcheck/zeros.py", "gradcheck/parts.py"
START = "gradcheck/start.py"
OF_START, OF_PARTS = "gradcheck/test_start.py", "gradcheck/test_parts.py"
OF_FOREIGN, OF_CHECK = "gradcheck/test_foreign_layers.py", "gradcheck/test_gradcheck.py"
OF_MUTANTS, OF_EX00 = "gradcheck/test_mutants.py", "exercises/test_ex00_backprop.py"

MUTANTS = [
    Mutant(CHECK, "SMOOTH, KINKED = 1e-7, 1e-5", "SMOOTH, KINKED = 1e-2, 1e-2", OF_CHECK),
    Mutant(
        CHECK,
        "float(np.nanmax(result.error, initial=0.0))",
        "0.0",
        OF_CHECK,
    ),
    Mutant(
        CHECK,
        "        if (result.error > report.tolerance).any():",
        "        if np.nanmean(result.error) > report.tolerance:",
        OF_MUTANTS,
    ),
    Mutant(CHECK, "        if move:\n", "        if False:\n", OF_START),
    Mutant(CHECK, "        as_found.restore()\n", "        pass\n", OF_START),
    Mutant(
        CHECK,
        "        report.kinks += kinks\n",
        "        report.kinks += 0\n",
        OF_CHECK,
    ),
    Mutant(
        CHECK,
        "        elif result.compared and zeros == result.compared:",
        "        elif False:",
        OF_START,
    ),
    Mutant(
        CHECK,
        "            if zeros < result.compared:",
        "            if zeros > result.compared:",
        OF_START,
    ),
    Mutant(
        CHECK,
        "if report.wrong and isinstance(layer, Composite)",
        "if report.wrong and isinstance(layer, bool)",
        OF_PARTS,
    ),
    Mutant(
        CHECK,
        "dy = rng.standard_normal(runner.forward().shape)",
        "dy = np.ones(runner.forward().shape)",
        OF_FOREIGN,
    ),
    Mutant(
        DIFFERENCES,
        "            result.kinks.flat[place] = True\n            continue",
        "            continue",
        OF_CHECK,
    ),
    Mutant(
        DIFFERENCES,
        "(claims == 0) & (claims.any() or slope.numeric == 0)",
        "False",
        OF_START,
    ),
    Mutant(DIFFERENCES, "slope.numeric == 0 == result.analytic.flat[place]", "False", OF_START),
    Mutant(ZEROS, "FEWEST_ANSWERS = 0.05", "FEWEST_ANSWERS = 0.0", OF_START),
    Mutant(ZEROS, "MOST_ZEROS = 0.9", "MOST_ZEROS = 2", OF_START),
    Mutant(
        START, "    for statistic in layer.state.values():", "    for statistic in ():", OF_START
    ),
    Mutant(START, "SMALLEST, LARGEST = 0.5, 1.5", "SMALLEST, LARGEST = 1.0, 1.0", OF_START),
    Mutant(START, "SMALL_OFFSET = 0.02, 0.1", "SMALL_OFFSET = 0.0, 0.0", OF_START),
    Mutant(START, "rng.choice([-1.0, 1.0], parameter.shape)", "1.0", OF_START),
    Mutant(PARTS, "        if not of_part.wrong:", "        if of_part.wrong:", OF_PARTS),
    Mutant(
        PARTS,
        '{name}.{part}" if part else name for part in inner',
        '{name}" for part in inner',
        OF_PARTS,
    ),
    Mutant(
        PARTS, "handed to the backward of {bad[-1]}", "handed to the backward of {bad}", OF_PARTS
    ),
    Mutant(PARTS, "            del part.forward\n", "", OF_PARTS),
    Mutant(
        CONTRACT,
        "    if _takes(layer.forward, np",
        "    if not _takes(layer.forward, np",
        OF_FOREIGN,
    ),
    Mutant("gradcheck/hints/dropped.py", "        if where:\n", "        if False:\n", OF_FOREIGN),
    Mutant("map_inference.py", "+ 2 * self.beta * z  #", "+ self.beta * z  #", OF_CHECK),
    Mutant(
        "exercises/ex00_training.py",
        "    if not right.learned:\n",
        "    if False:\n",
        OF_EX00,
    ),
    Mutant("exercises/ex00_training.py", "ENOUGH = 0.5", "ENOUGH = 0.05", OF_EX00),
    Mutant("exercises/ex00_comparison.py", "order[number % len(MISTAKES)]", "order[0]", OF_EX00),
    Mutant("exercises/ex00_comparison.py", "    if answer:\n", "    if True:\n", OF_EX00),
]

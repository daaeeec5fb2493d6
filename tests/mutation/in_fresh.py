"""Mistakes of a sample drawn after all other lists, which the tests of that time let through."""

from tests.mutation.mutants import Mutant

SEPARATION, OF_SEPARATION = "exercises/image_separation.py", "exercises/test_numbers_separation.py"

MUTANTS = [
    Mutant(
        "gradcheck/hints/moved.py",
        "max(-right, 0) : n.shape[1] - right]",
        "max(right, 0) : n.shape[1] + right]",
        "gradcheck/test_hints.py",
    ),
    Mutant(SEPARATION, "< 2 * 50 / np.sqrt(pairs)", "< 50 / np.sqrt(pairs)", OF_SEPARATION),
    Mutant(SEPARATION, '"test": unseen_halves(data),',
           '"test": halves(data.x_test, data.y_test, IMAGES),', OF_SEPARATION),
    Mutant("exercises/trained.py", "epochs=min(first_look or recipe.epochs, recipe.epochs),",
           "epochs=first_look or recipe.epochs,", "exercises/test_trained.py"),
]  # fmt: skip

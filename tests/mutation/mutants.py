"""The mistakes: in which file, which text is replaced by which, and the tests that should see it.

They are those that are made when such code is written: a sign, a factor, an axis, an index off by
one, a sum forgotten, something kept from the step before. Mistakes in a backward pass that the
gradient check finds, with its words for them, stand in tests/gradcheck/mutants_of_*.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A planted mistake; ``old`` occurs once in ``file``."""

    file: str  # below nnscratch/, or a path that begins with exercises/
    old: str
    new: str
    tests: str  # below tests/, separated by blanks

    @property
    def path(self) -> str:
        """Where the file lies in a checkout."""
        return self.file if self.file.startswith("exercises/") else f"nnscratch/{self.file}"


LAYERS = "gradcheck/test_gradcheck.py layers/test_contract.py"  # find whatever a layer does wrong

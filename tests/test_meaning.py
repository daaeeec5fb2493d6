"""What belongs to the meaning of code besides its text."""

import pytest

from nnscratch.meaning import digest_of_functions

NUMBER = None


def scaled(x):
    return NUMBER * x


@pytest.mark.parametrize(("one", "other"), [(2, 3), (0.5, 0.25), ("a", "b"), ((1, 2), (2, 1))])
def test_a_number_of_the_module_belongs_to_the_functions_that_use_it(monkeypatch, one, other):
    digests = []
    for value in (one, other, one):
        monkeypatch.setitem(globals(), "NUMBER", value)
        digests.append(digest_of_functions({"scaled": scaled}))
    assert digests[0] == digests[2] != digests[1]

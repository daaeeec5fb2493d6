"""Every mistake of the list can be planted; ``python -m tests.mutation`` says if it is found."""

import pytest

from tests.mutation.__main__ import CHECKOUT, MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.file}-{m.old[:20]}")
def test_mistake_can_be_planted(mutant):
    text = (CHECKOUT / mutant.path).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")
    for place in mutant.tests.split():
        assert (CHECKOUT / "tests" / place).exists()


def test_there_are_enough_of_all_kinds():
    assert len(MUTANTS) >= 60
    places = [mutant.file.split("/")[0] for mutant in MUTANTS]
    for place in ("layers", "kernels", "models", "losses.py", "optimizers.py", "training"):
        assert sum(file.startswith(place) for file in places) >= 5

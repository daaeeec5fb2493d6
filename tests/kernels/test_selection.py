import os
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

import nnscratch
from nnscratch import kernels, stand_ins
from nnscratch.kernels.twins import Fused
from nnscratch.layers import Conv2D, ReLU, Sequential


@pytest.fixture(autouse=True)
def _restore():
    """Whatever a test selects is undone."""
    before = kernels.in_use()
    yield
    nnscratch.use_kernels(before)


def test_what_runs_follows_the_choice():
    model = Sequential([Conv2D(1, 3)], (4, 4, 1), dtype=np.float64)  # made before the choice
    x = np.ones((1, 4, 4, 1))
    for name, kind in (("reference", Conv2D), ("compiled", Fused), ("reference", Conv2D)):
        nnscratch.use_kernels(name)
        assert kernels.in_use() == name
        model.forward(x)
        assert [type(step) for step in model._steps] == [kind]


def test_another_planner_reaches_the_layers():
    class Zeros:
        cache = ()

        def forward(self, x, training=False):
            return 0 * x

    class Planner:
        def version(self, layers):
            return "mine"

        def steps(self, layers):
            return [Zeros()]

        def at_work(self):
            return nullcontext()

    model, x = Sequential([Conv2D(1, 3)], (4, 4, 1)), np.ones((1, 4, 4, 1), np.float32)
    nnscratch.use_kernels("reference")
    assert model.forward(x).any()
    stand_ins.attach(Planner())
    assert not model.forward(x).any()


def test_fusion_is_chosen_also_while_nothing_compiled_runs():
    model = Sequential([Conv2D(2, 3), ReLU()], (4, 4, 1))
    nnscratch.use_kernels("reference")
    nnscratch.use_fusion(False)
    try:
        assert kernels.in_use() == "reference"
        nnscratch.use_kernels("compiled")
        model.forward(np.ones((1, 4, 4, 1), np.float32))
        assert len(model._steps) == 2
    finally:
        nnscratch.use_fusion(True)
    model.forward(np.ones((1, 4, 4, 1), np.float32))
    assert len(model._steps) == 1


@pytest.mark.parametrize("name", ["cuda", "Reference", "", None])
def test_unknown_name(name):
    before = kernels.in_use()
    with pytest.raises(ValueError, match=r"no kernels named .*choose .*\"reference\""):
        nnscratch.use_kernels(name)
    assert kernels.in_use() == before


def run_python(code, **environment):
    rest = {key: value for key, value in os.environ.items() if key != "NNSCRATCH_KERNELS"}
    return subprocess.run(
        [sys.executable, "-c", code], env=rest | environment, capture_output=True, text=True
    )


WHICH = """
import sys
import nnscratch.kernels as k
print(k.in_use())
print("numba" in sys.modules)
"""


@pytest.mark.parametrize(
    ("environment", "answer"),
    [
        ({}, ["compiled", "True"]),
        ({"NNSCRATCH_KERNELS": ""}, ["compiled", "True"]),
        ({"NNSCRATCH_KERNELS": "compiled"}, ["compiled", "True"]),
        ({"NNSCRATCH_KERNELS": "reference"}, ["reference", "False"]),
    ],
    ids=str,
)
def test_environment_variable(environment, answer):
    run = run_python(WHICH, **environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == answer
    assert run.stderr == ""


def test_wrong_environment_variable():
    run = run_python("import nnscratch", NNSCRATCH_KERNELS="fortran")
    assert run.returncode != 0
    assert "ValueError: there are no kernels named 'fortran'" in run.stderr
    assert 'choose "compiled" or "reference"' in run.stderr
    assert "environment variable NNSCRATCH_KERNELS" in run.stderr


NO_NUMBA = "import sys; sys.modules['numba'] = None"  # what is imported as if it were missing


def test_without_numba():
    run = run_python(NO_NUMBA + WHICH)
    assert run.stdout.split() == ["reference", "True"]  # True: the None above
    assert "UserWarning: slow kernels in plain NumPy are used: " in run.stderr
    assert "numba" in run.stderr
    run = run_python(NO_NUMBA + WHICH, NNSCRATCH_KERNELS="reference")
    assert (run.stdout.split(), run.stderr) == (["reference", "True"], "")
    run = run_python(NO_NUMBA + WHICH, NNSCRATCH_KERNELS="compiled")
    assert "ModuleNotFoundError" in run.stderr

import os
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import nnscratch
from nnscratch import kernels
from nnscratch.kernels import reference
from nnscratch.layers import Conv2D, Sequential

FUNCTIONS = [name for name in kernels.__all__ if callable(getattr(reference, name, None))]


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    """Whatever a test selects is undone."""
    before = kernels.in_use()
    yield
    monkeypatch.undo()
    nnscratch.use_kernels(before)


def test_reference():
    nnscratch.use_kernels("reference")
    assert len(FUNCTIONS) >= 9
    for name in FUNCTIONS:
        assert getattr(kernels, name) is getattr(reference, name)


def test_another_implementation_reaches_the_layers(monkeypatch):
    other = ModuleType("other")
    for name in FUNCTIONS:
        setattr(other, name, getattr(reference, name))
    other.conv2d = lambda x, W, b, strides, pads: np.full((*x.shape[:3], 1), 42.0)
    monkeypatch.setitem(kernels.IMPLEMENTATIONS, "other", other)
    model = Sequential([Conv2D(1, 3)], (4, 4, 1), dtype=np.float64)  # made before the choice
    x = np.ones((1, 4, 4, 1))
    nnscratch.use_kernels("other")
    assert (model.forward(x) == 42).all()
    nnscratch.use_kernels("reference")
    assert (model.forward(x) != 42).all()


@pytest.mark.parametrize("name", ["cuda", "Reference", "", None])
def test_unknown_name(name):
    before = [getattr(kernels, function) for function in FUNCTIONS]
    with pytest.raises(ValueError, match=r"no kernels named .*choose one of .*'reference'"):
        nnscratch.use_kernels(name)
    assert [getattr(kernels, function) for function in FUNCTIONS] == before


def run_python(code, **environment):
    rest = {key: value for key, value in os.environ.items() if key != "NNSCRATCH_KERNELS"}
    return subprocess.run(
        [sys.executable, "-c", code], env=rest | environment, capture_output=True, text=True
    )


WHICH = """
import sys
import nnscratch.kernels as k
print(*[n for n, m in k.IMPLEMENTATIONS.items() if k.conv2d is m.conv2d and k.relu is m.relu])
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
    assert "choose one of ['compiled', 'reference']" in run.stderr
    assert "environment variable NNSCRATCH_KERNELS" in run.stderr


def test_compiled():
    nnscratch.use_kernels("compiled")
    compiled = kernels.IMPLEMENTATIONS["compiled"]
    assert set(FUNCTIONS) <= set(compiled.__all__)
    for name in FUNCTIONS:
        assert getattr(kernels, name) is getattr(compiled, name)


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

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
    for name in FUNCTIONS:
        monkeypatch.setattr(kernels, name, getattr(kernels, name))


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


def import_with(name):
    code = (
        "import nnscratch.kernels as k; from nnscratch.kernels import reference as r; "
        "print(k.conv2d is r.conv2d)"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NNSCRATCH_KERNELS": name},
        capture_output=True,
        text=True,
    )


def test_environment_variable():
    run = import_with("reference")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "True"


def test_wrong_environment_variable():
    run = import_with("fortran")
    assert run.returncode != 0
    assert "ValueError: there are no kernels named 'fortran'" in run.stderr
    assert "environment variable NNSCRATCH_KERNELS" in run.stderr

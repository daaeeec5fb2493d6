"""Imports run one way, and importing changes nothing: read from the files, and tried."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import nnscratch

ROOT = Path(nnscratch.__file__).parent
FILES = {
    ".".join(("nnscratch", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imported(module):
    """The modules of the package that ``module`` imports, also those within functions."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports say the whole name"
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.add(inside if inside in FILES else node.module)
    return found & FILES.keys()


IMPORTS = {module: imported(module) for module in FILES}


def circle(start):
    """The shortest way of imports from ``start`` back to it, if there is any."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop(0)
        for module in sorted(IMPORTS[way[-1]]):
            if module == start:
                return [*way, start]
            if module not in seen:
                seen.add(module)
                ways.append([*way, module])
    return None


def test_no_imports_go_in_a_circle():
    assert len(FILES) > 80
    assert "nnscratch.layers.base" in IMPORTS["nnscratch.layers.dense"]
    assert [way for way in map(circle, FILES) if way] == []


def test_what_is_read_knows_nothing_of_kernels():
    may = ("nnscratch.kernels", "nnscratch.gradcheck.__main__", "nnscratch.threads")
    for module, others in IMPORTS.items():
        kernels = {other for other in others if other.startswith("nnscratch.kernels")}
        if module != "nnscratch" and not module.startswith(may):
            assert not kernels, f"{module} imports {kernels}"
    for module in ("nnscratch.threads", "nnscratch"):
        assert IMPORTS[module] & FILES.keys() >= {"nnscratch.kernels"}


def test_layers_import_only_what_layers_need():
    allowed = {"nnscratch", "nnscratch.stand_ins", "nnscratch.randomness", "nnscratch.initializers"}
    for module, others in IMPORTS.items():
        if module.startswith("nnscratch.layers"):
            foreign = {other for other in others if not other.startswith("nnscratch.layers")}
            assert foreign <= allowed, f"{module} imports {foreign - allowed}"


WITHOUT_EFFECT = """
import json, os, sys, warnings
import numpy, scipy.linalg, scipy.stats, matplotlib, numba
from threadpoolctl import threadpool_info

def state():
    return [threadpool_info(), dict(os.environ), [str(f) for f in warnings.filters]]

before = state()
import nnscratch
after = state()
from nnscratch.layers import Conv2D, Dense, Flatten, Sequential
model = Sequential([Conv2D(2, 3), Flatten(), Dense(2)], (4, 4, 1))
model.backward(model.forward(numpy.ones((2, 4, 4, 1), "f4"), training=True))
pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
print(json.dumps([before == after, before[1] == dict(os.environ),
                  pools == [pool for pool in before[0] if pool["user_api"] == "blas"]]))
"""


def test_importing_and_a_step_leave_the_process_as_it_was():
    """Thread counts, environment variables and warning filters."""
    run = subprocess.run([sys.executable, "-c", WITHOUT_EFFECT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [True, True, True]

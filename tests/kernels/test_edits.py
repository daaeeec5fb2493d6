"""What you read is what runs: in copies of the package, lines are changed and a model trained."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnscratch
from nnscratch.kernels import planner

TRAIN = """
import json, sys
import numpy as np
import nnscratch
from nnscratch import kernels
from nnscratch.kernels import compilation
from nnscratch.layers import *
from nnscratch.losses import mse
from nnscratch.optimizers import Adam
from nnscratch.training import fit

def trained():
    parts = [Conv2D(3, 3), LeakyReLU(), AveragePooling2D(2), BatchNormalization()]
    parts += [Conv2D(2, 3), ReLU(), MaxPooling2D(2), UpSampling2D(2), Conv2DTranspose(2, 3)]
    parts += [Conv2DTranspose(2, 3), ReLU(), UpSampling2D((2, 2), "bilinear"), MaxPooling2D(2)]
    model = Sequential(parts, (8, 8, 1))
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 8, 8, 1), np.float32), rng.random((6, 4, 4, 2), np.float32)
    fit(model, x, y, loss=mse, optimizer=Adam(0.05), epochs=2, batch_size=3, progress=False)
    return [float(p.sum(dtype=np.float64)) for p in model.params.values()], model._steps

numbers, steps = trained()
nnscratch.use_kernels("reference")
print(json.dumps({
    "numbers": numbers, "in numpy": trained()[0], "compiled": kernels.in_use(),
    "steps": [type(step).__name__ for step in steps], "folder": str(compilation.FOLDER),
}))
"""

# name of what was changed -> file, line, line with a sign flipped
FLIPS = {
    "Conv2D, dx": ("layers/convolution.py", "dx_tap += (dy_rows", "dx_tap -= (dy_rows"),
    "Conv2D, y": ("layers/convolution.py", "y = X @ W", "y = -X @ W"),
    "Conv2DTranspose, dx": ("layers/convolution.py", "return (dY @ W", "return (-dY @ W"),
    "Conv2DTranspose, y": ("layers/convolution.py", "y_tap += (x_rows", "y_tap -= (x_rows"),
    "ReLU": ("layers/activations.py", "return dy * positive", "return -dy * positive"),
    "LeakyReLU": ("layers/activations.py", "(x > 0, dy, ", "(x > 0, -dy, "),
    "MaxPooling2D": ("layers/pooling.py", "dx_tap += dy * (w", "dx_tap -= dy * (w"),
    "AveragePooling2D": ("layers/pooling.py", "dx_tap += share", "dx_tap -= share"),
    "UpSampling2D": ("layers/upsampling.py", "return dy.reshape", "return -dy.reshape"),
    "BatchNormalization": ("layers/normalization.py", "(dy - dbeta / m", "(dy + dbeta / m"),
    "mse": ("losses.py", "difference * (2 / m)", "difference * (-2 / m)"),
    "Adam": ("optimizers.py", "p -= rate * mhat", "p += rate * mhat"),
}


def copy_of_the_package(folder):
    """With compiled kernels, which must not be compiled again."""
    source = Path(nnscratch.__file__).parent
    ignored = shutil.ignore_patterns("*.pyc", "embedded")
    shutil.copytree(source, folder / "nnscratch", ignore=ignored)
    return folder


def train(folder):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "NNSCRATCH_"))}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], env=inherited | {"PYTHONPATH": str(folder)},
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """A trained copy, whose kernels are compiled."""
    folder = copy_of_the_package(tmp_path_factory.mktemp("unchanged"))
    train(folder)
    run, said = train(folder)
    assert said == ""
    return folder, run


def test_all_that_has_a_twin_is_flipped(unchanged):
    names = {name.partition(",")[0] for name in FLIPS}
    assert names == {thing.__name__ for thing in planner.WRITTEN_FOR}
    assert unchanged[1]["steps"] == [
        "Fused", "LeakyReLUTwin", "AveragePooling2DTwin", "BatchNormalizationTwin", "Fused",
        "Fused", "Fused", "UpSampling2DTwin", "MaxPooling2DTwin",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FLIPS)
def test_a_flipped_sign_is_in_the_next_step(name, unchanged, tmp_path):
    before, run_before = unchanged
    file, old, new = FLIPS[name]
    folder = shutil.copytree(before, tmp_path / "changed")
    path = folder / "nnscratch" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    run, said = train(folder)
    assert run["numbers"] != pytest.approx(run_before["numbers"], rel=1e-3)
    assert run["numbers"] == pytest.approx(run["in numpy"], rel=1e-3, abs=1e-3)
    what = name.partition(",")[0]
    assert said == f"nnscratch: {what} was changed and now runs as it stands there, in NumPy.\n"


def test_a_comment_changes_nothing(unchanged, tmp_path):
    before, run_before = unchanged
    folder = shutil.copytree(before, tmp_path / "changed")
    for path in (folder / "nnscratch").rglob("*.py"):
        text = re.sub(r'"""(?=\w)', '"""Indeed. ', path.read_text())
        path.write_text("# a comment\n" + re.sub(r"\n( +)return ", r"\n\1# x\n\1return ", text))
    code = {file: file.stat().st_mtime_ns for file in folder.rglob("*.nb?")}
    run, said = train(folder)
    assert said == ""
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.nb?")} == code
    for key in ("numbers", "steps", "in numpy"):
        assert run[key] == run_before[key]
    assert Path(run["folder"]).name == Path(run_before["folder"]).name


def test_unchanged_numbers_agree_with_numpy(unchanged):
    _, run = unchanged
    np.testing.assert_allclose(run["numbers"], run["in numpy"], rtol=1e-3, atol=1e-3)

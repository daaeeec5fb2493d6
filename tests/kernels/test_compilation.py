"""When kernels are compiled, where the result is kept, and what is said about it.

Child processes with an empty folder compile relu, which takes about a second.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from nnscratch.kernels import compilation

NOTICE = "nnscratch: compiling its kernels, once, about"
RELU = (
    "import numpy as np, nnscratch; from nnscratch.kernels.pointwise import relu; "
    "relu(np.ones(3, np.float32))"
)


def run(code, folder, **environment):
    """A child process that may keep machine code in ``folder`` only."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "NNSCRATCH_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=inherited | {"NUMBA_CACHE_DIR": str(folder), "NUMBA_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def machine_code(folder):
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*.nb?")}


def test_compiled_once_and_said_once(tmp_path):
    both = RELU + "; relu(np.ones(3)); print('done')"
    cold = run(both, tmp_path)
    assert cold.stdout == "done\n"
    (line,) = cold.stderr.splitlines()
    assert line.startswith(NOTICE)
    kept = machine_code(tmp_path)
    assert {file.suffix for file in kept} == {".nbi", ".nbc"}
    assert all("_relu_block" in file.name for file in kept)
    warm = run(both, tmp_path)
    assert (warm.stdout, warm.stderr) == ("done\n", "")
    assert machine_code(tmp_path) == kept


def test_code_of_another_digest_is_not_used(tmp_path):
    run(RELU, tmp_path)
    (folder,) = tmp_path.iterdir()
    folder.rename(tmp_path / "compiled-000000000000")
    assert NOTICE in run(RELU, tmp_path).stderr


def test_import_compiles_nothing(tmp_path):
    code = "import nnscratch; from nnscratch.kernels import compilation as c; print(c.OWN.said)"
    done = run(code, tmp_path)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert not machine_code(tmp_path)


TRAINING = """
import sys
import numpy as np
from nnscratch import layers, losses, optimizers, set_num_threads, training

set_num_threads(1)
layers_ = [layers.UpSampling2D(2), layers.Conv2D(2, 3), layers.ReLU(), layers.MaxPooling2D(2)]
layers_ += [layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
model = layers.Sequential(layers_, (4, 4, 1))
x, y = np.ones((3, 4, 4, 1), np.float32), np.ones((3, 2), np.float32)
training.fit(model, x, y, loss=losses.mse, optimizer=optimizers.Adam(), epochs=1, batch_size=2,
             progress=False)
print(*[name for name in ("numba", "llvmlite") if name in sys.modules])
"""


def test_the_reference_needs_no_numba(tmp_path):
    """Not even to train, and with more threads asked for."""
    done = run(TRAINING, tmp_path, NNSCRATCH_KERNELS="reference")
    assert (done.stdout, done.stderr) == ("\n", "")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the folder


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the kernels' files, and nothing chosen by the environment."""
    folder = tmp_path / "kernels"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(compilation.HERE, folder, ignore=ignored)
    monkeypatch.setattr(compilation, "HERE", folder)
    monkeypatch.setattr(compilation.numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return folder


def test_the_folder_depends_on_every_file(sources):
    first = compilation._folder()
    assert first.parent == sources / "__pycache__"
    assert compilation._folder() == first
    files = sorted(f for f in sources.rglob("*.py") if f.name not in compilation.CALLERS)
    assert len(files) > 10
    seen = {first}
    for file in files:
        before = file.read_bytes()
        file.write_bytes(before + b"\n# a comment\n")
        assert compilation._folder() == first
        file.write_bytes(before + b"\nx = 0\n")
        seen.add(compilation._folder())
        file.write_bytes(before)
    assert len(seen) == len(files) + 1
    (sources / "planner.py").write_text("x = 0")
    assert compilation._folder() == first


def test_the_folder_in_use_is_that_of_the_files():
    assert compilation.FOLDER.name == compilation._folder().name


def test_a_chosen_folder(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation.numba.config, "CACHE_DIR", str(tmp_path / "mine"))
    assert compilation._folder().parent == tmp_path / "mine"


def test_where_nothing_can_be_written(sources, tmp_path):
    """An installed package may be out of bounds: then at home, or else among temporary files."""
    (sources / "__pycache__").write_text("no folder")
    assert compilation._folder().parent == tmp_path / "home/.cache/nnscratch"
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "home").write_text("no folder")
    assert compilation._folder().parent == tmp_path / f"temporary/nnscratch-{os.getuid()}"


def test_what_numba_compiles_elsewhere_is_not_announced(tmp_path):
    code = "import nnscratch, numba; numba.njit(lambda x: x + 1)(1)"
    assert run(code, tmp_path).stderr == ""


def test_settings_of_numba_are_left_alone(tmp_path):
    code = "import numba; a = numba.config.CACHE_DIR; import nnscratch; print(a)"
    code += "; print(numba.config.CACHE_DIR)"
    assert run(code, tmp_path).stdout.split() == 2 * [str(tmp_path)]

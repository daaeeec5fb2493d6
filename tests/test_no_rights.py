"""What a user meets who may not write; root gives up its rights for this, in a child process."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from exercises.common import run_as_script
from nnscratch import datasets
from nnscratch.datasets import fetch
from nnscratch.kernels import compilation
from tests.test_faults import ended, in_a_fork, only_posix, train

NOBODY = 65534
pytestmark = [only_posix, pytest.mark.filterwarnings("ignore:.*fork")]


@pytest.fixture
def place(monkeypatch):
    """A folder that everyone may read and only its owner change."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_somebody_without_rights(work):
    def gives_up_rights():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()

    assert ended(in_a_fork(gives_up_rights)) == 0


def test_training_does_not_begin_without_a_place_for_its_checkpoint(place):
    train(epochs=1)  # loads what the child may not be allowed to read

    def work():
        with pytest.raises(OSError, match=f"cannot write to the folder {place} .Permission denied"):
            train(place / "run.npz")

    as_somebody_without_rights(work)


def test_an_exercise_does_not_begin_without_a_place_for_its_figures(place, monkeypatch, capfd):
    monkeypatch.setattr("sys.argv", ["exercise", "--quick", "--out", str(place / "figures")])

    def work():
        with pytest.raises(SystemExit) as stopped:
            run_as_script(lambda settings: pytest.fail("it began"), "an exercise")
        assert stopped.value.code == 2

    as_somebody_without_rights(work)
    assert "--out: cannot write to the folder" in capfd.readouterr().err


def test_a_cache_of_somebody_else_gets_a_sentence_or_the_embedded_images(place, monkeypatch):
    monkeypatch.delenv("NNSCRATCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    monkeypatch.setattr(fetch, "_failed", {})

    def work():
        with pytest.raises(OSError, match=r"cache cannot be written to.*Set XDG_CACHE_HOME"):
            datasets.mnist(data="full")
        assert datasets.mnist().source.startswith("embedded subset")

    as_somebody_without_rights(work)


def test_machine_code_of_somebody_else_is_never_loaded(place, monkeypatch):
    """Even if everyone may write there: the place in the common folder for temporary files."""
    monkeypatch.setattr(compilation, "_places", lambda: [place])
    place.chmod(0o1777)
    theirs = compilation._folder()  # as whoever runs the tests
    assert theirs.parent == place
    theirs.chmod(0o777)
    if os.geteuid() == 0:
        as_somebody_without_rights(lambda: _check_not(theirs))
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        _check_not(theirs)


def _check_not(theirs):
    assert compilation._folder() is None

"""Machine code is kept only where nobody else can put theirs."""

import os
import stat
import tempfile
from types import SimpleNamespace

import pytest

from nnscratch.kernels import compilation
from tests.test_faults import only_posix

pytestmark = only_posix


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The only place there is, two folders below one that others may or may not write to."""
    place = tmp_path / "shared/inner/place"
    place.mkdir(mode=0o700, parents=True)
    monkeypatch.setattr(compilation, "_places", lambda: [place])
    return place


def test_a_new_folder_is_closed_to_others(place):
    before = os.umask(0)
    try:
        folder = compilation._folder()
    finally:
        os.umask(before)
    assert folder.parent == place
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert compilation._folder() == folder


@pytest.mark.parametrize("name", ["shared", "inner", "place"])
@pytest.mark.parametrize("mode", [0o777, 0o757, 0o702])
def test_others_may_write_to_a_folder_around_it(place, name, mode):
    """They could move the checked folder away and put theirs in its place."""
    (around,) = [folder for folder in (place, *place.parents) if folder.name == name]
    assert compilation._folder() is not None
    around.chmod(mode)
    assert compilation._folder() is None
    around.chmod(0o1777)  # sticky, as /tmp: nobody may move what is another's
    assert compilation._folder() is not None


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o755, 0o1777])
def test_others_may_open_the_folder_itself(place, mode):
    compilation._folder().chmod(mode)
    assert compilation._folder() is None


def test_a_folder_around_it_belongs_to_somebody_else(place, monkeypatch):
    folder = compilation._folder()
    if os.geteuid() == 0:
        os.chown(place.parent, 12345, -1)
    else:
        real = type(folder).stat
        theirs = SimpleNamespace(st_uid=12345, st_gid=0, st_mode=0o755)
        monkeypatch.setattr(
            type(folder), "stat", lambda p, **k: theirs if p == place.parent else real(p, **k)
        )
    assert compilation._folder() is None


@pytest.mark.parametrize(("group", "kept"), [(1000, True), (100, False)])
def test_a_group_may_write_if_it_is_the_users_own(group, kept):
    """As on systems that give each user a group with the user's number."""
    around = SimpleNamespace(st_uid=1000, st_gid=group, st_mode=stat.S_IFDIR | 0o775)
    assert compilation._keeps_others_out(around) == kept


def test_a_link_is_followed_before_the_check(place, monkeypatch, tmp_path):
    elsewhere = tmp_path / "open/place"
    elsewhere.mkdir(parents=True)
    elsewhere.parent.chmod(0o777)
    (place / "link").symlink_to(elsewhere)
    monkeypatch.setattr(compilation, "_places", lambda: [place / "link"])
    assert compilation._folder() is None
    elsewhere.parent.chmod(0o755)
    assert compilation._folder().parent == elsewhere


def test_the_next_place_is_tried(place, monkeypatch, tmp_path):
    place.parent.chmod(0o777)
    (tmp_path / "safe").mkdir()
    monkeypatch.setattr(compilation, "_places", lambda: [place, tmp_path / "safe"])
    assert compilation._folder().parent == tmp_path / "safe"


@pytest.mark.filterwarnings("error")
def test_without_a_folder_kernels_are_compiled_but_not_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(compilation, "FOLDER", None)
    monkeypatch.chdir(tmp_path)
    kernel = compilation.serial(lambda x: x + 1)
    assert kernel(1) == 2
    assert not kernel.stats.cache_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("temporary", [True, False])
def test_a_user_who_is_only_a_number(monkeypatch, tmp_path, temporary):
    """No HOME and no line in /etc/passwd, as in containers; maybe no place for temporary files."""
    import pwd

    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(compilation.numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(compilation, "HERE", tmp_path / "no/such/package")
    (tmp_path / "no").write_text("")
    monkeypatch.setattr(tempfile, "gettempdir", (lambda: str(tmp_path)) if temporary else nowhere)
    folder = compilation._folder()
    assert (folder and folder.parent) == (
        tmp_path / f"nnscratch-{os.getuid()}" if temporary else None
    )

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from nnscratch.datasets.unpack import unpack

MEMBERS = {"batches/a.bin": 5, "batches/b.bin": 3}


def make_archive(path, contents, links=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type = tarfile.SYMTYPE
            info.linkname = target
            tar.addfile(info)
    return path


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_takes_what_is_known_and_nothing_else(tmp_path):
    contents = {
        "batches/b.bin": b"bbb",
        "batches/readme.html": b"hello",
        "../evil": b"evil",
        str(tmp_path / "evil-too"): b"evil",
        "batches/a.bin": b"aaaaa",
    }
    archive = make_archive(tmp_path / "archive.tar.gz", contents)
    unpack(archive, MEMBERS, tmp_path / "out")
    assert files_in(tmp_path) == ["archive.tar.gz", "out/batches/a.bin", "out/batches/b.bin"]
    assert (tmp_path / "out/batches/a.bin").read_bytes() == b"aaaaa"
    assert (tmp_path / "out/batches/b.bin").read_bytes() == b"bbb"


def test_refuses_a_link_in_place_of_a_file(tmp_path):
    (tmp_path / "secret").write_bytes(b"12345")
    links = [("batches/a.bin", str(tmp_path / "secret"))]
    archive = make_archive(tmp_path / "archive.tar.gz", {"batches/b.bin": b"bbb"}, links)
    with pytest.raises(ValueError, match=r"batches/a\.bin .*not a regular file; expected a reg"):
        unpack(archive, MEMBERS, tmp_path / "out")
    assert not (tmp_path / "out/batches/a.bin").exists()


def test_refuses_another_size(tmp_path):
    contents = {"batches/a.bin": b"a" * 6, "batches/b.bin": b"bbb"}
    archive = make_archive(tmp_path / "archive.tar.gz", contents)
    with pytest.raises(ValueError, match=r"a file of 6 bytes; expected .* of 5 bytes"):
        unpack(archive, MEMBERS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_what_is_missing(tmp_path):
    archive = make_archive(tmp_path / "archive.tar.gz", {"batches/a.bin": b"aaaaa"})
    with pytest.raises(ValueError, match=r"lacks batches/b\.bin; .*Delete it"):
        unpack(archive, MEMBERS, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 20, 60_000])
def test_cut_archive_leaves_no_half_file(tmp_path, keep):
    noise = np.random.default_rng(0).bytes(100_000)  # does not compress, so a cut is a cut
    archive = make_archive(tmp_path / "archive.tar.gz", {"batches/a.bin": noise})
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(archive, {"batches/a.bin": len(noise)}, tmp_path / "out")
    assert files_in(tmp_path) == ["archive.tar.gz"]

"""Downloads, from servers on this machine."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pooch
import pytest

from nnscratch import datasets
from nnscratch.datasets import cifar, fetch, idx

from .helpers import serving, small_files, small_remote, write_files
from .test_cifar_archive import OFFICIAL_MEMBERS, make_archive

FILES = small_files()
DEAD = "http://127.0.0.1:1/"
ARCHIVE = cifar.ARCHIVE


def use(monkeypatch, *mirrors, files=FILES):
    monkeypatch.setattr(fetch, "MNIST", small_remote(fetch.MNIST, files, *mirrors))


def lines(text):
    return [line for line in text.splitlines() if line.startswith("nnscratch:")]


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_download_then_cache(monkeypatch, capsys, cache):
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        d = datasets.mnist(data="full")
        assert server.asked == list(FILES)
    assert d.x_train.shape == (20, 28, 28, 1)
    assert d.y_test.tolist() == list(range(10))
    assert d.source == "part of MNIST, 20 + 10 images from the download cache"
    assert files_in(cache) == sorted(FILES)
    err = capsys.readouterr().err
    assert "train-images-idx3-ubyte.gz: 100%" in err
    assert "SHA256" not in err
    assert "Downloading data" not in err
    again = datasets.mnist()  # the server is gone by now
    np.testing.assert_array_equal(again.x_train, d.x_train)
    assert again.source == d.source
    assert capsys.readouterr().err == ""


def test_log_level_of_pooch_is_given_back(monkeypatch):
    level = pooch.get_logger().level
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        datasets.mnist()
    assert pooch.get_logger().level == level != logging.WARNING


@pytest.mark.parametrize("first", ["dead", "404", "wrong bytes", "broken off"])
def test_next_mirror_where_the_first_fails(monkeypatch, capsys, cache, first):
    bad_files = {} if first == "404" else {name: b"Please log in" for name in FILES}
    bad_files = FILES if first == "broken off" else bad_files
    with serving(bad_files, 0.9 if bad_files is FILES else 1.0) as bad, serving(FILES) as good:
        use(monkeypatch, DEAD if first == "dead" else bad.url, good.url)
        d = datasets.mnist()
        assert good.asked == list(FILES)
    assert len(d.x_train) == 20
    assert files_in(cache) == sorted(FILES)
    assert lines(capsys.readouterr().err) == []


@pytest.mark.parametrize(
    ("bad_files", "sent", "reason"),
    [
        ({}, 1.0, "status 404"),
        ({name: b"Please log in" for name in FILES}, 1.0, "wrong checksum"),
        ({n: content + b"more" for n, content in FILES.items()}, 1.0, "more than the .* bytes of"),
        *[(FILES, tenths / 10, "broken off") for tenths in range(10)],
    ],
)
def test_failed_download_leaves_nothing_and_is_not_repeated(
    monkeypatch, capsys, cache, bad_files, sent, reason
):
    with serving(bad_files, sent) as server:
        use(monkeypatch, server.url)
        for _ in range(3):
            assert datasets.mnist().source.startswith("embedded subset")
        assert server.asked == [idx.TRAIN_IMAGES]  # neither again, nor the other files
        with pytest.raises(FileNotFoundError, match=f"{reason}.*put the official files"):
            datasets.mnist(data="full")
        assert server.asked == [idx.TRAIN_IMAGES]
    assert files_in(cache) == []
    assert len(lines(capsys.readouterr().err)) == 1


def test_no_network_costs_one_line_and_is_found_out_once(monkeypatch, capsys, cache):
    mirrors, asked, get = (DEAD, "http://127.0.0.1:2/"), [], fetch.requests.get
    use(monkeypatch, *mirrors)
    monkeypatch.setattr(
        fetch.requests, "get", lambda url, **options: asked.append(url) or get(url, **options)
    )
    for _ in range(3):
        assert datasets.mnist().source == "embedded subset: 4,000 + 1,000 MNIST images"
    assert asked == [mirror + idx.TRAIN_IMAGES for mirror in mirrors]
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert lines(err) == err.splitlines()
    assert "4,000 + 1,000 MNIST images" in err
    assert "NNSCRATCH_DATA" in err
    datasets.fashion_mnist()
    datasets.fashion_mnist()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Fashion-MNIST" in err
    assert files_in(cache) == []


@pytest.fixture
def mute_servers():
    """Two servers that let one connect and then say nothing."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield sockets
    for listening in sockets:
        listening.close()


def test_silent_servers_are_given_up_once_for_all_data_sets(monkeypatch, mute_servers):
    waited = []

    class Watched(threading.Thread):
        def join(self, timeout=None):
            waited.append(timeout)
            super().join(timeout)

    monkeypatch.setattr(fetch, "threading", types.SimpleNamespace(Thread=Watched))
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.2)
    urls = [f"http://127.0.0.1:{s.getsockname()[1]}/" for s in mute_servers]
    use(monkeypatch, *urls)
    datasets.mnist()
    assert waited == [0.2, 0.2]
    with serving(FILES) as server:  # not asked any more: it is the network that is down
        fashion = small_remote(fetch.FASHION_MNIST, FILES, urls[0], server.url)
        monkeypatch.setattr(fetch, "FASHION_MNIST", fashion)
        with pytest.raises(FileNotFoundError, match=r"no answer before.*network seems to be down"):
            datasets.fashion_mnist(data="full")
        assert server.asked == []


def test_one_silent_server_says_nothing_about_the_others(monkeypatch):
    with pytest.raises(FileNotFoundError):
        datasets.cifar10()
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        assert len(datasets.mnist().x_train) == 20


@pytest.mark.parametrize("sent", [0.0, 0.5])
def test_a_server_that_stops_in_the_middle_gives_way_to_the_next(monkeypatch, cache, sent):
    monkeypatch.setattr(fetch, "STALL_SECONDS", 0.2)  # else it waits for the test to end
    with serving(FILES, sent, stalls=True) as stuck, serving(FILES) as good:
        use(monkeypatch, stuck.url, good.url)
        assert len(datasets.mnist(data="full").x_train) == 20
        assert good.asked == list(FILES)
    assert files_in(cache) == sorted(FILES)


def test_two_processes_download_at_once(cache):
    """Each sees whole files only, whoever renames last, and nothing else is left."""
    script = """
import sys
from nnscratch import datasets
from nnscratch.datasets import fetch
from tests.datasets.helpers import small_files, small_remote
fetch.MNIST = small_remote(fetch.MNIST, small_files(), sys.argv[1])
print(datasets.mnist(data="full").source)
"""
    checkout = Path(__file__).parents[2]
    with serving(FILES, slowly=0.2) as server:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", script, server.url], cwd=checkout, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for _ in range(2)
        ]  # fmt: skip
        for process in processes:
            said, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert said == "part of MNIST, 20 + 10 images from the download cache\n"
        assert len(server.asked) > len(FILES)  # they did get into each other's way
    assert files_in(cache) == sorted(FILES)
    for name, content in FILES.items():
        assert (cache / "mnist" / name).read_bytes() == content


def test_damaged_file_in_the_cache_is_downloaded_again(monkeypatch, cache):
    write_files(cache / "mnist", {**FILES, idx.TEST_LABELS: FILES[idx.TEST_LABELS][:10]})
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        assert len(datasets.mnist().x_train) == 20
        assert server.asked == [idx.TEST_LABELS]
    assert files_in(cache) == sorted(FILES)


def test_unwritable_cache(monkeypatch, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        with pytest.raises(OSError, match=r"cannot be written to.*XDG_CACHE_HOME") as error:
            datasets.mnist(data="full")
        assert str(tmp_path / "cache" / "nnscratch" / "mnist") in str(error.value)
        assert "NNSCRATCH_DATA" in str(error.value)
        assert capsys.readouterr().err == ""
        for _ in range(2):
            assert datasets.mnist().source.startswith("embedded subset")
        assert server.asked == []
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "cannot be written to" in err


def cifar_archive(path):
    """An archive like the official one, two records a file, and the Remote to match."""
    contents = {
        name: bytes([i]) + bytes(3072) + bytes([9]) + bytes([255]) * 3072
        for i, name in enumerate(OFFICIAL_MEMBERS)
    }
    contents["cifar-10-batches-bin/readme.html"] = b"hello"
    archive = make_archive(path, contents).read_bytes()
    return archive, small_remote(fetch.CIFAR10, {ARCHIVE: archive}, DEAD)


def test_cifar_archive_is_downloaded_unpacked_and_cached(monkeypatch, tmp_path, cache):
    content, remote = cifar_archive(tmp_path / "made.tar.gz")
    with serving({"cifar-10-binary.tar.gz": content}) as server:
        monkeypatch.setattr(fetch, "CIFAR10", remote._replace(mirrors=(server.url,)))
        d = datasets.cifar10()
        datasets.cifar10()
        assert server.asked == ["cifar-10-binary.tar.gz"]
    assert d.y_train.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert d.y_test.tolist() == [5, 9]
    assert d.x_train[1].min() == 1
    assert d.source == "part of CIFAR-10, 10 + 2 images from the download cache"
    assert files_in(cache) == [ARCHIVE]


def test_zeros_of_the_right_size_do_not_pass_as_cifar(monkeypatch, tmp_path, cache):
    """Neither as the archive nor as what an older version unpacked from it."""
    content, remote = cifar_archive(tmp_path / "made.tar.gz")
    write_files(cache / "cifar-10", {ARCHIVE: bytes(len(content))})
    zeros = {name.rpartition("/")[2]: bytes(2 * 3073) for name in OFFICIAL_MEMBERS}
    write_files(cache / "cifar-10/cifar-10-batches-bin", zeros)
    write_files(cache / "cifar-10", zeros)
    with serving({ARCHIVE: content}) as server:
        monkeypatch.setattr(fetch, "CIFAR10", remote._replace(mirrors=(server.url,)))
        assert datasets.cifar10().y_test.tolist() == [5, 9]
        assert server.asked == [ARCHIVE]


def test_a_server_that_sends_without_end_is_given_up(monkeypatch, cache):
    """As soon as more has come than the file has bytes, whatever length it announced."""
    sent = []

    def endless():
        while len(sent) < 1000:
            sent.append(1 << 20)
            yield bytes(1 << 20)

    with serving({name: endless for name in FILES}) as bad, serving(FILES) as good:
        use(monkeypatch, bad.url, good.url)
        assert len(datasets.mnist(data="full").x_train) == 20
    assert len(sent) < 50
    assert files_in(cache) == sorted(FILES)


def test_what_is_downloaded_is_on_the_disk_before_it_gets_its_name(monkeypatch, cache):
    flushed = []

    def fsync(number):
        flushed.append(os.fstat(number).st_size)
        assert files_in(cache).count(list(FILES)[len(flushed) - 1]) == 0

    monkeypatch.setattr(os, "fsync", fsync)
    with serving(FILES) as server:
        use(monkeypatch, server.url)
        datasets.mnist()
    assert flushed == [len(content) for content in FILES.values()]


def test_the_remotes_are_complete():
    for remote in (fetch.MNIST, fetch.FASHION_MNIST):
        assert set(remote.files) == set(idx.FILES)


def test_the_checksums_are_those_of_the_official_files(official):
    checked = 0
    for remote in (fetch.MNIST, fetch.FASHION_MNIST):
        for name, known in remote.files.items():
            if (path := official / remote.folder / name).is_file():
                content = path.read_bytes()
                assert known == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
                checked += 1
    if not checked:
        pytest.skip("NNSCRATCH_DATA has no gzipped official files")


@pytest.mark.parametrize("found", ["raises", "~/.cache/nnscratch"])
def test_a_user_without_a_home_has_no_cache(monkeypatch, capsys, tmp_path, found):
    """Old versions of platformdirs leave the "~" in the path, new ones raise RuntimeError."""

    def os_cache(project):
        if found == "raises":
            raise RuntimeError("could not determine the home directory")
        return Path(found)

    monkeypatch.setattr(fetch.pooch, "os_cache", os_cache)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"this user has no home folder\. Set XDG_CACHE_HOME to"):
        datasets.mnist(data="full")
    assert datasets.mnist().source.startswith("embedded subset")
    assert "no home folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

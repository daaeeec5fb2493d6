"""No test here sees the real network, the real cache or the real NNSCRATCH_DATA by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnscratch import datasets
from nnscratch.datasets import fetch, folders

# Read before `isolated` takes it away.
OFFICIAL = os.environ.get("NNSCRATCH_DATA")


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NNSCRATCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path / "no-debian")
    monkeypatch.setattr(folders, "_said", set())
    monkeypatch.setattr(fetch, "_silent", set())
    monkeypatch.setattr(fetch, "_failed", {})
    for name in ("MNIST", "FASHION_MNIST", "CIFAR10"):
        # Nothing listens on port 1 of this machine: it refuses at once.
        dead = getattr(fetch, name)._replace(mirrors=("http://127.0.0.1:1/",))
        monkeypatch.setattr(fetch, name, dead)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "nnscratch"


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of official files, for tests that need them."""
    if not OFFICIAL or not Path(OFFICIAL).is_dir():
        pytest.skip("needs the official files: NNSCRATCH_DATA is not set to a folder")
    monkeypatch.setenv("NNSCRATCH_DATA", OFFICIAL)
    return Path(OFFICIAL)

"""The report page, made once for the tests that read it and those that open it in a browser."""

import shutil

import pytest

from exercises.catalogue import EXERCISES, short_name
from exercises.common import Settings
from exercises.explorer import make_explorer
from exercises.report import write_report
from exercises.timing import GALLERY


@pytest.fixture(scope="session")
def explorer(tmp_path_factory):
    """Of nets that have seen a few images for one epoch."""
    return make_explorer(Settings(data="embedded", quick=True, out=tmp_path_factory.mktemp("out")))


@pytest.fixture(scope="session")
def page(explorer, tmp_path_factory):
    """Where the page of all figures of the gallery lies."""
    folder = tmp_path_factory.mktemp("a page") / "figures"
    shutil.copytree(GALLERY, folder)
    seconds = {short_name(module): 61.0 * k for k, (module, _) in enumerate(EXERCISES)}
    return write_report(folder, EXERCISES, seconds, explorer)

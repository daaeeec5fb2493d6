"""The cache, and downloads into it: several mirrors, known checksums, quick to give up.

pooch does the core: it downloads to a temporary name, compares the checksum, and only then
renames, so that what bears the final name in the cache is the right file. What is added here is
impatience. Without a network, data sets must cost a few seconds, once, and not half a minute
each time: a server that does not answer in time is not asked again in this process, and after
two such servers none is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pooch
import requests

from nnscratch.datasets import cifar
from nnscratch.files import check_writable
from nnscratch.progress import progress_bar

CONNECT_SECONDS = 2.0  # for one address; a name may stand for many, tried one after another
ANSWER_SECONDS = 3.0  # for all of it: look up the name, connect, receive the first headers
STALL_SECONDS = 10.0  # without a byte, once a download is under way
CHUNK = 1 << 16  # bytes at a time
SILENT_SERVERS = 2  # so many and it is the network that is down


class File(NamedTuple):
    """What is known of a file before it is downloaded."""

    size: int  # in bytes
    hash: str  # as pooch writes it


class Remote(NamedTuple):
    """What there is to download of one data set, and what it is called."""

    name: str  # as a person would write it
    folder: str  # as in the cache and in NNSCRATCH_DATA
    wanted: str  # what the user may put there
    mirrors: tuple[str, ...]  # in the order in which they are tried
    files: Mapping[str, File]


MNIST = Remote(
    name="MNIST",
    folder="mnist",
    wanted="the four official files, gzipped or not, or mnist.npz",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files={
        "train-images-idx3-ubyte.gz": File(
            9_912_422, "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": File(
            28_881, "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte.gz": File(
            1_648_877, "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": File(
            4_542, "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
)

FASHION_MNIST = Remote(
    name="Fashion-MNIST",
    folder="fashion-mnist",
    wanted="the four official files, gzipped or not",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    files={
        "train-images-idx3-ubyte.gz": File(
            26_421_880, "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": File(
            29_515, "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": File(
            4_422_102, "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": File(
            5_148, "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
)

CIFAR10 = Remote(
    name="CIFAR-10",
    folder="cifar-10",
    wanted="cifar-10-binary.tar.gz, or the data_batch_*.bin and test_batch.bin that are in it",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    files={cifar.ARCHIVE: File(170_052_171, "md5:c32a1d4ab5d03f1284b67883e8d87530")},
)

_silent: set[str] = set()  # servers that did not answer in this process
_failed: dict[str, str] = {}  # data set: why its download failed in this process


def cache_folder(remote: Remote) -> Path:
    """Where the downloaded files are kept, whether or not there are any yet.

    Raises
    ------
    OSError
        If this user, perhaps only a number in a container, has no home folder.
    """
    try:
        folder = Path(pooch.os_cache("nnscratch"))
    except RuntimeError:  # of platformdirs 4.4 and later; others leave a "~" in the path
        folder = Path("~")
    if not folder.is_absolute():
        raise OSError("this user has no home folder.")
    return folder / remote.folder


def is_cached(remote: Remote) -> bool:
    """Whether the cache holds all of a data set, undamaged."""
    try:
        folder = cache_folder(remote)
    except OSError:
        return False
    return all(_has_hash(folder / name, file.hash) for name, file in remote.files.items())


def _has_hash(path: Path, known: str) -> bool:
    algorithm, digest = known.split(":")
    try:
        return str(pooch.file_hash(path, alg=algorithm)) == digest
    except OSError:
        return False


def download(remote: Remote) -> None:
    """Bring a data set into the cache; what is there already is not downloaded again.

    Raises
    ------
    FileNotFoundError
        If a file cannot be had from any mirror. The other files are then not tried, and the
        next call in this process fails at once.
    OSError
        If the cache cannot be written to.
    """
    folder = _writable_folder(remote)
    if remote.name in _failed:
        raise FileNotFoundError(_failed[remote.name])
    try:
        for name, file in remote.files.items():
            if not _has_hash(folder / name, file.hash):
                _download_file(remote, name, folder)
    except FileNotFoundError as error:
        _failed[remote.name] = str(error)
        raise


def _writable_folder(remote: Remote) -> Path:
    try:
        folder = cache_folder(remote)
        check_writable(folder)
        return folder
    except OSError as error:
        raise OSError(
            f"The cache cannot be written to: {error} Set XDG_CACHE_HOME to such a folder, or put "
            f"the official files into {remote.folder}/ of some folder and set NNSCRATCH_DATA to it."
        ) from error


def _download_file(remote: Remote, file: str, folder: Path) -> None:
    """Try each mirror in turn until one gives the right bytes."""
    size, known = remote.files[file]

    def stream(url: str, output_file: str, _: object) -> None:  # as pooch wants a downloader
        _stream(url, output_file, size)

    reasons = []
    for mirror in remote.mirrors:
        try:
            with _quiet_pooch():
                pooch.retrieve(mirror + file, known, file, folder, downloader=stream)
            return
        except (OSError, ValueError) as error:  # no answer, 404, broken off; wrong checksum
            what = "wrong checksum" if isinstance(error, ValueError) else _short(error)
            reasons.append(f"{urlsplit(mirror).netloc}: {what}")
    raise FileNotFoundError(
        f"{remote.name} could not be downloaded ({file} from {'; '.join(reasons)}). Connect to the "
        f"network and start anew, or put the official files into {remote.folder}/ of some folder "
        f"and set NNSCRATCH_DATA to it."
    )


def _short(error: OSError) -> str:
    """The reason in a few words: the messages of requests fill several lines."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return "broken off"
    return str(error)


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Without pooch's log lines, which show long paths and checksums."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _stream(url: str, output_file: str, size: int) -> None:
    """Write the ``size`` bytes at ``url`` to a file that is then safely on the disk.

    Raises
    ------
    OSError
        If the server breaks off, or sends more bytes: no more than ``size`` are written.
    """
    with _ask(url) as response:
        response.raise_for_status()
        name = url.rpartition("/")[2]
        with (
            open(output_file, "wb") as file,
            progress_bar(desc=name, total=size, unit="B", unit_scale=True) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                if file.tell() + len(chunk) > size:
                    raise OSError(f"more than the {size:,} bytes of the file")
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())  # before the renaming, or a power cut leaves an empty file


def _ask(url: str) -> requests.Response:
    """The server's answer, its body still to be read.

    Raises
    ------
    ConnectionError
        If there is none within `ANSWER_SECONDS`.
    """
    server = urlsplit(url).netloc
    if server in _silent:
        raise ConnectionError("no answer before")
    if len(_silent) >= SILENT_SERVERS:
        raise ConnectionError("not asked, the network seems to be down")
    answer: list[requests.Response] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):  # also those of requests
            timeout = (CONNECT_SECONDS, STALL_SECONDS)
            answer.append(requests.get(url, stream=True, timeout=timeout))

    # In a thread of its own because the time-out above is for one address: looking up the name
    # has none, and a name with eight dead addresses takes eight times as long.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if not answer:
        _silent.add(server)
        raise ConnectionError("no answer")
    return answer[0]

"""Small data sets written by hand, and a web server on this machine to download them from."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from nnscratch.datasets import fetch, idx

# Written out byte by byte, not with idx.write: the reader is tested against the format.
IMAGE_MAGIC, LABEL_MAGIC = b"\0\0\x08\x03", b"\0\0\x08\x01"


def idx_images(n: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 28, 28), np.uint8)
    return IMAGE_MAGIC + struct.pack(">III", n, 28, 28) + pixels.tobytes()


def idx_labels(n: int) -> bytes:
    return LABEL_MAGIC + struct.pack(">I", n) + bytes(i % 10 for i in range(n))


def small_files(n_train: int = 20, n_test: int = 10) -> dict[str, bytes]:
    """The four files of a small data set, under their official names."""
    raw = (idx_images(n_train), idx_labels(n_train), idx_images(n_test, 1), idx_labels(n_test))
    return {
        name: gzip.compress(content, mtime=0) for name, content in zip(idx.FILES, raw, strict=True)
    }


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def small_remote(remote: fetch.Remote, files: dict[str, bytes], *mirrors: str) -> fetch.Remote:
    """``remote`` with these files to download, from these mirrors."""
    known = {
        name: fetch.File(len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
        for name, content in files.items()
    }
    return remote._replace(mirrors=mirrors, files=known)


class Server:
    """What a test server has been asked for, and its address ending in a slash."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []


@contextmanager
def serving(
    files: Mapping[str, bytes | Callable[[], Iterable[bytes]]],
    sent: float = 1.0,
    stalls: bool = False,
    slowly: float = 0.0,
) -> Iterator[Server]:
    """Serve ``files`` on 127.0.0.1, and status 404 for the rest.

    A function in place of a file's content gives its chunks; no length is announced then.

    Of each file the share ``sent`` is sent, then the connection breaks off or, if it ``stalls``,
    says nothing more; the first byte comes ``slowly`` seconds late.
    """
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            server.asked.append(name)
            if name not in files:
                self.send_error(404)
                return
            content = files[name]
            self.send_response(200)
            if callable(content):
                self.end_headers()
                with suppress(ConnectionError):  # whoever asked has heard enough
                    for chunk in content():
                        self.wfile.write(chunk)
                return
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            over.wait(slowly)
            self.wfile.write(content[: int(sent * len(content))])
            if stalls:
                self.wfile.flush()
                over.wait()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the tests look at what is on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_port}/")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            over.set()
            http.shutdown()
            thread.join()

"""For all tests."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Ctrl-C interrupts, here and in child processes, also where a shell ignores it.

    So it does for whatever it runs in the background.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

"""A small number of the draws of `tests.layers.array_fuzz`, in a process that may crash."""

import json
import subprocess
import sys


def test_no_crash_and_no_number():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.layers.array_fuzz", "--draws", "300"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    for mode in ("fused", "single", "reference"):
        assert counts[f"{mode}, refused"] > 20
        assert counts[f"{mode}, computed"] > 5

"""How long a long run will take here: a short calibration, times what the same run took before.

The kept records (``gallery/timings-full.json`` and ``timings-embedded.json``) say how many seconds
every exercise took on one machine, and how many milliseconds a training step took there. The
same step is measured here, and the ratio of the two is what this machine is slower or faster by.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from exercises.common import Array, Settings, mnist32, write_text
from exercises.ex01_autoencoder import autoencoder
from nnscratch.losses import mse
from nnscratch.optimizers import Adam
from nnscratch.randomness import stream

GALLERY = Path(__file__).with_name("gallery")
BATCH, STEPS, ROUNDS = 64, 10, 7


def kind(settings: Settings) -> str | None:
    """Which record a run compares with; None for a run that is not the default one."""
    if settings.quick or settings.epochs is not None:
        return None
    return "full" if len(mnist32(settings).x_train) == 60_000 else "embedded"


def file_name(which: str) -> str:
    """Of a record, in the output folder and in the gallery."""
    return f"timings-{which}.json"


def step_ms() -> float:
    """Milliseconds of a training step of the exercise-1 autoencoder, kernels compiled before.

    The median of several rounds, so that a moment in which the machine does something else does
    not count.
    """
    model, optimizer = autoencoder(0), Adam(1e-3)
    x: Array = stream(0, "timing").random((BATCH, 32, 32, 1), np.float32)

    def steps() -> None:
        for _ in range(STEPS):
            _, dy = mse(model.forward(x, training=True), x)
            model.backward(dy)
            optimizer.step(model.params, model.grads)

    steps()
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        steps()
        rounds.append(time.perf_counter() - started)
    return float(np.median(rounds)) / STEPS * 1000


def estimate(which: str, ms: float, names: list[str]) -> float:
    """Seconds that the exercises ``names`` will take where a step takes ``ms`` milliseconds.

    One that is not in the record, because it is new, counts nothing.
    """
    kept = read(which)
    return sum(kept["seconds"].get(name, 0.0) for name in names) * ms / kept["step_ms"]


def read(which: str) -> dict[str, Any]:
    """The kept record: ``step_ms``, and ``seconds`` by exercise."""
    return json.loads((GALLERY / file_name(which)).read_text(encoding="utf-8"))


def keep(folder: Path, which: str, ms: float, seconds: dict[str, float]) -> None:
    """Write the record of a run."""
    record = {"step_ms": round(ms, 2), "seconds": {k: round(v, 1) for k, v in seconds.items()}}
    write_text(folder / file_name(which), json.dumps(record, indent=1) + "\n")


def in_words(seconds: float) -> str:
    """As a person would say it: "40 seconds", "14 minutes", "1.2 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

"""Random numbers that a saved layer repeats: noise that is a function of two stored integers.

A layer that draws noise keeps in its ``state`` a ``key``, drawn once at build from the generator
handed in, and the number of ``draws`` made since. Draw number t comes from a fresh stream of
seed (key, t). So the state is two arrays like any other, and a run resumed from a
checkpoint sees the noise that it would have seen.
"""

from __future__ import annotations

import numpy as np

from nnscratch.randomness import stream

Array = np.ndarray


def make_noise_state(rng: np.random.Generator) -> dict[str, Array]:
    """A new key from ``rng``, and no draws yet: two int64 arrays of shape (1,)."""
    return {"key": rng.integers(2**62, size=1), "draws": np.zeros(1, np.int64)}


def draw_generator(state: dict[str, Array]) -> np.random.Generator:
    """The generator of the next draw; counts it in ``state["draws"]``."""
    seed = int(state["key"][0]), int(state["draws"][0])
    state["draws"] += 1
    return stream(seed, "noise")

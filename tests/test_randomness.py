"""Streams of random numbers: none is another, and every part of a program has its own."""

import ast
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import nnscratch
from nnscratch.layers import Dense, Dropout, Flatten, GaussianSampling, ReLU, Sequential
from nnscratch.models import VAE, Autoencoder, UNet
from nnscratch.randomness import stream

SOURCES = [
    file
    for folder in (Path(nnscratch.__file__).parent, Path(__file__).parent.parent / "exercises")
    for file in folder.glob("**/*.py")
    if "gradcheck" not in file.parts  # which draws points to check at, and trains nothing
]


@pytest.mark.parametrize(
    "other",
    [
        stream(1, "a"),
        stream([0, 0], "a"),
        stream([0, 0, 0, 0], "a"),
        stream(0, "b"),
        stream(0),
        stream(0, "a", 0),
        stream(0, "a", ""),
        stream(2**32, "a"),
        np.random.default_rng(0),
    ],
)
def test_whatever_differs_gives_other_numbers(other):
    assert not np.isin(other.random(100), stream(0, "a").random(100)).any()


def test_the_same_seed_and_use_give_the_same_numbers():
    numbers = stream(0, "a", (3, 2)).random(9)
    for seed in (0, [0], (np.int64(0),), np.uint8(0)):
        np.testing.assert_array_equal(stream(seed, "a", (3, 2)).random(9), numbers)


@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), ([0, -1], ValueError), ([], ValueError)]
    + [(seed, TypeError) for seed in (None, 1.0, "0", "abc", [0, "1"], [[0]])],
)
def test_what_is_no_seed_gets_a_sentence(seed, error):
    with pytest.raises(error, match=r"seed is .* whole number of at least 0, or several"):
        stream(seed, "a")


def starts_of_code(side, hidden=6):
    """An encoder and a decoder with dropout, both with their default seeds."""
    encoder = Sequential([Flatten(), Dense(hidden), Dropout(0.5), Dense(3)], (side, side, 1))
    return encoder, Sequential([Dense(hidden), Dropout(0.5), Dense(side**2)], (3,))


def random_starts(model):
    """Of everything that was drawn, by name, the first three numbers on one scale."""
    weights = {k: w.ravel()[:3] / abs(w).max() for k, w in model.params.items() if w.any()}
    weights = {k: w for k, w in weights.items() if len(set(w)) == 3}  # neither biases nor gammas
    keys = {key: array for key, array in model.state.items() if key.endswith("key")}
    assert weights
    return list(weights.values()), list(keys.values())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Autoencoder(*starts_of_code(4)),
        lambda: VAE(Sequential([Flatten(), Dense(6), ReLU()], (4, 4, 1)), 3, starts_of_code(4)[1]),
        lambda: UNet((8, 8, 1), (4, 4), 4),
        lambda: Sequential([Sequential([Dense(5)], (5,)), Dense(5), Dropout(0.1)], (5,)),
    ],
    ids=["autoencoder", "vae", "u-net", "nested"],
)
def test_no_two_parts_of_a_model_start_with_the_same_draws(make):
    for of_a_kind in random_starts(make()):
        for a, b in combinations(of_a_kind, 2):
            assert not np.allclose(a, b, atol=1e-3)


def test_dropout_in_both_halves_drops_other_numbers():
    model = Autoencoder(*starts_of_code(4, hidden=500))
    model.forward(np.ones((1, 4, 4, 1), np.float32), training=True)
    first, second = model.encoder.layers[2].cache[0] > 0, model.decoder.layers[1].cache[0] > 0
    assert 0.3 < np.mean(first == second) < 0.7


def test_the_noise_of_a_vae_is_not_its_weights_nor_the_noise_of_another_layer():
    encoder, decoder = starts_of_code(4)
    model = VAE(encoder, 3, decoder)
    keys = {k: int(v[0]) for k, v in model.state.items() if k.endswith("key")}
    assert len(set(keys.values())) == len(keys) == 3


def test_part_of_a_network_goes_on_in_a_new_one_whose_other_weights_are_drawn_independently():
    old = Sequential([Dense(7), ReLU()], (7,))
    new = Sequential([*old.layers, Dense(7)], (7,))
    assert not np.isin(new.layers[2].params["W"], old.layers[0].params["W"]).any()


def square(seed, rate=0.5):
    return Sequential([Dense(4), Dropout(rate)], (4,), seed=seed)


@pytest.mark.parametrize(
    "put_together",
    [
        lambda a, b: Autoencoder(a, b),
        lambda a, b: VAE(a, 4, b),
        lambda a, b: Sequential([a, b], (4,)),
        lambda a, b: Autoencoder(Sequential([a, ReLU()], (4,)), b),
    ],
)
def test_halves_drawn_from_the_same_numbers_are_refused(put_together):
    with pytest.raises(
        ValueError, match=r"0\.dense and .*0\.dense were .*same random .*another seed"
    ):
        put_together(square(0), square(0))
    put_together(square(0), square(1))


def test_halves_without_random_numbers_need_no_seed():
    Autoencoder(Sequential([ReLU()], (4,)), Sequential([ReLU()], (4,)))


def test_building_a_model_anew_draws_all_its_parts_one_after_the_other():
    model = Autoencoder(square(0), square(1))
    model.build((4,), np.random.default_rng(0), np.float32)
    Sequential([model, Dense(2)], (4,))
    keys = [int(key[0]) for key in model.state.values() if key[0]]
    assert len(set(keys)) == len(keys) == 2


def test_both_dtypes_of_a_seed_start_at_the_same_point():
    def make(dtype):
        halves = [Dense(6), GaussianSampling()], [Dense(4)]
        shapes = (4,), (3,)
        return Autoencoder(
            *(Sequential(h, s, dtype=dtype) for h, s in zip(halves, shapes, strict=True))
        )

    single, double = make(np.float32), make(np.float64)
    for key, array in single.params.items():
        np.testing.assert_array_equal(array, double.params[key].astype(np.float32))
    assert single.state == double.state


def calls(function):
    """Every call of it in the library and the exercises: the file, and the constants in it."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = node.func if isinstance(node, ast.Call) else None
            if getattr(name, "attr", getattr(name, "id", "")) == function:
                names = (a.value for a in node.args[1:] if isinstance(a, ast.Constant))
                yield file.name, tuple(names)


def test_nothing_draws_but_from_a_named_stream():
    for function in ("default_rng", "RandomState", "SeedSequence", "Generator"):
        assert [file for file, _ in calls(function)] in ([], ["randomness.py"])
    names = [use for _, use in calls("stream")]
    assert len(names) > 30


def test_every_use_has_a_name_of_its_own():
    names = [use for file, use in calls("stream") if use]
    assert sorted(names) == sorted(set(names))
    unnamed = {file for file, use in calls("stream") if not use}
    assert unnamed == {"vae.py"}  # which goes through a list of names

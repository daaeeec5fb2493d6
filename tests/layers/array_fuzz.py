"""Every array of every layer and model, exchanged for wrong ones, at every moment of a step.

``python -m tests.layers.array_fuzz --draws 2000`` runs so many training steps, each with one array
exchanged, fused, layer by layer and in NumPy. An array of the right shape and dtype that lies in
memory in another way must give the same numbers. For every other one a ValueError or TypeError
must say what is wrong, before a number comes out. A crash ends the process.
"""

from __future__ import annotations

import argparse
import collections
import json
import warnings

import numpy as np

from nnscratch import kernels, layers
from nnscratch.layers import Composite, Sequential
from nnscratch.layers.base import all_parts
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder, UNet
from nnscratch.optimizers import SGD, Adam
from tests.layers.helpers import ONE_OF_EACH

MODES = ["fused", "single", "reference"]
DTYPES = ["f4", "f8", "f2", ">f4", "i8", "u1", "?", "c8", "O", "U1"]


def halves(dtype):
    down = [layers.Conv2D(4, 3), layers.ReLU(), layers.MaxPooling2D(2), layers.Flatten()]
    up = [
        *(layers.Dense(16), layers.Reshape((2, 2, 4)), layers.UpSampling2D(2)),
        *(layers.Conv2D(1, 3), layers.Sigmoid()),
    ]
    encoder = Sequential([*down, layers.Dense(3)], (4, 4, 1), dtype=dtype)
    return encoder, Sequential(up, (3,), seed=1, dtype=dtype)


def vae(dtype):
    encoder, decoder = halves(dtype)
    return VAE(encoder, 3, decoder)


def alone(make, shape):
    def model(dtype):
        layer = make()
        layer.build(shape, np.random.default_rng(0), dtype)
        return layer

    return model


MODELS = {name: alone(*pair) for name, pair in ONE_OF_EACH.items() if name != "Sequential"} | {
    "pooled": lambda dtype: halves(dtype)[0],
    "enlarged": lambda dtype: halves(dtype)[1],
    "transposed": lambda dtype: Sequential(
        [
            *(layers.UpSampling2D(2), layers.Conv2DTranspose(3, 3), layers.ReLU()),
            *(layers.Conv2DTranspose(4, 4, 2), layers.ReLU(), layers.BatchNormalization()),
            *(layers.LeakyReLU(), layers.AveragePooling2D(2), layers.Dropout(0.5)),
        ],
        (2, 3, 2),
        dtype=dtype,
    ),
    "Autoencoder": lambda dtype: Autoencoder(*halves(dtype)),
    "VAE": vae,
    "UNet": lambda dtype: UNet((4, 4, 1), (2,), 3, dtype=dtype),
}


# ---------------------------------------------------------------- what is put there instead


def strided(a):
    wide = np.full((*a.shape, 2), 9).astype(a.dtype)
    wide[..., 0] = a
    return wide[..., 0]


def reversed_twice(a):
    return np.flip(np.flip(a).copy())


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    return raw


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


HARMLESS = [strided, reversed_twice, misaligned, np.asfortranarray, np.copy]


def wrong(rng, a):
    """Something of another kind than ``a``, and what it is called."""
    axes = tuple(rng.permutation(a.ndim))
    fewer = tuple(max(0, n - int(rng.integers(0, 3))) for n in a.shape)
    kinds = {
        "axes in another order": lambda: a.transpose(axes),
        "fewer channels": lambda: a[tuple(slice(n) for n in fewer)],
        "one number": lambda: np.full((1,) * a.ndim, 1, a.dtype),
        "one axis more": lambda: a[np.newaxis],
        "one axis less": lambda: a.reshape(-1),
        "twice as many": lambda: np.concatenate([a, a], axis=-1),
        "empty": lambda: np.empty((0,) * max(1, a.ndim), a.dtype),
        "0-d": lambda: np.array(1, a.dtype),
        "another dtype": lambda: a.astype(rng.choice(DTYPES)),
        "a list": a.tolist,
        "None": lambda: None,
        "a number": lambda: 1.0,
        "masked": lambda: np.ma.masked_array(a),
        "a matrix": lambda: np.asmatrix(a.reshape(-1)),
    }
    while True:
        kind = rng.choice(list(kinds))
        found = kinds[kind]()
        plain = type(found) is np.ndarray
        if not (plain and found.shape == a.shape and found.dtype == a.dtype):
            return kind, found


# ---------------------------------------------------------------- a step, and where to interfere


class Step:
    """A model that was trained for one step and will be for another, and an evaluation."""

    def __init__(self, name, dtype, adam):
        self.model = MODELS[name](dtype)
        self.optimizer = Adam(1e-3) if adam else SGD(1e-3, 0.9)
        rng = np.random.default_rng(1)
        self.x = rng.random((2, *self.model.input_shape)).astype(dtype)
        self.target = rng.random((2, *self.model.built_shape)).astype(dtype)
        self.train({})

    def train(self, exchange):
        """The results of a step; ``exchange`` says what to do at which moment."""

        def now(moment, given=None):
            return exchange[moment](given) if moment in exchange else given

        now("before forward")
        y = self.model.forward(now("x", self.x), training=True)
        numbers = [y.copy()]
        _, dy = mse(y, now("target", self.target))
        now("before backward")
        numbers.append(self.model.backward(now("dy", dy)))
        numbers += [grad.copy() for grad in self.model.grads.values()]
        now("before step")
        self.optimizer.step(self.model.params, self.model.grads)
        return numbers

    def finish(self, exchange):
        """All numbers of a step and of the evaluation after it."""
        numbers = self.train(exchange)
        return [*numbers, *self.model.params.values(), self.model.forward(self.x)]

    def places(self):
        """(moment, its name in a sentence, dict, key) of every array that can be exchanged."""
        found = [(moment, moment, None, None) for moment in ("x", "target", "dy")]
        for part in all_parts(self.model):
            if isinstance(part, Composite):
                continue
            for key in part.params:
                for moment in ("before forward", "before backward", "before step"):
                    found.append((moment, f'params["{key}"]', part.params, key))
                found.append(("before backward", f'grads["{key}"]', part.grads, key))
            for key in part.state:
                found.append(("before forward", f'state["{key}"]', part.state, key))
        moments = self.optimizer.state
        return found + [("before step", key, moments, key) for key in moments if key != "steps"]


def draw(rng):
    """One step with one array exchanged: what was done, and how it ended."""
    kind = str(rng.choice(list(MODELS))), rng.choice([np.float32, np.float64]), rng.random() < 0.7
    expected, step = Step(*kind).finish({}), Step(*kind)
    places = step.places()
    moment, what, arrays, key = places[rng.integers(len(places))]
    harmless = rng.random() < 0.25
    written = what.startswith(("grads", "state")) or moment == "before step"
    done = []

    def exchange(given):
        array = given if arrays is None else arrays[key]
        if harmless:
            new = HARMLESS[rng.integers(len(HARMLESS))](array)
            done.append("lying elsewhere")
        elif written and rng.random() < 0.1:
            done.append("read-only")
            new = read_only(array)
        else:
            how, new = wrong(rng, array)
            done.append(how)
        if arrays is None:
            return new
        arrays[key] = new
        return given

    try:
        found, sentence = step.finish({moment: exchange}), ""
    except (ValueError, TypeError) as error:
        found, sentence = [], str(error)
    where = f"{kind[0]} {kind[1].__name__}, {what} {moment}: {', '.join(done)}: {sentence}"
    if harmless and "belongs to the parameters of its first" in sentence:
        return "refused by the optimiser"
    if sentence:
        assert len(sentence.split()) > 5, f"no sentence: {where}"
        named = what in sentence or moment not in ("before forward", "before backward")
        assert named, f"does not name the array: {where}"
        assert not harmless or moment == "before step", f"refused though it is right: {where}"
        return "refused"
    assert harmless, f"a number came out: {where}"
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5, err_msg=where)
    return "computed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: collections.Counter[str] = collections.Counter()
    for number in range(options.draws):
        mode = MODES[number % len(MODES)]
        kernels.use_kernels("reference" if mode == "reference" else "compiled")
        kernels.use_fusion(mode == "fused")
        try:
            ended = draw(np.random.default_rng([options.seed, number]))
        except Exception as error:
            raise AssertionError(f"draw {number}, {mode}") from error
        counts[f"{mode}, {ended}"] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main()

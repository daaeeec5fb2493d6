"""What a kept model is kept under: all that decides how its training ends, and nothing else."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exercises import fingerprint
from exercises.common import Settings
from exercises.ex04b_capacity import DecayRecipe
from exercises.ex07_vae import vae
from exercises.fingerprint import Fingerprint, library
from exercises.trained import Recipe, key_of, train
from nnscratch import kernels
from nnscratch.layers import Conv2D, Dropout, LeakyReLU, Sequential
from nnscratch.losses import mse
from nnscratch.models import NegativeELBO

CHECKOUT = Path(__file__).parents[2]
X = np.random.default_rng(0).random((6, 4, 4, 1), np.float32)
FACTOR = 2.0


def net(*layers, seed=0):
    return Sequential([*layers, Conv2D(1, 3)], (4, 4, 1), seed=seed)


def scaled(factor):
    """A loss whose parameter is not in its name."""

    def loss(y, target):
        value, dy = mse(y, target)
        return factor * value, factor * dy

    return loss


def doubled(y, target):
    """A loss that uses a number of its module."""
    value, dy = mse(y, target)
    return FACTOR * value, FACTOR * dy


def same_as_doubled(y, target):
    """Other words."""
    # and a comment
    value, dy = mse(y, target)

    return FACTOR * value, FACTOR * dy


same_as_doubled.__name__ = same_as_doubled.__qualname__ = "doubled"


def with_a_set(rng):
    return "a" in {"b", "c", "d", "e", "f", "g", "h", "i"}


class Watcher:
    def __init__(self, threshold):
        self.threshold = threshold

    def measure(self):
        return {"above": float((self.threshold < X).mean())}


def key(**changes):
    plain = {
        "seed": 0, "model": net(Dropout(0.25)), "loss": mse, "recipe": Recipe(1e-3, 2, 3),
        "data": (X, X), "validation": (X[:2], X[:2]), "measure": None, "renew": None,
    }  # fmt: skip
    return key_of(**(plain | changes))


def frozen():
    model = net(Dropout(0.25))
    model.layers[1].trainable = False
    return model


def changed_weight():
    model = net(Dropout(0.25))
    model.params["1.conv2d.b"][0] = 1e-7
    return model


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"model": net(Dropout(0.5))},
        {"model": net(LeakyReLU(0.25))},
        {"model": net(Dropout(0.25), seed=1)},
        {"model": frozen()},
        {"model": changed_weight()},
        {"loss": doubled},
        {"loss": scaled(2.0)},
        {"recipe": Recipe(1e-3 + 1e-9, 2, 3)},
        {"recipe": Recipe(1e-3, 3, 3)},
        {"recipe": Recipe(1e-3, 2, 4)},
        {"recipe": Recipe(1e-3, 2, 3, cosine=True)},
        {"recipe": Recipe(1e-3, 2, 3, keep_best=True)},
        {"recipe": DecayRecipe(1e-3, 2, 3, weight_decay=0.1)},
        {"data": (X, X + np.float32(1e-6))},
        {"data": (X[:5], X[:5])},
        {"data": (X.reshape(6, 4, 2, 2), X)},
        {"data": (X.astype(np.float64), X)},
        {"validation": (X[1:3], X[1:3])},
        {"validation": (X[:2], X[1:3])},
        {"measure": lambda: {"mean": float(X.mean())}},
        {"renew": lambda rng: (X, X)},
        {"renew": lambda rng: (X + rng.random(), X)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_matters_changes_the_key(change):
    assert key(**change) != key()


def test_what_belongs_to_training_and_to_validation_is_told_apart():
    """The same numbers in the same order, cut elsewhere."""
    assert key(data=(X[:4], X[4:]), validation=(X, X)) != key(
        data=(X[:2], X[2:]), validation=(X, X)
    )


def test_functions_differ_by_what_they_hold_and_not_by_their_words(monkeypatch):
    assert key(loss=scaled(2.0)) == key(loss=scaled(2.0)) != key(loss=scaled(3.0))
    assert key(loss=doubled) == key(loss=same_as_doubled)
    before = key(loss=doubled)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert key(loss=doubled) != before
    assert key(measure=Watcher(0.5).measure) == key(measure=Watcher(0.5).measure)
    assert key(measure=Watcher(0.5).measure) != key(measure=Watcher(0.25).measure)
    model = vae(0)
    weights = {w: key(loss=NegativeELBO(model, w)) for w in (2.56, 2.5600000001, 0.5)}
    assert len(set(weights.values())) == 3


@pytest.mark.parametrize("by_name", [False, True])
def test_a_functions_defaults_count(by_name):
    def measuring(threshold):
        if by_name:
            return lambda *, above=threshold: {"above": above}
        return lambda above=threshold: {"above": above}

    assert key(measure=measuring(0.5)) == key(measure=measuring(0.5))
    assert key(measure=measuring(0.5)) != key(measure=measuring(0.25))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1.0}, {"b": 1.0}),
        ({"a": 1.0}, {"a": 2.0}),
        ((1, 2), [1, 2]),
        ([[1], 2], [1, [2]]),
        ([{"a": 1}, {"b": 2}], [{"a": 1, "b": 2}, {}]),
        (1, 1.0),
        (1, "1"),
        (None, 0),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (np.float32(1), np.float64(1)),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3).T.reshape(2, 3)),
    ],
    ids=str,
)
def test_values_that_differ_have_other_digests(one, other):
    digests = []
    for value in (one, other, one):
        collected = Fingerprint()
        collected.add(value)
        digests.append(collected.hexdigest())
    assert digests[0] == digests[2] != digests[1]


def test_the_generator_of_a_layer_counts():
    def with_masks(seed):
        model = net(Dropout(0.25))
        model.layers[0].masks = np.random.default_rng(seed)
        return model

    assert key(model=with_masks(0)) == key(model=with_masks(0)) != key(model=with_masks(1))


def test_nothing_else_changes_the_key():
    model = net(Dropout(0.25))
    model.forward(X, training=False)  # leaves caches behind
    assert key(model=model) == key()
    read_only = X.copy()
    read_only.flags.writeable = False
    assert key(data=(read_only, np.asfortranarray(X))) == key()

    def renewing(settings):
        return lambda rng: (X[: 2 if settings.quick else 4], X)

    places = [Settings(out=Path(name), data=data) for name, data in (("a", "auto"), ("b", "full"))]
    assert len({key(renew=renewing(settings)) for settings in places}) == 1


def test_the_kernels_in_use_count():
    compiled = key()
    before = kernels.in_use()
    kernels.use_kernels("reference" if before == "compiled" else "compiled")
    try:
        assert key() != compiled
    finally:
        kernels.use_kernels(before)


@pytest.fixture
def small_library(tmp_path):
    """Files that import each other, as those of the library do."""
    for name, text in {
        "layers/__init__.py": "from nnscratch.layers.dense import Dense\n",
        "layers/dense.py": '"""Dense."""\n\nfrom nnscratch import rounding\n\ny = 1  # one\n',
        "rounding.py": "z = 3\n",
        "models/__init__.py": "from nnscratch.layers import Dense\n",
        "optimizers.py": "def step():\n    from nnscratch.progress import bar\n    return 2\n",
        "training/__init__.py": "from nnscratch import optimizers\n",
        "progress.py": "bar = 1\n",
        "plotting.py": "color = 1\n",
        "__init__.py": "from nnscratch import plotting\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("layers/dense.py", "y = 1", "y = -1", True),
        ("optimizers.py", "return 2", "return 3", True),
        ("rounding.py", "z = 3", "z = 4", True),
        ("layers/dense.py", "# one", "# 1, to be clear", False),
        ("layers/dense.py", '"""Dense."""', '"""A dense layer."""', False),
        ("optimizers.py", "step():\n", 'step():\n    """One step."""\n', False),
        ("plotting.py", "color = 1", "color = 2", False),
        ("progress.py", "bar = 1", "bar = 2", False),
    ],
)
def test_code_of_the_library_counts_where_training_uses_it(small_library, file, old, new, counts):
    before = library.__wrapped__(small_library)
    path = small_library / file
    path.write_text(path.read_text().replace(old, new))
    assert (library.__wrapped__(small_library) != before) is counts


def test_library_code_is_in_the_key(monkeypatch):
    before = key()
    monkeypatch.setattr("exercises.trained.library", lambda: "another")
    assert key() != before
    files = {path.name for path in fingerprint._imported(Path(kernels.__file__).parents[1])}
    assert {"convolution.py", "passes.py", "vae.py", "losses.py", "noise.py", "loop.py"} <= files
    assert not {"plotting.py", "metrics.py", "map_inference.py", "profiling.py"} & files


def test_unknown_things_are_known_by_their_kind():
    digests = set()
    for value in (print, len, np.sin, Path("a"), object):
        collected = Fingerprint()
        collected.add(value)
        digests.add(collected.hexdigest())
    assert len(digests) == 5


# -- the recipe


def test_a_schedule_ends_with_the_last_step_and_not_before():
    """Nine samples in batches of four are three steps an epoch, not two."""
    adam = Recipe(0.5, 4, 2, cosine=True).optimizer(9)
    rates = [adam.learning_rate(step) for step in range(7)]
    assert rates[0] == 0.5
    assert rates[3] == pytest.approx(0.25)
    assert rates[5] > 0
    assert rates[6] == pytest.approx(0)
    assert Recipe(0.5, 4, 2).optimizer(9).learning_rate == 0.5


def test_recipe_in_words():
    assert str(Recipe(1e-3, 64, 1)) == "1 epoch, Adam 0.001, batch 64"
    best = replace(Recipe(2e-3, 32, 20), cosine=True, keep_best=True)
    assert str(best) == "20 epochs, best epoch kept, Adam 0.002, cosine decay, batch 32"
    decay = DecayRecipe(1e-3, 64, 2, weight_decay=0.1)
    assert str(decay) == "2 epochs, Adam 0.001, batch 64, weight decay 0.1"
    assert decay.optimizer(10).weight_decay == 0.1


def test_training_is_handed_over_as_the_recipe_says(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr("exercises.trained.fit", lambda *a, **options: seen.update(options, a=a))
    settings, model = Settings(seed=7, out=tmp_path), net()
    recipe = Recipe(1e-3, 2, 5, keep_best=True)
    train(settings, "name", model, mse, recipe, (X, X + 1), (X[:2], X[:2]), first_look=3)
    assert (seen["epochs"], seen["batch_size"], seen["seed"], seen["patience"]) == (3, 2, 7, 5)
    train(settings, "name", model, mse, recipe, (X, X + 1), (X[:2], X[:2]), first_look=9)
    assert seen["epochs"] == 5  # a first look is no longer than the whole
    assert seen["checkpoint"].parent == tmp_path / "models"
    assert seen["checkpoint"].name.startswith("name-")
    assert seen["a"][0] is model
    assert seen["validation"][0].base is X
    seen["checkpoint"].parent.mkdir()
    seen["checkpoint"].write_bytes(b"")
    train(settings, "name", model, mse, recipe, (X, X + 1), (X[:2], X[:2]), first_look=3)
    assert seen["epochs"] == 5  # what was begun goes on to its end
    train(settings, "name", model, mse, replace(recipe, keep_best=False), (X, X), (X, X))
    assert seen["patience"] is None


def test_another_process_finds_the_same_key():
    """Whose hashes of words, and so whose orders of sets, are others."""
    code = "from tests.exercises.test_trained import *; print(key(renew=with_a_set))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == key(renew=with_a_set)

"""What a run of the exercises holds on to, and what it says of its memory."""

import functools
import sys
import types
from pathlib import Path

import pytest

from exercises import common, ex01c_inside, image_separation_data, memory
from exercises.catalogue import EXERCISES
from exercises.common import Settings, fashion, mnist28, mnist32
from exercises.ex01_autoencoder import autoencoder
from exercises.ex02_latent_space import clipping
from exercises.ex07_vae import trained
from exercises.fashion_vae import trained as trained_on_clothes
from tests.test_memory import held

QUICK = Settings(data="embedded", quick=True)


def test_two_data_sets_are_kept_at_once_for_all_settings():
    """Whoever changes seed, epochs or folder gets the same arrays."""
    first = mnist32(QUICK)
    assert mnist32(Settings(data="embedded", quick=True, seed=5, out=Path("b"))) is first
    assert mnist32(Settings(data="embedded")) is not first
    mnist28(QUICK)
    fashion(QUICK)
    assert common._images.cache_info().currsize == 2
    assert image_separation_data.photographs.cache_info().maxsize == 1
    assert {data(QUICK).x_train.shape[1:] for data in (mnist32, mnist28)} == {
        (32, 32, 1), (28, 28, 1),
    }  # fmt: skip
    assert fashion(QUICK).name == "Fashion-MNIST"


def test_a_handful_of_images_does_not_keep_the_others():
    for array in (mnist32(QUICK).x_train, fashion(QUICK).y_test):
        assert array.base is None


def test_nothing_big_is_kept_once_an_exercise_has_its_models(tmp_path):
    """What the caches of functions hold is models without batches, and small arrays."""
    settings = Settings(data="embedded", quick=True, out=tmp_path, seed=77)
    for model in (trained(settings)[0], trained_on_clothes(settings, "MNIST")[0]):
        own = sum(a.nbytes for a in (*model.params.values(), *model.grads.values()))
        assert held(model) < own + 100_000


def test_a_look_inside_a_model_leaves_no_batch_in_it():
    model, x = autoencoder(0), mnist32(QUICK).x_test[:50]
    before = held(model)
    for look in (ex01c_inside.activations, lambda model, x: clipping(model.encoder, x)):
        model.forward(x)
        assert held(model) > before + x.nbytes
        model.forget()
        look(model, x)
        assert held(model) <= before


def test_no_cache_of_an_exercise_takes_arrays():
    """Functions of data would keep every array that they were ever called with."""
    modules = [module for module, _ in EXERCISES]
    caches = {
        f"{module.__name__}.{name}": thing
        for module in modules
        for name, thing in vars(module).items()
        if isinstance(thing, functools._lru_cache_wrapper)
    }
    assert len(caches) > 20
    for name, thing in caches.items():
        hints = thing.__wrapped__.__annotations__
        assert not any("Array" in str(h) for key, h in hints.items() if key != "return"), name


@pytest.mark.parametrize(("platform", "expected"), [("linux", 2048 * 1024), ("darwin", 2048)])
def test_peak_is_in_bytes_on_each_system(monkeypatch, platform, expected):
    usage = types.SimpleNamespace(ru_maxrss=2048)
    fake = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: usage)
    monkeypatch.setitem(sys.modules, "resource", fake)
    monkeypatch.setattr(memory.sys, "platform", platform)
    assert memory.peak_bytes() == expected


def test_windows_is_silent_about_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_bytes() is None
    assert memory.peak_in_words() == ""


def test_peak_is_said_in_gigabytes(monkeypatch):
    monkeypatch.setattr(memory, "peak_bytes", lambda: 834_000_000)
    assert memory.peak_in_words() == ", with at most 0.83 GB of memory"

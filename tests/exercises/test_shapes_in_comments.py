"""The networks of the exercises have the shapes that stand beside their layers."""

import importlib
import inspect
import pkgutil
import re

import pytest

import exercises
from nnscratch.layers import Sequential
from nnscratch.training.divergence import leaves

SHAPE = re.compile(r"# (\d+) x (\d+) x (\w+)$", re.MULTILINE)
IMAGE = re.compile(r"(\d+) x (\d+) x (\d+) image -> ")


def networks():
    """All functions beside whose layers shapes stand, by their names."""
    found = {}
    for _, name, _ in pkgutil.walk_packages(exercises.__path__, "exercises."):
        if name.endswith("__main__"):
            continue
        for function in vars(importlib.import_module(name)).values():
            own = inspect.isfunction(function) and function.__module__ == name
            if own and SHAPE.search(inspect.getsource(function)):
                found[f"{name.rpartition('.')[2]}.{function.__name__}"] = function
    return found


NETWORKS = networks()


def test_networks_are_found():
    assert len(NETWORKS) >= 9
    assert {name.rpartition(".")[2] for name in NETWORKS} >= {"encoder", "decoder", "vae"}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_layers_have_the_shapes_beside_them_in_this_order(make):
    arguments = inspect.signature(make).parameters
    model = make(0) if "seed" in arguments else make()
    if isinstance(model, list):
        model = Sequential(model, tuple(map(int, IMAGE.match(make.__doc__).groups())))
    shapes = iter([layer.built_shape for _, layer in leaves(model)])
    for words in SHAPE.findall(inspect.getsource(make)):
        shape = tuple(int(n) if n.isdigit() else arguments[n].default for n in words)
        assert shape in shapes, f"{words} is not the shape of a later layer"

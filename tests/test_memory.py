"""What a model still holds when its work is done: its own arrays, and no batch."""

import numpy as np
import pytest

from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    UpSampling2D,
)
from nnscratch.losses import mse
from nnscratch.map_inference import map_estimate
from nnscratch.models import VAE, Autoencoder, NegativeELBO, UNet, elbo_terms
from nnscratch.optimizers import Adam
from nnscratch.training import evaluate, fit, predict

X = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)


def held(thing, seen=None):
    """Bytes of all arrays that can be reached from ``thing``, each counted once."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes if thing.base is None else held(thing.base, seen)
    if isinstance(thing, dict):
        inside = list(thing.values())
    elif isinstance(thing, list | tuple | set):
        inside = list(thing)
    else:
        inside = list(getattr(thing, "__dict__", {}).values())
    return sum(held(part, seen) for part in inside)


def encoder():
    layers = [
        *(Conv2D(8, 3), ReLU(), MaxPooling2D(2), Conv2D(8, 3), BatchNormalization(), LeakyReLU()),
        *(Flatten(), Dropout(0.1), Dense(4)),
    ]
    return Sequential(layers, (8, 8, 1), seed=1)


def decoder(seed=2):
    layers = [
        *(Dense(16 * 4), ReLU(), Reshape((4, 4, 4))),
        *(UpSampling2D(2), Conv2D(4, 3), ReLU(), Conv2D(1, 3), Sigmoid()),
    ]
    return Sequential(layers, (4,), seed=seed)


MODELS = {
    "sequential": lambda: Sequential([Conv2D(8, 3), ReLU(), Conv2D(1, 3)], (8, 8, 1)),
    "autoencoder": lambda: Autoencoder(encoder(), decoder()),
    "vae": lambda: VAE(encoder(), 4, decoder()),
    "unet": lambda: UNet((8, 8, 1), (4,), 8),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_keeps_no_batch_after_its_work(name):
    model = MODELS[name]()
    target = predict(model, X)
    model.forget()  # the heads of a VAE keep one row
    before = held(model)
    loss = NegativeELBO(model) if name == "vae" else mse
    work = {
        "predict": lambda: predict(model, X),
        "evaluate": lambda: evaluate(model, X, target, mse),
        "fit": lambda: fit(model, X, target, loss=loss, optimizer=Adam(1e-3), epochs=1,
                           batch_size=40, progress=False),
    }  # fmt: skip
    if name == "vae":
        work["elbo_terms"] = lambda: elbo_terms(model, X, np.random.default_rng(0))
    for what, run in work.items():
        model.forward(X)
        assert held(model) > before + X.nbytes, "the measurement sees what is kept"
        run()
        small = 2 * 40 * 8 * 4  # mu, logvar and their KL's gradient in a VAE
        assert held(model) <= before + small, what


def test_the_search_for_a_code_keeps_no_batch():
    net = decoder()
    before = held(net)
    starts = np.zeros((2, 40, 4), np.float32)
    for solver in ("adam", "lbfgs"):
        map_estimate(net, X, starts, 0.1, solver=solver, iterations=2)
        assert held(net) == before


def test_backward_after_predict_asks_for_a_forward_pass():
    """And does not take the last batch of the prediction for it."""
    model = MODELS["autoencoder"]()
    model.forward(X, training=True)
    predict(model, X[:7])
    with pytest.raises(ValueError, match="backward before forward"):
        model.backward(np.ones_like(X))

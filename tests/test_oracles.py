"""Losses, optimisers, schedules, initialisers and models: each has a formula of its own in a test.

Models are put together by hand here, of the formulas of their layers. The others' formulas stand
beside their other tests; those whose loops are compiled are tried with both kernels here.
"""

import copy
import inspect

import numpy as np
import pytest

from nnscratch import initializers, losses, models, optimizers
from nnscratch.gradcheck.model_cases import small_unet, small_vae
from nnscratch.layers import BatchNormalization, Conv2D, Dense, Flatten, ReLU, Reshape, Sequential
from tests import test_initializers, test_losses, test_optimizers
from tests.layers.helpers import both_modes, normal
from tests.layers.test_oracles import _kernels, both_kernels, formula_of, moved  # noqa: F401
from tests.models import test_elbo, test_vae


def by_formula(layer, x, training):
    return formula_of(layer)(layer, x, training)


def small_autoencoder():
    encoder = Sequential([Conv2D(2, 3), BatchNormalization(), Flatten()], (4, 4, 1), 0, np.float64)
    decoder = Sequential([Dense(16), ReLU(), Reshape((4, 4, 1))], (32,), 1, np.float64)
    return models.Autoencoder(encoder, decoder)


def autoencoder(model, x, training):
    return by_formula(model.decoder, by_formula(model.encoder, x, training), training)


def vae(model, x, training):
    """z = mu + eps exp(logvar)^(1/2); without a spread, the layer of the noise gives eps alone."""
    h = by_formula(model.encoder, x, training)
    mu, logvar = (by_formula(head, h, training) for head in (model.mean_head, model.logvar_head))
    noise = copy.deepcopy(model.sampling).forward(np.zeros((len(x), 2 * mu.shape[1])), training)
    return by_formula(model.decoder, mu + noise * np.exp(logvar) ** 0.5, training)


def unet(model, x, training):
    """Of two levels, written out."""
    parts = model.parts
    s0 = by_formula(parts["down0"], x, training)
    s1 = by_formula(parts["down1"], by_formula(parts["pool0"], s0, training), training)
    b = by_formula(parts["bottleneck"], by_formula(parts["pool1"], s1, training), training)
    images = []
    for name in ("decoder0", "decoder1"):
        own = parts[name].parts
        e1 = by_formula(own["up1"], b, training)
        u1 = by_formula(own["block1"], np.append(e1, s1, axis=3), training)
        e0 = by_formula(own["up0"], u1, training)
        u0 = by_formula(own["block0"], np.append(e0, s0, axis=3), training)
        images.append(by_formula(own["head"], u0, training))
    return np.append(*images, axis=3)


MODELS = {
    "Autoencoder": (small_autoencoder, autoencoder),
    "VAE": (small_vae, vae),
    "UNet": (small_unet, unet),
}


@both_kernels
@both_modes
@pytest.mark.parametrize("name", MODELS)
def test_models_are_their_parts_put_together(name, training):
    make, formula = MODELS[name]
    model = moved(make())
    x = normal(3, *model.input_shape)
    expected = formula(model, x, training)
    y = model.forward(x, training)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-10)


@both_kernels
def test_the_squared_error_with_both_kernels():
    for reduction in test_losses.DIVISORS:
        test_losses.test_mse(np.random.default_rng(1), reduction)


@both_kernels
def test_adam_with_both_kernels():
    for decay in (0.0, 0.3):
        test_optimizers.test_adam_over_20_steps(decay)


FORMULAS = {
    losses: {
        "mse": test_losses.test_mse,
        "binary_crossentropy": test_losses.test_binary_crossentropy,
        "softmax_crossentropy": test_losses.test_softmax_crossentropy,
        "gaussian_kl": test_losses.test_gaussian_kl,
    },
    optimizers: {
        "SGD": test_optimizers.test_sgd_is_the_look_ahead_of_sutskever,
        "Adam": test_optimizers.test_adam_over_20_steps,
        "cosine_decay": test_optimizers.test_cosine_decay,
        "clip_by_global_norm": test_optimizers.test_clipping_by_hand,
        "global_norm": test_optimizers.test_clipping_by_hand,
    },
    initializers: {f.__name__: test_initializers.test_moments for f in test_initializers.VARIANCES},
    models: {
        **dict.fromkeys(MODELS, test_models_are_their_parts_put_together),
        "NegativeELBO": test_vae.test_loss_is_reconstruction_plus_weighted_divergence,
        "elbo_terms": test_vae.test_terms_are_those_of_the_loss,
        "linear_warmup": test_elbo.test_warmup_is_a_line_that_ends,
    },
}
NO_FORMULAS = {"Optimizer", "check_initializer", "initial_weights"}  # a base class, two checks


@pytest.mark.parametrize("module", FORMULAS, ids=lambda module: module.__name__)
def test_everything_public_has_a_formula(module):
    public = {
        name
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(module.__name__)
        and not name.startswith("_")
    }
    assert public - NO_FORMULAS == set(FORMULAS[module])

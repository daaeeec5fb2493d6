"""Whole networks: gradients, and twenty steps of training, are those of PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

from torch.nn import functional

from exercises import ex01_autoencoder, ex04_classifier, ex07_vae
from exercises.image_separation_nets import unet as separating_unet
from nnscratch.datasets import mnist
from nnscratch.losses import mse, softmax_crossentropy
from nnscratch.models import NegativeELBO, UNet
from nnscratch.optimizers import Adam
from tests.parity.agreement import assert_close, check_model, is_without_effect
from tests.parity.translation import Twin

KL_WEIGHT = 2.56
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def digits(dtype):
    return mnist(32, data="embedded").x_train[:6].astype(dtype)


def of_dtype(model, dtype):
    """Built anew, its biases away from zero."""
    model.build(model.input_shape, np.random.default_rng(1), dtype)
    rng = np.random.default_rng(2)
    for name, parameter in model.params.items():
        if name.endswith((".b", ".beta")):
            parameter += rng.uniform(0.02, 0.1, parameter.shape).astype(dtype)
    return model


def autoencoder(dtype):
    return of_dtype(ex01_autoencoder.autoencoder(0), dtype), digits(dtype)


def classifier(dtype):
    return of_dtype(ex04_classifier.classifier(0), dtype), digits(dtype)


def report_unet(dtype):
    """Two levels are enough to have every kind of connection."""
    x = np.random.default_rng(3).random((4, 16, 16, 3)).astype(dtype)
    return of_dtype(UNet((16, 16, 3), (4, 8), 8), dtype), x


def dense_unet(dtype):
    x = np.random.default_rng(3).standard_normal((4, 4, 4, 5)).astype(dtype)
    return of_dtype(separating_unet((4, 4, 5), 0), dtype), x


def vae(dtype):
    return of_dtype(ex07_vae.vae(0), dtype), digits(dtype)


def freeze(model):
    """The noise of the next forward pass, which is drawn again."""
    if not hasattr(model, "sampling"):
        return None
    sampling = model.sampling
    zeros = np.zeros((6, *sampling.input_shape), model.dtype)  # mu = 0, s = 1
    sampling.state["draws"][...] = 0
    eps = sampling.forward(zeros, training=True)
    sampling.state["draws"][...] = 0
    return {id(sampling): eps}


MODELS = [autoencoder, classifier, vae, report_unet, dense_unet]


@both_dtypes
@pytest.mark.parametrize("make", MODELS)
def test_gradients(make, dtype):
    model, x = make(dtype)
    check_model(model, Twin(model, freeze(model)), x, True)


def squares(twin, x):
    return functional.mse_loss(twin(x, True), x)


def entropy(twin, x):
    return functional.cross_entropy(twin(x, True), torch.arange(len(x)))


def elbo(twin, x):
    y, mu, logvar = twin.vae(twin.model, x, True)
    kl = (mu**2 + logvar.exp() - 1 - logvar).sum() / 2
    return (((y - x) ** 2).sum() + KL_WEIGHT * kl) / len(x)


def both_images(twin, x):
    return functional.mse_loss(twin(x, True), torch.cat([x, x**2], dim=-1))


@pytest.mark.parametrize(
    ("make", "theirs"),
    [
        (autoencoder, squares),
        (classifier, entropy),
        (vae, elbo),
        (report_unet, both_images),
        (dense_unet, both_images),
    ],
)
def test_twenty_steps_of_adam(make, theirs):
    model, x = make(np.float64)
    twin, ours = Twin(model, freeze(model)), Adam(1e-3)
    their_adam = torch.optim.Adam(twin.parameters(), lr=1e-3, eps=1e-8)
    elbo_loss = NegativeELBO(model, KL_WEIGHT) if make is vae else None
    for step in range(20):
        freeze(model)
        y = model.forward(x, training=True)
        if make is vae:
            value, gradients = elbo_loss(y, x)
        elif make is classifier:
            value, *gradients = softmax_crossentropy(y, np.arange(len(x)))
        else:
            target = x if make is autoencoder else np.concatenate([x, x**2], axis=-1)
            value, *gradients = mse(y, target)
        model.backward(*gradients)
        ours.step(model.params, model.grads)
        their_adam.zero_grad()
        loss = theirs(twin, torch.from_numpy(x))
        loss.backward()
        their_adam.step()
        assert value == pytest.approx(loss.item(), rel=1e-10), f"step {step}"
    for (name, array), leaf in zip(twin.arrays("params"), twin.parameters(), strict=True):
        assert_close(name, array, leaf, array, 100 if is_without_effect(name, twin) else 1)

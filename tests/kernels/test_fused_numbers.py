"""Fused steps compute what the layers one by one compute; `same` says how closely."""

import numpy as np
import pytest
from hypothesis import given

from nnscratch import kernels
from nnscratch.gradcheck import check_gradients
from nnscratch.kernels import twins
from nnscratch.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    UpSampling2D,
)
from nnscratch.layers.base import Composite
from nnscratch.layers.wanted import input_gradient_only, parameter_gradients_only
from nnscratch.losses import mse
from nnscratch.models import Autoencoder
from nnscratch.optimizers import Adam
from nnscratch.randomness import stream
from nnscratch.training import fit
from tests.kernels.agreement import many_cases
from tests.kernels.stretches import check_stretch, plain_layers, stretches
from tests.layers.helpers import every_dtype, normal


@pytest.fixture(autouse=True)
def _compiled_and_fused():
    kernels.use_kernels("compiled")
    kernels.use_fusion(True)


def autoencoder(dtype=np.float64):
    """Exercise 1, smaller, with everything that is fused."""
    encoder = [
        *(Conv2D(4, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(3, 3), ReLU(), MaxPooling2D(2)),
        *(Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))),
    ]
    decoder = [
        *(UpSampling2D((2, 1)), Conv2DTranspose(3, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(4, 3), ReLU()),
        *(UpSampling2D(2), Conv2DTranspose(1, 3), ReLU()),
    ]
    model = Autoencoder(
        Sequential(encoder, (8, 8, 1), seed=3, dtype=dtype),
        Sequential(decoder, (1, 2, 1), seed=4, dtype=dtype),
    )
    for name, p in model.params.items():
        if name.endswith("b"):
            p += 0.1  # so that all of it is alive
    return model


def passes(model, x, dy):
    """Outputs, dx and gradients, copied."""
    y = model.forward(x, training=True)
    dx = model.backward(dy)
    return [y.copy(), dx.copy(), *(g.copy() for g in model.grads.values())]


def equal(found, expected):
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(f, e)


x, dy = normal(5, 8, 8, 1), normal(5, 8, 8, 1, seed=2)

# ---------------------------------------------------------------- the numbers


@every_dtype
@many_cases
@given(stretches())
def test_fused_equals_unfused(dtype, case):
    check_stretch(case, dtype, whole_numbers=False)


@every_dtype
@many_cases
@given(stretches())
def test_not_a_bit_differs_where_sums_are_exact(dtype, case):
    check_stretch(case, dtype, whole_numbers=True)


@every_dtype
def test_many_samples_and_channels(dtype):
    """Several blocks of samples, channels that are not a whole number of vectors."""
    parts = [UpSampling2D(2), Conv2DTranspose(33, 3), ReLU()]
    parts += [Conv2D(17, 3), ReLU(), MaxPooling2D(2), Conv2D(40, 3, 2), ReLU()]
    model = Sequential(parts, (4, 6, 5), dtype=dtype)
    x = normal(40, 4, 6, 5, dtype=dtype)
    dy = normal(40, *model.built_shape, seed=2, dtype=dtype)
    fused = passes(model, x, dy)
    assert len(model._steps) == 3
    kernels.use_fusion(False)
    with plain_layers():
        unfused = passes(model, x, dy)
    assert len(model._steps) == 8
    for f, e in zip(fused, unfused, strict=True):
        np.testing.assert_allclose(f, e, rtol=0, atol=1e3 * np.finfo(dtype).eps * abs(e).max())


def test_gradients_of_an_autoencoder():
    model = autoencoder()
    images = np.random.default_rng(1).random((3, 8, 8, 1))
    report = check_gradients(model, images, training=True)
    assert report.ok, str(report)
    steps = [step for half in model.parts.values() for step in half._steps]
    assert [type(step) is twins.Fused for step in steps] == [*3 * [True], False, *3 * [True]]


@every_dtype
@pytest.mark.parametrize("enlarge", [False, True])
@pytest.mark.parametrize("pooled", [False, True])
def test_what_is_no_number_comes_through(dtype, enlarge, pooled):
    """As it does unfused: to the outputs that see it, and to no others.

    Infinite inputs only where nothing is enlarged. The weights that meet one pixel are added
    beforehand: inf * (w + v) may be infinite where inf * w + inf * v is no number.
    """
    for value in (np.nan,) if enlarge else (np.nan, np.inf):
        for C, K in ((3, 20), (1, 5), (20, 3), (20, 1)):
            parts = [Conv2D(K, 3), ReLU()] + pooled * [MaxPooling2D(2)]
            model = Sequential(enlarge * [UpSampling2D(2)] + parts, (8, 6, C), dtype=dtype)
            x = normal(2, 8, 6, C, dtype=dtype)
            x[1, 2, 3, 0] = value
            found = model.forward(x)
            with np.errstate(invalid="ignore"), plain_layers():
                expected = model.forward(x)
            strange = ~np.isfinite(expected)
            assert strange.any()
            np.testing.assert_array_equal(~np.isfinite(found), strange)
            np.testing.assert_array_equal(found[strange], expected[strange])


def test_a_result_is_not_written_over():
    """Buffers are used again, but not while somebody holds them."""
    model = autoencoder()
    y = model.forward(x)
    dx = model.backward(y)
    kept = y.copy(), dx.copy()
    for _ in range(3):
        model.backward(model.forward(dy))
    equal((y, dx), kept)


def test_another_batch_size_and_no_samples():
    model = autoencoder()
    y = model.forward(x)
    np.testing.assert_array_equal(model.forward(x[:2]), y[:2])
    y = model.forward(x[:0])
    assert model.backward(y).shape == y.shape == (0, 8, 8, 1)
    assert not any(g.any() for g in model.grads.values())


# ---------------------------------------------------------------- gradients nobody asks for


def test_without_the_gradient_of_the_input():
    model = autoencoder()
    expected = passes(model, x, dy)
    with parameter_gradients_only(model):
        found = passes(model, x, dy)
    assert found[1].size == 0
    equal(found[2:], expected[2:])
    equal(passes(model, x, dy), expected)
    with (
        pytest.raises(ValueError, match="dy has shape"),
        parameter_gradients_only(model),
        parameter_gradients_only(model),
    ):
        model.backward(dy[:1])
    equal(passes(model, x, dy), expected)


def test_without_the_gradients_of_parameters():
    model = autoencoder()
    expected = passes(model, x, dy)
    for g in model.grads.values():
        g[...] = 7
    with input_gradient_only(model):
        found = passes(model, x, dy)
    equal(found[:2], expected[:2])
    assert all((g == 7).all() for g in found[2:])
    with pytest.raises(ValueError, match="dy has shape"), input_gradient_only(model):
        model.backward(dy[:1])
    equal(passes(model, x, dy), expected)


def test_one_within_the_other():
    """The inner one, when it ends, does not end the outer one."""
    model = autoencoder()
    with input_gradient_only(model):
        with input_gradient_only(model.encoder), parameter_gradients_only(model):
            assert passes(model, x, dy)[1].size == 0
        for g in model.grads.values():
            g[...] = 7
        assert passes(model, x, dy)[1].shape == x.shape
        assert all((g == 7).all() for g in model.grads.values())


def test_other_models_are_not_concerned():
    model, other = autoencoder(), autoencoder()
    expected = passes(model, x, dy)
    with parameter_gradients_only(other), input_gradient_only(other):
        equal(passes(model, x, dy), expected)


def test_layers_that_are_not_fused_may_ignore_both():
    model = Sequential([Flatten(), Dense(64), Reshape((8, 8, 1))], (8, 8, 1), dtype=np.float64)
    expected = passes(model, x, dy)
    with parameter_gradients_only(model), input_gradient_only(model):
        equal(passes(model, x, dy), expected)


def test_training_is_not_changed_by_it():
    """`fit` leaves out dL/dx; the parameters are those of a loop that does not."""
    model, other, loop, optimizer = autoencoder(), autoencoder(), autoencoder(), Adam(1e-2)
    fit(model, x, x, loss=mse, optimizer=Adam(1e-2), epochs=3, batch_size=5, progress=False)
    for _ in range(3):
        batch = x[stream(0, "shuffling", optimizer.steps).permutation(5)]
        loop.backward(mse(loop.forward(batch, training=True), batch)[1])
        optimizer.step(loop.params, loop.grads)
    equal(model.params.values(), loop.params.values())
    assert not np.array_equal(*(m.params["encoder.0.conv2d.W"] for m in (model, other)))
    assert model.backward(model.forward(x)).shape == x.shape  # and that is over now


class Residual(Composite):
    """``y = x + f(x)``: here dL/dx of the first layer matters."""

    def __init__(self):
        self.f = Sequential([Conv2D(1, 3), ReLU()], (8, 8, 1), dtype=np.float64)
        super().__init__({"f": self.f})
        self.input_shape = self.built_shape = (8, 8, 1)
        self.dtype = self.f.dtype

    def forward(self, x, training=False):
        self.check_input(x)
        return x + self.f.forward(x, training)

    def backward(self, dy):
        return dy + self.f.backward(dy)


class Backwards(Residual):
    """Two parts, the second of which comes first."""

    def __init__(self):
        super().__init__()
        self.g = Sequential([Conv2D(1, 3)], (8, 8, 1), dtype=np.float64)
        self.parts["g"] = self.g

    def forward(self, x, training=False):
        self.check_input(x)
        return self.f.forward(self.g.forward(x, training), training)

    def backward(self, dy):
        return self.g.backward(self.f.backward(dy))


@pytest.mark.parametrize("kind", [Residual, Backwards])
def test_training_of_models_that_use_the_gradient_of_their_first_part(kind):
    fit(kind(), x, x, loss=mse, optimizer=Adam(), epochs=1, batch_size=3, progress=False)

"""The U-Net: what goes where, and that every path sends its gradient back."""

import numpy as np
import pytest

from nnscratch import kernels
from nnscratch.gradcheck import check_gradients
from nnscratch.gradcheck.model_cases import keep_alive, small_unet
from nnscratch.layers import BatchNormalization, Dense, Flatten, ReLU, Reshape
from nnscratch.layers.base import all_parts
from nnscratch.layers.wanted import parameter_gradients_only
from nnscratch.losses import mse
from nnscratch.models import UNet
from nnscratch.optimizers import Adam
from nnscratch.training import fit


@pytest.fixture
def x():
    return np.random.default_rng(0).random((6, 4, 4, 2))


def kinds(model):
    return [part.name for part in all_parts(model)]


def test_default_is_the_net_of_the_report():
    """32-64-128-256 filters and 512 below, two convolutions with normalisation at every level."""
    model = UNet()
    assert (model.input_shape, model.built_shape) == ((32, 32, 3), (32, 32, 6))
    assert [down.built_shape for down in model.downs] == [
        (32, 32, 32), (16, 16, 64), (8, 8, 128), (4, 4, 256)
    ]  # fmt: skip
    assert model.bottleneck.built_shape == (2, 2, 512)
    for decoder in model.decoders:
        assert [block.built_shape for block in decoder.blocks] == [
            (4, 4, 256), (8, 8, 128), (16, 16, 64), (32, 32, 32)
        ]  # fmt: skip
    blocks = 4 + 1 + 2 * 4
    names = kinds(model)
    assert names.count("batchnormalization") == names.count("relu") == 2 * blocks
    assert names.count("conv2d") == 2 * blocks + 2
    assert names.count("conv2dtranspose") == 2 * 4
    assert names.count("maxpooling2d") == 4
    # weights and biases of the convolutions, and two numbers for each normalised channel
    first = 3 * 32 * 9 + 32 + 32 * 32 * 9 + 32 + 4 * 32
    assert sum(p.size for p in model.downs[0].params.values()) == first


def test_each_decoder_draws_its_own_image(x):
    model = small_unet()
    y = model.forward(x)
    assert y.shape == (6, 4, 4, 4)
    first, second = model.decoders
    kept = [p.copy() for p in first.params.values()]
    for own, other, copy in zip(first.params.values(), second.params.values(), kept, strict=True):
        own[...], other[...] = other, copy
    np.testing.assert_array_equal(model.forward(x), np.roll(y, 2, axis=-1))
    for parameter in first.params.values():
        parameter[...] = 0
    assert not model.forward(x)[..., :2].any()
    np.testing.assert_array_equal(model.forward(x)[..., 2:], y[..., :2])


@pytest.mark.parametrize("level", [0, 1])
def test_skips_carry_each_level_across(x, level):
    """With the way from below cut, the output still depends on the skip of that level, alone."""
    model = small_unet()
    below = f"up{level}.0.conv2dtranspose.W"
    for decoder in model.decoders:
        decoder.params[below][...] = 0
    y = model.forward(x)
    for name, parameter in model.params.items():
        if name.startswith(("bottleneck", f"down{level + 1}")):
            parameter[...] = 0
    np.testing.assert_array_equal(model.forward(x), y)
    for decoder in model.decoders:
        W = decoder.params[f"block{level}.0.conv2d.W"]  # (3, 3, 2C, C): enlarged, then skip
        W[:, :, W.shape[2] // 2 :] = 0
    changed = model.forward(x)
    assert np.abs(changed - y).max() > 1e-3


@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_right(x, training):
    report = check_gradients(small_unet(), x, training=training)
    assert report.ok, str(report)


def test_one_level_and_oblong_images():
    model = UNet((6, 2, 1), (2,), 3, dtype=np.float64)
    x = np.random.default_rng(1).standard_normal((3, 6, 2, 1))
    assert model.forward(x).shape == (3, 6, 2, 2)
    assert check_gradients(model, x, training=True).ok


def dense_bottleneck(low=(2, 2, 2)):
    widen = Dense(int(np.prod(low)))
    return [Flatten(), Dense(5), BatchNormalization(), ReLU(), widen, Reshape(low)]


@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_right_with_layers_as_bottleneck(x, training):
    model = UNet((4, 4, 2), (3,), dense_bottleneck(), seed=3, dtype=np.float64)
    assert kinds(model.bottleneck)[1:] == [layer.name for layer in dense_bottleneck()]
    assert model.decoders[0].parts["up0"].input_shape == (2, 2, 2)
    keep_alive(model)
    report = check_gradients(model, x, training=training)
    assert report.ok, str(report)


def test_layers_given_as_bottleneck_are_copied():
    """So a list of layers can be given to two nets, and a net can be built anew."""
    low = dense_bottleneck()
    first, second = (UNet((4, 4, 2), (3,), low, seed=seed) for seed in (1, 2))
    assert not any(hasattr(layer, "built_shape") for layer in low)
    kept = [p.copy() for p in first.bottleneck.params.values()]
    for p in second.bottleneck.params.values():
        p += 1
    for p, before in zip(first.bottleneck.params.values(), kept, strict=True):
        np.testing.assert_array_equal(p, before)


def test_training_leaves_out_only_the_gradient_of_the_images(x):
    """Where steps are fused; layer by layer, nothing is left out."""
    model, dy = small_unet(), np.random.default_rng(2).standard_normal((6, 4, 4, 4))
    model.forward(x, training=True)
    assert model.backward(dy).shape == x.shape
    grads = {key: grad.copy() for key, grad in model.grads.items()}
    model.forward(x, training=True)
    with parameter_gradients_only(model):
        assert model.backward(dy).size == (0 if kernels.in_use() == "compiled" else x.size)
    for key, grad in model.grads.items():
        np.testing.assert_array_equal(grad, grads[key])


def train(epochs, path=None):
    """A few pairs by heart, each recognisable by its first image."""
    rng = np.random.default_rng(3)
    both = rng.random((16, 8, 8, 2), np.float32)
    average = both.mean(axis=-1, keepdims=True)
    model = UNet((8, 8, 1), (8, 8), 16)
    history = fit(
        model, average, both, loss=mse, optimizer=Adam(5e-3), epochs=epochs, batch_size=8,
        checkpoint=path, progress=False,
    )  # fmt: skip
    return model, history, average, both


def test_training_learns_pairs_by_heart():
    _, history, average, both = train(150)
    trivial = ((np.concatenate([average, average], axis=-1) - both) ** 2).mean()
    assert history.loss[-1] < 0.2 * trivial


def test_interrupted_training_ends_with_the_same_bits(tmp_path):
    whole = train(4, tmp_path / "whole.npz")[0]
    train(2, tmp_path / "parts.npz")
    parts = train(4, tmp_path / "parts.npz")[0]
    for key, array in {**whole.params, **whole.state}.items():
        np.testing.assert_array_equal(array, {**parts.params, **parts.state}[key])


def test_build_draws_anew_for_another_shape(x):
    model = small_unet()
    before = {key: parameter.copy() for key, parameter in model.params.items()}
    assert model.build((8, 4, 2), np.random.default_rng(5), np.float32) == (8, 4, 4)
    assert model.output_shape((4, 4, 2)) == (4, 4, 4)
    assert list(model.params) == list(before)
    for key, parameter in model.params.items():
        assert parameter.dtype == np.float32
        assert parameter.shape == before[key].shape
        assert not key.endswith("W") or not np.allclose(parameter, before[key])
    assert model.forward(np.zeros((1, 8, 4, 2), np.float32)).shape == (1, 8, 4, 4)
    a, b = (UNet((4, 4, 1), (2,), 2, seed=s).params["down0.0.conv2d.W"] for s in (0, 1))
    assert not np.allclose(a, b)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((30, 32, 3),), "multiples of 16, got \\(30, 32, 3\\)"),
        (((32, 32),), "takes images \\(H, W, C\\)"),
        (((32, 32, 3), ()), "needs at least one level"),
        (((32, 32, 3), (8, 0)), "must be an int >= 1"),
        (((32, 32, 3), (8,), 0), "must be an int >= 1"),
        ((32,), "must be a tuple of positive ints"),
        (((4, 4, 1), (2,), dense_bottleneck((4, 1, 2))), "height and width must stay"),
    ],
)
def test_what_cannot_be_built(arguments, words):
    with pytest.raises(ValueError, match=words):
        UNet(*arguments)


def test_wrong_images_get_a_sentence(x):
    with pytest.raises(ValueError, match="unet: x has shape"):
        small_unet().forward(x[:, :2])
    with pytest.raises(ValueError, match="backward before forward"):
        small_unet().backward(x)


def test_summary(capsys):
    UNet((8, 8, 1), (4,), 8).summary()
    printed = capsys.readouterr().out
    for part in ("down0", "pool0", "bottleneck", "decoder0", "decoder1", "total"):
        assert part in printed

"""Training that leaves the finite numbers stops at that step and says where they were left."""

import numpy as np
import pytest

from nnscratch.layers import Conv2D, Dense, Flatten, Layer, MaxPooling2D, ReLU, Reshape, Sequential
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder, NegativeELBO, UNet
from nnscratch.optimizers import SGD
from nnscratch.training import fit
from nnscratch.training.divergence import advice, all_finite, first_not_finite, leaves

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
rng = np.random.default_rng(0)
x = rng.random((8, 4, 4, 1), np.float32)
target = rng.random((8, 2), np.float32)


class Broken(Layer):
    """The identity, until told otherwise, after some forward passes."""

    def __init__(self, forward_from=None, backward_from=None):
        super().__init__()
        self._forward_from, self._backward_from, self.passes = forward_from, backward_from, 0

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x.shape,)
        self.passes += training
        late = self._forward_from is not None and self.passes >= self._forward_from
        return x + np.float32(np.inf) if late else x

    def backward(self, dy):
        late = self._backward_from is not None and self.passes >= self._backward_from
        return dy * np.float32(np.nan) if late else dy


def model(broken=None):
    layers = [Conv2D(2, 3), ReLU(), MaxPooling2D(2), Flatten(), broken or ReLU(), Dense(2)]
    return Sequential(layers, (4, 4, 1))


def train(net, optimizer=None, epochs=5, **options):
    fit(
        net, x, target, loss=mse, optimizer=optimizer or SGD(0.01), epochs=epochs, batch_size=4,
        progress=False, **options,
    )  # fmt: skip


def test_layer_that_overflows_is_named_at_its_step():
    where = r"loss became .*first in the output of 4\.broken"
    with pytest.raises(FloatingPointError, match=where):
        train(model(Broken(forward_from=4)))
    net = model(Broken(forward_from=4))
    optimizer = SGD(0.01)
    with pytest.raises(FloatingPointError, match="epoch 2, after step 3"):
        train(net, optimizer)
    assert all_finite(*net.params.values())


def test_layer_with_a_wrong_gradient_is_named_at_its_step():
    """The loss of that step is finite still."""
    net = model(Broken(backward_from=3))
    where = r"gradient became .*first in the gradients of 4\.broken, in epoch 2, after step 2"
    with pytest.raises(FloatingPointError, match=where):
        train(net)
    assert all_finite(*net.params.values())


def test_parameter_that_is_not_finite_is_named():
    net = model()
    net.params["5.dense.W"][0, 0] = np.nan
    assert first_not_finite(net, x, target, mse) == (
        "first in the output of 5.dense, whose W is not finite"
    )
    net = model()
    net.params["0.conv2d.b"][1] = np.inf
    assert "output of 0.conv2d, whose b is not finite" in first_not_finite(net, x, target, mse)


def test_loss_is_named_where_all_outputs_are_finite():
    def worthless(y, target):
        return float("nan"), np.zeros_like(y)

    assert "in the loss" in first_not_finite(model(), x, target, worthless)
    assert "not again" in first_not_finite(model(), x, target, mse)


def test_a_step_too_long_is_told_with_its_layer():
    with pytest.raises(FloatingPointError, match=r"first in the (output|gradients) of \d\..*lower"):
        train(model(), SGD(1e25))


@pytest.mark.parametrize("level", ["down0.0.conv2d", "bottleneck.3.conv2d", "decoder1.up0.0.conv"])
def test_models_of_several_parts(level):
    net = UNet((4, 4, 1), (2,), 2)
    name = next(name for name, _ in leaves(net) if name.startswith(level))
    net.params[f"{name}.W"][...] = np.inf
    both = np.concatenate([x, x], axis=-1)
    assert f"output of {name}, whose W" in first_not_finite(net, x, both, mse)
    small = Autoencoder(model(), Sequential([Dense(3)], (2,)))
    assert [name for name, _ in leaves(small)][-1] == "decoder.0.dense"


def test_watching_leaves_the_layers_as_they_were():
    net, same = model(), model()
    net.forward(x)
    before = [dict(vars(layer)) for layer in net.layers]
    first_not_finite(net, x, target, mse)
    for layer, attributes in zip(net.layers, before, strict=True):
        assert vars(layer).keys() == attributes.keys()
    np.testing.assert_array_equal(net.forward(x), same.forward(x))


def test_watching_gives_a_layer_its_own_passes_back():
    """Passes that somebody put on the object, to print something, say."""
    net = model()
    layer, calls = net.layers[-1], []
    plain = layer.forward, layer.backward
    layer.forward = lambda x, training=False: calls.append("forward") or plain[0](x, training)
    layer.backward = lambda dy: calls.append("backward") or plain[1](dy)
    own = layer.forward, layer.backward
    first_not_finite(net, x, target, mse)
    assert calls == ["forward", "backward"]
    assert (layer.forward, layer.backward) == own


def test_last_good_checkpoint_is_kept(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(FloatingPointError, match="latest checkpoint"):
        train(model(Broken(forward_from=7)), checkpoint=path)
    net, same = model(Broken()), model(Broken())
    train(net, epochs=3, checkpoint=path)
    train(same, epochs=3)
    for key, parameter in net.params.items():
        np.testing.assert_array_equal(parameter, same.params[key])


def pixels_vae():
    encoder = Sequential([Flatten(), Dense(8), ReLU()], (4, 4, 1))
    return VAE(encoder, 2, Sequential([Dense(16), Reshape((4, 4, 1))], (2,)))


@pytest.mark.parametrize(
    ("scale", "shift", "said"),
    [
        (255, 0, r"x runs from \d[.\d]* to 2\d\d.*divide pixels by 255"),
        (-255, 0, r"x runs from -2\d\d.* to -.*divide pixels by 255"),
        (1, 1e4, r"x runs from 10000\S* to 10001.*subtract the mean"),
    ],
)
def test_pixels_of_bytes_are_named_and_not_the_learning_rate(scale, shift, said):
    net = pixels_vae()
    net.logvar_head.params["W"] *= 100  # as a deeper encoder would
    images = np.float32(scale) * x + np.float32(shift)
    with pytest.raises(FloatingPointError, match=said) as raised:
        fit(net, images, images, loss=NegativeELBO(net), optimizer=SGD(1e3), epochs=99,
            batch_size=4, progress=False)  # fmt: skip
    assert "learning rate" not in str(raised.value)


def test_what_to_do_is_said_of_what_was_seen():
    large, small = np.float32([-1, 31]), np.float32([-30, 30])
    assert advice(3, x=small, target=small) == "lower the learning rate"
    assert advice(3, x=small, target=large).startswith("target runs from -1 to 31, and")
    assert advice(3, labels=np.array([0, 99])) == "lower the learning rate"
    assert advice(0, x=small).startswith("no step was taken yet")


def test_before_the_first_step_the_learning_rate_is_not_blamed():
    net = model()
    net.params["5.dense.W"][0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="after step 0; no step was taken yet"):
        train(net)


def test_large_numbers_whose_sum_overflows_are_finite():
    assert all_finite(np.full(9, 3e38, np.float32))
    assert not all_finite(np.float32([3e38, 3e38, np.inf]))
    assert not all_finite(np.float32([np.inf, -np.inf]))
    assert not all_finite(np.float32([1, np.nan]))

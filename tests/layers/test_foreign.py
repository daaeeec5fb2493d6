"""Weights of PyTorch and Keras in our layers: the same outputs, and sentences where they differ."""

import numpy as np
import pytest

from nnscratch.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    ReLU,
    Reshape,
    Sequential,
)
from nnscratch.layers.foreign import from_keras, from_pytorch
from tests.layers.helpers import build, normal


def arrays_of(module):
    return {key: tensor.numpy() for key, tensor in module.state_dict().items()}


def test_images_through_every_layer_of_pytorch():
    """Pixels that are not square and unequal channels, so that no exchanged axis goes unnoticed."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, (3, 1), stride=2, padding=(1, 0)),
        torch.nn.BatchNorm2d(3, eps=1e-3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(3 * 3 * 2, 5, bias=False),
        torch.nn.Linear(5, 4 * 3 * 2),
        torch.nn.Unflatten(1, (4, 3, 2)),
        torch.nn.ConvTranspose2d(4, 2, (2, 3), stride=(2, 1)),
    ).double()
    ours = Sequential(
        [
            *(Conv2D(3, (3, 1), 2, ((1, 1), (0, 0))), BatchNormalization(), ReLU(), Flatten()),
            *(Dense(5), Dense(24), Reshape((3, 2, 4))),
            Conv2DTranspose(2, (2, 3), (2, 1), "valid"),
        ],
        (6, 4, 2),
        dtype=np.float64,
    )
    x = normal(5, 6, 4, 2)
    theirs(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))  # moves the running statistics
    theirs.eval()
    images = {4: {"images_before": (3, 2, 3)}, 5: {"images_after": (3, 2, 4)}}
    for place in (0, 1, 4, 5, 7):
        from_pytorch(ours.layers[place], arrays_of(theirs[place]), **images.get(place, {}))
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(
        ours.forward(x), wanted.transpose(0, 2, 3, 1), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("layer", [Conv2D(4, (2, 3)), Conv2DTranspose(4, (2, 3))])
def test_kernels_entry_by_entry(layer):
    layer = build(layer, (6, 5, 3))
    transposed = isinstance(layer, Conv2DTranspose)
    weight = normal(*((3, 4) if transposed else (4, 3)), 2, 3)
    from_pytorch(layer, {"weight": weight})
    for i, j, c, k in np.ndindex(2, 3, 3, 4):
        ours = layer.params["W"][(i, j, k, c) if transposed else (i, j, c, k)]
        assert ours == weight[(c, k, i, j) if transposed else (k, c, i, j)]
    assert not layer.params["b"].any()


@pytest.mark.parametrize("layer", [Conv2D(4, (2, 3)), Conv2DTranspose(4, (2, 3)), Dense(4)])
@pytest.mark.parametrize("bias", [True, False])
def test_keras_has_our_order(layer, bias):
    layer = build(layer, (3,) if isinstance(layer, Dense) else (6, 5, 3))
    W, b = normal(*layer.params["W"].shape), normal(4)
    layer.params["b"][...] = 9
    from_keras(layer, [W, b] if bias else [W])
    np.testing.assert_array_equal(layer.params["W"], W)
    np.testing.assert_array_equal(layer.params["b"], b if bias else 0)
    assert not np.shares_memory(layer.params["W"], W)


def test_statistics_of_a_normalisation():
    for fill in (
        lambda layer, arrays: from_keras(layer, list(arrays)),
        lambda layer, arrays: from_pytorch(
            layer,
            dict(zip(("weight", "bias", "running_mean", "running_var"), arrays, strict=True))
            | {"num_batches_tracked": np.array(7)},
        ),
    ):
        layer, (gamma, beta, mean, var) = build(BatchNormalization(), (3,)), normal(4, 3) ** 2
        fill(layer, (gamma, beta, mean, var))
        x = normal(5, 3)
        wanted = gamma * (x - mean) / np.sqrt(var + 1e-3) + beta
        np.testing.assert_allclose(layer.forward(x), wanted, rtol=1e-12)


def test_the_layer_keeps_its_dtype():
    layer = build(Dense(4), (3,), np.float32)
    from_pytorch(layer, {"weight": normal(4, 3), "bias": normal(4)})
    assert layer.params["W"].dtype == np.float32
    assert layer.forward(np.zeros((2, 3), np.float32)).dtype == np.float32


class Tensor:
    dtype = "torch.float32"


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (
            lambda d: from_pytorch(d, {"weight": normal(4, 3)}),
            r"W is \(4, 3\) here.*gives \(3, 4\)",
        ),
        (lambda d: from_keras(d, [normal(3, 4)]), r"W is \(4, 3\) here.*Keras gives \(3, 4\)"),
        (lambda d: from_pytorch(d, {"bias": normal(3)}), "no 'weight' among the arrays, only"),
        (lambda d: from_pytorch(d, {"weight": normal(3, 4), "bias": normal(4)}), r"b is \(3,\)"),
        (lambda d: from_pytorch(d, {"weight": normal(3, 4), "scale": normal(3)}), "takes no scale"),
        (lambda d: from_pytorch(d, {"weight": Tensor()}), "torch.float32; .*detach"),
        (lambda d: from_keras(d, [[[1.0]]]), "is list; it must be a NumPy array"),
        (lambda d: from_keras(d, [np.ones((4, 3), int)]), "is int64; .*array of floats"),
        (lambda d: from_keras(d, [np.full((4, 3), np.nan)]), "holds NaN or infinity"),
        (lambda d: from_keras(d, []), "takes W and b from Keras, got 0 arrays"),
        (lambda d: from_keras(d, [normal(3)] * 3), "got 3 arrays"),
        (
            lambda d: from_pytorch(d, {"weight": normal(3, 4)}, images_before=(3, 1, 2)),
            r"images \(3, 1, 2\) are 6 numbers.*\(3, 4\)",
        ),
        (lambda d: from_keras(ReLU(), [normal(3)]), "has no counterpart"),
        (lambda d: from_keras(Dense(3), [normal(4, 3)]), "not built"),
    ],
)
def test_what_does_not_fit_gets_a_sentence_and_changes_nothing(fill, sentence):
    layer = build(Dense(3), (4,))
    before = layer.params["W"].copy()
    with pytest.raises((ValueError, TypeError), match=sentence):
        fill(layer)
    np.testing.assert_array_equal(layer.params["W"], before)

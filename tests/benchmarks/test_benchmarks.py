"""The benchmarks compute what they say: our composites are right, and torch does the same work."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_loss
from nnscratch.layers import Composite, Conv2D, Conv2DTranspose, Dense, Flatten, Reshape
from tests.benchmarks import cases, nets, ours, scaling
from tests.benchmarks.cases import CASES, CONVOLUTIONS, MUSTS, Case
from tests.benchmarks.pairs import Result
from tests.benchmarks.report import must_row, row, table

rng = np.random.default_rng(0)


def leaves(layer):
    """The layers without parts, in order."""
    if not isinstance(layer, Composite):
        return [layer]
    return [leaf for part in layer.parts.values() for leaf in leaves(part)]


def test_the_autoencoder_is_the_one_of_exercise_1():
    from exercises.ex01_autoencoder import autoencoder

    model, exercise = nets.autoencoder(3), autoencoder(3)
    layers = list(zip(leaves(model), leaves(exercise), strict=True))
    assert [type(a) for a, _ in layers] == [type(b) for _, b in layers]
    assert [a.built_shape for a, _ in layers] == [b.built_shape for _, b in layers]
    for name, value in exercise.params.items():
        np.testing.assert_array_equal(model.params[name], value)


def test_the_map_step_follows_its_gradient():
    step = nets.MapStep(rng.random((2, 32, 32, 1)), rng.standard_normal((2, 2)))

    def loss(z):
        step.z, step.optimizer.state = z.copy(), {"steps": np.zeros(1, np.int64)}
        seen = {}
        step.optimizer.step = lambda params, grads: seen.update(grads)
        return step(), seen["z"]

    report = check_loss(loss, step.z.copy(), tolerance=1e-5)
    assert report.ok, str(report)


def test_operations_are_counted_for_the_direct_algorithm():
    """Two for each product of a weight and a pixel, so 3x3 x 16 x 16 for each output pixel."""
    assert CONVOLUTIONS["conv_16_16"].flops == 2 * 128 * 16 * 16 * 9 * 16 * 16
    layer = Conv2D(64, 4, strides=2)
    c = CONVOLUTIONS["conv_32_64_strided"]
    layer.build((c.side, c.side, c.channels), rng, np.float32)
    assert layer.built_shape == (c.out, c.out, c.filters)
    assert c.flops == 2 * c.batch * layer.multiply_adds()


def test_a_result_takes_medians_of_ratios_within_a_round():
    result = Result(Case("step:x", "x"), flops=2e9)
    result.ms = {"ours": [10.0, 20.0, 40.0], "torch": [30.0, 20.0, 80.0], "torch_cl": [90.0] * 3}
    result.ceiling = [400.0, 200.0, 100.0]
    assert result.median_ms("ours") == 20
    assert result.gflops() == 100
    assert result.share() == 0.5
    assert (result.ratio("torch"), result.ratio("torch", "torch_cl")) == (2, 2)
    assert result.ratio("reference") is None
    assert row(result)[1:] == ["20.0", "100", "50 %", "-", "2.00", "4.50", "-"]


def test_every_requirement_names_a_case():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert {name for must in MUSTS for name in must.cases} <= set(names)
    assert must_row(Result(CASES[0]), MUSTS[0])[1] == "-"


def test_a_markdown_table_has_aligned_bars():
    lines = table(["a", "b"], [["long", "1"], ["x", "22"]], markdown=True).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| :--- | -: |"


# ---------------------------------------------------------------- the same work in torch


@pytest.fixture
def peers():
    pytest.importorskip("torch")
    from tests.benchmarks.peers import Peers

    return Peers


def pairs_of_layers(model, peer):
    """Torch's modules with weights, which come in the same order as our layers, as triples.

    (module, layer, function that lays out arrays like our weights and biases as torch does)
    """
    layers = leaves(model)
    ours_ = [i for i, layer in enumerate(layers) if layer.params]
    modules = [module for module in peer.modules() if list(module.parameters(recurse=False))]
    for i, module in zip(ours_, modules, strict=True):

        def for_torch(arrays, i=i):
            first, second = arrays.values()  # W and b, or gamma and beta
            return weight_for_torch(layers, i, first), bias_for_torch(layers, i, second)

        yield module, layers[i], for_torch


def copy_weights(model, peer):
    """Give torch the weights of our model."""
    import torch

    for module, layer, for_torch in pairs_of_layers(model, peer):
        weight, bias = for_torch(layer.params)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(weight.copy()))
            module.bias.copy_(torch.from_numpy(bias.copy()))


def assert_same_gradients(model, peer):
    """Of all layers, and none is zero, or nothing would be compared.

    In float32 now and then a number falls on the other side of a ReLU's kink, which moves the
    gradient by up to one percent in the U-Net; in float64 they agree to 14 digits.
    """
    for module, layer, for_torch in pairs_of_layers(model, peer):
        weight, bias = for_torch(layer.grads)
        scale = np.linalg.norm(weight)
        assert scale > 0
        assert np.linalg.norm(module.weight.grad.numpy() - weight) < 0.03 * scale
        assert np.linalg.norm(module.bias.grad.numpy() - bias) < 0.03 * (
            scale + np.linalg.norm(bias)
        )


def weight_for_torch(layers, i, W):
    """Output channels first; rows and columns that are pixels, from (H, W, C) to (C, H, W)."""
    if isinstance(layers[i], Conv2D | Conv2DTranspose):
        return W.transpose(3, 2, 0, 1)
    if not isinstance(layers[i], Dense):
        return W
    before = next((layer for layer in reversed(layers[:i]) if not isinstance(layer, Dense)), None)
    if isinstance(before, Flatten):  # or the other head between, which reads the same
        W = W.reshape(*before.input_shape, -1).transpose(2, 0, 1, 3).reshape(W.shape)
    return bias_for_torch(layers, i, W).T


def bias_for_torch(layers, i, b):
    """The last axis reordered, if an image is made of it."""
    after = layers[i + 2] if i + 2 < len(layers) else None
    if isinstance(layers[i], Dense) and isinstance(after, Reshape):
        H, W, C = after.built_shape
        return b.reshape(-1, H, W, C).transpose(0, 3, 1, 2).reshape(b.shape)
    return b


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", ["autoencoder", "vae", "unet", "map"])
def test_steps_are_those_of_torch(peers, monkeypatch, name, channels_last):
    """Loss and gradients from equal weights, and the loss after a step of Adam."""
    import torch

    for batch in ("AE_BATCH", "VAE_BATCH", "UNET_BATCH"):
        monkeypatch.setattr(cases, batch, 4)
    step, peer = ours.build(f"step:{name}").run, peers(channels_last).build(f"step:{name}").run
    copy_weights(step.model, peer.model)
    if name == "vae":
        peer.model.draw = lambda mu: torch.from_numpy(step.model.sampling.cache[0])
    np.testing.assert_allclose(step(), peer().item(), rtol=1e-5)
    if name == "map":
        np.testing.assert_allclose(step.z, peer.z.detach().numpy(), rtol=1e-4)
    else:
        assert_same_gradients(step.model, peer.model)
    # The first step of Adam is the gradient's sign, which rounding decides where it is almost 0.
    np.testing.assert_allclose(step(), peer().item(), rtol=1e-3)


@pytest.mark.parametrize("name", [c.name for c in CASES if not c.name.startswith("step:")])
def test_every_kernel_can_be_built_in_torch(peers, name):
    peers(channels_last=True).build(name).run()


def test_the_plot_is_drawn(tmp_path):
    found = {
        axis: {value: Result(Case("scaling:x", f"{axis} {value}"), 1e9, {"ours": [float(value)]})}
        for axis, (value, *_) in scaling.SWEEPS.items()
    }
    scaling.plot(found, ("ours",), "a machine", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    assert "batch 1" in scaling.report(found, ("ours",), markdown=False)

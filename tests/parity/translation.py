"""Our models computed by PyTorch: same weights in, its autograd instead of our backward.

`Twin` walks through a model of ours and computes what each layer says it does with PyTorch's own
functions. Nothing of our forward or backward is used, except for the noise of dropout and
sampling, which is taken from the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nnscratch import layers
from nnscratch.layers.base import all_parts
from nnscratch.models import VAE, Autoencoder, UNet
from tests.layers.helpers import same_pads

Array = np.ndarray


class Twin:
    """A model of ours with its parameters as PyTorch tensors that record gradients.

    Parameters
    ----------
    model : Layer, built
    noise : dict from the id of a layer to the noise of its next forward pass
        What is multiplied with in Dropout, eps in GaussianSampling.
    """

    def __init__(self, model: layers.Layer, noise: dict[int, Array] | None = None) -> None:
        self.model = model
        self.noise = {key: tensor(array) for key, array in (noise or {}).items()}
        parts = [p for p in all_parts(model) if not isinstance(p, layers.Composite)]
        self.parts = list({id(p): p for p in parts}.values())
        self.tensors = {
            id(part): {name: tensor(p, leaf=True) for name, p in part.params.items()}
            for part in self.parts
        }
        self.state = {
            id(part): {name: tensor(s) for name, s in part.state.items()} for part in self.parts
        }

    def parameters(self) -> list[Tensor]:
        return [t for part in self.tensors.values() for t in part.values()]

    def arrays(self, what: str) -> list[tuple[str, Array]]:
        """Ours, in the order of `parameters`: "params" or "grads"."""
        return [
            (f"{part.name}.{name}", getattr(part, what)[name])
            for part in self.parts
            for name in part.params
        ]

    def __call__(self, x: Tensor, training: bool = False) -> Any:
        return self.compute(self.model, x, training)

    def compute(self, model: layers.Layer, x: Tensor, training: bool) -> Any:
        if isinstance(model, Autoencoder):
            return self.chain([model.encoder, model.decoder], x, training)
        if isinstance(model, VAE):
            return self.vae(model, x, training)[0]
        if isinstance(model, UNet):
            return self.unet(model, x, training)
        if isinstance(model, layers.Sequential):
            return self.chain(model.layers, x, training)
        if isinstance(model, layers.BatchNormalization):
            return self.batch_normalization(model, x, training)
        if isinstance(model, layers.Dropout):
            return x * self.noise[id(model)] if training and model.rate else x
        if isinstance(model, layers.GaussianSampling):
            mu, logvar = x.chunk(2, dim=-1)
            return mu + torch.exp(logvar / 2) * self.noise[id(model)] if training else mu
        return FUNCTIONS[type(model)](model, x, **self.tensors[id(model)])

    def chain(self, parts: list[layers.Layer], x: Tensor, training: bool) -> Tensor:
        for part in parts:
            x = self.compute(part, x, training)
        return x

    def vae(self, model: VAE, x: Tensor, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        h = self.compute(model.encoder, x, training)
        mu = self.compute(model.mean_head, h, training)
        logvar = self.compute(model.logvar_head, h, training)
        z = self.compute(model.sampling, torch.cat([mu, logvar], dim=1), training)
        return self.compute(model.decoder, z, training), mu, logvar

    def unet(self, model: UNet, x: Tensor, training: bool) -> Tensor:
        skips = []
        for down in model.downs:
            skips.append(self.compute(down, x, training))
            x = nhwc(functional.max_pool2d(nchw(skips[-1]), 2))
        x = self.compute(model.bottleneck, x, training)
        images = []
        for decoder in model.decoders:
            u = x
            for up, block, skip in zip(decoder.ups, decoder.blocks, skips[::-1], strict=True):
                u = torch.cat([self.compute(up, u, training), skip], dim=-1)
                u = self.compute(block, u, training)
            images.append(self.compute(decoder.head, u, training))
        return torch.cat(images, dim=-1)

    def batch_normalization(
        self, layer: layers.BatchNormalization, x: Tensor, training: bool
    ) -> Tensor:
        """PyTorch keeps the unbiased variance, we the biased one: compare only what comes out."""
        own, state = self.tensors[id(layer)], self.state[id(layer)]
        rows = x.reshape(-1, x.shape[-1])
        y = functional.batch_norm(
            rows, state["mean"].clone(), state["var"].clone(), own["gamma"],
            own["beta"], training, 1 - layer.momentum, layer.epsilon,
        )  # fmt: skip
        return y.reshape(x.shape)


def tensor(array: Array, leaf: bool = False) -> Tensor:
    """A copy, with the same dtype."""
    return torch.from_numpy(array.copy()).requires_grad_(leaf)


def nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def pads_of(layer: Any, size: tuple[int, int], kernel: tuple[int, int]) -> Any:
    """((top, bottom), (left, right)) around an image of that size."""
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    return same_pads(size, kernel, layer.strides) if layer.padding == "same" else layer.padding


def padded(x: Tensor, pads: Any, value: float = 0.0) -> Tensor:
    """NHWC, padded -> NCHW."""
    (top, bottom), (left, right) = pads
    return functional.pad(nchw(x), (left, right, top, bottom), value=value)


def conv2d(layer: layers.Conv2D, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    x = padded(x, pads_of(layer, layer.input_shape[:2], layer.kernel_size))
    return nhwc(functional.conv2d(x, W.permute(3, 2, 0, 1).contiguous(), b, layer.strides))


def conv2d_transpose(layer: layers.Conv2DTranspose, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """The whole canvas that the kernels paint on, then the part of it that is the output."""
    H, W_out = layer.built_shape[:2]
    (top, _), (left, _) = pads_of(layer, (H, W_out), layer.kernel_size)
    weights = W.permute(3, 2, 0, 1).contiguous()  # PyTorch wants (in, out, kh, kw)
    canvas = functional.conv_transpose2d(nchw(x), weights, None, layer.strides)
    room = (0, max(0, left + W_out - canvas.shape[3]), 0, max(0, top + H - canvas.shape[2]))
    canvas = functional.pad(canvas, room)
    return nhwc(canvas[:, :, top : top + H, left : left + W_out]) + b


def max_pooling(layer: layers.MaxPooling2D, x: Tensor) -> Tensor:
    pads = pads_of(layer, layer.input_shape[:2], layer.pool_size)
    return nhwc(functional.max_pool2d(padded(x, pads, -torch.inf), layer.pool_size, layer.strides))


def average_pooling(layer: layers.AveragePooling2D, x: Tensor) -> Tensor:
    pads = pads_of(layer, layer.input_shape[:2], layer.pool_size)
    total, real = (
        functional.avg_pool2d(padded(t, pads), layer.pool_size, layer.strides)
        for t in (x, torch.ones_like(x))
    )
    return nhwc(total / real)


def upsampling(layer: layers.UpSampling2D, x: Tensor) -> Tensor:
    options = {} if layer.interpolation == "nearest" else {"align_corners": False}
    y = functional.interpolate(
        nchw(x), scale_factor=layer.size, mode=layer.interpolation, **options
    )
    return nhwc(y)


FUNCTIONS: dict[type[layers.Layer], Callable[..., Tensor]] = {
    layers.Conv2D: conv2d,
    layers.Conv2DTranspose: conv2d_transpose,
    layers.MaxPooling2D: max_pooling,
    layers.AveragePooling2D: average_pooling,
    layers.UpSampling2D: upsampling,
    layers.Dense: lambda layer, x, W, b: functional.linear(x, W.T, b),
    layers.ReLU: lambda layer, x: functional.relu(x),
    layers.LeakyReLU: lambda layer, x: functional.leaky_relu(x, layer.negative_slope),
    layers.Sigmoid: lambda layer, x: torch.sigmoid(x),
    layers.Tanh: lambda layer, x: torch.tanh(x),
    layers.Flatten: lambda layer, x: x.flatten(1),
    layers.Reshape: lambda layer, x: x.reshape(len(x), *layer.built_shape),
}

"""PyTorch's side: ``build(case, layout)`` makes what is timed, the same work as `ours` does.

Single passes of a convolution call ``aten.convolution_backward`` with a mask, so that one
gradient is computed at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks import cases, peer_nets
from tests.benchmarks.cases import Convolution, Work

aten = torch.ops.aten


class Peers:
    """One of PyTorch's sides.

    Parameters
    ----------
    channels_last : bool
        The memory layout of images and weights; the usual one, NCHW, otherwise.
    compiled : bool
        Whole steps through ``torch.compile``.
    """

    def __init__(self, channels_last: bool = False, compiled: bool = False) -> None:
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.compiled = compiled

    def build(self, name: str) -> Work:
        """What the case ``name``, "kind:detail", repeats."""
        kind, detail = name.split(":", 1)
        if kind in cases.CONVOLUTIONS:
            return self.convolution(cases.CONVOLUTIONS[kind], detail)
        if kind in cases.UPSAMPLED:
            return self.upsampled(cases.UPSAMPLED[kind], detail)
        return getattr(self, kind)(detail)

    def numbers(self, *shape: int) -> Tensor:
        """Those of `ours.numbers`, which come channels-last."""
        return self._tensor(np.random.default_rng(7).standard_normal(shape, np.float32))

    def images(self, *shape: int) -> Tensor:
        """Those of `ours.images`."""
        return self._tensor(np.random.default_rng(8).random(shape, np.float32))

    def _tensor(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        return self._laid_out(tensor.permute(0, 3, 1, 2)) if array.ndim == 4 else tensor

    def _laid_out(self, tensor: Tensor) -> Tensor:
        """In this side's layout, and so that shape 1 in some axis leaves no doubt about it."""
        return torch.empty_like(tensor, memory_format=self.format).copy_(tensor)

    # ------------------------------------------------------------ kernels

    def convolution(self, c: Convolution, which: str) -> Work:
        """One pass of a convolution."""
        x = self.numbers(c.batch, c.side, c.side, c.channels)
        dy = self.numbers(c.batch, c.out, c.out, c.filters)
        W = self._laid_out(torch.randn(c.filters, c.channels, c.kernel, c.kernel))
        b = torch.randn(c.filters)
        stride, pad, one, zero = [c.stride] * 2, [c.pad] * 2, [1, 1], [0, 0]

        def gradient(mask: list[bool]) -> tuple[Tensor, ...]:
            return aten.convolution_backward(
                dy, x, W, [c.filters], stride, pad, one, False, zero, 1, mask
            )

        passes = {
            "forward": lambda: functional.conv2d(x, W, b, stride, pad),
            "weights": lambda: gradient([False, True, False]),
            "input": lambda: gradient([True, False, False]),
        }
        return no_grad(passes[which])

    def upsampled(self, c: Convolution, which: str) -> Work:
        """Enlarging by 2, a convolution and ReLU."""
        block = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(c.channels, c.filters, 3, padding=1), nn.ReLU()
        ).to(memory_format=self.format)
        x = self.numbers(c.batch, c.side // 2, c.side // 2, c.channels).requires_grad_()
        dy = self.numbers(c.batch, c.side, c.side, c.filters)
        if which == "forward":
            return Work(lambda: block(x))
        y, wanted = block(x), (x, *block.parameters())
        return Work(lambda: torch.autograd.grad(y, wanted, dy, retain_graph=True))

    def max_pool(self, which: str) -> Work:
        x, two = self.numbers(*cases.POOLED), [2, 2]
        y, winner = aten.max_pool2d_with_indices(x, two, two)
        if which == "forward":
            return no_grad(lambda: aten.max_pool2d_with_indices(x, two, two))
        return no_grad(
            lambda: aten.max_pool2d_with_indices_backward(
                y, x, two, two, [0, 0], [1, 1], False, winner
            )
        )

    def batch_norm(self, which: str) -> Work:
        x, C = self.numbers(*cases.NORMALIZED), cases.NORMALIZED[3]
        gamma, beta, mean, var = torch.ones(C), torch.zeros(C), torch.zeros(C), torch.ones(C)
        momentum, eps = peer_nets.BN["momentum"], peer_nets.BN["eps"]

        def forward() -> tuple[Tensor, ...]:
            return aten.native_batch_norm(x, gamma, beta, mean, var, True, momentum, eps)

        dy, saved = self.numbers(*cases.NORMALIZED), forward()[1:]
        if which == "forward":
            return no_grad(forward)
        return no_grad(
            lambda: aten.native_batch_norm_backward(
                dy, x, gamma, mean, var, *saved, True, eps, [True, True, True]
            )
        )

    def relu(self, which: str) -> Work:
        x = self.numbers(*cases.ACTIVATED)
        y, dy = torch.relu(x), self.numbers(*cases.ACTIVATED)
        if which == "forward":
            return no_grad(lambda: torch.relu(x))
        return no_grad(lambda: aten.threshold_backward(dy, y, 0))

    def dense(self, which: str) -> Work:
        N, inputs, units = cases.DENSE
        x, W, b = torch.randn(N, inputs), torch.randn(units, inputs), torch.randn(units)
        dy = torch.randn(N, units)
        if which == "forward":
            return no_grad(lambda: functional.linear(x, W, b))
        return no_grad(lambda: (dy.T @ x, dy.sum(0), dy @ W))

    def adam(self, which: str) -> Work:
        p = nn.Parameter(torch.randn(cases.ADAM_PARAMETERS))
        p.grad = torch.randn(cases.ADAM_PARAMETERS)
        return Work(torch.optim.Adam([p], lr=1e-3).step)

    # ------------------------------------------------------------ whole steps

    def training(
        self, model: nn.Module, x: Tensor, target: Tensor, loss: peer_nets.Loss
    ) -> peer_nets.TrainingStep:
        model = model.to(memory_format=self.format)
        return peer_nets.TrainingStep(model, x, target, loss, self.compiled)

    def autoencoder_step(self, batch: int) -> peer_nets.TrainingStep:
        x = self.images(batch, 32, 32, 1)
        return self.training(peer_nets.autoencoder(), x, x, peer_nets.mse_loss)

    def vae_step(self) -> peer_nets.TrainingStep:
        x = self.images(cases.VAE_BATCH, 32, 32, 1)
        return self.training(peer_nets.ConvVAE(), x, x, peer_nets.vae_loss)

    def unet_step(self) -> peer_nets.TrainingStep:
        pair = self.images(cases.UNET_BATCH, 32, 32, 6)
        average = self._laid_out((pair[:, :3] + pair[:, 3:]) / 2)
        return self.training(peer_nets.UNet(), average, pair, peer_nets.unet_loss)

    def map_step(self) -> peer_nets.MapStep:
        n = cases.MAP_IMAGES
        decoder = peer_nets.vae_decoder().to(memory_format=self.format)
        x, z = self.images(n, 32, 32, 1), self.numbers(n, cases.VAE_LATENT)
        return peer_nets.MapStep(decoder, x, z, self.compiled)

    def step(self, which: str) -> Work:
        if which == "autoencoder":
            return Work(self.autoencoder_step(cases.AE_BATCH))
        if which == "map":
            return Work(self.map_step())
        return Work(self.vae_step() if which == "vae" else self.unet_step())

    def epoch(self, batch: str) -> Work:
        """All images once, shuffled, in batches."""
        made = self.autoencoder_step(int(batch))
        x = self.images(cases.EPOCH_IMAGES, 32, 32, 1)

        def run() -> float:
            total = 0.0
            for chosen in torch.randperm(len(x)).split(int(batch)):
                batch_x = x[chosen]
                total += made.on(batch_x, batch_x).item() * len(chosen)
            return total / len(x)

        return Work(run, warm_up=made)

    def scaling(self, sizes: str) -> Work:
        """Forward and backward of convolution + ReLU; ``sizes`` is "batch,side,channels"."""
        batch, side, C = map(int, sizes.split(","))
        block = nn.Sequential(nn.Conv2d(C, C, 3, padding=1), nn.ReLU())
        block = block.to(memory_format=self.format)
        x, dy = (
            self.numbers(batch, side, side, C).requires_grad_(),
            self.numbers(batch, side, side, C),
        )
        wanted = (x, *block.parameters())
        return Work(lambda: torch.autograd.grad(block(x), wanted, dy))


def no_grad(function: Callable[[], object]) -> Work:
    """Without recording a graph."""

    def run() -> object:
        with torch.inference_mode():
            return function()

    return Work(run)

"""PyTorch's side of the whole steps: the networks of `nets` again, written as its users would."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.cases import MAP_BETA, VAE_LATENT

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]

BN = {"eps": 1e-3, "momentum": 0.01}  # as in nnscratch, whose momentum is 1 minus PyTorch's


def autoencoder() -> nn.Sequential:
    """Exercise 1."""
    channels = [1, 16, 16, 16, 16, 1]
    factors: list[int | tuple[int, int]] = [2, 2, 2, 2, (2, 1)]
    layers: list[nn.Module] = []
    for C, K, factor in zip(channels, channels[1:], factors, strict=False):
        layers += [nn.Conv2d(C, K, 3, padding=1), nn.ReLU(), nn.MaxPool2d(factor)]
    for C, K, factor in zip(channels, channels[1:], reversed(factors), strict=False):
        enlarge = nn.Upsample(scale_factor=factor)
        layers += [enlarge, nn.ConvTranspose2d(C, K, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def vae_decoder(widths: Sequence[int] = (64, 32)) -> nn.Sequential:
    """Latent -> logits."""
    C = widths[0]
    layers: list[nn.Module] = [nn.Linear(VAE_LATENT, C * 4 * 4), nn.ReLU()]
    layers.append(nn.Unflatten(1, (C, 4, 4)))
    for K in widths:
        layers += [nn.ConvTranspose2d(C, K, 4, 2, 1), nn.ReLU()]
        C = K
    return nn.Sequential(*layers, nn.ConvTranspose2d(C, 1, 4, 2, 1))


class ConvVAE(nn.Module):
    """The VAE; ``draw`` makes the noise."""

    def __init__(self, widths: Sequence[int] = (32, 64, 64)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for C, K in zip((1, *widths), widths, strict=False):
            layers += [nn.Conv2d(C, K, 4, 2, 1), nn.ReLU()]
        features = widths[-1] * 4 * 4
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        self.mean_head = nn.Linear(features, VAE_LATENT)
        self.logvar_head = nn.Linear(features, VAE_LATENT)
        self.decoder = vae_decoder(tuple(reversed(widths))[1:])
        self.draw: Callable[[Tensor], Tensor] = torch.randn_like

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.encoder(x)
        mu, logvar = self.mean_head(h), self.logvar_head(h)
        z = mu + torch.exp(logvar / 2) * self.draw(mu)
        return self.decoder(z), mu, logvar


def two_convolutions(C: int, K: int) -> nn.Sequential:
    """A level of the U-Net."""
    return nn.Sequential(
        *(nn.Conv2d(C, K, 3, padding=1), nn.BatchNorm2d(K, **BN), nn.ReLU()),
        *(nn.Conv2d(K, K, 3, padding=1), nn.BatchNorm2d(K, **BN), nn.ReLU()),
    )


class UNetDecoder(nn.Module):
    """From the bottleneck back up."""

    def __init__(self, low: int, filters: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        for width in reversed(filters):
            up = nn.ConvTranspose2d(low, width, 2, 2)
            self.levels.append(nn.ModuleList([up, two_convolutions(2 * width, width)]))
            low = width
        self.head = nn.Conv2d(low, 3, 1)

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for (up, block), skip in zip(self.levels, reversed(skips), strict=True):
            x = block(torch.cat([up(x), skip], dim=1))
        return self.head(x)


class UNet(nn.Module):
    """One encoder, two decoders."""

    def __init__(self, filters: Sequence[int] = (32, 64, 128, 256), bottleneck: int = 512) -> None:
        super().__init__()
        channels = (3, *filters)
        self.blocks = nn.ModuleList(map(two_convolutions, channels, filters))
        self.bottleneck = two_convolutions(filters[-1], bottleneck)
        self.decoders = nn.ModuleList(UNetDecoder(bottleneck, filters) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        skips = []
        for block in self.blocks:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        first, second = (decoder(x, skips) for decoder in self.decoders)
        return first, second


def mse_loss(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Mean squared error."""
    return functional.mse_loss(model(x), target)


def vae_loss(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy summed over the pixels, plus the divergence, a sample."""
    logits, mu, logvar = model(x)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    return (entropy + kl) / len(x)


def unet_loss(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """MSE1 + MSE2."""
    first, second = model(x)
    return functional.mse_loss(first, target[:, :3]) + functional.mse_loss(second, target[:, 3:])


class TrainingStep:
    """Forward, loss, backward, Adam; called once a step, it returns the loss."""

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        target: Tensor,
        loss: Loss,
        compiled: bool = False,
    ) -> None:
        self.model, self.x, self.target = model, x, target
        self.loss = torch.compile(loss) if compiled else loss
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def __call__(self) -> Tensor:
        return self.on(self.x, self.target)

    def on(self, x: Tensor, target: Tensor) -> Tensor:
        """One step on another batch."""
        self.optimizer.zero_grad(set_to_none=True)
        value = self.loss(self.model, x, target)
        value.backward()
        self.optimizer.step()
        return value.detach()


class MapStep:
    """A step of ``argmin_z ||x - g(z)||^2 + beta ||z||^2``; only z has a gradient."""

    def __init__(self, decoder: nn.Module, x: Tensor, z: Tensor, compiled: bool = False) -> None:
        self.model, self.x = decoder.requires_grad_(False), x
        self.z = z.clone().requires_grad_()
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.optimizer = torch.optim.Adam([self.z], lr=1e-2)

    def _loss(self, z: Tensor) -> Tensor:
        y = torch.sigmoid(self.model(z))
        return ((self.x - y) ** 2).sum() + MAP_BETA * (z**2).sum()

    def __call__(self) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        value = self.loss(self.z)
        value.backward()
        self.optimizer.step()
        return value.detach()

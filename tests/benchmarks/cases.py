"""What is timed: the names and shapes that both sides build from, and what is required.

Floating-point operations are counted for the direct algorithm on dense arrays: two for every
multiply-add, forward and, in a training step, as many again for the weight gradients and for the
input gradients. A kernel that needs fewer multiplications (upsampling and a 3x3 convolution as
four 2x2 ones) can therefore show more GFLOP/s than the processor can do. Work that is bound by
memory (pooling, ReLU, Adam, batch normalisation) is not counted in GFLOP/s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SIDES = {
    "ours": "ours",
    "reference": "reference",
    "torch": "eager NCHW",
    "torch_cl": "eager channels_last",
    "torch_compile": "torch.compile",
}
EAGER = ("torch", "torch_cl")


@dataclass(frozen=True)
class Work:
    """Something to repeat and time.

    Attributes
    ----------
    run : function
        One iteration, such as a training step.
    flops : float
        Of one iteration, counted as above; 0 if bound by memory.
    warm_up : function, optional
        Called instead of ``run`` before timing, where one run takes long.
    """

    run: Callable[[], object]
    flops: float = 0.0
    warm_up: Callable[[], object] | None = None


@dataclass(frozen=True)
class Case:
    """A line of the table; ``kind:detail`` names what `ours.build` and `peers.build` make."""

    name: str
    title: str

    @property
    def sides(self) -> tuple[str, ...]:
        """Who takes part: torch.compile only in whole steps."""
        return tuple(s for s in SIDES if s != "torch_compile" or self.name.startswith("step:"))


@dataclass(frozen=True)
class Convolution:
    """A square convolution with "same" padding."""

    batch: int
    side: int
    channels: int
    filters: int
    kernel: int = 3
    stride: int = 1

    @property
    def out(self) -> int:
        """The side of the output."""
        return self.side // self.stride

    @property
    def pad(self) -> int:
        """Zeros on each of the four sides."""
        return (self.kernel - self.stride + 1) // 2

    @property
    def flops(self) -> float:
        """Of one of the three passes; all take as many."""
        taps = self.kernel**2 * self.channels * self.filters
        return 2.0 * self.batch * self.out**2 * taps

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return (
            f"conv {self.kernel}x{self.kernel}{stride} {self.channels} -> {self.filters}, "
            f"{self.batch} x {self.side}x{self.side}"
        )


CONVOLUTIONS = {
    "conv_16_16": Convolution(128, 16, 16, 16),
    "conv_1_16": Convolution(128, 32, 1, 16),
    "conv_16_1": Convolution(128, 32, 16, 1),
    "conv_64_64": Convolution(32, 16, 64, 64),
    "conv_32_64_strided": Convolution(64, 16, 32, 64, kernel=4, stride=2),
}
UPSAMPLED = {  # the convolution, on the enlarged image
    "upsample_conv_16": Convolution(128, 16, 16, 16),
    "upsample_conv_32": Convolution(128, 32, 16, 16),
}
POOLED = (128, 32, 32, 16)  # N, H, W, C
NORMALIZED = (32, 32, 32, 32)
ACTIVATED = (128, 32, 32, 16)
ADAM_PARAMETERS = 1_000_000
DENSE = (256, 784, 512)  # N, inputs, units

AE_BATCH, VAE_BATCH, UNET_BATCH, MAP_IMAGES = 128, 64, 32, 10
VAE_LATENT, MAP_BETA = 2, 0.01
EPOCH_IMAGES, EPOCH_BATCHES = 60_000, (64, 128)

STEPS = [
    Case("step:autoencoder", f"exercise-1 autoencoder, batch {AE_BATCH}"),
    Case("step:vae", f"convolutional VAE, batch {VAE_BATCH}"),
    Case("step:unet", f"U-Net, two decoders, batch {UNET_BATCH}"),
    Case("step:map", f"MAP step, {MAP_IMAGES} images"),
]
PASSES = {"forward": "forward", "weights": "weight gradient", "input": "input gradient"}
BOTH = {"forward": "forward", "backward": "backward"}
IMAGE = "{} x {}x{}x{}".format
KERNELS = [
    *(
        Case(f"{name}:{key}", f"{shape}, {title}")
        for name, shape in CONVOLUTIONS.items()
        for key, title in PASSES.items()
    ),
    *(
        Case(f"{name}:{key}", f"upsample x2 + {shape} + ReLU, {title}")
        for name, shape in UPSAMPLED.items()
        for key, title in BOTH.items()
    ),
    *(Case(f"max_pool:{key}", f"max pool 2x2, {IMAGE(*POOLED)}, {key}") for key in BOTH),
    *(Case(f"batch_norm:{key}", f"batch norm, {IMAGE(*NORMALIZED)}, {key}") for key in BOTH),
    *(Case(f"relu:{key}", f"ReLU, {IMAGE(*ACTIVATED)}, {key}") for key in BOTH),
    *(Case(f"dense:{key}", f"dense {DENSE[1]} -> {DENSE[2]}, {DENSE[0]}, {key}") for key in BOTH),
    Case("adam:step", f"Adam, {ADAM_PARAMETERS:,} parameters"),
]
CASES = STEPS + KERNELS
EPOCHS = [
    Case(f"epoch:{batch}", f"autoencoder, {EPOCH_IMAGES:,} images, batch {batch}")
    for batch in EPOCH_BATCHES
]


@dataclass(frozen=True)
class Must:
    """A requirement: torch's time over ours, in each of ``cases``, is at least ``least``.

    ``against`` names sides; the fastest of them counts.
    """

    cases: tuple[str, ...]
    least: float
    aim: float
    against: tuple[str, ...] = EAGER


MUSTS = [
    Must(("step:autoencoder",), 4, 7),
    Must(("step:autoencoder",), 6, 10, ("torch_compile",)),
    Must(tuple(f"conv_16_16:{p}" for p in PASSES), 0.9, 1.1),
    Must(tuple(f"{c}:{p}" for c in ("conv_1_16", "conv_16_1") for p in PASSES), 3, 6),
    Must(("max_pool:forward",), 3, 6),
    Must(("max_pool:backward",), 2, 3),
    Must(tuple(f"{c}:{p}" for c in UPSAMPLED for p in BOTH), 2, 2.5),
    Must(("step:unet",), 1.0, 1.3),
]

"""nnscratch: neural networks from scratch in plain NumPy, to be read.

Start with `nnscratch.layers.dense`, then `nnscratch.layers.base`, `nnscratch.layers.sequential`,
`nnscratch.layers.convolution` and `train_step` at the top of `nnscratch.training.loop`;
`nnscratch.gradcheck` tells you what you broke.
"""

from nnscratch import (
    initializers,
    kernels,
    layers,
    losses,
    models,
    optimizers,
    training,
)
from nnscratch.kernels import use_fusion, use_kernels
from nnscratch.profiling import profile
from nnscratch.threads import set_num_threads

__all__ = [
    "initializers",
    "kernels",
    "layers",
    "losses",
    "models",
    "optimizers",
    "profile",
    "set_num_threads",
    "training",
    "use_fusion",
    "use_kernels",
]

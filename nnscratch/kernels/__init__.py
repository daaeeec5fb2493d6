"""The heavy loops of the layers, and the one place that chooses who computes them.

Layers call ``kernels.conv2d`` and its siblings; `reference` documents each. So far the reference
is the only implementation. Another one is a module with the same functions, entered below and
chosen by `use_kernels` or the environment variable ``NNSCRATCH_KERNELS``.
"""

from __future__ import annotations

import os
from types import ModuleType

from nnscratch.kernels import reference
from nnscratch.kernels.reference import (
    average_pool2d,
    average_pool2d_input_gradient,
    conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    max_pool2d,
    max_pool2d_input_gradient,
    upsample2d,
    upsample2d_input_gradient,
)

__all__ = [
    "IMPLEMENTATIONS",
    "average_pool2d",
    "average_pool2d_input_gradient",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "max_pool2d",
    "max_pool2d_input_gradient",
    "upsample2d",
    "upsample2d_input_gradient",
    "use_kernels",
]

IMPLEMENTATIONS: dict[str, ModuleType] = {"reference": reference}


def use_kernels(name: str) -> None:
    """Choose the implementation that every layer uses from now on.

    Parameters
    ----------
    name : str
        A key of ``IMPLEMENTATIONS``: "reference" is plain NumPy.

    Raises
    ------
    ValueError
        If there is no such implementation.
    """
    if name not in IMPLEMENTATIONS:
        raise ValueError(
            f"there are no kernels named {name!r}; choose one of {sorted(IMPLEMENTATIONS)} "
            "in use_kernels or in the environment variable NNSCRATCH_KERNELS."
        )
    for kernel in __all__:
        if hasattr(reference, kernel):
            globals()[kernel] = getattr(IMPLEMENTATIONS[name], kernel)


use_kernels(os.environ.get("NNSCRATCH_KERNELS") or "reference")

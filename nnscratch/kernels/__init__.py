"""The heavy loops of the layers, and the one place that chooses who computes them.

A kernel, here, is such a loop; in ``kernel_size`` it is the window of weights of a convolution.
Layers call ``kernels.conv2d`` and its siblings; `reference` documents each, in plain NumPy. The
functions of the same names in `compiled` are many times faster and need numba. They are the
default; `use_kernels` or the environment variable ``NNSCRATCH_KERNELS`` choose otherwise.
"""

from __future__ import annotations

import os
import warnings
from types import ModuleType

from threadpoolctl import threadpool_limits

from nnscratch.kernels import reference
from nnscratch.kernels.reference import (
    adam,
    average_pool2d,
    average_pool2d_input_gradient,
    channel_moments,
    channel_sum,
    conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    leaky_relu,
    leaky_relu_input_gradient,
    max_pool2d,
    max_pool2d_input_gradient,
    normalize,
    normalize_input_gradient,
    relu,
    relu_input_gradient,
    squared_error,
    upsample2d,
    upsample2d_input_gradient,
)

__all__ = [
    "IMPLEMENTATIONS",
    "adam",
    "average_pool2d",
    "average_pool2d_input_gradient",
    "channel_moments",
    "channel_sum",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "in_use",
    "leaky_relu",
    "leaky_relu_input_gradient",
    "max_pool2d",
    "max_pool2d_input_gradient",
    "normalize",
    "normalize_input_gradient",
    "relu",
    "relu_input_gradient",
    "squared_error",
    "upsample2d",
    "upsample2d_input_gradient",
    "use_kernels",
]

_in_use = "reference"
IMPLEMENTATIONS: dict[str, ModuleType] = {"reference": reference}  # those in memory


def use_kernels(name: str) -> str:
    """Choose the implementation that every layer uses from now on.

    Parameters
    ----------
    name : str
        "compiled", or "reference", which is plain NumPy and never imports numba.

    Returns
    -------
    str
        The name of those that were used so far, to go back to them.

    Raises
    ------
    ValueError
        If there is no such implementation.
    ImportError
        If the compiled kernels are chosen but numba is missing.
    """
    if name == "compiled" and name not in IMPLEMENTATIONS:
        from nnscratch.kernels import compiled

        IMPLEMENTATIONS[name] = compiled
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_no_threads_after_a_fork)
    if name not in IMPLEMENTATIONS:
        raise ValueError(
            f"there are no kernels named {name!r}; choose one of "
            f"{sorted({'compiled', *IMPLEMENTATIONS})} in use_kernels or in the environment "
            "variable NNSCRATCH_KERNELS."
        )
    for kernel in __all__:
        if hasattr(reference, kernel):
            globals()[kernel] = getattr(IMPLEMENTATIONS[name], kernel)
    global _in_use
    before, _in_use = _in_use, name
    if name == "compiled":
        threadpool_limits(1, "blas")  # see `nnscratch.set_num_threads`
    return before


def _no_threads_after_a_fork() -> None:
    """GNU OpenMP ends a forked process that asks for the threads its parent had."""
    from nnscratch.kernels.compilation import threads_die_in_a_fork

    if _in_use == "compiled" and threads_die_in_a_fork():
        use_kernels("reference")
        warnings.warn(
            "this process was forked after the compiled kernels had been used, whose threads a "
            "fork does not have; slow kernels in plain NumPy are used. Fork earlier, or start "
            'processes with the method "spawn".',
            stacklevel=2,
        )


def in_use() -> str:
    """The name of the implementation that layers use now."""
    return _in_use


def _use_the_fastest() -> None:
    try:
        use_kernels("compiled")
    except ImportError as error:
        warnings.warn(f"slow kernels in plain NumPy are used: {error}", stacklevel=3)


if os.environ.get("NNSCRATCH_KERNELS"):
    use_kernels(os.environ["NNSCRATCH_KERNELS"])
else:
    _use_the_fastest()

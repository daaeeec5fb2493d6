"""Compiled code that stands in for layers, losses and optimisers, and who chooses it.

Nothing here is needed to understand the library: each compiled function computes, many times
faster, what the NumPy code of a layer computes. They need numba and are the default; `use_kernels`
or the environment variable ``NNSCRATCH_KERNELS`` choose otherwise. `planner` says which function
stands in for what, `twins` has the functions as layers see them.
"""

from __future__ import annotations

import os
import warnings

from nnscratch import stand_ins

_in_use = "reference"
_fusion = True  # what `use_fusion` chose, also while nothing compiled is in memory


def use_kernels(name: str) -> str:
    """Choose what runs from now on.

    Parameters
    ----------
    name : str
        "compiled", or "reference", which is the layers' own NumPy and never imports numba.

    Returns
    -------
    str
        The name of what ran so far, to go back to it.

    Raises
    ------
    ValueError
        If it is another name.
    ImportError
        If the compiled kernels are chosen but numba is missing.
    """
    global _in_use
    if name not in ("compiled", "reference"):
        raise ValueError(
            f'there are no kernels named {name!r}; choose "compiled" or "reference" in '
            "use_kernels or in the environment variable NNSCRATCH_KERNELS."
        )
    if name == "compiled":
        from nnscratch.kernels import planner  # imports numba, which may be missing

        planner.use_fusion(_fusion)
        stand_ins.attach(planner)
    else:
        stand_ins.attach(None)
    before, _in_use = _in_use, name
    return before


def use_fusion(on: bool) -> None:
    """Choose whether compiled code may compute neighbouring layers in one go; at first, it may."""
    global _fusion
    _fusion = bool(on)
    use_kernels(_in_use)


def in_use() -> str:
    """The name of what runs now."""
    return _in_use


def _no_threads_after_a_fork() -> None:
    """GNU OpenMP ends a forked process that asks for the threads its parent had."""
    if _in_use != "compiled":
        return
    from nnscratch.kernels.compilation import threads_die_in_a_fork

    if threads_die_in_a_fork():
        use_kernels("reference")
        warnings.warn(
            "this process was forked after the compiled kernels had been used, whose threads a "
            "fork does not have; slow kernels in plain NumPy are used. Fork earlier, or start "
            'processes with the method "spawn".',
            stacklevel=2,
        )


def _use_the_fastest() -> None:
    try:
        use_kernels("compiled")
    except ImportError as error:
        warnings.warn(f"slow kernels in plain NumPy are used: {error}", stacklevel=3)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_no_threads_after_a_fork)
if os.environ.get("NNSCRATCH_KERNELS"):
    use_kernels(os.environ["NNSCRATCH_KERNELS"])
else:
    _use_the_fastest()

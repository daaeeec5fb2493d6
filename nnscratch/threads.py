"""How many threads compute."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nnscratch import kernels


def set_num_threads(n: int) -> None:
    """Share the work of the compiled kernels among ``n`` threads.

    At first there is one for each CPU core, or what the environment variable ``NUMBA_NUM_THREADS``
    says. The bits of a result do not depend on n. Without compiled kernels, n is the number of
    threads of BLAS, the library that multiplies NumPy's matrices.

    Raises
    ------
    ValueError
        If n is not a positive int, or more than the cores or ``NUMBA_NUM_THREADS``.
    """
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise ValueError(f"set_num_threads: n is {n!r}; it must be a positive int.")
    n = int(n)
    if kernels.in_use() != "compiled":
        threadpool_limits(n, "blas")
        return
    import numba

    from nnscratch.kernels.compilation import num_threads

    num_threads()  # which starts them in the right way
    config: Any = numba.config
    if n > config.NUMBA_NUM_THREADS:
        raise ValueError(
            f"set_num_threads: {n} threads are wanted but at most {config.NUMBA_NUM_THREADS} can "
            "be had; set the environment variable NUMBA_NUM_THREADS before Python starts."
        )
    numba.set_num_threads(n)

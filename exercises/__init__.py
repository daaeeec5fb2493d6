"""The exercises of the reports, one script each; ``python -m exercises`` runs them all."""

import os
import sys
from contextlib import suppress


def import_matplotlib() -> None:
    """Import Matplotlib whatever MPLBACKEND says, and unset it if there is no such backend.

    It may name that of the notebook from which a command was started, and not be installed here.
    Matplotlib then cannot even be imported; yet files are drawn without it.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    import matplotlib

    if backend:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
            os.environ["MPLBACKEND"] = backend


if "matplotlib" not in sys.modules:
    import_matplotlib()

"""How fast the kernels and whole training steps are: ``python -m tests.benchmarks --help``.

Read `cases` (what is timed) first, then `pairs` and `worker` (how), `ours` and `nets` (this
library's side), `peers` and `peer_nets` (PyTorch's, where it is installed).
"""

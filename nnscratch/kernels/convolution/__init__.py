"""Convolution, compiled: start with `passes`, which says how it becomes fast."""

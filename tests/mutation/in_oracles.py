"""Slips of a forward pass that its backward pass shares, so that every gradient check passes."""

from tests.mutation.mutants import Mutant

MUTANTS = []

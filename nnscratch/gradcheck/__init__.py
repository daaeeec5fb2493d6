"""Gradient checking: is ``backward`` the derivative of ``forward``, and if not, what went wrong?

``check_gradients(layer, x)`` answers for a layer or a model, ``check_loss(function, y)`` for a
loss, ``python -m nnscratch.gradcheck`` for everything in this package. Read `check` first, then
`differences` (how a derivative is measured), `contract` (what is checked before that) and
`hints` (how the diagnosis is made).
"""

from nnscratch.gradcheck.check import check_gradients, check_loss
from nnscratch.gradcheck.report import Failure, Report

__all__ = ["Failure", "Report", "check_gradients", "check_loss"]

"""Gradient checking: is ``backward`` the derivative of ``forward``, and if not, what went wrong?

Take a layer, built in float64, and a batch:

>>> import numpy as np
>>> from nnscratch.layers import Dense
>>> layer, rng = Dense(5), np.random.default_rng(0)
>>> output_shape = layer.build((4,), rng, np.float64)
>>> x, dy, h = rng.standard_normal((3, 4)), rng.standard_normal((3, 5)), 1e-6

Then move each number of x up and down a little. With L = <dy, forward(x)> for a random dy, the
slope of L must be what ``backward`` returns. These are central differences, in six lines:

>>> y, dx = layer.forward(x), layer.backward(dy)
>>> for place in np.ndindex(x.shape):
...     step = np.zeros_like(x)
...     step[place] = h
...     slope = (dy * (layer.forward(x + step) - layer.forward(x - step))).sum() / (2 * h)
...     assert abs(slope - dx[place]) < 1e-7, f"dx{list(place)}: {dx[place]}, measured {slope}"

The package does the same for every parameter, asks first whether the layer keeps its contract, and
says what kind of mistake it sees. For a class of your own, a Layer or anything with its build,
forward, backward, params and grads::

    python -m nnscratch.gradcheck my_file.py:MyLayer --input 8,8,3

``--input`` is the shape of one sample. Constructor arguments go with the class, in quotes:
``'my_file.py:MyLayer(4, rate=0.5)'``. From Python, ``check_gradients(layer, x)`` checks a layer or
a model and ``check_loss(function, y)`` a loss; ``python -m nnscratch.gradcheck`` alone checks
everything in this library.

Read `check` first, then `differences` (how a derivative is measured), `contract` (what is checked
before that) and `hints` (how the diagnosis is made).
"""

from nnscratch.gradcheck.check import check_gradients, check_loss
from nnscratch.gradcheck.report import Failure, Report

__all__ = ["Failure", "Report", "check_gradients", "check_loss"]

"""Optimisers: how far a gradient g moves its parameter p, by plain descent, momentum and Adam.

``optimizer.step(params, grads)`` takes two dicts with the same keys and changes the arrays of
``params`` in place. What an optimiser remembers between steps lies in its ``state``, a dict of
arrays that `nnscratch.checkpoint` saves. In the formulas an arrow gives the name on its left a new
value; they hold for every entry of every array.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nnscratch import kernels

Array = np.ndarray
Schedule = Callable[[int], float]


def cosine_decay(initial: float, steps: int) -> Schedule:
    """A learning rate that falls from ``initial`` to 0 along half a cosine in ``steps`` steps.

    Before step t, counted from 0, it is ``initial / 2 * (1 + cos(pi * t / steps))``; from
    ``t = steps`` on it is 0.

    Returns
    -------
    function of the step number (0 for the first step), for ``learning_rate`` of an optimiser

    Raises
    ------
    ValueError
        If ``steps`` is below 1.

    References
    ----------
    Loshchilov & Hutter, "SGDR", ICLR 2017, Eq. 5, without restarts.
    """

    if steps < 1:
        raise ValueError(f"cosine_decay: steps is {steps}; it must be at least 1.")

    def learning_rate(step: int) -> float:
        return initial * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))

    return learning_rate


class Optimizer:
    """What all optimisers share: the learning rate and the count of steps.

    Parameters
    ----------
    learning_rate : float > 0, or function of the step number

    Attributes
    ----------
    moments : tuple of str
        What is kept for each parameter.
    state : dict of str to array
        ``steps (1,)`` and, from the first step on, the moments of each parameter.

    Raises
    ------
    ValueError
        If the learning rate is not positive.
    """

    moments: tuple[str, ...] = ()

    def __init__(self, learning_rate: float | Schedule) -> None:
        if not callable(learning_rate) and not learning_rate > 0:
            raise ValueError(f"learning_rate is {learning_rate}; it must be positive.")
        self.learning_rate = learning_rate
        self.state: dict[str, Array] = {"steps": np.zeros(1, np.int64)}

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return int(self.state["steps"][0])

    def step(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Change every array of ``params`` in place.

        Raises
        ------
        ValueError
            If keys or shapes of the two dicts differ, or a parameter had another shape in an
            earlier step.
        """
        if params.keys() != grads.keys():
            raise ValueError(
                "params and grads must have the same keys; only one of them has "
                f"{sorted(params.keys() ^ grads.keys())}."
            )
        for key, p in params.items():
            if p.shape != grads[key].shape:
                raise ValueError(f"{key} has shape {p.shape} but its gradient {grads[key].shape}.")
        rate = self.learning_rate
        rate = float(rate(self.steps)) if callable(rate) else float(rate)
        self.state["steps"] += 1
        for key, p in params.items():
            self.update(key, p, grads[key], rate)

    def update(self, key: str, p: Array, g: Array, rate: float) -> None:
        """Change one parameter ``p`` in place, ``g`` being its gradient."""
        raise NotImplementedError

    def moment(self, name: str, p: Array) -> Array:
        """The running array ``name``, zeros shaped like ``p`` at first."""
        if name not in self.state:
            self.state[name] = np.zeros_like(p)
        if self.state[name].shape != p.shape:
            raise ValueError(
                f"the optimiser's {name} has shape {self.state[name].shape}, the parameter "
                f"{p.shape}; make a new optimiser for every model."
            )
        return self.state[name]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With velocity v, zero at first::

        v <- momentum * v - rate * g
        p <- p + v                           or, with Nesterov's look-ahead,
        p <- p + momentum * v - rate * g

    Parameters
    ----------
    learning_rate : float or function of the step number
        ``rate``.
    momentum : float in [0, 1)
    nesterov : bool

    Raises
    ------
    ValueError
        If the learning rate is not positive, momentum lies outside its range, or is 0 though
        ``nesterov`` is asked for.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning",
    ICML 2013, Eqs. 1-4; the look-ahead as rewritten by Bengio et al., arXiv:1212.0901, section
    3.5, so that the gradient is taken where the parameters are.
    """

    moments = ("velocity",)

    def __init__(
        self, learning_rate: float | Schedule = 0.01, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(learning_rate)
        if not 0 <= momentum < 1 or (nesterov and momentum == 0):
            raise ValueError(
                f"momentum is {momentum}; it must lie in [0, 1), above 0 for Nesterov's."
            )
        self.momentum, self.nesterov = float(momentum), nesterov

    def update(self, key: str, p: Array, g: Array, rate: float) -> None:
        if self.momentum == 0:
            p -= rate * g
            return
        v = self.moment(f"velocity.{key}", p)
        v *= self.momentum
        v -= rate * g
        p += self.momentum * v - rate * g if self.nesterov else v


class Adam(Optimizer):
    """Steps of about ``learning_rate``, whatever the size of the gradient.

    With m and v (no velocity here) the running means of g and g^2, zero at first, and t = 1 in the
    first step::

        m <- beta_1 * m + (1 - beta_1) * g        mhat = m / (1 - beta_1^t)
        v <- beta_2 * v + (1 - beta_2) * g^2      vhat = v / (1 - beta_2^t)
        p <- p - rate * weight_decay * p - rate * mhat / (sqrt(vhat) + epsilon)

    The hats undo the bias of having started at zero. The weight decay acts on p directly and not
    through g, so it is not divided by sqrt(vhat) ("decoupled", AdamW).

    Parameters
    ----------
    learning_rate : float or function of the step number
        ``rate``.
    beta_1, beta_2 : float in [0, 1)
    epsilon : float > 0
        1e-8 as in the paper and in PyTorch; Keras takes 1e-7.
    weight_decay : float >= 0

    Raises
    ------
    ValueError
        If the learning rate is not positive, or another argument lies outside its range.

    References
    ----------
    Kingma & Ba, ICLR 2015, Algorithm 1; Loshchilov & Hutter, ICLR 2019, Algorithm 2, whose decay
    is not multiplied by the learning rate but by its schedule only; here, as in PyTorch's AdamW,
    it is multiplied by both.
    """

    moments = ("m", "v")

    def __init__(
        self,
        learning_rate: float | Schedule = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate)
        if not (0 <= beta_1 < 1 and 0 <= beta_2 < 1 and epsilon > 0 and weight_decay >= 0):
            raise ValueError(
                f"{beta_1=}, {beta_2=}, {epsilon=}, {weight_decay=}: the "
                "betas must lie in [0, 1), epsilon above 0, weight_decay at or above 0."
            )
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon, self.weight_decay = float(epsilon), float(weight_decay)

    def update(self, key: str, p: Array, g: Array, rate: float) -> None:
        m, v = self.moment(f"m.{key}", p), self.moment(f"v.{key}", p)
        kernels.adam(
            p, g, m, v, rate, self.beta_1, self.beta_2, self.epsilon, self.weight_decay, self.steps
        )

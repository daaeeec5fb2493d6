"""Optimisers: how far a gradient g moves its parameter p, by plain descent, momentum and Adam.

``optimizer.step(params, grads)`` takes two dicts with the same keys and changes the arrays of
``params`` in place. What an optimiser remembers between steps lies in its ``state``, a dict of
arrays that `nnscratch.training.checkpoint` saves. In the formulas an arrow gives the name on its
left a new value; they hold for every entry of every array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnscratch import stand_ins
from nnscratch.layers.geometry import check_count
from nnscratch.optimizer_checks import (
    check_gradients,
    check_moment,
    check_positive,
    check_same_arrays,
    check_state,
    same_arrays,
    without_frozen,
)

Array = np.ndarray
Schedule = Callable[[int], float]


@dataclass(frozen=True)
class cosine_decay:  # noqa: N801 - used as a function, as `functools.partial` is
    """A learning rate that falls from ``initial`` to 0 along half a cosine in ``steps`` steps.

    Before step t, counted from 0, it is ``initial / 2 * (1 + cos(pi * t / steps))``; from
    ``t = steps`` on it is 0.

    Parameters
    ----------
    initial : float > 0
    steps : int

    Raises
    ------
    ValueError
        If ``initial`` is not positive, or ``steps`` is no int of at least 1.

    References
    ----------
    Loshchilov & Hutter, "SGDR", ICLR 2017, Eq. 5, without restarts.
    """

    initial: float
    steps: int

    def __post_init__(self) -> None:
        check_positive(self.initial, "cosine_decay: initial")
        check_count(self.steps, "cosine_decay: steps")

    def __call__(self, step: int) -> float:
        """The learning rate of step number ``step``, 0 being the first."""
        return self.initial * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))


def global_norm(arrays: Iterable[Array]) -> float:
    """Euclidean, of all numbers of all arrays together, added up in float64."""
    return sum(float(np.square(array, dtype=np.float64).sum()) for array in arrays) ** 0.5


def clip_by_global_norm(grads: dict[str, Array], limit: float) -> dict[str, Array]:
    """Gradients as one vector, shortened to the length ``limit`` if it is longer.

    With n the Euclidean norm of all numbers of all gradients together, each gradient becomes
    ``g * limit / n`` where ``n > limit``. All have the same factor, so the direction stays: the
    step is as long as a gradient of length ``limit`` makes it, and leads the same way.

    Parameters
    ----------
    grads : dict of arrays
        Left as they are.
    limit : float > 0

    Returns
    -------
    dict of arrays
        Of the same keys, shapes and dtypes; ``grads`` itself if nothing is too long. Where a
        gradient is not finite there is no direction to keep, and nothing is changed.

    Raises
    ------
    ValueError
        If the limit is not positive.

    References
    ----------
    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    Algorithm 1.
    """
    check_positive(limit, "limit")
    norm = global_norm(grads.values())
    if not limit < norm < math.inf:
        return grads
    return {key: g * g.dtype.type(limit / norm) for key, g in grads.items()}


class Optimizer:
    """What all optimisers share: the learning rate, the count of steps, and whose they are.

    An optimiser belongs to the arrays that it was given first: moments and the number of steps are
    theirs. A copy of model and optimiser together (``copy.deepcopy((model, optimizer))``, or a
    pickle of both) belongs together as the originals do.

    Parameters
    ----------
    learning_rate : float > 0, or function of the step number
    global_clipnorm : float > 0, optional
        How long the gradients of all parameters together may be; see `clip_by_global_norm`.

    Attributes
    ----------
    moments : tuple of str
        What is kept for each parameter; ``never_negative`` names those that are means of squares.
    state : dict of str to array
        ``steps (1,)`` and, from the first step on, the moments of each parameter.

    Raises
    ------
    ValueError
        If the learning rate or the limit is not positive.
    """

    moments: tuple[str, ...] = ()
    never_negative: tuple[str, ...] = ()

    def __init__(
        self, learning_rate: float | Schedule, global_clipnorm: float | None = None
    ) -> None:
        if not callable(learning_rate):
            check_positive(learning_rate, "learning_rate")
        if global_clipnorm is not None:
            check_positive(global_clipnorm, "global_clipnorm")
        self.learning_rate, self.global_clipnorm = learning_rate, global_clipnorm
        self.state: dict[str, Array] = {"steps": np.zeros(1, np.int64)}
        self._params: dict[str, Array] = {}  # held, so that no other array can take their place
        self._left: dict[str, Array] = {}  # the arrays of `state` as the latest step left them

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return int(self.state["steps"][0])

    @property
    def settings(self) -> dict[str, Any]:
        """All that was chosen when this optimiser was made, by name."""
        kept = ("state", "moments", "_params", "_left")
        return {k: v for k, v in vars(self).items() if k not in kept}

    def step(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Change every array of ``params`` in place, except those of frozen layers.

        Raises
        ------
        ValueError, TypeError
            Before anything moves: if keys, shapes or dtypes of the two dicts differ, the arrays are
            not those of earlier steps, or the schedule gives no learning rate.
        """
        check_gradients(params, grads)
        self.check_owner(params)
        rate = self._rate()
        moved = without_frozen(params)
        if self.global_clipnorm is not None:
            grads = clip_by_global_norm({key: grads[key] for key in moved}, self.global_clipnorm)
        self._params = self._params or dict(params)
        self.state["steps"] += 1
        update = stand_ins.stand_in(self.update)
        for key, p in moved.items():
            update(key, p, grads[key], rate)
        if not same_arrays(self._left, self.state):
            for key, p in params.items():  # frozen ones too, so that a thaw changes no keys
                for name in self.moments:
                    self.moment(f"{name}.{key}", p)
            self._left = dict(self.state)

    def update(self, key: str, p: Array, g: Array, rate: float) -> None:
        """Change one parameter ``p`` in place, ``g`` being its gradient."""
        raise NotImplementedError

    def moment(self, name: str, p: Array) -> Array:
        """The running array ``name``, zeros shaped like ``p`` at first."""
        if name not in self.state:
            self.state[name] = np.zeros_like(p)
        return self.state[name]

    def check_owner(self, params: dict[str, Array]) -> None:
        """Raise a ValueError unless these are the parameters that this optimiser moved so far.

        A new one may begin with any. In both cases what it remembers must fit them.
        """
        check_same_arrays(f"this {type(self).__name__}", self.steps, self._params, params)
        if not self._params:
            self.check_state(self.state, params)
        if not self.steps or same_arrays(self._left, self.state):
            return
        for moment in self.moments:
            for key, p in without_frozen(params).items():
                check_moment(f"{moment}.{key}", self.state.get(f"{moment}.{key}"), p)

    def check_state(self, state: dict[str, Array], params: dict[str, Array]) -> None:
        """Raise a ValueError unless ``state`` is one that steps of ``params`` could have left."""
        check_state(type(self).__name__, state, params, self.moments, self.never_negative)

    def load_state(self, state: dict[str, Array], params: dict[str, Array]) -> None:
        """Go on from ``state``, a checked one, with these parameters."""
        self.state, self._params = state, dict(params)

    def _rate(self) -> float:
        rate = self.learning_rate
        if not callable(rate):
            return float(rate)
        value = float(rate(self.steps))
        if not 0 <= value < math.inf:
            raise ValueError(
                f"the learning rate of step {self.steps} is {value}; the schedule must give "
                "finite numbers, at or above 0."
            )
        return value


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
    global_clipnorm : float > 0, optional
        See `clip_by_global_norm`.

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

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        if not 0 <= momentum < 1 or (nesterov and momentum == 0):
            raise ValueError(
                f"momentum is {momentum}; it must lie in [0, 1), above 0 for Nesterov's."
            )
        self.momentum, self.nesterov = float(momentum), bool(nesterov)
        self.moments = ("velocity",) if momentum else ()

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
    global_clipnorm : float > 0, optional
        See `clip_by_global_norm`.

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
    never_negative = ("v",)

    def __init__(
        self,
        learning_rate: float | Schedule = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        if not (0 <= beta_1 < 1 and 0 <= beta_2 < 1 and epsilon > 0 and weight_decay >= 0):
            raise ValueError(
                f"{beta_1=}, {beta_2=}, {epsilon=}, {weight_decay=}: the "
                "betas must lie in [0, 1), epsilon above 0, weight_decay at or above 0."
            )
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)
        self.epsilon, self.weight_decay = float(epsilon), float(weight_decay)

    def update(self, key: str, p: Array, g: Array, rate: float) -> None:
        m, v, t = self.moment(f"m.{key}", p), self.moment(f"v.{key}", p), self.steps
        m *= self.beta_1
        m += (1 - self.beta_1) * g
        v *= self.beta_2  # v += (1 - beta_2) * (g^2 - v) would cancel if beta_2 is small
        v += (1 - self.beta_2) * g**2
        mhat, vhat = m / (1 - self.beta_1**t), v / (1 - self.beta_2**t)
        p -= rate * self.weight_decay * p
        p -= rate * mhat / (np.sqrt(vhat) + self.epsilon)

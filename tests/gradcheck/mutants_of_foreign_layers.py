"""Wrong backward passes of the layers in `foreign_layers`, with the words that name each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.gradcheck.foreign_layers import RIGHT, sigmoid

Array = np.ndarray


class Foreign(NamedTuple):
    """A wrong backward of one of the right layers; ``words`` in the hint name the mistake."""

    layer: str
    wrong: Callable[[Any, Array], Array]
    where: str
    words: tuple[str, ...]  # any of these


FOREIGN: dict[str, Foreign] = {}


def enter(
    layer: str, name: str, wrong: Callable[..., Any], *words: str, where: str = "input"
) -> None:
    FOREIGN[f"{layer}-{name}"] = Foreign(layer, wrong, where, words)


def slope(layer: str, name: str, formula: Callable[[Array, Array], Array], *words: str) -> None:
    """A wrong derivative, as a function of x and y."""
    enter(layer, name, lambda self, dy: dy * formula(*self.cache), *words)


def everywhere(layer: str) -> None:
    """The mistakes that every layer can have."""
    kind, _ = RIGHT[layer]
    enter(layer, "sign", lambda self, dy: -kind.backward(self, dy), "sign is wrong")
    enter(layer, "factor-2", lambda self, dy: 2 * kind.backward(self, dy), "every entry is 2 ")
    enter(layer, "mean-for-sum", lambda self, dy: kind.backward(self, dy) / len(dy), "1/batch")


for kind_name in RIGHT:
    everywhere(kind_name)

slope("SiLU", "second-term", lambda x, y: sigmoid(x), "x * sigmoid'(x)")
slope("SiLU", "first-term", lambda x, y: y * (1 - sigmoid(x)), "y / x", "sigmoid(x) more")
slope(
    "SiLU", "at-y", lambda x, y: sigmoid(y) + y * sigmoid(y) * (1 - sigmoid(y)), "at the output y"
)
slope("SiLU", "y-forgotten", lambda x, y: sigmoid(x) + 1 - sigmoid(x), "term", "factor")
slope("SiLU", "as-sigmoid", lambda x, y: sigmoid(x) * (1 - sigmoid(x)), "term", "factor")


def gelu(x: Array) -> Array:
    return np.tanh(0.8 * (x + 0.0447 * x**3))


slope("GELU", "second-term", lambda x, y: 0.5 * (1 + gelu(x)), "u' v")
slope("GELU", "half-forgotten", lambda x, y: 1 + gelu(x), "factor", "term")
slope(
    "GELU", "first-term", lambda x, y: (1 - gelu(x) ** 2) * 0.4 * x * (1 + 0.1341 * x**2), "y / x"
)
slope(
    "GELU",
    "chain-rule",
    lambda x, y: 0.5 * (1 + gelu(x)) + 0.5 * x * (1 - gelu(x) ** 2),
    "chain rule",
)

slope(
    "ELU",
    "alpha-forgotten",
    lambda x, y: np.where(x > 0, 1, np.exp(x)),
    "only they, are 1.429 times",
)
slope("ELU", "y-without-alpha", lambda x, y: np.where(x > 0, 1, y), "0.7 * 1 more")
slope("ELU", "as-relu", lambda x, y: np.where(x > 0, 1.0, 0.0), "x < 0", "dropped")
slope("ELU", "no-branch", lambda x, y: np.ones_like(x), "x < 0")
slope("ELU", "branch-turned", lambda x, y: np.where(x > 0, y + 0.7, 1.0), "factor", "term", "-x")

slope("Softplus", "other-side", lambda x, y: sigmoid(-x), "at -x")
slope("Softplus", "of-y", lambda x, y: sigmoid(y), "at the output y")
slope("Softplus", "as-sigmoid", lambda x, y: sigmoid(x) * (1 - sigmoid(x)), "factor", "term")
slope("Softplus", "exp", lambda x, y: np.exp(x), "factor", "term")

slope("Square", "one-way", lambda x, y: x, "1/2")
slope("Square", "at-y", lambda x, y: 2 * y, "at the output y")
slope("Square", "not-derived", lambda x, y: y, "factor", "term")

softmax = RIGHT["Softmax"][0].backward
enter("Softmax", "diagonal", lambda s, dy: dy * s.cache[0] * (1 - s.cache[0]), "number by number")
enter("Softmax", "no-sum", lambda s, dy: dy * s.cache[0], "follows the output y")
enter("Softmax", "sum-without-y", lambda s, dy: s.cache[0] * (dy - dy.sum(axis=-1, keepdims=True)),
      "follows the output y")  # fmt: skip
enter("Softmax", "mean-for-sum", lambda s, dy: s.cache[0] * (
    dy - (dy * s.cache[0]).mean(axis=-1, keepdims=True)), "follows the output y")  # fmt: skip
enter("Softmax", "no-factor-y", lambda s, dy: dy - (dy * s.cache[0]).sum(axis=-1, keepdims=True),
      "times the output y")  # fmt: skip
enter("Softmax", "over-the-batch", lambda s, dy: s.cache[0] * (
    dy - (dy * s.cache[0]).sum(axis=0, keepdims=True)), "axis", "term")  # fmt: skip

for norm in ("LayerNorm", "RMSNorm", "GroupNorm"):

    def without(norm: str, name: str, *words: str, **terms: bool) -> None:
        def wrong(self: Any, dy: Array) -> Array:
            self.write(dy, self.images(self.cache[0]))
            return self.dx(dy * self.params["gamma"], **terms)

        enter(norm, name, wrong, *words)

    def gamma_forgotten(self: Any, dy: Array) -> Array:
        self.write(dy, self.images(self.cache[0]))
        return self.dx(dy)

    def gamma_twice(self: Any, dy: Array) -> Array:
        self.write(dy, self.images(self.cache[0]))
        return self.dx(dy * self.params["gamma"] ** 2)

    def dgamma_is_dbeta(self: Any, dy: Array) -> Array:
        self.write(dy, np.ones_like(dy))
        return self.dx(dy * self.params["gamma"])

    def dgamma_of_y(self: Any, dy: Array) -> Array:
        self.write(dy, self.images(self.cache[0]) * self.params["gamma"] + self.params["beta"])
        return self.dx(dy * self.params["gamma"])

    def dgamma_of_x(self: Any, dy: Array) -> Array:
        xhat, s = self.cache
        self.write(dy, self.images(xhat / s))
        return self.dx(dy * self.params["gamma"])

    if norm != "RMSNorm":
        without(norm, "no-mean", "is one number", mean=False)
    without(norm, "no-variance", "follows the input x", variance=False)
    without(norm, "no-scale", "one over the standard deviation", scale=False)
    enter(norm, "gamma-forgotten", gamma_forgotten, "gamma is forgotten")
    enter(norm, "gamma-twice", gamma_twice, "gamma is multiplied in twice")
    enter(norm, "dgamma-is-dbeta", dgamma_is_dbeta, "sums dy;", where="gamma")
    enter(norm, "dgamma-of-y", dgamma_of_y, "sums dy * y", where="gamma")
    enter(norm, "dgamma-of-x", dgamma_of_x, "sums dy * x", "standard dev", where="gamma")

enter("Attention", "no-query", lambda s, dy: s.ways(dy)[1] + s.ways(dy)[2], "follows 2 of them")
enter("Attention", "no-key", lambda s, dy: s.ways(dy)[0] + s.ways(dy)[2], "follows 2 of them")
enter("Attention", "no-value", lambda s, dy: s.ways(dy)[0] + s.ways(dy)[1], "follows 2 of them")
enter("Attention", "value-only", lambda s, dy: s.ways(dy)[2], "follows 1 of them")
enter("Attention", "key-as-query", lambda s, dy: 2 * s.ways(dy)[0] + s.ways(dy)[2], "transposed")


def overwritten(self: Any, dy: Array) -> Array:
    dx = RIGHT["Gather"][0].backward(self, dy)
    self.grads["W"][...] = 0
    self.grads["W"][self.index] = self.rows(dy)
    return dx


def not_scattered_back(self: Any, dy: Array) -> Array:
    dx = RIGHT["Gather"][0].backward(self, dy)
    np.add.at(self.grads["W"], self.index, -(self.rows(dy)))
    self.grads["W"][...] = self.rows(dy)[:4]
    return dx


def one_sample(self: Any, dy: Array) -> Array:
    dx = RIGHT["Gather"][0].backward(self, dy)
    self.grads["W"][...] = 0
    np.add.at(self.grads["W"], self.index, dy[0] * self.cache[0][0][:, np.newaxis])
    return dx


def without_x(self: Any, dy: Array) -> Array:
    dx = RIGHT["Gather"][0].backward(self, dy)
    self.grads["W"][...] = 0
    np.add.at(self.grads["W"], self.index, dy.sum(axis=0))
    return dx


enter("Gather", "overwritten", overwritten, "must be added", where="W")
enter("Gather", "not-scattered", not_scattered_back, "order", "wrong places", where="W")
enter("Gather", "one-sample", one_sample, "only the first sample", where="W")
enter("Gather", "without-x", without_x, "multiplies W with", where="W")


def written_over(self: Any, dy: Array) -> Array:
    dx = np.zeros(self.cache[0])
    dx[:, self.index] = dy
    return dx


enter("Select", "overwritten", written_over, "must be added")
enter("Select", "gathered-again", lambda s, dy: dy[:, s.index], "transposed")
enter("Select", "handed-on", lambda s, dy: dy.copy(), "places", "order", "mask", "depend")
enter("Select", "twice-halved", lambda s, dy: RIGHT["Select"][0].backward(s, dy) * [1, 0.5, 1, 1],
      "1/2")  # fmt: skip

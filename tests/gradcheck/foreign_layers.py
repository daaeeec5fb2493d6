"""Layers that are not in the library, as a student would write them; all are right."""

from __future__ import annotations

import numpy as np

from nnscratch.layers import Layer

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(x / 2))


class Pointwise(Layer):
    """y = f(x), number by number; ``slope(x, y)`` is f'."""

    def f(self, x: Array) -> Array:
        raise NotImplementedError

    def slope(self, x: Array, y: Array) -> Array:
        raise NotImplementedError

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        y = self.f(x)
        self.cache = (x, y)
        return y

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)
        return dy * self.slope(*self.cache)


class SiLU(Pointwise):
    def f(self, x: Array) -> Array:
        return x * sigmoid(x)

    def slope(self, x: Array, y: Array) -> Array:
        return sigmoid(x) + y * (1 - sigmoid(x))


class GELU(Pointwise):
    """In the form with tanh."""

    def inner(self, x: Array) -> Array:
        return np.tanh(0.8 * (x + 0.0447 * x**3))

    def f(self, x: Array) -> Array:
        return 0.5 * x * (1 + self.inner(x))

    def slope(self, x: Array, y: Array) -> Array:
        t = self.inner(x)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * 0.8 * (1 + 3 * 0.0447 * x**2)


class ELU(Pointwise):
    """With alpha = 0.7."""

    def f(self, x: Array) -> Array:
        return np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0)))

    def slope(self, x: Array, y: Array) -> Array:
        return np.where(x > 0, 1, y + 0.7)


class Softplus(Pointwise):
    def f(self, x: Array) -> Array:
        return np.logaddexp(0, x)

    def slope(self, x: Array, y: Array) -> Array:
        return sigmoid(x)


class Square(Pointwise):
    """y = x^2, the simplest with x in two places."""

    def f(self, x: Array) -> Array:
        return x * x

    def slope(self, x: Array, y: Array) -> Array:
        return 2 * x


class Softmax(Layer):
    """Over the last axis."""

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        y = e / e.sum(axis=-1, keepdims=True)
        self.cache = (y,)
        return y

    def backward(self, dy: Array) -> Array:
        (y,) = self.cache
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class Normalization(Layer):
    """Mean 0 and variance 1 in rows (G, m) of each sample, then gamma and beta for each channel."""

    groups = 1
    centred = True

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        C = self.input_shape[-1]
        return {"gamma": np.ones(C), "beta": np.zeros(C)}

    def rows(self, x: Array) -> Array:
        return x.reshape(-1, self.input_shape[-1])

    def images(self, rows: Array) -> Array:
        return rows.reshape(-1, *self.input_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        rows = self.rows(x)
        mean = rows.mean(axis=1, keepdims=True) if self.centred else 0.0
        s = 1 / np.sqrt(((rows - mean) ** 2).mean(axis=1, keepdims=True) + 1e-5)
        xhat = (rows - mean) * s
        self.cache = (xhat, s)
        return self.images(xhat) * self.params["gamma"] + self.params["beta"]

    def write(self, dy: Array, factor: Array) -> None:
        C = self.input_shape[-1]
        self.grads["gamma"][...] = (dy * factor).reshape(-1, C).sum(axis=0)
        self.grads["beta"][...] = dy.reshape(-1, C).sum(axis=0)

    def dx(self, g: Array, mean: bool = True, variance: bool = True, scale: bool = True) -> Array:
        """From g = dL/dxhat; without one of its terms, if asked."""
        xhat, s = self.cache
        g = self.rows(g)
        result = g.copy()
        if mean and self.centred:
            result -= g.mean(axis=1, keepdims=True)
        if variance:
            result -= xhat * (g * xhat).mean(axis=1, keepdims=True)
        return self.images(result * s if scale else result)

    def backward(self, dy: Array) -> Array:
        self.write(dy, self.images(self.cache[0]))
        return self.dx(dy * self.params["gamma"])


class LayerNorm(Normalization):
    pass


class RMSNorm(Normalization):
    centred = False


class GroupNorm(Normalization):
    """Two groups of channels, normalised over their pixels."""

    def rows(self, x: Array) -> Array:
        N, H, W, C = x.shape
        return x.reshape(N, H, W, 2, C // 2).transpose(0, 3, 1, 2, 4).reshape(2 * N, -1)

    def images(self, rows: Array) -> Array:
        H, W, C = self.input_shape
        parted = rows.reshape(-1, 2, H, W, C // 2).transpose(0, 2, 3, 1, 4)
        return parted.reshape(-1, H, W, C)


class Attention(Layer):
    """y = (x x') x / T for T rows: every row looks at all, without parameters or softmax."""

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x,)
        return x @ x.swapaxes(1, 2) @ x / x.shape[1]

    def ways(self, dy: Array) -> tuple[Array, Array, Array]:
        """Through the query, the key and the value."""
        (x,) = self.cache
        T = x.shape[1]
        dA = dy @ x.swapaxes(1, 2) / T  # of A = x x'
        return dA @ x, dA.swapaxes(1, 2) @ x, x @ x.swapaxes(1, 2) @ dy / T

    def backward(self, dy: Array) -> Array:
        return sum(self.ways(dy))  # type: ignore[return-value]


class Gather(Layer):
    """y[n, t] = x[n, t] * W[index[t]], rows of a table, some of which are read twice."""

    index = np.array([0, 2, 0, 3, 2])

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape, 2)

    def make_params(self, rng: np.random.Generator) -> dict[str, Array]:
        return {"W": rng.standard_normal((4, 2))}

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x,)
        return x[:, :, np.newaxis] * self.params["W"][self.index]

    def rows(self, dy: Array) -> Array:
        return (dy * self.cache[0][:, :, np.newaxis]).sum(axis=0)  # (T, 2)

    def backward(self, dy: Array) -> Array:
        self.grads["W"][...] = 0
        np.add.at(self.grads["W"], self.index, self.rows(dy))
        return (dy * self.params["W"][self.index]).sum(axis=-1)


class Select(Layer):
    """y = x[:, index]: entries of a vector, some of them twice."""

    index = np.array([1, 0, 3, 1])

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)
        self.cache = (x.shape,)
        return x[:, self.index]

    def backward(self, dy: Array) -> Array:
        dx = np.zeros(self.cache[0])
        np.add.at(dx, (slice(None), self.index), dy)
        return dx


RIGHT: dict[str, tuple[type[Layer], tuple[int, ...]]] = {
    kind.__name__: (kind, shape)
    for kind, shape in (
        (SiLU, (6,)), (GELU, (6,)), (ELU, (8,)), (Softplus, (6,)), (Square, (6,)), (Softmax, (5,)),
        (LayerNorm, (6,)), (RMSNorm, (6,)), (GroupNorm, (3, 2, 4)), (Attention, (4, 3)),
        (Gather, (5,)), (Select, (4,)),
    )
}  # fmt: skip

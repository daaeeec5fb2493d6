"""How exercise 0 shows its arrays: printed in the terminal, and drawn as one figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from nnscratch.plotting import new_figure

Array = np.ndarray

SOFTMAX = "p[u] = exp(logits[u]) / sum_v exp(logits[v])"


@dataclass(frozen=True)
class Quantity:
    """An array of the forward pass with its gradient: by the chain rule, and by moving it.

    Attributes
    ----------
    name : str
    array, gradient, numerical : arrays of one shape
        NaN in ``numerical`` marks a kink, where there is no derivative.
    forward, backward : str
        The lines that array and gradient are computed by.
    """

    name: str
    array: Array
    gradient: Array
    numerical: Array
    forward: str
    backward: str

    @property
    def difference(self) -> float:
        """The largest between the two gradients, kinks left out."""
        return float(np.nanmax(np.abs(self.gradient - self.numerical)))

    @property
    def kinks(self) -> int:
        """How many numbers lie on a kink."""
        return int(np.isnan(self.numerical).sum())


def matrices(name: str, array: Array) -> list[Array]:
    """What is shown of an array: a matrix for every filter k, else a single one.

    (1, H, W, K) and (h, w, 1, K) become K matrices; flat is a column, as its numbers belong to the
    rows of W2, and all other vectors are rows.
    """
    squeezed = np.atleast_2d(np.squeeze(array))
    if squeezed.ndim == 3:
        return list(np.moveaxis(squeezed, -1, 0))
    return [squeezed.T if name == "flat" else squeezed]


# ---------------------------------------------------------------- in the terminal


def print_passes(quantities: Sequence[Quantity], loss: float, p: Array) -> None:
    """Forward, every array under its line; backward, every gradient beside the numerical one."""
    print("FORWARD: every array, and the line that it is computed by; filter 0 is left of 1\n")
    for q in quantities:
        print_heading(q.name, q.array, q.forward)
        print_matrices(matrices(q.name, q.array))
        print()
    print_heading("p", p, SOFTMAX)
    print_matrices(matrices("p", p))
    print(f"\nloss = -log p[right class] = {loss:.3f} nats\n")
    print(
        "BACKWARD: every gradient (dx is dloss/dx), and the line of the chain rule that it comes "
        "from;\nat the right the numerical one: the loss with a number moved up by a millionth, "
        "minus the loss\nwith it moved down, over two millionths; filter 0 is above 1\n"
    )
    for q in reversed(quantities):
        print_heading(f"d{q.name}", q.gradient, q.backward)
        both = (matrices(q.name, array) for array in (q.gradient, q.numerical))
        for pair in zip(*both, strict=True):
            print_matrices(pair)
        print(f"  largest difference {q.difference:.1e}\n")
    print(
        "A kink: where the numbers of a pooling window are equal, moving one up moves the maximum, "
        "and moving\nit down does not. There is no derivative; backward lets the first of them win."
    )


def print_heading(name: str, array: Array, line: str) -> None:
    """Name, shape, and how the numbers come about."""
    print(f"{name:<8}{array.shape!s:<14}{line}")


def print_matrices(shown: Sequence[Array]) -> None:
    """Matrices side by side, all with as few decimals as they need, three at most."""
    together = np.concatenate([matrix[~np.isnan(matrix)] for matrix in shown])
    exact = (d for d in range(3) if np.allclose(together, together.round(d), rtol=0, atol=5e-4))
    decimals = next(exact, 3)
    for rows in zip(*shown, strict=True):
        cells = ["".join(f"{value + 0:7.{decimals}f}" for value in row) for row in rows]
        print("      ".join(cells).replace(" nan", "kink"))


# ---------------------------------------------------------------- as a figure

# What stands in a column, and how many cells wide that is.
COLUMNS: dict[tuple[str, ...], int] = {
    ("x",): 6,
    ("W1", "b1"): 3,
    ("conv",): 4,
    ("relu",): 4,
    ("pool",): 2,
    ("flat",): 1,
    ("W2", "b2"): 3,
    ("logits", "p"): 3,
}
CELL = 0.345  # inches; everything else is in cells
GAP = 1.5  # between columns
LINE = 0.36  # of text
HEAD = 2.5  # above the first array of a column
HEIGHT = 13.6  # of one pass


def draw_passes(quantities: Sequence[Quantity], loss: float, p: Array) -> Figure:
    """All arrays from left to right, and below each its gradient."""
    width = sum(COLUMNS.values()) + GAP * (len(COLUMNS) - 1)
    figure = new_figure(
        CELL * width + 0.4, CELL * 2 * HEIGHT + 0.8,
        f"Backprop by hand: forward above, to a loss of {loss:.3f} nats; backward below",
    )  # fmt: skip
    axis = figure.subplots()
    forward = {q.name: Drawn(q.name, q.array, q.forward) for q in quantities}
    forward["p"] = Drawn("p", p, SOFTMAX)
    draw_pass(axis, 0, forward, "PuOr_r", "→")
    backward = {q.name: Drawn(f"d{q.name}", q.gradient, numerical_too(q)) for q in quantities}
    draw_pass(axis, HEIGHT, backward, "RdBu_r", "←")
    axis.set(xlim=(-0.4, width + 0.6), ylim=(2 * HEIGHT, 0), aspect="equal")
    axis.axis("off")
    return figure


@dataclass(frozen=True)
class Drawn:
    """What is drawn of an array: its title, its numbers, and the line they are computed by."""

    title: str
    array: Array
    line: str


def numerical_too(q: Quantity) -> str:
    """The line of a gradient, and how far the numerical one is from it."""
    kinks = f", {q.kinks} kinks" if q.kinks else ""
    return f"{q.backward}\nnumerical ±{q.difference:.0e}{kinks}"


def draw_pass(axis: Axes, top: float, drawn: Mapping[str, Drawn], colors: str, arrow: str) -> None:
    """The columns of one pass, next to each other; ``arrow`` shows in which order to read."""
    left = 0.0
    for names, columns in COLUMNS.items():
        if left:
            axis.text(left - GAP / 2, top + HEAD + 2, arrow, fontsize=13, ha="center", va="center")
        y = top
        for name in (n for n in names if n in drawn):
            lines = wrapped(drawn[name].line, columns)
            y = y + LINE * len(lines) + 1.2 if y > top else top + HEAD
            draw_text(axis, left + columns / 2, y, drawn[name], lines)
            y = draw_matrices(axis, left, y, matrices(name, drawn[name].array), colors)
        left += columns + GAP


def wrapped(text: str, columns: int) -> list[str]:
    """Lines as wide as a column and nearly the gap beside it."""
    characters = int((columns + 0.85 * GAP) * CELL / 0.052)
    return [part for line in text.splitlines() for part in textwrap.wrap(line, characters)]


def draw_text(axis: Axes, middle: float, bottom: float, drawn: Drawn, lines: list[str]) -> None:
    """Title, shape and lines above an array."""
    shape = " x ".join(map(str, drawn.array.shape))
    axis.text(middle, bottom - LINE * len(lines) - 0.15, f"{drawn.title}  {shape}", fontsize=7.5,
              fontweight="bold", ha="center", va="bottom")  # fmt: skip
    axis.text(middle, bottom - 0.1, "\n".join(lines), fontsize=6, ha="center", va="bottom")


def draw_matrices(
    axis: Axes, left: float, top: float, shown: Sequence[Array], colors: str
) -> float:
    """Matrices one below the other, with their numbers; where they end."""
    largest = max(float(np.abs(matrix).max()) for matrix in shown) or 1.0
    norm = CenteredNorm(halfrange=1.6 * largest)  # no colour so dark that it hides its number
    for matrix in shown:
        rows, columns = matrix.shape
        x, y = left + np.arange(columns + 1), top + np.arange(rows + 1)
        axis.pcolormesh(x, y, matrix, cmap=colors, norm=norm, edgecolors="0.8", linewidth=0.5)
        for (i, j), value in np.ndenumerate(matrix):
            text = f"{round(value, 3) + 0:g}"  # + 0 makes 0 of -0
            axis.text(left + j + 0.5, top + i + 0.5, text, fontsize=6, ha="center", va="center",
                      color="black" if value else "0.6")  # fmt: skip
        top += rows + 0.4
    return top - 0.4

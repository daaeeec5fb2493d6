"""How the inside of the autoencoder is drawn: strips of small images, and layers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nnscratch.plotting import Array, new_figure
from nnscratch.profiling import LayerProfile

COLUMNS = 16
TILE = 0.92  # side of a small image, where the distance to the next one is 1


@dataclass(frozen=True)
class Strip:
    """Small images in a row.

    Attributes
    ----------
    label : str
        At the left.
    tiles : sequence of arrays (H, W)
    largest : float
        What is drawn white, 0 being black; with ``signed`` what is red, its negative being blue.
    note : str
        At the right.
    dead : sequence of int
        Which of the tiles are crossed out.
    """

    label: str
    tiles: Sequence[Array]
    largest: float
    note: str
    signed: bool = False
    dead: Sequence[int] = ()


def draw_strips(strips: Sequence[Strip], title: str) -> Figure:
    """All strips below each other, so that a column is a channel."""
    figure = new_figure(9, 0.42 * len(strips) + 0.8, title)
    axis = figure.subplots()
    for row, strip in enumerate(strips):
        for column, tile in enumerate(strip.tiles):
            _draw_tile(axis, tile, column, row, strip)
        for column in strip.dead:
            edges = np.array([0, TILE])
            axis.plot(column + edges, row + edges, "r", lw=1)
            axis.plot(column + edges, row + edges[::-1], "r", lw=1)
        axis.text(len(strip.tiles) + 0.1, row + TILE / 2, strip.note, fontsize=7, va="center")
    axis.set(xlim=(0, COLUMNS + 2), ylim=(len(strips), 0), aspect="equal", xlabel="channel")
    axis.set_xticks(np.arange(COLUMNS) + TILE / 2, [str(c) for c in range(COLUMNS)], fontsize=7)
    labels = [strip.label for strip in strips]
    axis.set_yticks(np.arange(len(strips)) + TILE / 2, labels, fontsize=7)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


def _draw_tile(axis: Axes, tile: Array, column: int, row: int, strip: Strip) -> None:
    H, W = tile.shape
    right, lower = column + TILE * W / max(H, W), row + TILE * H / max(H, W)
    axis.imshow(
        tile,
        cmap="RdBu_r" if strip.signed else "gray",
        vmin=-strip.largest if strip.signed else 0,
        vmax=strip.largest,
        interpolation="nearest",
        extent=(column, right, lower, row),
    )
    frame = Rectangle((column, row), right - column, lower - row, fill=False, ec="0.5", lw=0.5)
    axis.add_patch(frame)


def draw_flow(profiles: dict[str, list[LayerProfile]]) -> Figure:
    """Gradients, dead units and multiply-adds of each layer, input at the left.

    Parameters
    ----------
    profiles : dict of moment to rows
        Of the same model at different moments.
    """
    figure = new_figure(9, 6.4, "The way back: gradients in the autoencoder, layer by layer")
    (weights, outputs), (dead, work) = figure.subplots(2, 2)
    for number, (when, rows) in enumerate(profiles.items()):
        convolutions = [r for r in rows if r.gradient_norm is not None]
        relus = [r for r in rows if r.dead_share is not None]
        color, width = f"C{number}", 0.8 / len(profiles)
        places = np.arange(len(relus))
        weights.plot(places, [r.gradient_norm for r in convolutions], f"{color}o-", label=when)
        outputs.plot(places, [r.output_gradient_norm for r in relus], f"{color}o-", label=when)
        left = places + (number - (len(profiles) - 1) / 2) * width
        shares = np.array([r.dead_share for r in relus])
        dead.bar(left, 100 * shares, width, color=color, label=when)
    counts = np.array([r.multiply_adds for r in convolutions])
    work.bar(places, 100 * counts / counts.sum(), color="0.5")
    dead.set_ylim(0, max(10, dead.get_ylim()[1]))  # also where all channels live
    way = "the gradient comes from the right"
    for axis, layers, xlabel, ylabel in (
        (weights, convolutions, way, "norm of dL/d(weights and biases)"),
        (outputs, relus, way, "norm of dL/d(output of the ReLU)"),
        (dead, relus, "", "dead units, % of the channels"),
        (work, convolutions, "", "multiply-adds, % of the model's"),
    ):
        axis.set_ylabel(ylabel, fontsize=8)
        axis.set(xlim=(-0.6, len(places) - 0.4))
        axis.set_xlabel(xlabel, fontsize=8)
        names = [r.name.rsplit(".", 1)[0] for r in layers]
        axis.set_xticks(places, names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7)
        axis.axvline(len(places) / 2 - 0.5, color="0.7", lw=0.8, ls=":", zorder=0)
    for axis in (weights, outputs):
        axis.set_yscale("log")
    for axis in (weights, outputs, dead):
        axis.legend(fontsize=8, frameon=False)
    return figure

"""The figure vocabulary: the same thing looks the same in every figure.

Figures are made without pyplot, so no display is needed and no state is shared.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import LogLocator, MaxNLocator
from PIL import Image

from nnscratch.array_checks import INTEGERS, check_arrays, check_labels
from nnscratch.files import written_whole
from nnscratch.randomness import stream

Array = np.ndarray

# One colour for each digit, everywhere: Matplotlib's ten "tab" colours in their order.
DIGIT_COLORS = np.array(
    ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
     "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"]
)  # fmt: skip


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of ``width`` x ``height`` inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def save_figure(figure: Figure, path: Path, stamp: str) -> None:
    """Write a PNG whose lower edge says ``stamp``: data, seed, training.

    Written beside and renamed, and without a date, so equal figures are equal files.
    """
    figure.supxlabel(stamp, fontsize=6, color="0.35", x=0.01, ha="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    # 256 colours take a third of the size and look the same; the default method would spend them
    # all on the greys of many images and leave none for the colours of a legend
    picture = Image.open(buffer).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, 1)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", optimize=True)
    with written_whole(path) as beside:
        beside.write_bytes(buffer.getvalue())


def image_rows(figure: Figure, rows: Sequence[tuple[str, Array]], columns: Sequence[str]) -> None:
    """Draw images in a grid: each row with its name at the left, each column with its own above.

    Parameters
    ----------
    rows : sequence of (name, array (n, H, W, 1) or (n, H, W, 3))
        Grey or coloured images; 0 is drawn black and 1 white, and what lies outside is clipped.
    columns : sequence of n names

    Raises
    ------
    TypeError, ValueError
        If there is no row or column, or images are no such array or not as many as the columns.
    """
    if not (rows and columns):
        raise ValueError(f"image_rows: {len(rows)} rows, {len(columns)} columns; give one or more.")
    for name, images in rows:
        coloured = np.ndim(images) == 4 and np.shape(images)[-1] == 3
        _check_pixels("image_rows", images, "n H W 3" if coloured else "n H W 1")
        if len(images) != len(columns):
            raise ValueError(
                f"image_rows: {name!r} has {len(images)} images and there are {len(columns)} "
                "columns; give one image for each column."
            )
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for (name, images), line in zip(rows, axes, strict=True):
        for image, axis in zip(images, line, strict=True):
            shown = image[..., 0] if image.shape[-1] == 1 else image.clip(0, 1)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(column, fontsize=8)


def _check_pixels(function: str, images: Array, shape: str, **others: tuple[Array, str]) -> None:
    """Refuse what is no array of grey images, and bytes, whose 1 to 255 would all be white."""
    check_arrays(function, images=(images, shape), **others)
    if images.dtype.kind in "iu" and images.max() > 1:
        raise ValueError(
            f"{function}: images are of {images.dtype} and run to {images.max()}, but 1 is white; "
            "divide them by 255."
        )


def label_losses(axis: Axes, ylabel: str) -> None:
    """Epochs to the right, a loss upward, on a logarithmic scale with plain numbers."""
    axis.set(xlabel="epoch", ylabel=f"{ylabel} (logarithmic)", yscale="log")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")


def scatter_codes(axis: Axes, codes: Array, labels: Array, size: float = 3.0) -> None:
    """Draw 2-D codes, coloured by digit, with lines through zero.

    Points are drawn in a fixed random order, so that no digit hides the others by coming last.

    Parameters
    ----------
    codes : array (N, 2)
        Horizontal and vertical coordinate.
    labels : array (N,) of int, 0 to 9

    Raises
    ------
    TypeError, ValueError
        If these are no such arrays.
    """
    check_arrays("scatter_codes", codes=(codes, "N 2"), labels=(labels, "N", INTEGERS))
    check_labels("scatter_codes: labels", labels, 10)
    order = stream(0, "drawing order").permutation(len(codes))
    axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.scatter(
        codes[order, 0],
        codes[order, 1],
        c=DIGIT_COLORS[labels[order]],
        s=size,
        linewidths=0,
        alpha=0.6,
    )
    axis.set(xlabel="code axis 1", ylabel="code axis 2")


def prior_circles(axis: Axes) -> None:
    """Circles at one and two standard deviations of the prior, named where they are in sight."""
    for radius in (1, 2):
        axis.add_patch(Circle((0, 0), radius, fill=False, color="0.2", lw=1))
        axis.annotate(
            f"{radius} sd of the prior", (0, radius), (0, 2), ha="center", fontsize=7,
            textcoords="offset points", annotation_clip=True,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def decoded_grid(axis: Axes, images: Array, horizontal: Array, vertical: Array) -> None:
    """Draw images decoded from a grid of 2-D codes, each centred on its code.

    The axes are those of `scatter_codes`, so the picture and a scatter of codes can be laid over
    each other: ``horizontal`` grows to the right, ``vertical`` upward.

    Parameters
    ----------
    images : array (n, m, H, W)
        ``images[i, j]`` was decoded from the code ``(horizontal[j], vertical[i])``; grey, 0 is
        drawn black and 1 white, and what lies outside is clipped.
    horizontal : array (m,), vertical : array (n,)
        Two or more increasing numbers at equal distances.

    Raises
    ------
    TypeError, ValueError
        If these are no such arrays.
    """
    places = {"horizontal": (horizontal, "m"), "vertical": (vertical, "n")}
    _check_pixels("decoded_grid", images, "n m H W", **places)
    n, m, H, W = images.shape
    # a picture's first line is its upper one, so the tiles of the largest vertical come first
    canvas = images[::-1].transpose(0, 2, 1, 3).reshape(n * H, m * W)
    axis.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="antialiased", origin="upper",
                aspect="auto", extent=tile_extent(horizontal, vertical))  # fmt: skip
    axis.set(xlabel="code axis 1", ylabel="code axis 2")


def labelled_grid(
    axis: Axes, labels: Array, confidences: Array, horizontal: Array, vertical: Array
) -> None:
    """Draw on the places of `decoded_grid` what each tile is taken for.

    Every tile has the colour of its digit, the paler the less sure, and the digit in it.

    Parameters
    ----------
    labels : array (n, m) of int, 0 to 9
    confidences : array (n, m)
        From 0 to 1.
    horizontal : array (m,), vertical : array (n,)

    Raises
    ------
    TypeError, ValueError
        If these are no such arrays.
    """
    check_arrays(
        "labelled_grid",
        labels=(labels, "n m", INTEGERS),
        confidences=(confidences, "n m"),
        horizontal=(horizontal, "m"),
        vertical=(vertical, "n"),
    )
    check_labels("labelled_grid: labels", labels, 10)
    if confidences.min() < 0 or confidences.max() > 1:
        raise ValueError(
            f"labelled_grid: confidences run from {confidences.min():g} to {confidences.max():g}; "
            "they must run from 0 to 1."
        )
    colors = to_rgba_array(DIGIT_COLORS)[labels]  # (n, m, 4)
    colors[..., 3] = confidences
    axis.imshow(colors, interpolation="nearest", origin="lower", aspect="auto",
                extent=tile_extent(horizontal, vertical))  # fmt: skip
    for (i, j), label in np.ndenumerate(labels):
        x, y = float(horizontal[j]), float(vertical[i])
        axis.text(x, y, str(label), ha="center", va="center", fontsize=7)
    axis.set(xlabel="code axis 1", ylabel="code axis 2")


def tile_extent(horizontal: Array, vertical: Array) -> tuple[float, float, float, float]:
    """Left, right, lower and upper edge of tiles whose centres are the given numbers.

    Raises
    ------
    TypeError, ValueError
        If these are not two or more increasing numbers at equal distances in each direction.
    """
    check_arrays("tile_extent", horizontal=(horizontal, "m"), vertical=(vertical, "n"))
    for name, centres in (("horizontal", horizontal), ("vertical", vertical)):
        steps = np.diff(centres)
        if len(centres) < 2 or steps[0] <= 0 or not np.allclose(steps, steps[0], rtol=1e-3):
            raise ValueError(
                f"{name} must be two or more increasing numbers at equal distances, as "
                "np.linspace gives them."
            )
    dx, dy = (horizontal[1] - horizontal[0]) / 2, (vertical[1] - vertical[0]) / 2
    return horizontal[0] - dx, horizontal[-1] + dx, vertical[0] - dy, vertical[-1] + dy


def digit_legend(figure: Figure, names: Sequence[str] | None = None) -> None:
    """A legend of the ten digits' colours at the right edge; ``names`` if they are other classes.

    Raises
    ------
    ValueError
        If there are not ten names.
    """
    labels = [str(digit) for digit in range(10)] if names is None else names
    if len(labels) != len(DIGIT_COLORS):
        raise ValueError(f"digit_legend got {len(labels)} names; there are ten colours to name.")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=label)
        for color, label in zip(DIGIT_COLORS, labels, strict=True)
    ]
    title = "digit" if names is None else "class"
    figure.legend(handles=handles, title=title, loc="outside right center", frameon=False)

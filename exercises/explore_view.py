"""The window of `exercises.explore`: its axes, and how it keeps up with the pointer.

Drawing thousands of codes takes longer than decoding an image. So only what follows the pointer is
drawn anew: everything else is drawn once and kept as a picture, which is put back before each
change (Matplotlib calls this blitting).
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import DrawEvent, RendererBase, ResizeEvent
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.widgets import Slider

from nnscratch.plotting import digit_legend, scatter_codes
from nnscratch.training import Array

HELP = (
    "Move the pointer: decode the code below it · Click: search for the code of a noisy digit "
    "(MAP) · Right click or Escape: back to the start"
)
SHOWN = 4000  # codes in the scatter; more would only cover each other
CODE, NEIGHBOUR, PATH = "decoded code", "nearest training digit", "search (MAP)"
CLEAN, ENCODED = "code of the clean digit", "what the encoder makes of the noisy one"
MARKS: dict[str, dict[str, Any]] = {
    PATH: {"ls": "-", "lw": 1, "marker": ".", "ms": 3, "color": "0.15"},
    NEIGHBOUR: {"ls": "", "marker": "o", "ms": 9, "mfc": "none", "mec": "black"},
    CLEAN: {"ls": "", "marker": "*", "ms": 13, "mfc": "yellow", "mec": "black"},
    ENCODED: {"ls": "", "marker": "s", "ms": 7, "mfc": "white", "mec": "black"},
    CODE: {"ls": "", "marker": "+", "ms": 15, "mew": 2, "color": "black"},
}  # fmt: skip
PANELS = ("decoded", "nearest training digit", "test digit with noise", "the same, clean")


class View:
    """All that is drawn; it knows nothing of networks.

    Parameters
    ----------
    figure : Figure
        Empty, on any canvas.
    stamp : str
        What the decoder was made from.
    codes : array (N, d), labels : array (N,)
        For the scatter.
    latents : array (2,) of int
        Which two of the d the plane shows.
    image_shape : tuple (H, W)
    iterations : int
        Of a search.
    noise_floor : float
        The squared noise to expect in an image.

    Attributes
    ----------
    plane : Axes
        In which the pointer moves.
    images : list of AxesImage
        In the order of `PANELS`.
    titles : list of Text
        Above these, and above the curve.
    marks : dict of str to Line2D
        By the names in `MARKS`.
    curve : Line2D
        The objective.
    sliders : list of Slider
        One a latent, if there are more than two.
    """

    def __init__(
        self, figure: Figure, stamp: str, codes: Array, labels: Array, latents: Array,
        image_shape: tuple[int, int], iterations: int, noise_floor: float,
    ) -> None:  # fmt: skip
        self.figure, self.latents = figure, latents
        figure.suptitle(HELP, fontsize=9)
        figure.supxlabel(stamp, fontsize=6, color="0.35", x=0.01, ha="left")
        with_sliders = codes.shape[1] > 2
        grid = GridSpec(1, 3, figure, width_ratios=(1.4, 0.45 if with_sliders else 1e-3, 0.8))
        self.plane = figure.add_subplot(grid[0])
        self.marks = draw_plane(self.plane, codes, labels, latents)
        digit_legend(figure)
        self.sliders = draw_sliders(figure, grid[1], codes, latents) if with_sliders else []
        right = grid[2].subgridspec(3, 2, height_ratios=(1, 1, 0.8))
        panels = [figure.add_subplot(right[i // 2, i % 2]) for i in range(len(PANELS))]
        self.images = [
            empty_image(axis, name, image_shape) for axis, name in zip(panels, PANELS, strict=True)
        ]
        axis = figure.add_subplot(right[2, :])
        self.curve = empty_curve(axis, iterations, noise_floor)

        self.titles = [axis.title for axis in (*panels, axis)]
        self.live: list[Artist] = [*self.images, self.curve, *self.titles, *self.marks.values()]
        for slider in self.sliders:
            self.live += [slider.poly, *slider.ax.lines]
        for artist in self.live:
            artist.set_animated(True)  # so that the figure's own drawing leaves it out
        self.arrange()
        figure.canvas.mpl_connect("draw_event", self.remember)
        figure.canvas.mpl_connect("resize_event", self.arrange)

    def arrange(self, _: ResizeEvent | None = None) -> None:
        """Find all a place in a window of this size; no picture of it is kept yet."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # if it is too small for all, they stay where they are
            for _again in range(3):  # each time, labels know better how much room there is
                ConstrainedLayoutEngine().execute(self.figure)
        self.background: Any = None

    def show_code(self, z: Array, image: Array, title: str) -> None:
        """Mark the code z (d,), set the sliders to it, and show its image (H, W)."""
        self._mark(CODE, z)
        self._fill(0, image, title)
        for k, slider in enumerate(self.sliders):
            slider.eventson = False  # nobody has moved it
            slider.set_val(float(z[k]))
            slider.eventson = True

    def show_neighbour(self, z: Array, image: Array, title: str) -> None:
        """Mark the code z (d,) of the nearest training image, and show the image (H, W)."""
        self._mark(NEIGHBOUR, z)
        self._fill(1, image, title)

    def show_noisy(self, image: Array, title: str, z: Array) -> None:
        """Show the image (H, W) to explain, and mark what the encoder makes of it."""
        self._fill(2, image, title)
        self._mark(ENCODED, z)

    def show_clean(self, image: Array, title: str, z: Array) -> None:
        """Show the image (H, W) without noise, and mark its code (d,)."""
        self._fill(3, image, title)
        self._mark(CLEAN, z)

    def show_search(self, path: Array, objectives: list[float], title: str) -> None:
        """The way so far, codes (n, d), and the objective after 0, 1, ... iterations."""
        self._mark(PATH, path)
        self.curve.set_data(range(len(objectives)), objectives)
        self.titles[4].set_text(title)

    def without_search(self) -> None:
        """Take away what belongs to a search."""
        for name in (PATH, CLEAN, ENCODED):
            self.marks[name].set_data([], [])
        self.curve.set_data([], [])
        for i in (2, 3):
            self.images[i].set_visible(False)
        for title in self.titles[2:]:
            title.set_text(" ")  # which keeps its place

    def _mark(self, name: str, z: Array) -> None:
        """Move a mark to one code (d,) or to several (n, d)."""
        self.marks[name].set_data(*z.reshape(-1, z.shape[-1])[:, self.latents].T)

    def _fill(self, panel: int, image: Array, title: str) -> None:
        self.images[panel].set_data(image)
        self.images[panel].set_visible(True)
        self.titles[panel].set_text(title)

    def redraw(self) -> None:
        """Draw what is live over the kept picture, or everything if there is none."""
        canvas: Any = self.figure.canvas
        if self.background is None:
            canvas.draw_idle()
            return
        canvas.restore_region(self.background)
        self._draw_live(canvas.get_renderer())
        canvas.blit(self.figure.bbox)

    def remember(self, event: DrawEvent) -> None:
        """Keep the picture that was just drawn, without what is live; then draw that as well."""
        canvas: Any = self.figure.canvas
        if canvas.is_saving():  # into a file, where nothing was left out
            return
        if canvas.supports_blit:
            self.background = canvas.copy_from_bbox(self.figure.bbox)
        self._draw_live(event.renderer)

    def _draw_live(self, renderer: RendererBase) -> None:
        for artist in self.live:
            artist.draw(renderer)


def draw_plane(axis: Axes, codes: Array, labels: Array, latents: Array) -> dict[str, Line2D]:
    """The scatter of codes, and the marks over it, none of them in sight yet."""
    d = codes.shape[1]
    scatter_codes(axis, codes[:SHOWN, latents], labels[:SHOWN], size=8)
    if d > 2:
        a, b = (f"latent {k + 1} of {d}" for k in latents)
        axis.set(xlabel=a, ylabel=b)
    axis.set(xlim=axis.get_xlim(), ylim=axis.get_ylim())  # marks outside do not change them
    marks = {name: axis.plot([], [], label=name, **style)[0] for name, style in MARKS.items()}
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return marks


def draw_sliders(figure: Figure, place: SubplotSpec, codes: Array, latents: Array) -> list[Slider]:
    """One slider a latent, all on the same scale; bold, those of the plane."""
    low, high = 1.1 * float(codes.min()), 1.1 * float(codes.max())
    d = codes.shape[1]
    sliders: list[Slider] = []
    rows = place.subgridspec(d, 1)
    for k in range(d):
        slider = Slider(figure.add_subplot(rows[k]), f"{k + 1}", low, high, valinit=0.0,
                        initcolor="none")  # fmt: skip
        slider.drawon = False  # `View.redraw` does it
        slider.valtext.set_visible(False)  # text takes the longest to draw
        slider.label.set_fontweight("bold" if k in latents else "normal")
        sliders.append(slider)
    sliders[0].ax.set_title(f"all {d} latents;\nbold: in the plane", fontsize=8)
    lowest = sliders[-1].ax
    for value in range(math.ceil(low), math.floor(high) + 1, 2):
        lowest.text(value, 0, f"{value}", ha="center", va="top", fontsize=8,
                    transform=lowest.get_xaxis_transform())  # fmt: skip
    return sliders


def empty_image(axis: Axes, name: str, shape: tuple[int, int]) -> AxesImage:
    """A frame for a grey image in which 0 is black and 1 white, with room for a title."""
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(name, fontsize=8)
    axis.set_title(" ", fontsize=8)
    axis.text(0.5, 0.5, "after a click", ha="center", fontsize=8, transform=axis.transAxes,
              zorder=-1)  # fmt: skip
    return axis.imshow(np.zeros(shape), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def empty_curve(axis: Axes, iterations: int, noise_floor: float) -> Line2D:
    """A frame for the objective of a search, with room for a title."""
    axis.axhline(noise_floor, color="0.5", ls=":", label="squared noise to expect")
    axis.set(xlim=(0, iterations), ylim=(0, 4 * noise_floor))
    axis.set_xlabel("iteration (MSE: to the clean digit, pixels in [-1, 1])", fontsize=8)
    axis.set_ylabel("objective, [0, 1]", fontsize=8)
    axis.set_title(" ", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, loc="upper right")
    return axis.plot([], [], "C0")[0]

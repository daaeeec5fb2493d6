"""Explore a code plane with the pointer, the real decoder behind it, in a Matplotlib window.

The pointer moves over the codes of the training digits; beside them stand, at once, the image that
the decoder makes of the code under the pointer and the training digit with the nearest code. With
more than two latents the plane shows the two that vary most, and sliders move all. A click takes
the test digit with the nearest code, adds noise as exercises 6 and 8 do, and searches for its code
by MAP inference before your eyes: from that of a random digit, ten iterations of Adam a picture.

The trained models of the exercises are used. If the output folder has none, the one asked for is
trained first, which can take minutes; a progress bar says how long. Without a display, nothing is
trained: it says what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot
from matplotlib.backend_bases import KeyEvent, LocationEvent, MouseButton, MouseEvent
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

from exercises import ex01_autoencoder, ex07_vae, ex08_denoising
from exercises.common import Settings, mnist32, run_stoppable, script_parser, to_settings
from exercises.ex06_denoising import NOISE_SD
from exercises.ex07_vae import means
from exercises.ex08_denoising import BETA, KL_WEIGHTS
from exercises.ex08b_map import ITERATIONS, LEARNING_RATE
from exercises.explore_map import Search
from exercises.explore_view import View
from exercises.measures import SIGNED
from nnscratch import set_num_threads
from nnscratch.datasets import Dataset
from nnscratch.layers import Sequential
from nnscratch.randomness import stream
from nnscratch.streams import run_command
from nnscratch.training import Array, predict

STEPS = 10  # iterations of a search between two pictures
MILLISECONDS = 40  # between two pictures
NO_WINDOW = (
    "No window can be opened: {}. On a computer with a display, install a GUI toolkit that "
    "Matplotlib knows, with `pip install PySide6` or as the system's package python3-tk, and leave "
    "MPLBACKEND unset. Without one, `python -m exercises` makes figures/report.html for a browser."
)


@dataclass(frozen=True)
class Subject:
    """What is explored.

    Attributes
    ----------
    decoder : Sequential
    encode : function
        Images (N, H, W, 1) -> codes (N, d).
    beta : float
        For the search: the weight of ``||z||^2``.
    data : Dataset
    stamp : str
        What the decoder was made from.
    """

    decoder: Sequential
    encode: Callable[[Array], Array]
    beta: float
    data: Dataset
    stamp: str


def autoencoder(settings: Settings) -> Subject:
    """The autoencoder of exercise 1. It has no prior, so only the image counts in the search."""
    model, _, stamp = ex01_autoencoder.trained(settings)

    def encode(x: Array) -> Array:
        return predict(model.encoder, x).reshape(len(x), -1)

    return Subject(model.decoder, encode, 0.0, mnist32(settings), f"autoencoder · {stamp}")


def vae(settings: Settings) -> Subject:
    """The VAE of exercise 7, with two latents."""
    model, _, stamp = ex07_vae.trained(settings)
    return Subject(model.decoder, lambda x: means(model, x), BETA, mnist32(settings), stamp)


def vae16(settings: Settings) -> Subject:
    """The VAE of exercise 8, with sixteen latents and the weight of KL that leaves all in use."""
    w = KL_WEIGHTS[1]
    model, stamp = ex08_denoising.trained(settings, w)
    stamp = f"{stamp} · w = {w:g}"
    return Subject(model.decoder, lambda x: means(model, x), BETA, mnist32(settings), stamp)


MODELS = {"autoencoder": autoencoder, "vae": vae, "vae16": vae16}


class Explorer:
    """Turns events of a canvas into codes, and codes into what the window shows.

    Parameters
    ----------
    figure : Figure
        Empty, on any canvas, with or without a display.
    subject : Subject
    seed : int
        Of the noise and of where searches start.

    Attributes
    ----------
    z : array (d,)
        The code that is decoded.
    nearest : int
        Which training image has the nearest code, in all d dimensions.
    target : int
        Which test image the latest search is for.
    search : Search or None
        Under way, or at its end and still shown.
    path : list of arrays (d,)
        Where the search was at each picture.
    """

    def __init__(self, figure: Figure, subject: Subject, seed: int) -> None:
        self.figure, self.subject, data = figure, subject, subject.data
        self.rng = stream(seed, "explore")
        self.train_codes, self.test_codes = (subject.encode(x) for x in (data.x_train, data.x_test))
        self.train_tree, self.test_tree = cKDTree(self.train_codes), cKDTree(self.test_codes)
        deviations = self.train_codes.std(axis=0, dtype=np.float64)
        self.latents = np.sort(np.argsort(-deviations)[:2])  # those that vary most
        self.learning_rate = LEARNING_RATE * float(deviations.max())  # a VAE's is about 1
        stamp = f"{subject.stamp} · search: noise sd {NOISE_SD}, beta = {subject.beta:g}"
        pixels = data.x_train[0].size
        self.view = View(
            figure, stamp, self.train_codes, data.y_train, self.latents,
            data.x_train.shape[1:3], ITERATIONS, pixels * NOISE_SD**2,
        )  # fmt: skip
        self.search: Search | None = None
        self.path: list[Array] = []
        for slider in self.view.sliders:
            slider.on_changed(self.slide)
        canvas = figure.canvas
        self.timer = canvas.new_timer(MILLISECONDS)
        self.timer.add_callback(self.tick)
        canvas.mpl_connect("motion_notify_event", self.move)
        canvas.mpl_connect("button_press_event", self.press)
        canvas.mpl_connect("key_press_event", self.key)
        # the canvas keeps this object alive by the lambda, but not by a method of it
        canvas.mpl_connect("close_event", lambda _: self.timer.stop())
        self.explore()

    def explore(self) -> None:
        """Back to the start: no search, and the mean of all codes."""
        self.end_search()
        self.show(self.train_codes.mean(axis=0))

    def move(self, event: LocationEvent) -> None:
        """The pointer moved: decode the code below it, unless a search is shown."""
        if event.inaxes is self.view.plane and self.search is None:
            self.show(self.below(event))

    def press(self, event: MouseEvent) -> None:
        """A left click starts a search, a right click leaves it; not while zooming or panning."""
        if self.figure.canvas.widgetlock.locked() or event.inaxes is not self.view.plane:
            return
        if event.button == MouseButton.LEFT:
            self.start_search(self.below(event))
        elif event.button == MouseButton.RIGHT:
            self.explore()

    def key(self, event: KeyEvent) -> None:
        """Escape leaves a search."""
        if event.key == "escape":
            self.explore()

    def slide(self, _: float) -> None:
        """A slider was moved: decode what all of them say."""
        self.end_search()
        self.show(np.array([slider.val for slider in self.view.sliders], self.z.dtype))

    def below(self, event: LocationEvent) -> Array:
        """The code (d,) below the pointer; latents that the plane does not show stay."""
        z = self.z.copy()
        z[self.latents] = event.xdata, event.ydata
        return z

    def decode(self, z: Array) -> Array:
        """The image (H, W) of a code (d,)."""
        decoder = self.subject.decoder
        return decoder.forward(z.reshape(1, *decoder.input_shape))[0, ..., 0]

    def show(self, z: Array) -> None:
        """Show a code's image, the training image with the nearest code, and how a search goes."""
        data, search = self.subject.data, self.search
        self.z, image = z, self.decode(z)
        error = " " if search is None else self.error(image)
        self.view.show_code(z, image, error)
        distance, self.nearest = self.train_tree.query(z)
        self.view.show_neighbour(
            self.train_codes[self.nearest],
            data.x_train[self.nearest, ..., 0],
            f"a {data.y_train[self.nearest]}, {distance:.2f} away",
        )
        if search is not None:
            title = f"iteration {len(search.objectives):,} of {ITERATIONS:,}"
            self.view.show_search(np.array(self.path), search.objectives, title)
        self.view.redraw()

    def error(self, image: Array) -> str:
        """How far an image (H, W) is from the clean one, as in the figures of the exercises."""
        clean = self.subject.data.x_test[self.target, ..., 0]
        return f"MSE {SIGNED * ((image - clean) ** 2).mean():.3f}"

    def start_search(self, z: Array) -> None:
        """Add noise to the test digit whose code is nearest to z, and begin to search for it."""
        subject, data = self.subject, self.subject.data
        _, self.target = self.test_tree.query(z)
        clean = data.x_test[self.target]
        noisy = clean + np.float32(NOISE_SD) * self.rng.standard_normal(clean.shape, np.float32)
        start = self.train_codes[self.rng.integers(len(self.train_codes))]
        self.search = Search(subject.decoder, noisy, start, subject.beta, self.learning_rate)
        self.path = [start]
        self.view.show_noisy(noisy[..., 0], self.error(noisy[..., 0]), subject.encode(noisy[None]))
        title = f"a {data.y_test[self.target]}, no. {self.target:,}"
        self.view.show_clean(clean[..., 0], title, self.test_codes[self.target])
        self.show(start)
        self.timer.start()

    def tick(self) -> None:
        """The timer's: some iterations, then a picture."""
        if self.search is None:  # left in the meantime
            return
        for _ in range(STEPS):
            self.search.step()
        self.path.append(self.search.z.copy())
        self.show(self.path[-1])
        if len(self.search.objectives) >= ITERATIONS:
            self.timer.stop()

    def end_search(self) -> None:
        """Leave the search, if there is one, at the code where it is."""
        self.timer.stop()
        self.search = None
        self.view.without_search()


def new_window() -> Figure:
    """An empty figure in a window that is not shown yet.

    Raises
    ------
    OSError
        If there is no display, or nothing that can open a window on it.
    """
    try:
        figure = pyplot.figure("The plane of codes", figsize=(12, 6.6))
    except Exception as error:  # every toolkit has its own
        raise OSError(NO_WINDOW.format(error)) from error
    if figure.canvas.required_interactive_framework is None:
        reason = f"Matplotlib has only its backend {pyplot.get_backend()}, which opens none"
        raise OSError(NO_WINDOW.format(reason))
    return figure


def main() -> None:
    """The command line."""
    parser = script_parser(__doc__)
    parser.add_argument(
        "--model",
        choices=MODELS,
        default="vae",
        help="the autoencoder of exercise 1, the VAE of exercise 7, or that of exercise 8, with 16 "
        "latents (default: vae)",
    )
    options = parser.parse_args()
    settings = to_settings(parser, options)

    def work() -> None:
        figure = new_window()  # first, for training takes long
        Explorer(figure, MODELS[options.model](settings), settings.seed)
        set_num_threads(1)  # a single image is too little work to share
        pyplot.show()

    run_stoppable(work)


if __name__ == "__main__":
    run_command(main)

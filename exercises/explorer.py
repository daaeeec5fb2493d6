"""What the latent explorer of the report page shows: two planes of codes, and what is drawn there.

The page has no net, only pictures. So both decoders are asked here, at the nodes of a fine grid
over the plane, and the page blends the four drawings around the pointer. `blend` is that blending
in NumPy: it measures how far the page is from the decoder itself, and tests hold the page to it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from exercises import ex01_autoencoder, ex02_latent_space, ex07_vae, ex07b_latent_space
from exercises.common import Settings, mnist32
from exercises.ex05_generator import decode, grid_of_codes
from nnscratch.layers import Sequential
from nnscratch.randomness import stream
from nnscratch.training import Array

STEPS = 40  # drawings an axis
PER_DIGIT = 200  # training images shown
MARGIN = 0.03  # of the plane's width, on each side of the outermost codes


@dataclass(frozen=True)
class Plane:
    """One plane of codes.

    Attributes
    ----------
    name, text, stamp : str
        Which net, what there is to see, and what it was made from.
    codes : array (N, 2)
        Of the images shown.
    low, high : array (2,)
        Corners of the square that is shown, in code numbers.
    drawings : array (STEPS, STEPS, H, W) of uint8
        ``[i, j]`` was decoded from node i of the vertical and j of the horizontal axis.
    blend_error : float
        Root mean square difference between blended and decoded images at ``codes``, of the range
        of grey.
    circles : tuple of float
        Radii around the origin.
    """

    name: str
    text: str
    stamp: str
    codes: Array
    low: Array
    high: Array
    drawings: Array
    blend_error: float
    circles: tuple[float, ...] = ()


@dataclass(frozen=True)
class Explorer:
    """The planes, and the training images shown in all of them.

    Attributes
    ----------
    planes : tuple of Plane
    labels : array (N,) of int, 0 to 9
    digits : array (N, H, W) of uint8
    """

    planes: tuple[Plane, ...]
    labels: Array
    digits: Array


def make_explorer(settings: Settings) -> Explorer:
    """The planes of exercises 1 and 7, with the same training images in both."""
    data = mnist32(settings)
    shown = sample(data.y_train, PER_DIGIT, stream(settings.seed, "codes shown"))
    autoencoder, _, ae_stamp = ex01_autoencoder.trained(settings)
    vae, _, vae_stamp = ex07_vae.trained(settings)
    planes = (
        make_plane(
            "Autoencoder (exercise 1)",
            "Nobody told this net where to put its codes, and between them nothing is promised: "
            "over the empty places it draws what no training image looks like. No code is "
            "negative, since the encoder ends with a ReLU.",
            ae_stamp,
            autoencoder.decoder,
            ex02_latent_space.codes(settings)[0][shown],
        ),
        make_plane(
            "Variational autoencoder (exercise 7)",
            "Every image stands at the mean mu of its code distribution. The loss pulls these "
            "distributions towards the standard normal one (circles: its first two standard "
            "deviations), so the codes gather in a round cloud around the origin, and on the way "
            "from digit to digit the drawing changes little by little.",
            vae_stamp,
            vae.decoder,
            ex07b_latent_space.codes(settings)[0][shown],
            (1.0, 2.0),
        ),
    )
    return Explorer(planes, data.y_train[shown], to_bytes(data.x_train[shown, ..., 0]))


def make_plane(
    name: str,
    text: str,
    stamp: str,
    decoder: Sequential,
    codes: Array,
    circles: tuple[float, ...] = (),
) -> Plane:
    """Ask ``decoder`` all over the square around ``codes``."""
    low, high = square_around(codes)
    horizontal, vertical = np.linspace(low, high, STEPS).T
    drawings = to_bytes(decode(decoder, grid_of_codes(horizontal, vertical)))
    decoded = to_bytes(decode(decoder, codes[None])[0])
    difference = (blend(drawings, (codes - low) / (high - low)) - decoded) / 255
    error = float(np.sqrt((difference**2).mean()))
    return Plane(name, text, stamp, codes, low, high, drawings, error, circles)


def sample(labels: Array, per_class: int, rng: np.random.Generator) -> Array:
    """Indices of ``per_class`` random images of every class (all, where there are fewer).

    In random order, so that no class comes last and hides the others.
    """
    order = rng.permutation(len(labels))
    chosen = [order[labels[order] == c][:per_class] for c in np.unique(labels)]
    return rng.permutation(np.concatenate(chosen))


def square_around(codes: Array) -> tuple[Array, Array]:
    """Lower left and upper right corner (2,) of the square with a margin around ``codes`` (N, 2).

    A square, so that the nearest code also looks nearest.
    """
    low, high = codes.min(axis=0).astype(np.float64), codes.max(axis=0).astype(np.float64)
    half = (high - low).max() * (0.5 + MARGIN) or 1.0  # where all codes are the same
    centre = (low + high) / 2
    return centre - half, centre + half


def to_bytes(images: Array) -> Array:
    """Pixels in [0, 1] as 0 to 255; what lies outside is clipped."""
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)


def blend(drawings: Array, places: Array) -> Array:
    """Bilinear interpolation between the four drawings around each place.

    Parameters
    ----------
    drawings : array (n, m, H, W)
        Drawn at equal distances over the unit square, the vertical axis first.
    places : array (N, 2)
        Horizontal and vertical, 0 to 1.

    Returns
    -------
    array (N, H, W) of float64
    """
    n, m = drawings.shape[:2]
    steps = np.array([m - 1, n - 1])
    corner = np.minimum((places * steps).astype(int), steps - 1)  # (N, 2), lower left
    (j, i), (x, y) = corner.T, (places * steps - corner).T[..., None, None]
    lower = (1 - x) * drawings[i, j] + x * drawings[i, j + 1]
    upper = (1 - x) * drawings[i + 1, j] + x * drawings[i + 1, j + 1]
    return (1 - y) * lower + y * upper


def sprite(images: Array) -> bytes:
    """One PNG of a table of images (rows, columns, H, W), the first row uppermost."""
    rows, columns, H, W = images.shape
    canvas = images.transpose(0, 2, 1, 3).reshape(rows * H, columns * W)
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def digit_sprite(digits: Array) -> tuple[bytes, int]:
    """`sprite` of images (N, H, W), row by row in a square, and how many make a row."""
    N, H, W = digits.shape
    columns = int(np.ceil(np.sqrt(N)))
    table = np.zeros((-(-N // columns), columns, H, W), np.uint8)
    table.reshape(-1, H, W)[:N] = digits
    return sprite(table), columns

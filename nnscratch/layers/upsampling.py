"""Upsampling: images are enlarged by a matrix for each axis, gradients go back by its transpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.geometry import check_image_shape, pair


class UpSampling2D(Layer):
    """Enlarge an image by an integer factor along each axis.

    Forward is linear in x and treats the axes one after the other: for each sample and channel
    ``y = U_h x U_w'``, with U_h (H * fh, H), U_w (W * fw, W), and ' for the transpose. Backward is
    therefore the transpose, ``dx = U_h' dy U_w``. For "nearest" each pixel becomes a block of
    fh x fw equal ones, and its gradient is the sum over that block.

    Parameters
    ----------
    size : int or pair (fh, fw)
        The factors.
    interpolation : "nearest" or "bilinear"
        Bilinear takes pixels as areas (half-pixel centres), as Keras does; U_h and U_w are those
        of `bilinear_matrix`.

    Raises
    ------
    ValueError
        For a factor below 1 or another interpolation; at build, if the input is no image.

    Notes
    -----
    Input (N, H, W, C), output (N, H * fh, W * fw, C).
    """

    def __init__(self, size: int | Sequence[int] = 2, interpolation: str = "nearest") -> None:
        super().__init__()
        self.size = pair(size, "size")
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                f'interpolation is {interpolation!r}; it must be "nearest" or "bilinear".'
            )
        self.interpolation = interpolation

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = check_image_shape(input_shape)
        return H * self.size[0], W * self.size[1], C

    def forward(self, x: Array, training: bool = False) -> Array:
        self.check_input(x)  # (N, H, W, C)
        self.cache = (x.shape,)
        if self.interpolation == "nearest":
            return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)
        U_h, U_w = self._matrices()
        y = np.einsum("ph,nhwc,qw->npqc", U_h, x, U_w, optimize=True)
        return np.ascontiguousarray(y)  # (N, H * fh, W * fw, C)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, H * fh, W * fw, C)
        (H, W, C), (fh, fw) = self.input_shape, self.size
        if self.interpolation == "nearest":
            return dy.reshape(len(dy), H, fh, W, fw, C).sum(axis=(2, 4))
        U_h, U_w = self._matrices()
        dx = np.einsum("ph,npqc,qw->nhwc", U_h, dy, U_w, optimize=True)
        return np.ascontiguousarray(dx)  # (N, H, W, C)

    def _matrices(self) -> tuple[Array, Array]:
        """U_h (H * fh, H) and U_w (W * fw, W)."""
        H, W, _ = self.input_shape
        U_h, U_w = bilinear_matrix(H, self.size[0]), bilinear_matrix(W, self.size[1])
        return U_h.astype(self.dtype), U_w.astype(self.dtype)


def bilinear_matrix(n: int, factor: int) -> Array:
    """The matrix U (n * factor, n) that enlarges one axis linearly.

    Pixels are areas, not points: the centre of output pixel p lies at
    ``(p + 1/2) / factor - 1/2`` in the input, and beyond the outermost centres the border pixel
    is repeated (as Keras and torch with ``align_corners=False``).
    """
    p = np.arange(n * factor)
    place = np.clip((p + 0.5) / factor - 0.5, 0, n - 1)
    left = np.floor(place).astype(int)
    right = np.minimum(left + 1, n - 1)
    U = np.zeros((n * factor, n))
    U[p, left] += 1 - (place - left)
    U[p, right] += place - left
    return U

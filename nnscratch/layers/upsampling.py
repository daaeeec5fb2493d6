"""Upsampling: images are enlarged by a matrix for each axis, gradients go back by its transpose."""

from __future__ import annotations

from collections.abc import Sequence

from nnscratch import kernels
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
        Bilinear takes pixels as areas (half-pixel centres), as Keras does; its matrices are those
        of `nnscratch.kernels.reference.bilinear_matrix`.

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
        return kernels.upsample2d(x, self.size, self.interpolation)

    def backward(self, dy: Array) -> Array:
        self.check_gradient(dy)  # (N, H * fh, W * fw, C)
        return kernels.upsample2d_input_gradient(dy, self.size, self.interpolation)

"""Weights that PyTorch or Keras trained, as plain arrays, into a layer of ours.

Nothing is imported from either: arrays go in, checked and turned into our order of axes. With kh,
kw the kernel's height and width, in and out the channels or units on both sides::

                        PyTorch               Keras               here
    Conv2D              (out, in, kh, kw)     (kh, kw, in, out)   (kh, kw, in, out)
    Conv2DTranspose     (in, out, kh, kw)     (kh, kw, out, in)   (kh, kw, out, in)
    Dense (Linear)      (out, in)             (in, out)           (in, out)

All three slide the kernel without turning it round, so no kernel is flipped. What arrays cannot
say must be the same when the layers are made: strides, padding (PyTorch's ``padding=1`` is
``((1, 1), (1, 1))``; for strides above 1, "same" pads otherwise) and, for BatchNormalization,
epsilon: 1e-5 in PyTorch, 1e-3 in Keras and here.

References
----------
The pages of Conv2d, ConvTranspose2d, Linear and BatchNorm2d on docs.pytorch.org; ``get_weights``
of the layers on keras.io.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnscratch.layers.base import Array, Layer, Shape
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.dense import Dense
from nnscratch.layers.normalization import BatchNormalization

NORMALIZATION = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}


def from_pytorch(
    layer: Layer,
    arrays: Mapping[str, Array],
    images_before: Shape | None = None,
    images_after: Shape | None = None,
) -> None:
    """Put the arrays of a PyTorch module into a layer, in place.

    Parameters
    ----------
    layer : Conv2D, Conv2DTranspose, Dense or BatchNormalization, built
    arrays : dict of str to array
        As in ``module.state_dict()``, each after ``.cpu().numpy()``: "weight" and, unless the
        module has none, "bias"; for BatchNorm2d also "running_mean" and "running_var" (which
        PyTorch estimates without bias, m / (m - 1) times ours; "num_batches_tracked" is not used).
    images_before : (H, W, C), optional
        For a Dense behind a Flatten of such images. PyTorch flattens (C, H, W) and we (H, W, C), so
        the rows of W are put into another order.
    images_after : (H, W, C), optional
        The same for a Dense whose output is reshaped to images: the columns of W, and b.

    Raises
    ------
    ValueError, TypeError
        If the layer is none of the four or not built, an array is missing, unknown, of another
        shape, no array of floats or not finite, or the images have another number of pixels. The
        layer is then unchanged.
    """
    given = {key: array for key, array in arrays.items() if key != "num_batches_tracked"}
    own: dict[str, Array | None]
    if isinstance(layer, BatchNormalization):
        own = {ours: _take(given, theirs) for ours, theirs in NORMALIZATION.items()}
    else:
        W, b = _take(given, "weight"), given.pop("bias", None)
        _check_array("weight", W)
        if isinstance(layer, Dense):
            W, b = _reordered(layer, W, b, images_before, images_after)
        elif W.ndim == 4:
            W = W.transpose(2, 3, 1, 0)  # of both convolutions
        own = {"W": W, "b": b}
    if given:
        raise ValueError(f"{layer.name} takes no {', '.join(sorted(given))} from PyTorch.")
    _fill(layer, "PyTorch", own)


def from_keras(layer: Layer, arrays: Sequence[Array]) -> None:
    """Put the arrays of a Keras layer into one of ours, in place.

    Parameters
    ----------
    layer : Conv2D, Conv2DTranspose, Dense or BatchNormalization, built
    arrays : list of arrays
        What ``layer.get_weights()`` gives in Keras: kernel and, unless ``use_bias=False``, bias; or
        gamma, beta, mean and variance. Keras flattens (H, W, C), as we do.

    Raises
    ------
    ValueError, TypeError
        As `from_pytorch`.
    """
    names = tuple(NORMALIZATION) if isinstance(layer, BatchNormalization) else ("W", "b")
    fewest = len(names) if isinstance(layer, BatchNormalization) else 1
    if not fewest <= len(arrays) <= len(names):
        raise ValueError(
            f"{layer.name} takes {' and '.join(names)} from Keras, got {len(arrays)} arrays."
        )
    _fill(layer, "Keras", {name: None for name in names} | dict(zip(names, arrays, strict=False)))


def _take(given: dict[str, Array], name: str) -> Array:
    if name not in given:
        raise ValueError(f"there is no {name!r} among the arrays, only {sorted(given)}.")
    return given.pop(name)


def _check_array(name: str, array: Array) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise TypeError(
            f"{name} is {getattr(array, 'dtype', type(array).__name__)}; it must be a NumPy array "
            "of floats. A tensor gives one by .detach().cpu().numpy()."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity.")


def _reordered(
    layer: Dense, W: Array, b: Array | None, before: Shape | None, after: Shape | None
) -> tuple[Array, Array | None]:
    """W (in, out) and b with the pixels of images in our order."""
    W = W.T
    for images, axis in ((before, 0), (after, 1)):
        if images is not None:
            H, Wd, C = images
            if W.ndim != 2 or W.shape[axis] != H * Wd * C:
                raise ValueError(
                    f"images {tuple(images)} are {H * Wd * C} numbers, which does not fit the "
                    f"weight of shape {W.T.shape}."
                )
            order = np.arange(H * Wd * C).reshape(C, H, Wd).transpose(1, 2, 0).ravel()
            W = W.take(order, axis)
            b = b[order] if axis == 1 and b is not None else b
    return W, b


def _fill(layer: Layer, framework: str, arrays: dict[str, Array | None]) -> None:
    """Write all or, if one does not fit, none; a missing bias is 0."""
    if not isinstance(layer, Conv2D | Conv2DTranspose | Dense | BatchNormalization):
        raise TypeError(f"{layer!r} has no counterpart; convolutions, Dense and normalisation do.")
    own = {**layer.params, **layer.state}
    if not own:
        raise ValueError(f"{layer.name} is not built; put it into a Sequential first.")
    for name, array in arrays.items():
        if array is None:
            continue
        _check_array(name, array)
        if array.shape != own[name].shape:
            raise ValueError(
                f"{layer.place or layer.name}: {name} is {own[name].shape} here, but the array of "
                f"{framework} gives {array.shape} in our order of axes. The table in "
                "nnscratch/layers/foreign.py says how each stores its weights."
            )
    for name, array in arrays.items():
        own[name][...] = 0 if array is None else array

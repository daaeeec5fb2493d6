"""Compile all kernels now: ``python -m nnscratch.kernels``. Otherwise each is when first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from nnscratch import kernels
from nnscratch.kernels import compilation
from nnscratch.kernels.launch import BLOCK

NO_PADS = ((0, 0), (0, 0))


def calls(dtype: type) -> Iterator[tuple[str, Callable[[], object]]]:
    """A call of every kernel, with little data and with enough for several threads."""
    k = kernels
    x = np.ones((2, 4, 4, 16), dtype)
    W, b = np.ones((3, 3, 16, 16), dtype), np.ones(16, dtype)
    yield "conv2d", lambda: k.conv2d(x, W, b, (1, 1), ((1, 1), (1, 1)))
    yield "its gradients", lambda: k.conv2d_weight_gradient(x, x, (3, 3), (1, 1), ((1, 1), (1, 1)))
    for size in (4, BLOCK):
        x = np.ones((size, 4, 1, 1), dtype)
        line, c = x.reshape(-1, 1), np.ones(1, dtype)
        yield from _image_calls(x)
        yield "relu", lambda x=x: k.relu_input_gradient(x, k.relu(x))
        yield "leaky_relu", lambda x=x: k.leaky_relu_input_gradient(x, k.leaky_relu(x, 0.3), 0.3)
        yield "channel_sum", lambda line=line: k.channel_sum(line)
        yield "channel_moments", lambda line=line: k.channel_moments(line)
        yield "normalize", lambda line=line, c=c: k.normalize(line, c, c, c, c)
        yield (
            "its gradient",
            lambda line=line, c=c: k.normalize_input_gradient(line, line, c, c),
        )
        yield "squared_error", lambda x=x: k.squared_error(x, x, 1.0)
        p, g, m, v = (np.ones(4 * size, dtype) for _ in range(4))
        yield (
            "adam",
            lambda p=p, g=g, m=m, v=v: k.adam(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 0.0, 1),
        )


def _image_calls(x: np.ndarray) -> Iterator[tuple[str, Callable[[], object]]]:
    k, image = kernels, (4, 1)
    for size, strides in (((2, 1), (2, 1)), ((2, 2), (2, 2)), ((3, 1), (1, 1))):
        if size[1] == 2:
            x, image = np.ascontiguousarray(x.reshape(len(x), 2, 2, 1)), (2, 2)

        def largest(x=x, image=image, size=size, strides=strides) -> None:  # type: ignore[no-untyped-def]
            y, winner = k.max_pool2d(x, size, strides, NO_PADS)
            k.max_pool2d_input_gradient(y, winner, image, size, strides, NO_PADS)

        def mean(x=x, image=image, size=size, strides=strides) -> None:  # type: ignore[no-untyped-def]
            y = k.average_pool2d(x, size, strides, NO_PADS)
            k.average_pool2d_input_gradient(y, image, size, strides, NO_PADS)

        yield "max_pool2d", largest
        yield "average_pool2d", mean
        if size[1] == 2:
            x, image = x.reshape(len(x), 4, 1, 1), (4, 1)
    yield (
        "upsample2d",
        lambda: k.upsample2d_input_gradient(k.upsample2d(x, (2, 2), "nearest"), (2, 2), "nearest"),
    )


def main() -> None:
    """Compile everything for float32 and float64, with a progress bar."""
    kernels.use_kernels("compiled")
    compilation.NOTICE.said = True  # the bar says it better
    everything = [
        (f"{name} {dtype.__name__}", call)
        for dtype in (np.float32, np.float64)
        for name, call in calls(dtype)
    ]
    with tqdm(everything, unit=" kernels") as bar:
        for name, call in bar:
            bar.set_description(f"{name:<26}")
            call()
    print(f"The compiled kernels are kept in {compilation.FOLDER}")


if __name__ == "__main__":
    main()

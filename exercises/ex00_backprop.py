"""Exercise 0: backprop by hand, number by number.

A picture of 6 x 6 pixels goes through a convolution, ReLU, max pooling and a dense layer to a loss;
picture and weights are so plain that a pencil can follow. Every array is shown on the way forward
and every gradient on the way backward, beside the line of the chain rule that it comes from and
beside the numerical gradient, for which each number in turn is moved a little.

Then classic mistakes (`ex00_mistakes`) are planted into the same layers: does the gradient
checker name them, and would the loss curve have told? ``--list`` says which they are, and
``--break flipped-kernel`` looks at one of them. To look for one oneself: ``--hide 3`` plants one
under that number and shows the symptoms only; with ``--answer`` it says which it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from exercises.common import Page, Settings, publish, run_stoppable, script_parser, to_settings
from exercises.ex00_comparison import compare, look_at, show_symptoms
from exercises.ex00_mistakes import MISTAKES
from exercises.ex00_view import Quantity, draw_passes, print_passes
from nnscratch import use_kernels
from nnscratch.layers import Conv2D, Dense, Flatten, Layer, MaxPooling2D, ReLU, Sequential
from nnscratch.losses import softmax_crossentropy
from nnscratch.streams import run_command

Array = np.ndarray

PICTURE = [  # of a 7
    [0, 0, 0.0, 0.0, 0.0, 0],
    [0, 1, 1.0, 1.0, 1.0, 0],
    [0, 0, 0.0, 0.0, 1.0, 0],
    [0, 0, 0.0, 0.5, 0.5, 0],
    [0, 0, 0.0, 1.0, 0.0, 0],
    [0, 0, 0.5, 0.5, 0.0, 0],
]
CLASSES = ("1", "4", "7")
LABEL = CLASSES.index("7")

UPPER_MINUS_LOWER = [[1, 1, 1], [0, 0, 0], [-1, -1, -1]]
LEFT_MINUS_RIGHT = [[1, 0, -1], [1, 0, -1], [1, 0, -1]]
WEIGHTS = {
    "0.conv2d.W": np.stack([UPPER_MINUS_LOWER, LEFT_MINUS_RIGHT], axis=-1)[:, :, np.newaxis],
    "0.conv2d.b": [-0.25, 0.25],  # so that no number lies on the kink of ReLU
    "4.dense.W": [
        [-0.5, 0.0, 0.5],
        [0.5, 0.0, -1.0],
        [-0.5, 0.0, -1.0],
        [1.0, 0.5, 1.0],
        [-1.0, 0.0, 0.5],
        [0.5, 1.0, 0.0],
        [-0.5, -1.0, 1.0],
        [0.5, 0.5, -0.5],
    ],
    "4.dense.b": [0.0, 0.0, 0.0],
}
STEP = 1e-6
KINK = 1e-3  # two slopes that differ by more are not those of one smooth curve


def network(
    side: int, filters: int, classes: int, seed: int | Sequence[int], dtype: DTypeLike
) -> Sequential:
    """Grey image of ``side`` x ``side`` pixels -> logits."""
    return Sequential(
        [
            Conv2D(filters, 3, padding="valid"),  # conv: side - 2
            ReLU(),  # relu
            MaxPooling2D(2),  # pool: half of that
            Flatten(),  # flat
            Dense(classes),  # logits
        ],
        input_shape=(side, side, 1),
        seed=seed,
        dtype=dtype,
    )


def by_hand() -> tuple[Sequential, Array]:
    """The network with the weights above, and the picture: (1, 6, 6, 1), both float64."""
    model = network(6, 2, len(CLASSES), 0, np.float64)
    for name, values in WEIGHTS.items():
        model.params[name][...] = values
    return model, np.array(PICTURE)[np.newaxis, :, :, np.newaxis]


# Each array in the order of the forward pass: how it comes about, and its gradient ("d" + name is
# dL/d name). The batch of one sample and the one channel of x are left out.
LINES = {
    "x": (
        "the picture of a 7: black is 0, white is 1",
        "dx[r,s] = sum_{i,j,k} dconv[r-i,s-j,k] W1[i,j,k]",
    ),
    "W1": (
        "the weights of two filters, which compare rows and columns",
        "dW1[i,j,k] = sum_{h,w} x[h+i,w+j] dconv[h,w,k]",
    ),
    "b1": ("a bias for each filter", "db1[k] = sum_{h,w} dconv[h,w,k]"),
    "conv": (
        "conv[h,w,k] = b1[k] + sum_{i,j} x[h+i,w+j] W1[i,j,k]",
        "dconv[h,w,k] = drelu[h,w,k] where conv[h,w,k] > 0, else 0",
    ),
    "relu": (
        "relu[h,w,k] = max(conv[h,w,k], 0)",
        "drelu[h,w,k] = dpool[h//2,w//2,k] where relu won its window, else 0",
    ),
    "pool": (
        "pool[h,w,k] = max of relu[2h:2h+2, 2w:2w+2, k]",
        "dpool[h,w,k] = dflat[4h+2w+k]",
    ),
    "flat": ("flat[4h+2w+k] = pool[h,w,k]", "dflat[i] = sum_u dlogits[u] W2[i,u]"),
    "W2": ("the weights of the dense layer", "dW2[i,u] = flat[i] dlogits[u]"),
    "b2": ("a bias for each class", "db2[u] = dlogits[u]"),
    "logits": (
        "logits[u] = b2[u] + sum_i flat[i] W2[i,u]",
        "dlogits[u] = p[u] - (1 if u is the right class, else 0)",
    ),
}
STAGES = ("x", "conv", "relu", "pool", "flat", "logits")  # what goes from layer to layer
PARAMETERS = {"W1": "0.conv2d.W", "b1": "0.conv2d.b", "W2": "4.dense.W", "b2": "4.dense.b"}


def loss_from(layers: Sequence[Layer], x: Array) -> float:
    """The loss, when x goes into the first of these layers."""
    for layer in layers:
        x = layer.forward(x)
    return softmax_crossentropy(x, np.array([LABEL]))[0]


def numerical_gradient(loss: Callable[[], float], array: Array) -> Array:
    """Move one number after the other, up and down, and see how much the loss changes.

    (L(a + h) - L(a - h)) / 2h, the mean of the slopes above and below. Where these differ the loss
    has a kink at a, and no derivative: NaN.
    """
    gradient, here = np.empty_like(array), loss()
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = (loss() - here) / STEP
        array[index] = kept - STEP
        below = (here - loss()) / STEP
        array[index] = kept
        gradient[index] = (above + below) / 2 if abs(above - below) < KINK else np.nan
    return gradient


def passes(model: Sequential, x: Array) -> tuple[list[Quantity], float, Array]:
    """One pass forward and one backward, with everything in between.

    Returns
    -------
    list of Quantity
        In the order of `LINES`.
    loss : float
        In nats.
    p : array (1, classes)
        The softmax of the logits.
    """
    arrays, gradients, numerical = {"x": x}, {}, {}
    for name, layer in zip(STAGES[1:], model.layers, strict=True):
        x = arrays[name] = layer.forward(x)
    loss, dy = softmax_crossentropy(x, np.array([LABEL]))
    gradients["logits"] = dy
    for name, layer in reversed(list(zip(STAGES[:-1], model.layers, strict=True))):
        dy = gradients[name] = layer.backward(dy)
    for name, key in PARAMETERS.items():
        arrays[name], gradients[name] = model.params[key], model.grads[key]

    for start, name in enumerate(STAGES):
        moved = arrays[name].copy()
        numerical[name] = numerical_gradient(partial(loss_from, model.layers[start:], moved), moved)
    for name in PARAMETERS:
        loss_of_all = partial(loss_from, model.layers, arrays["x"])
        numerical[name] = numerical_gradient(loss_of_all, arrays[name])
    p = np.exp(x) / np.exp(x).sum()
    found = [
        Quantity(name, arrays[name], gradients[name], numerical[name], *LINES[name])
        for name in LINES
    ]
    return found, loss, p


def figure_passes(settings: Settings) -> None:
    """Every array and every gradient, in one picture."""
    started = time.perf_counter()
    quantities, loss, p = passes(*by_hand())
    worst = max(quantities, key=lambda quantity: quantity.difference)
    page = Page(
        "ex00_backprop",
        "Backprop by hand: every array forward, every gradient backward",
        "Above, a picture on its way to the loss, from left to right. Below, from right to left, "
        "the gradient of the loss with respect to each array, under that array. The line above "
        "each says how it is computed; k counts filters (0 stands above 1), u classes. ± is the "
        "largest difference to the numerical gradient, for which every number is moved a little; "
        "at a kink there is none, as four equal numbers tie for a maximum. White is 0, the darkest "
        "colour the largest number of an array; rounded to three decimals.",
        "No counterpart in the reports.",
        "picture and weights chosen by hand, no data · float64",
        {
            "loss_nats": loss,
            "p": p,
            "classes": CLASSES,
            "right_class": CLASSES[LABEL],
            "largest_difference_to_the_numerical_gradient": {
                q.name: q.difference for q in quantities
            },
            "arrays": {q.name: q.array for q in quantities},
            "gradients": {q.name: q.gradient for q in quantities},
            "numerical_gradients_without_kinks": {
                q.name: np.where(np.isnan(q.numerical), np.array(None), q.numerical)
                for q in quantities
            },
        },
        [
            (
                "Are these the derivatives?",
                "Every number was moved by a millionth up and down, and the loss computed anew: "
                f"the largest difference to the chain rule is {worst.difference:.1e}, in "
                f"d{worst.name}. The net gives the picture of a {CLASSES[LABEL]} a probability of "
                f"{p[0, LABEL]:.3f}, so the loss is -log {p[0, LABEL]:.3f} = {loss:.3f} nats.",
            )
        ],
    )
    publish(settings, page, draw_passes(quantities, loss, p), started)


@contextmanager
def reference_kernels() -> Iterator[None]:
    """Plain NumPy within: for arrays as small as these nothing else is worth compiling."""
    before = use_kernels("reference")
    try:
        yield
    finally:
        use_kernels(before)


def run(settings: Settings) -> None:
    """Make both figures."""
    print("Exercise 0: backprop by hand", flush=True)
    with reference_kernels():
        figure_passes(settings)
        compare(settings, network)


def show_and_run(settings: Settings) -> None:
    """Print both passes, then make both figures."""
    with reference_kernels():
        print_passes(*passes(*by_hand()))
    run(settings)


def look_at_one(settings: Settings, name: str) -> None:
    """Only one mistake."""
    with reference_kernels():
        look_at(settings, network, MISTAKES[name])


def look_for_one(settings: Settings, number: int, answer: bool) -> None:
    """A mistake that is not named."""
    with reference_kernels():
        show_symptoms(settings, network, number, answer)


def main() -> None:
    """The command line."""
    parser = script_parser(__doc__)
    parser.add_argument(
        "--break",
        dest="mistake",
        metavar="NAME",
        help="plant this mistake: what do the checker and the loss say?",
    )
    parser.add_argument(
        "--hide", type=int, metavar="NUMBER", help="plant a mistake and show only its symptoms"
    )
    parser.add_argument("--answer", action="store_true", help="with --hide: say which it was")
    parser.add_argument("--list", action="store_true", help="say what the mistakes are")
    options = parser.parse_args()
    if options.list:
        for name, mistake in MISTAKES.items():
            print(f"{name}\n    {mistake.sentence}")
        return
    if options.mistake not in (None, *MISTAKES):
        parser.error(
            f"there is no mistake named {options.mistake!r}; known are {', '.join(MISTAKES)}."
        )
    if options.answer and options.hide is None:
        parser.error("--answer needs --hide NUMBER.")
    settings = to_settings(parser, options)
    if options.hide is not None:
        run_stoppable(lambda: look_for_one(settings, options.hide, options.answer))
    elif options.mistake:
        run_stoppable(lambda: look_at_one(settings, options.mistake))
    else:
        run_stoppable(lambda: show_and_run(settings))


if __name__ == "__main__":
    run_command(main)

"""Exercise 8: remove noise with a VAE, either by encoding or by searching.

Two ways to clean a noisy digit with a generator g of digits. The quick one: encode it, decode the
mean. But the encoder has only ever seen clean digits. The slow one: leave the encoder alone and
search for the code whose image explains the noisy one best (MAP inference, for "maximum a
posteriori", the most probable one). Which wins is decided here over many test images, against
linear methods and against a control that may train on noise. Figure 11 of the report and its
question 8c; Figures 12 and 13 are in `ex08b_map`.
"""

from __future__ import annotations

import functools
import time

import numpy as np

from exercises.common import Page, Settings, mnist32, publish, run_as_script, ten_digits
from exercises.ex06_denoising import NOISE_SD, noisy, with_noise
from exercises.ex07_vae import FEW, means
from exercises.measures import SIGNED, squared_errors
from exercises.trained import Recipe, train
from nnscratch.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    MaxPooling2D,
    ReLU,
    Reshape,
    Sequential,
    UpSampling2D,
)
from nnscratch.map_inference import map_estimate
from nnscratch.metrics import paired_bootstrap, pca, pca_reconstruct
from nnscratch.models import VAE, NegativeELBO
from nnscratch.plotting import image_rows, new_figure
from nnscratch.randomness import stream
from nnscratch.training import Array, Data, predict

LATENT = 16
KL_WEIGHTS = (2.56, 0.5)
Interval = tuple[float, float, float]  # a mean, and the ends of its 95 % interval
BETA = NOISE_SD**2  # the variance of the noise, for which MAP is the most probable code
IMAGES = 1000  # of the test set, for the table


def vae(seed: int) -> VAE:
    """Narrows to 4 x 4, not to 2 x 2 as in exercise 7: with sixteen latents that is enough."""
    encoder = Sequential(
        [
            *(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 16 x 16 x 16
            *(Conv2D(32, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x 32
            *(Conv2D(64, 3), ReLU(), MaxPooling2D(2)),  # 4 x 4 x 64
            Flatten(),
        ],
        input_shape=(32, 32, 1),
        seed=[seed, 0],
    )
    decoder = Sequential(
        [
            *(Dense(4 * 4 * 64), ReLU(), Reshape((4, 4, 64))),
            *(UpSampling2D(2), Conv2DTranspose(32, 3), ReLU()),  # 8 x 8 x 32
            *(UpSampling2D(2), Conv2DTranspose(16, 3), ReLU()),  # 16 x 16 x 16
            *(UpSampling2D(2), Conv2DTranspose(1, 3)),  # 32 x 32 x 1
        ],
        input_shape=(LATENT,),
        seed=[seed, 1],
    )
    return VAE(encoder, LATENT, decoder, seed=[seed, 2])


def recipe(settings: Settings, kl_weight: float) -> Recipe:
    """Slower steps than in exercise 7: with those, more of the latents fall silent for good.

    With a small weight none of them does, and half the epochs are enough.
    """
    if len(mnist32(settings).x_train) == 60_000:
        return Recipe(1e-3, 64, settings.epochs or (10 if kl_weight > 1 else 5), cosine=True)
    return Recipe(1e-3, 32, settings.epochs or (1 if settings.quick else 12), cosine=True)


def training_pairs(clean: Array, rng: np.random.Generator | None) -> Data:
    """What a net is given and what it should give back: with noise from ``rng``, if any; clean."""
    return (clean if rng is None else with_noise(clean, rng)), clean


@functools.cache
def trained(settings: Settings, kl_weight: float, on_noise: bool = False) -> tuple[VAE, str]:
    """A VAE with 16 latents, and the stamp for figures; the control learns noisy -> clean."""
    data, model = mnist32(settings), vae(settings.seed)
    training, rng = recipe(settings, kl_weight), stream(settings.seed, "noise on training images")
    pairs = training_pairs(data.x_train, rng if on_noise else None)
    name = f"vae-{LATENT}-w{kl_weight:g}" + ("-control" if on_noise else "")
    train(
        settings, name, model, NegativeELBO(model, kl_weight), training, pairs,
        (data.x_test[:FEW], data.x_test[:FEW]),
    )  # fmt: skip
    return model, f"{data.source} · VAE-{LATENT}, {training} · seed {settings.seed}"


def clean_by_map(settings: Settings, model: VAE, x: Array, beta: float = BETA) -> Array:
    """The decoded MAP codes of noisy images, the better of two starts; in parts, to save memory.

    L-BFGS is used, which gets there sooner than the Adam of Figure 13.
    """
    parts = []
    for start in range(0, len(x), 100):
        part = x[start : start + 100]
        rng = stream(settings.seed, "starts of MAP", start)
        starts = np.stack(
            [model.encode(part)[0], rng.standard_normal((len(part), LATENT), np.float32)]
        )
        found = map_estimate(
            model.decoder, part, starts, beta, solver="lbfgs",
            iterations=10 if settings.quick else 100,
        )  # fmt: skip
        parts.append(predict(model.decoder, found.z))
    return np.concatenate(parts)


@functools.cache
def cleaned(settings: Settings) -> dict[str, Array]:
    """What every method makes of the first noisy test images."""
    data, x = mnist32(settings), noisy(settings)[:IMAGES]
    results = {"noisy input": x}
    for k in (16, 32):
        results[f"PCA-{k}"] = pca_reconstruct(x, *pca(data.x_train, k)).astype(np.float32)
    for w in KL_WEIGHTS:
        results[f"VAE-16 of noisy, w = {w:g}"] = predict(trained(settings, w)[0], x)
    for w in KL_WEIGHTS:
        results[f"MAP, w = {w:g}"] = clean_by_map(settings, trained(settings, w)[0], x)
    control = trained(settings, KL_WEIGHTS[0], on_noise=True)[0]
    results[f"control: noisy to clean, w = {KL_WEIGHTS[0]:g}"] = predict(control, x)
    return results


def run(settings: Settings) -> None:
    """Make Figure 11 and the table of 8c."""
    print("Exercise 8: denoising with the VAE", flush=True)
    ten_digits(mnist32(settings))  # before anything is trained
    figure_11(settings)
    table(settings)


def figure_11(settings: Settings) -> None:
    """Ten noisy digits, through the VAE and through the control."""
    started = time.perf_counter()
    data, ten = mnist32(settings), ten_digits(mnist32(settings))
    x, clean = noisy(settings)[ten], data.x_test[ten]
    model, stamp = trained(settings, KL_WEIGHTS[0])
    control, _ = trained(settings, KL_WEIGHTS[0], on_noise=True)
    outputs = predict(model, x)
    errors = SIGNED * squared_errors(outputs, clean)
    figure = new_figure(9, 3.9, "Noisy digits through a VAE that has only seen clean ones")
    rows = [
        ("noisy", x),
        ("VAE-16(noisy)", outputs),
        ("control", predict(control, x)),
        ("clean", clean),
    ]
    image_rows(figure, rows, [f"MSE {error:.3f}" for error in errors])
    shift = code_shift(model, noisy(settings), data.x_test)
    page = Page(
        "ex08_fig11",
        "Figure 11: denoising by encoding",
        f"Noise of standard deviation {NOISE_SD} (pixels in [0, 1]), encoded and decoded at mu. "
        "The control is the same network trained to give the clean image of a noisy one. Above, "
        "the error of the second row in [-1, 1].",
        "Noisy input, output of the new VAE and the clean images, without numbers.",
        stamp,
        {"mse_[-1,1]": errors, **shift},
        [
            (
                "Why does encoding a noisy digit fail?",
                f"The code of a noisy digit lies {shift['distance_to_own_clean_code']:.2f} from "
                "that of the same digit without noise, on average; two different clean digits are "
                f"{shift['distance_between_clean_codes']:.2f} apart. The encoder has never seen "
                "noise and takes it for strokes.",
            )
        ],
    )
    publish(settings, page, figure, started)


def code_shift(model: VAE, x: Array, clean: Array) -> dict[str, float]:
    """How far noise moves the codes, beside how far the codes of two images are apart."""
    a, b = means(model, x), means(model, clean)
    other = np.roll(b, 1, axis=0)
    return {
        "distance_to_own_clean_code": float(np.linalg.norm(a - b, axis=1).mean()),
        "distance_between_clean_codes": float(np.linalg.norm(other - b, axis=1).mean()),
    }


def table(settings: Settings) -> None:
    """Every method's error, with intervals, and the differences that question 8c asks for."""
    started = time.perf_counter()
    clean = mnist32(settings).x_test[:IMAGES]
    errors = {
        name: SIGNED * squared_errors(images, clean) for name, images in cleaned(settings).items()
    }
    rng = stream(settings.seed, "bootstrap of denoisers")
    best = f"MAP, w = {KL_WEIGHTS[0]:g}"
    intervals, differences = compared(errors, best, rng)
    figure = new_figure(8, 3.6, f"Denoising {len(clean):,} test digits: mean squared error")
    axis = figure.subplots()
    names = list(intervals)
    averages, low, high = np.array([intervals[name] for name in names]).T
    colors = ["C1" if name.startswith("MAP") else "C0" for name in names]
    axis.barh(names, averages, color=colors, xerr=(averages - low, high - averages), capsize=2)
    for place, mean in enumerate(averages):
        axis.text(high[place], place, f" {mean:.4f}", va="center", fontsize=8)
    axis.invert_yaxis()
    axis.set(xlabel="MSE to the clean image, pixels in [-1, 1]; 95 % intervals")
    axis.set_xlim(0, 1.15 * high.max())
    page = Page(
        "ex08_table",
        "Exercise 8c: which method wins",
        f"Over {len(clean):,} test images and one draw of noise: the mean squared error with "
        "pixels in [-1, 1] and its bootstrap interval. MAP takes the better of the codes found "
        "from the encoder's and from a random one, with beta the variance of the noise. The net "
        f"with w = {KL_WEIGHTS[1]}: {recipe(settings, KL_WEIGHTS[1])}.",
        "The second method (MAP) is better, because it is simpler to optimise in the latent space, "
        "and because it is trained on the test set.",
        trained(settings, KL_WEIGHTS[0])[1],
        {
            "mse_[-1,1]": {name: mean for name, (mean, _, _) in intervals.items()},
            "interval_95_percent": {name: v[1:] for name, v in intervals.items()},
            f"{best}_minus_others_with_interval": differences,
            "images": len(clean),
        },
        [
            (
                "Which method gives the better result, and why? (8c)",
                answer(intervals, best, surely_better(differences)),
            )
        ],
    )
    publish(settings, page, figure, started)


def compared(
    errors: dict[str, Array], best: str, rng: np.random.Generator
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Each method's mean error, and how much larger the ``best`` one's is than each other's.

    Both with their 95 % intervals.
    """
    nothing = np.zeros(len(errors[best]))
    intervals = {name: paired_bootstrap(e, nothing, rng) for name, e in errors.items()}
    others = {name: e for name, e in errors.items() if name != best}
    return intervals, {n: paired_bootstrap(errors[best], e, rng) for n, e in others.items()}


def surely_better(differences: dict[str, Interval]) -> list[str]:
    """The methods whose error is smaller than that of the one they were compared with."""
    return [name for name, (_, low, _) in differences.items() if low > 0]


def answer(intervals: dict[str, Interval], best: str, worse: list[str]) -> str:
    """Question 8c, answered from the measurement."""
    encoded, found = intervals[f"VAE-16 of noisy, w = {KL_WEIGHTS[0]:g}"], intervals[best]
    control = intervals[f"control: noisy to clean, w = {KL_WEIGHTS[0]:g}"]
    return (
        f"MAP: {found[0]:.4f} against {encoded[0]:.4f} by encoding the noisy image with the same "
        f"network (and {control[0]:.4f} by a network trained for this noise). Nothing is trained "
        "on the test set: the decoder stays as it was, only the code moves. The search wins "
        "because it asks the decoder, which knows digits, instead of the encoder, which does not "
        "know noise. "
        + (f"Surely better than MAP here: {', '.join(worse)}." if worse else "None is better here.")
    )


if __name__ == "__main__":
    run_as_script(run, __doc__)

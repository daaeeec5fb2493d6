"""The table of figures: each with its command, its minutes, our number and the report's.

``python -m exercises --table`` prints it from ``exercises/gallery``; `exercises/README.md` has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from exercises import timing
from exercises.catalogue import EXERCISES, short_name
from exercises.timing import GALLERY

Numbers = dict[str, Any]
PIXELS = "pixels in [-1, 1]"

# By figure: what was measured, the report's number, and ours as it stands in the figure's JSON.
MEASURED: dict[str, tuple[tuple[str, str, Callable[[Numbers], str]], ...]] = {
    "ex00_mistakes": (
        (
            "mistakes that the gradient checker names", "–",
            lambda n: f"{_count(n, 'named')} of {len(n) - 1}",
        ),
        ("that the loss curve betrays", "–", lambda n: _count(n, "told_by_the_loss")),
    ),
    "ex01_fig2": (
        (f"test MSE after 10 epochs, {PIXELS}", ".1600", lambda n: f"{n['test_mse_[-1,1]']:.4f}"),
        ("the same, 1e-3 with cosine decay", "–", lambda n: f"{n['extra_test_mse_[-1,1]']:.4f}"),
    ),
    "ex01_dead_starts": (
        ("of 200 starts, with a dead code number", "–", lambda n: _dead(n["Glorot, bias 0"])),
        ("of 20, after 150 iterations", "–", lambda n: _dead(n["Glorot, after 150 iterations"])),
    ),
    "ex01_gradient_flow": (
        (
            "gradient norm, first over last layer, at the start; after training", "–",
            lambda n: "; ".join(_first_over_last(n[when])
                                for when in ("at the start", "after training")),
        ),
    ),
    "ex02_fig3": (
        (
            "codes clipped at zero, by axis", "“some clusters”",
            lambda n: " and ".join(f"{100 * s:.1f} %" for s in n["test"]["share_exactly_0"]),
        ),
    ),
    "ex02_overlap": (
        ("mean silhouette of the digits", "–", lambda n: f"{n['silhouette_mean']:+.3f}"),
    ),
    "ex03_table1": (
        (
            "mean accuracy, first 1,000 test images", "42.8 %",
            lambda n: f"{n['macro_percent_first_1000']:.1f} %",
        ),
        ("all 10,000", "–", lambda n: f"{n['macro_percent_first_10000']:.1f} %"),
        ("right by chance, of 1,000", "430", lambda n: f"{n['chance']['hits']:.1f}"),
    ),
    "ex04_fig4": (("test cross-entropy", ".0496", lambda n: f"{n['test_loss']:.4f}"),),
    "ex04_table": (("test accuracy", "97.8 %", lambda n: f"{n['accuracy_percent']:.2f} %"),),
    "ex04_capacity": (
        (
            "validation accuracy, 4 / 16 / 64 filters", "–",
            lambda n: " / ".join(
                f"{100 * n[f'{k} filters']['validation accuracy']:.1f}" for k in (4, 16, 64)
            ) + " %",
        ),
    ),
    "ex05_tiles": (
        ("digits read with confidence > .9", "5", lambda n: str(len(n["digits_covered"]))),
    ),
    "ex06_table": (
        (f"MSE of the autoencoder, {PIXELS}", "–",
         lambda n: f"{n['autoencoder of noisy']['mse_[-1,1]']:.4f}"),
        ("of PCA with two components", "–", lambda n: f"{n['PCA-2 of noisy']['mse_[-1,1]']:.4f}"),
    ),
    "ex07_fig7": ((f"test MSE, {PIXELS}", "–", lambda n: f"{n['test_mse_[-1,1]']:.4f}"),),
    "ex07_fig8": (
        ("SSE + 2.56 KL after 30 epochs", "about 201, in other units",
         lambda n: f"{n['test_total']:.2f}"),
    ),
    "ex07_fig9": (
        ("nats from the codes to the prior; autoencoder's", "–",
         lambda n: f"{n['vae']['kl_to_prior']:.3f}; {n['autoencoder']['kl_to_prior']:.1f}"),
    ),
    "ex07_comparison": (
        ("digits read with confidence > .9", "–",
         lambda n: str(len(n["VAE, extent of codes"]["digits_covered"]))),
        ("1-NN on the codes, mean accuracy", "–",
         lambda n: f"{n['VAE, extent of codes']['1-NN_macro_percent']:.1f} %"),
    ),
    "ex07_nats": (
        ("negative ELBO at 28x28, nats", "147 to 155 elsewhere",
         lambda n: f"{n['28 x 28']['negative_elbo']:.1f}"),
    ),
    "ex08_table": (
        (f"MSE of the VAE of noisy digits, {PIXELS}", "–",
         lambda n: _denoised(n, "VAE-16 of noisy")),
        ("of MAP with the same decoder", "“better”", lambda n: _denoised(n, "MAP")),
    ),
    "ex08_fig13": (
        (f"objective of ten digits, {PIXELS}", "3370",
         lambda n: f"{n['adam_start_and_end_[-1,1]'][1]:.0f}"),
    ),
    "ex08_inpainting": (
        (f"MSE of an unseen lower half, {PIXELS}", "–",
         lambda n: f"{n['mse_of_unseen_pixels_[-1,1]_lower half']:.3f}"),
    ),
    "beta_vae_ae": (
        ("test MSE", ".0035 to .0056", lambda n: f"{n['test_mse']:.4f}"),
        ("samples that a classifier accepts", "–", lambda n: _accepted(n["samples_of_N(0, I)"])),
    ),
    "beta_vae_0": (("KL, nats", "“keeps rising”", lambda n: f"{n['kl']:.0f}"),),
    "beta_vae_10": (
        ("MSE of a sampled code", "“blurred”", lambda n: f"{n['test_mse_sampled']:.4f}"),
    ),
    "beta_vae_sweep": (("beta that the rule picks", "0.1", lambda n: f"{n['chosen_beta']:g}"),),
    "beta_vae_chosen": (("samples that a classifier accepts", "“clear”", lambda n: _accepted(n)),),
    "beta_vae_smoothness": (
        ("confidence half way, VAE; autoencoder", "“smoother”",
         lambda n: f"{n['VAE, beta 0.05']['confidence']:.3f}; {n['AE']['confidence']:.3f}"),
    ),
    "beta_vae_downstream": (
        ("linear probe, 100 labels, VAE; autoencoder", "“more reliable”",
         lambda n: "; ".join(f"{100 * n[f'linear probe, {net}, 100 labels']['accuracy']:.1f} %"
                             for net in ("VAE, beta 0.05", "AE"))),
    ),
    "loss_terms": (
        ("KL with reconstruction only; both", "–",
         lambda n: f"{n['reconstruction only']['kl']:.1f}; {n['both']['kl']:.1f}"),
    ),
    "pca_linear": (
        ("MSE over PCA's, linear", "1", lambda n: f"{n['linear']['train_mse_ratio']:.4f}"),
        ("with a sigmoid at the output", "–",
         lambda n: f"{n['sigmoid output, BCE']['train_mse_ratio']:.3f}"),
    ),
    "pca_scatters": (
        ("1-NN on the VAE's codes of clothes", "–",
         lambda n: f"{n['VAE']['1-NN_macro_percent']:.1f} %"),
    ),
    "fashion_vae_loss": (
        ("SSE + 5 KL after 20 epochs", "42.3",
         lambda n: f"{n['Fashion-MNIST']['train']['total']:.2f}"),
    ),
    "fashion_vae_classes": (
        ("1-NN on the codes, Fashion-MNIST; MNIST", "“not quite as nicely”",
         lambda n: "; ".join(f"{n[s]['VAE']['1-NN_macro_percent']:.1f} %"
                             for s in ("Fashion-MNIST", "MNIST"))),
    ),
    "separation_train": (
        ("error, of that of the average itself", "–", lambda n: f"{100 * n['ratio']:.0f} %"),
    ),
    "separation_test": (
        ("the same, on images never seen", "“not as good”", lambda n: f"{100 * n['ratio']:.0f} %"),
    ),
    "separation_table": (
        ("on training images, autoencoder; VAE", "“a little”; “poor”",
         lambda n: "; ".join(f"{100 * n[net]['train']['ratio']:.0f} %"
                             for net in ("autoencoder", "VAE"))),
    ),
    "separation_more_data": (
        ("on images never seen, 100; 9,360 to learn from", "“better”",
         lambda n: "; ".join(f"{100 * n['scores'][k]['test']['ratio']:.0f} %"
                             for k in ("100", "9360"))),
    ),
}  # fmt: skip


def _dead(starts: Numbers) -> str:
    return str(starts["one dead"] + starts["both dead"])


def _count(mistakes: Numbers, what: str) -> str:
    return str(sum(found[what] for name, found in mistakes.items() if name != "right"))


def _first_over_last(numbers: Numbers) -> str:
    norms = list(numbers["parameter_gradient_norm"].values())
    return f"{norms[0] / norms[-1]:.2g}"


def _denoised(numbers: Numbers, method: str) -> str:
    return f"{numbers['mse_[-1,1]'][f'{method}, w = 2.56']:.4f}"


def _accepted(numbers: Numbers) -> str:
    return f"{100 * numbers['accepted_share']:.1f} %"


def table() -> str:
    """The table in Markdown. The minutes are those of the whole command, training included.

    Raises
    ------
    FileNotFoundError
        If the gallery's figures are not there; they are no part of an installed package.
    """
    if not any(GALLERY.glob("*.png")):
        raise FileNotFoundError(
            "the figures of exercises/gallery are not part of an installed package; run this in a "
            "checkout of the repository."
        )
    seconds = timing.read("full")["seconds"]
    lines = [
        "| figure | command | minutes | measured | here | report |",
        "|---|---|---:|---|---:|---:|",
    ]
    for module, figures in EXERCISES:
        name = short_name(module)
        command, minutes = f"`{name}`", f"{seconds[name] / 60:.1f}"
        for figure in figures:
            record = json.loads((GALLERY / f"{figure}.json").read_text(encoding="utf-8"))
            link = f"[{record['title']}](gallery/{figure}.png)"
            for what, theirs, ours in MEASURED.get(figure, (("", "", lambda n: ""),)):
                cells = (link, command, minutes, what, ours(record["numbers"]), theirs)
                lines.append(f"| {' | '.join(cells)} |")
                link = command = minutes = ""
    return "\n".join(lines)

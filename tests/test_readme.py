"""The README says what is so."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
GALLERY = CHECKOUT / "exercises" / "gallery"


def block(language, number=0):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


def test_example_prints_what_the_readme_prints():
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block("python"), "README.md", "exec"), {})
    said, measured = (
        float(re.match(r"([\d.]+)% of 1000 test digits right", text)[1])
        for text in (block("text"), output.getvalue())
    )
    assert measured == pytest.approx(said, abs=0.5)  # the last bits depend on the CPU


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (CHECKOUT / link).exists(), link


def test_two_setup_commands():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rsplit(" ", 1)[1] for command in commands] == ["exercises", "pytest"]


def gallery_numbers(name):
    return json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))["numbers"]


def test_results_are_those_of_the_gallery():
    curves, table = gallery_numbers("ex01_fig2"), gallery_numbers("ex03_table1")
    starts = gallery_numbers("ex01_dead_starts")
    classifier, tiles = gallery_numbers("ex04_table"), gallery_numbers("ex05_tiles")
    loss, plane = gallery_numbers("ex07_fig8"), gallery_numbers("ex07_comparison")
    vae, search = plane["VAE, extent of codes"], gallery_numbers("ex08_fig13")
    denoised = gallery_numbers("ex08_table")["mse_[-1,1]"]
    copier, sweep = gallery_numbers("beta_vae_ae"), gallery_numbers("beta_vae_sweep")
    collapsed = gallery_numbers("beta_vae_10")["test_mse_sampled"] / copier["mean_image_test_mse"]
    accepted = [
        100 * numbers["accepted_share"]
        for numbers in (gallery_numbers("beta_vae_chosen"), sweep["autoencoder"])
    ]
    linear, clothes = gallery_numbers("pca_linear")["linear"], gallery_numbers("pca_scatters")
    fashion = gallery_numbers("fashion_vae_loss")["Fashion-MNIST"]["train"]["total"]
    separated = {
        (method, which): f"{100 * found[which]['ratio']:.0f} %"
        for method, found in gallery_numbers("separation_table").items()
        for which in ("train", "test")
    }
    dead, later = starts["Glorot, bias 0"], starts["Glorot, after 150 iterations"]
    rows = {
        "Fig 2, test MSE after 10 epochs": f"{curves['test_mse_[-1,1]']:.4f}",
        "the same, 1e-3 with cosine decay": f"{curves['extra_test_mse_[-1,1]']:.4f}",
        "Table I, mean accuracy, first 1,000": f"{table['macro_percent_first_1000']:.1f} %",
        "Table I, mean accuracy, all 10,000": f"{table['macro_percent_first_10000']:.1f} %",
        "right by chance, of 1,000": f"{table['chance']['hits']:.1f}",
        "starts with a dead code number, of 200": str(dead["one dead"] + dead["both dead"]),
        "the same after 150 iterations, of 20": str(later["one dead"] + later["both dead"]),
        "classifier, test accuracy": f"{classifier['accuracy_percent']:.2f} %",
        "digits read on Fig 5": str(len(tiles["digits_covered"])),
        "SSE + 2.56 KL after 30 epochs": f"{loss['test_total']:.2f}",
        "digits read on Fig 10": str(len(vae["digits_covered"])),
        "1-NN on the VAE's codes, mean": f"{vae['1-NN_macro_percent']:.1f} %",
        "ELBO at 28x28": f"{gallery_numbers('ex07_nats')['28 x 28']['negative_elbo']:.1f}",
        "VAE of noisy digits": f"{denoised['VAE-16 of noisy, w = 2.56']:.4f}",
        "MAP with the same decoder": f"{denoised['MAP, w = 2.56']:.4f}",
        "MAP objective of ten digits": f"{search['adam_start_and_end_[-1,1]'][1]:.0f}",
        "`beta_vae` |": f"{copier['test_mse']:.4f}",
        "MSE at beta 10": f"{collapsed:.3f}",
        "`beta_vae_sweep` |": f"{sweep['chosen_beta']:g}",
        "its samples that a classifier accepts": f"{accepted[0]:.1f} %",
        "those of the autoencoder": f"{accepted[1]:.1f} %",
        "MSE of the linear one": f"{linear['train_mse_ratio']:.4f}",
        "1-NN on the VAE's codes of clothes": f"{clothes['VAE']['1-NN_macro_percent']:.1f} %",
        "SSE + 5 KL after 20 epochs": f"{fashion:.2f}",
        "its error on training images": separated["U-Net", "train"],
        "on images never seen |": separated["U-Net", "test"],
        "the autoencoder's error": separated["autoencoder", "train"],
        "| the VAE's |": separated["VAE", "train"],
    }
    for name, measured in rows.items():
        (line,) = [line for line in README.splitlines() if name in line]
        assert line.rstrip(" |").endswith(f"| {measured}"), line

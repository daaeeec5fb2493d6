"""Run every exercise and write the report page: ``python -m exercises``."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from exercises import (
    beta_vae,
    beta_vae_betas,
    beta_vae_downstream,
    beta_vae_interpolation,
    beta_vae_sweep,
    ex01_autoencoder,
    ex01b_dead_starts,
    ex02_latent_space,
    ex03_nearest_neighbour,
    ex04_classifier,
    ex04b_capacity,
    ex05_generator,
    ex06_denoising,
    ex07_vae,
    ex07b_latent_space,
    ex07c_nats,
    ex08_denoising,
    ex08b_map,
    fashion_vae,
    fashion_vae_latents,
    image_separation,
    image_separation_methods,
    image_separation_more_data,
    loss_terms,
    pca_ae_vae,
    pca_linear,
)
from exercises.common import Settings, add_flags, run_stoppable, to_settings
from exercises.report import write_report

# Each exercise with the figures that it writes, in the order of the report page.
EXERCISES = (
    (ex01_autoencoder, ("ex01_fig1", "ex01_fig2")),
    (ex02_latent_space, ("ex02_fig3", "ex02_overlap")),
    (ex03_nearest_neighbour, ("ex03_table1",)),
    (ex04_classifier, ("ex04_fig4", "ex04_table")),
    (ex04b_capacity, ("ex04_capacity",)),
    (ex05_generator, ("ex05_fig5", "ex05_tiles")),
    (ex06_denoising, ("ex06_fig6", "ex06_table")),
    (ex07_vae, ("ex07_fig7", "ex07_fig8")),
    (ex07b_latent_space, ("ex07_fig9", "ex07_fig10", "ex07_comparison")),
    (ex07c_nats, ("ex07_nats",)),
    (ex08_denoising, ("ex08_fig11", "ex08_table")),
    (ex08b_map, ("ex08_fig12", "ex08_fig13", "ex08_beta", "ex08_inpainting")),
    (ex01b_dead_starts, ("ex01_dead_starts",)),
    (beta_vae, ("beta_vae_ae",)),
    (
        beta_vae_betas,
        ("beta_vae_0", "beta_vae_10", "beta_vae_0_1", "beta_vae_0_01", "beta_vae_0_2"),
    ),
    (beta_vae_sweep, ("beta_vae_sweep", "beta_vae_chosen")),
    (beta_vae_interpolation, ("beta_vae_interpolation", "beta_vae_smoothness")),
    (beta_vae_downstream, ("beta_vae_downstream",)),
    (loss_terms, ("loss_terms",)),
    (pca_linear, ("pca_linear",)),
    (pca_ae_vae, ("pca_ae_grid", "pca_vae_grid", "pca_scatters")),
    (fashion_vae, ("fashion_vae_loss", "fashion_vae_reconstructions")),
    (
        fashion_vae_latents,
        ("fashion_vae_samples", "fashion_vae_traversals", "fashion_vae_classes"),
    ),
    (image_separation, ("separation_train", "separation_test")),
    (image_separation_methods, ("separation_table",)),
    (image_separation_more_data, ("separation_more_data",)),
)
GALLERY = Path(__file__).with_name("gallery")
GALLERY_BYTES = 150_000


def run_all(settings: Settings) -> list[str]:
    """Run all exercises; the names of all figures."""
    names: list[str] = []
    for module, figures in EXERCISES:
        module.run(settings)
        names += figures
    print(f"  {write_report(settings.out, names)}: all figures on one page", flush=True)
    return names


def fill_gallery(folder: Path, names: list[str]) -> None:
    """Copy the figures and their numbers to ``exercises/gallery``.

    Raises
    ------
    ValueError
        If a picture is too large to be committed.
    """
    for name in names:
        size = (folder / f"{name}.png").stat().st_size
        if size > GALLERY_BYTES:
            raise ValueError(f"{name}.png has {size:,} bytes; the gallery takes {GALLERY_BYTES:,}.")
    GALLERY.mkdir(exist_ok=True)
    for name in names:
        for ending in (".png", ".json"):
            shutil.copy(folder / f"{name}{ending}", GALLERY)
    print(f"  {GALLERY.name}: refreshed with {len(names)} figures")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_flags(parser)
    parser.add_argument(
        "--gallery",
        action="store_true",
        help="also refresh exercises/gallery, from a run on the full data",
    )
    options = parser.parse_args()
    settings = to_settings(parser, options)
    if options.gallery:
        if (
            settings != Settings(data=settings.data, out=settings.out)
            or settings.data == "embedded"
        ):
            parser.error("--gallery shows the default run on the full data; give only --out.")
        settings = replace(settings, data="full")

    def work() -> None:
        names = run_all(settings)
        if options.gallery:
            fill_gallery(settings.out, names)

    run_stoppable(work)


if __name__ == "__main__":
    main()

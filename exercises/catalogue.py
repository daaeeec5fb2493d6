"""All exercises in the order of the report page, each with the figures that it writes."""

from __future__ import annotations

from types import ModuleType

from exercises import (
    beta_vae,
    beta_vae_betas,
    beta_vae_downstream,
    beta_vae_interpolation,
    beta_vae_sweep,
    ex00_backprop,
    ex01_autoencoder,
    ex01b_dead_starts,
    ex01c_inside,
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

EXERCISES = (
    (ex00_backprop, ("ex00_backprop", "ex00_mistakes")),
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
    (ex01c_inside, ("ex01_inside", "ex01_gradient_flow")),
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
FIGURES = tuple(name for _, names in EXERCISES for name in names)


def short_name(module: ModuleType) -> str:
    """The exercise as it is called in ``python -m exercises.<name>``."""
    return module.__name__.removeprefix("exercises.")


def first_line(module: ModuleType) -> str:
    """What the exercise is about, in a sentence."""
    return (module.__doc__ or "").split("\n", 1)[0]

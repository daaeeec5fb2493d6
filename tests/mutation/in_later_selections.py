"""Mistakes in which of several nets, sets, orders or seeds is chosen, from exercise 6 on."""

from tests.mutation.mutants import Mutant

CHOSEN = "exercises/test_selections.py"


def _in(file: str, *pairs: tuple[str, str]) -> list[Mutant]:
    return [Mutant(f"exercises/{file}.py", old, new, CHOSEN) for old, new in pairs]


MUTANTS = [
    *_in(
        "ex06_denoising",
        ("data.x_train, data.x_test, noisy(settings))",
         "data.x_test, data.x_test, noisy(settings))"),
        ("AE_CLEAN: predict(model, clean)", "AE_CLEAN: predict(model, np.clip(x_noisy, 0, 1))"),
    ),
    *_in(
        "ex08_denoising",
        ("x, clean = noisy(settings)[ten], data.x_test[ten]",
         "x, clean = noisy(settings)[:10], data.x_test[:10]"),
    ),
    *_in(
        "ex08b_map",
        ("noisy(settings)[ten], data.x_test[ten], predict",
         "noisy(settings)[:10], data.x_test[:10], predict"),
        ("clean = mnist32(settings).x_test[ten]", "clean = mnist32(settings).x_test[:10]"),
        ("20 if settings.quick else 300", "300 if settings.quick else 20"),
    ),
    *_in(
        "beta_vae",
        ("elbo_terms(model, watched, stream", "elbo_terms(model, data.x_test, stream"),
        ('stream(0, "beta-VAE", "elbo")', "np.random.default_rng()"),
        ("above(data.x_test[ten], outputs[ten])", "above(data.x_test[:10], outputs[:10])"),
        ("image_sheet(axis, images[:16], 4", "image_sheet(axis, prior[:16, :1, None, None], 4"),
        ('stream(settings.seed, "codes of the prior")', 'stream(0, "codes of the prior")'),
    ),
    *_in(
        "beta_vae_betas",
        ("*LONG).epochs > recipe(settings, *BRIEF).epochs",
         "*LONG).epochs >= recipe(settings, *BRIEF).epochs"),
    ),
    *_in(
        "beta_vae_interpolation",
        ("trained_vae(settings, beta, long=True)[0]", "trained_vae(settings, beta, long=False)[0]"),
        ('"AE": (ae.decoder, predict(ae.encoder, x))',
         '"AE": (vae.decoder, predict(ae.encoder, x))'),
        ('answer(walks, numbers["VAE_minus_AE_with_interval"])',
         'answer(dict(reversed(walks.items())), numbers["VAE_minus_AE_with_interval"])'),
        ("x, beta = mnist28(settings).x_test, chosen",
         "x, beta = mnist28(settings).x_train, chosen"),
    ),
    *_in(
        "fashion_vae",
        ("mosaic(axis, interleaved(x, y))", "mosaic(axis, interleaved(y, x))"),
    ),
    *_in(
        "fashion_vae_latents",
        ("return means(model, data.x_train), means(model, data.x_test)",
         "return means(model, data.x_train), means(model, data.x_train)"),
        ("separation(p_train, data.y_train, p, data.y_test)",
         "separation(z_train, data.y_train, z, data.y_test)"),
        ("trained(settings, name)[0], SETS[name](settings)",
         'trained(settings, name)[0], SETS["MNIST"](settings)'),
    ),
    *_in(
        "fashion_vae_latents",
        ("[per_class[y == label].mean() for", "[per_class[y == label].max() for"),
    ),
    *_in(
        "pca_ae_vae",
        ('"AE, ReLU": autoencoder(settings, pca_linear.BOTH).decoder',
         '"AE, ReLU": autoencoder(settings, pca_linear.SIGMOID).decoder'),
        ("sigmoid(decode(decoder, grid))", "decode(decoder, grid)"),
    ),
    *_in(
        "image_separation",
        ("halves(data.x_train, data.y_train, 100 if", "halves(data.x_test, data.y_test, 100 if"),
        ("100 if settings.quick else IMAGES)", "IMAGES if settings.quick else 100)"),
        ("{pairs * recipe(settings, full).epochs:,}", "{recipe(settings, full).epochs:,}"),
    ),
]  # fmt: skip

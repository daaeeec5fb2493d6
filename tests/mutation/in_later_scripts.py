"""Mistakes in which images, codes, models and starts the figures from exercise 6 on rest on."""

from tests.mutation.mutants import Mutant

DENOISING, MAP = "exercises/test_numbers_denoising.py", "exercises/test_measures_of_map.py"
BETA, CLOTHES = "exercises/test_figures_of_beta.py", "exercises/test_figures_of_clothes.py"
PAIRS, PLANES = "exercises/test_figures_of_separation.py", "exercises/test_numbers_planes.py"


def _in(file: str, tests: str, *pairs: tuple[str, str]) -> list[Mutant]:
    return [Mutant(f"exercises/{file}.py", old, new, tests) for old, new in pairs]


MUTANTS = [
    *_in(
        "ex06_denoising",
        DENOISING,
        ("encoder, images[NOISY])", "encoder, images[CLIPPED])"),
        ("code_shift(moved, clean_codes, train_codes,", "code_shift(moved, clean_codes, moved,"),
        ('"accuracy": accuracies[name]', '"accuracy": accuracies[CLEAN]'),
        ("rows[name] |= {", "rows[CLEAN] |= {"),
    ),
    *_in(
        "ex07b_latent_space",
        DENOISING,
        ("return means(model, data.x_train), means(model, data.x_test)",
         "return means(model, data.x_test), means(model, data.x_train)"),
        ("(shape_of(c[1]) for c in (ex02", "(shape_of(c[1]) for c in (codes(settings), ex02"),
        ('"vae": shape_of(test)', '"vae": shape_of(ex02_latent_space.codes(settings)[1])'),
        ("list(results.values())[:2]", "list(results.values())[1:]"),
    ),
    *_in(
        "ex07c_nats",
        DENOISING,
        ("nats(model, x_test, rng)", "nats(model, x_train, rng)"),
    ),
    *_in(
        "ex08_denoising",
        MAP,
        ("pca(data.x_train, k)", "pca(data.x_test, k)"),
        ("for k in (16, 32):", "for k in (32, 32):"),
        ("noisy(settings)[:IMAGES]", "noisy(settings)"),
        ("code_shift(model, noisy(settings), data.x_test)",
         "code_shift(control, noisy(settings), data.x_test)"),
        ('("control", predict(control, x))', '("control", predict(model, x))'),
    ),
    *_in(
        "ex08b_map",
        DENOISING,
        ("standard_normal((1, 10, LATENT)", "standard_normal((2, 10, LATENT)"),
        ("solver=solver,", 'solver="adam",'),
        ('searched(settings), searched(settings, "lbfgs")',
         'searched(settings, "lbfgs"), searched(settings)'),
        ("search_numbers(adam, lbfgs, noisy(settings)[0].size)",
         "search_numbers(adam, lbfgs, noisy(settings).size)"),
        ("noisy(settings)[ten_digits(mnist32(settings))]", "noisy(settings)[:10]"),
    ),
    *_in(
        "beta_vae",
        BETA,
        ("predict(model.encoder, data.x_train), prior_codes",
         "predict(model.encoder, data.x_test), prior_codes"),
        ('"test_mse": squared_error(outputs, data.x_test)',
         '"test_mse": squared_error(outputs, data.x_train[: len(outputs)])'),
        ('"reconstructions": sample_quality(settings, outputs)',
         '"reconstructions": sample_quality(settings, data.x_test)'),
        ('"N(0, I)": predict(model.decoder, prior)', '"N(0, I)": predict(model.decoder, codes)'),
    ),
    *_in(
        "beta_vae_betas",
        BETA,
        ("trained_vae(settings, beta, long)\n    title", "trained_vae(settings, beta)\n    title"),
        ('| {"kl_weight": kl_weight(beta)}', '| {"kl_weight": beta}'),
        ("for code in (mu, z))\n    image_sheet", "for code in (z, mu))\n    image_sheet"),
        ("explain_high if beta == 10 else", "explain_high if beta == 1 else"),
        ("without_price(numbers, squared_error(predict(model, x), x), longer)",
         "without_price(numbers, mean_image_mse(settings), longer)"),
        ("measured(settings, 0), measured(settings, 10)",
         "measured(settings, 10), measured(settings, 0)"),
    ),
    *_in(
        "beta_vae_sweep",
        BETA,
        ("THEIRS[0.1], [], long=True)", "THEIRS[0.1], [])"),
        ("measured(settings, best, long=True)", "measured(settings, best)"),
        ("predict(decoder, prior_codes(settings))",
         "predict(trained_ae(settings)[0], mnist28(settings).x_test)"),
    ),
    *_in(
        "beta_vae_interpolation",
        BETA,
        ("along(z[[a]], z[[b]], t)", "along(z[[b]], z[[a]], t)"),
        ("cells += [x[a], *images, x[b]", "cells += [x[b], *images, x[a]"),
        ("np.stack(cells[:-1])", "np.stack(cells[1:])"),
    ),
    *_in(
        "fashion_vae",
        CLOTHES,
        ('"train": parts_of_the_loss(model, data.x_train)',
         '"train": parts_of_the_loss(model, data.x_train[:MEASURED])'),
        ("data.x_test[: ROWS * COLUMNS]", "data.x_train[: ROWS * COLUMNS]"),
        ("data = SETS[name](settings)\n        numbers",
         "data = fashion(settings)\n        numbers"),
    ),
    *_in(
        "fashion_vae_latents",
        CLOTHES,
        ("by_variance(codes(settings, name)[1])", "by_variance(codes(settings, name)[0])"),
        ("draw(settings, name, traversal(order))",
         "draw(settings, name, traversal(np.arange(LATENT)))"),
    ),
    *_in(
        "loss_terms",
        CLOTHES,
        ("np.median(np.exp(logvar / 2))", "np.exp(logvar / 2).mean()"),
        ("class_separation(means(model, data.x_train), data.y_train,",
         "class_separation(means(model, data.x_test), data.y_test,"),
        ("mean_image = data.x_test[0].size *", "mean_image ="),
        ("standard_normal((len(data.x_test), 2))", "standard_normal((len(data.x_train), 200))"),
    ),
    *_in(
        "pca_linear",
        PLANES,
        ("squared_error(images(model, variant, x), x)", "squared_error(predict(model, x), x)"),
    ),
    *_in(
        "pca_ae_vae",
        PLANES,
        ("predict(autoencoder(settings, pca_linear.BOTH).encoder, x)",
         "predict(autoencoder(settings, pca_linear.RELU).encoder, x)"),
    ),
    *_in(
        "image_separation",
        PAIRS,
        ("draw_pairs(sets(settings)[which],", 'draw_pairs(sets(settings)["test"],'),
        ('plan, seen, images["train"], images["test"]',
         'plan, seen, images["train"], images["train"]'),
        ("return Pixels(learned) if full", "return Pixels(learned) if not full"),
        ("if isinstance(model, VAE) else", "if not isinstance(model, VAE) else"),
        ('"pairs to evaluate", which)', '"pairs to evaluate")'),
        ("EPOCHS_ON_CLOTHES if clothes else EPOCHS", "EPOCHS if clothes else EPOCHS_ON_CLOTHES"),
    ),
    *_in(
        "image_separation_methods",
        PAIRS,
        ('untrained(sets(settings)["train"], average)',
         "untrained(sets(settings)[which], average)"),
    ),
    *_in(
        "image_separation_more_data",
        PAIRS,
        ('error_of_the_average(results[sizes[0]][0]["test"])',
         'error_of_the_average(results[sizes[0]][0]["train"])'),
        ("else replace(longer, epochs=EPOCHS)", "else longer"),
    ),
    *_in(
        "image_separation_training",
        PAIRS,
        ("pairs(unseen, WATCHED_PAIRS,", "pairs(sets, WATCHED_PAIRS,"),
        ("return view.look(average), view.target(both)",
         "return view.look(both), view.target(both)"),
        ("64 if settings.quick else PAIRS", "PAIRS"),
    ),
    *_in(
        "image_separation_view",
        PAIRS,
        ("SMALLEST**2 * variances[-1]", "SMALLEST * variances[-1]"),
        ("v / np.sqrt(variances[kept])", "v / variances[kept]"),
    ),
]  # fmt: skip

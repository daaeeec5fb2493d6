"""A sample of the exercises' lines, drawn by lot, with a mistake in each or beside it."""

from tests.mutation.mutants import Mutant

AUTOENCODER = "exercises/test_figures_of_autoencoder.py exercises/test_measures.py"
CODES = "exercises/test_figures_of_codes.py exercises/test_measures_of_codes.py"
CLASSIFIER = "exercises/test_figures_of_classifier.py exercises/test_measures_of_codes.py"
BETA = (
    "exercises/test_answers.py exercises/test_drawings_of_beta.py "
    "exercises/test_figures_of_beta.py exercises/test_numbers_beta_vae.py "
    "exercises/test_selections.py exercises/test_trainings.py"
)
PLANES = (
    "exercises/test_answers.py exercises/test_drawings_of_planes.py "
    "exercises/test_numbers_planes.py exercises/test_selections.py"
)
CLOTHES = (
    "exercises/test_drawings_of_planes.py exercises/test_fashion_vae.py "
    "exercises/test_figures_of_clothes.py exercises/test_numbers_planes.py"
)
DRAWINGS = "exercises/test_drawings.py exercises/test_measures_of_images.py"
MAP = (
    "exercises/test_answers.py exercises/test_drawings.py exercises/test_measures_of_map.py "
    "exercises/test_numbers_denoising.py exercises/test_selections.py"
)
BACKPROP = "exercises/test_ex00_by_hand.py exercises/test_ex00_backprop.py"
TRAININGS, MEASURES = "exercises/test_trainings.py", "exercises/test_measures.py"

EX00, TRAINING = "exercises/ex00_backprop.py", "exercises/ex00_training.py"
COMPARISON, EX01 = "exercises/ex00_comparison.py", "exercises/ex01_autoencoder.py"
EX02, EX03, EX04 = (
    "exercises/ex02_latent_space.py",
    "exercises/ex03_nearest_neighbour.py",
    "exercises/ex04_classifier.py",
)
EX06, EX07, EX08B = (
    "exercises/ex06_denoising.py",
    "exercises/ex07_vae.py",
    "exercises/ex08b_map.py",
)
FASHION, LATENTS = "exercises/fashion_vae.py", "exercises/fashion_vae_latents.py"
CANVAS, CAPACITY = "exercises/pca_ae_vae.py", "exercises/ex04b_capacity.py"

MUTANTS = [
    Mutant(EX01, "ReLU(), MaxPooling2D((2, 1))", "ReLU(), MaxPooling2D((1, 2))", AUTOENCODER),
    Mutant(COMPARISON, "axes.flat[len(found) :]:", "axes.flat[len(found) + 1 :]:", BACKPROP),
    Mutant(EX02, 'numbers["silhouette_per_digit"], numbers["confusion_rows_true"]',
           'numbers["silhouette_per_digit"], numbers["confusion_rows_true"].T', CODES),
    Mutant(CANVAS, '{**measured, "vae_test_nats": nats}', "measured", PLANES),
    Mutant("exercises/fingerprint.py", "(function.__code__, function.__doc__)",
           "(function.__code__, None)", "exercises/test_trained.py"),
    Mutant(EX01, "*(Conv2D(16, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x 16",
           "*(Conv2D(8, 3), ReLU(), MaxPooling2D(2)),  # 8 x 8 x 16", AUTOENCODER),
    Mutant("exercises/ex08_denoising.py", "(_, low, _) in differences.items() if low > 0",
           "(low, _, _) in differences.items() if low > 0", MAP),
    Mutant(FASHION, '"train": data.x_train[:MEASURED]', '"train": data.x_train', CLOTHES),
    Mutant(COMPARISON, '"wrong": {"steps": finding.outcome.steps,',
           '"wrong": {"steps": right.runs[0].steps,',
           BACKPROP),
    Mutant(EX03, "report, {REPORT.mean():.1f} %", "report, {COURSE.mean():.1f} %", CODES),
    Mutant("exercises/explore.py", '        default="vae",\n', '        default="autoencoder",\n',
           "exercises/test_explore_by_hand.py exercises/test_explore.py"),
    Mutant(FASHION, "for i in (0, -1))", "for i in (1, -1))", CLOTHES),
    Mutant(EX08B, '    axis.legend(fontsize=8)\n    page = Page(\n        "ex08_fig13"',
           '    page = Page(\n        "ex08_fig13"', MAP),
    Mutant(TRAINING, "ends.std(ddof=1)", "ends.std()", BACKPROP),
    Mutant(CAPACITY, "max(len(values) - 1 - best, 1)", "max(len(values) - best, 1)", CLASSIFIER),
    Mutant("exercises/ex01c_inside.py", "ten_digits(data)[DIGIT]", "ten_digits(data)[0]",
           "exercises/test_ex01c_inside.py exercises/test_figures_of_inside.py"),
    Mutant("exercises/beta_vae.py", "recipe(settings, *LONG)\n    watched",
           "recipe(settings, *BRIEF)\n    watched", BETA),
    Mutant(EX07, "    ten = ten_digits(data)\n    outputs", "    ten = range(10)\n    outputs",
           DRAWINGS),
    Mutant(EX00, "    with reference_kernels():\n        show_symptoms",
           "    if True:\n        show_symptoms", BACKPROP),
    Mutant(EX07, "(1 if settings.quick else 30), cosine=True)", "(1 if settings.quick else 30))",
           TRAININGS),
    Mutant(EX04, "    data, validation = split(settings)\n    model",
           "    validation, data = split(settings)\n    model", CLASSIFIER),
    Mutant(EX06, "for name in (AE_NOISY, PCA_NOISY))\n    return SIGNED",
           "for name in (AE_CLEAN, PCA_NOISY))\n    return SIGNED", f"{MAP} {DRAWINGS}"),
    Mutant("exercises/measures.py", '"mse_per_image_[0,1]": errors[shown]',
           '"mse_per_image_[0,1]": SIGNED * errors[shown]', MEASURES),
    Mutant("exercises/explore.py", "        self.timer.stop()\n        self.search = None",
           "        self.search = None",
           "exercises/test_explore_by_hand.py exercises/test_explore.py"),
    Mutant(LATENTS, "draw(settings, name, z)", 'draw(settings, "MNIST", z)', CLOTHES),
    Mutant(EX06, "squared_errors(x, images[CLEAN]).mean()",
           "squared_errors(x, images[NOISY]).mean()",
           f"{MAP} {DRAWINGS}"),
    Mutant("exercises/ex01b_dead_starts.py", "[last_bias][...] = 0.1", "[last_bias][...] = 0.01",
           AUTOENCODER),
    Mutant("exercises/image_separation_more_data.py", "{str(n): h.loss for",
           "{str(n): h.validation_loss for",
           "exercises/test_answers.py exercises/test_figures_of_separation.py "
           "exercises/test_drawings_of_planes.py exercises/test_numbers_separation.py"),
    Mutant("exercises/beta_vae_sweep.py", "max(fit, key=lambda beta: score(rows[beta]))",
           "max(fit)", BETA),
    Mutant("exercises/__main__.py", "        if options.gallery:\n            fill",
           "        if True:\n            fill",
           "exercises/test_timing.py exercises/test_exercises.py"),
    Mutant(CANVAS, "xlim=limits[0], ylim=limits[1]", "xlim=limits[1], ylim=limits[0]", PLANES),
    Mutant(FASHION, "value in parts_of_the_loss(model, x).items()",
           "value in parts_of_the_loss(model, data.x_test).items()", CLOTHES),
    Mutant("exercises/measures.py", '        "test_indices": shown,\n',
           '        "test_indices": np.arange(len(shown)),\n', MEASURES),
    Mutant(FASHION, "epoch: {value}\", (1, value), (0, 2)",
           "epoch: {value}\", (1, REPORT[0]), (0, 2)",
           CLOTHES),
    Mutant("exercises/beta_vae_betas.py", "for code in (mu, z))\n    return",
           "for code in (z, mu))\n    return", BETA),
    Mutant(LATENTS, "z[row, :, latent] = STEPS", "z[latent, :, latent] = STEPS", CLOTHES),
    Mutant(EX08B, 'label=f"{name}, to {total[-1]:.1f}"', 'label=f"{name}, to {total[0]:.1f}"', MAP),
    Mutant(EX02, 'join(f"{100 * share:.1f} %" for', 'join(f"{share:.1f} %" for', CODES),
    Mutant(EX00, "MaxPooling2D(2),  # pool", "MaxPooling2D((2, 1)),  # pool", BACKPROP),
    Mutant(CANVAS, "sharex=True, sharey=True)\n    draw_canvas", "sharex=True)\n    draw_canvas",
           PLANES),
    Mutant(CAPACITY, "right.barh(places + shift", "right.barh(places - shift", CLASSIFIER),
    Mutant(EX00, "        array[index] = kept\n        gradient", "        gradient", BACKPROP),
    Mutant(EX07, "    ten_digits(mnist32(settings))  # before anything is trained\n", "",
           f"{DRAWINGS} {TRAININGS}"),
    Mutant(TRAINING, "                parameter -= RATE", "                parameter += RATE",
           BACKPROP),
    Mutant("exercises/beta_vae_interpolation.py", '"walks": len(ae["length"])', '"walks": len(ae)',
           f"{BETA} exercises/test_numbers_walks.py"),
]  # fmt: skip

"""Smaller mistakes in the scripts of exercises 0 to 5: shapes, words, labels and sizes."""

from tests.mutation.in_scripts import AUTOENCODER, BACKPROP, CODES, INSIDE
from tests.mutation.mutants import Mutant

SHARED = "exercises/test_common.py"

# By file of exercises/ and tests: what is replaced by what.
IN_FILES = {
    ("common", SHARED): (
        ("round(time.perf_counter() - started, 1)", "round(time.perf_counter(), 1)"),
    ),
    ("ex00_backprop", BACKPROP): (
        ("worst = max(quantities", "worst = min(quantities"),
        ("q.name: q.difference for q in quantities", "q.name: q.kinks for q in quantities"),
        ('"arrays": {q.name: q.array for q in quantities}',
         '"arrays": {q.name: q.gradient for q in quantities}'),
        ("q.name: np.where(np.isnan(q.numerical), np.array(None), q.numerical)",
         "q.name: np.where(np.isnan(q.numerical), np.array(None), q.gradient)"),
        ('"right_class": CLASSES[LABEL]', '"right_class": LABEL'),
    ),
    ("ex00_comparison", BACKPROP): (
        ("step % (5 * EVERY) == 0 or step", "step % (5 * EVERY) == 0 and step"),
        ('{"steps": finding.outcome.steps, "test_loss": finding.outcome.losses},\n        },',
         '{"steps": finding.outcome.steps, "test_loss": right.runs[0].losses},\n        },'),
    ),
    ("ex00_nets", BACKPROP): (
        ("np.sqrt(len(x))", "np.sqrt(LATENT)"),
    ),
    ("ex00_training", BACKPROP): (
        ("diagnose_search(decoder, mistake.wrong, right.data.x_test,",
         "diagnose_search(decoder, map_gradient, right.data.x_test,"),
        ("search(decoder, mistake.wrong, right.data, [right.seed, 0])",
         "search(decoder, mistake.wrong, right.data, [right.seed, 1])"),
    ),
    ("ex00_view", BACKPROP): (
        ("np.nanmax(np.abs(self.gradient - self.numerical))",
         "np.nanmean(np.abs(self.gradient - self.numerical))"),
    ),
    ("ex01_autoencoder", AUTOENCODER): (
        ("*(UpSampling2D((2, 1)), Conv2DTranspose(16, 3), ReLU()),  # 2",
         "*(UpSampling2D((1, 2)), Conv2DTranspose(16, 3), ReLU()),  # 2"),
        ("Conv2D(1, 3), ReLU(), MaxPooling2D((2, 1))", "Conv2D(1, 3), MaxPooling2D((2, 1))"),
        ("seed=[seed, 1]", "seed=[seed, 0]"),
        ("np.arange(1, 11), PUBLISHED_LOG", "np.arange(10), PUBLISHED_LOG"),
        ("epochs = np.arange(1, len(test) + 1)", "epochs = np.arange(len(test))"),
        ("(recipe.epochs, value)", "(recipe.epochs, 0)"),
    ),
    ("ex01b_dead_starts", AUTOENCODER): (
        ("layer.built_shape[-1] / layer.input_shape[-1]",
         "layer.input_shape[-1] / layer.built_shape[-1]"),
        ("for layer in (*model.encoder.layers, *model.decoder.layers)",
         "for layer in (*model.encoder.layers,)"),
    ),
    ("ex01c_inside", INSIDE): (
        ("layers[name].built_shape[-1] for name in dead)",
         "layers[name].built_shape[-1] for name in dead if dead[name])"),
        ('f"{name}\\n{y.shape[0]} x {y.shape[1]}"', 'f"{name}\\n{y.shape[1]} x {y.shape[2]}"'),
        ("code ({code[0, 0]:.2f}, {code[0, 1]:.2f})", "code ({code[0, 1]:.2f}, {code[0, 0]:.2f})"),
        ("dead=dead[last])", "dead=dead[output])"),
        ("if not found:", "if found:"),
        ("(W.transpose(2, 0, 1))", "(W.transpose(2, 1, 0))"),
    ),
    ("ex02_latent_space", "exercises/test_measures_of_codes.py"): (
        ('(f"{b} and {a}", share)', '(f"{a} and {b}", share)'),
    ),
    ("ex04b_capacity", CODES): (
        ("LEARNED = 8_000", "LEARNED = 80_000"),
    ),
    ("ex05_generator", CODES): (
        ("NEIGHBOURS = 50", "NEIGHBOURS = 500"),
        ("np.median(distances[tiles])", "np.mean(distances[tiles])"),
        ("np.argsort(-per_digit) if", "np.argsort(per_digit) if"),
    ),
}  # fmt: skip

MUTANTS = [
    Mutant(f"exercises/{file}.py", old, new, tests)
    for (file, tests), pairs in IN_FILES.items()
    for old, new in pairs
]

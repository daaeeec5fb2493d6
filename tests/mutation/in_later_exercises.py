"""Mistakes in what the exercises after the eighth measure, draw and say, and in what is kept."""

from tests.mutation.mutants import Mutant

BETA_VAE, BETAS = "exercises/beta_vae.py", "exercises/beta_vae_betas.py"
SWEEP, WALKS = "exercises/beta_vae_sweep.py", "exercises/beta_vae_interpolation.py"
DOWNSTREAM, TERMS = "exercises/beta_vae_downstream.py", "exercises/loss_terms.py"
LINEAR, PLANES = "exercises/pca_linear.py", "exercises/pca_ae_vae.py"
CLOTHES, LATENTS = "exercises/fashion_vae.py", "exercises/fashion_vae_latents.py"
PAIRS, METHODS = "exercises/image_separation_data.py", "exercises/image_separation_methods.py"
SEPARATION, MORE = "exercises/image_separation.py", "exercises/image_separation_more_data.py"
TRAINING = "exercises/image_separation_training.py"

OF_BETA = "exercises/test_numbers_beta_vae.py"
OF_WALKS = "exercises/test_numbers_walks.py"
OF_PLANES = "exercises/test_numbers_planes.py"
OF_PAIRS = "exercises/test_numbers_separation.py"

MUTANTS = [
    # -- beta-VAE
    Mutant(BETA_VAE, "labels[confidences > SURE]", "labels[confidences >= SURE]", OF_BETA),
    Mutant(BETA_VAE, "(confidences > SURE).mean()", "(confidences < SURE).mean()", OF_BETA),
    Mutant(BETA_VAE, "np.exp(entropy(per_digit))", "entropy(per_digit)", OF_BETA),
    Mutant(BETA_VAE, "np.cov(codes.T)", "np.diag(codes.std(axis=0))", OF_BETA),
    Mutant(
        BETA_VAE,
        "codes.std(axis=0, dtype=np.float64).mean()",
        "codes.std(dtype=np.float64)",
        OF_BETA,
    ),
    Mutant(BETA_VAE, "np.linalg.norm(prior, axis=1)", "np.linalg.norm(codes, axis=1)", OF_BETA),
    Mutant(BETA_VAE, "if fitted < own", "if fitted > own", OF_BETA),
    Mutant(BETAS, "np.exp(logvar / 2) * rng", "np.exp(logvar) * rng", OF_BETA),
    Mutant(BETAS, "np.expm1(wide) - wide", "np.exp(wide) - 1 - logvar", OF_BETA),
    Mutant(BETAS, '"kl": kl.sum()', '"kl": kl.mean()', OF_BETA),
    Mutant(BETAS, '"kl_median_unit": np.median(kl)', '"kl_median_unit": kl.mean()', OF_BETA),
    Mutant(BETAS, "abs(slope) < 2 * error", "abs(slope) < error", OF_BETA),
    Mutant(BETAS, "last = kl[-max(", "last = kl[:max(", "exercises/test_beta_vae.py"),
    Mutant(
        BETAS, "np.arange(len(last)) / PARTS", "np.arange(len(last))", "exercises/test_beta_vae.py"
    ),
    Mutant(BETAS, "max(free[", "min(free[", OF_BETA),
    Mutant(BETAS, "if at_mu > 1.03 * ratio", "if at_mu < 1.03 * ratio", OF_BETA),
    Mutant(SWEEP, ">= EXPLAINED]", "> EXPLAINED]", OF_BETA),
    Mutant(SWEEP, '* row["effective_digits"] / 10', '* row["effective_digits"]', OF_BETA),
    Mutant(SWEEP, "sharpest == min(rows)", "sharpest == max(rows)", OF_BETA),
    Mutant(
        WALKS,
        '"confidence": confidences[:, T // 2]',
        '"confidence": confidences[:, -1]',
        OF_WALKS,
    ),
    Mutant(
        WALKS, "nearest_image_mse(images[:, T // 2]", "nearest_image_mse(images[:, -1]", OF_WALKS
    ),
    Mutant(WALKS, "labels[places[0]] != labels", "labels[places[0]] == labels", OF_WALKS),
    Mutant(
        WALKS, "paired_bootstrap(vae[key], ae[key]", "paired_bootstrap(ae[key], vae[key]", OF_WALKS
    ),
    Mutant(WALKS, "flat[:, -1] - flat[:, 0]", "flat[:, -1] - flat[:, 1]", OF_WALKS),
    Mutant(WALKS, "steps.max(axis=1) / steps.mean(axis=1)", "steps.max() / steps.mean()", OF_WALKS),
    Mutant(WALKS, '"surely" if low > 0 or high < 0', '"surely" if low > 0 or high > 0', OF_WALKS),
    Mutant(WALKS, '"higher" if difference > 0', '"higher" if difference < 0', OF_WALKS),
    Mutant(DOWNSTREAM, '"sd": values.std()', '"sd": values.var()', OF_WALKS),
    Mutant(DOWNSTREAM, 'wins += best == ["the VAE"]', 'wins += "the VAE" in best', OF_WALKS),
    Mutant(
        "exercises/measures.py", "squared_error(x_train.mean(", "squared_error(x.mean(", OF_BETA
    ),
    # -- loss terms, PCA, clothes
    Mutant(
        TERMS, 'free["1-NN_macro_percent"] > both', 'free["1-NN_macro_percent"] < both', OF_PLANES
    ),
    Mutant(TERMS, '< 0.1 * both["code_sd"]', '> 0.1 * both["code_sd"]', OF_PLANES),
    Mutant(TERMS, "NegativeELBO(model, KL_WEIGHT)", "NegativeELBO(model, 1.0)", OF_PLANES),
    Mutant(TERMS, "(counts == 0)", "(counts <= 1)", OF_PLANES),
    Mutant(LINEAR, "remaining <= error)) + 1", "remaining <= error))", OF_PLANES),
    Mutant(LINEAR, "remaining <= error", "remaining < error", OF_PLANES),
    Mutant(LINEAR, "(codes == 0)", "(codes <= 0)", OF_PLANES),
    Mutant(LINEAR, "(seed - settings.seed) // 1000", "seed // 1000 + 1", OF_PLANES),
    Mutant(LINEAR, 'history.measured["angle"][-1]', 'history.measured["angle"][0]', OF_PLANES),
    Mutant(
        LINEAR,
        "return sigmoid(y) if variant.loss is binary_crossentropy else y",
        "return y",
        OF_PLANES,
    ),
    Mutant(LINEAR, "'spans' if spans", "'spans' if not spans", OF_PLANES),
    Mutant(PLANES, "(np.abs(z) <= CANVAS[-1]).all", "(z <= CANVAS[-1]).all", OF_PLANES),
    Mutant(PLANES, "(np.abs(z) <= CANVAS[-1]).all", "(np.abs(z) <= CANVAS[-1]).any", OF_PLANES),
    Mutant(PLANES, "tiles.var(axis=(0, 1)).mean()", "tiles.std(axis=(0, 1)).mean()", OF_PLANES),
    Mutant(PLANES, "nearest = min(measured", "nearest = max(measured", OF_PLANES),
    Mutant(PLANES, "key: max(measured", "key: min(measured", OF_PLANES),
    Mutant(CLOTHES, '"worst": errors.max()', '"worst": errors.min()', OF_PLANES),
    Mutant(CLOTHES, "if train_total <= REPORT[1]", "if train_total >= REPORT[1]", OF_PLANES),
    Mutant(CLOTHES, '+ KL_WEIGHT * terms["kl"]', '+ terms["kl"]', "exercises/test_fashion_vae.py"),
    Mutant(LATENTS, "images[:, -1] - images[:, 0]", "images[:, -1] - images[:, 1]", OF_PLANES),
    Mutant(LATENTS, "- mean @ directions.T\n", "\n", OF_PLANES),
    Mutant(LATENTS, "'ahead' if gap > 0", "'ahead' if gap < 0", OF_PLANES),
    Mutant(
        LATENTS,
        "order = np.argsort(-variances)",
        "order = np.argsort(variances)",
        OF_PLANES,
    ),
    Mutant(LATENTS, "active_units(z, ACTIVE)", "active_units(z, 1.0)", OF_PLANES),
    Mutant(LATENTS, "shares * (1 - np.eye(len(names)))", "shares", "exercises/test_fashion_vae.py"),
    Mutant(LATENTS, '("not in use", moved[~active])', '("not in use", moved[active])', OF_PLANES),
    Mutant(LATENTS, "return order, variances[order]", "return order, variances", OF_PLANES),
    Mutant(CLOTHES, '"test": data.x_test[:MEASURED]', '"test": data.x_train[:MEASURED]', OF_PLANES),
    Mutant(PLANES, "- mean) @ directions.T", ") @ directions.T", OF_PLANES),
    Mutant(BETAS, "1 - at_mu / mean_image_mse", "1 - sampled / mean_image_mse", OF_BETA),
    Mutant(BETAS, '"test_mse_sampled": sampled', '"test_mse_sampled": at_mu', OF_BETA),
    Mutant(
        WALKS,
        "along(data.x_test[a], data.x_test[b], t)",
        "along(data.x_test[b], data.x_test[a], t)",
        OF_WALKS,
    ),
    Mutant(
        DOWNSTREAM,
        "(predict(ae.encoder, sets[0]), predict(ae.encoder, sets[1]))",
        "(predict(ae.encoder, sets[0]), predict(ae.encoder, sets[0]))",
        OF_WALKS,
    ),
    # -- separation
    Mutant(PAIRS, "np.minimum(kept, opposite)", "np.minimum(kept.mean(), opposite)", OF_PAIRS),
    Mutant(PAIRS, "np.sign(opposite - kept)", "np.sign(kept - opposite)", OF_PAIRS),
    Mutant(PAIRS, '"ratio": kept.mean() / trivial', '"ratio": kept.mean() * trivial', OF_PAIRS),
    Mutant(
        PAIRS, "error(y_1, x_2) + error(y_2, x_1)", "error(y_1, x_2) + error(y_2, x_2)", OF_PAIRS
    ),
    Mutant(SEPARATION, "< 2 * 50 / np.sqrt(pairs)", "< 2 * 50 * np.sqrt(pairs)", OF_PAIRS),
    Mutant(SEPARATION, 'if not train["ratio"] < test', 'if train["ratio"] < test', OF_PAIRS),
    Mutant(
        SEPARATION,
        'if test["ratio_better_order"] > 1',
        'if test["ratio_better_order"] < 1',
        OF_PAIRS,
    ),
    Mutant(
        METHODS,
        '"mean images": np.broadcast_to(mean,',
        '"mean images": np.broadcast_to(0 * mean,',
        OF_PAIRS,
    ),
    Mutant(
        METHODS,
        'linear["train"]["error"] < results',
        'linear["train"]["error"] > results',
        OF_PAIRS,
    ),
    Mutant(
        MORE,
        '("train", learned), ("test", unseen)',
        '("train", unseen), ("test", learned)',
        OF_PAIRS,
    ),
    Mutant(MORE, 'found["error"] / found["ratio"]', 'found["error"] * found["ratio"]', OF_PAIRS),
    Mutant(MORE, '"lower" if last["error"] < first', '"lower" if last["error"] <= first', OF_PAIRS),
    Mutant(MORE, 's["test"]["ratio"] < 1]', 's["test"]["ratio"] <= 1]', OF_PAIRS),
    Mutant(MORE, '["train"]["ratio"] > 1\n', '["train"]["ratio"] >= 1\n', OF_PAIRS),
    Mutant(TRAINING, "-(-pairs // recipe.batch_size)", "(pairs // recipe.batch_size)", OF_PAIRS),
    # -- memory
    Mutant(
        "kernels/twins.py",
        "    def forget(self) -> None:\n        self.cache = ()\n",
        "    def forget(self) -> None:\n        pass\n",
        "test_memory.py",
    ),
    Mutant(
        "layers/base.py",
        "        for part in self.parts.values():\n            part.forget()\n",
        "",
        "test_memory.py",
    ),
    Mutant(
        "layers/sequential.py",
        "            step.forget()\n",
        "            pass\n",
        "test_memory.py",
    ),
    Mutant("map_inference.py", "    decoder.forget()\n", "", "test_memory.py"),
    Mutant(
        "exercises/common.py",
        "data.x_train[:640].copy()",
        "data.x_train[:640]",
        "exercises/test_memory.py",
    ),
    Mutant(
        "exercises/common.py",
        "lru_cache(maxsize=2)",
        "lru_cache(maxsize=9)",
        "exercises/test_memory.py",
    ),
    Mutant("exercises/memory.py", "else 1024 * peak", "else peak", "exercises/test_memory.py"),
    Mutant("exercises/memory.py", "peak / 1e9", "peak / 1e6", "exercises/test_memory.py"),
]

"""Mistakes in models, in their loss, and in what random numbers they are made from."""

from tests.mutation.mutants import Mutant

RANDOM, ELBO, VAE = "test_randomness.py", "models/test_elbo.py", "models/vae.py"
FOREIGN = "layers/test_foreign.py"
FREEZING = "layers/test_freezing.py"

MUTANTS = [
    # -- random streams
    Mutant("randomness.py", "(_whole_numbers(seed), use)", "_whole_numbers(seed)", RANDOM),
    Mutant(
        "randomness.py", "(_whole_numbers(seed), use)", "(sum(_whole_numbers(seed)), use)", RANDOM
    ),
    Mutant("randomness.py", "min(numbers) >= 0", "min(numbers) >= -1", RANDOM),
    Mutant(
        "layers/sequential.py",
        ', "weights", check_shape(input_shape), kept)',
        ', "weights")',
        RANDOM,
    ),
    Mutant(
        "layers/sequential.py",
        "check_shape(input_shape), kept)",
        "check_shape(input_shape))",
        RANDOM,
    ),
    Mutant(
        "layers/base.py",
        'self.drawn_at = "" if position(rng) == start else start',
        "self.drawn_at = start",
        RANDOM,
    ),
    Mutant("models/autoencoder.py", "        check_independent(all_parts(self))\n", "", RANDOM),
    Mutant(VAE, "        check_independent(all_parts(self))\n", "", RANDOM),
    Mutant(VAE, '("mean", "logvar", "sampling")', '("mean", "mean", "sampling")', RANDOM),
    Mutant("layers/noise.py", 'stream(seed, "noise")', 'stream(seed[1], "noise")', RANDOM),
    # -- freezing
    Mutant(
        "optimizers.py",
        "for key, p in moved.items():",
        "for key, p in params.items():",
        FREEZING,
    ),
    Mutant(
        "layers/normalization.py", "        training = training and self.trainable\n", "", FREEZING
    ),
    Mutant("layers/base.py", "return any(part.trainable", "return all(part.trainable", FREEZING),
    Mutant(
        "layers/base.py", "            part.trainable = trainable\n", "            pass\n", FREEZING
    ),
    Mutant("layers/base.py", "gathered.frozen = frozenset(frozen)", "pass", FREEZING),
    Mutant("layers/base.py", "        frozen.frozen = frozenset(frozen)\n", "", FREEZING),
    # -- weights of other frameworks
    Mutant("layers/foreign.py", "W.transpose(2, 3, 1, 0)", "W.transpose(3, 2, 1, 0)", FOREIGN),
    Mutant("layers/foreign.py", "    W = W.T\n", "", FOREIGN),
    Mutant("layers/foreign.py", ".transpose(1, 2, 0)", ".transpose(2, 1, 0)", FOREIGN),
    Mutant("layers/foreign.py", "b = b[order] if", "b = b if", FOREIGN),
    Mutant(
        "layers/foreign.py",
        "0 if array is None else array",
        "own[name] if array is None else array",
        FOREIGN,
    ),
    # -- the loss of the VAE
    Mutant("models/elbo.py", "or not np.may_share_memory(y, self.model.output)", "", ELBO),
    Mutant("models/elbo.py", "weight(max(draws - 1, 0))", "weight(draws)", ELBO),
    Mutant("models/elbo.py", "min(step / steps, 1)", "(step / steps)", ELBO),
    Mutant("models/elbo.py", "w * dmu, w * dlogvar", "dmu, dlogvar", ELBO),
    # -- the VAE
    Mutant(VAE, "self.logvar = np.clip(logvar, *self.logvar_limits)", "self.logvar = logvar", ELBO),
    Mutant(VAE, "return mu, np.clip(logvar, *self.logvar_limits)", "return mu, logvar", ELBO),
    Mutant(VAE, "+ dlogvar) * within\n", "+ dlogvar)\n", ELBO),
    Mutant(VAE, "self.encoder.forward(x[batch])", "self.encoder.forward(x)[batch]", ELBO),
    Mutant("layers/sampling.py", "np.zeros_like(dy) if eps is None", "dy if eps is None", ELBO),
    Mutant("layers/sampling.py", "return mu.copy()", "return mu", ELBO),
]

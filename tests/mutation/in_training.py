"""Mistakes in losses, optimisers, models, training and data."""

from tests.mutation.mutants import Mutant

MUTANTS = [
    # -- losses
    Mutant(
        "losses.py",
        "(sigmoid(logits) - target) * (1 / m)",
        "(target - sigmoid(logits)) * (1 / m)",
        "test_losses.py",
    ),
    Mutant(
        "losses.py",
        "np.log1p(np.exp(-np.abs(logits)))",
        "np.log1p(np.exp(-logits))",
        "test_losses.py",
    ),
    Mutant("losses.py", "x - x.max(axis=1, keepdims=True)", "x - 0", "test_losses.py"),
    Mutant(
        "losses.py",
        "dlogits[np.arange(N), labels] -= 1",
        "dlogits[np.arange(N), labels] -= 0.9",
        "test_losses.py",
    ),
    Mutant("losses.py", "np.expm1(wide) - wide", "np.expm1(wide) + wide", "test_losses.py"),
    Mutant("losses.py", "(logvar) * (0.5 / m)", "(logvar) * (1 / m)", "test_losses.py"),
    # -- optimisers
    Mutant(
        "optimizers.py", "        v -= rate * g\n", "        v += rate * g\n", "test_optimizers.py"
    ),
    Mutant(
        "optimizers.py", "self.momentum * v - rate * g if", "v - rate * g if", "test_optimizers.py"
    ),
    Mutant(
        "optimizers.py",
        'self.state["steps"] += 1',
        'self.state["steps"] += 2',
        "test_optimizers.py",
    ),
    Mutant(
        "optimizers.py", "1 + math.cos(math.pi", "1 + math.cos(2 * math.pi", "test_optimizers.py"
    ),
    Mutant(
        "optimizers.py",
        "self.state[name] = np.zeros_like(p)",
        "self.state[name] = p.copy()",
        "test_optimizers.py",
    ),
    # -- models
    Mutant(
        "models/vae.py",
        "dmu = dmu_of_z + dmu",
        "dmu = dmu_of_z - dmu",
        "models/test_vae.py",
    ),
    Mutant(
        "models/vae.py",
        "dlogvar = (dlogvar_of_z + dlogvar) * within",
        "dlogvar = (dlogvar_of_z - dlogvar) * within",
        "models/test_vae.py",
    ),
    Mutant(
        "models/elbo.py",
        "return value + w * kl, (",
        "return value + kl, (",
        "models/test_vae.py",
    ),
    Mutant(
        "models/vae.py",
        "        dh = dh + self.logvar_head.backward",
        "        dh = self.logvar_head.backward",
        "models/test_vae.py",
    ),
    Mutant("models/unet.py", "db_1 + db_2", "db_1", "models/test_unet.py"),
    Mutant(
        "models/unet.py",
        "            dskip += self.pools[i].backward(dh)\n",
        "            self.pools[i].backward(dh)\n",
        "models/test_unet.py",
    ),
    Mutant(
        "models/unet.py",
        "dskips_1[i] + dskips_2[i]",
        "dskips_1[i] + dskips_1[i]",
        "models/test_unet.py",
    ),
    Mutant(
        "models/autoencoder.py",
        "z = self.encoder.forward(x, training)",
        "z = self.encoder.forward(x)",
        "models/test_autoencoder.py",
    ),
    Mutant(
        "map_inference.py",
        "2 * difference) + 2 * self.beta * z",
        "2 * difference) + self.beta * z",
        "test_map_inference.py",
    ),
    Mutant(
        "map_inference.py",
        "            difference *= self.mask[images]\n",
        "            pass\n",
        "test_map_inference.py",
    ),
    Mutant(
        "map_inference.py",
        "np.inf).argmin(axis=0)",
        "-np.inf).argmax(axis=0)",
        "test_map_inference.py",
    ),
    # -- training
    Mutant(
        "training/loop.py",
        "x[batch], target[batch])\n        except",
        "x[batch], target[: len(batch)])\n        except",
        "training/test_training.py",
    ),
    Mutant(
        "training/loop.py",
        "float(value) * len(batch), done",
        "float(value) * len(batches[0]), done",
        "training/test_training.py",
    ),
    Mutant(
        "training/loop.py",
        ".permutation(len(x))",
        ".integers(0, len(x), len(x))",
        "training/test_training.py",
    ),
    Mutant("training/run.py", "self.best[key]", "array", "training/test_training.py"),
    Mutant(
        "training/loop.py",
        "model.forward(x[batch]) for",
        "model.forward(x[batch], True) for",
        "training/test_training.py",
    ),
    Mutant(
        "optimizers.py",
        "self.state, self._params = state, dict(params)",
        "self._params = dict(params)",
        "training/test_checkpoint.py",
    ),
    Mutant(
        "training/checkpoint.py",
        '("state", model.state)):\n        for',
        "):\n        for",
        "training/test_checkpoint.py",
    ),
    Mutant(
        "files.py", "        beside.unlink(missing_ok=True)\n", "", "training/test_checkpoint.py"
    ),
    # -- data and measures
    Mutant(
        "datasets/idx.py",
        "len(images) != len(labels)",
        "len(images) < len(labels)",
        "datasets/test_idx.py",
    ),
    Mutant(
        "datasets/cifar.py",
        "planes.transpose(0, 2, 3, 1)",
        "planes.transpose(0, 3, 2, 1)",
        "datasets/test_cifar.py",
    ),
    Mutant(
        "datasets/cifar.py",
        "labels.max() >= CLASSES",
        "labels.max() > CLASSES",
        "datasets/test_cifar.py",
    ),
    Mutant(
        "metrics.py",
        "10 * np.log10(peak**2 / errors)",
        "10 * np.log10(peak / errors)",
        "test_metrics.py",
    ),
]

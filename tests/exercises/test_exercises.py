"""Every exercise, for a few seconds each, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exercises import ex01_autoencoder, ex01b_dead_starts, ex02_latent_space
from exercises.__main__ import GALLERY_BYTES
from exercises.alive_start import dead_places, find_alive_seed
from exercises.catalogue import FIGURES
from exercises.common import Settings, mnist32, run_stoppable, ten_digits
from exercises.timing import GALLERY
from exercises.trained import Recipe, train
from nnscratch import datasets
from nnscratch.layers import AveragePooling2D, Conv2D, MaxPooling2D, Sequential, UpSampling2D
from nnscratch.losses import mse

CHECKOUT = Path(__file__).parents[2]


def run(*arguments, cwd, **variables):
    """Run ``python -m ...`` in another folder, as a user with nothing set would."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NNSCRATCH_")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error", **variables}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """One quick run of all exercises, in a folder whose name is not plain ASCII."""
    folder = tmp_path_factory.mktemp("a folder with ümlaut")
    result = run("exercises", "--quick", "--data", "embedded", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "figures", result


def test_all_figures_with_their_numbers(everything):
    folder, result = everything
    assert {p.stem for p in folder.glob("*.png")} == set(FIGURES)
    for name in FIGURES:
        record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert record["numbers"]
        if name != "ex00_backprop":  # needs no data
            assert "QUICK RUN" in record["stamp"]
            assert "embedded subset" in record["stamp"]
        picture = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        assert picture.std() > 10  # something is drawn
    assert "Warning" not in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(folder.glob(".*"))


def test_report_page_is_self_contained(everything):
    folder, _ = everything
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count('class="picture" src="data:image/png;base64,') == len(FIGURES)
    assert 'id="explorer"' in page
    assert "://" not in page
    for question in ["2b", "2c", "3b", "3c", "4a", "4b", "4c", "5b", "6a", "6b", "6d", "8c"]:
        assert f"({question})" in page


def test_second_run_reuses_the_models_and_repeats_the_numbers(everything, tmp_path):
    folder, _ = everything
    before = {name: (folder / f"{name}.json").read_text(encoding="utf-8") for name in FIGURES}
    pictures = {name: (folder / f"{name}.png").read_bytes() for name in FIGURES}
    result = run("exercises", "--quick", "--data", "embedded", cwd=folder.parent)
    assert result.stdout.count("going on from") == 44
    for name in FIGURES:
        after = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert after["numbers"] == json.loads(before[name])["numbers"]
        assert (folder / f"{name}.png").read_bytes() == pictures[name]


def test_neither_the_run_nor_the_number_of_threads_changes_a_number_or_a_pixel(
    everything, tmp_path
):
    folder, _ = everything
    result = run("exercises", "--quick", "--data", "embedded", cwd=tmp_path, NUMBA_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert "going on from" in result.stdout  # within the run, but nothing from the one before
    for name in FIGURES:
        one, two = (
            json.loads((place / f"{name}.json").read_text(encoding="utf-8"))["numbers"]
            for place in (tmp_path / "figures", folder)
        )
        assert one == two, name
        pictures = [place / f"{name}.png" for place in (tmp_path / "figures", folder)]
        assert pictures[0].read_bytes() == pictures[1].read_bytes(), name


def test_one_exercise_alone_with_help(tmp_path):
    result = run("exercises.ex02_latent_space", "--help", cwd=tmp_path)
    assert result.returncode == 0
    for flag in ("--data", "--epochs", "--seed", "--out", "--quick"):
        assert flag in result.stdout
    result = run("exercises.ex02_latent_space", "--quick", "--out", "here", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "here" / "ex02_fig3.png").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "0"], "--epochs is 0; it must be at least 1"),
        (["--seed", "-1"], "--seed is -1; it must not be negative"),
        (["--out", "file/below"], "cannot write to the folder file/below"),
        (["--data", "mars"], "invalid choice: 'mars'"),
    ],
)
def test_bad_flags_get_a_sentence(tmp_path, flags, words):
    (tmp_path / "file").write_text("")
    result = run("exercises.ex01_autoencoder", "--quick", *flags, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_data_folder_gets_a_sentence(tmp_path):
    result = run("exercises", "--quick", cwd=tmp_path, NNSCRATCH_DATA=str(tmp_path / "nowhere"))
    assert result.returncode == 1
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr


def test_gallery_refuses_a_quick_run(tmp_path):
    result = run("exercises", "--gallery", "--quick", cwd=tmp_path)
    assert result.returncode == 2
    assert "give only --out" in result.stderr


def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(tmp_path):
    command = [sys.executable, "-m", "exercises.ex01_autoencoder", "--data", "embedded"]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    while not list(tmp_path.glob("figures/models/*.npz")) and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    (kept,) = tmp_path.glob("figures/models/*.npz")
    with np.load(kept) as file:
        assert 1 <= len(file["run/loss"]) < 15


def test_ctrl_c_is_not_lost_where_python_drops_exceptions(capsys):
    """As between weakly referenced objects that a drawing throws away."""

    class Thing:
        pass

    def pressed(_):
        signal.raise_signal(signal.SIGINT)
        for _ in range(100):
            pass

    def work():
        thing = Thing()
        reference = weakref.ref(thing, pressed)
        del thing
        assert reference() is None
        for _ in range(200):  # short ones, for not every interrupt ends a sleep
            time.sleep(0.1)
        pytest.fail("nothing has stopped this")

    hook = sys.unraisablehook
    with pytest.raises(SystemExit) as stopped:
        run_stoppable(work)
    assert stopped.value.code == 130
    assert "run the same command again" in capsys.readouterr().err
    assert sys.unraisablehook is hook


def test_ten_digits_are_the_ten_digits():
    data = mnist32(Settings(data="embedded"))
    assert data.y_test[ten_digits(data)].tolist() == list(range(10))


def test_ten_digits_of_the_official_test_set():
    if "NNSCRATCH_DATA" not in os.environ:
        pytest.skip("needs the full data in NNSCRATCH_DATA")
    data = datasets.mnist(data="full")
    assert data.y_test[ten_digits(data)].tolist() == list(range(10))


def test_network_is_the_one_that_the_assignment_draws():
    model = ex01_autoencoder.autoencoder(0)
    assert model.encoder.built_shape == (1, 2, 1)
    assert model.built_shape == (32, 32, 1)
    kernels = [p.shape for key, p in model.params.items() if key.endswith(".W")]
    assert all(shape[:2] == (3, 3) for shape in kernels)
    assert len(kernels) == 10
    half = (9 + 1) * 16 + 3 * (9 * 16 + 1) * 16 + (9 * 16 + 1)  # weights and biases
    assert sum(p.size for p in model.params.values()) == 2 * half


def test_dead_starts_are_seen_and_avoided():
    images = mnist32(Settings(data="embedded")).x_train[:256]
    found = {seed: dead_places(ex01_autoencoder.autoencoder(seed), images) for seed in range(40)}
    dead = [seed for seed, places in found.items() if places]
    assert 0 < len(dead) < 20
    seed = find_alive_seed(ex01_autoencoder.autoencoder, images, Recipe(1e-3, 2, 1), dead[0])
    assert seed != dead[0]
    assert not dead_places(ex01_autoencoder.autoencoder(seed), images)


def test_another_architecture_with_the_same_weights_is_trained_anew(tmp_path):
    settings = Settings(out=tmp_path)
    x = np.random.default_rng(0).random((8, 4, 4, 1), dtype=np.float32)
    recipe = Recipe(1e-3, 4, 1)
    for pooling in (MaxPooling2D(2), AveragePooling2D(2), MaxPooling2D(2)):
        model = Sequential([Conv2D(1, 3), pooling, UpSampling2D(2)], (4, 4, 1))
        train(settings, "a", model, mse, recipe, (x, x), (x, x))
    assert len(list((tmp_path / "models").glob("a-*.npz"))) == 2


def test_a_first_look_goes_on_to_the_same_end(tmp_path):
    x = np.random.default_rng(0).random((8, 4, 4, 1), dtype=np.float32)

    def run_to(folder, *first_looks):
        for first_look in first_looks:
            model = Sequential([Conv2D(1, 3)], (4, 4, 1))
            settings, recipe = Settings(out=tmp_path / folder), Recipe(1e-2, 4, 3, cosine=True)
            history = train(settings, "a", model, mse, recipe, (x, x), (x, x), first_look)
        return history.loss, model.params["0.conv2d.W"].tolist()

    assert len(run_to("interrupted", 1)[0]) == 1
    assert run_to("interrupted", 1, None) == run_to("straight", None)


def test_he_weights_are_dead_where_glorots_are():
    images = mnist32(Settings(data="embedded")).x_train[:64]
    for seed in range(12):
        he = dead_places(ex01b_dead_starts.with_he_weights(seed), images)
        assert he == dead_places(ex01_autoencoder.autoencoder(seed), images)


def test_he_weights_have_their_width():
    model = ex01b_dead_starts.with_he_weights(0)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        if layer.params:
            edge = np.sqrt(6 / (9 * layer.input_shape[-1]))
            assert 0.9 * edge < abs(layer.params["W"]).max() <= edge * (1 + 1e-6)


def test_clipping_is_what_the_last_relu_does():
    images = mnist32(Settings(data="embedded")).x_test[:300]
    for seed in range(5):
        shares = ex02_latent_space.clipping(ex01_autoencoder.encoder(seed), images)
        clipped = shares["share_exactly_0"]
        before = shares["share_of_maxima_not_above_0_before_the_relu"]
        assert clipped.tolist() == before.tolist()
        assert not shares["share_exactly_0_without_the_relu"].any()


def test_gallery_is_whole_and_small():
    for name in FIGURES:
        assert (GALLERY / f"{name}.png").stat().st_size <= GALLERY_BYTES
        record = json.loads((GALLERY / f"{name}.json").read_text(encoding="utf-8"))
        images = (
            "CIFAR-10, 10,000 + " if name.startswith("separation") else "60,000 + 10,000 images"
        )
        assert name == "ex00_backprop" or images in record["stamp"]
        assert record["settings"] == {"data": "full", "epochs": None, "seed": 0, "quick": False}

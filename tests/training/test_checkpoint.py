"""The file itself; then training that stops and goes on from it."""

import copy
import io
import os
import tracemalloc
import zipfile
from functools import partial

import numpy as np
import pytest

from nnscratch.files import written_whole
from nnscratch.layers import BatchNormalization, Dense, Dropout, ReLU, Sequential, Tanh
from nnscratch.losses import mse
from nnscratch.models import VAE, Autoencoder, NegativeELBO
from nnscratch.optimizers import SGD, Adam, cosine_decay
from nnscratch.training import fit, predict
from nnscratch.training.checkpoint import (
    DamagedCheckpointError,
    load_checkpoint,
    previous,
    save_checkpoint,
)
from nnscratch.training.checks import checksum_of
from nnscratch.training.settings import describe
from tests.training.test_training import TARGET, X, arrays, assert_same_bits, make_data, make_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def saved(path):
    """A model other than a fresh one, saved with its optimiser after a step."""
    model, optimizer = make_model(), Adam()
    model.forward(make_data()[0], training=True)
    model.backward(np.ones((10, 1), np.float32))
    optimizer.step(model.params, model.grads)
    save_checkpoint(path, model, optimizer, {"note": np.array("why"), "list/a": np.arange(3)})
    return model, optimizer


def assert_refused(path, sentence, model=None, **options):
    """A ValueError with this sentence, and a model and an optimiser as they were."""
    model, optimizer = model or make_model(), Adam()
    before = arrays(model)
    with pytest.raises(ValueError, match=sentence):
        load_checkpoint(path, model, optimizer, **options)
    assert_same_bits(arrays(model), before)
    assert optimizer.steps == 0


def test_round_trip(path, saved):
    model, optimizer = make_model(), Adam()
    own = dict(model.params)
    run = load_checkpoint(str(path), model, optimizer)
    assert_same_bits(arrays(model), arrays(saved[0]))
    assert all(model.params[key] is own[key] for key in own)  # read into the arrays in use
    assert_same_bits(optimizer.state, saved[1].state)
    assert (run["note"], run["list/a"].tolist(), len(run)) == ("why", [0, 1, 2], 2)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_model_alone_into_a_new_folder(path):
    with pytest.raises(FileNotFoundError, match=r"run\.npz"):
        load_checkpoint(path, make_model())
    path, model = path.parent / "new" / "folder" / "without-suffix", make_model(np.float64)
    model.params["0.dense.W"][...] = np.pi
    save_checkpoint(path, model)
    other = make_model(np.float64)
    assert load_checkpoint(path, other) == {}
    assert_same_bits(arrays(other), arrays(model))
    assert_refused(path, "a model but no optimiser; load it without one", make_model(np.float64))


def test_check_run_may_refuse(path, saved):
    def check(run):
        assert run["note"] == "why"
        raise ValueError("not this one")

    assert_refused(path, "not this one", check_run=check)


@pytest.mark.parametrize(
    ("layers", "dtype", "sentence"),
    [
        ([Dense(16), BatchNormalization()], "f4", r"only the checkpoint has 4\.dense\.W"),
        ([Dense(16), Dense(16)], "f4", r"only the model has 1\.dense\.W"),
        ([Dense(17)], "f4", r"0\.dense\.W is float32 \(2, 16\) there and float32 \(2, 17\) in the"),
        ([Dense(16)], "f8", r"0\.dense\.W is float32 \(2, 16\) there and float64 \(2, 16\) in the"),
        (
            [*make_model().layers[:3], Tanh(), Dense(1)],
            "f4",
            "only .* checkpoint has 3.dropout.key",
        ),
    ],
)
def test_another_architecture(path, saved, layers, dtype, sentence):
    model = Sequential(layers, (2,), dtype=dtype)
    assert_refused(path, rf"run\.npz is of another architecture: {sentence}.* exactly as", model)


def test_truncated_anywhere(path, saved):
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert_refused(path, "is not a whole checkpoint .* Delete it to start again")


def test_one_damaged_byte(path):
    """Of a file larger than zipfile's buffer. Some bytes, such as dates, mean nothing."""
    model = Sequential([Dense(600)], (4,))
    save_checkpoint(path, model)
    whole, good, sentences = path.read_bytes(), arrays(model), []
    headers = [i for i in range(len(whole)) if whole[i : i + 2] == b"PK"]
    positions = {*range(0, len(whole), 499)} | {j for i in headers for j in range(i, i + 190)}
    for i in sorted(p for p in positions if p < len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ (1 << i % 8)]) + whole[i + 1 :])
        try:
            load_checkpoint(path, model)
        except ValueError as error:
            sentences.append(str(error))
        assert_same_bits(arrays(model), good)
    assert len(sentences) > 300
    assert all("not a whole checkpoint" in s or "only the model has" in s for s in sentences)


def test_damage_within_compressed_data(path, saved):
    with np.load(path) as file:
        np.savez_compressed(path, **dict(file.items()))
    assert load_checkpoint(path, make_model())["note"] == "why"
    whole = path.read_bytes()
    start = whole.index(b"params/0.dense.W.npy") + 60
    path.write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    assert_refused(path, "is not a whole checkpoint")


NOISE = np.random.default_rng(0).bytes(5000)
OBJECTS = np.array([{}, []], dtype=object)  # which NumPy would pickle


def boasting(path):
    """A file of 300 bytes whose array says it has a trillion numbers, and one entry too large."""
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        numbers = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(header, numbers)
        archive.writestr("params/0.dense.W.npy", header.getvalue() + b"few")


OTHER_FILES = {
    "boasting": boasting,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint\n"),
    "noise": lambda path: path.write_bytes(NOISE),
    "noise in zip": lambda path: path.write_bytes(b"PK\x03\x04" + NOISE),
    "folder": lambda path: path.mkdir(),
    "pickle": lambda path: np.savez(path, **{"params/0.dense.W": OBJECTS}),
    "no group": lambda path: np.savez(path, a=np.zeros(2)),
    "other group": lambda path: np.savez(path, **{"other/a": np.zeros(2)}),
}


def test_boasting_costs_no_memory(path):
    boasting(path)
    tracemalloc.start()
    try:
        assert_refused(path, r"claims \(1000000000000,\) numbers, more than there are")
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("write", OTHER_FILES.values(), ids=OTHER_FILES)
def test_another_kind_of_file(path, write):
    write(path)
    assert_refused(path, r"run\.npz is not a whole checkpoint .*damaged or is another kind of file")


def test_folder_that_cannot_be(path, saved):
    with pytest.raises(OSError, match=r"cannot write the checkpoint .*that you may write to"):
        save_checkpoint(path / "inside_a_file.npz", make_model())


@pytest.mark.parametrize("name", ["numpy.savez", "os.replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(path, saved, monkeypatch, name, error):
    old = path.read_bytes()

    def broken(file, *rest, **arrays):
        if hasattr(file, "write"):
            file.write(b"half")
        raise error

    full = r"cannot write the checkpoint .*run\.npz: .*No space left.* with space left"
    monkeypatch.setattr(name, broken)
    with pytest.raises(type(error), match=full if isinstance(error, OSError) else None):
        save_checkpoint(path, make_model())
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_file_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    """Or a power cut leaves an empty file under the final name."""
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda number: (done.append("flushed"), fsync(number)))
    monkeypatch.setattr("os.replace", lambda a, b: (done.append("renamed"), replace(a, b)))
    save_checkpoint(path, make_model())
    assert done == ["flushed", "renamed"]


def run(epochs, path=None, loss=mse, optimizer=None, model=None, **changes):
    """A whole training session in a new process, as far as the objects go."""
    model, optimizer = model or make_model(), optimizer or Adam(cosine_decay(0.05, 12))
    settings = {"epochs": epochs, "batch_size": 4, "seed": 5, "progress": False, **changes}
    data = settings.pop("data", make_data())
    history = fit(model, *data, loss=loss, optimizer=optimizer, checkpoint=path, **settings)
    return model, optimizer, history


def early_best():
    x = make_data(7, seed=1)[0]  # the target is what the model says after its first epoch
    return {"validation": (x, predict(run(1)[0], x)), "patience": 3}


def assert_same_run(got, expected):
    assert_same_bits(arrays(got[0]), arrays(expected[0]))
    assert_same_bits(got[1].state, expected[1].state)
    assert got[2].loss == expected[2].loss
    assert got[2].validation_loss == expected[2].validation_loss


@pytest.mark.parametrize("watch", [dict, early_best])
def test_stopping_and_going_on_gives_the_same_bits(path, watch):
    """Shuffling, Dropout, running statistics, moments, schedule, best weights: all go on."""
    first, second = (run(epochs, path, **watch()) for epochs in (2, 4))
    assert_same_run(first, run(2, **watch()))
    assert_same_run(second, run(4, **watch()))
    assert second[2].seconds > first[2].seconds > 0


@pytest.mark.parametrize("percent", range(0, 100, 5))
def test_a_damaged_checkpoint_gives_way_to_the_one_before(path, percent):
    run(2, path)
    whole = path.read_bytes()
    start = len(whole) * percent // 100
    damaged = bytes(255 - byte for byte in whole[start : start + 64])
    path.write_bytes(whole[:start] + damaged + whole[start + 64 :])
    with pytest.warns(UserWarning, match=r"not a whole checkpoint .* Went on from .*previous\.npz"):
        resumed = run(4, path)
    assert_same_run(resumed, run(4))
    previous(path).unlink()
    path.write_bytes(whole[:start])
    with pytest.raises(DamagedCheckpointError, match="Delete it to start again"):
        run(4, path)


def test_the_one_before_is_an_epoch_older(path):
    run(1, path)
    assert not previous(path).exists()
    run(3, path)
    losses = [load_checkpoint(p, make_model(), Adam())["loss"] for p in (previous(path), path)]
    assert [len(loss) for loss in losses] == [2, 3]


@pytest.mark.parametrize("links", [True, False])
def test_the_one_before_is_kept_on_any_file_system(path, saved, monkeypatch, links):
    def refused(*_):
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr("os.link", refused)
    old = path.read_bytes()
    save_checkpoint(path, make_model())
    assert previous(path).read_bytes() == old != path.read_bytes()


@pytest.mark.parametrize(("watch", "epochs", "done"), [(dict, 3, 3), (early_best, 9, 4)])
def test_a_finished_run_trains_no_more(path, watch, epochs, done):
    finished, bits = run(epochs, path, **watch()), path.read_bytes()
    again = run(epochs, path, **watch())
    assert_same_run(again, finished)
    assert (len(again[2].loss), again[2].seconds) == (done, finished[2].seconds)
    assert path.read_bytes() == bits


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_a_run_broken_off_goes_on_from_the_epoch_before(path, error):
    """Three steps an epoch; the one after the seventh is stopped by Ctrl-C or by NaN."""
    optimizer, steps_before = Adam(cosine_decay(0.05, 12)), [7]

    def loss(y, target):
        if optimizer.steps not in steps_before:
            return mse(y, target)
        if error is KeyboardInterrupt:
            raise error
        return np.nan, y

    said = (
        "nan, .*in the loss.* in epoch 3, after step 7; lower"
        if error is FloatingPointError
        else None
    )
    with pytest.raises(error, match=said):
        run(4, path, loss, optimizer)
    assert optimizer.steps == 7
    assert load_checkpoint(path, make_model(), Adam())["loss"].tolist() == run(2)[2].loss
    steps_before.clear()
    assert_same_run(run(4, path, loss), run(4))


WATCHED = {"validation": make_data(7)}


def weighted(factor):
    return lambda y, target: (factor * mse(y, target)[0], factor * mse(y, target)[1])


def scaled(y, target, factor=1.0):
    value, dy = mse(y, target)
    return factor * value, factor * dy


def renew(rng):
    return make_data()


def renew_otherwise(rng):
    return make_data(seed=int(rng.integers(9)))


# first run, second run, and what the sentence says of the difference
CHANGES = {
    "seed": ({}, {"seed": 6}, "seed was 5 and is now 6"),
    "batch size": ({}, {"batch_size": 5}, "batch_size was 4 and is now 5"),
    "inputs": ({}, {"data": make_data(9)}, r"data was \[float32 \(10, 2\).* is now .*\(9, 2\)"),
    "targets": ({}, {"data": (X, TARGET + 1)}, "data was .* and is now "),
    "optimizer": ({}, {"optimizer": SGD(0.1)}, "of another optimiser"),
    "no moments": ({"optimizer": SGD(0.1)}, {"optimizer": SGD(0.1, 0.9)}, "of another optimiser"),
    "learning rate": (
        {"optimizer": Adam(0.05)},
        {"optimizer": Adam(0.02)},
        r"optimizer was Adam\(learning_rate=0.05.* is now Adam\(learning_rate=0.02",
    ),
    "schedule": ({}, {"optimizer": Adam(cosine_decay(0.05, 13))}, "steps=12.* is now .*steps=13"),
    "another schedule": ({}, {"optimizer": Adam(lambda step: 0.05)}, "is now .*lambda"),
    "weight decay": (
        {},
        {"optimizer": Adam(cosine_decay(0.05, 12), weight_decay=0.1)},
        "decay=0.1",
    ),
    "clipping": ({"optimizer": Adam()}, {"optimizer": Adam(global_clipnorm=1.0)}, "norm=1.0"),
    "loss": ({}, {"loss": weighted(1)}, "loss was mse and is now weighted"),
    "what a loss holds": ({"loss": weighted(1)}, {"loss": weighted(2)}, r"with \[1\] .*with \[2\]"),
    "partial": ({"loss": partial(scaled, factor=1)}, {"loss": partial(scaled, factor=2)}, "=2"),
    "default": ({"loss": scaled}, {"loss": weighted(1)}, "loss was scaled .* is now weighted"),
    "renewal": ({"renew": renew}, {"renew": renew_otherwise}, "renew was renew .* is now renew_o"),
    "measure": ({}, {"measure": dict}, "measure was None and is now .dict"),
    "validation added": ({}, WATCHED, "validation was None and is now "),
    "validation dropped": (WATCHED, {}, "validation was .* and is now None"),
    "validation data": (WATCHED, {"validation": make_data(7, seed=1)}, "validation was .* is now "),
    "patience added": (WATCHED, {**WATCHED, "patience": 1}, "patience was None and is now 1"),
}


@pytest.mark.parametrize(("first", "second", "words"), CHANGES.values(), ids=CHANGES)
def test_the_checkpoint_of_another_run(path, first, second, words):
    run(2, path, **copy.deepcopy(first))
    model, before, bits = make_model(), arrays(make_model()), path.read_bytes()
    with pytest.raises(ValueError, match=words):
        run(4, path, model=model, **copy.deepcopy(second))
    assert_same_bits(arrays(model), before)
    assert path.read_bytes() == bits


@pytest.mark.parametrize("weights", [(0, 1), (1, 10), (0.1, lambda step: 0.1)])
def test_another_weight_of_the_divergence_is_another_run(path, weights):
    x = np.zeros((6, 4), np.float32)

    def train(weight):
        model = VAE(Sequential([Dense(3)], (4,)), 2, Sequential([Dense(4)], (2,)))
        loss = NegativeELBO(model, weight)
        fit(model, x, x, loss=loss, optimizer=Adam(), epochs=2, batch_size=3, checkpoint=path,
            progress=False)  # fmt: skip

    train(weights[0])
    train(weights[0])
    with pytest.raises(ValueError, match=f"loss was .*kl_weight={weights[0]}.* is now .*kl_weight"):
        train(weights[1])


OTHER_LAYERS = {
    "activation": (lambda: ReLU(), Tanh, r"1.relu was ReLU\(.* and is now unknown"),
    "rate": (lambda: Dropout(0.2), lambda: Dropout(0.3), "rate=0.2.* is now .*rate=0.3"),
    "momentum": (
        lambda: BatchNormalization(momentum=0.5),
        lambda: BatchNormalization(momentum=0.6),
        "momentum=0.5.* is now .*momentum=0.6",
    ),
}


@pytest.mark.parametrize(("first", "second", "words"), OTHER_LAYERS.values(), ids=OTHER_LAYERS)
def test_layers_that_differ_but_not_in_their_weights_are_another_run(path, first, second, words):
    def model(layer):
        return Sequential([Dense(4), layer, Dense(1)], (2,))

    run(1, path, model=model(first()))
    with pytest.raises(ValueError, match=words):
        run(2, path, model=model(second()))


def test_another_start_is_another_run(path):
    run(1, path, model=Sequential([Dense(1)], (2,), seed=0))
    run(2, path, model=Sequential([Dense(1)], (2,), seed=0))
    with pytest.raises(ValueError, match=r"start of the weights was .* and is now"):
        run(3, path, model=Sequential([Dense(1)], (2,), seed=1))


def test_what_a_function_writes_into_is_no_setting(path):
    seen = []

    def loss(y, target):
        """The squared error."""
        seen.append(y)
        return mse(y, target)

    run(1, path, loss)
    assert_same_run(run(2, path, loss), run(2))


def test_functions_are_told_apart_by_what_they_do():
    def first(x):
        return x + 1

    one = describe(first)

    def first(x):
        """Documented, and on another line."""
        return x + 1

    assert describe(first) == one

    def first(x):
        return x + 2

    assert describe(first) != one
    assert describe(mse) == "mse"


def test_values_in_a_circle_end_somewhere():
    class Ring:
        pass

    ring = Ring()
    ring.other = ring
    assert describe(ring).endswith(")))")


def test_the_checkpoint_of_no_run(path, saved):
    with pytest.raises(ValueError, match="is of no training run"):
        run(4, path)


def test_the_state_of_another_optimizer_is_refused(tmp_path):
    model, adam = make_model(), Adam(1e-3)
    adam.step(model.params, model.params)
    save_checkpoint(tmp_path / "a.npz", model, adam)
    with pytest.raises(ValueError, match="another optimiser"):
        load_checkpoint(tmp_path / "a.npz", model, SGD(0.1, momentum=0.9))
    other = Adam(1e-3)
    load_checkpoint(tmp_path / "a.npz", model, other)
    assert other.steps == 1


# ---------------------------------------------------------------- what does not fit an optimiser

SPOILT = {
    "moment missing": (lambda s: s.pop("v.0.dense.W"), r"v\.0\.dense\.W is missing"),
    "unknown moment": (lambda s: s.update({"u.0.dense.W": np.zeros(1)}), "has u.0.dense.W, which"),
    "unknown name": (lambda s: s.update({"velocity": np.zeros(1)}), "has velocity, which Adam"),
    "negative squares": (lambda s: s["v.0.dense.b"].__isub__(1), "v.0.dense.b holds NaN, or"),
    "nan": (lambda s: s["m.0.dense.b"].__imul__(np.nan), "m.0.dense.b holds NaN"),
    "negative steps": (lambda s: s["steps"].__isub__(9), r"steps are \[-8\]"),
    "steps of another kind": (lambda s: s.update(steps=np.array(1.5)), "steps are 1.5"),
    "dtype": (lambda s: s.update({"m.0.dense.b": np.zeros(16)}), "float64.*parameter is float32"),
    "shape": (lambda s: s.update({"m.0.dense.b": np.zeros(2, "f4")}), r"\(2,\), but the para"),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT)
def test_a_state_that_no_steps_leave_is_refused_before_anything_moves(path, saved, spoil, words):
    with np.load(path) as file:
        content = dict(file)
    state = {k.removeprefix("optimizer/"): a for k, a in content.items() if k[:3] == "opt"}
    spoil(state)
    content = {k: a for k, a in content.items() if k[:3] != "opt"}
    np.savez(path, **content, **{f"optimizer/{k}": a for k, a in state.items()})
    assert_refused(path, f"of another optimiser: .*{words}")


def test_an_optimizer_of_a_part_is_not_saved_with_the_whole(path):
    encoder, decoder = Sequential([Dense(2)], (3,)), Sequential([Dense(3)], (2,))
    model, optimizer = Autoencoder(encoder, decoder), Adam()
    optimizer.step(decoder.params, decoder.params)
    with pytest.raises(ValueError, match="belongs to the parameters of its first 1 steps"):
        save_checkpoint(path, model, optimizer)
    assert not path.exists()
    save_checkpoint(path, decoder, optimizer)
    again = Adam()
    load_checkpoint(path, decoder, again)
    again.step(decoder.params, decoder.params)
    assert again.steps == 2


# ---------------------------------------------------------------- the best and the latest


def test_the_file_holds_the_best_for_use_and_the_latest_to_go_on(path):
    used = run(9, path, **early_best())  # ends with the best of 4 epochs, the first
    best, latest = make_model(), make_model()
    load_checkpoint(path, best)
    assert_same_bits(best.params, used[0].params)
    load_checkpoint(path, latest, Adam())
    assert not np.array_equal(latest.params["0.dense.W"], best.params["0.dense.W"])
    assert_same_bits(latest.params, run(4)[0].params)


def test_the_file_holds_the_best_of_the_epoch_that_it_is_of(path):
    """And not of the epoch before: here the latest is the best."""
    x = make_data(7, seed=1)[0]
    whole = run(3, path, validation=(x, predict(run(3)[0], x)), patience=3)
    assert whole[2].best_epoch == 2
    used = make_model()
    load_checkpoint(path, used)
    assert_same_bits(used.params, whole[0].params)


def test_going_on_from_the_best_weights_sees_new_noise():
    model = run(4, **early_best())[0]
    assert model.state["3.dropout.draws"] == 4 * 3


def test_best_weights_of_another_model_are_refused(path):
    run(2, path, validation=make_data(), patience=2)
    with np.load(path) as file:
        content = dict(file)
    del content["run/best/0.dense.W"]
    np.savez(path, **content)
    model = make_model()
    before = arrays(model)
    with pytest.raises(ValueError, match=r"only the model has 0\.dense\.W"):
        load_checkpoint(path, model)
    assert_same_bits(arrays(model), before)


def test_an_array_that_unpacks_to_more_than_the_file_has_is_refused(tmp_path):
    path = tmp_path / "packed.npz"
    np.savez_compressed(path, **{"params/0.dense.W": np.zeros(10**6, np.float32)})
    with pytest.raises(DamagedCheckpointError, match="claims"):
        load_checkpoint(path, Sequential([Dense(1)], (1,)))


def test_default_of_a_named_argument_is_part_of_a_function():
    def scaled(scale):
        def loss(y, target, *, factor=scale):
            return factor * mse(y, target)[0], y

        return loss

    assert describe(scaled(1.0)) == describe(scaled(1.0)) != describe(scaled(2.0))


def test_checksum_of_several_arrays_is_of_all_of_them():
    a, b = np.arange(3), np.arange(4)
    assert checksum_of(a, b) != checksum_of(b) == checksum_of(b.copy())
    assert checksum_of(a, b) != checksum_of(b, a)


def test_an_error_before_anything_was_written_is_not_hidden(tmp_path):
    with pytest.raises(KeyError, match="mine"), written_whole(tmp_path / "file"):
        raise KeyError("mine")

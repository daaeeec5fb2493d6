import contextlib

import numpy as np
import pytest

from nnscratch.layers import BatchNormalization, Dense, Dropout, Layer, Sequential, Tanh
from nnscratch.losses import mse, softmax_crossentropy
from nnscratch.optimizers import SGD, Adam
from nnscratch.randomness import stream
from nnscratch.training import History, evaluate, fit, predict
from nnscratch.training.checkpoint import load_checkpoint


def make_model(dtype=np.float32, units=1):
    layers = [Dense(16), BatchNormalization(momentum=0.5), Tanh(), Dropout(0.2), Dense(units)]
    return Sequential(layers, (2,), seed=3, dtype=dtype)


def make_data(n=10, dtype=np.float32, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(dtype)
    return x, np.sin(2 * x[:, :1]) * x[:, 1:]


def train(model, x, target, *, optimizer=None, epochs=3, batch_size=4, loss=mse, **options):
    """`fit` with the settings that most tests share; 10 samples make batches of 4, 4 and 2."""
    optimizer = optimizer or Adam(0.01)
    shared = {"loss": loss, "optimizer": optimizer, "epochs": epochs, "batch_size": batch_size}
    return fit(model, x, target, **shared, **{"progress": False, **options})


def arrays(model):
    return {key: a.copy() for key, a in {**model.params, **model.state}.items()}


def assert_same_bits(got, expected):
    assert got.keys() == expected.keys()
    for key in got:
        np.testing.assert_array_equal(got[key], expected[key], err_msg=key, strict=True)


class Spy(Layer):
    """Passes x on and remembers what it was given."""

    def forward(self, x, training=False):
        self.check_input(x)
        self.seen = [*getattr(self, "seen", []), (x.copy(), training)]
        self.cache = (x.shape,)
        return x

    def backward(self, dy):
        return dy


def test_learns():
    x, target = make_data(64)
    model = Sequential([Dense(16), Tanh(), Dense(1)], (2,))
    history = train(model, x, target, optimizer=Adam(0.03), epochs=150, batch_size=16)
    assert history.loss[-1] < history.loss[0] / 50
    assert evaluate(model, x, target, mse) < history.loss[0] / 50
    assert len(history.loss) == 150
    assert history.validation_loss == []
    assert history.seconds > 0


def test_the_bits_follow_from_the_seed():
    runs = []
    for seed in (1, 1, 2):
        model = make_model()
        history = train(model, *make_data(), seed=seed)
        runs.append((arrays(model), history.loss))
    assert_same_bits(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert runs[0][1] != runs[2][1]
    assert not np.array_equal(runs[0][0]["0.dense.W"], runs[2][0]["0.dense.W"])


def test_every_sample_is_seen_once_an_epoch_with_its_own_target():
    x = np.arange(10, dtype=np.float64)[:, None] + 1
    spy = Spy()
    pairs = []

    def loss(y, target):
        pairs.append((y[:, 0].tolist(), target[:, 0].tolist()))
        return mse(y, target)

    x0 = x.copy()
    train(Sequential([spy], (1,), dtype=np.float64), x, 2 * x, loss=loss)
    assert np.array_equal(x, x0)
    batches = [batch[:, 0].tolist() for batch, _ in spy.seen]
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    assert all(training for _, training in spy.seen)
    epochs = [[v for batch in batches[i : i + 3] for v in batch] for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(1, 11)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, sorted(epochs[0])]}) == 4  # always mixed anew
    assert all(t == [2 * v for v in y] for y, t in pairs[-9:])
    assert [y for y, _ in pairs[-9:]] == batches


def test_history_is_the_mean_over_samples_of_losses_before_each_step():
    model, probe = make_model(np.float64), make_model(np.float64)
    calls = []

    def loss(y, target):
        value, dy = mse(y, target)
        calls.append((value, len(y)))
        return value, dy

    history = train(model, *make_data(dtype=np.float64), loss=loss, epochs=2)
    for epoch, batches in enumerate((calls[-6:-3], calls[-3:])):
        assert [n for _, n in batches] == [4, 4, 2]
        assert history.loss[epoch] == pytest.approx(sum(v * n for v, n in batches) / 10, rel=1e-14)
    x, target = make_data(dtype=np.float64)
    first = train(probe, x, target, epochs=1, batch_size=10).loss[0]
    order = stream(0, "shuffling", 0).permutation(10)
    fresh = make_model(np.float64).forward(x[order], training=True)
    assert first == pytest.approx(mse(fresh, target[order])[0], rel=1e-14)


def test_best_epoch():
    assert History([3.0, 1.0, 2.0]).best_epoch == 1
    assert History([3.0, 1.0, 2.0], [1.0, 1.0, 2.0]).best_epoch == 0


def test_validation_is_evaluation_and_leaves_no_trace():
    validation = make_data(7, seed=1)
    alone, watched = make_model(), make_model()
    plain = train(alone, *make_data())
    history = train(watched, *make_data(), validation=validation)
    assert history.loss == plain.loss
    assert_same_bits(arrays(watched), arrays(alone))
    after_one = make_model()
    train(after_one, *make_data(), epochs=1)
    for model, epoch in ((after_one, 0), (alone, 2)):
        expected = mse(model.forward(validation[0]), validation[1])[0]
        assert history.validation_loss[epoch] == pytest.approx(expected, rel=1e-6)
    assert len(history.validation_loss) == 3


@pytest.mark.parametrize("patience", [2, 3])
@pytest.mark.parametrize("epochs", [20, 4])
def test_patience_stops_and_restores_the_best_epoch(patience, epochs):
    """The validation target is what the model says after 3 epochs: only there is the loss 0."""
    best = make_model()
    train(best, *make_data(), epochs=3)
    x = make_data(7, seed=1)[0]
    model, options = make_model(), {"validation": (x, predict(best, x)), "patience": patience}
    history = train(model, *make_data(), epochs=epochs, **options)
    assert len(history.loss) == len(history.validation_loss) == min(3 + patience, epochs)
    assert history.best_epoch == 2
    assert history.validation_loss[2] == 0
    assert min(history.validation_loss[3:]) > 0
    best.state["3.dropout.draws"][...] = 3 * len(history.loss)  # noise is not drawn again
    assert_same_bits(arrays(model), arrays(best))


def test_predict_and_evaluate_are_the_whole_at_once():
    x, target = make_data(23, np.float64)
    model = make_model(np.float64)
    train(model, x, target)
    before = arrays(model)
    y = model.forward(x)
    for size in (1, 5, 23, 500):
        np.testing.assert_allclose(predict(model, x, size), y, rtol=1e-12)
        assert evaluate(model, x, target, mse, size) == pytest.approx(mse(y, target)[0], rel=1e-12)
    assert_same_bits(arrays(model), before)


def test_predict_takes_batches_in_order():
    spy = Spy()
    model = Sequential([spy], (1,), dtype=np.float64)
    x = np.arange(7.0)[:, None]
    assert predict(model, x, 3).tolist() == x.tolist()
    assert [(len(batch), mode) for batch, mode in spy.seen] == [(3, False), (3, False), (1, False)]


def test_progress_bar(capsys):
    train(make_model(), *make_data(), epochs=1)
    assert capsys.readouterr() == ("", "")
    train(make_model(), *make_data(), epochs=2, validation=make_data(), progress=True)
    out, err = capsys.readouterr()
    assert (out, "epoch 2/2" in err, "validation" in err) == ("", True, True)


def with_nan(a, *index):
    a = a.copy()
    a[index] = np.nan
    return a


X, TARGET = make_data()
WRONG = {
    "channels": ({"x": X[:, :1]}, ValueError, r"x has shape \(10, 1\).*\(N, 2\)"),
    "dtype": ({"x": X.astype(float)}, TypeError, r"x is float64 but the model is float32"),
    "target dtype": ({"target": TARGET.astype(float)}, (TypeError, ValueError), "target.*float64"),
    "target shape": ({"target": TARGET[:, 0]}, ValueError, r", 1\) but the target \(\d+,\)"),
    "nan": ({"x": with_nan(X, 7, 1)}, ValueError, "training data's x holds NaN.*in sample 7"),
    "nan target": ({"target": with_nan(TARGET, 9)}, ValueError, "target holds NaN.*in sample 9"),
    "empty": (
        {"x": X[:0], "target": TARGET[:0]},
        ValueError,
        "training data's x has shape .*no samples",
    ),
    "lengths": ({"target": TARGET[:9]}, ValueError, "10 samples and 9 targets"),
    "epochs": ({"epochs": 0}, ValueError, "epochs is 0; .*>= 1"),
    "batch size": ({"batch_size": 0}, ValueError, "batch_size is 0; .*>= 1"),
    "patience": ({"patience": 2}, ValueError, "patience needs validation data"),
    "no patience": (
        {"patience": 0, "validation": (X, TARGET)},
        ValueError,
        "patience is 0; .*>= 1",
    ),
    "validation shape": ({"validation": (X.T, X.T)}, ValueError, r"x has shape \(2, 10\)"),
    "late nan": ({"validation": (X, with_nan(X, 3))}, ValueError, "validation data's t.* sample 3"),
    "validation lengths": ({"validation": (X, X[:3])}, ValueError, "validation data has 10 .* 3 t"),
}


@pytest.mark.parametrize(("change", "error", "sentence"), WRONG.values(), ids=WRONG)
def test_errors_before_anything_changes(change, error, sentence):
    model, optimizer = make_model(), Adam()
    before = arrays(model)
    with pytest.raises(error, match=sentence):
        train(model, **{"x": X, "target": TARGET, "optimizer": optimizer, **change})
    assert_same_bits(arrays(model), before)
    assert optimizer.steps == 0


@pytest.mark.parametrize("where", ["training", "validation"])
def test_a_label_out_of_range_is_found_at_once_and_named(where):
    """Sample 7 is number 3 of the second batch; the sentence must not leave the reader there."""
    model, labels = make_model(units=3), np.arange(10) % 3
    before, bad = arrays(model), labels.copy()
    bad[7] = 12
    data = {"target": bad} if where == "training" else {"target": labels, "validation": (X, bad)}
    with pytest.raises(ValueError, match=rf"{where}.*(4 to 7.*label 12|label 12 at index 7)"):
        train(model, X, **data, loss=softmax_crossentropy)
    assert_same_bits(arrays(model), before)


def test_a_model_that_diverged_is_not_saved(tmp_path):
    """The last step of an epoch can spoil the weights after the last look at the loss."""
    optimizer = SGD(lambda step: 1e-3 if step < 5 else 1e300)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError):
        train(make_model(), X, TARGET, optimizer=optimizer, checkpoint=tmp_path / "a")
    model = make_model()
    assert len(load_checkpoint(tmp_path / "a", model)["loss"]) == 1
    assert all(np.isfinite(a).all() for a in arrays(model).values())


def test_predicting_or_evaluating_nothing_gets_a_sentence():
    with pytest.raises(ValueError, match="no samples"):
        predict(make_model(), X[:0])
    with pytest.raises(ValueError, match="no samples"):
        evaluate(make_model(), X[:0], TARGET[:0], mse)


def test_validation_loss_that_is_not_finite_is_no_best_epoch():
    """argmin takes NaN for the smallest number."""
    optimizer = SGD(0.01)

    def loss(y, target):
        value, dy = mse(y, target)
        return (np.nan if optimizer.steps == 6 and len(y) == 7 else value), dy

    options = {"validation": make_data(7), "patience": 2, "epochs": 5}
    with pytest.raises(FloatingPointError, match=r"validation loss became nan.*epoch 2"):
        train(make_model(), X, TARGET, loss=loss, optimizer=optimizer, **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"epochs": 1.5}, ValueError, "epochs is 1.5"),
        ({"batch_size": 8.0}, ValueError, "batch_size is 8.0"),
        ({"optimizer": "adam"}, TypeError, "must be an Optimizer"),
        ({"validation": X}, TypeError, "a pair"),
        ({"target": X.tolist()}, TypeError, "is a list"),
    ],
)
def test_arguments_of_another_kind(options, error, words):
    given = {"x": X, "target": TARGET, "optimizer": Adam(1e-3)} | options
    x, target = given.pop("x"), given.pop("target")
    with pytest.raises(error, match=words):
        train(make_model(), x, target, **given)


def test_a_checkpoint_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    model = make_model()
    before = {key: array.copy() for key, array in arrays(model).items()}
    with pytest.raises(OSError, match="cannot write to the folder"):
        train(model, X, TARGET, optimizer=Adam(1e-3), checkpoint=tmp_path / "file" / "a.npz")
    assert_same_bits(arrays(model), before)


def test_a_checkpoint_with_more_epochs_or_other_data_is_refused(tmp_path):
    train(make_model(), X, TARGET, optimizer=Adam(1e-3), checkpoint=tmp_path / "a", epochs=3)
    model = make_model()
    before = {key: array.copy() for key, array in arrays(model).items()}
    with pytest.raises(ValueError, match="3 epochs behind it, more than epochs=2"):
        train(model, X, TARGET, optimizer=Adam(1e-3), checkpoint=tmp_path / "a", epochs=2)
    assert_same_bits(arrays(model), before)
    with pytest.raises(ValueError, match="checksum"):
        train(make_model(), X + 1, TARGET, optimizer=Adam(1e-3), checkpoint=tmp_path / "a")


def test_numbers_measured_after_every_epoch_survive_a_resumed_run(tmp_path):
    def measured(epochs, name):
        model = make_model()

        def measure():
            return {"largest": abs(model.params["0.dense.W"]).max(), "one": 1}

        path = tmp_path / name
        return train(
            model, *make_data(), measure=measure, epochs=epochs, checkpoint=path
        ).measured, abs(model.params["0.dense.W"]).max()

    whole, last = measured(4, "whole.npz")
    assert whole["one"] == [1.0] * 4
    assert whole["largest"][-1] == last
    assert len(set(whole["largest"])) == 4
    measured(2, "parts.npz")
    assert measured(4, "parts.npz")[0] == whole


# ---------------------------------------------------------------- one epoch at a time


def orders(epochs, times, optimizer, path=None):
    """The samples' numbers in the order in which training saw them, epoch by epoch."""
    spy = Spy()
    model = Sequential([spy, Dense(1)], (1,))
    x = np.arange(10, dtype=np.float32)[:, None]
    for _ in range(times):
        train(model, x, x, optimizer=optimizer, epochs=epochs, checkpoint=path)
    seen = [int(n) for batch, training in spy.seen if training for n in batch[:, 0]]
    return model, [seen[i : i + 10] for i in range(0, len(seen), 10)]


def test_one_epoch_again_and_again_is_the_same_training_as_all_at_once():
    (model, several), (other, at_once) = orders(1, 4, Adam(0.01)), orders(4, 1, Adam(0.01))
    assert several == at_once
    assert len({tuple(order) for order in several}) == 4
    assert_same_bits(arrays(model), arrays(other))


def test_a_new_optimizer_begins_with_the_first_order():
    assert orders(2, 1, Adam(0.01))[1] == orders(2, 1, SGD(0.1))[1]


def test_an_optimizer_of_another_model_is_refused_before_anything_moves():
    optimizer = Adam(0.01)
    train(make_model(), X, TARGET, optimizer=optimizer)
    model = make_model()
    before = arrays(model)
    with pytest.raises(ValueError, match="belongs to the parameters of its first 9 steps"):
        train(model, X, TARGET, optimizer=optimizer)
    assert_same_bits(arrays(model), before)


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_a_batch_size_that_is_none_gets_a_sentence(size):
    for use in (lambda: predict(make_model(), X, size),
                lambda: evaluate(make_model(), X, TARGET, mse, size)):  # fmt: skip
        with pytest.raises(ValueError, match=f"batch_size is {size}"):
            use()


def test_evaluating_unequal_numbers_gets_a_sentence():
    with pytest.raises(ValueError, match="10 samples but 9 targets"):
        evaluate(make_model(), X, TARGET[:9], mse, batch_size=3)


def test_losses_add_up_in_float64():
    """A mean of many float32 losses does not lose the small ones behind the large."""
    x = np.zeros((400, 2), np.float32)

    def loss(y, target):
        value = np.float32(1e8) if target[0, 0] else np.float32(1)
        return value, np.zeros_like(y)

    target = np.zeros((400, 1), np.float32)
    target[0] = 1
    expected = (1e8 + 399) / 400
    assert evaluate(make_model(), x, target, loss, batch_size=1) == expected
    history = train(make_model(), x, target, loss=loss, batch_size=1, epochs=1)
    assert history.loss == pytest.approx([expected], rel=1e-12)


def test_the_bar_begins_where_a_resumed_run_does_and_shows_the_mean_loss(tmp_path, monkeypatch):
    bars = []

    class Bar(contextlib.nullcontext):
        def __init__(self, **options):
            super().__init__(self)
            self.n, self.total, self.shown = options["initial"], options["total"], []
            bars.append(self)

        def set_description(self, text, refresh):
            pass

        def set_postfix_str(self, text, refresh):
            self.shown.append(text)

        def update(self, n):
            self.n += n

    monkeypatch.setattr("nnscratch.training.loop.progress_bar", Bar)
    train(make_model(), X, TARGET, checkpoint=tmp_path / "a", epochs=2, optimizer=SGD(1e-9))
    history = train(
        make_model(), X, TARGET, checkpoint=tmp_path / "a", epochs=3, optimizer=SGD(1e-9)
    )
    assert [(bar.n, bar.total) for bar in bars] == [(20, 20), (30, 30)]
    assert bars[1].shown[-1] == f"loss {history.loss[-1]:.4g}"
    assert len(bars[1].shown) == 3


@pytest.mark.parametrize("loss", ["mse", None, 3])
def test_a_loss_that_is_no_function_is_named(loss):
    with pytest.raises(TypeError, match=f"loss is {loss!r}; it must be a function .*losses.mse"):
        train(make_model(), X, TARGET, loss=loss)


def test_what_numba_cannot_do_here_is_not_said_of_the_targets():
    """Such as a threading layer that is missing."""
    words = "raise ValueError('No threading layer could be loaded.')"
    namespace = {"__name__": "numba.np.ufunc.parallel"}
    exec(f"def launch():\n    {words}", namespace)

    def loss(y, target):
        namespace["launch"]()

    with pytest.raises(ValueError, match=r"^No threading layer could be loaded\.$"):
        train(make_model(), X, TARGET, loss=loss)


def test_an_error_of_the_loss_keeps_its_words_whatever_its_kind():
    def loss(y, target):
        b"\xff".decode()

    with pytest.raises(ValueError, match="training targets 0 to 3 do not suit the loss: 'utf-8'"):
        train(make_model(), X, TARGET, loss=loss)

"""Exercise 0: its numbers against SciPy, its mistakes against the checker, its verdicts."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.signal import convolve2d, correlate2d
from scipy.special import log_softmax

from exercises import ex00_backprop, ex00_training
from exercises.common import Settings
from exercises.ex00_backprop import by_hand, main, network, numerical_gradient, passes, run
from exercises.ex00_comparison import hidden_mistake
from exercises.ex00_mistakes import MISTAKES, diagnose, plant
from exercises.ex00_nets import NETS, half_prior, linear_decoder, map_gradient
from exercises.ex00_training import Outcome, RightNets, diagnose_search, read_curve
from exercises.ex00_view import print_passes
from nnscratch import kernels
from nnscratch.losses import softmax_crossentropy

QUICK = Settings(data="embedded", quick=True)


@pytest.fixture(autouse=True)
def plain_numpy():
    with ex00_backprop.reference_kernels():
        yield


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Both figures of a quick run, in their folder."""
    folder = tmp_path_factory.mktemp("ex00")
    before = kernels.in_use()
    run(Settings(data="embedded", quick=True, out=folder))
    assert kernels.in_use() == before
    return folder


def by_name():
    quantities, loss, p = passes(*by_hand())
    return {q.name: q for q in quantities}, loss, p


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ex00_backprop", *arguments])
    main()


# ---------------------------------------------------------------- the passes


def test_forward_is_what_scipy_computes():
    q, loss, p = by_name()
    x, W1 = q["x"].array[0, :, :, 0], q["W1"].array[:, :, 0]
    conv = [correlate2d(x, W1[..., k], "valid") + q["b1"].array[k] for k in range(2)]
    relu = np.maximum(np.stack(conv, axis=-1), 0)
    pool = [[relu[h : h + 2, w : w + 2].max(axis=(0, 1)) for w in (0, 2)] for h in (0, 2)]
    logits = np.ravel(pool) @ q["W2"].array + q["b2"].array
    np.testing.assert_allclose(q["conv"].array[0], np.stack(conv, axis=-1))
    np.testing.assert_allclose(q["relu"].array[0], relu)
    np.testing.assert_allclose(q["pool"].array[0], pool)
    np.testing.assert_allclose(q["flat"].array[0], np.ravel(pool))
    np.testing.assert_allclose(q["logits"].array[0], logits)
    np.testing.assert_allclose(np.log(p[0]), log_softmax(logits))
    assert loss == pytest.approx(-log_softmax(logits)[ex00_backprop.LABEL])


def test_backward_is_what_its_lines_say():
    q, _, p = by_name()
    right = np.arange(3) == ex00_backprop.LABEL
    dlogits = p[0] - right
    dflat = q["W2"].array @ dlogits
    drelu = np.zeros((4, 4, 2))
    for (h, w, k), gradient in np.ndenumerate(dflat.reshape(2, 2, 2)):
        window = q["relu"].array[0, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2, k]
        i, j = np.unravel_index(window.argmax(), (2, 2))
        drelu[2 * h + i, 2 * w + j, k] = gradient
    dconv = np.where(q["conv"].array[0] > 0, drelu, 0)
    x, W1 = q["x"].array[0, :, :, 0], q["W1"].array[:, :, 0]
    dW1 = [correlate2d(x, dconv[..., k], "valid") for k in range(2)]
    dx = sum(convolve2d(dconv[..., k], W1[..., k], "full") for k in range(2))
    for name, wanted in {
        "logits": dlogits[None],
        "b2": dlogits,
        "W2": np.outer(q["flat"].array, dlogits),
        "flat": dflat[None],
        "pool": dflat.reshape(1, 2, 2, 2),
        "relu": drelu[None],
        "conv": dconv[None],
        "b1": dconv.sum(axis=(0, 1)),
        "W1": np.stack(dW1, axis=-1)[:, :, None],
        "x": dx[None, :, :, None],
    }.items():
        np.testing.assert_allclose(q[name].gradient, wanted, atol=1e-12, err_msg=name)
    assert (q["conv"].gradient != q["relu"].gradient).any()  # the mask of ReLU is to be seen


def test_numerical_gradients_agree_but_for_one_tie():
    q, _, _ = by_name()
    assert {name for name in q if q[name].kinks} == {"relu"}
    tied = np.isnan(q["relu"].numerical)
    assert tied.sum() == q["relu"].kinks == 4
    assert not q["relu"].array[tied].any()
    assert all(0 < quantity.difference < 1e-8 for quantity in q.values())


def test_numerical_gradient_of_what_is_known():
    a = np.array([[1.0, -2.0], [0.0, 3.0]])
    kept = a.copy()
    smooth = numerical_gradient(lambda: float((a**3).sum()), a)
    np.testing.assert_allclose(smooth, 3 * kept**2, atol=1e-6)
    kinked = numerical_gradient(lambda: float(np.abs(a).sum()), a)
    np.testing.assert_allclose(kinked, [[1, -1], [np.nan, 1]], atol=1e-6)
    assert np.array_equal(a, kept)


def test_both_passes_are_printed(capsys):
    q, loss, p = by_name()
    print_passes(list(q.values()), loss, p)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert f"loss = -log p[right class] = {loss:.3f} nats" in lines
    for name, array, gradient in ((n, x.array, x.gradient) for n, x in q.items()):
        forward = next(line for line in lines if line.startswith(f"{name} "))
        backward = next(line for line in lines if line.startswith(f"d{name} "))
        assert str(array.shape) in forward
        assert str(gradient.shape) in backward
        assert q[name].forward in forward
        assert q[name].backward in backward
    first = lines.index(next(line for line in lines if line.startswith("dx ")))
    printed = np.array([line.split() for line in lines[first + 1 : first + 7]], float)
    dx = q["x"].gradient[0, :, :, 0]
    np.testing.assert_allclose(printed, np.hstack([dx, dx]), atol=5.01e-4)
    assert sum(line.count("kink ") for line in lines) >= 4


# ---------------------------------------------------------------- the mistakes


def test_the_right_net_passes():
    diagnosis = diagnose(network(6, 2, 3, 0, np.float64), softmax_crossentropy, "")
    assert all(report.ok for report in diagnosis.parts)
    assert diagnosis.whole.ok
    assert not diagnosis.named
    assert diagnosis.hint == ""


def test_all_are_found_and_named():
    assert len(MISTAKES) >= 16
    for name, mistake in MISTAKES.items():
        if mistake.net == "MAP" or name in UNNAMED:
            continue  # below
        model = NETS.get(mistake.net, network)(6, 2, 3, 0, np.float64)
        diagnosis = diagnose(model, plant(model, mistake), mistake.words)
        wanted = {place.__name__.lower() for place in mistake.places} or {"loss"}
        assert {report.subject for report in diagnosis.failed} == wanted, name
        hints = [[f.hint for f in report.failures] for report in diagnosis.failed]
        assert all(any(mistake.words in hint for hint in part) for part in hints), name
        assert diagnosis.named, name
        assert diagnosis.hint == hints[0][0]


UNNAMED = {"one-branch", "logvar-without-eps"}  # found, but no hint says what it is


@pytest.mark.parametrize("name", sorted(UNNAMED))
def test_found_without_a_name(name):
    mistake = MISTAKES[name]
    model = NETS[mistake.net](6, 2, 3, 0, np.float64)
    diagnosis = diagnose(model, plant(model, mistake), mistake.words)
    assert [r.subject for r in diagnosis.failed] == [mistake.places[0].__name__.lower()]
    assert not diagnosis.named


@pytest.mark.parametrize("net", NETS.values(), ids=[layer.__name__ for layer in NETS])
def test_right_nets_of_their_own_pass(net):
    diagnosis = diagnose(net(6, 2, 3, 0, np.float64), softmax_crossentropy, "")
    assert all(report.ok for report in (*diagnosis.parts, diagnosis.whole))


def test_map_without_its_factor_is_refused_and_named():
    x = np.random.default_rng(0).random((40, 6, 6, 1))
    decoder, words = linear_decoder(x, np.float64), MISTAKES["half-prior"].words
    assert diagnose_search(decoder, map_gradient, x, words).whole.ok
    wrong = diagnose_search(decoder, half_prior, x, words)
    assert wrong.named
    assert not wrong.whole.ok


def test_words_of_another_mistake_do_not_name_it():
    model = network(6, 2, 3, 0, np.float64)
    loss = plant(model, MISTAKES["off-by-one"])
    assert not diagnose(model, loss, MISTAKES["flipped-kernel"].words).named


@pytest.mark.parametrize(
    "mistake", [m for m in MISTAKES.values() if m.net != "MAP"], ids=lambda m: m.name
)
def test_a_mistake_leaves_forward_as_it_is(mistake):
    right, wrong = (NETS.get(mistake.net, network)(6, 2, 3, 0, np.float32) for _ in range(2))
    loss = plant(wrong, mistake)
    x = np.random.default_rng(0).random((5, 6, 6, 1), dtype=np.float32)
    labels = np.array([0, 1, 2, 1, 0])
    values = []
    for model, function in ((right, softmax_crossentropy), (wrong, loss)):
        for _ in range(2):  # the second pass would see what the first one left behind
            value, dy = function(model.forward(x), labels)
            model.backward(dy)
        values.append(value)
    assert values[0] == values[1]


# ---------------------------------------------------------------- the loss curves


def right_nets(*ends):
    runs = [Outcome([0, 10], [2.3, end], 0.9, True) for end in ends]
    return RightNets(network, None, 2, 0, runs)


def test_where_right_nets_end():
    low, high = right_nets(1.0, 2.0, 3.0).usual_end  # t of 2 degrees of freedom: 4.3027
    assert (low + high) / 2 == pytest.approx(2)
    assert (high - low) / 2 == pytest.approx(4.3027 * np.sqrt(4 / 3), rel=1e-4)


@pytest.mark.parametrize(
    ("losses", "finished", "told", "words"),
    [
        ([2.3, 0.5], True, False, "same to the last bit"),
        ([2.3, 0.51], True, False, "within"),
        ([2.3, 0.9], True, True, "above"),
        ([2.3, 0.1], True, False, "below"),
        ([2.3, 0.5], False, True, "no finite loss after step 10"),
    ],
)
def test_what_a_curve_tells(losses, finished, told, words):
    right = right_nets(0.5, 0.52, 0.48, 0.54, 0.46)
    found, text = read_curve(Outcome([0, 10], losses, 0.9, finished), right)
    assert found is told
    assert words in text


def test_no_verdict_where_right_nets_have_not_learned():
    runs = [Outcome([0, 10], [2.3, 2.2], accuracy, True) for accuracy in (0.9, 0.4)]
    right = RightNets(network, None, 1, 0, runs)
    told, text = read_curve(Outcome([0, 10], [2.3, 90.0], 0.1, True), right)
    assert told is None
    assert text == "no verdict: a right net reads only 40 % after these few steps"


def test_hidden_mistakes_are_all_different():
    hidden = [hidden_mistake(number).name for number in range(len(MISTAKES))]
    assert sorted(hidden) == sorted(MISTAKES)
    assert hidden != list(MISTAKES)
    assert hidden_mistake(len(MISTAKES)).name == hidden[0]


def test_symptoms_do_not_tell_the_name(monkeypatch, capsys, tmp_path):
    flags = ("--hide", "2", "--quick", "--data", "embedded", "--out", str(tmp_path))
    command(monkeypatch, *flags)
    out = capsys.readouterr().out
    record = (tmp_path / "ex00_hidden_2.json").read_text(encoding="utf-8")
    mistake = hidden_mistake(2)
    assert not any(name in out + record for name in MISTAKES)
    assert mistake.words not in out + record
    assert "Nothing can be said yet: no verdict" in out
    command(monkeypatch, *flags, "--answer")
    assert f"{mistake.name}: {mistake.sentence}" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        command(monkeypatch, "--answer")


def test_training_goes_down_and_up():
    data, seed = ex00_training.digits(QUICK), [0, 0]
    curves = {}
    for name in (None, "wrong-sign", "off-by-one"):
        model = ex00_training.to_train(network, seed)
        loss = plant(model, MISTAKES[name]) if name else softmax_crossentropy
        curves[name] = ex00_training.train(model, loss, data, 3, seed)
    right = curves[None]
    assert right.steps == list(range(0, 61, 10))
    assert right.losses[-1] < 0.8 * right.losses[0]
    assert right.accuracy > 0.3
    assert curves["wrong-sign"].losses[-1] > 10 * right.losses[0]
    assert curves["off-by-one"] == right  # nobody asks for the gradient of the first layer's input


# ---------------------------------------------------------------- the command


def test_list_names_all(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    command(monkeypatch, "--list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == list(MISTAKES)
    assert [line.strip() for line in lines[1::2]] == [m.sentence for m in MISTAKES.values()]
    assert not list(tmp_path.iterdir())


def test_an_unknown_mistake_gets_a_sentence(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, "--break", "flipped")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "there is no mistake named 'flipped'; known are" in error
    assert all(name in error for name in MISTAKES)


def no_constant(text):
    pytest.fail(f"{text} is no JSON")


def test_figures_with_their_numbers(quick):
    records = {}
    for name in ("ex00_backprop", "ex00_mistakes"):
        text = (quick / f"{name}.json").read_text(encoding="utf-8")
        records[name] = json.loads(text, parse_constant=no_constant)
        assert np.asarray(Image.open(quick / f"{name}.png").convert("L")).std() > 10
    numbers, (q, loss, _) = records["ex00_backprop"]["numbers"], by_name()
    assert numbers["loss_nats"] == loss
    assert numbers["gradients"] == {
        name: quantity.gradient.tolist() for name, quantity in q.items()
    }
    numbers = records["ex00_mistakes"]["numbers"]
    assert set(numbers) == {"right", *MISTAKES}
    named = [name for name in MISTAKES if numbers[name]["named"]]
    answer = records["ex00_mistakes"]["answers"][0][1]
    assert f"It finds {len(MISTAKES)} of {len(MISTAKES)} and names {len(named)}." in answer
    assert all((name in answer) != (name in named) for name in MISTAKES)
    assert "QUICK RUN" in records["ex00_mistakes"]["stamp"]


def test_break_looks_at_one(monkeypatch, capsys, tmp_path):
    flags = ("--quick", "--data", "embedded", "--out", str(tmp_path))
    command(monkeypatch, "--break", "flipped-kernel", *flags)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= max(100, len(str(tmp_path)) + 80)
    for words in (
        "flipped-kernel: Backward is that of a true convolution",
        "conv2d: FAILED",
        "relu: ok",
        "The checker finds it, in conv2d, and names it",
        "The loss curve tells nothing: no verdict",
    ):
        assert words in out
    record = json.loads((tmp_path / "ex00_break_flipped-kernel.json").read_text(encoding="utf-8"))
    (wrong,) = set(record["numbers"]) - {"right"}
    assert wrong == "flipped-kernel"
    right = record["numbers"]["right"]["test_loss_by_run"][0][-1]
    change = record["numbers"][wrong]["test_loss"][-1] / right - 1
    assert record["numbers"][wrong]["loss_change_percent"] == pytest.approx(100 * change)
    assert (tmp_path / "ex00_break_flipped-kernel.png").exists()


def test_all_that_is_looked_at_runs_in_numpy(monkeypatch):
    """Where its lines can be read and changed, whatever was in use before."""
    used = {}
    for name in ("show_symptoms", "look_at", "compare", "figure_passes", "print_passes"):
        monkeypatch.setattr(
            ex00_backprop, name, lambda *_, name=name: used.update({name: kernels.in_use()})
        )
    before = kernels.use_kernels("compiled")
    try:
        ex00_backprop.look_for_one("settings", 0, False)
        ex00_backprop.look_at_one("settings", next(iter(MISTAKES)))
        ex00_backprop.show_and_run("settings")
        assert kernels.in_use() == "compiled"
    finally:
        kernels.use_kernels(before)
    assert len(used) == 5
    assert set(used.values()) == {"reference"}

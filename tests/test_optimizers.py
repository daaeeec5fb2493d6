import copy
import pickle

import numpy as np
import pytest

from nnscratch.layers import Dense, Sequential
from nnscratch.optimizers import (
    SGD,
    Adam,
    Optimizer,
    clip_by_global_norm,
    cosine_decay,
    global_norm,
)

SGD_KINDS = {"plain": (0.0, False), "momentum": (0.9, False), "nesterov": (0.9, True)}
ALL = {
    "sgd": lambda rate=0.1: SGD(rate),
    "momentum": lambda rate=0.1: SGD(rate, momentum=0.9),
    "nesterov": lambda rate=0.1: SGD(rate, momentum=0.9, nesterov=True),
    "adam": lambda rate=0.1: Adam(rate),
    "adamw": lambda rate=0.1: Adam(rate, weight_decay=0.1),
}
EVERY = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def run(optimizer, start, gradients):
    """The parameter after each step."""
    params = {"p": np.array(start, float)}
    path = []
    for g in gradients:
        optimizer.step(params, {"p": np.array(g, float)})
        path.append(params["p"].copy())
    return np.array(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # g = 2, then 1, with rate 0.1 from p = 1
        ("sgd", [0.8, 0.7]),
        ("momentum", [0.8, 0.8 + (0.9 * -0.2 - 0.1)]),  # v = -0.2, then -0.28
        ("nesterov", [1 + 0.9 * -0.2 - 0.2, 0.62 + 0.9 * -0.28 - 0.1]),
    ],
)
def test_two_steps_by_hand(name, expected):
    path = run(ALL[name](), [1.0], [[2.0], [1.0]])
    np.testing.assert_allclose(path[:, 0], expected, rtol=1e-14)


def test_two_adam_steps_by_hand():
    """g = 2, then -1: m = 0.2, 0.08; v = 0.004, 0.004996; hats divide by 1 - beta^t."""
    path = run(Adam(0.1), [1.0], [[2.0], [-1.0]])
    second = 0.1 * (0.08 / 0.19) / (np.sqrt(0.004996 / 0.001999) + 1e-8)
    np.testing.assert_allclose(path[:, 0], [0.9, 0.9 - second], rtol=1e-8)


@pytest.mark.parametrize("kind", SGD_KINDS)
def test_sgd_is_the_look_ahead_of_sutskever(kind):
    """Nesterov as published: the gradient at theta + momentum * v. The class keeps that point."""
    momentum, nesterov = SGD_KINDS[kind]
    optimizer, params = SGD(0.05, momentum, nesterov), {"p": np.array([2.0, -1.0])}
    theta, v = np.array([2.0, -1.0]), np.zeros(2)

    def gradient(p):
        return np.array([3.0, 0.5]) * p + np.sin(p)

    for _ in range(20):
        optimizer.step(params, {"p": gradient(params["p"])})
        v = momentum * v - 0.05 * gradient(theta + momentum * v * nesterov)
        theta = theta + v
        np.testing.assert_allclose(params["p"], theta + momentum * v * nesterov, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_over_20_steps(decay):
    """The moments written as sums over all gradients so far instead of recursively."""
    g = np.random.default_rng(0).normal(size=(20, 3)) * [1e-3, 1, 1e3]
    path = run(Adam(0.01, 0.8, 0.95, 1e-5, decay), [1.0, 2.0, -3.0], g)
    p = np.array([1.0, 2.0, -3.0])
    for t in range(1, 21):
        ages = np.arange(t)[::-1, None]
        mhat = (0.2 * 0.8**ages * g[:t]).sum(axis=0) / (1 - 0.8**t)
        vhat = (0.05 * 0.95**ages * g[:t] ** 2).sum(axis=0) / (1 - 0.95**t)
        p = (1 - 0.01 * decay) * p - 0.01 * mhat / (vhat**0.5 + 1e-5)
        np.testing.assert_allclose(path[t - 1], p, rtol=1e-11)


def test_first_adam_step_has_the_size_of_the_learning_rate():
    path = run(Adam(0.01), np.zeros(4), [[1e-3, -1.0, 1e4, 0.0]])
    np.testing.assert_allclose(path[0], [-0.01, 0.01, -0.01, 0.0], rtol=2e-5)


def test_weight_decay_is_not_scaled_by_the_gradient():
    """Gradients of 1e-2 and 1e4 shrink the weight alike; so does none at all."""
    g = np.array([1e-2, 1e4, 0.0])
    plain = run(Adam(0.1), [5.0, 5.0, 5.0], [g])
    decayed = run(Adam(0.1, weight_decay=0.2), [5.0, 5.0, 5.0], [g])
    np.testing.assert_allclose(plain - decayed, np.full((1, 3), 0.1 * 0.2 * 5), rtol=1e-12)


@EVERY
def test_in_place_and_nothing_else_changes(make):
    params = {"a": np.ones((2, 3)), "b": np.ones(4)}
    grads = {"b": np.full(4, 0.5), "a": np.full((2, 3), -0.5)}  # another order of the same keys
    arrays, copies = dict(params), {k: g.copy() for k, g in grads.items()}
    optimizer = make()
    for _ in range(2):
        optimizer.step(params, grads)
    assert all(params[k] is arrays[k] for k in arrays)
    assert (params["a"] > 1 - 0.02 * 2).all()  # but for the decay, against the gradient
    assert (params["b"] < 1).all()
    assert all(np.array_equal(grads[k], copies[k]) for k in copies)
    assert optimizer.steps == 2


@EVERY
def test_dtypes_stay(make):
    optimizer = make(cosine_decay(0.1, 10))
    params = {"p": np.ones(3, np.float32), "q": np.ones(3)}
    for _ in range(3):
        optimizer.step(params, {"p": np.ones(3, np.float32), "q": np.ones(3)})
    assert (params["p"].dtype, params["q"].dtype) == (np.float32, np.float64)
    assert all(a.dtype == np.float32 for k, a in optimizer.state.items() if k.endswith(".p"))


def test_parameters_do_not_share_moments():
    together, apart = Adam(0.1), Adam(0.1)
    both = {"a": np.zeros(1), "b": np.zeros(1)}
    alone = {"b": np.zeros(1)}
    for t in range(5):
        together.step(both, {"a": np.array([100.0 * t]), "b": np.array([t - 1.5])})
        apart.step(alone, {"b": np.array([t - 1.5])})
    assert both["b"] == alone["b"]


@EVERY
def test_schedule_is_called_with_the_step_number_from_0(make):
    calls = []

    def schedule(step):
        calls.append(step)
        return 0.5**step

    path = run(make(schedule), [1.0], [[1.0]] * 4)
    assert calls == [0, 1, 2, 3]
    if make is ALL["sgd"]:
        np.testing.assert_allclose(path[:, 0], [0, -0.5, -0.75, -0.875])


def test_cosine_decay():
    rate = cosine_decay(0.2, 100)
    assert rate(0) == 0.2
    assert rate(25) == pytest.approx(0.1 * (1 + 0.5**0.5))
    assert rate(50) == pytest.approx(0.1)
    assert (rate(100), rate(101), rate(10**6)) == (0, 0, 0)
    assert all(rate(i) > rate(i + 1) for i in range(100))


@EVERY
def test_restored_state_goes_on_with_the_same_bits(make):
    g = np.random.default_rng(0).normal(size=(9, 5))
    whole, half, rest = (make(cosine_decay(0.1, 20)) for _ in range(3))
    expected = run(whole, np.ones(5), g)
    middle = run(half, np.ones(5), g[:4])[-1]
    rest.state = {key: array.copy() for key, array in half.state.items()}
    np.testing.assert_array_equal(run(rest, middle, g[4:]), expected[4:])
    assert whole.state.keys() == rest.state.keys()
    assert all(np.array_equal(whole.state[k], rest.state[k]) for k in whole.state)


@EVERY
def test_converges_on_a_quadratic(make):
    """Minimum of (p - 3)^2 + 10 (q + 1)^2 along a falling learning rate."""
    optimizer, params = make(cosine_decay(0.05, 400)), {"p": np.zeros(1), "q": np.zeros(1)}
    optimizer.weight_decay = 0.0
    for _ in range(400):
        optimizer.step(params, {"p": 2 * (params["p"] - 3), "q": 20 * (params["q"] + 1)})
    np.testing.assert_allclose([params["p"][0], params["q"][0]], [3, -1], atol=1e-2)


@pytest.mark.parametrize(("keys", "odd"), [("ac", "'b', 'c'"), ("a", "'b'"), ("abc", "'c'")])
def test_mismatched_keys(keys, odd):
    optimizer, params = SGD(0.1), {"a": np.ones(1), "b": np.ones(1)}
    with pytest.raises(ValueError, match=rf"same keys; only one of them has \[{odd}\]"):
        optimizer.step(params, {key: np.ones(1) for key in keys})
    assert params["a"] == 1
    assert optimizer.steps == 0


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), float("inf"), "0.1", None])
@pytest.mark.parametrize("kind", [SGD, Adam, Optimizer])
def test_learning_rate_must_be_positive(kind, rate):
    with pytest.raises(ValueError, match=f"learning_rate is {rate!r}; it must be positive"):
        kind(rate)


@pytest.mark.parametrize(("momentum", "nesterov"), [(1.0, False), (-0.1, False), (0.0, True)])
def test_bad_momentum(momentum, nesterov):
    with pytest.raises(ValueError, match=f"momentum is {momentum}; .*above 0 for Nesterov"):
        SGD(0.1, momentum, nesterov)


@pytest.mark.parametrize(
    "bad",
    [{"beta_1": 1.0}, {"beta_2": 1.0}, {"beta_1": -0.1}, {"epsilon": 0.0}, {"weight_decay": -1}],
)
def test_bad_adam_numbers(bad):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=f"{name}={value}.*must lie in"):
        Adam(**bad)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0.1, 0), "steps is 0"), ((0.1, 2.5), "steps is 2.5"), ((-0.1, 5), "initial is -0.1")],
)
def test_cosine_decay_that_makes_no_sense_gets_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=f"cosine_decay: {words}"):
        cosine_decay(*arguments)


@pytest.mark.parametrize("value", [-1e-3, np.nan, np.inf])
def test_a_schedule_that_gives_no_rate_moves_nothing(value):
    optimizer, params = SGD(lambda step: 0.1 if step == 0 else value), {"p": np.ones(2)}
    optimizer.step(params, {"p": np.ones(2)})
    with pytest.raises(ValueError, match=f"learning rate of step 1 is {value}"):
        optimizer.step(params, {"p": np.ones(2)})
    assert optimizer.steps == 1
    assert params["p"].tolist() == [0.9, 0.9]


# ---------------------------------------------------------------- whose an optimiser is


def stepped(optimizer, model, times=1):
    for _ in range(times):
        optimizer.step(model.params, {key: np.ones_like(p) for key, p in model.params.items()})
    return model


def network(seed=0, units=2):
    return Sequential([Dense(units)], (3,), seed)


def layer(inputs=3):
    dense = Dense(2)
    dense.build((inputs,), np.random.default_rng(0), np.float32)
    return dense


def replaced():
    model = network()
    yield model
    model.layers[0].params["W"] = model.layers[0].params["W"].copy()
    yield model


def built_anew():
    model = network()
    yield model
    model.build((3,), np.random.default_rng(0), np.float32)
    yield model


SECOND_USES = {
    "another model": lambda: (network(), network()),
    "another size": lambda: (network(), network(units=5)),
    "single layers": lambda: (layer(), layer()),
    "a part": lambda: (model := Sequential([layer(), Dense(2)], (3,)), model.layers[0]),
    "a copy": lambda: (model := network(), copy.deepcopy(model)),
    "an array replaced": replaced,
    "built anew": built_anew,
}


@EVERY
@pytest.mark.parametrize("uses", SECOND_USES.values(), ids=SECOND_USES)
def test_a_second_use_is_refused_before_anything_moves(make, uses):
    optimizer, models = make(), iter(uses())
    stepped(optimizer, next(models), 2)
    second = next(models)
    before = {key: p.copy() for key, p in second.params.items()}
    state = copy.deepcopy(optimizer.state)
    with pytest.raises(
        ValueError, match=r"belongs to the parameters of its first 2 steps.*new opt"
    ):
        stepped(optimizer, second)
    assert all(np.array_equal(p, before[key]) for key, p in second.params.items())
    assert optimizer.state.keys() == state.keys()
    assert optimizer.steps == 2


def test_memory_that_is_used_again_does_not_pass_for_the_old_parameters():
    optimizer = SGD(0.1)
    for i in range(20):
        params = {"p": np.ones(1000)}  # freed and given out again, if nobody held it
        if i == 0:
            optimizer.step(params, params)
            continue
        with pytest.raises(ValueError, match="is not the array that it moved"):
            optimizer.step(params, params)


@EVERY
@pytest.mark.parametrize("twins", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_a_copy_of_model_and_optimizer_goes_on_as_they_do(make, twins):
    model, optimizer = network(), make(cosine_decay(0.1, 9))
    stepped(optimizer, model, 2)
    model_2, optimizer_2 = twins((model, optimizer))
    stepped(optimizer, model, 2)
    stepped(optimizer_2, model_2, 2)
    for key, p in model.params.items():
        np.testing.assert_array_equal(p, model_2.params[key])


BAD_GRADIENTS = {
    "float64": (lambda g: g * np.float64(0.5), TypeError, "b is float32 but its gradient float64"),
    "int": (lambda g: g.astype(int), TypeError, "b is float32 but its gradient int64"),
    "list": (lambda g: g.tolist(), TypeError, "b is a ndarray and its gradient a list"),
    "shape": (lambda g: g[:1], ValueError, r"b has shape \(2,\) but its gradient \(1,\)"),
}


@EVERY
@pytest.mark.parametrize(("spoil", "error", "words"), BAD_GRADIENTS.values(), ids=BAD_GRADIENTS)
def test_one_rule_for_gradients_which_names_the_parameter(make, spoil, error, words):
    params = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    optimizer = make()
    with pytest.raises(error, match=words):
        optimizer.step(params, {"a": np.ones(2, np.float32), "b": spoil(np.ones(2, np.float32))})
    assert params["a"].tolist() == [1, 1]
    assert optimizer.steps == 0


@EVERY
def test_parameters_that_cannot_be_changed_get_a_sentence(make):
    params = {"a": np.ones(2), "b": np.ones(2)}
    params["b"].flags.writeable = False
    with pytest.raises(ValueError, match="b is read-only"):
        make().step(params, {"a": np.ones(2), "b": np.ones(2)})
    assert params["a"].tolist() == [1, 1]


@pytest.mark.parametrize("make", [ALL["momentum"], ALL["adam"]])
@pytest.mark.parametrize(
    "wrong", [lambda a: a[:1], lambda a: a.astype(np.float64), lambda a: a.reshape(2, 1)]
)
def test_moments_replaced_by_others_are_refused_before_anything_moves(make, wrong):
    params = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    optimizer = make()
    optimizer.step(params, {key: np.ones(2, np.float32) for key in params})
    name = [name for name in optimizer.state if name.endswith(".b")][-1]
    optimizer.state[name] = wrong(optimizer.state[name])
    before = params["a"].copy()
    with pytest.raises(ValueError, match=f"optimiser's {name} is float.*parameter is float32"):
        optimizer.step(params, {key: np.ones(2, np.float32) for key in params})
    assert params["a"].tolist() == before.tolist()


# ---------------------------------------------------------------- clipping


def test_clipping_by_hand():
    """(3, 4) and (12) together have the norm 13."""
    grads = {"a": np.array([3.0, 4.0]), "b": np.array([[12.0]], np.float32)}
    clipped = clip_by_global_norm(grads, 6.5)
    np.testing.assert_allclose(clipped["a"], [1.5, 2.0], rtol=1e-15)
    assert clipped["b"].tolist() == [[6.0]]
    assert {key: g.dtype for key, g in clipped.items()} == {"a": np.float64, "b": np.float32}
    assert global_norm(clipped.values()) == pytest.approx(6.5)
    assert grads["a"].tolist() == [3, 4]
    assert clip_by_global_norm(grads, 13.0) is grads


def test_clipping_of_gradients_whose_squares_overflow():
    grads = {"a": np.full(3, 1e30, np.float32)}
    assert global_norm(clip_by_global_norm(grads, 1.0).values()) == pytest.approx(1, rel=1e-6)


def test_what_is_not_finite_is_left_for_fit_to_find():
    for bad in (np.nan, np.inf):
        grads = {"a": np.array([1.0, bad])}
        assert clip_by_global_norm(grads, 1.0) is grads


@pytest.mark.parametrize("limit", [0, -1, np.nan, "1"])
def test_a_limit_that_is_none_gets_a_sentence(limit):
    with pytest.raises(ValueError, match="limit is"):
        clip_by_global_norm({}, limit)
    for kind in (SGD, Adam):
        with pytest.raises(ValueError, match="global_clipnorm is"):
            kind(global_clipnorm=limit)


@pytest.mark.parametrize(
    "make",
    [
        lambda limit: SGD(0.1, global_clipnorm=limit),
        lambda limit: SGD(0.1, 0.9, global_clipnorm=limit),
        lambda limit: Adam(0.1, global_clipnorm=limit),
    ],
)
def test_an_optimizer_that_clips_is_one_given_clipped_gradients(make):
    g = np.random.default_rng(0).normal(size=(6, 4)) * [[1e-2], [1e3], [1], [10], [1e-3], [5]]
    clipped = [clip_by_global_norm({"p": row}, 1.5)["p"] for row in g]
    np.testing.assert_array_equal(
        run(make(1.5), np.ones(4), g), run(make(None), np.ones(4), clipped)
    )
    assert not np.array_equal(run(make(1.5), np.ones(4), g), run(make(None), np.ones(4), g))


# ---------------------------------------------------------------- frozen layers


@EVERY
def test_a_frozen_layer_stays_and_counts_in_no_norm(make):
    model, other = Sequential([layer(), Dense(2)], (3,)), Sequential([layer(), Dense(2)], (3,))
    model.layers[0].trainable = False
    optimizer, free = make(), make()
    optimizer.global_clipnorm = free.global_clipnorm = 0.1
    stepped(optimizer, model, 2)
    for _ in range(2):
        params = {key: p for key, p in other.params.items() if key[0] == "1"}
        free.step(params, {key: np.ones_like(p) for key, p in params.items()})
    for key, p in other.params.items():
        np.testing.assert_array_equal(model.params[key], p)


def _read_only():
    moment = np.zeros(3, np.float32)
    moment.flags.writeable = False
    return moment


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(1, "f4"), np.zeros(3), [0, 0, 0], np.ma.zeros(3, "f4"), _read_only()],
    ids=["shape", "dtype", "list", "masked", "read-only"],
)
def test_moments_of_another_kind(wrong):
    optimizer, p = Adam(), np.ones(3, np.float32)
    optimizer.step({"W": p}, {"W": p.copy()})
    before = p.copy()
    optimizer.state["v.W"] = wrong
    with pytest.raises((ValueError, TypeError), match=r"optimiser's v\.W is "):
        optimizer.step({"W": p}, {"W": p.copy()})
    np.testing.assert_array_equal(p, before)


def test_moments_of_frozen_layers_are_there_from_the_first_step():
    model = Sequential([Dense(2), Dense(2)], (3,))
    model.layers[0].trainable = False
    optimizer = Adam()
    stepped(optimizer, model, 1)
    wanted = {f"{moment}.{key}" for moment in ("m", "v") for key in model.params}
    assert optimizer.state.keys() == wanted | {"steps"}

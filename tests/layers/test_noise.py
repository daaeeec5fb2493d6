import numpy as np

from nnscratch.layers.noise import draw_generator, make_noise_state


def new_state(seed=0):
    return make_noise_state(np.random.default_rng(seed))


def test_state_is_two_arrays_that_a_checkpoint_can_hold():
    state = new_state()
    assert {name: (a.shape, a.dtype) for name, a in state.items()} == {
        "key": ((1,), np.int64),
        "draws": ((1,), np.int64),
    }
    assert state["draws"] == 0
    assert state["key"] >= 0


def test_draws_are_counted_and_a_function_of_key_and_count():
    state = new_state()
    numbers = [draw_generator(state).random() for _ in range(3)]
    assert state["draws"] == 3
    assert len(set(numbers)) == 3
    state["draws"][...] = 1
    assert draw_generator(state).random() == numbers[1]


def test_keys_differ_between_layers_and_seeds():
    rng = np.random.default_rng(0)
    keys = [make_noise_state(rng)["key"] for _ in range(2)] + [new_state(1)["key"]]
    assert len({int(key[0]) for key in keys}) == 3
    assert new_state()["key"] == keys[0]

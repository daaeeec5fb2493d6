"""A layer of one's own: right ones pass, wrong ones are refused, and most are named."""

import numpy as np
import pytest

from nnscratch.gradcheck import check_gradients
from nnscratch.gradcheck.hints import UNKNOWN
from nnscratch.layers import GaussianSampling, Layer
from tests.gradcheck.foreign_layers import RIGHT, SiLU
from tests.gradcheck.mutants_of_foreign_layers import FOREIGN


def built(name):
    kind, shape = RIGHT[name]
    layer = kind()
    layer.build(shape, np.random.default_rng(0), np.float64)
    return layer, np.random.default_rng(1).standard_normal((3, *shape))


@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_pass(name):
    report = check_gradients(*built(name))
    report.raise_if_failed()
    assert report.zero_share < 0.3


def hint_of(name):
    mutant = FOREIGN[name]
    layer, x = built(mutant.layer)
    layer.backward = lambda dy: mutant.wrong(layer, dy)
    report = check_gradients(layer, x)
    hints = {failure.where: failure.hint for failure in report.failures}
    assert mutant.where in hints, f"{name}: {report}"
    return hints[mutant.where]


def test_wrong_ones_are_refused_and_four_in_five_named():
    hints = {name: hint_of(name) for name in FOREIGN}
    unnamed = {
        name: hint
        for name, hint in hints.items()
        if hint == UNKNOWN or not any(words in hint for words in FOREIGN[name].words)
    }
    print(f"named: {len(FOREIGN) - len(unnamed)} of {len(FOREIGN)}")
    assert len(unnamed) <= 0.2 * len(FOREIGN), unnamed


def test_each_layer_is_wrong_in_four_ways_of_its_own_and_three_of_all():
    for name in RIGHT:
        assert sum(mutant.layer == name for mutant in FOREIGN.values()) >= 6


def test_noise_that_is_0_is_no_mask():
    """``dlogvar = dy * s`` where it should be ``dy * eps * s / 2`` and eps = 0."""
    layer = GaussianSampling()
    layer.build((6,), np.random.default_rng(0), np.float64)
    layer.backward = lambda dy: np.concatenate([dy, 0.7 * dy], axis=-1)  # s = 0.7 everywhere
    text = str(check_gradients(layer, np.random.default_rng(1).standard_normal((4, 6))))
    assert "mask" not in text
    assert "where the index along axis 1 is 3, 4, 5" in text
    assert "a factor that is 0 here is forgotten" in text


# ---------------------------------------------------------------- without the usual beginning


class Bare(Layer):
    """y = x^2, without check_input, check_gradient and cache."""

    def forward(self, x, training=False):
        self.x = x
        return x * x

    def backward(self, dy):
        return 2 * self.x * dy


def test_bare_layer_passes_with_a_note():
    layer = Bare()
    layer.build((4,), np.random.default_rng(0), np.float64)
    report = check_gradients(layer, np.random.default_rng(1).standard_normal((3, 4)))
    report.raise_if_failed()
    (forward,) = report.notes
    assert "forward takes 8 numbers along the last axis" in forward
    assert "begin it with self.check_input(x)" in str(report)


class OnlyCounting(Bare):
    """As many gradients as samples are all that it asks for."""

    def backward(self, dy):
        if len(dy) != len(self.x):
            raise ValueError("not as many")
        return 2 * self.x * dy[..., : self.x.shape[-1]]


def test_a_backward_that_takes_wider_gradients_gets_a_note():
    layer = OnlyCounting()
    layer.build((4,), np.random.default_rng(0), np.float64)
    report = check_gradients(layer, np.random.default_rng(1).standard_normal((3, 4)))
    report.raise_if_failed()
    assert any("backward takes a dy that is not shaped like the output" in n for n in report.notes)


def test_guarded_layer_has_no_note():
    assert not check_gradients(*built("SiLU")).notes


def test_empty_cache_gets_a_sentence():
    class Forgetful(SiLU):
        def forward(self, x, training=False):
            y = super().forward(x)
            self.x, self.cache = x, ()
            return y

    layer = Forgetful()
    layer.build((4,), np.random.default_rng(0), np.float64)
    text = str(check_gradients(layer, np.ones((3, 4))))
    assert "forward left self.cache empty" in text


def test_what_is_no_layer_gets_a_sentence():
    with pytest.raises(TypeError, match=r"no Layer\. Derive the class from"):
        check_gradients(np.tanh, np.ones((3, 4)))

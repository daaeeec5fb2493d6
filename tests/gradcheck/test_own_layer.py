"""A learner's own class is checked from the command line, and each mistake gets a sentence."""

import sys

import pytest

from nnscratch.gradcheck.__main__ import main
from nnscratch.gradcheck.from_file import NotCheckableError, parse_target

DERIVED = """
from nnscratch.layers import Layer
import numpy as np

class Scale(Layer):
    def __init__(self, factor, rate=0.5):
        super().__init__()
        self.factor = factor * rate

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = (x,)
        return self.factor * x * x

    def backward(self, dy):
        self.check_gradient(dy)
        return 2 * self.factor * self.cache[0] * dy
"""

BARE = """
import numpy as np

class Linear:
    def build(self, input_shape, rng, dtype):
        self.params = {"W": rng.standard_normal((input_shape[-1], 2)).astype(dtype)}
        self.grads = {}
        return (*input_shape[:-1], 2)

    def forward(self, x, training=False):
        self.x = x
        return x @ self.params["W"]

    def backward(self, dy):
        rows = self.x.reshape(-1, self.x.shape[-1])
        self.grads["W"] = rows.T @ dy.reshape(-1, 2)
        return dy @ self.params["W"].T

def helper():
    pass
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Runs the command on a text; gives the exit code, what it printed, and its complaint."""
    monkeypatch.chdir(tmp_path)

    def run(text, target="mine.py:Linear", *options):
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        kept = (list(sys.path), sys.stdout)
        code = main([target, "--input", "3,4", *options])
        assert (sys.path, sys.stdout, "file_mine" in sys.modules) == (*kept, False)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert err.count("\n") <= 1
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("text", "target"),
    [(BARE, "mine.py:Linear"), (DERIVED, "mine.py:Scale(-2, rate=0.25)")],
)
def test_right_classes_pass_in_evaluation_and_in_training(check, text, target):
    code, out, err = check(text, target)
    assert (code, err) == (0, "")
    assert "samples 3x4, evaluation: ok" in out
    assert "samples 3x4, training: ok" in out
    assert "note" not in out


def test_size_of_the_batch_and_seed_are_used(check):
    by_hand = [check(BARE, "mine.py:Linear", *more)[1] for more in ((), ("--seed", "5"))]
    assert by_hand[0] != by_hand[1]
    assert "44 elements" in by_hand[0]  # 3 x 3 x 4 inputs and 8 weights
    assert "68 elements" in check(BARE, "mine.py:Linear", "--batch", "5")[1]


def test_a_wrong_backward_is_diagnosed(check):
    code, out, _ = check(BARE.replace("return dy @", "return -dy @"))
    assert code == 1
    assert "input: 36 of 36 entries compared one by one are wrong" in out
    assert "hint: the sign is wrong" in out
    assert "training" not in out


def test_what_is_wrong_in_training_only_is_found(check):
    wrong = DERIVED.replace("        return 2 *", "        return (2 + self.training) *").replace(
        "        self.cache = (x,)", "        self.cache, self.training = (x,), training"
    )
    code, out, _ = check(wrong, "mine.py:Scale(2)")
    assert code == 1
    assert "evaluation: ok" in out
    assert "training: FAILED" in out
    assert "every entry is 1.5 times its value" in out


def test_the_file_is_read_anew_and_leaves_no_bytecode(check, tmp_path):
    assert check(BARE)[0] == 0
    assert check(BARE.replace("dy @", "dy*2@"))[0] == 1  # as long as before, in the same second
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_it_may_import_its_neighbours(check, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "neighbour_of_mine", None)  # to be taken out at the end
    del sys.modules["neighbour_of_mine"]
    (tmp_path / "neighbour_of_mine.py").write_text("TWO = 2\n", encoding="utf-8")
    text = "from neighbour_of_mine import TWO\n" + BARE.replace(", 2)", ", TWO)")
    code, _, err = check(text)
    assert (code, err) == (0, "")


def changed(old, new, text=BARE):
    assert text.count(old) == 1
    return text.replace(old, new)


OF_BARE = [  # what is asked of a file that holds the right class Linear, and the answer
    ("other.py:Linear", "there is no file 'other.py'"),
    ("mine:Linear", "there is no file 'mine'"),
    ("mine.py:Liner", "mine.py has no Liner; it defines Linear."),
    ("mine.py", "mine.py was given without a class; it defines Linear."),
    ("mine.py:helper", "helper in mine.py is no class but a function"),
    ("mine.py:Linear(x)", "'Linear(x)' is no class with literal arguments"),
    ("mine.py:Linear(**{})", "is no class with literal arguments"),
    ("mine.py:a.b", "write mine.py:MyLayer, or with constructor arguments"),
    ("mine.py:Linear(1)", "the constructor Linear(): too many positional arguments"),
]


@pytest.mark.parametrize(("target", "words"), OF_BARE)
def test_what_is_not_in_the_file_gets_one_sentence(check, target, words):
    assert_one_sentence(check(BARE, target), words)


def assert_one_sentence(result, words):
    code, out, err = result
    assert (code, out) == (1, "")
    assert words in err
    assert err.endswith(".\n")


FORWARD = '        return x @ self.params["W"]\n'
BACKWARD = '        return dy @ self.params["W"].T\n'
NOT_BUILT = [  # a change of the right class, and the answer
    ("import numpy", "import nmpy", "No module named 'nmpy' (mine.py, line 2, in <module>: `imp"),
    (
        "import numpy",
        "import sys\nsys.exit(3)\nimport numpy",
        "cannot be imported: SystemExit: 3 (",
    ),
    (
        "def helper(",
        "def helper(:",
        "mine.py is no Python, line 19: invalid syntax in `def helper(",
    ),
    ("pass", "'\0'", "mine.py is no Python"),
    ("class Linear", "def Liner(): pass\nif 0:\n  class Linear", "it defines no class at all"),
    ("def backward", "def back", "Linear has no backward. A layer has build(input_shape, rng, dt"),
    ("x, training=False", "x", "Linear.forward must take (x, training): too many positional"),
    ("self, dy", "self", "Linear.backward must take (dy): too many positional arguments"),
    ("        return (*", "        (*", "a tuple of ints; it returns None"),
    ("        return (*", "        return 1, (*", "it returns (1, (3, 2))"),
    ("params = {", "weights = {", "Linear has no dict params after build, but None"),
    ("        self.grads = {}\n", "", "Linear has no dict grads after build, but None"),
    (
        "        self.grads = {}\n",
        "        self.state = self.grads = []\n",
        "no dict grads after build, b",
    ),
    (
        "        self.grads = {}\n",
        "        self.grads, self.state = {}, None\n",
        "has no dict state",
    ),
    (".astype(dtype)", ".astype('f')", "params['W'] of Linear is float32 after build"),
    (".astype(dtype)", ".tolist()", "params['W'] of Linear is list after build"),
    (
        "input_shape[-1], 2",
        "input_shape[7], 2",
        "for samples of shape (3, 4): IndexError: tuple in",
    ),
    (
        FORWARD,
        "        return x @ self.W\n",
        "no attribute 'W' (mine.py, line 12, in forward: `retu",
    ),
    (FORWARD, "        return np.stack([])\n", "ValueError: need at least one array to stack (mi"),
    (BACKWARD, "        raise KeyError('W')\n", "KeyError: 'W' (mine.py, line 17, in backward: `"),
]


@pytest.mark.parametrize(("old", "new", "words"), NOT_BUILT)
def test_what_cannot_be_checked_gets_one_sentence(check, old, new, words):
    assert_one_sentence(check(changed(old, new)), words)


OF_DERIVED = [
    ("mine.py:Scale", "factor", "factor", "the constructor Scale(factor, rate=0.5): missing a req"),
    ("mine.py:Scal", "factor", "factor", "mine.py has no Scal; it defines Scale."),
    ("mine.py:Scale(None)", "factor", "factor", "line 8, in __init__: `self.factor = factor * rat"),
    ("mine.py:Scale(1)", "def backward", "def back", "Scale has no backward."),
    ("mine.py:Scale(1)", "def ", "def my_", "Scale has no forward and no backward."),
    (
        "mine.py:Scale(1)",
        "    def forward",
        "    def build(self, shape, rng, dtype):\n        return shape\n\n    def forward",
        "begin it with super().build(input_shape, rng, dtype)",
    ),
]


@pytest.mark.parametrize(("target", "old", "new", "words"), OF_DERIVED)
def test_derived_classes_get_their_sentences(check, target, old, new, words):
    text = DERIVED.replace(old, new).replace("my___init__", "__init__")
    assert_one_sentence(check(text, target), words)


BREAKING = [  # a change of the right class, what the report says
    (FORWARD, "        return None\n", "forward returns None in place of an array"),
    (FORWARD, "        return (x,)\n", "forward returns a tuple in place of an array"),
    (FORWARD, "        return x\n", "forward gives shape (3, 3, 4), build announced (3, 3, 2)"),
    (FORWARD, "        return x[..., 2:].astype('f')\n", "forward turns float64 into float32"),
    (FORWARD, "        return x[..., 2:].astype(object)\n", "forward turns float64 into object"),
    (FORWARD, "        return np.nan * x[..., 2:]\n", "forward gives NaN or infinity"),
    (FORWARD, "        x *= 2\n" + FORWARD, "forward changes its input x"),
    (FORWARD, "        return np.random.uniform(size=(3, 3, 2))\n", "gives another result"),
    (FORWARD, "        self.params['W'] -= 1\n" + FORWARD, "forward changes parameter W"),
    (BACKWARD, "", "the gradient of input is None in place of an array"),
    (BACKWARD, "        return self.x[:1]\n", "the gradient of input is float64 (1, 3, 4), input"),
    (BACKWARD, "        return self.x.astype('f')\n", "the gradient of input is float32 (3, 3, 4)"),
    (BACKWARD, "        return np.inf * self.x\n", "the gradient of input holds NaN or infinity"),
    (BACKWARD, "        dy *= 2\n" + BACKWARD, "backward changes dy"),
    (BACKWARD, "        self.x *= 2\n" + BACKWARD, "backward changes x"),
    (BACKWARD, "        self.params['W'] -= 1\n" + BACKWARD, "backward updates parameter W"),
    (BACKWARD, "        self.grads = None\n" + BACKWARD, "grads is None after backward"),
    (BACKWARD, "        self.grads['W'] = 0.5\n" + BACKWARD, "the gradient of W is a float in pla"),
    ('grads["W"] = ', 'grads["w"] = ', "grads has ['w'] but params ['W']"),
]


@pytest.mark.parametrize(("old", "new", "words"), BREAKING)
def test_what_breaks_the_contract_is_reported(check, old, new, words):
    code, out, err = check(changed(old, new))
    assert (code, err) == (1, "")
    assert "breaks the contract" in out
    assert words in out


def test_a_flood_of_prints_is_cut_off(check):
    code, out, _ = check(changed(FORWARD, "        print('x' * 99)\n" + FORWARD))
    assert code == 0
    assert out.count("x" * 99) == 3
    assert "characters more, printed by the class)" in out
    assert len(out) < 1000
    assert "training: ok" in out
    code, out, _ = check(changed(FORWARD, "        if x[0, 0, 0] > 9: print()\n" + FORWARD))
    assert "printed by the class" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mine.py:Linear"], "--input 8,8,3"),
        (["mine.py:Linear", "--input", "3,x"], "'3,x' is no shape of a sample"),
        (["mine.py:Linear", "--input", "3,0"], "'3,0' is no shape of a sample"),
        (["mine.py:Linear", "--input", "3", "--batch", "0"], "'0' is no number of samples"),
        (["mine.py:Linear", "--input", "3", "--seed", "-1"], "'-1' is no seed"),
        (["Dense", "--input", "3"], "go with a class of your own"),
        (["--batch", "3"], "go with a class of your own"),
    ],
)
def test_options_that_do_not_fit_are_refused(capsys, arguments, words):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err


def test_targets_are_taken_apart():
    target = parse_target("C:\\a b\\mine.py:L((1, 2), name='x:y.py:z', rate=-0.5)")
    assert str(target.path) == "C:\\a b\\mine.py"
    assert (target.name, target.arguments) == ("L", ((1, 2),))
    assert target.named == {"name": "x:y.py:z", "rate": -0.5}
    assert target.call == "L((1, 2), name='x:y.py:z', rate=-0.5)"
    with pytest.raises(NotCheckableError, match="no class with literal arguments"):
        parse_target("mine.py:L[0]")


def test_a_model_is_narrowed_down_to_its_wrong_part(check):
    text = """
from nnscratch.layers import Dense, Sequential, Tanh

class Wrong(Tanh):
    def backward(self, dy):
        return -super().backward(dy)

class Block(Sequential):
    def __init__(self, units):
        super().__init__([Dense(units), Wrong(), Dense(2)], (4,))
"""
    code, out, err = check(text, "mine.py:Block(5)", "--input", "4")
    assert (code, err) == (1, "")
    assert "Narrowed down to 1.wrong." in out
    assert "the sign is wrong" in out

"""How others lay out the same files, what images they are, and what is said if none can be used."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import zipfile

import numpy as np
import pytest

from nnscratch import datasets
from nnscratch.datasets import cifar, idx, known

from .helpers import small_files, write_files

GZIPPED = small_files(11)
RAW = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in GZIPPED.items()}
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
RECORD = bytes([3]) + bytes(3072)
CIFAR = {"data_batch_1.bin": RECORD * 2, "test_batch.bin": RECORD}


def dots(files):
    """``train-images.idx3-ubyte``, as some archives have it."""
    return {name.replace("-idx", ".idx"): content for name, content in files.items()}


def upper(files):
    return {name.upper(): content for name, content in files.items()}


def folders(files):
    """Each file in a folder of its own name, as Kaggle unpacks it."""
    return {f"{name}/{name}": content for name, content in files.items()}


def arrays():
    """The images and labels of `small_files`."""
    return {
        name: np.frombuffer(content, np.uint8, offset=16 if name[0] == "x" else 8).reshape(
            (-1, 28, 28) if name[0] == "x" else -1
        )
        for name, content in zip(ARRAYS, RAW.values(), strict=True)
    }


def npz(**changes):
    file = io.BytesIO()
    np.savez(file, **{k: v for k, v in (arrays() | changes).items() if v is not None})
    return file.getvalue()


def under(folder, files):
    return {f"{folder}/{name}": content for name, content in files.items()}


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setenv("NNSCRATCH_DATA", str(folder))
    return folder


@pytest.fixture
def as_mnist(monkeypatch):
    """The small files count as MNIST, whatever they are read from."""
    content = b"".join(array.tobytes() for array in arrays().values())
    monkeypatch.setitem(known.IMAGES, hashlib.sha256(content).hexdigest(), "MNIST")


# ---------------------------------------------------------------- layouts

FILES = {
    "gzipped": GZIPPED,
    "raw": RAW,
    "dots": dots(RAW),
    "dots gzipped": dots(GZIPPED),
    "upper": upper(RAW),
    "upper gzipped": upper(GZIPPED),
    "nested": folders(RAW),
    "nested dots": folders(dots(RAW)),
    "npz": {"mnist.npz": npz()},
    "NPZ": {"MNIST.NPZ": npz()},
}
PLACES = ["mnist", "MNIST", "MNIST/raw", "Mnist-Dataset", "archive/mnist", "data/MNIST/raw", "raw"]


@pytest.mark.parametrize("place", [*PLACES, "."])
@pytest.mark.parametrize("files", FILES)
def test_layouts_of_mnist(user_folder, as_mnist, capsys, place, files):
    put(user_folder, under(place, FILES[files]))
    d = datasets.mnist()
    assert d.source == "part of MNIST, 11 + 10 images from NNSCRATCH_DATA"
    np.testing.assert_array_equal(np.round(d.x_train[..., 0] * 255), arrays()["x_train"])
    np.testing.assert_array_equal(d.y_test, arrays()["y_test"])
    assert capsys.readouterr().err == ""


def test_a_folder_of_that_name_comes_first(user_folder, as_mnist):
    put(user_folder, GZIPPED)
    assert len(datasets.mnist().x_train) == 11
    put(user_folder / "mnist", small_files(12))
    assert len(datasets.mnist().x_train) == 12


@pytest.mark.parametrize("named", ["mnist", "MNIST/raw", "MNIST"])
def test_the_variable_may_name_the_folder_itself(user_folder, monkeypatch, capsys, named):
    """Even with unknown images, for the folder bears the name."""
    put(user_folder / named, RAW)
    monkeypatch.setenv("NNSCRATCH_DATA", str(user_folder / named))
    assert len(datasets.mnist().x_train) == 11
    assert capsys.readouterr().err == ""
    assert len(datasets.fashion_mnist().x_train) == 4000


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "fashion_mnist", "fashion-mnist"])
def test_layouts_of_fashion_mnist(user_folder, folder):
    put(user_folder, under(folder, RAW))
    assert len(datasets.fashion_mnist().x_train) == 11
    assert len(datasets.mnist().x_train) == 4000


@pytest.mark.parametrize("folder", ["KMNIST/raw", "kmnist", "EMNIST", "elsewhere", "mnist2"])
def test_folders_with_other_names_are_left_alone(user_folder, folder):
    put(user_folder, under(folder, RAW))
    assert len(datasets.mnist().x_train) == 4000


@pytest.mark.parametrize(
    "folder", ["cifar-10", "CIFAR10", "cifar-10-batches-bin", "cifar-10-binary"]
)
@pytest.mark.parametrize("inner", [".", "cifar-10-batches-bin"])
def test_layouts_of_cifar(user_folder, folder, inner):
    put(user_folder, under(f"{folder}/{inner}", CIFAR))
    assert datasets.cifar10().y_train.tolist() == [3, 3]


def test_the_variable_may_name_the_folder_of_batches(user_folder, monkeypatch):
    put(user_folder, under("cifar-10-batches-bin", upper(CIFAR)))
    monkeypatch.setenv("NNSCRATCH_DATA", str(user_folder / "cifar-10-batches-bin"))
    assert datasets.cifar10().y_train.tolist() == [3, 3]


def test_a_home_that_nobody_has(monkeypatch):
    monkeypatch.setenv("NNSCRATCH_DATA", "~nobody-of-this-name/data")
    with pytest.raises(ValueError, match="which is not a folder"):
        datasets.mnist()


# ---------------------------------------------------------------- what images they are


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_another_known_set_is_called_by_its_name(user_folder, capsys, load):
    """In a folder of the other's name; and the images that are embedded here are known."""
    own, other = ("mnist", "fashion-mnist")[:: 1 if load is datasets.mnist else -1]
    names = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
    shutil.copytree(datasets.EMBEDDED / other, user_folder / own)
    d = load()
    assert d.name == names[other]
    assert d.source == (
        f"part of {names[other]} in place of {names[own]}, 4,000 + 1,000 images from NNSCRATCH_DATA"
    )
    load()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"{own} holds {names[other]}, which is used in place of {names[own]}.")


def test_in_a_folder_without_a_name_another_set_is_passed_over(user_folder, capsys):
    shutil.copytree(datasets.EMBEDDED / "fashion-mnist", user_folder, dirs_exist_ok=True)
    assert datasets.fashion_mnist().source.endswith("from NNSCRATCH_DATA")
    assert datasets.mnist().source.startswith("embedded subset")


@pytest.mark.parametrize("change", ["pixel", "label", "order"])
def test_one_changed_pixel_is_an_unknown_set(user_folder, change):
    x_train, y_train, x_test, y_test = (
        a.copy() for a in idx.read_folder(datasets.EMBEDDED / "mnist")
    )
    if change == "pixel":
        x_test[-1, -1, -1] += 1
    elif change == "label":
        y_test[-1] -= 1
    else:
        x_train = x_train[::-1]
    (user_folder / "mnist").mkdir()
    for name, array in zip(
        idx.FILES, (x_train[..., 0], y_train, x_test[..., 0], y_test), strict=True
    ):
        idx.write(user_folder / "mnist" / name, array)
    d = datasets.mnist()
    assert d.source.startswith("unknown images in MNIST's format, 4,000 + 1,000 images")
    assert d.name == "MNIST"


def test_the_full_sets_are_known(official):
    for folder, name in (("mnist", "MNIST"), ("fashion-mnist", "Fashion-MNIST")):
        found = idx.read_folder(official / folder)
        if found is None:
            pytest.skip(f"NNSCRATCH_DATA lacks {folder}")
        assert known.identify(found) == name


def test_a_batch_is_known_by_its_bytes(official):
    path = official / "cifar-10" / "data_batch_1.bin"
    if not path.is_file():
        pytest.skip("NNSCRATCH_DATA lacks data_batch_1.bin")
    assert known.is_of_cifar10(np.fromfile(path, np.uint8))


def test_cifar_with_one_unknown_batch_is_unknown(user_folder, monkeypatch):
    put(user_folder, under("cifar-10", CIFAR | {"data_batch_2.bin": RECORD}))
    monkeypatch.setattr(cifar, "is_of_cifar10", lambda records: len(records) != 2 * 3073)
    assert datasets.cifar10().source.startswith("unknown images in CIFAR-10's format, 3 + 1")
    monkeypatch.setattr(cifar, "is_of_cifar10", lambda records: True)
    assert datasets.cifar10().source == "part of CIFAR-10, 3 + 1 images from NNSCRATCH_DATA"


# ---------------------------------------------------------------- Keras's archive


def damaged(content):
    return content[: len(content) // 2]


def without_y_test():
    return npz(y_test=None)


def boastful():
    """A header of 2^40 images, and no bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("x_train.npy", "w") as member:
        header = {"shape": (2**40, 28, 28), "fortran_order": False, "descr": "|u1"}
        np.lib.format.write_array_header_1_0(member, header)
    return file.getvalue()


def pickled():
    return npz(x_train=np.array([{}], object))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"PK not a zip archive", "cannot be read .*expected a zip archive"),
        (lambda: damaged(npz()), "cannot be read .*expected a zip archive"),
        (without_y_test, "cannot be read .*y_test.*expected a zip archive"),
        (pickled, "x_train in .* is an array of object; expected unsigned bytes"),
        (boastful, "x_train in .* promises 1,099,511,627,776 x 28 .*expected 1 to 300,000 images"),
        (lambda: npz(x_test=np.zeros((10, 28, 28))), "x_test in .* is an array of float64"),
        (lambda: npz(x_test=np.zeros((9, 28, 28), np.uint8)), "10 labels for the 9 images"),
        (lambda: npz(y_train=np.full(11, 10, np.uint8)), "the label 10; expected classes 0 to 9"),
        (lambda: npz(x_test=np.zeros((28, 28, 10), np.uint8, "F")), "expected unsigned bytes, row"),
    ],
)
def test_says_what_is_wrong_with_an_archive(user_folder, content, words):
    put(user_folder, {"mnist/mnist.npz": content()})
    with pytest.raises(ValueError, match=words) as error:
        datasets.mnist()
    assert "mnist.npz" in str(error.value)
    assert "Replace it with a fresh copy" in str(error.value)


# ---------------------------------------------------------------- the line


def test_says_where_it_looked_what_lay_there_and_what_is_wanted(user_folder, capsys):
    put(user_folder, {"mnist/archive.zip": b"", "mnist/raw/train.csv": b"", "notes/a.txt": b""})
    for _ in range(2):
        assert datasets.mnist().source.startswith("embedded subset")
    line, fallback = capsys.readouterr().err.splitlines()
    assert line == (
        f"nnscratch: MNIST is not in NNSCRATCH_DATA. Looked in {user_folder}/mnist, "
        f"{user_folder}/mnist/raw, {user_folder}; found mnist/, mnist/archive.zip, mnist/raw/, "
        "mnist/raw/train.csv, notes/. Wanted: a folder mnist/ with the four official files, "
        "gzipped or not, or mnist.npz."
    )
    assert fallback.startswith("nnscratch: using the embedded subset")


@pytest.mark.parametrize("pickles", ["cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"])
@pytest.mark.parametrize("place", ["", "cifar-10/"])
def test_pickles_are_never_opened(user_folder, capsys, monkeypatch, pickles, place):
    put(user_folder, {place + pickles: b"cos\nsystem\n"})
    with pytest.raises(FileNotFoundError):
        datasets.cifar10()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{pickles.split('/')[0]} is never opened: reading the Python version can run" in line
    assert "Wanted: a folder cifar-10/ with cifar-10-binary.tar.gz, or " in line


def test_a_crowded_folder_is_not_listed_whole(user_folder, capsys):
    put(user_folder, {f"{i:03}": b"" for i in range(40)})
    datasets.mnist()
    line = capsys.readouterr().err.splitlines()[0]
    assert "found 000, 001" in line
    assert "011, 28 more. Wanted" in line


def test_an_empty_folder(user_folder, capsys):
    datasets.mnist()
    assert "; found nothing. Wanted" in capsys.readouterr().err


def test_no_line_where_nothing_was_looked_for(user_folder, capsys):
    datasets.mnist(data="embedded")
    assert capsys.readouterr().err == ""


def test_half_a_set_in_a_folder_is_said(user_folder):
    files = dict(list(GZIPPED.items())[:3])
    write_files(user_folder / "mnist", files)
    with pytest.raises(ValueError, match=r"has train-images.* but lacks t10k-labels"):
        datasets.mnist()

from __future__ import annotations

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from nnscratch.datasets import idx

from .helpers import IMAGE_MAGIC, LABEL_MAGIC, idx_images, idx_labels, small_files, write_files


def write(folder, name, content):
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def header(*shape, magic=IMAGE_MAGIC):
    return magic + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_reads_what_the_format_says(tmp_path, name):
    content = header(2, 2, 3) + bytes(range(12))
    images = idx.read(write(tmp_path, name, content), item=(2, 3))
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28)])
def test_writes_what_it_reads_and_the_same_bytes_each_time(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, array)
    np.testing.assert_array_equal(idx.read(tmp_path / "a.gz", shape[1:]), array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"0 bytes \(none\)"),
        (IMAGE_MAGIC + b"\0\0", "begins with the 6 bytes 0000 08030000"),
        (header(1, 28, 28, magic=b"\0\0\x0d\x03"), "00000d03 .*expected .* 00000803"),
        (idx_labels(900), "00000801 .*expected .* 00000803"),
        (b"<html><body>Log in to this network first</body></html>", "3c68746d .*magic number"),
        (idx_images(3)[:-1], "3 x 28 x 28 = 2,352 bytes.*expected exactly .*found 2,351"),
        (idx_images(3) + b"\0", "3 x 28 x 28 = 2,352 bytes.*expected exactly .*found more"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, suffix, content, words):
    path = write(tmp_path, "train-images-idx3-ubyte" + suffix, content)
    with pytest.raises(ValueError, match=words) as error:
        idx.read(path, idx.IMAGE)
    assert str(path) in str(error.value)
    assert "Replace it with a fresh copy" in str(error.value)


def cut_short(zipped):
    return zipped[: len(zipped) // 2]


def without_checksum(zipped):
    return zipped[:-8]


def flipped_byte(zipped):
    middle = len(zipped) // 2
    return zipped[:middle] + bytes([zipped[middle] ^ 255]) + zipped[middle + 1 :]


def wrong_checksum(zipped):
    return zipped[:-8] + bytes(4) + zipped[-4:]


def not_gzip(zipped):
    return b"not gzip" + zipped


@pytest.mark.parametrize(
    "damage", [cut_short, without_checksum, flipped_byte, wrong_checksum, not_gzip]
)
def test_damaged_gzip(tmp_path, damage):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.compress(idx_images(20))))
    with pytest.raises(ValueError, match=r"ubyte\.gz is not a whole gzip file .*Replace it"):
        idx.read(path, idx.IMAGE)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (
            (2**32 - 1, 2**32 - 1, 2**32 - 1),
            r"promises .*; expected 1 to 300,000 images of 28 x 28",
        ),
        ((300_001, 28, 28), r"promises .*; expected 1 to 300,000 images of 28 x 28"),
        ((300_000, 28, 28), r"promises .* found 1,000"),
    ],
)
def test_a_boastful_header_costs_no_memory(tmp_path, suffix, shape, words):
    path = write(tmp_path, "images" + suffix, header(*shape) + bytes(1000))
    tracemalloc.start()
    with pytest.raises(ValueError, match=words):
        idx.read(path, idx.IMAGE)
    assert tracemalloc.get_traced_memory()[1] < 10 * idx.CHUNK
    tracemalloc.stop()


def test_another_shape_is_refused_before_anything_is_unpacked(tmp_path, monkeypatch):
    path = write(tmp_path, "images.gz", header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(10**6))
    monkeypatch.setattr(idx, "_read_at_most", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="expected 1 to 300,000 images"):
        idx.read(path, idx.IMAGE)


def test_a_gzip_that_unpacks_to_far_more_than_promised(tmp_path):
    path = write(tmp_path, "images.gz", idx_images(1) + bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="found more"):
        idx.read(path, idx.IMAGE)
    assert tracemalloc.get_traced_memory()[1] < 10 * idx.CHUNK
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (idx_images(5), idx_labels(4), "4 labels for the 5 images of .*images"),
        (idx_images(2), header(2, magic=LABEL_MAGIC) + b"\x03\x0a", "the label 10; .*0 to 9"),
        (header(2, 28, 27) + bytes(2 * 28 * 27), idx_labels(2), "2 x 28 x 27 .*images of 28 x 28"),
        (header(0, 28, 28), idx_labels(0), "0 x 28 x 28 .*expected 1 to 300,000 images"),
    ],
)
def test_images_and_labels_must_fit(tmp_path, images, labels, words):
    with pytest.raises(ValueError, match=words) as error:
        idx.read_pair(write(tmp_path, "images", images), write(tmp_path, "labels", labels))
    assert "Replace it with a fresh copy" in str(error.value)


def test_folder_gzipped_raw_and_mixed(tmp_path):
    files = small_files()
    raw = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in files.items()}
    first, *rest = idx.FILES
    mixed = {first: files[first], **{n[:-3]: raw[n[:-3]] for n in rest}}
    results = []
    for name, content in (("gz", files), ("raw", raw), ("mixed", mixed)):
        write_files(tmp_path / name, content)
        results.append(idx.read_folder(tmp_path / name))
    for result in results:
        for array, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, expected)
    pixels = np.frombuffer(raw[first[:-3]], np.uint8, offset=16).reshape(20, 28, 28, 1)
    np.testing.assert_array_equal(results[0][0], pixels)


def test_folder_without_the_data_set(tmp_path):
    assert idx.read_folder(tmp_path) is None
    assert idx.read_folder(tmp_path / "nowhere") is None


def test_folder_with_only_some_of_the_files(tmp_path):
    files = small_files()
    del files[idx.TEST_LABELS]
    write_files(tmp_path, files)
    with pytest.raises(ValueError, match=r"has train-images.* but lacks t10k-labels"):
        idx.read_folder(tmp_path)

"""Which images these are: SHA-256 of the known sets, whatever file they were read from.

KMNIST, EMNIST and many others come in MNIST's format and under the names of its files. What is in
a folder called ``mnist/`` is therefore compared with what is known, a matter of 0.1 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Found(NamedTuple):
    """Images that were read, and which set they are."""

    arrays: tuple[Array, Array, Array, Array]  # x_train, y_train, x_test, y_test; uint8
    name: str | None  # as a person would write it; None where they are of no known set


# Of the pixels and labels as uint8: x_train, y_train, x_test, y_test, one after the other.
IMAGES = {
    "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16": "MNIST",
    "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f": "Fashion-MNIST",
    # the subsets that are embedded here
    "f386f0e516db30df2eb9236a9582736c528aaa7cead280644fe3357100553511": "MNIST",
    "7fd959e5391e9ecfdf5841e6e61340e7247f31ecc07ca63b30f3129014066135": "Fashion-MNIST",
}

# MD5 of the files of CIFAR-10's binary version, as many public loaders have them.
CIFAR10_FILES = frozenset(
    {
        "5dd7e06a14cb22eb9f671a540d1b7c25",  # data_batch_1.bin, and so on
        "5ea93a67294ea407fff1d09f752e9692",
        "942cd6a4bcdd0dd3c604fbe906cb4421",
        "ae636b3ba5c66a11e91e8cb52e771fcb",
        "53f37980c15c3d472c316c40844f3f0d",
        "803d5f7f4d78ea53de84dbe85f74fb6d",  # test_batch.bin
        "371f65da31ad652f5e24b3699a3e6515",  # the first 1,000 records of it
    }
)


def identify(arrays: Iterable[Array]) -> str | None:
    """The name of the data set that these uint8 arrays are, whole or embedded part, or None."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return IMAGES.get(digest.hexdigest())


def is_of_cifar10(records: Array) -> bool:
    """Whether these bytes are one of the files of CIFAR-10."""
    return hashlib.md5(records.data, usedforsecurity=False).hexdigest() in CIFAR10_FILES

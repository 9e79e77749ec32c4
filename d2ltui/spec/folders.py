"""Where torchvision's files lie below its root, and where people look for them instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from d2ltui.spec.language import _

FOLDERS = {  # of torchvision's root
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "emnist-letters": "EMNIST",
    "qmnist": "QMNIST",
}
RAW = "raw"  # in those, with the files in it
_BATCHES = "cifar-10-batches-py"
# By data set, the folder below the root that its files lie in, and names by which one of them is known.
_PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (f"{folder}/{RAW}", ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"))
        for name, folder in FOLDERS.items()
    },
    "emnist-letters": (f"EMNIST/{RAW}", ("emnist-letters-train-images-idx3-ubyte",)),
    "qmnist": (f"QMNIST/{RAW}", ("qmnist-train-images-idx3-ubyte", "qmnist-train-images-idx3-ubyte.gz")),
    "cifar10": (_BATCHES, ("data_batch_1",)),
    "svhn": ("", ("train_32x32.mat",)),
    "usps": ("", ("usps.bz2",)),
}
_MOST = 200  # entries of a directory that are looked at


def home_of(dataset: str) -> str:
    """The folder below torchvision's root that the files of `dataset` lie in; "" for the root itself."""
    return _PLACES[dataset][0]


def root_above(path: str | Path) -> Path | None:
    """torchvision's root, where `path` lies inside one: it is a data set's folder, its `raw`, or a file in that."""
    inner = Path(os.path.abspath(path))
    if inner.parent.name in (RAW, _BATCHES) and inner.is_file():
        inner = inner.parent
    if inner.name == _BATCHES and (inner / "data_batch_1").is_file():
        return inner.parent
    folder = inner.parent if inner.name == RAW else inner
    if folder.name not in FOLDERS.values() or os.path.isdir(inner / folder.name):
        return None
    return folder.parent if os.path.isdir(folder / RAW) else None


def where_else(root: Path, dataset: str) -> str:
    """What to do with files that look like `dataset`'s and lie elsewhere below `root`; "" where there are none."""
    home, files = _PLACES[dataset]
    others = [place for name, (place, known) in _PLACES.items() if place != home and set(known) & set(files)]
    for place in _places(root):
        if place == root / home or not any(os.path.isfile(place / name) for name in files):
            continue
        if home and place.as_posix().endswith(f"/{home}"):
            return _("{parents} has it: give that with --data-dir").format(parents=place.parents[home.count("/")])
        if not home:
            return _("{place} has it: give that with --data-dir").format(place=place)
        if any(place.as_posix().endswith(f"/{other}") for other in others):
            continue  # another data set of files with the same names, where it belongs
        return _("if the files in {place} are it, move them to {root}").format(place=place, root=root / home)
    return ""


def _places(root: Path) -> Iterator[Path]:
    yield root
    yield root / RAW
    for child in _directories(root):
        yield child
        yield child / RAW
        yield child / _BATCHES
        yield from (child / name / RAW for name in FOLDERS.values())


def _directories(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            return sorted(Path(entry.path) for entry in islice(entries, _MOST) if entry.is_dir())
    except OSError:
        return []

"""Where torchvision's files lie below its root, and where people look for them instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

FOLDERS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}  # of torchvision's root
RAW = "raw"  # in those, with the files in it
_FILE = "train-images-idx3-ubyte"  # one of them, as it comes or with .gz
_MOST = 200  # entries of a directory that are looked at


def root_above(path: str | Path) -> Path | None:
    """torchvision's root, where `path` lies inside one: it is a data set's folder, its `raw`, or a file in that."""
    inner = Path(os.path.abspath(path))
    if inner.parent.name == RAW and inner.is_file():
        inner = inner.parent
    folder = inner.parent if inner.name == RAW else inner
    if folder.name not in FOLDERS.values() or os.path.isdir(inner / folder.name):
        return None
    return folder.parent if os.path.isdir(folder / RAW) else None


def where_else(root: Path, dataset: str) -> str:
    """What to do with files that look like `dataset`'s and lie elsewhere below `root`; "" where there are none."""
    folder = FOLDERS[dataset]
    for place in _places(root):
        if not any(os.path.isfile(place / name) for name in (_FILE, f"{_FILE}.gz")):
            continue
        if (place.name, place.parent.name) == (RAW, folder):
            return f"{place.parent.parent} has it: give that with --data-dir"
        if (place.name, place.parent.name) == (RAW, next(name for name in FOLDERS.values() if name != folder)):
            continue  # the other data set, where it belongs
        return f"if the files in {place} are it, move them to {root / folder / RAW}"
    return ""


def _places(root: Path) -> Iterator[Path]:
    yield root
    yield root / RAW
    for child in _directories(root):
        yield child
        yield child / RAW
        yield from (child / name / RAW for name in FOLDERS.values())


def _directories(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            return sorted(Path(entry.path) for entry in islice(entries, _MOST) if entry.is_dir())
    except OSError:
        return []

"""MNIST and what is made like it: files in the format IDX, each packed by itself or all in one archive."""

from __future__ import annotations

import math
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from d2ltui.data.archives import MORE, Files
from d2ltui.data.sources import SOURCES, Source
from d2ltui.spec.folders import FOLDERS, RAW
from d2ltui.spec.language import _

_BYTE, _INT = 8, 12  # IDX's numbers for what is in a file
_DTYPES: dict[int, np.dtype[Any]] = {_BYTE: np.dtype(np.uint8), _INT: np.dtype(">i4")}
_EMNIST_LIMIT = 600_000_000  # bytes


class _Idx(NamedTuple):
    """A file of numbers: its name, its shape, IDX's number for their kind, and the packed one where it has one."""

    name: str
    shape: tuple[int, ...]
    code: int = _BYTE
    source: Source | None = None

    @property
    def header(self) -> bytes:
        return struct.pack(f">4B{len(self.shape)}I", 0, 0, self.code, len(self.shape), *self.shape)

    @property
    def size(self) -> int:
        return len(self.header) + math.prod(self.shape) * _DTYPES[self.code].itemsize


def load_mnist(files: Files) -> list[Tensor]:
    """MNIST, Fashion-MNIST and Kuzushiji-MNIST: x and y of the training part, x and y of the validation part."""
    info, wanted = files.info, []
    for source in SOURCES[info.name]:
        size = info.train_size if source.name.startswith("train-") else info.val_size
        shape = (size, *info.input_shape) if "-images-" in source.name else (size,)
        wanted.append(_Idx(Path(source.name).stem, shape, _BYTE, source))
    _fetch_each(files, wanted)
    found = {file.name: file for file in wanted}
    parts = []
    for prefix in ("train", "t10k"):
        images = _read(files, found[f"{prefix}-images-idx3-ubyte"])
        labels = _read(files, found[f"{prefix}-labels-idx1-ubyte"])
        parts += _part(files, images, labels, found[f"{prefix}-labels-idx1-ubyte"])
    return parts


def load_qmnist(files: Files) -> list[Tensor]:
    """QMNIST, whose labels are eight numbers for each image, of which the first is the digit."""
    info, wanted = files.info, []
    for source in SOURCES[info.name]:
        size = info.train_size if "-train-" in source.name else info.val_size
        shape, code = ((size, *info.input_shape), _BYTE) if "-images-" in source.name else ((size, 8), _INT)
        wanted.append(_Idx(Path(source.name).stem, shape, code, source))
    _fetch_each(files, wanted)
    parts = []
    for images, labels in (wanted[:2], wanted[2:]):
        parts += _part(files, _read(files, images), _read(files, labels)[:, 0], labels)
    return parts


def load_emnist_letters(files: Files) -> list[Tensor]:
    """EMNIST's letters. Its images lie on their side, and its labels count from 1."""
    info, wanted = files.info, []
    for part, size in (("train", info.train_size), ("test", info.val_size)):
        wanted.append(_Idx(f"emnist-letters-{part}-images-idx3-ubyte", (size, *info.input_shape)))
        wanted.append(_Idx(f"emnist-letters-{part}-labels-idx1-ubyte", (size,)))
    _fetch_emnist(files, wanted)
    parts = []
    for images, labels in (wanted[:2], wanted[2:]):
        upright = _read(files, images).transpose(1, 2)
        parts += _part(files, upright, _read(files, labels).to(torch.int64) - 1, labels)
    return parts


def _raw(files: Files) -> Path:
    return files.root / FOLDERS[files.info.name] / RAW


def _fetch_each(files: Files, wanted: Sequence[_Idx]) -> None:
    """Download and unpack each of the files that is not there; what is there stays as it is."""
    raw = _raw(files)
    for file in wanted:
        if file.source is None or os.path.exists(raw / file.name):
            continue
        with files.archive(raw, file.source, file.size + MORE) as (path, temporary):
            files.progress(_("{name}: unpacking {file}").format(name=files.info.name, file=file.source.name), None)
            files.gunzip(path, temporary / file.name, file.size, path)
            os.replace(temporary / file.name, raw / file.name)


def _fetch_emnist(files: Files, wanted: Sequence[_Idx]) -> None:
    """Take the files that are not there out of the one archive with all of EMNIST."""
    raw = _raw(files)
    missing = [file for file in wanted if not os.path.exists(raw / file.name)]
    if not missing:
        return
    (source,) = SOURCES[files.info.name]
    with files.archive(raw, source, _EMNIST_LIMIT) as (path, temporary):
        for file in missing:
            files.progress(_("{name}: unpacking {file}").format(name=files.info.name, file=file.name), None)
            try:
                with zipfile.ZipFile(path) as archive, archive.open(f"gzip/{file.name}.gz") as packed:
                    files.gunzip(packed, temporary / file.name, file.size, path)
            except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
                raise files.broken(path, str(error)) from error
            os.replace(temporary / file.name, raw / file.name)


def _read(files: Files, file: _Idx) -> Tensor:
    """The numbers in `file`, which is compared with what it should be, so that a wrong one is named."""
    path = _raw(files) / file.name
    with files.reading(path):
        with path.open("rb") as opened:
            start = opened.read(len(file.header))
        if (actual := path.stat().st_size) != file.size:
            raise files.broken(path, _("it has {actual} bytes instead of {size}").format(actual=actual, size=file.size))
        if start != file.header:
            shape = " × ".join(map(str, file.shape))
            what = _("bytes") if file.code == _BYTE else _("whole numbers")
            raise files.broken(
                path, _("it does not begin like a file of {shape} {what}").format(shape=shape, what=what)
            )
        # Not by torchvision's class: that prefers an old version's `processed`, which torch.load would have to read.
        numbers = np.fromfile(path, _DTYPES[file.code], offset=len(file.header))
    return torch.from_numpy(numbers.astype(numbers.dtype.newbyteorder("="), copy=False).reshape(file.shape))


def _part(files: Files, images: Tensor, labels: Tensor, labels_file: _Idx) -> list[Tensor]:
    """x (n, num_inputs), float32 in 0…1, and y (n,), int64."""
    y = labels.to(torch.int64).contiguous()
    files.check_labels(_raw(files) / labels_file.name, int(y.min()), int(y.max()))
    return [images.reshape(len(images), -1).to(torch.float32).div_(255.0), y]

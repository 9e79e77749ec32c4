"""CIFAR-10, SVHN and USPS: pictures in pickles, in MATLAB's files and in lines of text."""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from d2ltui.data import LoadCancelled
from d2ltui.data.archives import CHUNK, Files, is_whole
from d2ltui.data.pickles import load_arrays
from d2ltui.data.sources import CIFAR10_META, CIFAR10_TEST, CIFAR10_TRAIN, SOURCES, Source
from d2ltui.spec.folders import home_of
from d2ltui.spec.language import _

# Bytes, each a little above what the file has.
_CIFAR_ARCHIVE_LIMIT = 200_000_000
_CIFAR_FILE_LIMIT = 40_000_000
_SVHN_LIMIT = 200_000_000
_USPS_LIMIT = 10_000_000
_USPS_LINE_LIMIT = 8192
_USPS_LEVELS = 255  # of a pixel from −1 to 1: torchvision makes a byte of it
_ROWS = 4096  # pictures that become numbers of 0…1 at once


def load_cifar10(files: Files) -> list[Tensor]:
    """CIFAR-10, from five batches for training and one for validation."""
    folder = files.root / home_of(files.info.name)
    # The list of what its batches are called is of no use here, but torchvision's own class wants it, too.
    _fetch_cifar(files, folder, [*CIFAR10_TRAIN, *CIFAR10_TEST, CIFAR10_META])
    parts = []
    for part, size in ((CIFAR10_TRAIN, files.info.train_size), (CIFAR10_TEST, files.info.val_size)):
        x, y = torch.empty(size, files.info.num_inputs), torch.empty(size, dtype=torch.int64)
        filled = 0
        for name, md5 in part.items():
            images, labels = _cifar_batch(files, folder / name, md5)
            if filled + len(images) > size:
                raise files.broken(folder / name, _("with it there are more than {size} pictures").format(size=size))
            x[filled : filled + len(images)] = torch.from_numpy(images).to(torch.float32).div_(255.0)
            y[filled : filled + len(images)] = labels
            filled += len(images)
        if filled != size:
            raise files.broken(folder, _("it has {filled} pictures of {size}").format(filled=filled, size=size))
        parts += [x, y]
    return parts


def _fetch_cifar(files: Files, folder: Path, names: list[str]) -> None:
    missing = [name for name in names if not os.path.exists(folder / name)]
    if not missing:
        return
    (source,) = SOURCES[files.info.name]
    with files.archive(files.root, source, _CIFAR_ARCHIVE_LIMIT) as (path, temporary):
        files.progress(_("{name}: unpacking {file}").format(name=files.info.name, file=source.name), None)
        wanted = {f"{folder.name}/{name}": name for name in missing}
        try:
            # As a stream: none of its members is looked for, and none but these is written, under a name of ours.
            with tarfile.open(path, "r|gz") as packed:
                for member in packed:
                    if member.name not in wanted or not member.isfile():
                        continue
                    opened = packed.extractfile(member)
                    if opened is not None:
                        files.copy(opened, temporary / wanted.pop(member.name), _CIFAR_FILE_LIMIT)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise files.broken(path, str(error)) from error
        if wanted:
            raise files.broken(path, _("it has no {wanted}").format(wanted=", ".join(wanted)))
        folder.mkdir(exist_ok=True)
        for name in missing:
            os.replace(temporary / name, folder / name)


def _cifar_batch(files: Files, path: Path, md5: str) -> tuple[NDArray[np.uint8], Tensor]:
    """Bytes (n, 3072) and labels (n,), int64."""
    if files.cancelled():
        raise LoadCancelled
    with files.reading(path):
        with path.open("rb") as file:
            data = file.read(_CIFAR_FILE_LIMIT)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            raise files.broken(path, _("it has another checksum than CIFAR-10's"))
    try:
        found = load_arrays(data)
    except pickle.UnpicklingError as error:
        raise files.broken(path, str(error)) from error
    match found.get("data"), found.get("labels"):
        case np.ndarray() as images, list() as labels:
            if images.shape != (len(labels), files.info.num_inputs) or {type(label) for label in labels} != {int}:
                raise files.broken(path, _("its pictures and labels are not those of CIFAR-10"))
            files.check_labels(path, min(labels), max(labels))
            return images, torch.tensor(labels)
    raise files.broken(path, _("it has no pictures and labels"))


def load_svhn(files: Files) -> list[Tensor]:
    """SVHN's cropped digits, in which 0 has the label 10."""
    parts = []
    for source, size in _parts(files):
        path = files.root / source.name
        _fetch_whole(files, source, _SVHN_LIMIT)
        if files.cancelled():
            raise LoadCancelled
        with files.reading(path):
            # Before it is given to a reader of so many kinds of file.
            if not is_whole(path, source.md5):
                raise files.broken(path, _("it has another checksum than SVHN's"))
            parts += _svhn_part(files, path, size)
    return parts


def _svhn_part(files: Files, path: Path, size: int) -> list[Tensor]:
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=("X", "y"))
        images, labels = found["X"], found["y"].ravel()
    except OSError:
        raise
    except Exception as error:  # scipy raises whatever its parts do
        raise files.broken(path, f"{type(error).__name__}: {error}") from error
    channels, height, width = files.info.input_shape
    if images.shape != (height, width, channels, size) or images.dtype != np.uint8 or labels.shape != (size,):
        raise files.broken(path, _("it does not have {size} pictures and labels").format(size=size))
    y = torch.from_numpy(labels.astype(np.int64))
    y[y == 10] = 0
    files.check_labels(path, int(y.min()), int(y.max()))
    x = torch.empty(size, files.info.num_inputs)
    for low in range(0, size, _ROWS):
        block = np.ascontiguousarray(images[..., low : low + _ROWS].transpose(3, 2, 0, 1))
        x[low : low + _ROWS] = torch.from_numpy(block).reshape(len(block), -1).to(torch.float32).div_(255.0)
    return [x, y]


def load_usps(files: Files) -> list[Tensor]:
    """USPS, a line of text for each picture, with labels that count from 1."""
    parts = []
    for source, size in _parts(files):
        _fetch_whole(files, source, _USPS_LIMIT)
        path = files.root / source.name
        with files.reading(path):
            parts += _usps_part(files, path, size)
    return parts


def _usps_part(files: Files, path: Path, size: int) -> list[Tensor]:
    from sklearn.datasets import load_svmlight_file

    pixels = files.info.num_inputs
    try:
        text = _unpacked(files, path, size * _USPS_LINE_LIMIT)
        sparse, labels = load_svmlight_file(io.BytesIO(text), n_features=pixels, dtype=np.float32, zero_based=False)
    except (EOFError, ValueError, OverflowError) as error:
        raise files.broken(path, str(error)) from error
    if sparse.shape != (size, pixels):
        raise files.broken(
            path, _("it has {shape} pictures instead of {size}").format(shape=sparse.shape[0], size=size)
        )
    values = sparse.toarray()
    if not (np.abs(values) <= 1).all():
        raise files.broken(path, _("it has a pixel that is not from −1 to 1"))
    y = torch.from_numpy(labels.astype(np.int64) - 1)
    files.check_labels(path, int(y.min()), int(y.max()))
    levels = ((values + 1) / 2 * _USPS_LEVELS).astype(np.uint8)
    return [torch.from_numpy(levels).to(torch.float32).div_(255.0), y]


def _unpacked(files: Files, path: Path, limit: int) -> bytes:
    """What is in a bzip2 file, of `limit` bytes at most."""
    chunks, left = [], limit + 1
    with path.open("rb") as packed, bz2.open(packed) as file:
        try:
            while left and (chunk := file.read(min(CHUNK, left))):
                if files.cancelled():
                    raise LoadCancelled
                chunks.append(chunk)
                left -= len(chunk)
        except OSError as error:
            if error.errno is None:  # bzip2's own, of what it finds in the file
                raise EOFError(str(error)) from error
            raise
    if not left:
        raise EOFError(_("it has more than {limit} bytes").format(limit=limit))
    return b"".join(chunks)


def _parts(files: Files) -> list[tuple[Source, int]]:
    """The file and the number of pictures of either part, where each has a file of its own."""
    return list(zip(SOURCES[files.info.name], (files.info.train_size, files.info.val_size), strict=True))


def _fetch_whole(files: Files, source: Source, limit: int) -> None:
    """Download a file that is read as it comes into torchvision's root."""
    if os.path.exists(files.root / source.name):
        return
    with files.archive(files.root, source, limit) as (path, temporary):
        if path.parent == temporary:
            os.replace(path, files.root / source.name)

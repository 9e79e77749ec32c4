"""Small archives in the own format of each of torchvision's data sets."""
# mypy: disable-error-code="attr-defined, assignment"

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from d2ltui.data import sources
from d2ltui.data.sources import SOURCES, Source
from d2ltui.spec.datasets import DATASETS, DatasetInfo

TRAIN, VAL = 50, 30
RANDOM = np.random.default_rng(0)


def small(name: str) -> DatasetInfo:
    return msgspec.structs.replace(DATASETS[name], train_size=TRAIN, val_size=VAL)


def idx(values: np.ndarray) -> bytes:
    code, kind = (8, ">u1") if values.dtype == np.uint8 else (12, ">i4")
    header = struct.pack(f">4B{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    return header + values.astype(kind).tobytes()


def pictures(n: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (n, *shape), dtype=np.uint8)


def labels(n: int, classes: int = 10, first: int = 0) -> np.ndarray:
    return (np.arange(n) % classes + first).astype(np.uint8)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def offered(name: str, archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set's files are these, at the addresses of the true ones."""
    places = {source.name: source.urls for source in SOURCES[name]}
    found = tuple(Source(file, md5(archives[file]), urls) for file, urls in places.items() if file in archives)
    monkeypatch.setitem(SOURCES, name, found)


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: its strings are bytes, and numpy's names those of then."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, data: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(data)

    def save_text(self, text: str) -> None:
        self.save_bytes(text.encode("latin1"))

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__qualname__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text
    dispatch[type] = save_global
    dispatch[type(len)] = save_global
    dispatch[type(lambda: None)] = save_global


def python2_pickle(value: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def kmnist(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix, n in (("train", TRAIN), ("t10k", VAL)):
        archives[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx(pictures(n, 28, 28)))
        archives[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels(n)))
    offered("kmnist", archives, monkeypatch)


def qmnist(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    for part, n in (("train", TRAIN), ("test", VAL)):
        eight = np.column_stack([labels(n), RANDOM.integers(0, 70_000, (n, 7))]).astype(np.int32)
        archives[f"qmnist-{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(pictures(n, 28, 28)))
        archives[f"qmnist-{part}-labels-idx2-int.gz"] = gzip.compress(idx(eight))
    offered("qmnist", archives, monkeypatch)


def emnist(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("gzip/emnist-mnist-train-images-idx3-ubyte.gz", b"another part, which is left alone")
        for part, n in (("train", TRAIN), ("test", VAL)):
            for kind, body in (("images-idx3", pictures(n, 28, 28)), ("labels-idx1", labels(n, 26, first=1))):
                archive.writestr(f"gzip/emnist-letters-{part}-{kind}-ubyte.gz", gzip.compress(idx(body)))
    archives["gzip.zip"] = file.getvalue()
    offered("emnist-letters", archives, monkeypatch)


def cifar_files() -> dict[str, bytes]:
    files = {}
    for name, n in (*((f"data_batch_{i}", TRAIN // 5) for i in range(1, 6)), ("test_batch", VAL)):
        names = [f"picture {i}" for i in range(n)]
        batch = {"batch_label": name, "labels": labels(n).tolist(), "data": pictures(n, 3072), "filenames": names}
        files[name] = python2_pickle(batch)
    files["batches.meta"] = python2_pickle({"label_names": list(DATASETS["cifar10"].classes)})
    return files


def cifar10(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes] | None = None) -> None:
    files = files or cifar_files()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, body in {**files, "../../evil": b"evil"}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    archives["cifar-10-python.tar.gz"] = file.getvalue()
    offered("cifar10", archives, monkeypatch)
    for batches in (sources.CIFAR10_TRAIN, sources.CIFAR10_TEST):
        for name in batches:
            monkeypatch.setitem(batches, name, md5(files[name]))


def svhn(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    for part, n in (("train", TRAIN), ("test", VAL)):
        file = io.BytesIO()
        savemat(file, {"X": pictures(32, 32, 3, n), "y": labels(n, first=1)[:, None]}, do_compression=True)
        archives[f"{part}_32x32.mat"] = file.getvalue()
    offered("svhn", archives, monkeypatch)


def usps(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, n in (("usps.bz2", TRAIN), ("usps.t.bz2", VAL)):
        pixels = RANDOM.uniform(-1, 1, (n, 256)).round(4)
        pixels[0, :3] = -1, 0, 1
        lines = [
            f"{label} " + " ".join(f"{i}:{value:g}" for i, value in enumerate(row, 1)) + " \n"
            for label, row in zip(labels(n, first=1), pixels, strict=True)
        ]
        archives[name] = bz2.compress("".join(lines).encode())
    offered("usps", archives, monkeypatch)


Read = Callable[[Path, bool], tuple[torch.Tensor, torch.Tensor]]
MAKERS: dict[str, tuple[Callable[..., None], str]] = {
    "kmnist": (kmnist, "KMNIST/raw"),
    "emnist-letters": (emnist, "EMNIST/raw"),
    "qmnist": (qmnist, "QMNIST/raw"),
    "cifar10": (cifar10, "cifar-10-batches-py"),
    "svhn": (svhn, ""),
    "usps": (usps, ""),
}

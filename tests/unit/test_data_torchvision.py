"""torchvision's data sets, from small files in each set's own format: as torchvision's own classes read them."""
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
from scipy.io import savemat
from torchvision import datasets

from d2ltui.data import DataError, Dataset, LoadCancelled, check_loaded, download, vision
from d2ltui.data.pickles import load_arrays
from d2ltui.spec.datasets import DATASETS, DatasetInfo
from d2ltui.spec.folders import root_above, where_else

TRAIN, VAL = 50, 30
RANDOM = np.random.default_rng(0)


def small(name: str) -> DatasetInfo:
    return msgspec.structs.replace(DATASETS[name], train_size=TRAIN, val_size=VAL)


def load(
    name: str, root: Path, progress: Any = lambda message, fraction: None, cancelled: Any = lambda: False
) -> Dataset:
    info = small(name)
    dataset = vision.load(info, {"data_dir": str(root)}, progress, cancelled)
    check_loaded(info, dataset)
    return dataset


def refusal(name: str, root: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(name, root)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{name}: ")
    return message


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
    monkeypatch.setattr(datasets.KMNIST, "resources", [(name, md5(body)) for name, body in archives.items()])


def qmnist(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    resources = {}
    for part, n in (("train", TRAIN), ("test", VAL)):
        named = {
            f"qmnist-{part}-images-idx3-ubyte.gz": gzip.compress(idx(pictures(n, 28, 28))),
            f"qmnist-{part}-labels-idx2-int.gz": gzip.compress(
                idx(np.column_stack([labels(n), RANDOM.integers(0, 70_000, (n, 7))]).astype(np.int32))
            ),
        }
        archives |= named
        resources[part] = [(f"https://qmnist/{name}", md5(body)) for name, body in named.items()]
    monkeypatch.setattr(datasets.QMNIST, "resources", resources)


def emnist(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("gzip/emnist-mnist-train-images-idx3-ubyte.gz", b"another part, which is left alone")
        for part, n in (("train", TRAIN), ("test", VAL)):
            for kind, body in (("images-idx3", pictures(n, 28, 28)), ("labels-idx1", labels(n, 26, first=1))):
                archive.writestr(f"gzip/emnist-letters-{part}-{kind}-ubyte.gz", gzip.compress(idx(body)))
    archives["gzip.zip"] = file.getvalue()
    monkeypatch.setattr(datasets.EMNIST, "md5", md5(archives["gzip.zip"]))


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
    cifar = datasets.CIFAR10
    monkeypatch.setattr(cifar, "tgz_md5", md5(file.getvalue()))
    monkeypatch.setattr(cifar, "train_list", [[f"data_batch_{i}", md5(files[f"data_batch_{i}"])] for i in range(1, 6)])
    monkeypatch.setattr(cifar, "test_list", [["test_batch", md5(files["test_batch"])]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5(files["batches.meta"])}
    monkeypatch.setattr(cifar, "meta", meta)


def svhn(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    split = {}
    for part, n in (("train", TRAIN), ("test", VAL)):
        file = io.BytesIO()
        savemat(file, {"X": pictures(32, 32, 3, n), "y": labels(n, first=1)[:, None]}, do_compression=True)
        archives[name := f"{part}_32x32.mat"] = file.getvalue()
        split[part] = [f"http://svhn/{name}", name, md5(file.getvalue())]
    monkeypatch.setattr(datasets.SVHN, "split_list", split)


def usps(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    split = {}
    for part, name, n in (("train", "usps.bz2", TRAIN), ("test", "usps.t.bz2", VAL)):
        pixels = RANDOM.uniform(-1, 1, (n, 256)).round(4)
        pixels[0, :3] = -1, 0, 1
        lines = [
            f"{label} " + " ".join(f"{i}:{value:g}" for i, value in enumerate(row, 1)) + " \n"
            for label, row in zip(labels(n, first=1), pixels, strict=True)
        ]
        archives[name] = bz2.compress("".join(lines).encode())
        split[part] = [f"https://usps/{name}", name, md5(archives[name])]
    monkeypatch.setattr(datasets.USPS, "split_list", split)


Read = Callable[[Path, bool], tuple[torch.Tensor, torch.Tensor]]
MAKERS: dict[str, tuple[Callable[..., None], str]] = {
    "kmnist": (kmnist, "KMNIST/raw"),
    "emnist-letters": (emnist, "EMNIST/raw"),
    "qmnist": (qmnist, "QMNIST/raw"),
    "cifar10": (cifar10, "cifar-10-batches-py"),
    "svhn": (svhn, ""),
    "usps": (usps, ""),
}


def as_torchvision_reads(
    name: str, root: Path, train: bool, download: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels in 0…255 (n, num_inputs) and labels (n,) by torchvision's own class."""
    match name:
        case "kmnist":
            found = datasets.KMNIST(root, train=train)
            return found.data.flatten(1), found.targets
        case "qmnist":
            found = datasets.QMNIST(root, train=train)
            return found.data.flatten(1), torch.tensor([found[i][1] for i in range(len(found))])
        case "emnist-letters":
            found = datasets.EMNIST(root, "letters", train=train)
            return found.data.transpose(1, 2).flatten(1), found.targets - 1
        case "cifar10":
            found = datasets.CIFAR10(root, train=train)
            return torch.from_numpy(found.data.transpose(0, 3, 1, 2).copy()).flatten(1), torch.tensor(found.targets)
        case "svhn":
            found = datasets.SVHN(root, split="train" if train else "test")
            return torch.from_numpy(found.data.copy()).flatten(1), torch.from_numpy(found.labels)
        case _:
            found = datasets.USPS(root, train=train)
            return torch.from_numpy(found.data).flatten(1), torch.tensor(found.targets)


class Web:
    """Stands for the network: it has the archives, and counts what was asked for."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.asked: list[str] = []

    def fetch(self, urls: Any, path: Path, whole: Any, limit: int, message: str, *_: Any) -> list[str]:
        name = urls[0].rpartition("/")[2]
        assert urls[0].startswith("https://")
        self.asked.append(name)
        if name not in self.archives:
            return ["nobody (Not Found)"]
        assert len(self.archives[name]) <= limit
        begins, _called = download._BEGINS[path.suffix]
        assert self.archives[name].startswith(begins)
        path.write_bytes(self.archives[name])
        assert whole(path)
        return []


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    web = Web()
    monkeypatch.setattr(download, "fetch", web.fetch)
    monkeypatch.setattr(
        "d2ltui.data.archives._SECURE",
        {"http://codh.rois.ac.jp/": "https://codh.rois.ac.jp/", "http://svhn/": "https://svhn/"},
    )
    return web


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_loaded_is_what_torchvisions_own_class_reads(
    name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, home = MAKERS[name]
    make(web.archives, monkeypatch)
    dataset = load(name, tmp_path)
    assert sorted(web.asked) == sorted(web.archives)
    for x, y, train in ((dataset.x_train, dataset.y_train, True), (dataset.x_val, dataset.y_val, False)):
        pixels, classes = as_torchvision_reads(name, tmp_path, train)
        assert torch.equal(x, pixels.float() / 255)
        assert torch.equal(y, classes.long())
        assert x.is_contiguous()
    assert dataset.y_train.unique().tolist() == list(range(small(name).num_outputs))
    # Nothing else has come, and nothing outside; what is there is used as it is.
    assert not [path for path in tmp_path.parent.rglob("*") if "evil" in path.name or ".download" in path.name]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.parent == tmp_path / home for path in before)
    web.archives.clear()
    again = load(name, tmp_path)
    assert torch.equal(again.x_val, dataset.x_val)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", MAKERS)
def test_archives_that_are_there_are_unpacked(
    name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, home = MAKERS[name]
    make(web.archives, monkeypatch)
    folder = tmp_path if name == "cifar10" else tmp_path / home
    folder.mkdir(parents=True, exist_ok=True)
    for archive, body in web.archives.items():
        (folder / archive).write_bytes(body)
    load(name, tmp_path)
    assert web.asked == []


@pytest.mark.parametrize("name", MAKERS)
def test_what_cannot_be_had_leaves_nothing_behind(
    name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MAKERS[name][0]({}, monkeypatch)
    message = refusal(name, tmp_path)
    assert f"not found in {tmp_path}, and could not be downloaded from nobody (Not Found); try the data set" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_file_is_named(name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, home = MAKERS[name]
    make(web.archives, monkeypatch)
    load(name, tmp_path)
    for path in [path for path in (tmp_path / home).iterdir() if path.is_file() and path.name != "batches.meta"]:
        whole = path.read_bytes()
        for body in (b"", whole[: len(whole) // 2], b"\xff" + whole[1:]):
            path.write_bytes(body)
            message = refusal(name, tmp_path)
            assert f"{path} is damaged or foreign (" in message
            assert message.endswith("delete it to download it again")
        path.unlink()
        path.mkdir()
        assert f"{path} is damaged or foreign (it is a directory, not a file)" in refusal(name, tmp_path)
        path.rmdir()
        path.write_bytes(whole)
    load(name, tmp_path)


@pytest.mark.parametrize("name", MAKERS)
def test_loading_can_be_given_up(name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MAKERS[name][0](web.archives, monkeypatch)
    with pytest.raises(LoadCancelled):
        load(name, tmp_path, cancelled=lambda: True)


def test_labels_are_of_the_classes(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emnist(web.archives, monkeypatch)
    load("emnist-letters", tmp_path)
    path = tmp_path / "EMNIST/raw/emnist-letters-test-labels-idx1-ubyte"
    for label, wrong in ((0, -1), (27, 26)):
        path.write_bytes(idx(np.full(VAL, label, np.uint8)))
        assert f"{path} is damaged or foreign (it has a label {wrong})" in refusal("emnist-letters", tmp_path)


def test_a_line_that_unpacks_to_much_is_not_read(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usps(web.archives, monkeypatch)
    load("usps", tmp_path)
    for body, why in (
        (b"1 " * 10_000_000, f"it has more than {TRAIN * 8192} bytes"),
        (b"1 1:2\n" * TRAIN, "it has a pixel that is not from −1 to 1"),
        (b"1 1:nan\n" * TRAIN, "it has a pixel that is not from −1 to 1"),
        (b"1 257:0.5\n" * TRAIN, ""),
        (b"1 1:0.5\n", f"it has 1 pictures instead of {TRAIN}"),
        (b"\xff\xfe\n", ""),
    ):
        (tmp_path / "usps.bz2").write_bytes(bz2.compress(body))
        message = refusal("usps", tmp_path)
        assert f"{tmp_path / 'usps.bz2'} is damaged or foreign ({why}" in message


class Evil:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def evil_pickles() -> dict[str, bytes]:
    good = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [0, 1]}, protocol=2)
    name = b"cnumpy\nndarray\n"
    return {
        "a function": pickle.dumps({"data": Evil()}),
        "an import": b"cos\nsystem\n(S'true'\ntR.",
        "numpy's own reader": pickle.dumps({"data": np.lib.format.read_array}),
        "an attribute": b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        "objects": pickle.dumps({"data": np.array([[None]], dtype=object)}),
        "floats": pickle.dumps({"data": np.zeros((2, 3))}),
        "one axis": pickle.dumps({"data": np.zeros(6, np.uint8)}),
        "more than its bytes": good.replace(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86"),
        "an array without a shape": b"(dS'data'\n" + name + b"(tRs.",
        "a change": name + b"(NS'x'\n(dtb.",
        "a set": pickle.dumps({1, 2}),
        "an extension": b"\x82\x01.",
        "a persistent one": b"Pme\n.",
        "a huge memo": b"]r\xff\xff\xff\x7f.",
        "bytes that there are none of": b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",
        "no pickle": b"hello",
        "half": good[: len(good) // 2],
        "nothing": b"",
        "a list": pickle.dumps([1, 2]),
    }


@pytest.mark.parametrize("case", evil_pickles())
def test_nothing_that_a_pickle_names_is_executed(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError) as caught:
        load_arrays(evil_pickles()[case])
    assert str(caught.value)
    assert capsys.readouterr().out == ""
    # And the next one is read as it should be.
    found = load_arrays(pickle.dumps({"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [0, 1]}))
    assert found["data"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["labels"] == [0, 1]


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_read_as_numpy_reads_them(protocol: int) -> None:
    value = {"data": pictures(4, 5), "labels": [3, 1, 2, 0], "name": "batch", "raw": b"\xff\x00"}
    if protocol == 5:  # numpy hands over its memory in another way then
        protocol = 4
    for data in (pickle.dumps(value, protocol=protocol), python2_pickle(value)):
        found = load_arrays(data)
        assert np.array_equal(found["data"], value["data"])
        assert found["labels"] == value["labels"]
        assert found["name"] == "batch"


def test_a_batch_with_a_right_checksum_and_wrong_contents(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = cifar_files()
    wrong = {
        "a label that is no number": {"data": pictures(10, 3072), "labels": ["cat"] * 10},
        "too few labels": {"data": pictures(10, 3072), "labels": [0] * 9},
        "other pictures": {"data": pictures(10, 100), "labels": [0] * 10},
        "no pictures": {"labels": [0] * 10},
        "a large label": {"data": pictures(10, 3072), "labels": [10] * 10},
        "too many": {"data": pictures(60, 3072), "labels": [0] * 60},
    }
    for batch in wrong.values():
        root = tmp_path / md5(repr(batch).encode())
        root.mkdir()
        cifar10(web.archives, monkeypatch, {**good, "data_batch_2": python2_pickle(batch)})
        assert f"{root / 'cifar-10-batches-py' / 'data_batch_2'} is damaged or foreign (" in refusal("cifar10", root)


@pytest.mark.parametrize("name", MAKERS)
def test_files_at_hand_elsewhere_are_told_of(
    name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, home = MAKERS[name]
    make(web.archives, monkeypatch)
    (inner := tmp_path / "inner").mkdir()
    load(name, inner)
    web.archives.clear()
    assert refusal(name, tmp_path).endswith(f"; {inner} has it: give that with --data-dir")
    assert where_else(inner, name) == ""
    if home:
        assert root_above(inner / home) == inner
    if name == "kmnist":
        assert where_else(inner, "mnist") == ""  # those are the other's, and where they belong

"""torchvision's data sets, from small files in each set's own format: as torchvision's own classes read them."""
# mypy: disable-error-code="attr-defined, assignment"

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_archives import (
    MAKERS,
    TRAIN,
    VAL,
    cifar10,
    cifar_files,
    emnist,
    idx,
    md5,
    pictures,
    python2_pickle,
    small,
    usps,
)
from torchvision import datasets

from d2ltui.code.script import script
from d2ltui.data import DataError, Dataset, LoadCancelled, check_loaded, download, vision
from d2ltui.spec.config import resolve
from d2ltui.spec.folders import root_above, where_else
from tests.scripts import carried_out


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


def check_that_a_script_reads_the_same(dataset: Dataset, root: Path) -> None:
    config = resolve({"dataset": dataset.info.name, "data_dir": str(root), "device": "cpu"})
    text = script(config, "a-run")
    names = carried_out(text[: text.index("order = torch.Generator()")])
    for part in ("x_train", "y_train", "x_val", "y_val"):
        assert torch.equal(names[part.replace("x", "X")], getattr(dataset, part)), part


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
    check_that_a_script_reads_the_same(dataset, tmp_path)
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
        (b"1 " * (TRAIN * 8192), f"it has more than {TRAIN * 8192} bytes"),
        (b"1 1:2\n" * TRAIN, "it has a pixel that is not from −1 to 1"),
        (b"1 1:nan\n" * TRAIN, "it has a pixel that is not from −1 to 1"),
        (b"1 257:0.5\n" * TRAIN, ""),
        (b"1 1:0.5\n", f"it has 1 pictures instead of {TRAIN}"),
        (b"\xff\xfe\n", ""),
    ):
        (tmp_path / "usps.bz2").write_bytes(bz2.compress(body))
        message = refusal("usps", tmp_path)
        assert f"{tmp_path / 'usps.bz2'} is damaged or foreign ({why}" in message


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

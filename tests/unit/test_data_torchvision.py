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

from d2ltui.code.script import script
from d2ltui.data import DataError, Dataset, LoadCancelled, check_loaded, download, sources, vision
from d2ltui.data.archives import secure_first
from d2ltui.data.sources import SOURCES, Source
from d2ltui.spec.config import resolve
from d2ltui.spec.datasets import DATASETS
from d2ltui.spec.folders import home_of, root_above, where_else
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


def torchvision_offers(name: str) -> list[Source]:
    """The files of a data set, as torchvision's own class names them."""
    from torchvision import datasets

    match name:
        case "mnist" | "fashion-mnist" | "kmnist":
            classes = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST, "kmnist": datasets.KMNIST}
            mirrors = classes[name].mirrors
            return [Source(file, md5, tuple(m + file for m in mirrors)) for file, md5 in classes[name].resources]
        case "qmnist":
            resources = datasets.QMNIST.resources
            found = [resource for part in ("train", "test") for resource in resources[part]]
            return [Source(url.rpartition("/")[2], md5, (url,)) for url, md5 in found]
        case "emnist-letters":
            return [Source("gzip.zip", datasets.EMNIST.md5, (datasets.EMNIST.url,))]
        case "cifar10":
            return [Source(datasets.CIFAR10.filename, datasets.CIFAR10.tgz_md5, (datasets.CIFAR10.url,))]
        case _:
            split = {"svhn": datasets.SVHN, "usps": datasets.USPS}[name].split_list
            return [Source(file, md5, (url,)) for url, file, md5 in (split["train"], split["test"])]


def test_the_files_are_those_that_torchvision_names() -> None:
    from torchvision import datasets

    assert set(SOURCES) == {info.name for info in DATASETS.values() if info.origin == "torchvision"}
    for name, files in SOURCES.items():
        offered = torchvision_offers(name)
        assert [(file.name, file.md5) for file in files] == [(file.name, file.md5) for file in offered], name
        # Which of its mirrors it asks first differs from release to release.
        assert [set(file.urls) for file in files] == [set(file.urls) for file in offered], name
    cifar = datasets.CIFAR10
    assert list(sources.CIFAR10_TRAIN.items()) == [(name, md5) for name, md5 in cifar.train_list]
    assert list(sources.CIFAR10_TEST.items()) == [(name, md5) for name, md5 in cifar.test_list]
    assert cifar.meta["filename"] == sources.CIFAR10_META
    assert home_of("cifar10") == cifar.base_folder


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_is_asked_for_by_https_first(name: str) -> None:
    for source in SOURCES[name]:
        tried = secure_first(source.urls)
        assert set(source.urls) <= set(tried)
        assert tried[0].startswith("https://")
        assert all(url.endswith(f"/{source.name}") for url in tried)


def expected_by_torchvision(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's own class looks at the checksums of what it reads: those of the small files."""
    from torchvision import datasets

    cifar, files = datasets.CIFAR10, SOURCES[name]
    if name == "cifar10":
        monkeypatch.setattr(cifar, "train_list", [list(item) for item in sources.CIFAR10_TRAIN.items()])
        monkeypatch.setattr(cifar, "test_list", [list(item) for item in sources.CIFAR10_TEST.items()])
        monkeypatch.setitem(cifar.meta, "md5", md5((root / home_of(name) / sources.CIFAR10_META).read_bytes()))
    elif name in ("svhn", "usps"):
        split = {part: [file.urls[0], file.name, file.md5] for part, file in zip(("train", "test"), files, strict=True)}
        monkeypatch.setattr({"svhn": datasets.SVHN, "usps": datasets.USPS}[name], "split_list", split)


def as_torchvision_reads(name: str, root: Path, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels in 0…255 (n, num_inputs) and labels (n,) by torchvision's own class."""
    from torchvision import datasets

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
    return web


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_loaded_is_what_torchvisions_own_class_reads(
    name: str, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, home = MAKERS[name]
    make(web.archives, monkeypatch)
    dataset = load(name, tmp_path)
    assert sorted(web.asked) == sorted(web.archives)
    expected_by_torchvision(name, tmp_path, monkeypatch)
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

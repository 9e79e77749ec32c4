"""A data directory that is one too deep, or holds the files elsewhere: what is said names the right path."""

from __future__ import annotations

from pathlib import Path

import pytest

from d2ltui.spec.config import check_environment, resolve
from d2ltui.spec.folders import root_above, where_else
from d2ltui.spec.parsing import ConfigError, parse


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """`raw` of Fashion-MNIST, with a file in it."""
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").touch()
    return folder


def test_what_lies_within_a_root_is_refused_with_the_root(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = raw.parent.parent
    for path in (raw.parent, raw, raw / "train-images-idx3-ubyte", f"{raw.parent}/"):
        with pytest.raises(ConfigError) as caught:
            parse("data_dir", str(path))
        (problem,) = caught.value.problems
        assert problem.message.startswith(f"data_dir: '{path}' is not allowed (it ")
        assert problem.message.endswith(f"; allowed: {root}")
        monkeypatch.setenv("D2LTUI_DATA_DIR", str(path))
        with pytest.raises(ConfigError, match=rf"^D2LTUI_DATA_DIR: '.*; allowed: {root}$"):
            check_environment(resolve({"dataset": "fashion-mnist"}))
    assert parse("data_dir", str(root)) == str(root)
    monkeypatch.chdir(raw.parent)
    for path in (".", "raw"):
        with pytest.raises(ConfigError, match=f"; allowed: {root}$"):
            parse("data_dir", path)


def test_a_root_may_be_called_like_a_data_set(tmp_path: Path) -> None:
    root = tmp_path / "FashionMNIST"
    root.mkdir()
    assert root_above(root) is None  # empty: the download goes there
    (root / "FashionMNIST" / "raw").mkdir(parents=True)
    (root / "raw").mkdir()
    assert root_above(root) is None
    assert root_above(tmp_path / "nowhere" / "MNIST") is None


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_files_elsewhere_are_found(tmp_path: Path, name: str) -> None:
    assert where_else(tmp_path, "fashion-mnist") == ""
    assert where_else(tmp_path / "nowhere", "fashion-mnist") == ""
    for place in ("", "raw", "fashion", "fashion_mnist/raw"):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        assert where_else(tmp_path, "fashion-mnist") == (
            f"if the files in {folder} are it, move them to {tmp_path / 'FashionMNIST' / 'raw'}"
        )
        (folder / name).unlink()


def test_a_root_further_down_is_proposed(raw: Path) -> None:
    root = raw.parent.parent
    assert where_else(root.parent, "fashion-mnist") == f"{root} has it: give that with --data-dir"
    assert where_else(root, "mnist") == ""  # those are the other's, and where they belong

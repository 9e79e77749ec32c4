"""What a process that was killed leaves in the store is removed when the next run is made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from d2ltui.store import home


def test_old_leftovers_are_removed_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = home.create("linear", lambda path: None)
    parent = run.parent
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    for name in (".new-left", ".old-left/linear-7", ".hidden", ".new-young"):
        (parent / name).mkdir(parents=True)
        (parent / name / "run.db").touch()
    (parent / ".new-file").touch()
    (parent / ".old-link").symlink_to(outside)
    monkeypatch.setattr(home, "LEFT", 0.5)
    time.sleep(0.6)
    (parent / ".new-young" / "config.toml").touch()
    new = home.create("linear", lambda path: None)
    assert sorted(path.name for path in parent.iterdir()) == [
        ".hidden", ".new-file", ".new-young", ".old-link", run.name, new.name,
    ]  # fmt: skip
    assert (outside / "file").exists()


def test_what_cannot_be_removed_keeps_no_run_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = home.create("linear", lambda path: None).parent
    (parent / ".old-left").mkdir()
    monkeypatch.setattr(home, "LEFT", -1.0)

    def refuse(path: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(home.shutil, "rmtree", refuse)
    assert home.create("linear", lambda path: None).name == "linear-2"

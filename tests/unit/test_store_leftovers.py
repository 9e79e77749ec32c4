"""What a process that was killed leaves in the store is removed when the next run is made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from d2ltui.store import home
from d2ltui.store.listing import runs


def fill(path: Path) -> None:
    (path / "run.db").touch()


def test_old_leftovers_are_removed_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = home.create("linear", fill)
    parent = run.parent
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    for name in (".new-left", ".old-left/linear-7", ".hidden", ".new-young"):
        (parent / name).mkdir(parents=True)
        (parent / name / "run.db").touch()
    (parent / ".new-file").touch()
    (parent / "linear-9").mkdir()  # a name that was reserved, and the process killed
    (parent / ".old-link").symlink_to(outside)
    monkeypatch.setattr(home, "LEFT", 2.0)
    time.sleep(2.1)
    (parent / ".new-young" / "config.toml").touch()
    new = home.create("linear", fill)
    assert sorted(path.name for path in parent.iterdir()) == [
        ".hidden", ".new-file", ".new-young", ".old-link", run.name, new.name,
    ]  # fmt: skip
    assert (outside / "file").exists()


def test_what_cannot_be_removed_keeps_no_run_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = home.create("linear", fill).parent
    (parent / ".old-left").mkdir()
    monkeypatch.setattr(home, "LEFT", -1.0)

    def refuse(path: str, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(home.shutil, "rmtree", refuse)
    assert home.create("linear", fill).name == "linear-2"


def test_a_process_that_is_killed_leaves_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is the last call that is made, what is listed is a whole run or none."""
    for call in ("mkdir", "rename", "chmod"):
        with monkeypatch.context() as patched:

            def killed(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(Path, call, killed)
            patched.setattr(home.shutil, "rmtree", lambda *_, **__: None)  # a killed process removes nothing
            with pytest.raises(KeyboardInterrupt):
                home.create("linear", fill)
    assert home.names() == []


def test_a_name_without_a_run_is_not_listed() -> None:
    parent = home.create("linear", fill).parent
    (parent / "linear-2").mkdir()
    assert [run.name for run in runs()] == ["linear-1"]
    assert home.create("linear", fill).name == "linear-3"


def test_two_that_make_a_run_at_once_get_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.os, "listdir", lambda path: [])  # neither sees the other's
    assert [home.create("linear", fill).name for _ in range(3)] == ["linear-1", "linear-2", "linear-3"]

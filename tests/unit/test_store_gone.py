"""A run whose directory is deleted while it is trained, or watched: both are told why nothing comes any more."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import short

from d2ltui.engine.control import Control
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.store import StoreError, home
from d2ltui.store.listing import runs
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import StoreThread

PATIENCE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def steps(last: int) -> events.StepsTrained:
    losses = np.ones(5, np.float32)
    return events.StepsTrained(last, losses, losses, 1.0)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (shutil.rmtree, "its directory is gone: deleted, or renamed"),
        (lambda path: path.rename(path.with_name("elsewhere")), "its directory is gone: deleted, or renamed"),
        (lambda path: (path / home.DATABASE).unlink(), "its run.db is gone: deleted, or renamed"),
    ],
)
def test_a_deleted_directory_is_told_of_once(harm: Callable[[Path], object], why: str) -> None:
    told: list[str] = []
    store = StoreThread(short(), on_trouble=told.append)
    assert store.wait_opened(PATIENCE)
    assert store.path is not None
    store(steps(5))
    with RunReader(store.path) as reader:
        until(lambda: reader.poll() or reader.live.step == 5, "the first steps")
        harm(store.path)
        with pytest.raises(StoreError, match=f"cannot be read .{why}"):
            reader.poll()
        store(steps(10))
        until(lambda: told, "a sentence")
        store.later(lambda path: home.write_atomically(path / "checkpoint.pt", lambda file: file.write(b"x")))
        assert store.close()
    assert why in told[0]
    assert all(why in sentence or "run.db" in why or "not stored" in sentence for sentence in told), told


def test_a_checkpoint_that_has_no_directory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    recording = RunRecording.new(short(), Control(), on_trouble=told.append)
    assert recording.store.wait_opened(PATIENCE)
    assert recording.store.path is not None
    shutil.rmtree(recording.store.path)

    class Empty:
        def write(self, file: object) -> None: ...

    recording.keep(Empty())  # type: ignore[arg-type]
    assert recording.close()
    assert "its directory is gone: deleted, or renamed" in told[0]
    assert "No such file" not in "".join(told)


def test_a_directory_that_vanishes_while_it_is_listed_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = [StoreThread(short()) for _ in range(2)]
    for store in stores:
        assert store.close()
    names = home.names()
    shutil.rmtree(home.runs_dir() / names[0])
    monkeypatch.setattr(home, "names", lambda: names)
    assert [run.name for run in runs()] == names[1:]
    assert os.listdir(home.runs_dir()) == names[1:]

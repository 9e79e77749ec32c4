"""A run that goes on, and is stopped while it still loads: nothing of it has changed but that it was stopped."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from runs import read_by_another, short

from d2ltui.engine.control import Control
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec import events
from d2ltui.store import home, schema
from d2ltui.store.listing import info
from d2ltui.store.reader import RunReader

CONFIG = short(epochs=5)  # 10 steps each
PATIENCE = 60.0


def stored(status: events.Status = "stopped") -> Path:
    """A run of which two epochs are stored, with a checkpoint there, and how it ended."""
    control = Control("epoch")
    recording = RunRecording.new(CONFIG, control)
    worker = Worker()
    live = worker.start(CONFIG, record=lambda _: recording, control=control)
    deadline = time.monotonic() + PATIENCE
    while not (live.status == "paused" and len(live.epochs) == 2):
        if live.status == "paused" and len(live.epochs) == 1:
            control.epoch()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    control.stop()
    assert worker.join(PATIENCE)
    path = recording.store.path
    assert path is not None
    if status != "stopped":
        change(path, "status", status)
    return path


def change(path: Path, key: str, value: object) -> None:
    with contextlib.closing(sqlite3.connect(path / home.DATABASE)) as connection:
        text = json.dumps(value)
        connection.execute("UPDATE meta SET value = ?, crc = ? WHERE key = ?", (text, schema.crc(key, text), key))
        if key == "status":
            connection.execute("DELETE FROM log WHERE kind = 'RunEnded'")
        connection.commit()


def interrupted() -> Path:
    """A run whose process is gone, and has not told how it ended."""
    path = stored("training")
    change(path, "process", {"pid": 999999999, "host": "nowhere", "started": 1.0})
    change(path, "sign", 1.0)
    assert info(path).status == "interrupted"
    return path


def stopped_while_loading(path: Path) -> None:
    control, worker = Control(), Worker()
    control.stop()
    worker.start(CONFIG, record=lambda control: RunRecording.resume(path, control), control=control)
    assert worker.join(PATIENCE)


def test_an_interrupted_run_is_one_that_was_stopped_and_still_goes_on() -> None:
    path = interrupted()
    before = info(path)
    stopped_while_loading(path)
    row = info(path)
    assert (row.status, row.message, row.resumable) == ("stopped", "stopped while loading", True)
    assert (row.steps, row.epochs, row.figures, row.seconds) == (20, 2, before.figures, before.seconds)
    with RunReader(path) as reader:
        assert (reader.live.status, reader.live.step) == ("stopped", 20)
    stopped_while_loading(path)
    worker, whole = Worker(), Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.resume(path, control))
    live = whole.start(CONFIG)
    assert worker.join(PATIENCE)
    assert whole.join(PATIENCE)
    with RunReader(path) as reader:
        assert reader.live.status == "finished"
        np.testing.assert_array_equal(reader.live.losses.values(), live.losses.values())


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_what_has_ended_before_stays_what_it_was(status: events.Status) -> None:
    path = stored(status)
    before = (path / home.DATABASE).read_bytes()
    stopped_while_loading(path)
    assert (path / home.DATABASE).read_bytes() == before


def test_one_that_failed_to_go_on_stays_interrupted() -> None:
    path = interrupted()
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).write_bytes(b"damaged")
    worker = Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.resume(path, control))
    assert worker.join(PATIENCE)
    assert info(path).status == "interrupted"


def test_whoever_reads_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    path = interrupted()
    monkeypatch.setattr(schema, "PATIENCE", 0.05)
    with contextlib.closing(RunRecording.resume(path, Control())) as recording:
        assert recording.store.wait_opened(PATIENCE)
        with read_by_another(path):
            recording.store(events.RunEnded("stopped", "stopped while loading", {}))
            time.sleep(0.3)
    assert info(path).status == "stopped"

"""The store and the engine together: a worker's runs are stored, go on, and obey other processes."""

from __future__ import annotations

import contextlib
import gc
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import Copied

from d2ltui.engine.checkpoint import CheckpointError, read
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.runner import recording as recording_module
from d2ltui.runner.headless import run
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store import StoreError, home
from d2ltui.store.listing import info
from d2ltui.store.reader import RunReader
from d2ltui.store.requests import Request

CONFIG = resolve({"dataset": "moons", "batch_size": 300, "epochs": 4, "hidden": "4", "device": "cpu"})
ENDLESS = resolve({"dataset": "moons", "epochs": 1_000_000, "hidden": "4", "device": "cpu"})
PATIENCE = 60.0


def trained(config: RunConfig, epochs: int) -> Path:
    """A stored run that was stopped by another process after some epochs; with two checkpoints."""
    worker = Worker()
    live = worker.start(config, "epoch", record=lambda control: RunRecording.new(config, control))
    assert worker.recording is not None
    store = worker.recording.store
    assert store.wait_opened(PATIENCE)
    assert store.path is not None
    with RunReader(store.path) as reader:
        for epoch in range(1, epochs + 1):
            while not (reader.live.status == "paused" and len(reader.live.epochs) == epoch):
                assert reader.alive or reader.live.status == "loading"
                reader.poll()
                store._opened.wait(0.0)
            reader.ask(Request("epoch" if epoch < epochs else "stop"))
        assert worker.join(PATIENCE)
        reader.poll()
        assert (reader.live.status, reader.alive) == ("stopped", False)
        np.testing.assert_array_equal(reader.live.losses.values(), live.losses.values())
    assert worker.recording.trouble == ""
    return store.path


def stopped() -> Path:
    return trained(CONFIG, 2)


@pytest.fixture
def path(copied: Copied) -> Path:
    return copied(stopped)


def resumed(path: Path, trouble: list[str] | None = None) -> Worker:
    worker = Worker()
    worker.start(
        CONFIG,
        record=lambda control: RunRecording.resume(
            path, control, on_trouble=(trouble if trouble is not None else []).append
        ),
    )
    assert worker.join(PATIENCE)
    return worker


def test_a_stored_run_goes_on(path: Path) -> None:
    worker, whole = resumed(path), Worker()
    live = whole.start(CONFIG)
    assert whole.join(PATIENCE)
    assert worker.live is not None
    assert worker.live.status == "finished"
    np.testing.assert_array_equal(worker.live.losses.values(), live.losses.values())
    assert [epoch.epoch for epoch in worker.live.epochs] == [1, 2, 3, 4]
    with RunReader(path) as reader:
        np.testing.assert_array_equal(reader.live.losses.values(), live.losses.values())
        assert reader.live.status == "finished"
    with pytest.raises(
        StoreError, match=f"{path.name} has finished; allowed: one that was stopped, interrupted or has"
    ):
        RunRecording.resume(path, Control())
    assert home.Lock(path).release() is None  # it was given back


def test_a_damaged_checkpoint_gives_way_to_the_one_before(path: Path) -> None:
    (path / home.CHECKPOINT).write_bytes(b"damaged")
    before = (path / home.PREVIOUS).read_bytes()
    trouble: list[str] = []
    worker = resumed(path, trouble)
    assert worker.live is not None
    assert (worker.live.status, worker.live.step) == ("finished", 12)
    assert len(trouble) == 1
    assert trouble[0].startswith("checkpoint: ")
    assert trouble[0].endswith("; the one before it is used")
    assert (path / home.PREVIOUS).read_bytes() == before or read(path / home.PREVIOUS, CONFIG).step >= 6
    assert read(path / home.CHECKPOINT, CONFIG).step == 12


def test_two_damaged_checkpoints_are_one_sentence_and_lose_nothing(path: Path) -> None:
    for name in (home.CHECKPOINT, home.PREVIOUS):
        torch.save({"format": "something else"}, path / name)
    worker = resumed(path)
    assert worker.live is not None
    assert worker.live.ended is not None
    first, second = (path / name for name in (home.CHECKPOINT, home.PREVIOUS))
    assert worker.live.ended.message.startswith(f"checkpoint: neither {first} nor {second} can be used: the first is ")
    assert worker.live.ended.message.endswith(", the second is not a checkpoint of d2ltui")
    assert info(path).status == "stopped"
    with RunReader(path) as reader:
        assert reader.live.step == 6


def test_no_checkpoint_at_all(path: Path) -> None:
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).unlink()
    recording = RunRecording.resume(path, Control())
    with pytest.raises(CheckpointError, match="has no checkpoint to resume from"):
        recording.checkpoint()
    recording.close()
    assert info(path).steps == 6


def test_a_run_is_resumed_once(path: Path) -> None:
    first = RunRecording.resume(path, Control())
    with pytest.raises(StoreError, match="is in use by another process; stop it there first"):
        RunRecording.resume(path, Control())
    first.close()
    RunRecording.resume(path, Control()).close()
    assert info(path).status == "stopped"


def test_a_full_disk_keeps_the_last_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (path / home.CHECKPOINT).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(home.os, "fsync", full)
    trouble: list[str] = []
    worker = resumed(path, trouble)
    assert worker.live is not None
    assert worker.live.status == "finished"
    assert trouble == ["store: no checkpoint (No space left on device); the last one is kept"]
    assert (path / home.CHECKPOINT).read_bytes() == kept
    assert not list(path.glob(".*"))


def test_a_full_disk_without_a_checkpoint_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(home.os, "fsync", full)
    trouble: list[str] = []
    worker = Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.new(CONFIG, control, on_trouble=trouble.append))
    assert worker.join(PATIENCE)
    assert trouble == ["store: no checkpoint (No space left on device)"]


def test_at_a_pause_the_checkpoint_is_of_the_last_step() -> None:
    """Its epochs take a few milliseconds: none of them is kept but that with which the pause begins."""
    worker = Worker()
    live = worker.start(ENDLESS, record=lambda control: RunRecording.new(ENDLESS, control))
    recording, control = worker.recording, worker.control
    assert recording is not None
    assert control is not None
    for least in (500, 1000):
        _wait(lambda least=least: live.step >= least or live.ended)  # type: ignore[misc]
        control.pause()
        _wait(lambda: live.status == "paused")
        path = recording.store.path
        assert path is not None
        # The checkpoint comes a moment after the word.
        _wait(lambda path=path: _kept_step(path) == live.step)  # type: ignore[misc]
        control.resume()
        _wait(lambda: live.status == "training")
    worker.stop()
    assert worker.join(PATIENCE)
    assert read(recording.store.path / home.CHECKPOINT, ENDLESS).step == live.step == info(recording.store.path).steps


def test_a_disk_that_is_waited_for_does_not_keep_checkpoints_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.os, "fsync", lambda descriptor: time.sleep(0.3))
    worker = Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.new(CONFIG, control))
    recording = worker.recording
    assert recording is not None
    assert worker.join(PATIENCE)
    assert recording.idle
    assert 0 < recording.took < 0.3


def _kept_step(path: Path) -> int:
    try:
        return read(path / home.CHECKPOINT, ENDLESS).step
    except FileNotFoundError:  # between two renamings
        return -1


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_closes_a_slow_store_is_told_and_can_wait_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trouble: list[str] = []
    recording = RunRecording.new(CONFIG, Control(), on_trouble=trouble.append)
    assert recording.store.wait_opened(PATIENCE)
    slow = threading.Event()
    recording.store.later(lambda path: slow.wait(PATIENCE) and None)
    monkeypatch.setattr(recording_module, "CLOSE_TIMEOUT", 0.05)
    assert not recording.close()
    assert not recording.close()
    assert recording.store.name is not None
    assert trouble == [f"store: what there is of {recording.store.name} is still being written"]
    slow.set()
    monkeypatch.setattr(recording_module, "CLOSE_TIMEOUT", PATIENCE)
    assert recording.close()


def test_train_waits_until_everything_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal ends the waiting, the second one: nothing else may leave the last checkpoint unwritten."""
    recording = RunRecording.new(CONFIG, Control())
    answers = iter((False, False, True))
    close = RunRecording.close
    monkeypatch.setattr(RunRecording, "close", lambda self: close(self) and next(answers))
    assert run(CONFIG, Control(), [], recording).status == "finished"
    assert next(answers, None) is None


def test_a_reader_that_holds_the_file_at_the_end_does_not_lose_the_end() -> None:
    worker = Worker()
    live = worker.start(ENDLESS, record=lambda control: RunRecording.new(ENDLESS, control))
    assert worker.recording is not None
    store = worker.recording.store
    assert store.wait_opened(PATIENCE)
    assert store.path is not None
    while live.step < 500:
        store._opened.wait(0.01)
        assert live.ended is None
    with contextlib.closing(sqlite3.connect(store.path / home.DATABASE, isolation_level=None)) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM meta").fetchone()  # a shared lock, until the transaction ends
        worker.stop()
        store._thread.join(1.0)
        assert store._thread.is_alive()  # it waits
        holder.execute("ROLLBACK")
        assert worker.join(PATIENCE)
    with RunReader(store.path) as reader:
        assert reader.live.status == "stopped"
        assert reader.live.step == live.step


@pytest.mark.parametrize("harm", ["broken", "missing", "of another run"])
def test_a_configuration_file_is_written_again_from_a_whole_database(path: Path, harm: str) -> None:
    file = path / home.CONFIG
    whole = file.read_text()
    if harm == "missing":
        file.unlink()
    else:
        file.write_text("lr = what" if harm == "broken" else re.sub(r"(?m)^lr = .*$", "lr = 0.05", whole))
    (path / f".{home.CONFIG}-left").write_text("half")
    trouble: list[str] = []
    worker = resumed(path, trouble)
    assert worker.live is not None
    assert worker.live.status == "finished"
    assert file.read_text() == whole
    (said,) = trouble
    assert said.startswith(f"config: {file} ")
    assert said.endswith("; it is written again from run.db")
    assert not list(path.glob(".*"))


def test_a_configuration_file_that_says_the_same_is_left_alone(path: Path) -> None:
    file = path / home.CONFIG
    file.write_text("# mine\n" + file.read_text())
    trouble: list[str] = []
    resumed(path, trouble)
    assert trouble == []
    assert file.read_text().startswith("# mine\n")


def test_a_stored_run_is_let_go_of_when_nobody_holds_it() -> None:
    """And not only when Python looks for circles, which it never does among what the first run has left frozen."""
    control = Control()
    gc.disable()
    try:
        recording = RunRecording.new(CONFIG, control)
        Trainer(CONFIG, control, [recording.live, recording.store], keeper=recording).run()
        recording.close()
        kept, live = weakref.ref(recording), weakref.ref(recording.live)
        recording.store._thread.join(PATIENCE)
        del recording
        assert (kept(), live()) == (None, None)
    finally:
        gc.enable()

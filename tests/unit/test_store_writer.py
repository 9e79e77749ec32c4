"""The store's thread where another process holds the database, the disk is full, or the thread has a defect."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from runs import read_by_another, short

from d2ltui.spec import events
from d2ltui.store import home, schema, session, writer
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import StoreThread

CONFIG = short(epochs=1000)
PATIENCE = 30.0


def steps(first: int, last: int) -> Iterator[events.StepsTrained]:
    for step in range(first, last + 1):
        yield events.StepsTrained(step, np.full(1, step, np.float32), np.zeros(1, np.float32), step / 64)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never in {PATIENCE:g} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a store says; SQLite's own waiting is short."""
    monkeypatch.setattr(schema, "PATIENCE", 0.01)
    return []


def opened(told: list[str]) -> tuple[StoreThread, Path]:
    store = StoreThread(CONFIG, on_trouble=told.append)
    assert store.wait_opened(PATIENCE)
    assert store.path is not None
    return store, store.path


def test_a_reader_that_does_not_let_go_is_told_of_and_what_was_kept_is_written_then(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_PATIENCE", writer.PATIENCE + 2.0)
    store, path = opened(told)
    with read_by_another(path):
        for event in steps(1, 100):
            store(event)
        time.sleep(0.2)
        assert told == []  # a moment is nothing to speak of
        until(lambda: told, "that nothing is written")
    until(lambda: len(told) == 2, "that it is stored again")
    assert store.close()
    assert told == [
        f"store: {path} takes no more (another process holds it); the run continues in memory",
        "store: the run is stored again, with nothing missing",
    ]
    with RunReader(path) as reader:
        assert reader.live.step == 100


def test_what_a_reader_keeps_from_being_written_does_not_grow_without_limit(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_PENDING", 10_000)
    store, path = opened(told)
    with read_by_another(path):
        for event in steps(1, 2000):
            store(event)
        until(lambda: told, "that it is given up")
        assert told == ["store: the run is not stored (database is locked); it continues in memory"]  # not one step
        until(lambda: store._session is None, "that nothing is kept open")
    assert store.close()


def written(store: StoreThread) -> None:
    """Wait until everything that was told is on disk."""
    done = threading.Event()
    store.later(lambda path: done.set())
    assert done.wait(PATIENCE)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is set, the disk takes no more."""
    full, write_meta = threading.Event(), session._write_meta

    def write(connection: sqlite3.Connection, meta: dict[str, object]) -> None:
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        write_meta(connection, meta)

    monkeypatch.setattr(session, "_write_meta", write)
    return full


ENDED = events.RunEnded("stopped", "stopped by you", {})


@pytest.mark.parametrize("something", [False, True])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_disk_that_is_full_from_the_first_step_has_stored_none(
    told: list[str], full: threading.Event, something: bool, checkpoint: bool
) -> None:
    store, path = opened(told)
    if checkpoint:
        (path / home.CHECKPOINT).touch()
    if something:  # that it loads still fits: of the steps that says nothing
        store(events.StatusChanged("loading"))
        written(store)
        assert (path / home.LOG).exists()
    full.set()
    for event in (*steps(1, 10), ENDED):
        store(event)
    assert store.close()
    assert told == [
        f"store: {path} takes no more (database or disk is full); the run continues in memory",
        f"store: no step of {path.name} is stored, only its settings{' and a checkpoint' if checkpoint else ''}",
    ]
    with RunReader(path) as reader:
        assert (reader.live.step, reader.live.config) == (0, CONFIG)


def test_a_disk_that_fills_later_has_stored_what_came_before(told: list[str], full: threading.Event) -> None:
    store, path = opened(told)
    for event in steps(1, 10):
        store(event)
    written(store)
    full.set()
    for later in (*steps(11, 20), ENDED):
        store(later)
    assert store.close()
    assert told[-1] == f"store: the end of {path.name} is not stored, what came before is: its first 10 steps"
    with RunReader(path) as reader:
        assert reader.live.step == 10


def test_a_run_that_goes_on_and_finds_a_full_disk_keeps_what_it_had(told: list[str], full: threading.Event) -> None:
    store, path = opened(told)
    for event in (*steps(1, 10), ENDED):
        store(event)
    assert store.close()
    store = StoreThread(CONFIG, resume=(path, home.Lock(path)), on_trouble=told.append)
    store(events.RunResumed(4, 1, 0.1, CONFIG.lr))
    written(store)
    full.set()
    for event in (*steps(5, 20), ENDED):
        store(event)
    assert store.close()
    assert told[-1] == f"store: the end of {path.name} is not stored, what came before is: its first 4 steps"


def test_a_dead_thread_takes_no_events(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = opened(told)

    def defect(event: events.Event) -> None:
        raise RuntimeError("a defect")

    assert store._session is not None
    monkeypatch.setattr(store._session, "take", defect)
    for event in steps(1, 10):
        store(event)
    until(lambda: not store._thread.is_alive(), "the thread's end")
    assert told == ["store: the run is no longer stored (RuntimeError: a defect)"]
    for event in steps(11, 1000):
        store(event)
    store.later(lambda path: None)
    assert len(store._queue) == 0
    assert store.close()

"""The store's thread where another process holds the database, and where the thread itself has a defect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from runs import read_by_another, short

from d2ltui import events
from d2ltui.store import schema, writer
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import RunStore

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


def opened(told: list[str]) -> tuple[RunStore, Path]:
    store = RunStore(CONFIG, on_trouble=told.append)
    assert store.wait_opened(PATIENCE)
    assert store.path is not None
    return store, store.path


def test_a_reader_that_does_not_let_go_is_told_of_and_what_was_kept_is_written_then(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_PATIENCE", writer.PATIENCE + 0.5)
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
        f"store: {path} takes no more (another process holds it); the run goes on in memory",
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
        assert told == ["store: the run is not stored (database is locked); it goes on in memory"]  # not one step
        assert store._session is None
    assert store.close()


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

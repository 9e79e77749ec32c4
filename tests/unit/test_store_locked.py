"""A database that another process holds: the list does not wait for it, and does not call it damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from runs import read_by_another, short

from d2ltui.spec import events
from d2ltui.store import StoreError, home, listing, schema
from d2ltui.store.listing import Rows, info, runs
from d2ltui.store.named import find
from d2ltui.store.reader import RunReader
from d2ltui.store.session import RunWriter
from d2ltui.store.writer import StoreThread

CONFIG = short(epochs=1000)


def made() -> Path:
    return home.create("linear-synthetic-linear", lambda path: RunWriter.make(path, CONFIG, None))


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else can read the run's database meanwhile."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs whose databases the list has opened, as they come; their files are old enough."""
    monkeypatch.setattr(listing, "SETTLED", -1.0)
    names: list[str] = []
    open_run = listing.open_run

    def counted(path: Path, **options: object) -> sqlite3.Connection:
        names.append(path.name)
        return open_run(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(listing, "open_run", counted)
    return names


def test_a_locked_run_is_listed_at_once_as_busy_and_stays_the_latest() -> None:
    first, second = made(), made()
    with held(second):
        began = time.monotonic()
        found = {run.name: run for run in runs()}
        assert time.monotonic() - began < 1.0
        assert (found[first.name].status, found[second.name].status) == ("loading", "busy")
        assert found[second.name].problem == (
            f"run: {second.name} is being written and could not be read in time; try again"
        )
        assert find("latest") == second


def test_whoever_opens_a_locked_run_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = made()
    monkeypatch.setattr(schema, "PATIENCE", 1.0)
    with held(path):
        began = time.monotonic()
        with pytest.raises(schema.Busy, match="is being written and could not be read in time; try again"):
            RunReader(path)
        assert 0.9 < time.monotonic() - began < 1.9  # not once for writing and once for reading
        assert info(path).status == "busy"


def test_rows_that_have_not_changed_are_not_read_again(opened: list[str]) -> None:
    first, second = made(), made()
    rows = Rows()
    assert [run.name for run in rows.read()] == [first.name, second.name]
    opened.clear()
    again = rows.read()
    assert opened == []
    assert [run.status for run in again] == ["loading", "loading"]
    home.set_note(first.name, "the good one")
    with contextlib.closing(RunWriter(second, CONFIG)) as session:
        session.take(events.RunEnded("stopped", "stopped by you", {}))
        session.write()
    assert [(run.note, run.status) for run in rows.read()] == [("the good one", "loading"), ("", "stopped")]
    home.delete(first.name)
    home.rename(second.name, "other")
    assert [run.name for run in rows.read()] == ["other"]


def test_a_row_that_was_read_still_knows_whether_the_process_lives(
    opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made()
    rows = Rows()
    assert rows.read()[0].status == "loading"
    opened.clear()
    monkeypatch.setattr(listing, "is_alive", lambda process, sign: False)
    assert rows.read()[0].status == "interrupted"
    assert opened == []


def test_a_locked_run_keeps_the_row_that_was_read_before() -> None:
    path = made()
    rows = Rows()
    (before,) = rows.read()
    with held(path):
        (row,) = rows.read()
    assert (row.status, row.created, row.config) == ("loading", before.created, CONFIG)
    assert "could not be read in time" in row.problem
    assert rows.read()[0].problem == ""


def test_a_damaged_row_is_read_again_once_it_is_mended(opened: list[str]) -> None:
    path = made()
    data = (path / home.DATABASE).read_bytes()
    (path / home.DATABASE).write_bytes(b"x" * 5000)
    rows = Rows()
    assert [run.status for run in rows.read()] == ["damaged"]
    (path / home.DATABASE).write_bytes(data)
    assert [run.status for run in rows.read()] == ["loading"]


def test_busy_is_an_error_of_the_store() -> None:
    assert issubclass(schema.Busy, StoreError)


@pytest.mark.parametrize("closes_meanwhile", [False, True])
def test_a_run_goes_on_in_the_store_once_whoever_reads_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, closes_meanwhile: bool
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 0.05)
    path = made()
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        session.take(events.StepsTrained(40, np.full(40, 0.5, np.float32), np.full(40, 0.5, np.float32), 1.0))
        session.take(events.RunEnded("stopped", "stopped by you", {}))
        session.write()
    troubles: list[str] = []
    store = StoreThread(CONFIG, resume=(path, home.Lock(path)), on_trouble=troubles.append)
    store(events.StatusChanged("loading"))
    with read_by_another(path):
        store(events.RunResumed(30, 1, 0.75, CONFIG.lr))
        more = np.full(20, 0.25, np.float32)
        store(events.StepsTrained(50, more, more, 1.25))
        store(events.RunEnded("stopped", "stopped again", {}))
        time.sleep(0.5)
        if closes_meanwhile:
            closing = threading.Thread(target=store.close)
            closing.start()
            time.sleep(0.3)
    if closes_meanwhile:
        closing.join(20)
    else:
        store.close()
    assert troubles == []
    with RunReader(path) as reader:
        assert reader.live.losses.values().tolist() == [0.5] * 30 + [0.25] * 20
        assert reader.meta["message"] == "stopped again"
        assert [kind for _, kind, _ in reader.log()].count("RunResumed") == 1

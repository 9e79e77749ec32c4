"""The store: what is written is what is read, while it is written, after it was cut back, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stories import CONFIG, ENDED, FINDING, START, same, stats, stored, story

from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config_file import from_toml
from d2ltui.spec.datasets import DATASET_SOURCES
from d2ltui.spec.models import MODELS
from d2ltui.store import StoreError, home, session
from d2ltui.store.listing import info
from d2ltui.store.reader import RunReader
from d2ltui.store.requests import Request, ask, take_requests
from d2ltui.store.session import RunWriter
from d2ltui.store.writer import StoreThread


@pytest.fixture
def opened(d2ltui_home: Path) -> Iterator[RunWriter]:
    """A run's session, written by the test itself."""
    path = home.create("linear-synthetic-linear", lambda made: RunWriter.make(made, CONFIG, None))
    session = RunWriter(path, CONFIG)
    yield session
    session.close()


def take(session: RunWriter, *told: events.Event) -> None:
    for event in told:
        session.take(event)
    session.write()


def test_a_reader_follows_the_writer(opened: RunWriter) -> None:
    told = [
        events.StatusChanged("training"),
        START,
        *story(1, 25),
        events.FindingsChanged(20, (FINDING,)),
        events.LearningRateChanged(25, 0.5),
        *story(26, 9_000),
        ENDED,
    ]
    live = LiveRun(CONFIG)
    with RunReader(opened.path) as reader:
        assert not reader.poll()
        for begin in range(0, len(told), 40):
            for event in told[begin : begin + 40]:
                live(event)
            take(opened, *told[begin : begin + 40])
            assert reader.poll()
            np.testing.assert_array_equal(reader.live.losses.values(), live.losses.values())
            assert len(reader.live.epochs) == len(live.epochs)
        assert not reader.poll()
        assert not reader.alive
        with RunReader(opened.path) as late:
            assert late.live.epochs == live.epochs
            np.testing.assert_array_equal(late.live.losses.values(), live.losses.values())
            assert late.live.ended == reader.live.ended == ENDED


def test_everything_is_read_as_it_was_told(opened: RunWriter) -> None:
    told = [START, *story(1, 25), events.FindingsChanged(20, (FINDING,)), events.LearningRateChanged(25, 0.5), ENDED]
    live = LiveRun(CONFIG)
    for event in told:
        live(event)
    take(opened, *told)
    with RunReader(opened.path) as reader:
        same(reader.live, live)


@pytest.mark.parametrize("step", [0, 7, 4096, 4100, 8192, 8995])
def test_a_run_that_goes_on_is_cut_back(opened: RunWriter, step: int) -> None:
    take(opened, START, *story(1, 9_000), events.LearningRateChanged(5, 0.25), ENDED)
    path = opened.path
    with RunReader(path) as before:
        again = RunWriter(path, CONFIG, goes_on=True)
        take(again, events.StatusChanged("loading"), START)
        assert not before.poll()  # nothing changes until the run really goes on
        resumed = events.RunResumed(step, step // 10 + 1, 1.5, 0.25)
        take(again, resumed)
        take(again, events.StatusChanged("training"), *story(step + 1, step + 42))
        before.poll()
        with RunReader(path) as after:
            for live in (before.live, after.live):
                values = np.arange(1, step + 43, dtype=np.float32)
                np.testing.assert_array_equal(live.losses.values(), values)
                assert [epoch.epoch for epoch in live.epochs] == list(range(1, (step + 42) // 10 + 1))
                assert (live.step, live.status, live.ended, live.lr) == (step + 42, "training", None, 0.25)
                assert max((probed.step for probed in live.probes), default=0) <= step + 42
    again.close()
    assert info(path).message == ""


def test_steps_that_were_never_told_of_are_a_gap(opened: RunWriter) -> None:
    take(opened, *story(1, 20))
    again = RunWriter(opened.path, CONFIG, goes_on=True)
    take(again, events.RunResumed(30, 4, 1.0, 0.03), *story(31, 40))
    again.close()
    with RunReader(opened.path) as reader:
        values = reader.live.losses.values()
        assert len(values) == 40
        assert np.isnan(values[20:30]).all()
        assert values[30] == 31
        assert [epoch.epoch for epoch in reader.live.epochs] == [1, 2, 4]


@pytest.mark.parametrize("failing", ["_read_layers", "_read_findings", "_read_epochs", "_read_steps"])
def test_an_end_is_told_though_the_reading_of_it_failed_once(
    opened: RunWriter, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    take(opened, START, *story(1, 20))
    with RunReader(opened.path) as reader:
        take(opened, *story(21, 30), ENDED)

        def fails() -> None:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(reader, failing, fails)
        with pytest.raises(StoreError, match="disk I/O error"):
            reader.poll()
        assert reader.live.ended is None
        monkeypatch.undo()
        reader.poll()
        assert reader.live.ended == ENDED
        assert (reader.live.step, len(reader.live.losses), len(reader.live.epochs)) == (30, 30, 3)


def test_a_long_run_keeps_looks_from_everywhere(opened: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened._layers, "_max_rows", 50)
    for step in range(1, 1001):
        opened.take(events.LayersProbed(step, (stats(),), 0.5))
        if step % 7 == 0:
            opened.write()
    opened.write()
    with RunReader(opened.path) as reader:
        steps = [probed.step for probed in reader.all_layers()]
    assert 20 < len(steps) <= 50
    assert (steps[0], steps[-1]) == (1, 1000)


def test_a_failed_transaction_is_written_later(opened: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    take(opened, START, *story(1, 15))
    monkeypatch.setattr(session, "_write_meta", lambda connection, meta: (_ for _ in ()).throw(sqlite3.Error("full")))
    for event in story(16, 5000):
        opened.take(event)
    with pytest.raises(sqlite3.Error, match="full"):
        opened.write()
    monkeypatch.undo()
    with RunReader(opened.path) as reader:
        assert reader.live.step == 15
        opened.write()
        reader.poll()
        np.testing.assert_array_equal(reader.live.losses.values(), np.arange(1, 5001, dtype=np.float32))
        assert len(reader.live.epochs) == 500


# The writer's thread


def test_a_directory_holds_everything() -> None:
    path = stored()
    assert path == home.runs_dir() / "linear-synthetic-linear-1"
    assert from_toml((path / "config.toml").read_text(), "") == {"model": "linear", "dataset": "synthetic-linear"} | {
        name: getattr(CONFIG, name)
        for name in ("implementation", *DATASET_SOURCES["synthetic-linear"].fields, *MODELS["linear"].fields)
        if name not in ("init_std", "momentum")  # these are of no use to this run
    }
    lines = (path / "log.txt").read_text().splitlines()
    assert lines[-1].endswith("stopped: stopped by you")
    run = info(path)
    assert (run.status, run.steps, run.epochs, run.device) == ("stopped", 25, 2, "cpu")
    assert run.figures == {"train_loss": 20.5, "val_loss": 20.25, "train_r2": -20.0, "val_r2": 5.0}
    with RunReader(path) as reader:
        assert {"d2ltui", "python", "torch", "host"} <= reader.meta["environment"].keys()


def test_jobs_come_after_what_was_told_before() -> None:
    store, seen = StoreThread(CONFIG), []
    for event in story(1, 200):
        store(event)
    store.later(lambda path: seen.append(RunReader(path).live.step))
    store.close()
    assert seen == [200]


def test_the_home_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / "not" / "there"))
    assert stored().parent == tmp_path / "not" / "there" / "runs"


def test_a_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path / "file"))
    told: list[str] = []
    store = StoreThread(CONFIG, on_trouble=told.append)
    for event in story(1, 20):
        store(event)
    store.later(lambda path: told.append("a job without a directory"))
    assert not store.wait_opened(10)
    assert store.close()
    assert told == [f"store: the run is not stored ({tmp_path}/file/runs: Not a directory); it continues in memory"]


def test_a_full_disk_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from d2ltui.store import writer

    monkeypatch.setattr(writer, "RETRY", 0.0)
    told: list[str] = []
    store = StoreThread(CONFIG, on_trouble=told.append)
    assert store.wait_opened(10)
    assert store._session is not None
    write, full = store._session.write, [True]

    def fails() -> None:
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        write()

    monkeypatch.setattr(store._session, "write", fails)
    for event in story(1, 100):
        store(event)
    done: list[Path] = []
    for _ in range(3):
        store.later(done.append)
    while len(done) < 3:
        store._wake.wait(0.05)
    full[0] = False
    store.close()
    assert store.path is not None
    assert told == [
        f"store: {store.path} takes no more (database or disk is full); the run continues in memory",
        "store: the run is stored again, with nothing missing",
    ]
    with RunReader(store.path) as reader:
        assert reader.live.step == 100


def test_requests_reach_the_process_that_trains() -> None:
    asked: list[Request] = []
    store = StoreThread(CONFIG, on_request=asked.append)
    assert store.wait_opened(10)
    assert store.path is not None
    with RunReader(store.path) as reader:
        assert reader.alive
        for verb in ("pause", "resume", "stop"):
            reader.ask(Request(verb))  # type: ignore[arg-type]
        reader.ask(Request("lr", 0.5))
    (store.path / "request-nonsense").write_text('{"verb": "delete"}')
    store.close()
    assert asked == [Request("pause"), Request("resume"), Request("stop"), Request("lr", 0.5)]
    assert not list(store.path.glob("request-*"))


def test_requests_of_before_are_void(opened: RunWriter) -> None:
    ask(opened.path, Request("stop"))
    RunWriter(opened.path, CONFIG).close()
    assert take_requests(opened.path) == []

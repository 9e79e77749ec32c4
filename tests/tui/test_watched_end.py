"""The end of a run that is watched: while its cause is looked for, it is said, as of a run of one's own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from person import PATIENCE, SMALL, Opener

from d2ltui.engine import doctor, doctor_trials
from d2ltui.history.live import LiveRun
from d2ltui.history.speech import Speaker
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec.config import resolve
from d2ltui.store.reader import RunReader


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The doctor looks for the cause until this is set."""
    examine, found = doctor.examine, threading.Event()

    def slow(patient: Any, trial: doctor_trials.Trial | None, tell: doctor_trials.Progress) -> doctor.Examination:
        tell("training is over; looking for the cause, trying lr 0.1", 0.5)
        found.wait(PATIENCE)
        return examine(patient, None, tell)

    monkeypatch.setattr(doctor, "examine", slow)
    yield found
    found.set()


@contextlib.contextmanager
def run_that_diverges() -> Iterator[Path]:
    """Trains in a thread, and stores what it does as another process would."""
    worker = Worker()
    config = resolve({**SMALL, "lr": 1e30, "device": "cpu"})
    worker.start(config, "run", record=lambda control: RunRecording.new(config, control))
    assert worker.recording is not None
    store = worker.recording.store
    try:
        assert store.wait_opened(PATIENCE)
        assert store.path is not None
        yield store.path
    finally:
        worker.stop()
        assert worker.join(PATIENCE)


def read_until(reader: RunReader, condition: Callable[[LiveRun], object]) -> None:
    """Read until `condition` holds of the run."""
    deadline = time.monotonic() + PATIENCE
    while not condition(reader.live):
        assert time.monotonic() < deadline, f"{reader.live.word}, step {reader.live.step}"
        reader.poll()
        time.sleep(0.02)


async def test_while_the_cause_of_a_watched_run_is_looked_for_it_is_over(
    open_app: Opener, found: threading.Event
) -> None:
    async with open_app(size=(120, 40)) as person:
        with run_that_diverges() as path:
            person.app.stored.watch(path)
            await person.until(lambda: person.app.live is not None and person.live.findings, "a symptom")
            await person.until_word("over")
            assert "▶ training" not in person.status
            assert "looking for the cause, trying lr 0.1" in person.status
            assert "50 %" in person.status
            await person.press("f")
            assert "the cause is still being looked for" in person.status
            assert "ctrl+r trains it" not in person.status
            found.set()
            await person.until_word("diverged")
            assert "looking for the cause" not in person.status
            await person.press("f")
            assert "ctrl+r trains it" in person.status


async def test_whoever_comes_only_then_is_told_so_too(open_app: Opener, found: threading.Event) -> None:
    async with open_app(size=(120, 40)) as person:
        with run_that_diverges() as path:
            with RunReader(path) as reader:
                read_until(reader, lambda live: live.examined)
            person.app.stored.watch(path)
            await person.until_word("over")


def test_a_listener_hears_no_remedy_of_a_symptom_meanwhile(found: threading.Event) -> None:
    with run_that_diverges() as path, RunReader(path) as reader:
        speaker = Speaker(reader.live)
        read_until(reader, lambda live: live.examined and live.findings)
        assert not [line for line in speaker.news() if line.startswith("Try:")]
        found.set()
        read_until(reader, lambda live: live.ended)
        assert [line for line in speaker.news() if line.startswith("Try:")]


def test_of_what_was_loaded_nothing_is_left_in_a_run_that_has_ended(found: threading.Event) -> None:
    found.set()
    with run_that_diverges() as path, RunReader(path) as reader:
        read_until(reader, lambda live: live.ended)
    with RunReader(path) as reader:
        assert reader.live.loading is None
        assert reader.live.word == "diverged"

"""Opens the application for a test, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from person import LONG, PATIENCE, SMALL, UNHURRIED, Opener, Person, Starter
from small_lessons import registered

from d2ltui.spec.config import RunConfig, resolve
from d2ltui.tui.app import D2LApp
from tests import processes

# Before PyTorch is imported: networks this small are no faster with more threads, and far slower on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_NEVER = 1e6  # seconds


@pytest.fixture(autouse=True, scope="session")
def imported_once() -> None:
    """What a run needs, before the first test: on a busy machine PyTorch's import takes longer than a test waits."""
    import d2ltui.engine.trainer  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def unhurried(imported_once: None) -> Iterator[None]:
    """A run without an end rests between two steps: as fast as it can, it takes a processor from the other tests."""
    from d2ltui.engine.stepping import Steps

    epoch = Steps.epoch

    def rests(self: Steps, *arguments: Any) -> Iterator[None]:
        rest = 0.002 if self._config.epochs >= LONG else 0
        for step in epoch(self, *arguments):
            yield step
            if rest:
                time.sleep(rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Steps, "epoch", rests)
        yield


@pytest.fixture
def small_lessons() -> Iterator[None]:
    """Some lessons more, which take no time."""
    with registered():
        yield


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens the application: `async with open_app({"model": "linear"}, size=(80, 24)) as person`."""

    async def batch_refresh(*_: object) -> None:
        # Textual's pilot waits for a process that does nothing; one that trains is never that.
        await asyncio.sleep(0)

    # Screens that are prepared for later take longer than most tests. Those that are about them prepare them.
    monkeypatch.setattr("d2ltui.tui.app.SPARES_AFTER", _NEVER)
    monkeypatch.setattr("textual.app.wait_for_idle", batch_refresh)
    monkeypatch.setattr("textual.pilot.wait_for_idle", batch_refresh)

    @asynccontextmanager
    async def opener(
        given: dict[str, object] | RunConfig = SMALL,
        *,
        size: tuple[int, int] = (120, 40),
        **options: Any,
    ) -> AsyncIterator[Person]:
        config = given if isinstance(given, RunConfig) else resolve(given)
        before = set(threading.enumerate())  # another test's thread may wait for a server that never answers
        app = D2LApp(config, **{"ascii": False, "max_fps": 10.0, **options})
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                person = Person(app, pilot)
                await person.settle()
                yield person
        finally:
            app.stored.leave()
            if app.live is not None:
                app.worker.stop()
            for thread in threading.enumerate():
                if thread.name.startswith("d2ltui-") and thread not in before:
                    # Not `join`: a thread may wait for this event loop to take what it has read.
                    deadline = time.monotonic() + PATIENCE
                    while thread.is_alive() and time.monotonic() < deadline:
                        await asyncio.sleep(0.005)
                    assert not thread.is_alive(), f"{thread.name} goes on"

    return opener


@pytest.fixture
def train_elsewhere() -> Iterator[Starter]:
    """Starts another process that trains until it is told to end, by the end of the test at the latest.

    It begins so soon that the application has to look for such runs first, as it does at its start: else it may ask
    whether to watch this one.
    """
    started: list[subprocess.Popen[bytes]] = []

    async def start(person: Person) -> subprocess.Popen[bytes]:
        await person.app.workers.wait_for_complete()
        command = [*UNHURRIED, "--epochs", "1000000"]
        started.append(processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()

"""A run of another process, seen through its directory: the same LiveRun, and a control that asks from afar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui import events
from d2ltui.store.errors import StoreError
from d2ltui.store.reader import RunReader
from d2ltui.store.requests import Request, Verb

if TYPE_CHECKING:
    from d2ltui.live import LiveRun


class Watching:
    """A stored run that is on the screen. Raises StoreError where it cannot be read.

    Its methods are those of `engine.control.Control` that the interface uses; the process that trains the run obeys
    within a second.
    """

    def __init__(self, path: Path, on_trouble: Callable[[str], None]) -> None:
        self._reader = RunReader(path)
        self._on_trouble = on_trouble
        self._told = ""
        self._gone: events.RunEnded | None = None  # what we said, of a run whose process had gone
        self.name = path.name

    @property
    def live(self) -> LiveRun:
        """What is known of the run."""
        return self._reader.live

    @property
    def alive(self) -> bool:
        """Whether a process trains it."""
        return self._reader.alive

    def poll(self) -> None:
        """Take in what has come."""
        try:
            alive = self.alive  # before the reading: what a process wrote just before its end is not missed
            self._reader.poll()
        except StoreError as error:
            self._trouble(str(error))
            return
        live = self.live
        if not alive and live.ended is None:
            gone = f"interrupted after step {live.step}: its process is gone; R lists the run, and c goes on with it"
            self._gone = events.RunEnded("stopped", gone, {})
            live(self._gone)
        elif alive and live.ended is not None and live.ended is self._gone:  # it was asleep only
            live.ended = None
            live(events.StatusChanged("training"))

    def close(self) -> None:
        """Let go of it; the run goes on."""
        self._reader.close()

    # What Control has, too

    @property
    def mode(self) -> str:
        """What the run does, as far as it is known here."""
        return "pause" if self.live.status == "paused" else "run"

    def pause(self) -> None:
        """Wait after the current step."""
        self._ask("pause")

    def resume(self) -> None:
        """Train on."""
        self._ask("resume")

    def step(self) -> None:
        """One step, then pause."""
        self._ask("step")

    def epoch(self) -> None:
        """To the end of the epoch, then pause."""
        self._ask("epoch")

    def stop(self) -> None:
        """End the run."""
        self._ask("stop")

    def set_lr(self, lr: float) -> None:
        """Go on with another learning rate."""
        self._ask("lr", lr)

    def observe(self, observed: bool) -> None:
        """The other process looks at its layers at its own pace."""

    def _ask(self, verb: Verb, lr: float | None = None) -> None:
        try:
            self._reader.ask(Request(verb, lr))
        except StoreError as error:
            self._trouble(str(error))

    def _trouble(self, message: str) -> None:
        if message != self._told:  # once: it is asked again at every tick
            self._told = message
            self._on_trouble(message)

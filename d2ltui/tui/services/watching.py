"""A run of another process, seen through its directory: the same LiveRun, and a control that asks from afar."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui.runner.stored_pictures import StoredPictures
from d2ltui.spec import events
from d2ltui.spec.language import _
from d2ltui.store import home
from d2ltui.store.errors import StoreError
from d2ltui.store.reader import RunReader
from d2ltui.store.requests import Request, Verb

if TYPE_CHECKING:
    from d2ltui.engine.picture_desk import PictureDesk
    from d2ltui.history.live import LiveRun

EVERY = 0.25  # seconds between two looks into the directory
SHARE = 0.1  # of the time, where a look takes long, as on a network


class Watching:
    """A stored run that is on the screen, read in a thread of its own: a directory on a network may take its time.

    Its methods are those of `engine.control.Control` that the interface uses; the process that trains the run obeys
    within a second.
    """

    def __init__(self, run: Path | str, opened: Callable[[Watching], object]) -> None:
        """`run` is a directory or a run's name.

        `opened` is called in the present event loop, once: then it is `ready`, or `problem` says why not.
        """
        self.name = run if isinstance(run, str) else run.name
        self.problem = ""  # why it cannot be read, or why the newest look at it has failed
        self.defect: Exception | None = None  # of ours, for the interface's thread to raise
        self.alive = False  # whether a process trains it
        self._run_given = run
        self._pictures: StoredPictures | None = None
        self._live: LiveRun | None = None
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._gone: events.RunEnded | None = None  # what we said, of a run whose process had gone
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever wanted to see the run
                loop.call_soon_threadsafe(opened, self)

        self._tell_opened = tell
        self._thread = threading.Thread(target=self._run, name="d2ltui-watch", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it has been read."""
        return self._live is not None

    @property
    def live(self) -> LiveRun:
        """What is known of the run."""
        assert self._live is not None, "it is still being read for the first time"
        return self._live

    @property
    def pictures(self) -> PictureDesk | None:
        """Where pictures of its network are asked for: as it is in the newest checkpoint."""
        return self._pictures.desk if self._pictures is not None else None

    def close(self) -> None:
        """Let go of it; the run continues. Its thread ends after the look that is under way."""
        self._requests.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            given = self._run_given
            with RunReader(home.path_of(given) if isinstance(given, str) else given) as reader:
                if reader.live.is_configured:
                    self._pictures = StoredPictures(reader.path, reader.live.config)
                self._live, self.alive = reader.live, reader.alive
                self._tell_opened()
                self._follow(reader)
        except StoreError as error:
            self.problem = str(error)
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.defect = error
        if self._live is None:
            self._tell_opened()

    def _follow(self, reader: RunReader) -> None:
        pause = EVERY
        while True:
            refused = ""
            with contextlib.suppress(queue.Empty):
                request = self._requests.get(timeout=pause)
                while True:  # all that has been asked for: a look may take long
                    if request is None:
                        return
                    try:
                        reader.ask(request)
                    except StoreError as error:
                        refused = str(error)
                    request = self._requests.get_nowait()
            began = time.monotonic()
            self.problem = self._look(reader) or refused
            if self._pictures is not None:
                self._pictures.refresh()
            pause = max(EVERY, (time.monotonic() - began) / SHARE)

    def _look(self, reader: RunReader) -> str:
        """Take in what has come; why that was not possible, where it was not."""
        alive = reader.alive  # before the reading: what a process wrote just before its end is not missed
        try:
            reader.poll()
        except StoreError as error:
            self.alive = alive
            return str(error)
        live = reader.live
        if not alive and live.ended is None:
            gone = _("interrupted after step {step:,}: its process is gone; R lists the run, and c resumes it").format(
                step=live.step
            )
            self._gone = events.RunEnded("stopped", gone, {})
            live(self._gone)
        elif alive and live.ended is not None and live.ended is self._gone:  # it was asleep only
            live.ended = None
            live(events.StatusChanged("training"))
        self.alive = reader.alive
        return ""

    @property
    def interrupted(self) -> bool:
        """Whether its process has gone without ending it."""
        return self._live is not None and self._gone is not None and self._live.ended is self._gone

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
        self._requests.put(Request(verb, lr))

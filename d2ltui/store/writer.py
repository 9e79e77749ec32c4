"""StoreThread: a sink that stores a run, from a thread of its own.

    store = StoreThread(config, on_request=..., on_trouble=...) # returns at once; the directory is made in the thread
    store(event)                                                # returns at once
    store.later(lambda path: ...)                               # a job in its turn: all events before it are on disk
    store.close()                                               # waits until everything is written

Nothing that goes wrong reaches the caller: `trouble` says it in one sentence, and so does `on_trouble`, called from the
store's thread. The run goes on in memory; what could not be written is tried again while it fits into memory.
"""

from __future__ import annotations

import collections
import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.header import RunHeader
from d2ltui.spec.language import _
from d2ltui.spec.text import counted, printable
from d2ltui.store import home
from d2ltui.store.errors import MAX_SENTENCE, StoreError, reason
from d2ltui.store.recovery import has_checkpoint
from d2ltui.store.requests import Request, take_requests
from d2ltui.store.schema import PATIENCE, is_lock
from d2ltui.store.session import RunWriter

EVERY = 0.4  # seconds between two transactions
RETRY = 5.0  # seconds between two attempts after a failure
MAX_PENDING = 64 * 2**20  # bytes kept for a disk that does not take them
LOCK_PATIENCE = 10.0  # seconds that another process may read before it is told of, and how long the end waits for it
CLOSE_TIMEOUT = 20.0
_URGENT = (events.RunEnded, events.StatusChanged, events.RunResumed)


class StoreThread:
    """Stores one run.

    Args:
        config: the run's; or its header, where another program trains it.
        resume: the directory of a run that goes on, and the right to write it; None for a new run. Nothing in it
            changes before `events.RunResumed` has been told.
        damage: what is wrong with that run's database, as a sentence: a new one takes its place then.
        group: what the run belongs to: `name`, `kind`, `index`, `total`, and of a lesson's its `role`.
        stem: what its directory is called before the number; "" for what it is a run of.
        on_request: called with what another process asks of the run, in the store's thread.
        on_trouble: called with a sentence, in the store's thread.
    """

    def __init__(
        self,
        config: RunConfig | RunHeader,
        *,
        resume: tuple[Path, home.Lock] | None = None,
        damage: str = "",
        group: dict[str, object] | None = None,
        stem: str = "",
        on_request: Callable[[Request], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self.path: Path | None = None
        self.trouble = ""
        self._resume, self._damage, self._group = resume, damage, group
        self._stem = stem or _name_of(config)
        self._on_request, self._on_trouble = on_request, on_trouble
        self._queue: collections.deque[events.Event | Callable[[Path], None]] = collections.deque()
        self._wake = threading.Event()
        self._opened = threading.Event()
        self._closing = False
        self._session: RunWriter | None = None
        self._lock: home.Lock | None = None
        self._failing = False  # whether something has been said that is to be taken back
        self._locked_since: float | None = None
        self._dead = False  # whether the thread has ended: nobody takes events any more
        self._try_at = 0.0
        self._thread = threading.Thread(target=self._main, name="d2ltui-store", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str | None:
        """What the run is called; None before its directory is made, and where it could not be."""
        return self.path.name if self.path is not None else None

    def __call__(self, event: events.Event) -> None:
        """Take an event: a sink of the engine."""
        if self._dead:
            return  # it has been said; without a reader the queue would only grow
        self._queue.append(event)
        if isinstance(event, _URGENT):
            self._wake.set()

    def later(self, job: Callable[[Path], None]) -> None:
        """Do something in the run's directory once everything told before is stored. Its errors become trouble."""
        if self._dead:
            return
        self._queue.append(job)
        self._wake.set()

    def wait_opened(self, timeout: float) -> bool:
        """Wait until the directory is made, or could not be; whether the run is stored."""
        self._opened.wait(timeout)
        return self._session is not None

    @property
    def opened(self) -> bool:
        """Whether the directory is made, or could not be."""
        return self._opened.is_set()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Write what there is, and end; False where that took longer than `timeout` seconds."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # Everything below is the thread's.

    def _main(self) -> None:
        try:
            self._open()
            self._opened.set()
            while not self._closing:
                self._wake.wait(EVERY)
                self._wake.clear()
                self._turn()
            self._last_turns()
        except Exception as error:  # a defect here must not go unsaid, nor stop the training
            self._say(
                _("store: the run is no longer stored ({kind}: {reason})").format(
                    kind=type(error).__name__, reason=error
                )
            )
        finally:
            self._dead = True
            self._queue.clear()
            self._opened.set()
            if self._session is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._session.close()
            if self._lock is not None:
                self._lock.release()
            self._on_request = self._on_trouble = None  # whose run holds this store: a circle, else

    def _open(self) -> None:
        try:
            if self._resume is not None:
                path, self._lock = self._resume
                session = RunWriter(path, self.config, goes_on=True, damage=self._damage)
            else:
                path = home.create(
                    self._stem,
                    lambda made: RunWriter.make(made, self.config, self._group),
                )
                self._lock = home.Lock(path)
                session = RunWriter(path, self.config)
        except (OSError, sqlite3.Error, StoreError) as error:
            why = str(error) if isinstance(error, StoreError) else f"{home.runs_dir()}: {reason(error)}"
            self._say(_("store: the run is not stored ({why}); it continues in memory").format(why=why))
            if self._lock is not None:
                self._lock.release()
            return
        self.path, self._session = path, session

    def _last_turns(self) -> None:
        """Write what there is, also where somebody reads just now."""
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            self._try_at = 0.0
            self._turn()
            if self._session is None or not (self._session.pending or self._queue):
                return
            name = self._session.path.name
            if self._locked_since is None:
                if self._session.stored_step:
                    said = _("store: the end of {name} is not stored, what came before is: its first {steps}")
                elif has_checkpoint(self._session.path):
                    said = _("store: no step of {name} is stored, only its settings and a checkpoint")
                else:
                    said = _("store: no step of {name} is stored, only its settings")
                self._say(said.format(name=name, steps=counted(self._session.stored_step, "step", ",")))
                return
            if time.monotonic() > deadline:
                if self._queue:
                    what = _("what {name} has trained since it was resumed")
                else:
                    what = _("the end of {name}") if self._session.stored else _("what {name} has trained")
                said = _("store: {what} is not stored (another process holds its file)")
                self._say(said.format(what=what.format(name=name)))
                return
            time.sleep(0.1)

    def _turn(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if not isinstance(item, events.Event):
                self._write()
                self._do(item)
            elif self._session is not None and not self._take(self._session, item):
                self._queue.appendleft(item)
                break
        else:
            self._write()
        if self._session is not None and self._on_request is not None:
            for request in take_requests(self._session.path):
                self._on_request(request)

    def _take(self, session: RunWriter, event: events.Event) -> bool:
        """False where it is to be told again later: a run goes on, and somebody reads what there is of it."""
        try:
            session.take(event)
        except (sqlite3.Error, OSError, ValueError, StoreError) as error:
            if is_lock(error) and sum(map(_size, tuple(self._queue))) < MAX_PENDING:
                self._failed(session, error)
                return False
            self._give_up(error)
        if session.news:
            self._say(session.news)
            session.news = ""
        return True

    def _write(self) -> None:
        session = self._session
        if session is None or time.monotonic() < self._try_at:
            return
        try:
            session.write()
        except (sqlite3.Error, OSError) as error:
            self._failed(session, error)
            return
        self._locked_since = None
        if self._failing:
            self._failing = False
            self._say(_("store: the run is stored again, with nothing missing"))

    def _failed(self, session: RunWriter, error: Exception) -> None:
        if session.pending > MAX_PENDING:
            self._give_up(error)
            return
        if is_lock(error):  # somebody reads: the next turn writes it
            now = time.monotonic()
            if self._locked_since is None:
                self._locked_since = now - PATIENCE  # SQLite has waited so long already
            if now - self._locked_since < LOCK_PATIENCE:
                return
            why = _("another process holds it")
        else:
            self._locked_since = None
            self._try_at = time.monotonic() + RETRY
            why = home.gone(session.path) or reason(error)
        if not self._failing:
            self._failing = True
            self._say(
                _("store: {path} takes no more ({why}); the run continues in memory").format(path=session.path, why=why)
            )

    def _give_up(self, error: Exception) -> None:
        why = (self.path is not None and home.gone(self.path)) or reason(error)
        said = (
            _("store: the run is not stored ({why}); it continues in memory")
            if self._session is not None and not self._session.stored
            else _("store: the run is no longer stored ({why}); it continues in memory")
        )
        self._say(said.format(why=why))
        if self._session is not None:
            with contextlib.suppress(sqlite3.Error):
                self._session.close()
        self._session = None

    def _do(self, job: Callable[[Path], None]) -> None:
        if self.path is None:
            return
        try:
            job(self.path)
        except Exception as error:  # an operating system's, or what PyTorch makes of one
            if not (self._failing and home.gone(self.path)):  # which has been said
                self._say(f"store: {reason(error)}")

    def _say(self, sentence: str) -> None:
        sentence = printable(sentence, MAX_SENTENCE)
        if sentence == self.trouble:
            return  # once is enough: a full disk is tried again and again
        self.trouble = sentence
        if self._on_trouble is not None:
            self._on_trouble(sentence)


def _name_of(run: RunConfig | RunHeader) -> str:
    """What the run's directory is called, before its time."""
    if isinstance(run, RunConfig):
        return f"{run.model}-{run.dataset}"
    return re.sub(r"[^a-z0-9]+", "-", (run.name or run.source).lower()).strip("-")[:40] or "run"


def _size(item: events.Event | Callable[[Path], None]) -> int:
    """Bytes, about, that what waits takes."""
    if isinstance(item, events.StepsTrained):
        return int(np.asarray(item.losses).nbytes + np.asarray(item.metrics).nbytes)
    return 4000 * len(item.layers) if isinstance(item, events.LayersProbed) else 200

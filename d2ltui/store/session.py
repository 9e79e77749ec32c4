"""One process's writing of one run: events become rows, and lines of log.txt."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.config_file import to_toml
from d2ltui.spec.files import open_regular
from d2ltui.spec.header import RunHeader
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting
from d2ltui.spec.versions import plain_config
from d2ltui.store import environment, home
from d2ltui.store.errors import StoreError
from d2ltui.store.requests import take_requests
from d2ltui.store.schema import (
    APPLICATION,
    BEGUN,
    DAMAGE,
    EPOCH,
    LOGGED,
    STEP,
    TABLES,
    VERSION,
    connect,
    crc,
    open_run,
    pack,
    read_meta,
    to_json,
)
from d2ltui.store.tables import Chunked, Thinned

SIGN_EVERY = 2.0  # seconds between two signs of life
# What a run keeps of its layers and its findings: moments, evenly spread, and their bytes.
MAX_LAYERS, MAX_LAYERS_BYTES = 2048, 16 * 2**20
MAX_FINDINGS, MAX_FINDINGS_BYTES = 1024, 4 * 2**20
Entry = tuple[float, str, str]  # of the log: time, kind, data
# The keys of `meta` that say how a run has gone.
_OF_THE_HISTORY = ("device", "loading", "findings", "summary", "message", "ended")
MAX_LOG_BYTES = 2**20  # of log.txt, after which only what matters most is added


class RunWriter:
    """Writes the run in directory `path`. With `goes_on`, nothing before `events.RunResumed` has been taken.

    Unless it is the end, and the run has had none yet: an interrupted one is then a stopped one.

    `damage` is what is wrong with the database of a run that goes on all the same, as a sentence. A new one takes its
    place, and not before then either; the epochs that are told before are those that the checkpoint knows. `news` says
    what has been done.
    """

    def __init__(self, path: Path, config: RunConfig | RunHeader, *, goes_on: bool = False, damage: str = "") -> None:
        self.path, self._config, self._damage = path, config, damage
        self.news = ""
        self.stored = goes_on  # whether there is anything of how the run went: some step of it
        self.stored_step = 0  # the last step in the database, once the run goes on
        self._connection = sqlite3.connect(":memory:", isolation_level=None) if damage else open_run(path, writes=True)
        self._steps = Chunked("steps", STEP, np.array([(np.nan, np.nan)], STEP))
        self._epochs = Chunked("epochs", EPOCH, np.zeros(1, EPOCH))
        self._layers = Thinned("layers", MAX_LAYERS, MAX_LAYERS_BYTES)
        self._findings = Thinned("findings", MAX_FINDINGS, MAX_FINDINGS_BYTES)
        self._log: list[Entry] = []
        self._meta: dict[str, object] = {}
        self._text: list[str] = []
        self._found: frozenset[str] = frozenset()
        self._progress: dict[str, object] = {"step": 0, "epoch": 0, "seconds": 0.0}
        self._sign = 0.0
        self._held: list[events.Event] | None = [] if goes_on else None
        take_requests(path)  # what was asked of an earlier process is void
        for name in (home.CHECKPOINT, home.WEIGHTS, home.DATABASE):
            for left in path.glob(f".{name}-*"):  # by a process that was killed
                with contextlib.suppress(OSError):  # a directory of that name is nobody's business
                    left.unlink()

    @staticmethod
    def make(path: Path, config: RunConfig | RunHeader, group: dict[str, object] | None) -> None:
        """Put a new run into the empty directory `path`."""
        if isinstance(config, RunConfig):
            (path / home.CONFIG).write_text(to_toml(config), encoding="utf-8")
        _create(path / home.DATABASE, config, {"created": time.time(), "group": group})

    @property
    def pending(self) -> int:
        """Bytes, about, that are not written yet, and are to be."""
        if self._held is not None:
            return 0
        held = sum(table.pending for table in (self._steps, self._epochs, self._layers, self._findings))
        return held + sum(len(data) for _time, _kind, data in self._log)

    def take(self, event: events.Event) -> None:
        """Prepare what `event` tells.

        Raises:
            sqlite3.Error: where a run goes on, and the database cannot be taken back to that moment, or be told that it
                does not go on. Nothing of it has been taken then: it can be told again.
            OSError, StoreError: where a new database cannot take a damaged one's place.
        """
        if self._held is not None:
            if self._damage and isinstance(event, events.EpochEnded):
                self._take_epoch(event)
                return
            if not isinstance(event, events.RunResumed):
                if isinstance(event, events.RunEnded):
                    self._end_before_going_on(event)
                self._held.append(event)
                return
            self._go_back(event)
            held, self._held = self._held, None
            for earlier in held:
                self.take(earlier)
        elif isinstance(event, events.RunResumed):  # it has begun again, in this very process
            self.write()
            self._go_back(event)
        match event:
            case events.StepsTrained():
                records = np.empty(len(event.losses), STEP)
                records["loss"], records["metric"] = event.losses, event.metrics
                self._steps.extend(records, after=event.step - len(records))
                self._progress |= {"step": event.step, "seconds": event.seconds}
            case events.EpochEnded():
                self._take_epoch(event)
            case events.LayersProbed():
                layers = tuple(msgspec.structs.replace(layer, unit_activity=None) for layer in event.layers)
                self._layers.add(event.step, pack(msgspec.structs.replace(event, layers=layers)))
            case events.FindingsChanged():
                self._findings.add(event.step, pack(event))
                # Whole, they are in their table. Earlier versions list the sentences from here.
                self._meta["findings"] = [finding.what for finding in event.findings]
                new = frozenset(finding.rule for finding in event.findings)
                for finding in event.findings:
                    if finding.rule not in self._found:
                        self._say(f"{finding.severity}: {finding.what}", minor=True)
                self._found = new
            case _:
                self._take_other(event)

    def _take_epoch(self, event: events.EpochEnded) -> None:
        figures = {name: getattr(event, name) for name in EPOCH.names or ()}
        with np.errstate(over="ignore"):
            self._epochs.extend(np.array([tuple(figures.values())], EPOCH), after=event.epoch - 1)
        self._progress |= {**figures, "epoch": event.epoch}

    def _take_other(self, event: events.Event) -> None:
        if type(event).__name__ in LOGGED and not isinstance(event, events.RunResumed):  # `_go_back` wrote that
            self._log.append((time.time(), type(event).__name__, _event_json(event)))
        match event:
            case events.StatusChanged():
                self._meta["status"] = event.status
                self._say(event.status)
            case events.Loading():
                self._meta["loading"] = msgspec.to_builtins(event)  # the latest alone: a download tells of many
            case events.RunStarted():
                self._meta |= {"device": event.device, "loading": None}
                self._say(
                    _("{model} on {dataset}, {device}: {num_train:,} samples").format(
                        model=event.config.model,
                        dataset=event.config.dataset,
                        device=event.device,
                        num_train=event.num_train,
                    )
                )
            case events.RunResumed():
                self._say(_("resumed after step {step:,}").format(step=event.step))
            case events.LearningRateChanged():
                self._progress["lr"] = event.lr
                self._say(_("lr {lr} after step {step:,}").format(lr=setting(event.lr), step=event.step))
            case events.ThreadsChanged() | events.Noted():
                self._say(event.sentence, minor=True)
            case events.ObserverFailed():
                self._say(f"{event.sentence}\n{event.traceback}".rstrip())
            case events.RunEnded():
                ended = {
                    "loading": None,
                    "status": event.status,
                    "message": event.message,
                    "summary": event.summary,
                    "ended": time.time(),
                }
                self._meta |= ended
                self._say(f"{event.status}: {event.message}\n{event.traceback or ''}".rstrip())

    def _begin_again(self, step: int) -> None:
        """Put the damaged database aside, and in its place a new one with the epochs that the checkpoint knows.

        The checkpoint's `step` is where its history begins.
        """
        known: dict[str, object] = {}
        with contextlib.suppress(StoreError, *DAMAGE), contextlib.closing(open_run(self.path)) as connection:
            known = read_meta(connection)
        created, group = known.get("created"), known.get("group")
        if not isinstance(created, float):  # the configuration has been written once, when the run was made
            created = time.time()
            with contextlib.suppress(OSError):
                created = (self.path / home.CONFIG).stat().st_mtime
        made = self.path / f".{home.DATABASE}-new"
        journal = made.with_name(f"{made.name}-journal")
        for left in (made, journal):
            left.unlink(missing_ok=True)
        # From its first moment on, the new one says where its history begins: the process may end in the next.
        kept = home.name_aside(self.path)
        begun = [(time.time(), BEGUN, to_json({"step": step, "kept": kept}))]
        # What another version keeps there is kept, and what is said of the history goes with it.
        meta = {key: value for key, value in known.items() if key not in _OF_THE_HISTORY}
        meta |= {"created": created, "group": group if isinstance(group, dict) else None, "progress": {"step": step}}
        _create(made, self._config, meta, begun, self._epochs)
        journal.unlink(missing_ok=True)
        home.put_aside(self.path)
        made.rename(self.path / home.DATABASE)
        said = (
            _("{damage}; a new run.db begins at its checkpoint, and the old one is kept as {kept}")
            if kept
            else _("{damage}; a new run.db begins at its checkpoint")
        )
        self.news = said.format(damage=self._damage, kept=kept)
        self._damage = ""
        self._connection.close()
        self._connection = open_run(self.path, writes=True)
        self._say(self.news)

    def _go_back(self, event: events.RunResumed) -> None:
        if self._damage:
            self._begin_again(event.step)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._steps.cut(self._connection, event.step)
            self._epochs.cut(self._connection, event.epoch - 1)
            self._layers.cut(self._connection, event.step)
            self._findings.cut(self._connection, event.step)
            self._findings.add(event.step, pack(events.FindingsChanged(event.step, ())))  # nothing yet, from here on
            self._connection.execute(
                "DELETE FROM meta WHERE key IN ('loading', 'summary', 'message', 'ended', 'findings')"
            )
            now = {
                "environment": environment.environment(),
                "process": environment.process(),
                "status": "training",
                "sign": time.time(),
            }
            _write_meta(self._connection, now)
            # In the same transaction: a reader that sees the shorter tables sees why.
            went_back = (time.time(), type(event).__name__, to_json(event))
            _write_log(self._connection, [*self._log, went_back])
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._log.clear()
        self._found = frozenset()  # what is found again is told again
        self._progress = {"step": event.step, "epoch": event.epoch - 1, "seconds": event.seconds, "lr": event.lr}
        self.stored_step = event.step

    def _end_before_going_on(self, event: events.RunEnded) -> None:
        """An interrupted run that was stopped before it went on is a stopped one; else it stays what it was."""
        if event.status != "stopped" or self._damage or read_meta(self._connection)["status"] in events.ENDED:
            return
        now = time.time()
        ended = msgspec.structs.replace(event, summary={})  # which tells of no step: none was read
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            _write_log(self._connection, [(now, type(ended).__name__, to_json(ended))])
            _write_meta(self._connection, {"status": ended.status, "message": ended.message, "ended": now})
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._say(f"{ended.status}: {ended.message}")
        self._write_text()

    def write(self) -> None:
        """Write everything that is prepared, in one transaction; or, now and then, that there is nothing.

        Raises:
            sqlite3.Error: where the database takes nothing. It stays prepared.
            OSError: where log.txt cannot be written.
        """
        if self._held is not None:
            return
        idle = not (self.pending or self._meta)
        if idle and time.monotonic() - self._sign < SIGN_EVERY:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for table in (self._steps, self._epochs, self._layers, self._findings):
                table.write(self._connection)
            _write_log(self._connection, self._log)
            _write_meta(self._connection, {**self._meta, "progress": self._progress, "sign": time.time()})
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        for table in (self._steps, self._epochs, self._layers, self._findings):
            table.written()
        self.stored_step = self._steps.count
        self.stored = self.stored or self.stored_step > 0
        self._log.clear()
        self._meta.clear()
        self._sign = time.monotonic()
        self._write_text()

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a disk that is full may have rolled back by itself
            self._connection.execute("ROLLBACK")

    def _say(self, text: str, *, minor: bool = False) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        if not minor or sum(map(len, self._text)) < MAX_LOG_BYTES:
            self._text.append(f"{now} {text}\n")

    def _write_text(self) -> None:
        if not self._text:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with open(open_regular(self.path / home.LOG, flags), "a", encoding="utf-8", errors="replace") as file:
            if file.tell() < MAX_LOG_BYTES:
                file.write("".join(self._text))
        self._text.clear()

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


def _create(
    file: Path, config: RunConfig | RunHeader, meta: Mapping[str, object], log: Sequence[Entry] = (), *tables: Chunked
) -> None:
    """A new database, with `meta`, with `log`, and with what is prepared in `tables`."""
    what: dict[str, object] = {"header": msgspec.to_builtins(config)}
    if isinstance(config, RunConfig):
        what = {"config": plain_config(config)}
    meta = {
        **meta,
        **what,
        "status": "loading",
        "environment": environment.environment(),
        "process": environment.process(),
        "sign": time.time(),
    }
    connection = connect(file, create=True)
    try:
        connection.executescript(f"BEGIN; {TABLES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        _write_meta(connection, meta)
        _write_log(connection, log)
        for table in tables:
            table.write(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()


def _event_json(event: events.Event) -> str:
    if not isinstance(event, events.RunStarted):
        return to_json(event)
    return to_json({**msgspec.to_builtins(event), "config": plain_config(event.config)})


def _write_log(connection: sqlite3.Connection, log: Sequence[Entry]) -> None:
    for when, kind, data in log:
        row = (when, kind, data, crc(when, kind, data))
        connection.execute("INSERT INTO log(time, kind, data, crc) VALUES (?, ?, ?, ?)", row)


def _write_meta(connection: sqlite3.Connection, meta: Mapping[str, object]) -> None:
    for key, value in meta.items():
        text = to_json(value)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, text, crc(key, text)))

"""RunReader: a stored run as a LiveRun, kept up to date while another process trains it.

    with RunReader(path) as reader:
        reader.live                 # all that is stored, as the training process has it in memory
        reader.poll()               # what has come since; True where anything has
        reader.alive                # whether a process still trains it, as of the last poll
        reader.ask(Request("pause"))

One thread uses a reader. Reading takes a few milliseconds and keeps the writer from nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np

from d2ltui.history.epochs import EPOCHS
from d2ltui.history.live import MAX_PROBES, LiveRun
from d2ltui.spec import events
from d2ltui.spec.language import _
from d2ltui.spec.text import printable, printable_values
from d2ltui.store import environment, home
from d2ltui.store.errors import Damaged, Newer, StoreError, reason
from d2ltui.store.listing import told_by, unreadable
from d2ltui.store.requests import Request, ask
from d2ltui.store.schema import (
    BEGUN,
    DAMAGE,
    EPOCH,
    LINES,
    LOGGED,
    STEP,
    Budget,
    check,
    damaged,
    findings_after,
    from_json,
    open_run,
    read_meta,
)

ALIVE_EVERY = 1.0  # seconds between two looks at the other process
_FORMAT_AT, _LAST_FORMAT = 18, b"\x02"  # SQLite's number of the format in which it writes a file, and where it stands


class RunReader:
    """Reads the run in directory `path`. Where another process holds it, each read waits `patience` seconds.

    Raises, as `poll` does:
        Busy: where that was too short (see `schema.PATIENCE`, which None stands for).
        Newer: where it is from a newer version.
        StoreError: where it is damaged, incomplete, or gone.
    """

    def __init__(self, path: Path, *, patience: float | None = None) -> None:
        self.path = path
        self._connection = open_run(path, patience=patience)
        self._last = {"log": 0, "layers": 0, "findings": 0}
        self._steps = self._epochs = 0
        self._ended: events.RunEnded | None = None  # read, and not told yet
        self._alive, self._looked = False, 0.0
        try:
            self.meta: dict[str, Any] = self._read_meta()
            config, header = told_by(self.meta)
            if config is not None and (why := unreadable(path, config)):
                raise Newer(why)
            self.live = LiveRun(config or header)
            self.poll()
        except BaseException as error:
            self.close()
            if isinstance(error, DAMAGE):
                raise damaged(path, error) from None
            raise

    def __enter__(self) -> RunReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    @property
    def alive(self) -> bool:
        """Whether a process is training the run."""
        if self.live.ended is not None and self.meta.get("status") in events.ENDED:
            return False
        if time.monotonic() - self._looked >= ALIVE_EVERY:
            self._looked = time.monotonic()
            self._alive = environment.is_alive(self.meta.get("process"), self.meta.get("sign"))
        return self._alive

    def ask(self, request: Request) -> None:
        """Ask the process that trains the run for something. It reads this within a second.

        Raises:
            StoreError: where it cannot be asked.
        """
        ask(self.path, request)

    def check_pages(self) -> None:
        """Look at every page of the database: one that no reading has come to may keep it from being written.

        Raises:
            Damaged: where one is not what SQLite has written.
            StoreError: where the file cannot be read.
        """
        try:
            (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except DAMAGE as error:
            raise damaged(self.path, error) from None
        if found != "ok":
            raise Damaged(
                _("run: {name} is damaged (run.db: its pages do not fit together)").format(name=self.path.name)
            )
        # Where the number of the format is one that SQLite does not know, it reads the database but never writes it.
        try:
            with open(self.path / home.DATABASE, "rb") as file:
                header = file.read(_FORMAT_AT + 1)
        except OSError as error:
            raise StoreError(
                _("run: {name} cannot be read (run.db: {reason})").format(name=self.path.name, reason=reason(error))
            ) from None
        if header[_FORMAT_AT:] > _LAST_FORMAT:
            raise Damaged(_("run: {name} is damaged (run.db: its header)").format(name=self.path.name))

    def poll(self) -> bool:
        """Take in what has come since the last time; True where anything has."""
        before = self.live.version
        if missing := home.gone(self.path):  # what is open still can be read, and would for ever be the same
            raise StoreError(_("run: {name} cannot be read ({missing})").format(name=self.path.name, missing=missing))
        try:
            self._connection.execute("BEGIN")
            try:
                self.meta = self._read_meta()
                self._read_log()
                self._read_layers()
                self._read_findings()
                # Whoever looks must not see a step without its epoch for long.
                self._read_epochs()
                self._read_steps()
                if self._ended is not None:
                    self.live(self._ended)
                    self._ended = None
                elif self.live.ended is None:
                    self._read_loading()
            finally:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have ended it by itself
                    self._connection.execute("COMMIT")
        except DAMAGE as error:
            raise damaged(self.path, error) from None
        return self.live.version != before

    def _read_meta(self) -> dict[str, Any]:
        return read_meta(self._connection)

    def _read_loading(self) -> None:
        if (told := self.meta.get("loading")) is not None:
            loading = msgspec.convert(told, events.Loading)
            if loading.fraction is not None and not 0 <= loading.fraction <= 1:
                loading = events.Loading(loading.message)
            if loading != self.live.loading:
                self.live(loading)

    def _read_log(self) -> None:
        """Everything that is told seldom. The end, if there is one, is kept: it comes last."""
        query = "SELECT id, time, kind, data, crc FROM log WHERE id > ? ORDER BY id"
        for number, when, kind, data, stored in self._connection.execute(query, (self._last["log"],)):
            check(stored, when, kind, data)
            _in_order(self._last["log"], number)
            event = from_json(data, LOGGED[kind]) if kind in LOGGED else None
            self._last["log"] = number
            if event is None:
                continue
            if isinstance(event, events.RunEnded):
                self._ended = event  # until it is told: what is read before that may fail
                continue
            if isinstance(event, events.RunResumed):
                self._ended = None
                self._steps = min(self._steps, event.step)
                self._epochs = min(self._epochs, event.epoch - 1)
            self.live(event)
            if isinstance(event, events.RunResumed):
                # Where this reader lags behind, what it has not seen is still to be read: no gap.
                for series in (self.live.losses, self.live.metrics):
                    series.truncate(min(len(series), self._steps))

    def _chunks(self, table: str, dtype: np.dtype[Any], have: int) -> Iterator[np.ndarray[Any, Any]]:
        """The records of a table after the first `have` ones."""
        query = (
            f"SELECT first, count, data, crc FROM {table} WHERE first >= "
            f"coalesce((SELECT max(first) FROM {table} WHERE first <= ?), 0) ORDER BY first"
        )
        before = 0
        for first, count, data, stored in self._connection.execute(query, (have + 1,)):
            check(stored, first, count, data)
            _in_order(before, first)
            before = first
            records = _records(data, dtype)[max(0, have - first + 1) :]
            if len(records):
                yield records

    def _read_steps(self) -> None:
        blocks = list(self._chunks("steps", STEP, self._steps))
        if not blocks:
            return
        records = np.concatenate(blocks)
        self._steps += len(records)
        seconds = float(self.meta.get("progress", {}).get("seconds", 0.0))
        self.live(events.StepsTrained(self._steps, records["loss"], records["metric"], seconds))

    def _read_epochs(self) -> None:
        for records in list(self._chunks("epochs", EPOCH, self._epochs)):
            rows = np.empty(len(records), EPOCHS)
            rows["epoch"] = np.arange(self._epochs + 1, self._epochs + len(records) + 1)
            for name in records.dtype.names or ():
                rows[name] = records[name]
            self.live.add_epochs(rows[rows["step"] > 0])  # one whose step is 0 was never told of
            self._epochs += len(records)

    def _read_layers(self) -> None:
        where, last = "FROM layers WHERE id > ?", self._last["layers"]
        numbers: list[int] = []
        for (number,) in self._connection.execute(f"SELECT id {where} ORDER BY id", (last,)):
            _in_order(numbers[-1] if numbers else last, number)
            numbers.append(number)
        if len(numbers) > MAX_PROBES:
            numbers = [*numbers[: -1 : -(-len(numbers) // MAX_PROBES)], numbers[-1]]
        budget = Budget()
        for number in numbers:
            row = self._connection.execute("SELECT step, data, crc FROM layers WHERE id = ?", (number,)).fetchone()
            check(row[2], row[0], row[1])
            self._look(budget.unpack(row[1], events.LayersProbed))
            self._last["layers"] = number

    def _look(self, probed: events.LayersProbed) -> None:
        """Take in a look: one of a network as the others were of."""
        if self.live.layers is not None and _indexes(probed) != _indexes(self.live.layers):
            raise ValueError("its looks are at different networks")
        self.live(probed)

    def _read_findings(self) -> None:
        for number, event in findings_after(self._connection, self._last["findings"], Budget()):
            _in_order(self._last["findings"], number)
            self._last["findings"] = number
            self.live(event)

    def gap(self) -> tuple[int, str]:
        """After how many steps the history begins, and what the damaged database of before is called, "" if it is gone.

        (0, "") where nothing is missing at the beginning.
        """
        after, kept = 0, ""
        log = self.log()
        try:
            for __, kind, data in log:
                if kind == BEGUN:
                    after, kept = int(data["step"]), str(data["kept"])
                elif kind == events.RunResumed.__name__:  # from an earlier checkpoint: the steps in between came again
                    after = min(after, int(data["step"]))
        except DAMAGE as error:
            raise damaged(self.path, error) from None
        return after, kept if after else ""

    def log(self) -> list[tuple[float, str, dict[str, Any]]]:
        """Every event of the log: its time (Unix), its kind, its fields."""
        try:
            rows = self._connection.execute("SELECT time, kind, data, crc FROM log ORDER BY id").fetchall()
            found = []
            for when, kind, data, stored in rows:
                check(stored, when, kind, data)
                fields = printable_values(json.loads(data), lines=LINES)
                if not isinstance(when, float) or not isinstance(kind, str) or not isinstance(fields, dict):
                    raise ValueError("a line of its log cannot be read")
                found.append((when, printable(kind), fields))
            return found
        except DAMAGE as error:
            raise damaged(self.path, error) from None

    def all_layers(self) -> Iterator[events.LayersProbed]:
        """Every stored look at the layers, in order: more than a LiveRun keeps."""
        try:
            # At once: an open cursor would keep the run's own process from writing.
            budget = Budget()
            for step, data, stored in self._connection.execute(
                "SELECT step, data, crc FROM layers ORDER BY id"
            ).fetchall():
                check(stored, step, data)
                yield budget.unpack(data, events.LayersProbed)
        except DAMAGE as error:
            raise damaged(self.path, error) from None


def _records(data: bytes, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """What a row of a table holds, with each NaN the usual one: numpy warns of some that damage can make."""
    records: np.ndarray[Any, Any] = np.frombuffer(data, dtype).copy()
    for name in dtype.names or ():
        if dtype[name].kind == "f":
            records[name][np.isnan(records[name])] = np.nan
    return records


def _in_order(before: int, number: object) -> None:
    """Of a tree of pages some of which are the same, SQLite reads rows again and again; their numbers tell."""
    if not isinstance(number, int) or number <= before:
        raise ValueError("its rows are not in order")


def _indexes(probed: events.LayersProbed) -> list[int]:
    return [layer.index for layer in probed.layers]

"""The database of a run: its tables, and how values become rows.

    meta      key, value (JSON)         config, name of the group, environment, status, progress, summary, process,
                                        and what is being loaded, or done after the last step, if anything is
    steps     first, count, data        STEP records, CHUNK steps to a row; `first` counts from 1
    epochs    first, count, data        EPOCH records, the same; one whose `step` is 0 is missing
    layers    id, step, data            zlib of the JSON of an events.LayersProbed: histograms included
    findings  id, step, data            the same of an events.FindingsChanged
    log       id, time (Unix), kind, data       JSON of the other events, in order; `kind` is the class, or BEGUN

Each row has a checksum, so that a database with flipped bytes is found out instead of believed. `PRAGMA user_version`
is the schema's version, `PRAGMA application_id` says whose database it is.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import sys
import zlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from d2ltui.spec import events
from d2ltui.spec.files import check_regular, open_regular
from d2ltui.spec.language import _
from d2ltui.spec.text import printable_values
from d2ltui.spec.versions import plain_config, read_config
from d2ltui.store.errors import Damaged, Newer, StoreError, reason
from d2ltui.store.migrations import migrate
from d2ltui.store.plausible import check_event, check_meta

VERSION = 1
APPLICATION = 0x64326C74  # "d2lt"
CHUNK = 4096
EPOCH = np.dtype(
    [
        ("step", "<i8"),  # the number of steps when it ended
        ("train_loss", "<f4"),
        ("val_loss", "<f4"),
        ("train_metric", "<f4"),
        ("val_metric", "<f4"),
        ("seconds", "<f4"),
    ]
)
STEP = np.dtype([("loss", "<f4"), ("metric", "<f4")])
TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE steps(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE epochs(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE layers(
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE findings(
    id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE log(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    crc INTEGER NOT NULL
);
"""
_STATEMENTS = {statement.strip() for statement in TABLES.split(";")}
# What reading a database with flipped bytes can end in.
DAMAGE = (
    sqlite3.Error,
    msgspec.MsgspecError,
    zlib.error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
)
# What SQLite says where something other than the file's bytes is wrong: a permission, a disk.
_NOT_ITS_BYTES = ("unable to open", "disk i/o error", "readonly", "is full", "out of memory")
PATIENCE = 5.0  # seconds that SQLite waits for another process
LOGGED: dict[str, type[events.Event]] = {
    kind.__name__: kind
    for kind in (
        events.StatusChanged,
        events.RunStarted,
        events.RunResumed,
        events.LearningRateChanged,
        events.ThreadsChanged,
        events.Noted,
        events.ObserverFailed,
        events.RunEnded,
    )
}
# The log's first line in a database that has taken a damaged one's place: of the steps up to `step` nothing is known
# here but what the checkpoint holds of their epochs, and `kept` is what the old one is called now ("": it was gone).
BEGUN = "Begun"
E_ = TypeVar("E_", bound=events.Event)
MAX_VALUE_BYTES = 16 * 2**20  # of one value in a database; the largest is a look at many layers
MAX_META = 256 * 2**10  # characters of all of `meta`: a list reads that of every run
MAX_UNPACKED, MAX_UNPACKED_IN_ALL = 8 * 2**20, 256 * 2**20  # bytes of one look at the layers, and of all of them
LINES = {"traceback": 100_000}  # what may have more than one line, and how many characters
_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # how a journal ends that names another file, for SQLite to delete


class Busy(StoreError):
    """Another process holds the database just now. Nothing is wrong with it."""


def crc(*parts: str | bytes | int | float) -> int:
    """A checksum over the parts of a row."""
    found = 0
    for part in parts:
        found = zlib.crc32(part if isinstance(part, bytes) else str(part).encode(), found)
    return found


def check(stored: object, *parts: str | bytes | int | float) -> None:
    """Raises ValueError where a row is not what was written."""
    if stored != crc(*parts):
        raise ValueError("a checksum differs")


def to_json(value: object) -> str:
    """JSON of plain values and structs. What is not finite is written as Python's json does: NaN, Infinity."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def from_json(text: str, kind: type[E_]) -> E_:
    """What `to_json` wrote, with every text in it fit to be shown.

    Raises what is in DAMAGE where it can be no event.
    """
    values = printable_values(json.loads(text), lines=LINES)
    if kind is events.RunStarted and isinstance(values, dict):
        config = read_config(values.get("config"))  # any version's
        event = msgspec.convert({**values, "config": plain_config(config)}, kind, strict=False)
        event = msgspec.structs.replace(event, config=config)
    else:
        event = msgspec.convert(values, kind, strict=False)
    check_event(event)
    return event


def pack(value: object) -> bytes:
    """Compressed JSON."""
    return zlib.compress(to_json(value).encode(), 1)


class Budget:
    """How much may be unpacked in one go: a few bytes of zlib can be gigabytes."""

    def __init__(self, most: int = MAX_UNPACKED_IN_ALL) -> None:
        self._left = most

    def unpack(self, data: bytes, kind: type[E_]) -> E_:
        """What `pack` packed. Raises what is in DAMAGE where that is too much, or something else."""
        inflate = zlib.decompressobj()
        most = min(self._left, MAX_UNPACKED)
        text = inflate.decompress(data, most + 1)
        if len(text) > most:
            raise ValueError("it unpacks to more than a run can have")
        if not inflate.eof:
            raise ValueError("it is cut off")
        self._left -= len(text)
        return from_json(text.decode(), kind)


def last_findings(connection: sqlite3.Connection, after: int = 0) -> tuple[int, events.FindingsChanged] | None:
    """What was found last, and the number of its row; None where no row has a number above `after`.

    Raises what is in DAMAGE.
    """
    query = "SELECT id, step, data, crc FROM findings WHERE id > ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (after,)).fetchone()
    if row is None:
        return None
    number, step, data, stored = row
    check(stored, step, data)
    return number, Budget().unpack(data, events.FindingsChanged)


def findings_after(
    connection: sqlite3.Connection, after: int, budget: Budget
) -> list[tuple[int, events.FindingsChanged]]:
    """What was found, in order, with the numbers of the rows: those above `after`.

    Raises what is in DAMAGE.
    """
    found = []
    query = "SELECT id, step, data, crc FROM findings WHERE id > ? ORDER BY id"
    for number, step, data, stored in connection.execute(query, (after,)).fetchall():
        check(stored, step, data)
        found.append((number, budget.unpack(data, events.FindingsChanged)))
    return found


def connect(
    path: Path, *, create: bool = False, writes: bool = False, patience: float | None = None
) -> sqlite3.Connection:
    """Open a run's database. SQLite waits for other processes up to `patience` seconds (None: PATIENCE).

    Readers open it for writing, too, where they may: a killed writer's last transaction may have to be rolled back.
    No write-ahead log: it needs shared memory, which a network file system has not.
    """
    modes = ["rwc"] if create else ["rw"] if writes else ["rw", "ro"]
    for mode in modes:
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=PATIENCE if patience is None else patience,
                isolation_level=None,
            )
            connection.execute("PRAGMA schema_version").fetchone()  # only now is the file opened
        except sqlite3.OperationalError as error:
            if mode == modes[-1] or is_lock(error):  # who holds it from writers, holds it from readers
                raise
            continue
        break
    if create or writes:
        connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
    else:
        connection.execute("PRAGMA query_only=ON")
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    return connection


def open_run(
    path: Path, *, writes: bool = False, patience: float | None = None, newer: bool = False
) -> sqlite3.Connection:
    """The database of the run in directory `path`, of a version that this program reads; with `newer`, of any.

    Raises:
        Busy: where another process has held it for `patience` seconds (None: PATIENCE).
        Damaged: where there is none, or it is no run's database any more.
        Newer: where its version is newer.
        StoreError: where it cannot be opened.
    """
    _check_files(path)
    connection = None
    try:
        connection = connect(path / "run.db", writes=writes, patience=patience)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == APPLICATION and version <= VERSION:
            connection = migrate(connection, version, VERSION, writes=writes)
            _check_tables(connection)
            return connection
        if application == APPLICATION and newer:
            _check_tables(connection, only="meta")
            return connection
        size = os.stat(path / "run.db").st_size
    except (sqlite3.Error, ValueError) as error:
        if connection is not None:
            connection.close()
        raise damaged(path, error) from None
    except OSError as error:
        raise StoreError(
            _("run: {name} cannot be read (run.db: {reason})").format(name=path.name, reason=reason(error))
        ) from None
    connection.close()
    if application == APPLICATION:
        raise Newer(
            _("run: {name} is from a newer d2ltui (schema {version}; this one reads {ours})").format(
                name=path.name, version=version, ours=VERSION
            )
        )
    why = _("damaged (run.db is not the database of a run)") if size else _("incomplete (its run.db is empty)")
    raise Damaged(_("run: {name} is {why}").format(name=path.name, why=why))


def _check_files(path: Path) -> None:
    """That SQLite will find files where it looks for some: a pipe it would wait for, a link it would follow."""
    for name in ("run.db", "run.db-journal", "run.db-wal", "run.db-shm"):
        try:
            if not check_regular(path / name) and name == "run.db":
                raise Damaged(_("run: {name} is incomplete (it has no run.db)").format(name=path.name))
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise Damaged(
                    _("run: {name} is damaged ({file}: {reason})").format(
                        name=path.name, file=name, reason=reason(error)
                    )
                ) from None
            raise StoreError(
                _("run: {name} cannot be read ({file}: {reason})").format(
                    name=path.name, file=name, reason=reason(error)
                )
            ) from None
    with contextlib.suppress(OSError), os.fdopen(open_regular(path / "run.db-journal"), "rb") as journal:
        if journal.seek(0, os.SEEK_END) >= len(_SUPER_JOURNAL):
            journal.seek(-len(_SUPER_JOURNAL), os.SEEK_END)
            if journal.read() == _SUPER_JOURNAL:
                raise Damaged(
                    _("run: {name} is damaged (run.db-journal: it names another file)").format(name=path.name)
                )


def _check_tables(connection: sqlite3.Connection, only: str = "") -> None:
    """That the tables are those of a run, and nothing stands in for one: reading a view can run for ever.

    With `only`, that this table is.
    """
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if only and name != only:
            continue
        if kind != "table" or (sql not in _STATEMENTS and name != "sqlite_sequence"):
            raise ValueError(f"it has a {kind} {name} that is not a run's")


def is_lock(error: BaseException) -> bool:
    """Whether SQLite says that another process holds the database."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def damaged(path: Path, error: BaseException) -> StoreError:
    """The sentence for a database that cannot be read."""
    if is_lock(error):
        return Busy(_("run: {name} is being written and could not be read in time; try again").format(name=path.name))
    if isinstance(error, sqlite3.OperationalError) and any(text in str(error).lower() for text in _NOT_ITS_BYTES):
        return StoreError(
            _("run: {name} cannot be read (run.db: {reason})").format(name=path.name, reason=reason(error))
        )
    return Damaged(_("run: {name} is damaged (run.db: {reason})").format(name=path.name, reason=reason(error)))


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """All of `meta`, every value of a kind and size that it may be, every text fit to be shown.

    Raises what is in DAMAGE.
    """
    found: dict[str, Any] = {}
    size = 0
    for key, value, stored in connection.execute("SELECT key, value, crc FROM meta"):
        check(stored, key, value)
        size += len(value)
        if size > MAX_META or not isinstance(key, str) or key in found:
            raise ValueError("its meta is more than a run can have")
        found[key] = printable_values(json.loads(value))
    # What another program trains has a header alone.
    for key in ("created", "header" if "header" in found else "config", "status"):
        if key not in found:  # a page that has lost rows has no checksum that differs
            raise ValueError(f"its {key} is missing")
    check_meta(found)
    return found

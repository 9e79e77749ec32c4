"""The database of a run: its tables, and how values become rows.

    meta      key, value (JSON)         config, name of the group, environment, status, progress, summary, process
    steps     first, count, data        STEP records, CHUNK steps to a row; `first` counts from 1
    epochs    first, count, data        EPOCH records, the same; one whose `step` is 0 is missing
    layers    id, step, data            zlib of the JSON of an events.LayersProbed: histograms included
    findings  id, step, data            the same of an events.FindingsChanged
    log       id, time (Unix), kind, data       JSON of the other events, in order; `kind` is the class, or BEGUN

Each row has a checksum, so that a database with flipped bytes is found out instead of believed. `PRAGMA user_version`
is the schema's version, `PRAGMA application_id` says whose database it is.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from d2ltui.spec import events
from d2ltui.store.errors import Damaged, StoreError, reason

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
        events.RunEnded,
    )
}
# The log's first line in a database that has taken a damaged one's place: of the steps up to `step` nothing is known
# here but what the checkpoint holds of their epochs, and `kept` is what the old one is called now ("": it was gone).
BEGUN = "Begun"
E_ = TypeVar("E_")


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
    """What `to_json` wrote."""
    return msgspec.convert(json.loads(text), kind, strict=False)


def pack(value: object) -> bytes:
    """Compressed JSON."""
    return zlib.compress(to_json(value).encode(), 1)


def unpack(data: bytes, kind: type[E_]) -> E_:
    """What `pack` packed."""
    return from_json(zlib.decompress(data).decode(), kind)


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
    return connection


def open_run(path: Path, *, writes: bool = False, patience: float | None = None) -> sqlite3.Connection:
    """The database of the run in directory `path`, of a version that this program reads.

    Raises:
        Busy: where another process has held it for `patience` seconds (None: PATIENCE).
        Damaged: where there is none, or it is no run's database any more.
        StoreError: where it is newer, or cannot be opened.
    """
    file = path / "run.db"
    if not file.is_file():
        raise Damaged(f"run: {path.name} is incomplete (it has no run.db)")
    connection = None
    try:
        connection = connect(file, writes=writes, patience=patience)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise damaged(path, error) from None
    if application == APPLICATION and version <= VERSION:
        return connection
    connection.close()
    if application == APPLICATION:
        raise StoreError(f"run: {path.name} is from a newer d2ltui (schema {version}; this one reads {VERSION})")
    why = "incomplete (its run.db is empty)" if not file.stat().st_size else "damaged (run.db is no run's database)"
    raise Damaged(f"run: {path.name} is {why}")


def is_lock(error: BaseException) -> bool:
    """Whether SQLite says that another process holds the database."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def damaged(path: Path, error: BaseException) -> StoreError:
    """The sentence for a database that cannot be read."""
    if is_lock(error):
        return Busy(f"run: {path.name} is being written and could not be read in time; try again")
    if isinstance(error, sqlite3.OperationalError) and any(text in str(error).lower() for text in _NOT_ITS_BYTES):
        return StoreError(f"run: {path.name} cannot be read (run.db: {reason(error)})")
    return Damaged(f"run: {path.name} is damaged (run.db: {reason(error)})")


def read_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """All of `meta`. Raises what is in DAMAGE."""
    found = {}
    for key, value, stored in connection.execute("SELECT key, value, crc FROM meta"):
        check(stored, key, value)
        found[key] = json.loads(value)
    for key in ("created", "config", "status"):
        if key not in found:  # a page that has lost rows has no checksum that differs
            raise ValueError(f"its {key} is missing")
    return found

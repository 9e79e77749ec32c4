"""How the writer fills the tables: rows are prepared here and reach the database in one transaction at a time.

Whatever a transaction could not write stays prepared: a disk that is full for a while costs nothing but patience.
"""

from __future__ import annotations

import sqlite3
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from d2ltui.store.schema import CHUNK, crc

Record: TypeAlias = npt.NDArray[Any]


class Chunked:
    """A table of numbered records (from 1), CHUNK to a row: a record costs its own bytes, however slowly they come."""

    def __init__(self, table: str, dtype: np.dtype[Any], missing: Record) -> None:
        self._table, self._dtype, self._missing = table, dtype, missing
        self._tail = bytearray()
        self._first = 1
        self._dirty: dict[int, bytearray] = {}

    @property
    def count(self) -> int:
        """How many records there are."""
        return self._first - 1 + len(self._tail) // self._dtype.itemsize

    @property
    def pending(self) -> int:
        """Bytes that no transaction has written yet."""
        return sum(map(len, self._dirty.values()))

    def extend(self, records: Record, *, after: int) -> None:
        """Add records that follow the first `after` ones; records between, never told of, are missing."""
        if after > self.count:
            self.extend(np.resize(self._missing, after - self.count), after=self.count)
        data, size = records.astype(self._dtype, copy=False).tobytes(), CHUNK * self._dtype.itemsize
        while data:
            part = data[: size - len(self._tail)]
            self._tail += part
            self._dirty[self._first] = self._tail
            data = data[len(part) :]
            if len(self._tail) == size:
                self._first, self._tail = self._first + CHUNK, bytearray()

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is prepared."""
        for first, data in self._dirty.items():
            count = len(data) // self._dtype.itemsize
            row = (first, count, bytes(data), crc(first, count, bytes(data)))
            connection.execute(f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?, ?)", row)

    def written(self) -> None:
        """The transaction is over."""
        self._dirty.clear()

    def cut(self, connection: sqlite3.Connection, count: int) -> None:
        """Keep the first `count` records of what is in the table; those that are not there are missing."""
        connection.execute(f"DELETE FROM {self._table} WHERE first > ?", (count,))
        row = connection.execute(f"SELECT first, data FROM {self._table} ORDER BY first DESC LIMIT 1").fetchone()
        first, data = row if row is not None else (1, b"")
        self._dirty.clear()
        self._first, self._tail = first, bytearray(data[: (count - first + 1) * self._dtype.itemsize])
        self._dirty[self._first] = self._tail
        if len(self._tail) == CHUNK * self._dtype.itemsize:
            self._first, self._tail = self._first + CHUNK, bytearray()
        self.extend(np.empty(0, self._dtype), after=count)


class Thinned:
    """A table of moments in a run, with a limit: a full one loses every second row, and still spans the whole run."""

    def __init__(self, table: str, max_rows: int, max_bytes: int) -> None:
        self._table, self._max_rows, self._max_bytes = table, max_rows, max_bytes
        self._rows = self._bytes = 0  # in the table
        self._prepared: list[tuple[int, bytes]] = []

    @property
    def pending(self) -> int:
        """Bytes that no transaction has written yet."""
        return sum(len(data) for _, data in self._prepared)

    def add(self, step: int, data: bytes) -> None:
        """Add a row."""
        self._prepared.append((step, data))

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is prepared, and thin."""
        for step, data in self._prepared:
            row = (step, data, crc(step, data))
            connection.execute(f"INSERT INTO {self._table}(step, data, crc) VALUES (?, ?, ?)", row)
        rows, size = self._rows + len(self._prepared), self._bytes + self.pending
        while rows > 4 and (rows > self._max_rows or size > self._max_bytes):
            connection.execute(
                f"DELETE FROM {self._table} WHERE id < (SELECT max(id) FROM {self._table}) AND id IN "
                f"(SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {self._table}) WHERE n % 2 = 0)"
            )
            rows, size = self._size(connection)
        self._rows_after, self._bytes_after = rows, size

    def written(self) -> None:
        """The transaction is over."""
        self._prepared.clear()
        self._rows, self._bytes = self._rows_after, self._bytes_after

    def cut(self, connection: sqlite3.Connection, step: int) -> None:
        """Keep what is there of the first `step` steps."""
        connection.execute(f"DELETE FROM {self._table} WHERE step > ?", (step,))
        self._prepared.clear()
        self._rows, self._bytes = self._size(connection)

    def _size(self, connection: sqlite3.Connection) -> tuple[int, int]:
        rows, size = connection.execute(f"SELECT count(*), total(length(data)) FROM {self._table}").fetchone()
        return int(rows), int(size)

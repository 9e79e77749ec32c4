"""The schema's earlier versions, and how a database of one of them becomes one of the present version."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping

# By version: the SQL that makes a database of that version one of the next.
MIGRATIONS: Mapping[int, str] = {}


def migrate(
    connection: sqlite3.Connection, have: int, want: int, *, writes: bool, migrations: Mapping[int, str] = MIGRATIONS
) -> sqlite3.Connection:
    """A connection to the same data in version `want` of the schema; `connection` holds version `have`.

    The file itself is changed where the caller `writes` it, in one transaction. A reader gets a copy in memory: another
    program may still need the file as it is.

    Raises:
        sqlite3.Error: where it cannot be done; the file is as it was.
    """
    script = "".join(migrations.get(version, "") for version in range(max(0, have), want))
    if not script:
        return connection
    if not writes:
        copy = sqlite3.connect(":memory:", isolation_level=None)
        connection.backup(copy)
        connection.close()
        connection = copy
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {want}; COMMIT;")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return connection

"""The best figures that a run has had, from the epochs in its database."""

from __future__ import annotations

import sqlite3

import numpy as np

from d2ltui.store.schema import EPOCH, check

MOST_ROWS = 16  # of CHUNK epochs each: a list reads those of every run
_BETTER = {"train_loss": np.nanmin, "val_loss": np.nanmin, "train_metric": np.nanmax, "val_metric": np.nanmax}


def best_figures(connection: sqlite3.Connection) -> dict[str, float]:
    """Of each of EPOCH's figures the smallest loss and the largest metric; none of a run of very many epochs.

    Raises what is in `schema.DAMAGE`.
    """
    rows = connection.execute("SELECT first, count, data, crc FROM epochs LIMIT ?", (MOST_ROWS + 1,)).fetchall()
    if not rows or len(rows) > MOST_ROWS:
        return {}
    for first, count, data, stored in rows:
        check(stored, first, count, data)
    epochs = np.frombuffer(b"".join(data for _, _, data, _ in rows), EPOCH)
    epochs = epochs[epochs["step"] > 0]
    found = {}
    for name, better in _BETTER.items():
        values = epochs[name][np.isfinite(epochs[name])]
        if len(values):
            found[name] = float(better(values))
    return found

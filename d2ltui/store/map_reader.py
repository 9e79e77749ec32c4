"""Stored maps as they grow, and a row for each in the lists of what is stored.

reader = MapReader(path)
reader.poll()       # again and again: what another process has added since
rows = MapRows()
rows.read()         # a row for each map; what has not changed is not read again
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path

import msgspec

from d2ltui.spec.axes_usual import axis_text
from d2ltui.spec.files import read_regular
from d2ltui.spec.header import header_of
from d2ltui.spec.maps import Cell, Known, best, quantities_of
from d2ltui.store import home, maps
from d2ltui.store.environment import is_alive
from d2ltui.store.errors import Newer, StoreError
from d2ltui.store.listing import DAMAGED, NEWER, MapFacts, RunInfo

FINISHED, STOPPED, INTERRUPTED, TRAINING = "finished", "stopped", "interrupted", "training"


class MapReader:
    """A stored map: what it is of, and what is known of it as far as it was read last.

    Raises:
        StoreError: where it cannot be read; `poll`, too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = maps.read_spec(path)
        self.known = Known()
        self._read = 0  # bytes
        self._reading = threading.Lock()  # who looks again may come before the thread of the last look has ended
        self.poll()

    @property
    def name(self) -> str:
        """The map's."""
        return self.path.name

    def poll(self) -> bool:
        """Take in the cells that are there since the last time; whether there are any."""
        with self._reading:
            data = maps.read_cells(self.path, self._read)
            lines = data[: data.rfind(b"\n") + 1]
            new = dict(maps.parsed_cells(self.path, self.spec, lines))
            self._read += len(lines)
            fresh: dict[Cell, dict[str, object]] = {cell: new[cell] for cell in new if cell not in self.known.cells}
            if fresh:
                self.known.add(fresh)
            return bool(fresh)

    @property
    def complete(self) -> bool:
        """Whether all are known."""
        return len(self.known.cells) == self.spec.total

    @property
    def alive(self) -> bool:
        """Whether a process trains it."""
        return bool(self._process())

    def _process(self) -> bool | None:
        """Whether the process that trains it, or did so last, lives; None where that has said that it ended."""
        try:
            found = json.loads(read_regular(self.path / maps.PROCESS, 65536))
            sign = max(os.stat(self.path / name).st_mtime for name in (maps.PROCESS, maps.CELLS))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            return False
        return is_alive(found, sign)

    @property
    def status(self) -> str:
        """`training`, `finished`, `stopped`, or, where its process has gone without a word, `interrupted`."""
        if self.complete:
            return FINISHED
        lives = self._process()  # looked at once: another process may resume it just now
        return STOPPED if lives is None else TRAINING if lives else INTERRUPTED

    def overview(self) -> dict[str, object]:
        """Everything in plain values: the row, and each cell's figures."""
        return {**self.row().to_json(), "cells": maps.cells_in_order(self.spec, self.known.cells)}

    def row(self) -> RunInfo:
        """What a list shows of it: its figures are those of its best cell."""
        spec, known = self.spec, self.known
        quantity = quantities_of(spec.config.task)[0]
        found = best(known.cells, quantity)
        figures, where = {}, None
        if found is not None:
            (column, row), _ = found
            names = ("train_loss", "val_loss", "val_accuracy", "val_r2")
            of_best = known.cells[column, row]
            figures = {name: of_best[name] for name in names if of_best.get(name) is not None}
            where = {spec.x.field: spec.x.values[column], spec.y.field: spec.y.values[row]}
        facts = MapFacts(
            x=axis_text(spec.x),
            y=axis_text(spec.y),
            fields=(spec.x.field, spec.y.field),
            seeds=spec.seeds,
            done=len(known.cells),
            total=spec.total,
            best=msgspec.to_builtins(where),
        )
        return RunInfo(
            name=self.name,
            path=self.path,
            status=self.status,
            created=_made(self.path),
            config=spec.config,
            header=header_of(spec.config),
            figures=figures,
            note=home.note(self.path),
            kind="map",
            of_map=facts,
        )


def _made(path: Path) -> float:
    try:
        return os.lstat(path / maps.DESCRIPTION).st_mtime
    except OSError:
        return 0.0


class MapRows:
    """The rows of all maps, for somebody who looks again and again. One thread at a time uses it."""

    def __init__(self) -> None:
        self._readers: dict[Path, tuple[tuple[int, int] | None, MapReader]] = {}

    def read(self) -> list[RunInfo]:
        """A row for each map, the oldest first; of one that cannot be read, a row that says why. Never raises."""
        paths = [maps.maps_dir() / name for name in maps.names()]
        self._readers = {path: found for path, found in self._readers.items() if path in paths}
        return [self._row(path) for path in paths]

    def _row(self, path: Path) -> RunInfo:
        try:
            mark = _identity(path)
            known = self._readers.get(path)
            if known is None or known[0] != mark:
                known = self._readers[path] = (mark, MapReader(path))
            else:
                known[1].poll()
            return known[1].row()
        except StoreError as error:
            self._readers.pop(path, None)
            status = NEWER if isinstance(error, Newer) else DAMAGED
            facts = MapFacts("", "", (), 0, 0, 0, None)
            return RunInfo(
                path.name,
                path,
                status,
                created=_made(path),
                problem=str(error),
                note=home.note(path),
                kind="map",
                of_map=facts,
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a map's directory from one that has taken its place."""
    with contextlib.suppress(OSError):
        found = os.lstat(path / maps.DESCRIPTION)
        return found.st_ino, found.st_mtime_ns
    return None

"""Maps on disk: one directory each, however many networks they have.

    D2LTUI_HOME/maps/map-1/map.json       what is trained: the run, both axes, the seeds
    D2LTUI_HOME/maps/map-1/cells.jsonl    a line for each cell that is done, in the order in which they were
    D2LTUI_HOME/maps/map-1/process.json   which process trains it; where that was killed, did

A line is written when its cell is known, so that a process that was killed leaves all that it had finished.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from d2ltui.spec.axes import Axis, checked_axis
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import RunConfig
from d2ltui.spec.files import open_regular, read_regular
from d2ltui.spec.language import _
from d2ltui.spec.maps import CURVES, HISTOGRAMS, SAID, MapSpec
from d2ltui.spec.text import json_line, printable_values, quoted
from d2ltui.spec.versions import plain_config, read_config, unknown_choices
from d2ltui.store import home
from d2ltui.store.environment import process
from d2ltui.store.errors import Damaged, Newer, NotAllowed, StoreError, reason
from d2ltui.store.plausible import check_config

DESCRIPTION, CELLS, PROCESS = "map.json", "cells.jsonl", "process.json"
STEM = "map"
MAX_BYTES = 256 * 2**20  # of a file that is read
MOST_SEEDS = 1000
VERSION = 1
_LOSSES, _METRICS = {"epoch", "train_loss", "val_loss"}, {"val_accuracy", "val_r2"}  # of the curves of a cell


def maps_dir() -> Path:
    """The directory of all maps' directories."""
    return home.home() / "maps"


def names() -> list[str]:
    """The names of all maps, the oldest first."""
    with contextlib.suppress(OSError):
        found = [name for name in os.listdir(maps_dir()) if re.fullmatch(rf"{STEM}-\d{{1,9}}", name)]
        return sorted(found, key=lambda name: int(name.rpartition("-")[2]))
    return []


def find(reference: str) -> Path:
    """The directory of the map that is called so; of the newest one for `latest`.

    Raises:
        NotAllowed: where there is none.
    """
    known = names()
    if reference == home.LATEST and known:
        return maps_dir() / known[-1]
    if reference in known:
        return maps_dir() / reference
    there = ", ".join(known[-5:]) if known else _("nothing, there is no map yet")
    raise NotAllowed(
        _("map: {reference} is not known; allowed: {there}").format(reference=quoted(reference), there=there)
    )


class StoredMap:
    """A map that is being trained, or was. While it is open, no other process writes it.

    Raises:
        StoreError: where its directory cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = home.Lock(path, "map")
        try:
            self._file = os.fdopen(open_regular(path / CELLS, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab")
            self._end_line()
            text = json_line(process())
            home.write_atomically(path / PROCESS, lambda file: file.write(text.encode()))
        except OSError as error:
            self._lock.release()
            raise StoreError(
                _("map: {name} cannot be written ({reason})").format(name=path.name, reason=reason(error))
            ) from None

    def _end_line(self) -> None:
        """A line that a killed process began is no cell: the next one must not go on with it."""
        data = read_regular(self.path / CELLS, MAX_BYTES)
        if data and not data.endswith(b"\n"):
            os.ftruncate(self._file.fileno(), data.rfind(b"\n") + 1)

    @classmethod
    def create(cls, spec: MapSpec) -> StoredMap:
        """A new map.

        Raises:
            StoreError: where it cannot be stored.
        """
        text = (json_line({"version": VERSION, **_plain(spec)}) + "\n").encode()

        def fill(made: Path) -> None:
            home.write_atomically(made / DESCRIPTION, lambda file: file.write(text))

        try:
            path = home.create(STEM, fill, maps_dir())
        except OSError as error:
            raise StoreError(
                _("map: it cannot be stored in {parent} ({reason})").format(parent=maps_dir(), reason=reason(error))
            ) from None
        return cls(path)

    def add(self, cells: Mapping[tuple[int, int], Mapping[str, Any]]) -> None:
        """Write cells that are done, if any are, and with them a sign of life: a cell may take minutes.

        Raises:
            StoreError: where the disk does not take them.
        """
        try:
            for (column, row), figures in cells.items():
                self._file.write((json_line({"cell": [column, row], **figures}) + "\n").encode())
            if cells:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(
                _("map: {name} cannot be written ({reason})").format(name=self.path.name, reason=reason(error))
            ) from None
        with contextlib.suppress(OSError):  # the map goes on; to others its process seems gone until the next sign
            os.utime(self.path / PROCESS)

    def close(self) -> None:
        """Let others have it."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            (self.path / PROCESS).unlink()
        self._lock.release()


def _plain(spec: MapSpec) -> dict[str, Any]:
    axes = {"x": msgspec.to_builtins(spec.x), "y": msgspec.to_builtins(spec.y)}
    return {"config": plain_config(spec.config), **axes, "seeds": spec.seeds, "given": list(spec.given)}


def read(path: Path) -> tuple[MapSpec, dict[tuple[int, int], dict[str, Any]]]:
    """What the map in directory `path` is of, and its cells that are done.

    Raises:
        StoreError: where it cannot be read.
    """
    spec = read_spec(path)
    return spec, dict(parsed_cells(path, spec, read_cells(path)))


def read_spec(path: Path) -> MapSpec:
    """What the map in directory `path` is of.

    Raises:
        StoreError: where it cannot be read.
    """
    with _problems_of(path):
        values = printable_values(json.loads(read_regular(path / DESCRIPTION, MAX_BYTES)))
        if (version := msgspec.convert(values.get("version", VERSION), int)) > VERSION:
            raise Newer(
                _("map: {name} is from a newer d2ltui (version {version}; this one reads {ours})").format(
                    name=path.name, version=version, ours=VERSION
                )
            )
        return MapSpec(
            _config(path, values["config"]),
            checked_axis("x", msgspec.convert(values["x"], Axis)),
            checked_axis("y", msgspec.convert(values["y"], Axis)),
            msgspec.convert(values["seeds"], Annotated[int, msgspec.Meta(ge=1, le=MOST_SEEDS)]),
            tuple(msgspec.convert(values["given"], list[str])),
        )


def read_cells(path: Path, after: int = 0) -> bytes:
    """The lines of a map's cells, without the first `after` bytes; none where no cell is done yet.

    Raises:
        StoreError: where they cannot be read.
    """
    with _problems_of(path):
        try:
            if after and os.lstat(path / CELLS).st_size <= after:
                return b""
            return read_regular(path / CELLS, MAX_BYTES)[after:]
        except FileNotFoundError:
            return b""


def parsed_cells(path: Path, spec: MapSpec, data: bytes) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """The cells that whole lines of `data` tell of.

    Raises:
        StoreError: where one is none.
    """
    with _problems_of(path):
        for line in data.splitlines(keepends=True):
            if line.endswith(b"\n"):
                (column, row), figures = _cell(printable_values(json.loads(line)))
                if 0 <= column < len(spec.x.values) and 0 <= row < len(spec.y.values):
                    yield (column, row), figures


@contextlib.contextmanager
def _problems_of(path: Path) -> Iterator[None]:
    """What is wrong with the files of a map, as a sentence."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            _("map: {name} cannot be read ({reason})").format(name=path.name, reason=reason(error))
        ) from None
    except RecursionError:
        raise Damaged(_("map: {name} is damaged (it is nested too deeply)").format(name=path.name)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(_("map: {name} is damaged ({reason})").format(name=path.name, reason=reason(error))) from None


def _config(path: Path, stored: object) -> RunConfig:
    """The run that the axes vary. Errors pass; a StoreError where it is another version's."""
    config = read_config(stored)
    if unknown := unknown_choices(config):
        raise Newer(
            _("map: {name} is from a newer d2ltui, or needs a plug-in ({choices} is not known here)").format(
                name=path.name, choices=_(" and ").join(unknown)
            )
        )
    check_config(config)
    layer_plan(config)
    return config


def _cell(values: object) -> tuple[tuple[int, int], dict[str, Any]]:
    """The place of a cell and its figures, as a line has them; a ValueError or KeyError where it is no such line."""
    figures = msgspec.convert(values, dict[str, Any])
    place = msgspec.convert(figures.pop("cell"), tuple[int, int])
    msgspec.convert(figures["status"], Literal["finished", "diverged"])
    msgspec.convert(figures["finding"], str | None)
    msgspec.convert(figures.get(SAID), str | None)
    curves = msgspec.convert(figures.get(CURVES), dict[str, list[float | None]] | None) or {}
    if curves and (not curves.keys() >= _LOSSES or curves.keys().isdisjoint(_METRICS)):
        raise ValueError("curves: one is missing")
    if len(set(map(len, curves.values()))) > 1:
        raise ValueError("curves: they are not of one length")
    msgspec.convert(figures.get(HISTOGRAMS), list[tuple[str, float, float, list[int]]] | None)
    others = ("status", "finding", SAID, CURVES, HISTOGRAMS)
    numbers = {name: value for name, value in figures.items() if name not in others}
    msgspec.convert(numbers, dict[str, float | None])
    return place, figures


def cells_in_order(spec: MapSpec, cells: Mapping[tuple[int, int], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Plain values of each cell that is done, row by row from the bottom: both fields, then every quantity.

    Its curves, its histograms and its finding in words are not among them.
    """
    x, y = spec.x, spec.y
    return [
        {
            x.field: msgspec.to_builtins(x.values[column]),
            y.field: msgspec.to_builtins(y.values[row]),
            **{name: value for name, value in figures.items() if name not in (SAID, CURVES, HISTOGRAMS)},
        }
        for (column, row), figures in sorted(cells.items(), key=lambda item: item[0][::-1])
    ]


def csv_lines(spec: MapSpec, cells: Mapping[tuple[int, int], Mapping[str, Any]]) -> Iterator[str]:
    """A row for each cell that is done."""
    rows = cells_in_order(spec, cells)
    names = list(dict.fromkeys((spec.x.field, spec.y.field, *(name for row in rows for name in row))))
    yield ",".join(names) + "\n"
    for row in rows:
        yield ",".join("" if row.get(name) is None else str(row[name]) for name in names) + "\n"


def json_text(spec: MapSpec, cells: Mapping[tuple[int, int], Mapping[str, Any]]) -> str:
    """Everything, as one line that any JSON parser takes."""
    return json_line({"kind": "map", **_plain(spec), "cells": cells_in_order(spec, cells)}) + "\n"

"""All runs at a glance: one row for each, from its database's `meta` and what was found in it last.

runs()          # all rows, read now
rows = Rows()
rows.read()     # the same, again and again: what has not changed is not read again
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import ENDED, PRUNED, Finding
from d2ltui.spec.findings import Tally, finding_values, tally
from d2ltui.spec.header import RunHeader, header_of
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import counted
from d2ltui.spec.versions import can_be_shown, plain_config, read_config, unknown_choices
from d2ltui.store import home
from d2ltui.store.best import best_figures
from d2ltui.store.environment import is_alive
from d2ltui.store.errors import Newer, StoreError
from d2ltui.store.schema import DAMAGE, Busy, damaged, last_findings, open_run, read_meta

INTERRUPTED, DAMAGED, BUSY, NEWER = "interrupted", "damaged", "busy", "newer"
STATUSES = ("loading", "training", "paused", *ENDED, INTERRUPTED, DAMAGED, BUSY, NEWER)
FIGURES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "train_r2", "val_r2")
METRICS = ("train_metric", "val_metric")  # accuracy or R²
BEST = ("best_train_loss", "best_val_loss", "best_train_metric", "best_val_metric")
_METRICS = {name: (name.replace("metric", "accuracy"), name.replace("metric", "r2")) for name in METRICS}
PATIENCE = 0.05  # seconds that a list waits for the process that writes one of its runs
SETTLED = 2.0  # seconds after which a file's times tell for certain that it is the same: some clocks are coarse


class MapFacts(msgspec.Struct, frozen=True):
    """What a list shows of a map beside what it shows of a run: its axes, its cells, and the values of the best one."""

    x: str
    y: str
    fields: tuple[str, ...]
    seeds: int
    done: int
    total: int
    best: dict[str, Any] | None


class RunInfo(msgspec.Struct, frozen=True):
    """What a list shows of a run.

    `status` is `interrupted` where nobody trains a run that has not ended. Where the run cannot be read, `problem` says
    why in one sentence, and it is `damaged`, or `busy`: another process holds it just now, or `newer`: another version
    has stored it in a way that this one does not read; the row has what is known all the same. `figures` are the last
    epoch's (see FIGURES), `epochs` those that are over.
    """

    name: str
    path: Path
    status: str
    created: float = 0.0  # Unix time
    config: RunConfig | None = None  # None, too, where another program trains it
    header: RunHeader | None = None
    device: str = ""
    host: str = ""
    steps: int = 0
    epochs: int = 0
    seconds: float = 0.0
    figures: dict[str, float] = {}
    best: dict[str, float] = {}  # the smallest losses and the largest metrics of all epochs: see `best.best_figures`
    message: str = ""
    findings: tuple[Finding, ...] = ()
    note: str = ""
    group: str = ""
    kind: str = ""  # of the group: seeds, sweep, lesson
    role: str = ""  # in a lesson: its experiment's
    problem: str = ""
    last_lr: float | None = None  # where it was changed while the run was trained
    of_map: MapFacts | None = None  # of a map, which is listed among the runs

    @property
    def active(self) -> bool:
        """Whether a process is training it."""
        return self.status in ("loading", "training", "paused")

    @property
    def rates(self) -> str:
        """The learning rate, and what it was changed to: `0.1`, `0.1→0.05`; of a map both ends; "" where unknown."""
        if self.header is None or math.isnan(self.header.lr):
            return ""
        if self.of_map is not None and "lr" in self.of_map.fields:
            axis = next(axis for axis in (self.of_map.x, self.of_map.y) if axis.startswith("lr=")).partition("=")[2]
            ends = axis.split(":")[:2] if ":" in axis else axis.split(",")
            return "…".join(dict.fromkeys((ends[0], ends[-1])))  # a column has no room for how many there are
        changed = self.last_lr is not None and self.last_lr != self.header.lr
        return setting(self.header.lr) + (f"→{setting(self.last_lr)}" if changed else "")

    @property
    def progress(self) -> str:
        """`3/10`: the epochs that are over, and all of them; "" where nothing is known of the run."""
        if self.header is None:
            return ""
        if self.of_map is not None:
            return f"{self.of_map.done:,}/{counted(self.of_map.total, 'cell', ',')}"
        return f"{self.epochs:,}/{f'{self.header.epochs:,}' if self.header.epochs else '?'}"

    @property
    def tally(self) -> Tally:
        """How many alarms and warnings it has."""
        return tally(self.findings)

    @property
    def pruned(self) -> bool:
        """Whether it was ended early because it would not have learned; `message` says why."""
        return self.status == "stopped" and self.message.startswith(PRUNED)

    @property
    def resumable(self) -> bool:
        """Whether it can go on."""
        return self.status in ("stopped", "failed", INTERRUPTED)

    def value(self, field: str) -> Any:
        """What `field`, one of `filters.FIELDS`, is; None where it is not there, or differs from cell to cell."""
        if self.of_map is not None and field in (*self.of_map.fields, "steps", "seconds"):
            return None
        if field in RunInfo.__struct_fields__:
            return getattr(self, field)
        if field in self.figures:
            return self.figures[field]
        if field in METRICS:
            return next((self.figures[name] for name in _METRICS[field] if name in self.figures), None)
        if field in BEST:
            return self.best.get(field.removeprefix("best_"))
        if self.config is None and self.header is not None:
            return self.header.params.get(field)
        return getattr(self.config, field, None)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        if self.of_map is not None:
            return {
                "name": self.name,
                "kind": "map",
                "status": self.status,
                "created": self.created,
                "group": None,
                "note": self.note,
                **{name: value for name, value in msgspec.to_builtins(self.of_map).items() if name != "fields"},
                **self.figures,
                "config": plain_config(self.config) if self.config is not None else None,
                "message": self.problem,
                "path": str(self.path),
            }
        return {
            "name": self.name,
            "status": self.status,
            "created": self.created,
            "group": self.group or None,
            "note": self.note,
            "device": self.device,
            "host": self.host,
            "steps": self.steps,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 4),
            "steps_per_s": round(self.steps / self.seconds, 2) if self.seconds > 0 else None,
            "last_lr": self.last_lr,
            **self.figures,
            **{f"best_{name}": figure for name, figure in self.best.items()},
            "config": plain_config(self.config) if self.config is not None else None,
            **({"header": msgspec.to_builtins(self.header)} if self.config is None and self.header is not None else {}),
            "findings": [finding_values(finding) for finding in self.findings],
            "message": self.message or self.problem,
            "path": str(self.path),
        }


def info(path: Path) -> RunInfo:
    """A row for the run in directory `path`; it never raises: a damaged run is a row, too."""
    return _read(path, None)[0]


def _read(path: Path, patience: float | None) -> tuple[RunInfo, dict[str, Any] | None]:
    """A row, and the `meta` that it is made of, where there is one."""
    try:
        with contextlib.closing(open_run(path, patience=patience)) as connection:
            try:
                meta = read_meta(connection)
                last = last_findings(connection)
                row = describe(path, meta, last[1].findings if last is not None else (), best_figures(connection))
                # A list of many keeps no more than its rows are made of.
                return row, {key: meta[key] for key in meta if key != "summary"}
            except DAMAGE as error:
                raise damaged(path, error) from None
    except Busy as error:
        return RunInfo(path.name, path, BUSY, created=_made(path), problem=str(error)), None
    except Newer as error:
        return _newer(path, patience, str(error)), None
    except StoreError as error:
        return RunInfo(path.name, path, DAMAGED, problem=str(error), note=home.note(path)), None


def _newer(path: Path, patience: float | None, problem: str) -> RunInfo:
    """A row for a run of a later schema: what has stayed where it was."""
    with (
        contextlib.suppress(StoreError, *DAMAGE),
        contextlib.closing(open_run(path, patience=patience, newer=True)) as c,
    ):
        row = describe(path, read_meta(c))
        with contextlib.suppress(*DAMAGE):  # it may have another table
            row = describe(path, read_meta(c), found[1].findings if (found := last_findings(c)) is not None else ())
        return msgspec.structs.replace(row, status=NEWER, problem=problem)
    return RunInfo(path.name, path, NEWER, created=_made(path), note=home.note(path), problem=problem)


def told_by(meta: Mapping[str, Any]) -> tuple[RunConfig | None, RunHeader]:
    """What a run's `meta` says that it is: a run of this engine, with its configuration, or another program's."""
    if "header" in meta:
        return None, msgspec.convert(meta["header"], RunHeader)
    config = read_config(meta["config"])
    if can_be_shown(config):
        return config, header_of(config)
    return config, RunHeader(params={"lr": config.lr}, epochs=config.epochs)


def unreadable(path: Path, config: RunConfig) -> str:
    """Why the run in directory `path` means nothing to this version, as a sentence; "" where it does."""
    if can_be_shown(config):
        return ""
    return _("run: {name} is from a newer d2ltui, or needs a plug-in ({choices} is not known here)").format(
        name=path.name, choices=_(" and ").join(unknown_choices(config))
    )


def _made(path: Path) -> float:
    """When a run was made, about, as its directory tells: its configuration is written once."""
    try:
        return os.lstat(path / home.CONFIG).st_mtime
    except OSError:
        return 0.0


def describe(
    path: Path, meta: dict[str, Any], findings: tuple[Finding, ...] = (), best: Mapping[str, float] | None = None
) -> RunInfo:
    """A row from what `schema.read_meta` has found in the run's directory `path`, with its last findings."""
    config, header = told_by(meta)
    problem = unreadable(path, config) if config is not None else ""
    status, progress = meta["status"], meta.get("progress") or {}
    if status not in ENDED and not is_alive(meta.get("process"), meta.get("sign")):
        status = INTERRUPTED
    names = {"train_loss": "train_loss", "val_loss": "val_loss"}
    if not problem:
        metric = header.metric
        names |= {"train_metric": f"train_{metric}", "val_metric": f"val_{metric}"}
    figures = {new: progress[old] for old, new in names.items() if progress.get(old) is not None}
    figures = {name: value for name, value in figures.items() if value - value == 0}  # finite
    group, environment = meta.get("group") or {}, meta.get("environment") or {}
    return RunInfo(
        name=path.name,
        path=path,
        status=NEWER if problem else status,
        created=float(meta["created"]),
        config=config,
        header=header,
        device=meta.get("device", ""),
        host=str(environment.get("host", "")),
        steps=progress.get("step", 0),
        epochs=progress.get("epoch", 0),
        seconds=float(progress.get("seconds", 0.0)),
        figures=figures,
        best=dict(best or {}),
        message=meta.get("message", ""),
        findings=findings,
        note=home.note(path),
        group=group.get("name", ""),
        kind=group.get("kind", ""),
        role=group.get("role", ""),
        problem=problem,
        last_lr=float(lr) if isinstance(lr := progress.get("lr"), (int, float)) else None,
    )


def stamp(path: Path) -> tuple[float, ...] | None:
    """What changes whenever a run's database does; None where it may change without, or cannot be looked at."""
    try:
        found = os.lstat(path / home.DATABASE)
    except OSError:
        return None
    if time.time() - max(found.st_mtime, found.st_ctime) <= SETTLED:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Rows:
    """The rows of all runs, for somebody who looks again and again. One thread at a time uses it."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[float, ...] | None, RunInfo, dict[str, Any] | None]] = {}

    def read(self) -> list[RunInfo]:
        """All runs, the oldest first.

        A run that another process holds keeps the row that was read before, with `problem` saying so.

        Raises:
            StoreError: where the directory of runs cannot be read.
        """
        parent = home.runs_dir()
        paths = [parent / name for name in home.names()]
        self._known = {path: self._row(path) for path in paths}
        rows = [
            row for _seen, row, _meta in self._known.values() if row.status != DAMAGED or not home.is_left(row.path)
        ]
        return sorted(rows, key=lambda run: (run.created, run.name))

    def _row(self, path: Path) -> tuple[tuple[float, ...] | None, RunInfo, dict[str, Any] | None]:
        now = stamp(path)  # before the run is read: what is written meanwhile is read the next time
        known, row, meta = self._known.get(path, (None, None, None))
        if row is None or now is None or known != now:
            fresh, found = _read(path, PATIENCE)
            if fresh.status != BUSY:
                return now, fresh, found
            if row is None or meta is None:
                return None, fresh, None
            row = describe(path, meta, row.findings, row.best)
            return None, msgspec.structs.replace(row, problem=fresh.problem), meta
        if row.active and meta is not None:  # its process may have gone without a word
            row = describe(path, meta, row.findings, row.best)
        elif (note := home.note(path)) != row.note and meta is not None:
            row = msgspec.structs.replace(row, note=note)
        return now, row, meta


def runs() -> list[RunInfo]:
    """All runs, the oldest first. One that another process holds just now is listed as busy.

    Raises:
        StoreError: where the directory of runs cannot be read.
    """
    return Rows().read()


def newest_first(run: RunInfo) -> tuple[float, str]:
    """The order of every list of runs that a person sees, as a key to sort by."""
    return -run.created, run.name


def active() -> list[RunInfo]:
    """The runs that some process trains now, the oldest first."""
    return [run for run in runs() if run.active]

"""`map`: trains the cells of a grid, draws them while they are trained, stores them, and says what came of them."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click
import msgspec

from d2ltui.charts.spec import Drawing, Style
from d2ltui.cli import map_report, text
from d2ltui.engine import summary
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError
from d2ltui.engine.graphs import slower
from d2ltui.engine.map import REDRAW_EVERY, Cell, Figures, MapTraining
from d2ltui.runner.map_run import MapRun, cells_of
from d2ltui.spec import terminal
from d2ltui.spec.axes import Axis
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import to_json
from d2ltui.spec.jobs import Jobs, JobsError, WorkersLost
from d2ltui.spec.language import _
from d2ltui.spec.maps import Known, MapSpec, effort_of, runs_of
from d2ltui.spec.numbers import duration
from d2ltui.spec.numbers import rate as pace
from d2ltui.spec.output import unwritable
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.signals import OnHangup, Signals
from d2ltui.spec.text import counted
from d2ltui.store.errors import NotAllowed, StoreError
from d2ltui.store.maps import StoredMap, cells_in_order, find, read


def new_map(
    config: RunConfig,
    x: Axis,
    y: Axis,
    seeds: int,
    given: tuple[str, ...],
    *,
    store: bool,
    show: str | None,
    **how: Any,
) -> int:
    """Train a map; the exit status.

    Raises:
        ConfigError: where a cell cannot be trained.
        StoreError: where it is not allowed.
    """
    spec = MapSpec(config, x, y, seeds, given)
    quantity = map_report.quantity_of(config, show)
    if not _agreed(spec, how["yes"]):
        return 2
    cells = cells_of(spec)
    stored = StoredMap.create(spec) if store else None
    return _Map(spec, quantity, {}, stored).train(cells, **_without_yes(how))


def resume_map(reference: str, *, show: str | None, **how: Any) -> int:
    """Go on with a stored map, or show it where it is complete; the exit status.

    Raises:
        StoreError: where it cannot be read, or another process trains it.
    """
    path = find(reference)
    read(path)  # of what cannot be read it is said why, rather than that it is in use
    stored = StoredMap(path)
    try:
        spec, done = read(path)  # nobody adds cells to it any more
        quantity = map_report.quantity_of(spec.config, show)
    except BaseException:
        stored.close()
        raise
    left = {cell: runs for cell, runs in runs_of(spec).items() if cell not in done}
    return _Map(spec, quantity, done, stored).train(left, **_without_yes(how))


def _without_yes(how: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if name != "yes"}


def _agreed(spec: MapSpec, yes: bool) -> bool:
    """Whether a map that takes long is to be trained all the same: somebody at a terminal is asked.

    Raises:
        NotAllowed: where there is nobody to ask.
    """
    effort = effort_of(spec)
    if yes or not effort.is_large:
        return True
    takes = effort.in_words
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty():
        return click.confirm(_("map: {takes}. Train them?").format(takes=takes), err=True, default=False)
    raise NotAllowed(_("map: {takes}; allowed: fewer values or epochs, or --yes").format(takes=takes))


class _Map:
    """A map that is being made."""

    def __init__(self, spec: MapSpec, quantity: str, done: Mapping[Cell, Figures], stored: StoredMap | None) -> None:
        self._spec, self._quantity, self._stored = spec, quantity, stored
        self._known = Known(done)
        self._total = spec.total
        self._shown: list[str] = []  # lines on the terminal
        self._drawn_at = 0.0
        self._training: MapTraining | None = None  # None before its first look at the clock
        self._wanted = 0  # networks
        self._problem = ""  # why it has failed

    def train(
        self, cells: Mapping[Cell, Sequence[RunConfig]], *, as_json: bool, quiet: bool, on_hangup: OnHangup, jobs: Jobs
    ) -> int:
        """Train `cells`, and say what came of all; the exit status."""
        self._wanted = sum(map(len, cells.values()))
        out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
        live = not quiet and out.isatty() and terminal.moves_cursor()
        control = Control()
        try:
            with Signals(on_hangup) as signals:
                signals.watch(control)
                try:
                    training, finished = self._train(cells, control, live, quiet, err, jobs)
                except Exception as error:
                    status = self._failed(error, err)
                    if as_json and (status == 1 or self._known.cells):
                        with contextlib.suppress(OSError):  # nobody reads it
                            print(to_json(self._as_json("failed")), file=out, flush=True)
                    return status
                self._training = training
                try:
                    if not quiet:
                        self._tell(training, live)
                        if self._stored is not None:
                            self._tell_where(err)
                    if as_json:
                        print(to_json(self._as_json("finished" if finished else "stopped")), file=out, flush=True)
                except OSError as error:
                    return signals.status or unwritable(error, err)
                return signals.status or 0
        finally:
            if self._stored is not None:
                self._stored.close()

    def _train(
        self,
        cells: Mapping[Cell, Sequence[RunConfig]],
        control: Control,
        live: bool,
        quiet: bool,
        err: TextIO,
        jobs: Jobs,
    ) -> tuple[MapTraining, bool]:
        told = 0

        def progress(training: MapTraining) -> None:
            nonlocal told
            self._training = training
            known = len(self._known.cells)
            if live and time.monotonic() - self._drawn_at >= REDRAW_EVERY:
                self._draw(training)
            elif not (live or quiet) and known >= told + self._total / 4:
                told = known
                print(
                    _("{done} of {cells}").format(done=told, cells=counted(self._total, "cell")), file=err, flush=True
                )

        keep = self._stored.add if self._stored is not None else None

        def say(sentence: str) -> None:
            self._erase()
            print(f"d2ltui: {sentence}", file=err, flush=True)

        return MapRun(self._spec, self._known, self._quantity, keep, control, jobs, say).train(cells, progress)

    def _failed(self, error: Exception, err: TextIO) -> int:
        status, said = 1, str(error)
        if isinstance(error, JobsError):
            status = 2
        elif isinstance(error, StoreError):
            said = _("{reason}; what was trained before is kept").format(reason=error)
        elif not isinstance(error, WorkersLost):
            said = summary.describe_error(error, self._spec.config, self._spec.config.device, ())[1]
            status = 2 if isinstance(error, (DeviceError, ConfigError)) else 1
        self._problem = said
        print(f"d2ltui: {said}", file=err)
        if self._stored is not None and self._known.cells and not isinstance(error, (JobsError, StoreError)):
            self._tell_where(err)
        return status

    # The picture

    def _picture(self) -> Drawing:
        return map_report.picture(self._spec, self._known, self._quantity)

    def _draw(self, training: MapTraining) -> None:
        """The picture as far as it is known, in the place of the last one; without room for it, how far the map is."""
        lines = self._picture()
        rate = training.steps / training.seconds if training.seconds else 0.0
        lines.append(
            [
                (
                    Style.AXIS,
                    _("{cells} of {total} cells, {rate} network-steps a second").format(
                        cells=len(self._known.cells), total=self._total, rate=pace(rate)
                    ),
                )
            ]
        )
        columns, rows = terminal.size(sys.stdout)
        # A line that is longer than the terminal's takes two there, and the next picture would not meet the last one.
        fits = len(lines) < rows and max(sum(len(part) for __, part in line) for line in lines) <= columns
        self._show(text.as_text(lines if fits else lines[-1:]))
        self._drawn_at = time.monotonic()

    def _show(self, lines: list[str]) -> None:
        """Print the lines that have changed, in the places of the last ones."""
        if len(lines) != len(self._shown):
            self._erase()
            self._shown = [""] * len(lines)
            print("\n" * len(lines), end="")
        moved = []
        for up, (line, old) in enumerate(zip(reversed(lines), reversed(self._shown), strict=True), 1):
            if line != old:
                moved.append(f"\x1b[{up}A{line}\x1b[K\r\x1b[{up}B")
        print("".join(moved), end="", flush=True)
        self._shown = lines

    def _erase(self) -> None:
        if self._shown:
            print(f"\x1b[{len(self._shown)}A\x1b[J", end="", flush=True)
            self._shown = []

    # What came of it

    def _tell(self, training: MapTraining, live: bool) -> None:
        if live:
            self._erase()
        text.lines(self._picture())
        if training.seconds:
            rate = training.steps / training.seconds
            text.say(
                _("{networks}, {steps:,} steps in {seconds}: {rate} network-steps a second").format(
                    networks=counted(training.networks, "network", ","),
                    steps=training.steps,
                    seconds=duration(training.seconds),
                    rate=pace(rate),
                )
            )
        if training.why_not:
            text.say(slower(training.why_not))
        if len(self._known.cells) < self._total:
            text.say(_("{cells} of {total} cells are done").format(cells=len(self._known.cells), total=self._total))
        map_report.tell_findings(self._known)
        map_report.tell_best(self._spec, self._known, self._quantity)

    def _tell_where(self, err: TextIO) -> None:
        assert self._stored is not None
        name = self._stored.path.name
        said = (
            _("stored as {name}: d2ltui map --resume {name} shows it; d2ltui export {name} --csv")
            if len(self._known.cells) == self._total
            else _("stored as {name}: d2ltui map --resume {name} continues it; d2ltui export {name} --csv")
        )
        print(said.format(name=name), file=err, flush=True)

    def _as_json(self, status: str) -> dict[str, object]:
        spec, training = self._spec, self._training
        return {
            "kind": "map",
            "map": self._stored.path.name if self._stored is not None else None,
            "x": msgspec.to_builtins(spec.x),
            "y": msgspec.to_builtins(spec.y),
            "seeds": spec.seeds,
            "show": self._quantity,
            "status": status,
            "message": self._problem,
            "networks": training.networks if training is not None else self._wanted,
            "steps": training.steps if training is not None else 0,
            "seconds": round(training.seconds, 4) if training is not None else 0.0,
            "cells": cells_in_order(spec, self._known.cells),
        }

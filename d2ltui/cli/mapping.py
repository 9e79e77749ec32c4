"""`map`: trains the cells of a grid, draws them while they are trained, stores them, and says what came of them."""

from __future__ import annotations

import io
import itertools
import math
import shlex
import string
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click
import msgspec
import numpy as np

from d2ltui.charts import heatmap
from d2ltui.charts.spec import Drawing, Style
from d2ltui.cli import text
from d2ltui.cli.sweep import with_seeds
from d2ltui.engine import summary
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, select
from d2ltui.engine.map import REDRAW_EVERY, Cell, Figures, MapTraining
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.spec import catalogue, terminal
from d2ltui.spec.axes import Axis, cell_config, check_cells
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import to_json
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.memory import check_memory
from d2ltui.spec.numbers import duration, optional, setting
from d2ltui.spec.numbers import rate as pace
from d2ltui.spec.output import unwritable
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.signals import OnHangup, Signals
from d2ltui.spec.text import counted
from d2ltui.store.errors import NotAllowed, StoreError
from d2ltui.store.maps import MapSpec, StoredMap, cells_in_order, find, read

UNIT = ("val_accuracy", "dead", "saturated")  # shares, up to 1
LOWER_IS_BETTER = ("val_loss", "train_loss")
LOGARITHMIC = (*LOWER_IS_BETTER, "gradient-ratio")
MANY, LONG = 4096, 600.0  # networks, and seconds, from which on it is asked first
STEP_SECONDS, FLOPS = 9e-6, 3e10  # what a step of a network takes in a population on one core, about
LETTERS = string.ascii_letters + string.digits


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
    quantity = _quantity(config, show)
    if not _agreed(spec, how["yes"]):
        return 2
    cells = _cells(spec)
    check_cells({cell: runs[0] for cell, runs in cells.items()})
    check_memory(config)
    stored = StoredMap.create(spec) if store else None
    return _Map(spec, quantity, {}, stored).train(cells, **_without_yes(how))


def resume_map(reference: str, *, show: str | None, **how: Any) -> int:
    """Go on with a stored map, or show it where it is complete; the exit status.

    Raises:
        StoreError: where it cannot be read, or another process trains it.
    """
    path = find(reference)
    spec, done = read(path)
    left = {cell: runs for cell, runs in _cells(spec).items() if cell not in done}
    return _Map(spec, _quantity(spec.config, show), done, StoredMap(path)).train(left, **_without_yes(how))


def _without_yes(how: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if name != "yes"}


def _quantity(config: RunConfig, show: str | None) -> str:
    """What is shown."""
    own, other = ("val_r2", "val_accuracy") if config.task == "regression" else ("val_accuracy", "val_r2")
    if show == other:
        raise NotAllowed(
            f"show: '{show}' is not allowed with model {config.model}; allowed: {own}, val_loss, train_loss"
        )
    return show or ("val_loss" if config.task == "regression" else own)


def _cells(spec: MapSpec) -> dict[Cell, list[RunConfig]]:
    """The runs of each cell."""
    given = dict.fromkeys(spec.given)
    found = {}
    for row, column in itertools.product(range(len(spec.y.values)), range(len(spec.x.values))):
        config = cell_config(spec.config, spec.x, spec.y, column, row, given)
        found[column, row] = with_seeds(config, spec.seeds)
    return found


def _agreed(spec: MapSpec, yes: bool) -> bool:
    """Whether a map that takes long is to be trained all the same: somebody at a terminal is asked.

    Raises:
        NotAllowed: where there is nobody to ask.
    """
    networks = len(spec.x.values) * len(spec.y.values) * spec.seeds
    config = spec.config
    steps = networks * config.total_steps
    parameters = sum(layer.parameters for layer in catalogue.layer_plan(config))
    seconds = steps * (STEP_SECONDS + 6 * config.batch_size * parameters / FLOPS)
    if yes or (networks <= MANY and seconds <= LONG):
        return True
    takes = f"{networks:,} networks of {config.total_steps:,} steps take about {_duration(seconds)} on one core"
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty():
        return click.confirm(f"map: {takes}. Train them?", err=True, default=False)
    raise NotAllowed(f"map: {takes}; allowed: fewer values or epochs, or --yes")


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} seconds"


class _Map:
    """A map that is being made."""

    def __init__(self, spec: MapSpec, quantity: str, done: Mapping[Cell, Figures], stored: StoredMap | None) -> None:
        self._spec, self._quantity, self._stored = spec, quantity, stored
        self._done: dict[Cell, Figures] = dict(done)
        self._total = len(spec.x.values) * len(spec.y.values)
        self._shown: list[str] = []  # lines on the terminal
        self._drawn_at = 0.0

    def train(
        self, cells: Mapping[Cell, Sequence[RunConfig]], *, as_json: bool, quiet: bool, on_hangup: OnHangup
    ) -> int:
        """Train `cells`, and say what came of all; the exit status."""
        out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
        live = not quiet and out.isatty() and terminal.moves_cursor()
        control = Control()
        try:
            with Signals(on_hangup) as signals:
                signals.watch(control)
                try:
                    training, finished = self._train(cells, control, live, quiet, err)
                except Exception as error:
                    return self._failed(error, err)
                try:
                    if not quiet:
                        self._tell(training, live)
                        if self._stored is not None:
                            self._tell_where(err)
                    if as_json:
                        print(to_json(self._as_json(training, finished)), file=out, flush=True)
                except OSError as error:
                    return signals.status or unwritable(error, err)
                return signals.status or 0
        finally:
            if self._stored is not None:
                self._stored.close()

    def _train(
        self, cells: Mapping[Cell, Sequence[RunConfig]], control: Control, live: bool, quiet: bool, err: TextIO
    ) -> tuple[MapTraining, bool]:
        config = self._spec.config
        cpu = select(config.device).type == "cpu"
        # Each worker trains slices of its own with one thread, so that no two wait for each other.
        count = ThreadCount(config.threads, math.inf, "cpu", CoreMeter(), apply=lambda number: None)
        count.choose()
        training = MapTraining(cells, control, count.number if cpu else 1)
        told = 0

        def done(ready: Mapping[Cell, Figures]) -> None:
            nonlocal told
            self._done |= ready
            if self._stored is not None:
                self._stored.add(ready)
            if not (live or quiet) and len(self._done) >= told + self._total / 4:
                told = len(self._done)
                print(f"{told} of {counted(self._total, 'cell')}", file=err, flush=True)

        def progress() -> None:
            if live and time.monotonic() - self._drawn_at >= REDRAW_EVERY:
                self._draw(training)

        finished = training.train(done, progress, self._rank) if cells else True
        return training, finished

    def _failed(self, error: Exception, err: TextIO) -> int:
        if isinstance(error, StoreError):
            print(f"d2ltui: {error}; what was trained before is kept", file=err)
            return 1
        _, said, _ = summary.describe_error(error, self._spec.config, self._spec.config.device, ())
        print(f"d2ltui: {said}", file=err)
        return 2 if isinstance(error, (DeviceError, ConfigError)) else 1

    def _rank(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """First those between whose neighbours most changes."""
        values = {cell: self._value(figures) for cell, figures in self._done.items()}

        def contrast(cell: Cell) -> float:
            near = [
                value
                for (column, row), value in values.items()
                if abs(column - cell[0]) <= 2 and abs(row - cell[1]) <= 2
            ]
            return max(near) - min(near) if near else 0.0

        return sorted(cells, key=contrast, reverse=True) if values and len(cells) * len(values) <= 2**20 else cells

    def _value(self, figures: Figures) -> float:
        """What is shown of a cell, as a number; one that has diverged is as bad as can be."""
        found = figures.get(self._quantity)
        if isinstance(found, (int, float)):
            return math.log10(max(found, 1e-300)) if self._quantity in LOGARITHMIC else float(found)
        return 0.0 if self._quantity in UNIT else 3.0 if figures["status"] == "diverged" else 0.0

    # The picture

    def _picture(self) -> Drawing:
        spec, quantity = self._spec, self._quantity
        shape = len(spec.y.values), len(spec.x.values)
        values = np.full(shape, np.nan)
        marks: dict[Cell, str] = {}
        letters = self._letters()
        for row, column in itertools.product(*map(range, shape)):
            figures = self._known(column, row)
            if figures is None:
                marks[column, row] = heatmap.WAITING
            elif quantity == "finding":
                found = figures["finding"]
                marks[column, row] = heatmap.HEALTHY if found is None else letters.get(found, "?") * heatmap.CELL
            elif figures["status"] == "diverged":
                marks[column, row] = heatmap.DIVERGED
            elif (number := figures.get(quantity)) is not None:
                values[row, column] = number
        ends = heatmap.ends_of(values, log=quantity in LOGARITHMIC, unit=quantity in UNIT)
        ascii, names = text.is_ascii(), (spec.x.field, spec.y.field)
        x, y = ([setting(value) for value in axis.values] for axis in (spec.x, spec.y))
        lines: Drawing = [[(Style.TEXT, f"{quantity}, {self._title()}")]]
        lines += heatmap.draw_map(values, marks, x, y, names, ends, ascii=ascii)
        return [*lines, *self._key(ends, letters, ascii)]

    def _key(self, ends: heatmap.Ends, letters: Mapping[str, str], ascii: bool) -> Drawing:
        if self._quantity == "finding":
            named = [f"{letter * heatmap.CELL} {rule}" for rule, letter in letters.items()]
            return [[(Style.AXIS, "  ".join([*named, f"{'..' if ascii else heatmap.HEALTHY} nothing"]))]]
        line = heatmap.legend(ends, ascii=ascii)
        if any(figures["status"] == "diverged" for figures in self._done.values()):
            line += [(Style.WARNING, "xx" if ascii else heatmap.DIVERGED), (Style.AXIS, " diverged")]
        return [line]

    def _title(self) -> str:
        config = self._spec.config
        seeds = f", {self._spec.seeds} seeds each" if self._spec.seeds > 1 else ""
        return f"{config.model} ({config.implementation}) on {config.dataset}, {counted(config.epochs, 'epoch')}{seeds}"

    def _letters(self) -> dict[str, str]:
        """A letter for each finding, the commonest first."""
        found = Counter(figures["finding"] for figures in self._done.values() if figures["finding"] is not None)
        return dict(zip((rule for rule, _ in found.most_common()), LETTERS, strict=False))

    def _known(self, column: int, row: int) -> Figures | None:
        """What is known of a cell; before it is trained, the next coarser one stands for it."""
        for stride in (1, 2, 4):
            cell = column - column % stride, row - row % stride
            if cell in self._done:
                return self._done[cell]
        return None

    def _draw(self, training: MapTraining) -> None:
        """The picture as far as it is known, in the place of the last one; without room for it, how far the map is."""
        lines = self._picture()
        rate = training.steps / training.seconds if training.seconds else 0.0
        lines.append([(Style.AXIS, f"{len(self._done)} of {self._total} cells, {pace(rate)} network-steps a second")])
        columns, rows = terminal.size(sys.stdout)
        # A line that is longer than the terminal's takes two there, and the next picture would not meet the last one.
        fits = len(lines) < rows and max(sum(len(part) for _, part in line) for line in lines) <= columns
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
                f"{counted(training.networks, 'network', ',')}, {training.steps:,} steps in "
                f"{duration(training.seconds)}: {pace(rate)} network-steps a second"
            )
        if len(self._done) < self._total:
            text.say(f"{len(self._done)} of {self._total} cells are done")
        sick = Counter(figures["finding"] for figures in self._done.values() if figures["finding"] is not None)
        if sick:
            text.say("findings: " + ", ".join(f"{rule} in {counted(n, 'cell')}" for rule, n in sick.most_common()))
        if (best := self._best()) is not None:
            (column, row), number = best
            spec = self._spec
            at = f"{spec.x.field} {setting(spec.x.values[column])}, {spec.y.field} {setting(spec.y.values[row])}"
            text.say(f"best {self._quantity}: {optional(number)} with {at}: {self._command(column, row)}")

    def _best(self) -> tuple[Cell, float] | None:
        if self._quantity not in ("val_accuracy", "val_r2", *LOWER_IS_BETTER):
            return None
        known = {cell: figures[self._quantity] for cell, figures in self._done.items()}
        numbers = {cell: number for cell, number in known.items() if number is not None}
        if not numbers:
            return None
        sign = -1 if self._quantity in LOWER_IS_BETTER else 1
        # Of equal ones that with the lower validation loss.
        cell = max(numbers, key=lambda one: (sign * numbers[one], -_or_infinite(self._done[one]["val_loss"]), one))
        return cell, numbers[cell]

    def _command(self, column: int, row: int) -> str:
        """What trains a cell's network alone."""
        spec = self._spec
        config = cell_config(spec.config, spec.x, spec.y, column, row, dict.fromkeys(spec.given))
        usual = catalogue.defaults(config.model, config.dataset, config.optimizer, config.activation)
        names = [
            name
            for name in FIELDS
            if name in ("model", "dataset") or (name in spec.given) or getattr(config, name) != usual[name]
        ]
        values = (f"{FIELDS[name].option} {shlex.quote(_as_option(getattr(config, name)))}" for name in names)
        return "d2ltui train " + " ".join(values)

    def _tell_where(self, err: TextIO) -> None:
        assert self._stored is not None
        name = self._stored.path.name
        more = "shows" if len(self._done) == self._total else "continues"
        print(
            f"stored as {name}: d2ltui map --resume {name} {more} it; d2ltui export {name} --csv", file=err, flush=True
        )

    def _as_json(self, training: MapTraining, finished: bool) -> dict[str, object]:
        spec = self._spec
        return {
            "kind": "map",
            "map": self._stored.path.name if self._stored is not None else None,
            "x": msgspec.to_builtins(spec.x),
            "y": msgspec.to_builtins(spec.y),
            "seeds": spec.seeds,
            "show": self._quantity,
            "status": "finished" if finished else "stopped",
            "networks": training.networks,
            "steps": training.steps,
            "seconds": round(training.seconds, 4),
            "cells": cells_in_order(spec, self._done),
        }


def _or_infinite(loss: float | None) -> float:
    return math.inf if loss is None else loss


def _as_option(value: object) -> str:
    """A value as its option takes it, with all its digits."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

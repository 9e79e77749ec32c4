"""Marked runs side by side: their curves on one axis, and what is different between their configurations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from d2ltui.charts.overlay import epoch_curves, letter, overlay
from d2ltui.charts.spec import ChartSpec
from d2ltui.charts.timeline import Timeline, Unit
from d2ltui.spec import comparison
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.numbers import number, optional, setting, signed
from d2ltui.store import StoreError, home, listing

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.store.listing import MapFacts, RunInfo

FIGURES = ("val_loss", "val_metric", "train_loss", "train_metric")
UNITS: tuple[Unit, ...] = ("epoch", "step", "time")


class Histories:
    """The histories of runs, each read again only where its database has changed. One thread at a time uses it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[float, ...] | None, LiveRun]] = {}

    def read(self, names: Sequence[str]) -> tuple[dict[str, LiveRun], dict[str, str]]:
        """The histories of those runs that can be read, and why the others cannot, a sentence each."""
        found: dict[str, tuple[tuple[float, ...] | None, LiveRun]] = {}
        problems = {}
        for name in names:
            try:
                found[name] = self._history(name)
            except StoreError as error:
                problems[name] = str(error)
        self._known = found
        return {name: live for name, (_, live) in found.items()}, problems

    def _history(self, name: str) -> tuple[tuple[float, ...] | None, LiveRun]:
        from d2ltui.store.reader import RunReader
        from d2ltui.store.schema import Busy

        path = home.path_of(name)
        now = listing.stamp(path)
        known = self._known.get(name)
        if known is not None and now is not None and known[0] == now:
            return known
        try:
            with RunReader(path, patience=listing.PATIENCE) as reader:
                return now, reader.live
        except Busy:
            if known is None:
                raise
            return None, known[1]  # what was read before; the next time there is more


def differences(lives: Sequence[LiveRun]) -> str:
    """The hyperparameters in which the runs differ, a line each.

    Of runs from scratch and concise ones also why their curves differ.
    """
    lines = [
        f"{name}: " + ", ".join(f"{letter(i)} {value}" for i, value in enumerate(values))
        for name, values in comparison.differences([live.header for live in lives])
    ]
    facts = "\n".join(lines) or _("the configurations are the same")
    configs = [live.config for live in lives if live.is_configured]
    return "\n\n".join([facts, *(f"{said}." for said in comparison.explanations(configs))])


def span(live: LiveRun) -> int:
    """The epochs that the axis needs for a run: those that it has, for many are stopped long before their end.

    One that may still grow gets room by doubling, so that the axis seldom changes.
    """
    done = live.epochs[-1].epoch if live.epochs else 1  # not their number: the first ones may be lost
    return done if live.ended is not None else min(live.header.epochs or done, 1 << (done - 1).bit_length())


class Shown(NamedTuple):
    """What is drawn of the marked runs: a figure of every epoch, over epochs, steps or seconds, read at an epoch."""

    figure: str = "val_loss"
    unit: Unit = "epoch"
    epoch: int = 1

    def turned(self) -> Shown:
        """The next figure."""
        return self._replace(figure=FIGURES[(FIGURES.index(self.figure) + 1) % len(FIGURES)])

    def over_another_axis(self) -> Shown:
        """The next unit."""
        return self._replace(unit=UNITS[(UNITS.index(self.unit) + 1) % len(UNITS)])

    def title(self, lives: Sequence[LiveRun]) -> str:
        """What the figure is called, of these runs."""
        part, __, what = self.figure.partition("_")
        titles = {live.header.metric_title for live in lives}
        metric = _(titles.pop() if len(titles) == 1 else "metric")
        said = _("Validation {figure}") if part == "val" else _("Training {figure}")
        return said.format(figure=_("loss") if what == "loss" else metric)


def marked_runs(lives: dict[str, LiveRun], shown: Shown, width: int, height: int, ascii: bool) -> tuple[ChartSpec, str]:
    """A figure of several runs on one axis and in one unit; losses and metrics at an epoch, and their distance from the
    first run's.
    """
    part = shown.figure.partition("_")[0]
    names = f"{part}_loss", f"{part}_metric"
    factors = comparison.loss_factors([live.header for live in lives.values()])
    values: list[str] = []
    first: list[float] | None = None
    for index, (name, live) in enumerate(lives.items()):
        at = live.epochs.at(shown.epoch)
        figures = [factors[index] * getattr(at, names[0]), getattr(at, names[1])] if at is not None else []
        away = [f" ({signed(a - b)})" for a, b in zip(figures, first, strict=True)] if figures and first else ["", ""]
        told = " ".join(f"{number(figure)}{apart}" for figure, apart in zip(figures, away, strict=False))
        values.append(f"{letter(index)} {name}: {told or '–'}")
        if index == 0:
            first = figures
    empty = _("no epoch has ended in these") if lives else _("space marks runs; their curves appear here")
    runs = list(lives.values())
    loss = shown.figure.endswith("loss")
    curves = epoch_curves(runs, shown.figure, width, -math.inf if loss else -1.0, factors=factors if loss else None)
    axes = [Timeline(live, shown.unit) for live in runs]
    ends = [axis.at(span(live) * (live.header.steps_per_epoch or 1)) for live, axis in zip(runs, axes, strict=True)]
    drawn = [
        (axis.x(np.array(x) * (live.header.steps_per_epoch or 1)).tolist(), y)
        for live, axis, (x, y) in zip(runs, axes, curves, strict=True)
    ]
    label = axes[0].label if axes else "epoch"
    spec = overlay(drawn, list(lives), width, height, ascii, max(ends, default=1.0), empty, x_label=label)
    if lives:
        cursor = axes[0].at(shown.epoch * (runs[0].header.steps_per_epoch or 1))
        spec = msgspec.structs.replace(spec, cursor=cursor)
        if loss:
            spec = msgspec.structs.replace(spec, y_low=0.0)
        elif all(live.header.task == "classification" for live in runs):
            spec = msgspec.structs.replace(spec, y_low=0.0, y_high=1.0)
    if part == "val":
        said = _("validation loss and metric at epoch {epoch} (← →)").format(epoch=shown.epoch)
    else:
        said = _("training loss and metric at epoch {epoch} (← →)").format(epoch=shown.epoch)
    if len(lives) > 1:
        said = _("{figures}, with the difference from {first}").format(figures=said, first=letter(0))
    return spec, f"{said}:\n" + "\n".join(values) if lives else ""


def about(run: RunInfo | None) -> str:
    """What is known of a run: its name, how it has ended, what was found, its note, and where it was trained."""
    if run is None:
        return ""
    if run.of_map is not None:
        return _about_map(run, run.of_map)
    found = f"{run.tally.words}: {run.findings[0].what}" if run.tally.severity is not None else ""
    return "\n".join(filter(None, (run.name, run.problem or run.message, found, run.note, run.host, run.device)))


def _about_map(run: RunInfo, facts: MapFacts) -> str:
    """Its axes, how many cells are known, and the best one."""
    if run.problem:
        return "\n".join(filter(None, (run.name, run.problem, run.note)))
    figures = ", ".join(f"{name} {optional(value, 3)}" for name, value in run.figures.items() if name != "train_loss")
    best = ", ".join(f"{name} {setting(value)}" for name, value in (facts.best or {}).items())
    seeds = _("{seeds} seeds each").format(seeds=facts.seeds) if facts.seeds > 1 else ""
    lines = (
        run.name,
        facts.x,
        facts.y,
        seeds,
        f"{pgettext('status', run.status)}, {run.progress}",
        best and _("best: {best}").format(best=best),
        figures,
    )
    return "\n".join(filter(None, (*lines, run.note)))

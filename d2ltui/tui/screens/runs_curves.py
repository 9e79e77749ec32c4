"""Marked runs side by side: their curves on one axis, and what is different between their configurations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from d2ltui.charts import bundles
from d2ltui.charts.bundles import Bundle, letters_in_short
from d2ltui.charts.overlay import letter, style
from d2ltui.charts.spec import Band, ChartSpec, Drawing, Line, Style
from d2ltui.charts.timeline import Timeline, Unit
from d2ltui.spec import comparison
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.numbers import number, optional, setting, signed
from d2ltui.spec.width import cells, cut, padded, wrapped
from d2ltui.store import StoreError, home, listing

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.store.listing import MapFacts, RunInfo

FIGURES = ("val_loss", "val_metric", "train_loss", "train_metric")
_SAMPLE, _BETWEEN = 4, 2  # cells of the legend: of a line and a blank, between two columns
_KINDS = {"classification": _("a cross-entropy"), "regression": _("a squared error")}
_METRICS = {"classification": _("an accuracy"), "regression": "R²"}
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


def differences(curves: Sequence[Bundle]) -> str:
    """The hyperparameters in which the curves' runs differ, a line each.

    Of runs from scratch and concise ones also why their curves differ.
    """
    lines = [
        f"{name}: " + ", ".join(f"{letters} {value}" for letters, value in values)
        for name, values in bundles.differences(curves)
    ]
    facts = "\n".join(lines) or _("the configurations are the same")
    configs = [live.config for curve in curves for live in curve.runs if live.is_configured]
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


def marked_runs(
    curves: Sequence[Bundle], shown: Shown, width: int, height: int, ascii: bool
) -> tuple[ChartSpec, Drawing]:
    """A figure of several runs on one axis and in one unit, and below it what each has at an epoch.

    Beside that stands how far it is from the first one's. Unlike quantities share no axis: what is not of the first
    curve's kind is not drawn, nor what the legend has no room for; both are told.
    """
    loss = shown.figure.endswith("loss")
    task = curves[0].first.header.task if curves else "classification"
    unlike = [index for index, curve in enumerate(curves) if curve.first.header.task != task]
    legend = _Legend(curves, shown, width, max(3, height // 2))
    drawn = [index for index in legend.told if index not in unlike]
    lines, bands, ends = [], [], []
    for index in drawn:
        curve, live = curves[index], curves[index].first
        axis, per_epoch = Timeline(live, shown.unit), live.header.steps_per_epoch or 1
        factor = legend.factors[index] if loss else 1.0
        x, y, band = curve.curve(shown.figure, width, -math.inf if loss else -1.0)
        x = axis.x(np.array(x) * per_epoch).tolist()
        lines.append(Line("", style(index), x, [factor * value for value in y], marker=letter(index)))
        if band is not None:
            over = axis.x(np.array(band.x) * per_epoch).tolist()
            low, high = ([factor * value for value in limits] for limits in (band.low, band.high))
            bands.append(Band(over, low, high, style=Style.RAW))
        ends.append(max(axis.at(span(one) * per_epoch) for one in curve.runs))
    below = [*legend.lines(unlike), *_unlike(unlike, task, loss, width)]
    of_first = Timeline(curves[0].first, shown.unit) if curves else None
    spec = ChartSpec(
        width=width,
        height=max(4, height - len(below)),
        lines=lines,
        bands=bands,
        x_high=float(max(ends, default=1.0)),
        x_label=of_first.label if of_first is not None else "epoch",
        y_low=0.0 if curves and (loss or task == "classification") else None,
        y_high=1.0 if curves and not loss and task == "classification" else None,
        cursor=of_first.at(shown.epoch * (curves[0].first.header.steps_per_epoch or 1)) if of_first else None,
        ascii=ascii,
        empty_text=_("no epoch has ended in these") if curves else _("space marks runs; their curves appear here"),
    )
    return spec, below


def _unlike(unlike: Sequence[int], task: str, loss: bool, width: int) -> Drawing:
    if not unlike:
        return []
    kinds = _KINDS if loss else _METRICS
    other = "regression" if task == "classification" else "classification"
    said = (
        _("not drawn: {letters}, whose loss is {theirs}; the axis is that of {ours}")
        if loss
        else _("not drawn: {letters}, whose metric is {theirs}; the axis is that of {ours}")
    )
    text = said.format(letters=letters_in_short(unlike), theirs=kinds[other], ours=kinds[task])
    return [[(int(Style.WARNING), line)] for line in wrapped(text, width)]


class _Legend:
    """What each curve has at an epoch, in as many columns as there is room for."""

    def __init__(self, curves: Sequence[Bundle], shown: Shown, width: int, rows: int) -> None:
        self._shown, self._width = shown, width
        self._part = shown.figure.partition("_")[0]
        self.factors = comparison.loss_factors([curve.first.header for curve in curves])
        self._entries = self._values(curves)
        self._widest = max(map(cells, self._entries), default=0) + _SAMPLE
        rows -= 1  # a heading
        fitting = max(1, (width + _BETWEEN) // (self._widest + _BETWEEN))
        self._columns = min(fitting, -(-len(curves) // max(3, rows // 2)) or 1)
        enough = -(-len(curves) // self._columns) <= rows
        # Where they do not fit, a row says how many are left out.
        self.told = range(min(len(curves), self._columns * (rows if enough else max(1, rows - 1))))
        self._left_out = len(curves) - len(self.told)

    def _values(self, curves: Sequence[Bundle]) -> list[str]:
        found, first = [], []
        for index, curve in enumerate(curves):
            figures = []
            for what, factor in (("loss", self.factors[index]), ("metric", 1.0)):
                values = [factor * value for value in curve.at(self._shown.epoch, f"{self._part}_{what}")]
                figures.append(sum(values) / len(values) if values else math.nan)
            if index == 0:
                first = figures
            like = curve.first.header.task == curves[0].first.header.task
            told = " ".join(
                _with_distance(a, b if index and like else math.nan) for a, b in zip(figures, first, strict=True)
            )
            told = f": {told if not all(map(math.isnan, figures)) else '–'}"
            space = self._width - _SAMPLE - cells(told)  # of a long name less is told, and never less of a figure
            name = curve.name if cells(curve.name) <= space else cut(curve.name, space - 1) + "…"
            found.append(name + told)
        return found

    def lines(self, unlike: Sequence[int]) -> Drawing:
        """A heading, the curves, each with a sample of its line, and how many are left out."""
        if not self._entries:
            return []
        if self._part == "val":
            said = _("validation loss and metric at epoch {epoch} (← →)").format(epoch=self._shown.epoch)
        else:
            said = _("training loss and metric at epoch {epoch} (← →)").format(epoch=self._shown.epoch)
        if len(self._entries) > 1:
            whole = _("{figures}, with the difference from {first}").format(figures=said, first=letter(0))
            shorter = _("{figures}, difference from {first}").format(figures=said, first=letter(0))
            said = next((text for text in (whole, shorter) if cells(text) < self._width), said)
        found: Drawing = [[(int(Style.TEXT), f"{said}:")]]
        rows = -(-len(self.told) // self._columns)
        for row in range(rows):
            line: list[tuple[int, str]] = []
            for index in self.told[row::rows]:
                sample = f" {letter(index)} " if index in unlike else f"─{letter(index)}─"
                entry = padded(f" {self._entries[index]}", self._widest + _BETWEEN - cells(sample))
                line += [(int(style(index)), sample), (int(Style.TEXT), entry)]
            found.append(line)
        if self._left_out:
            text = _("and {curves} more marked curves, for which there is no room").format(curves=self._left_out)
            found.append([(int(Style.WARNING), text)])
        return found


def _with_distance(value: float, reference: float) -> str:
    if math.isnan(value):
        return "–"
    return number(value) + ("" if math.isnan(reference) else f" ({signed(value - reference)})")


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

"""From a run's histories to chart specifications. No widgets here."""

from __future__ import annotations

import math

import numpy as np

from d2ltui.charts.spec import AxisMark, Band, ChartSpec, Line, Style
from d2ltui.charts.timeline import Timeline, Unit, seconds_shown, window
from d2ltui.history.epochs import Epochs
from d2ltui.history.live import LiveRun
from d2ltui.history.marks import marks_of
from d2ltui.history.series import Array, Reduced, Reducer
from d2ltui.history.smoothing import SmoothedReducer
from d2ltui.spec.events import Severity
from d2ltui.spec.language import _

POINTS_PER_COLUMN = 2
# Epochs that a chart of a running run spans at least; a longer run's chart grows by doubling.
FEWEST_EPOCHS = 10
MOST_BUCKETS = 16_384  # of a history of which a small part is shown
AXIS_COLUMNS = 8  # the columns that a chart's y axis takes, about


_MARK_STYLES: dict[Severity | None, Style] = {"alarm": Style.WARNING, "warning": Style.VALIDATION}


class Curves:
    """Reduces one run's histories to the width of a chart. Owned by one reader."""

    def __init__(self, live: LiveRun) -> None:
        self.live = live
        self._losses = Reducer(live.losses), SmoothedReducer(live.losses)
        self._metrics = Reducer(live.metrics), SmoothedReducer(live.metrics)
        # An R² far below zero (the first steps) would press everything else against the top.
        self._lowest = -1.0 if live.header.task == "regression" else 0.0
        self._raw = True  # whether nothing was smoothed in what was drawn last
        self._val_loss = EpochCurve("val_loss")
        self._val_metric = EpochCurve("val_metric", self._lowest)

    def loss(
        self,
        width: int,
        height: int,
        *,
        log: bool,
        smoothing: float,
        ascii: bool,
        unit: Unit = "epoch",
        zoom: int = 0,
        cursor: int | None = None,
    ) -> ChartSpec:
        """Each step's loss: smoothed in front, the range of the raw values faint behind; validation each epoch.

        The x axis is in `unit`, and shows the 2 ** `zoom`-th part of it, around the step `cursor`, else up to the end.
        """
        part = _Part(self, unit, zoom, cursor)
        steps, smoothed = self._reduced(self._losses, part, width, smoothing)
        x, low, high, mean = part.of_steps(steps.x, steps.low, steps.high, smoothed)
        bands = [Band(x=x, low=low, high=high, label="raw")] if smoothing > 0 else []
        lines = [Line("train", Style.TRAIN, x, mean), part.validation(self._val_loss, width)]
        return self._spec(width, height, part, lines, bands, log=log, ascii=ascii, y_low=None if zoom else 0.0)

    def metric(
        self,
        width: int,
        height: int,
        *,
        smoothing: float,
        ascii: bool,
        unit: Unit = "epoch",
        zoom: int = 0,
        cursor: int | None = None,
    ) -> ChartSpec:
        """Accuracy of each batch (smoothed) and of the validation part; R² for regression. As `loss`."""
        part = _Part(self, unit, zoom, cursor)
        steps, train = self._reduced(self._metrics, part, width, smoothing)
        validation = part.validation(self._val_metric, width)
        # An accuracy is never negative; an R² may be.
        lowest = 0.0 if self.live.header.task == "classification" and not zoom else None
        cut_off = self._val_metric.cut_off or bool((train < self._lowest).any())
        x, shown = part.of_steps(steps.x, np.maximum(train, self._lowest))
        # Of both curves; accuracies are never below 0.
        lines = [Line("train (≥ −1)" if cut_off else "train", Style.TRAIN, x, shown), validation]
        return self._spec(width, height, part, lines, [], log=False, ascii=ascii, y_low=lowest, y_high=1.0)

    def reading(self, figure: str, step: int) -> tuple[float, float, float]:
        """`figure`, "loss" or "metric", at `step`: the step's own, smoothed as drawn last, the validation data's.

        The latter is that of the last epoch that had ended. nan where there is none.
        """
        values = (self.live.losses if figure == "loss" else self.live.metrics).values()
        raw = float(values[step - 1]) if 1 <= step <= len(values) else math.nan
        smoother = (self._losses if figure == "loss" else self._metrics)[1]
        smooth = raw if self._raw else smoother.at(step)
        epochs = self.live.epochs.column("step")
        ended = int(np.searchsorted(epochs, step, "right"))
        column = self.live.epochs.column(f"val_{figure}")
        return raw, smooth, float(column[ended - 1]) if ended else math.nan

    def _reduced(
        self, reducers: tuple[Reducer, SmoothedReducer], part: _Part, width: int, smoothing: float
    ) -> tuple[Reduced, Array]:
        """A history in two points per column of the part that is shown, and its smoothed curve."""
        buckets = max(2, POINTS_PER_COLUMN * (width - AXIS_COLUMNS))
        total = max(1, math.ceil(part.last))
        buckets = min(max(buckets, MOST_BUCKETS), buckets << part.zoom)
        reducer, smoother = reducers
        self._raw = smoothing == 0
        if self._raw:
            steps = reducer.reduce(total, buckets)
            return steps, steps.mean
        mean = smoother.reduce(smoothing, total, buckets).mean
        steps = reducer.reduce(total, buckets)
        known = min(len(mean), len(steps.x))  # some may have come in between
        return Reduced(*(column[:known] for column in steps)), mean[:known]

    def _epochs_shown(self) -> float:
        """What the x axis spans: all that the run has trained, with room to come while it goes on.

        An axis moves seldom: it spans all epochs, or half, or a quarter of them, as soon as the run fits.
        """
        live = self.live
        steps = live.header.in_epochs(max(1, live.step, len(live.losses)))
        shown = live.header.epochs
        if live.ended is not None or shown is None:
            return steps if shown is None else min(steps, float(shown))
        while (half := math.ceil(shown / 2)) >= max(FEWEST_EPOCHS, steps):
            shown = half
        return float(shown)

    def _spec(
        self,
        width: int,
        height: int,
        part: _Part,
        lines: list[Line],
        bands: list[Band],
        *,
        log: bool,
        ascii: bool,
        y_low: float | None = None,
        y_high: float | None = None,
    ) -> ChartSpec:
        return ChartSpec(
            width=width,
            height=height,
            lines=lines,
            bands=bands,
            x_low=part.x_low,
            x_high=part.x_high,
            y_low=y_low,
            y_high=y_high,
            log=log,
            x_label=part.timeline.label,
            ascii=ascii,
            empty_text=_("no step yet") if self.live.ended is None else _("no step was trained"),
            marks=part.marks(self.live),
            cursor=part.cursor_x,
        )


class _Part:
    """The part of a run that a chart shows."""

    def __init__(self, curves: Curves, unit: Unit, zoom: int, cursor: int | None) -> None:
        live = curves.live
        self.zoom, self._epochs = zoom, live.epochs
        self.timeline = timeline = Timeline(live, unit)
        per_epoch = live.header.steps_per_epoch or 1
        self.last = curves._epochs_shown() * per_epoch
        newest = float(max(live.step, len(live.losses)))
        if unit == "time" and not zoom:
            self.x_low, self.x_high = 0.0, seconds_shown(live.seconds, live.ended is not None)
        else:
            end = newest if unit == "time" else self.last
            low, high = window(0.0, max(end, 1.0), newest, zoom, cursor)
            # In epochs as they are: a division would not always give the whole number back.
            self.x_low = timeline.at(low) if low else 0.0
            self.x_high = curves._epochs_shown() if unit == "epoch" and not zoom else timeline.at(high)
        self.cursor_x = None if cursor is None else timeline.at(min(cursor, newest))

    def of_steps(self, steps: Array, *columns: Array) -> list[list[float]]:
        """Where `steps` are on the axis, and the figures of `columns`, as far as they are shown."""
        x = self.timeline.x(steps)
        if self.zoom:
            inside = (x >= self.x_low) & (x <= self.x_high)
            x, columns = x[inside], tuple(column[inside] for column in columns)
        return [x.tolist(), *(column.tolist() for column in columns)]

    def marks(self, live: LiveRun) -> list[AxisMark]:
        """What happened on the way, where it is on the axis."""
        found = marks_of(live)
        places = self.timeline.x(np.array([mark.step for mark in found], float)).tolist()
        return [
            AxisMark(x, mark.sign, mark.meaning, mark.sentence, _MARK_STYLES.get(mark.severity, Style.TEXT))
            for x, mark in zip(places, found, strict=True)
        ]

    def validation(self, curve: EpochCurve, width: int) -> Line:
        """The validation curve, an epoch a point."""
        epochs = self._epochs
        x, y = curve.points(epochs, width << self.zoom)
        if self.timeline.unit != "epoch":
            ends = epochs.column("step")
            numbers = epochs.column("epoch")[: len(ends)]
            x = self.timeline.x(ends[np.searchsorted(numbers, x)].astype(float)).tolist()
        if self.zoom:
            kept = [point for point in zip(x, y, strict=True) if self.x_low <= point[0] <= self.x_high]
            x, y = [point[0] for point in kept], [point[1] for point in kept]
        return Line("val", Style.VALIDATION, x, y, marker="●")


def epoch_curve(epochs: Epochs, figure: str, width: int, lowest: float = -math.inf) -> tuple[list[float], list[float]]:
    """Epochs and a figure of theirs, for a chart of `width` columns; what is below `lowest` is shown there.

    Of far more epochs than that, each column's smallest and largest value and the last one of all: no spike is lost.
    """
    return EpochCurve(figure, lowest).points(epochs, width)


class EpochCurve:
    """`epoch_curve` of a run that goes on: only epochs that came since are looked at. Owned by one reader."""

    def __init__(self, figure: str, lowest: float = -math.inf) -> None:
        self._epochs: Epochs | None = None
        self._figure, self._lowest = figure, lowest
        self._together, self._groups = 0, 0  # epochs of a group, and groups whose epochs are all there
        self._kept: list[int] = []  # of those: the indices of the smallest and of the largest value
        self.cut_off = False  # whether something that was told last is below `lowest`

    def points(self, epochs: Epochs, width: int) -> tuple[list[float], list[float]]:
        """Epochs and the figure, for a chart of `width` columns."""
        if epochs is not self._epochs:  # a run that goes on from an earlier step has others
            self._epochs, self._together = epochs, 0
        y = epochs.column(self._figure)
        x = epochs.column("epoch")[: len(y)]  # one may have come in between
        y = y[: len(x)]
        if len(x) > POINTS_PER_COLUMN * max(1, width):
            chosen = self._chosen(y, max(1, width))
            x, y = x[chosen], y[chosen]
        self.cut_off = bool((y < self._lowest).any())
        return x.astype(float).tolist(), np.maximum(y, self._lowest).tolist()

    def _chosen(self, y: Array, width: int) -> list[int]:
        together = 1  # doubled, so that what has been drawn stays where it is as more epochs come
        while len(y) > together * width:
            together *= 2
        if together != self._together:
            self._together, self._groups, self._kept = together, 0, []
        begun = len(y) // together
        if begun > self._groups:
            first = self._groups * together
            self._kept += _extremes(y[first : begun * together].reshape(-1, together), first)
            self._groups = begun
        chosen = [*self._kept, len(y) - 1]
        rest = y[begun * together :]
        if len(rest):
            chosen += _extremes(rest.reshape(1, -1), begun * together)
        return sorted(set(chosen))


def _extremes(groups: Array, first: int) -> list[int]:
    """Where each row of `groups` (n, together) has its smallest and its largest value; `first` is the first one's."""
    offsets = first + groups.shape[1] * np.arange(len(groups))
    smallest = np.nan_to_num(groups, nan=math.inf).argmin(axis=1)
    largest = np.nan_to_num(groups, nan=-math.inf).argmax(axis=1)
    found: list[int] = np.concatenate((offsets + smallest, offsets + largest)).tolist()
    return found

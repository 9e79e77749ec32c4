"""From a run's histories to chart specifications. No widgets here."""

from __future__ import annotations

import math

import numpy as np

from d2ltui.charts.spec import Band, ChartSpec, Line, Style
from d2ltui.history.epochs import Epochs
from d2ltui.history.live import LiveRun
from d2ltui.history.series import Array, Reduced, Reducer

POINTS_PER_COLUMN = 2
# Epochs that a chart of a running run spans at least; a longer run's chart grows by doubling.
FEWEST_EPOCHS = 10
AXIS_COLUMNS = 8  # the columns that a chart's y axis takes, about


class Curves:
    """Reduces one run's histories to the width of a chart. Owned by one reader."""

    def __init__(self, live: LiveRun) -> None:
        self.live = live
        self._losses = Reducer(live.losses)
        self._metrics = Reducer(live.metrics)
        # An R² far below zero (the first steps) would press everything else against the top.
        self._lowest = -1.0 if live.header.task == "regression" else 0.0
        self._val_loss = EpochCurve("val_loss")
        self._val_metric = EpochCurve("val_metric", self._lowest)

    def loss(self, width: int, height: int, *, log: bool, smoothing: float, ascii: bool) -> ChartSpec:
        """Each step's loss: smoothed in front, the range of the raw values faint behind; validation each epoch."""
        shown = self._epochs_shown()
        steps, x = self._reduced(self._losses, shown, width)
        bands = [Band(x=x, low=steps.low.tolist(), high=steps.high.tolist(), label="raw")] if smoothing > 0 else []
        lines = [
            Line("train", Style.TRAIN, x, steps.smoothed(smoothing).tolist()),
            _validation(self._val_loss.points(self.live.epochs, width)),
        ]
        return self._spec(width, height, shown, lines, bands, log=log, ascii=ascii, y_low=0.0)

    def metric(self, width: int, height: int, *, smoothing: float, ascii: bool) -> ChartSpec:
        """Accuracy of each batch (smoothed) and of the validation part; R² for regression."""
        shown = self._epochs_shown()
        steps, x = self._reduced(self._metrics, shown, width)
        train = steps.smoothed(smoothing)
        validation = self._val_metric.points(self.live.epochs, width)
        # An accuracy is never negative; an R² may be.
        lowest = 0.0 if self.live.header.task == "classification" else None
        cut_off = self._val_metric.cut_off or bool((train < self._lowest).any())
        lines = [
            # Of both curves; accuracies are never below 0.
            Line("train (≥ −1)" if cut_off else "train", Style.TRAIN, x, np.maximum(train, self._lowest).tolist()),
            _validation(validation),
        ]
        return self._spec(width, height, shown, lines, [], log=False, ascii=ascii, y_low=lowest, y_high=1.0)

    def _reduced(self, reducer: Reducer, shown: float, width: int) -> tuple[Reduced, list[float]]:
        """A history in two points per column, and where they are, in epochs."""
        per_epoch = self.live.header.steps_per_epoch or 1
        buckets = max(2, POINTS_PER_COLUMN * (width - AXIS_COLUMNS))
        steps = reducer.reduce(math.ceil(shown * per_epoch), buckets)
        return steps, (steps.x / per_epoch).tolist()

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
        shown: float,
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
            x_low=0.0,
            x_high=shown,
            y_low=y_low,
            y_high=y_high,
            log=log,
            x_label="epoch",
            ascii=ascii,
            empty_text="no step yet" if self.live.ended is None else "no step was trained",
        )


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


def _validation(points: tuple[list[float], list[float]]) -> Line:
    """The validation curve, an epoch a point."""
    return Line("val", Style.VALIDATION, *points, marker="●")

"""From a run's histories to chart specifications. No widgets here."""

from __future__ import annotations

import math

import numpy as np

from d2ltui.charts.spec import Band, ChartSpec, Line, Style
from d2ltui.epochs import Epochs
from d2ltui.live import LiveRun
from d2ltui.series import Reduced, Reducer, smooth

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

    def loss(self, width: int, height: int, *, log: bool, smoothing: float, ascii: bool) -> ChartSpec:
        """Each step's loss: smoothed in front, the range of the raw values faint behind; validation each epoch."""
        shown = self._epochs_shown()
        steps, x = self._reduced(self._losses, shown, width)
        bands = [Band(x=x, low=steps.low.tolist(), high=steps.high.tolist(), label="raw")] if smoothing > 0 else []
        lines = [
            Line("train", Style.TRAIN, x, smooth(steps.mean, smoothing).tolist()),
            validation(self.live.epochs, "val_loss", width),
        ]
        return self._spec(width, height, shown, lines, bands, log=log, ascii=ascii)

    def metric(self, width: int, height: int, *, smoothing: float, ascii: bool) -> ChartSpec:
        """Accuracy of each batch (smoothed) and of the validation part; R² for regression."""
        shown = self._epochs_shown()
        steps, x = self._reduced(self._metrics, shown, width)
        # An R² far below zero (the first steps) would press everything else against the top.
        clip = -1.0 if self.live.config.task == "regression" else 0.0
        train = [max(value, clip) for value in smooth(steps.mean, smoothing).tolist()]
        lines = [
            Line("train", Style.TRAIN, x, train),
            validation(self.live.epochs, "val_metric", width, clip),
        ]
        return self._spec(width, height, shown, lines, [], log=False, ascii=ascii, y_high=1.0)

    def _reduced(self, reducer: Reducer, shown: float, width: int) -> tuple[Reduced, list[float]]:
        """A history in two points per column, and where they are, in epochs."""
        per_epoch = self.live.config.steps_per_epoch
        buckets = max(2, POINTS_PER_COLUMN * (width - AXIS_COLUMNS))
        steps = reducer.reduce(math.ceil(shown * per_epoch), buckets)
        return steps, (steps.x / per_epoch).tolist()

    def _epochs_shown(self) -> float:
        """What the x axis spans: all that the run has trained, with room to come while it goes on.

        An axis moves seldom: it spans all epochs, or half, or a quarter of them, as soon as the run fits.
        """
        live = self.live
        steps = max(1, len(live.losses)) / live.config.steps_per_epoch
        if live.ended is not None:
            return min(steps, float(live.config.epochs))
        shown = live.config.epochs
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
        y_high: float | None = None,
    ) -> ChartSpec:
        return ChartSpec(
            width=width,
            height=height,
            lines=lines,
            bands=bands,
            x_low=0.0,
            x_high=shown,
            y_high=y_high,
            log=log,
            x_label="epoch",
            ascii=ascii,
            empty_text="no step yet",
        )


def epoch_curve(epochs: Epochs, figure: str, width: int, lowest: float = -math.inf) -> tuple[list[float], list[float]]:
    """Epochs and a figure of theirs, for a chart of `width` columns; what is below `lowest` is shown there.

    Of far more epochs than that, each column's smallest and largest value and the last one of all: no spike is lost.
    """
    y = epochs.column(figure)
    x = epochs.column("epoch")[: len(y)]  # one may have come in between
    y = np.maximum(y[: len(x)], lowest)
    if len(x) > POINTS_PER_COLUMN * max(1, width):
        kept = {len(x) - 1}
        smallest, largest = np.nan_to_num(y, nan=math.inf), np.nan_to_num(y, nan=-math.inf)
        together = 1  # doubled, so that what has been drawn stays where it is as more epochs come
        while len(x) > together * max(1, width):
            together *= 2
        for first in range(0, len(x), together):
            part = slice(first, first + together)
            kept |= {first + int(np.argmin(smallest[part])), first + int(np.argmax(largest[part]))}
        chosen = sorted(kept)
        x, y = x[chosen], y[chosen]
    return x.astype(float).tolist(), y.tolist()


def validation(epochs: Epochs, figure: str, width: int, lowest: float = -math.inf) -> Line:
    """The validation curve, an epoch a point."""
    return Line("val", Style.VALIDATION, *epoch_curve(epochs, figure, width, lowest), marker="●")

"""From a run's histories to chart specifications. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from d2ltui.charts.spec import Band, ChartSpec, Line, Style
from d2ltui.events import EpochEnded
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
        epochs = thinned(self.live.epochs, width)
        lines = [
            Line("train", Style.TRAIN, x, smooth(steps.mean, smoothing).tolist()),
            validation(epochs, [e.val_loss for e in epochs]),
        ]
        return self._spec(width, height, shown, lines, bands, log=log, ascii=ascii)

    def metric(self, width: int, height: int, *, smoothing: float, ascii: bool) -> ChartSpec:
        """Accuracy of each batch (smoothed) and of the validation part; R² for regression."""
        shown = self._epochs_shown()
        steps, x = self._reduced(self._metrics, shown, width)
        epochs = thinned(self.live.epochs, width)
        # An R² far below zero (the first steps) would press everything else against the top.
        clip = -1.0 if self.live.config.task == "regression" else 0.0
        train = [max(value, clip) for value in smooth(steps.mean, smoothing).tolist()]
        lines = [
            Line("train", Style.TRAIN, x, train),
            validation(epochs, [max(e.val_metric, clip) for e in epochs]),
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


def thinned(epochs: Sequence[EpochEnded], width: int) -> Sequence[EpochEnded]:
    """Epochs for a chart of `width` columns: of far more than that a part, evenly spread, and always the last one."""
    every = max(1, len(epochs) // (POINTS_PER_COLUMN * max(1, width)))
    return [*epochs[::every], epochs[-1]] if every > 1 else list(epochs)


def validation(epochs: Sequence[EpochEnded], values: list[float]) -> Line:
    """The validation curve, an epoch a point."""
    return Line("val", Style.VALIDATION, [float(epoch.epoch) for epoch in epochs], values, marker="●")

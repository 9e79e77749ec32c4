"""LiveRun: a run in memory, written by the engine's thread and read by whoever shows it."""

from __future__ import annotations

from d2ltui import events
from d2ltui.config import RunConfig
from d2ltui.series import Series


class LiveRun:
    """Everything that is known of one run.

    It is a sink: the engine's thread calls it with each event, and nothing else writes to it. Readers look whenever
    they like and never wait: each attribute is replaced by a new value or, for `epochs` and the series, only grows.
    `version` changes whenever anything else does.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.status: events.Status = "loading"
        self.loading: events.Loading | None = None
        self.started: events.RunStarted | None = None
        self.ended: events.RunEnded | None = None
        self.layers: events.LayersProbed | None = None
        self.epochs: list[events.EpochEnded] = []
        self.losses = Series()
        self.metrics = Series()
        self.step = 0
        self.seconds = 0.0
        self.lr = config.lr
        self.lr_changes: list[events.LearningRateChanged] = []
        self.version = 0

    @property
    def epoch(self) -> int:
        """The epoch that is being trained, from 1; the last one after the end."""
        per_epoch = self.config.steps_per_epoch
        return min(
            self.config.epochs,
            len(self.epochs) + 1 if self.step % per_epoch or not self.epochs else self.step // per_epoch,
        )

    def __call__(self, event: events.Event) -> None:
        """Take an event in. Called by the engine's thread only."""
        match event:
            case events.StepsTrained():
                self.losses.extend(event.losses)
                self.metrics.extend(event.metrics)
                self.step = event.step
                self.seconds = event.seconds
            case events.EpochEnded():
                self.epochs.append(event)
                self.seconds = event.seconds
            case events.LayersProbed():
                self.layers = event
            case events.StatusChanged():
                self.status = event.status
            case events.Loading():
                self.loading = event
            case events.RunStarted():
                self.started = event
            case events.LearningRateChanged():
                self.lr = event.lr
                self.lr_changes.append(event)
            case events.RunEnded():
                self.ended = event
                self.status = event.status
        self.version += 1

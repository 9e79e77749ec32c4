"""LiveRun: a run in memory, written by the engine's thread and read by whoever shows it."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import TypeVar

import msgspec
import numpy as np

from d2ltui.history.epochs import Epochs
from d2ltui.history.series import Array, Series
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.header import RunHeader, header_of
from d2ltui.spec.language import _

# Looks at the layers that are kept, and layers in all of them: a look at a hundred layers takes half a megabyte.
MAX_PROBES = 512
MAX_LAYERS = 20_000


class LiveRun:
    """Everything that is known of one run.

    It is a sink: the engine's thread calls it with each event, and nothing else writes to it. Readers look whenever
    they like and never wait: each attribute is replaced by a new value or, for `epochs` and the series, only grows.
    `version` changes whenever anything else does.
    """

    def __init__(self, of: RunConfig | RunHeader) -> None:
        self._config = of if isinstance(of, RunConfig) else None
        self.header = of if isinstance(of, RunHeader) else header_of(of)
        self.status: events.Status = "loading"
        self.loading: events.Loading | None = None
        self.started: events.RunStarted | None = None
        self.ended: events.RunEnded | None = None
        self.layers: events.LayersProbed | None = None
        self.probes: list[events.LayersProbed] = []  # from the start to now, at most MAX_PROBES
        self.findings: tuple[events.Finding, ...] = ()
        self.looked_at: tuple[str, ...] = ()  # FindingsChanged's
        self.findings_history: list[events.FindingsChanged] = []  # from the start to now, at most MAX_PROBES
        self.pauses: list[tuple[int, int]] = []  # after which steps, from and to where it went on step by step
        self.resumed: list[int] = []  # after which steps it went on from a checkpoint
        self.epochs = Epochs()
        self.losses = Series()
        self.metrics = Series()
        self.step = 0
        self.seconds = 0.0
        self.lr = self.header.lr  # nan where it is not known
        self.lr_changes: list[events.LearningRateChanged] = []
        self.thread_changes: list[events.ThreadsChanged] = []
        self.notes: list[events.Noted] = []
        self.failures: list[events.ObserverFailed] = []  # of what watched the run
        self.version = 0
        # Called with each other status, also the last one, in the thread that tells of it; it must not raise.
        self.on_status: Callable[[], object] | None = None

    @property
    def is_configured(self) -> bool:
        """Whether this engine trains it, from a RunConfig; of another program's run there is the header alone."""
        return self._config is not None

    def is_of(self, config: RunConfig) -> bool:
        """Whether it is a run of `config`."""
        return self._config == config

    @property
    def config(self) -> RunConfig:
        """What this engine trains.

        Raises:
            LookupError: where another program does.
        """
        if self._config is None:
            name = self.header.name or _("it")
            raise LookupError(_("run: {name} is trained by {source}").format(name=name, source=self.header.source))
        return self._config

    @property
    def epoch(self) -> int:
        """The epoch that is being trained, from 1; the last one after the end."""
        # By steps: of a run whose database was lost, the first epochs are not known.
        return self.header.epoch_of(self.step)

    def __call__(self, event: events.Event) -> None:
        """Take an event in. Called by the engine's thread only."""
        match event:
            case events.StepsTrained():
                for series, values in ((self.losses, event.losses), (self.metrics, event.metrics)):
                    # Steps that were never told of (their writer was killed) leave a gap, so that an index stays a
                    # step's number.
                    if (missing := event.step - len(values) - len(series)) > 0:
                        series.extend(np.full(missing, np.nan, np.float32))
                    series.extend(values)
                self.step = event.step
                self.seconds = event.seconds
            case events.EpochEnded():
                self.epochs.append(event)
                self.seconds = event.seconds
            case events.LayersProbed():
                self.layers = event
                self._keep(event)
            case events.FindingsChanged():
                self.findings, self.looked_at = event.findings, event.looked_at
                self.findings_history = _thinned([*self.findings_history, event], MAX_PROBES)
            case events.StatusChanged():
                self.status = event.status
                if event.status == "paused" and event.step is not None:
                    self._keep_pause(event.step)
            case events.Loading():
                self.loading = event
            case events.RunStarted():
                self.started, self.loading = event, None
                # What was loaded counts, not what the configuration promised.
                self.header = msgspec.structs.replace(
                    self.header, steps_per_epoch=event.steps_per_epoch, layers=event.layers
                )
            case events.LearningRateChanged():
                self.lr = event.lr
                self.lr_changes.append(event)
            case events.ThreadsChanged():
                self.thread_changes.append(event)
            case events.Noted():
                self.notes.append(event)
            case events.ObserverFailed():
                self.failures = [*self.failures, event]  # a new list: a reader keeps the one that it has
            case events.RunResumed():
                self._go_back(event)
            case events.RunEnded():
                self.ended = event
                self.status = event.status
        self.version += 1
        if self.on_status is not None and isinstance(event, events.StatusChanged | events.RunEnded):
            self.on_status()

    @property
    def examined(self) -> bool:
        """Whether training is over and the cause of how it went is being looked for."""
        return self.status == "training" and self.loading is not None and self.ended is None

    @property
    def word(self) -> str:
        """What the run does, for a person: its status, or that it is over, before it is known with which."""
        return "over" if self.examined else self.status

    def add_epochs(self, rows: Array) -> None:
        """Take many epochs in at once, as rows of Epochs, where a long run is read."""
        if len(rows):
            self.epochs.extend(rows)
            self.seconds = float(rows["seconds"][-1])
            self.version += 1

    def _go_back(self, event: events.RunResumed) -> None:
        """Forget what was told of steps after those that the run goes on from."""
        for series in (self.losses, self.metrics):
            series.truncate(min(event.step, len(series)))
        self.epochs = self.epochs.until(event.step)
        self.probes = [probed for probed in self.probes if probed.step <= event.step]
        self.layers = self.probes[-1] if self.probes else None
        self.lr_changes = [change for change in self.lr_changes if change.step <= event.step]
        self.thread_changes = [change for change in self.thread_changes if change.step <= event.step]
        self.notes = [note for note in self.notes if note.step <= event.step]
        self.findings_history = [found for found in self.findings_history if found.step <= event.step]
        self.pauses = [(first, min(last, event.step)) for first, last in self.pauses if first <= event.step]
        self.resumed = [*(step for step in self.resumed if step < event.step), event.step]
        self.findings, self.looked_at, self.ended = (), (), None
        self.step, self.seconds, self.lr = event.step, event.seconds, event.lr

    def _keep(self, probed: events.LayersProbed) -> None:
        """Add to the history; a moment that is looked at again, by a run that has begun again, is there once."""
        before = self.probes[:-1] if self.probes and self.probes[-1].step == probed.step else self.probes
        probes = [*before, msgspec.structs.replace(probed, layers=tuple(map(_without_units, probed.layers)))]
        self.probes = _thinned(probes, min(MAX_PROBES, max(2, MAX_LAYERS // max(1, len(probed.layers)))))

    def _keep_pause(self, step: int) -> None:
        """A run that is trained step by step pauses after each of them."""
        *before, (first, last) = self.pauses or [(step, step)]
        if step <= last + 1:
            self.pauses = [*before, (first, max(last, step))]
        else:
            self.pauses = [*self.pauses[-MAX_PROBES:], (step, step)]

    def layers_at(self, step: int | None) -> events.LayersProbed | None:
        """The last look at the layers until `step`, or else the first; the newest with None; None before any."""
        if step is None or not self.probes or step >= self.probes[-1].step:
            return self.layers
        return self.probes[max(0, bisect.bisect_right(self.probes, step, key=lambda probed: probed.step) - 1)]

    def findings_at(self, step: int | None) -> tuple[tuple[events.Finding, ...], tuple[str, ...]]:
        """What had been found after `step` steps, and where it had been looked for; with None, what is found now."""
        if step is None or step >= self.step or not self.findings_history:
            return self.findings, self.looked_at
        known = bisect.bisect_right(self.findings_history, step, key=lambda found: found.step)
        if not known:
            return (), ()
        found = self.findings_history[known - 1]
        return found.findings, found.looked_at


T = TypeVar("T")


def _thinned(entries: list[T], most: int) -> list[T]:
    """A history that is too long without every second entry: it always spans the whole run. A new list: a reader keeps
    the one that it has."""
    return entries if len(entries) <= most else [*entries[:-1:2], entries[-1]]


def _without_units(layer: events.LayerStats) -> events.LayerStats:
    return layer if layer.unit_activity is None else msgspec.structs.replace(layer, unit_activity=None)

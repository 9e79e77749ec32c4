"""A run that is told to a store, and the same run stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from runs import short

from d2ltui.history.live import LiveRun
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.store.writer import StoreThread

CONFIG = short(epochs=1000)  # 10 steps an epoch


def stats(index: int = 1) -> events.LayerStats:
    return events.LayerStats(
        index, "Linear 2→1", (1, 2, 3), 0.5, 0.1, -1.0, 2.0, 0.0, None, None, 0, 0.3, 1.0, unit_activity=(0.5,)
    )


def story(first: int, last: int) -> Iterator[events.Event]:
    """What the engine tells of steps `first` to `last`, with the ends of epochs and looks at the layers."""
    step = first - 1
    while step < last:
        end = min(last, step // 10 * 10 + 10)
        losses = np.arange(step + 1, end + 1, dtype=np.float32)
        step = end
        yield events.StepsTrained(step, losses, -losses, step / 64)
        if step % 10 == 0:
            yield events.EpochEnded(step // 10, step, step + 0.5, step + 0.25, -step, step / 4, step / 64)
            yield events.LayersProbed(step, (stats(),), 0.5)


START = events.RunStarted(CONFIG, "cpu", catalogue.layer_plan(CONFIG), 1000, 1000, 10, "in memory")
FINDING = events.Finding("dead", "warning", 1, 10, 0.5, "Half is dead.", "Because.", "Try less.", {"lr": 0.01})
ENDED = events.RunEnded("stopped", "stopped by you", {"steps": 25, "train_loss": None})


def same(stored: LiveRun, live: LiveRun) -> None:
    """Both know the same, apart from what is never stored."""
    assert stored.config == live.config
    np.testing.assert_array_equal(stored.losses.values(), live.losses.values())
    np.testing.assert_array_equal(stored.metrics.values(), live.metrics.values())
    assert stored.epochs == live.epochs
    assert stored.probes == live.probes
    assert (stored.step, stored.status, stored.lr) == (live.step, live.status, live.lr)
    assert (stored.findings, stored.lr_changes, stored.started) == (live.findings, live.lr_changes, live.started)
    assert stored.ended == live.ended


def stored(config: RunConfig = CONFIG) -> Path:
    """A short run, stored to its end."""
    store = StoreThread(config)
    for event in (events.StatusChanged("training"), START, *story(1, 25), ENDED):
        store(event)
    assert store.close()
    assert store.trouble == ""
    assert store.path is not None
    return store.path

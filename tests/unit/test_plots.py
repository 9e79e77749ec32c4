"""Curves: what a chart of a run spans."""

from __future__ import annotations

import numpy as np
import pytest

from d2ltui import events
from d2ltui.config import resolve
from d2ltui.live import LiveRun
from d2ltui.tui.plots import FEWEST_EPOCHS, Curves

PER_EPOCH = 45  # of the MLP on digits, in batches of 32


def run_of(epochs: int, steps: int) -> LiveRun:
    live = LiveRun(resolve({"epochs": epochs}))
    assert live.config.steps_per_epoch == PER_EPOCH
    losses = np.linspace(2.0, 1.0, steps, dtype=np.float32)
    live(events.StepsTrained(steps, losses, 1 - losses / 3, 1.0))
    return live


def spans(live: LiveRun, width: int = 60) -> float:
    loss = Curves(live).loss(width, 12, log=False, smoothing=0.6, ascii=False)
    metric = Curves(live).metric(width, 12, smoothing=0.6, ascii=False)
    assert loss.x_high == metric.x_high
    assert all(0 <= x <= loss.x_high for line in loss.lines for x in line.x)
    return loss.x_high


@pytest.mark.parametrize(("epochs", "trained", "expected"), [(3, 0, 3), (10, 1, 10), (1000, 1, 16), (1000, 20, 32)])
def test_a_running_run_has_room_to_come_and_no_more_than_needed(epochs: int, trained: int, expected: float) -> None:
    assert spans(run_of(epochs, max(1, trained * PER_EPOCH))) == expected


def test_the_axis_moves_seldom() -> None:
    seen = [spans(run_of(1000, epochs * PER_EPOCH)) for epochs in range(1, 1001, 7)]
    assert seen == sorted(seen)
    assert len(set(seen)) <= 7
    assert seen[0] >= FEWEST_EPOCHS
    assert seen[-1] == 1000
    assert all(shown >= epochs for shown, epochs in zip(seen, range(1, 1001, 7), strict=True))


@pytest.mark.parametrize("steps", [1, 6, 45, 100])
def test_a_run_that_has_ended_fills_its_chart(steps: int) -> None:
    live = run_of(1000, steps)
    live(events.RunEnded("diverged", "", {}))
    assert spans(live) == pytest.approx(steps / PER_EPOCH)

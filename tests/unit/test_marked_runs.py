"""Marked runs: any figure over epochs, steps or time, and how far each is from the first."""

from __future__ import annotations

import numpy as np
import pytest

from d2ltui.history.live import LiveRun
from d2ltui.spec.config import resolve
from d2ltui.spec.events import EpochEnded, RunEnded, StepsTrained
from d2ltui.spec.numbers import signed
from d2ltui.tui.screens.runs_curves import FIGURES, Shown, marked_runs


def run_of(batch_size: int, *losses: float, seconds: float = 1.0) -> LiveRun:
    """A run on moons, of 800 samples, with these validation losses; its training losses are half as large."""
    live = LiveRun(resolve({"model": "softmax", "dataset": "moons", "batch_size": batch_size, "epochs": len(losses)}))
    for epoch, loss in enumerate(losses, 1):
        step = epoch * 800 // batch_size
        steps = np.full(800 // batch_size, loss, np.float32)
        live(StepsTrained(step, steps, steps, seconds * epoch))
        live(EpochEnded(epoch, step, loss / 2, loss, 0.9 - loss / 4, 1 - loss / 4, seconds * epoch))
    live(RunEnded("finished", "", {}))
    return live


LIVES = {"coarse": run_of(400, 1.0, 0.8, 0.6), "fine": run_of(100, 0.9, 0.5, seconds=2.0)}


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_drawn(figure: str) -> None:
    shown = Shown(figure=figure)
    spec, _ = marked_runs(LIVES, shown, 60, 12, ascii=False)
    for line, live in zip(spec.lines, LIVES.values(), strict=True):
        assert line.y == [getattr(epoch, figure) for epoch in live.epochs]
        assert line.x == [1.0, 2.0, 3.0][: len(live.epochs)]
    assert (spec.y_low, spec.y_high) == ((0.0, None) if figure.endswith("loss") else (0.0, 1.0))
    assert shown.title(list(LIVES.values())) in (
        "Validation loss",
        "Validation accuracy",
        "Training loss",
        "Training accuracy",
    )


def test_every_unit_has_its_axis_and_its_cursor() -> None:
    over_steps, _ = marked_runs(LIVES, Shown(unit="step", epoch=2), 60, 12, ascii=False)
    assert [line.x for line in over_steps.lines] == [[2.0, 4.0, 6.0], [8.0, 16.0]]
    assert (over_steps.x_label, over_steps.x_high, over_steps.cursor) == ("step", 16.0, 4.0)
    over_time, _ = marked_runs(LIVES, Shown(unit="time", epoch=2), 60, 12, ascii=False)
    assert [line.x for line in over_time.lines] == [[1.0, 2.0, 3.0], [2.0, 4.0]]
    assert (over_time.x_label, over_time.x_high, over_time.cursor) == ("s", 4.0, 2.0)


def test_each_run_is_told_with_its_distance_from_the_first() -> None:
    _, told = marked_runs(LIVES, Shown(epoch=2), 60, 12, ascii=False)
    head, first, second = told.splitlines()
    assert head == "validation loss and metric at epoch 2 (← →), with the difference from a:"
    assert first == "a coarse: 0.8 0.8"
    assert second == "b fine: 0.5 (−0.3) 0.875 (+0.075)"
    _, told = marked_runs(LIVES, Shown(figure="train_metric", epoch=3), 60, 12, ascii=False)
    assert told.splitlines()[2] == "b fine: –"
    assert told.startswith("training loss and metric at epoch 3")
    _, told = marked_runs({"fine": LIVES["fine"], "coarse": LIVES["coarse"]}, Shown(epoch=3), 60, 12, ascii=False)
    assert told.splitlines()[1:] == ["a fine: –", "b coarse: 0.6 0.85"]  # from nothing there is no distance
    _, told = marked_runs({"fine": LIVES["fine"]}, Shown(), 60, 12, ascii=False)
    assert "difference" not in told


def test_a_turn_comes_back_to_where_it_began() -> None:
    shown = Shown(epoch=7)
    for _ in FIGURES:
        shown = shown.turned()
    assert shown == Shown(epoch=7)
    assert shown.over_another_axis().over_another_axis().over_another_axis() == shown
    spec, told = marked_runs({}, shown, 60, 12, ascii=False)
    assert (spec.lines, told) == ([], "")
    assert [signed(value) for value in (0.5, -0.25, 0.0)] == ["+0.5", "−0.25", "±0"]

"""The cursor: what it says is what the run was at that step; and the axis in epochs, steps and seconds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.draw import draw
from d2ltui.charts.of_run import Curves
from d2ltui.charts.timeline import Timeline, Unit, seconds_shown, window
from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.tui.panes.chart_reading import moments

PER_EPOCH = 45  # of the MLP on digits, in batches of 32
UNITS: tuple[Unit, ...] = ("epoch", "step", "time")


def run_of(epochs: int) -> LiveRun:
    """Step n has the loss 1 / n; epoch e has the validation loss 2 / e, and takes e seconds."""
    live = LiveRun(resolve({"epochs": epochs}))
    seconds = 0.0
    for epoch in range(1, epochs + 1):
        step = epoch * PER_EPOCH
        losses = (1 / np.arange(step - PER_EPOCH + 1, step + 1)).astype(np.float32)
        seconds += epoch
        live(events.StepsTrained(step, losses, 1 - losses, seconds))
        live(events.EpochEnded(epoch, step, 1 / epoch, 2 / epoch, 0.5, 1 - 0.5 / epoch, seconds))
    live(events.RunEnded("finished", "", {}))
    return live


@given(st.integers(1, 30 * PER_EPOCH))
def test_the_cursor_reads_the_values_of_its_step(step: int) -> None:
    curves = Curves(run_of(30))
    curves.loss(60, 12, log=False, smoothing=0.0, ascii=False, cursor=step)
    raw, smooth, validation = curves.reading("loss", step)
    assert raw == pytest.approx(1 / step)
    assert smooth > 0
    ended = step // PER_EPOCH
    assert validation == pytest.approx(2 / ended) if ended else np.isnan(validation)
    curves.metric(60, 12, smoothing=0.0, ascii=False)
    assert curves.reading("metric", step)[0] == pytest.approx(1 - 1 / step)


@pytest.mark.parametrize("unit", UNITS)
def test_every_step_has_its_place_on_the_axis_and_every_place_its_step(unit: Unit) -> None:
    timeline = Timeline(run_of(10), unit)
    assert all(timeline.step(timeline.at(step)) == step for step in range(0, 10 * PER_EPOCH + 1, 7))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("zoom", [0, 1, 4])
@pytest.mark.parametrize("ascii", [False, True])
def test_the_cursor_stands_in_the_chart_whatever_it_shows(unit: Unit, zoom: int, ascii: bool) -> None:
    curves = Curves(run_of(10))
    for step in (1, 17, 225, 450):
        for spec in (
            curves.loss(60, 14, log=True, smoothing=0.6, ascii=ascii, unit=unit, zoom=zoom, cursor=step),
            curves.metric(60, 14, smoothing=0.6, ascii=ascii, unit=unit, zoom=zoom, cursor=step),
        ):
            assert spec.cursor is not None
            assert spec.x_low <= spec.cursor <= spec.x_high
            assert all(spec.x_low <= x <= spec.x_high for line in spec.lines for x in line.x)
            assert all(curves.live.losses.values()[:1] > 0)
            assert any("|" if ascii else "┊" in "".join(text for _, text in row)[7:] for row in draw(spec))


@pytest.mark.parametrize(
    ("seconds", "time"), [(0.000705, "0.7 ms"), (0.0994, "99 ms"), (0.31, "0.31 s"), (75, "1:15"), (0, "0 s")]
)
def test_the_moment_of_the_cursor_is_told_with_names_and_units(seconds: float, time: str) -> None:
    told = (f"step 2, epoch 0.04, {time}", "step 2, epoch 0.04", "step 2", "2")
    assert moments(run_of(1), 2, seconds) == told


def test_a_zoomed_chart_follows_the_end_or_stays_with_the_cursor() -> None:
    assert window(0, 800, 600, 0, None) == (0, 800)
    assert window(0, 800, 600, 2, None) == (400, 600)
    assert window(0, 800, 700, 2, 300) == window(0, 800, 600, 2, 300) == (200, 400)
    assert window(0, 800, 600, 2, 10) == (0, 200)
    assert window(0, 800, 50, 2, None) == (0, 200)


def test_an_axis_of_seconds_moves_seldom_and_ends_with_the_run() -> None:
    assert len({seconds_shown(0.1 * tenth, False) for tenth in range(1, 1000)}) <= 8
    assert all(seconds_shown(0.1 * tenth, False) >= 0.1 * tenth for tenth in range(1, 1000))
    assert seconds_shown(12.3, True) == 12.3

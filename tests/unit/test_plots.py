"""Curves: what a chart of a run spans."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.draw import draw
from d2ltui.charts.of_run import FEWEST_EPOCHS, Curves, EpochCurve, epoch_curve
from d2ltui.history.epochs import EPOCHS, Epochs
from d2ltui.history.live import LiveRun
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve

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


def test_a_run_on_other_data_than_its_configuration_names_has_the_epochs_that_it_trains() -> None:
    """Four times the samples: four times the steps in an epoch, which the header knows from the run's start on."""
    live = run_of(3, 1)
    layers = catalogue.layer_plan(live.config)
    live(events.RunStarted(live.config, "cpu", layers, 4 * 1437, 360, 4 * PER_EPOCH, "on the device"))
    steps = 12 * PER_EPOCH
    losses = np.linspace(2.0, 1.0, steps - 1, dtype=np.float32)
    live(events.StepsTrained(steps, losses, 1 - losses / 3, 1.0))
    assert live.epoch == 3
    assert live.header.total_steps == steps
    assert spans(live) == 3
    assert max(Curves(live).loss(60, 12, log=False, smoothing=0.0, ascii=False).lines[0].x) == pytest.approx(
        3, abs=0.05
    )


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


@given(st.integers(1, 3000), st.integers(1, 120), st.randoms())
def test_a_curve_of_epochs_loses_no_spike(n: int, width: int, chance: Random) -> None:
    rows = np.zeros(n, EPOCHS)
    rows["epoch"] = np.arange(1, n + 1)
    rows["val_loss"] = [chance.random() for _ in range(n)]
    x, y = epoch_curve(Epochs(rows), "val_loss", width)
    assert len(x) == len(y) <= max(n if n <= 2 * width else 0, 2 * width + 1)
    assert x == sorted(set(x))
    assert (max(y), min(y)) == (rows["val_loss"].max(), rows["val_loss"].min())
    assert (x[-1], y[-1]) == (n, rows["val_loss"][-1])
    assert all(rows["val_loss"][int(at) - 1] == value for at, value in zip(x, y, strict=True))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), min_size=1, max_size=12), st.integers(0, 9))
def test_a_curve_that_grows_is_the_one_that_is_made_anew(more: list[tuple[int, int]], again_at: int) -> None:
    draw = np.random.default_rng(again_at)
    curve, epochs = EpochCurve("val_loss", -0.5), Epochs()
    for turn, (count, width) in enumerate(more):
        rows = np.zeros(count, EPOCHS)
        rows["epoch"] = np.arange(len(epochs) + 1, len(epochs) + count + 1)
        rows["step"] = rows["epoch"] * 10
        rows["val_loss"] = draw.choice([math.nan, math.inf, -1.0, 0.0, *draw.random(9)], count)
        epochs.extend(rows)
        if turn == again_at:
            epochs = epochs.until(len(epochs) // 2 * 10)
        np.testing.assert_equal(curve.points(epochs, width), epoch_curve(epochs, "val_loss", width, -0.5))


def test_what_is_drawn_of_the_epochs_stays_as_more_come() -> None:
    rows = np.zeros(1000, EPOCHS)
    rows["epoch"], rows["val_loss"] = np.arange(1, 1001), np.random.default_rng(0).random(1000)
    for n in range(700, 800):  # 16 together in 50 columns, from 401 to 800 epochs
        (before, _), (after, _) = (epoch_curve(Epochs(rows[:m]), "val_loss", 50) for m in (n, n + 1))
        whole = [x for x in before[:-1] if x <= n // 16 * 16]  # the last one is always there
        assert after[: len(whole)] == whole


def test_a_spike_beside_values_that_are_none_is_kept() -> None:
    rows = np.zeros(1000, EPOCHS)
    rows["epoch"], rows["val_loss"] = np.arange(1, 1001), 0.1
    rows["val_loss"][500:503] = math.nan, 9.0, math.inf
    _, y = epoch_curve(Epochs(rows[:502]), "val_loss", 10)
    assert 9.0 in y
    _, y = epoch_curve(Epochs(rows), "val_loss", 10)
    assert math.inf in y


def test_a_curve_of_no_epoch_and_one_that_is_cut_off_below() -> None:
    assert epoch_curve(Epochs(), "val_loss", 10) == ([], [])
    rows = np.zeros(2, EPOCHS)
    rows["epoch"], rows["val_metric"] = (1, 2), (-5.0, 0.5)
    assert epoch_curve(Epochs(rows), "val_metric", 10, lowest=-1.0) == ([1.0, 2.0], [-1.0, 0.5])


@pytest.mark.parametrize("ascii", [True, False])
def test_a_metric_that_is_cut_off_says_so(ascii: bool) -> None:
    live = LiveRun(resolve({"model": "linear", "epochs": 2}))
    for step, metric, said in ((32, 0.5, False), (64, -9.0, True)):
        metrics = np.full(32, metric, np.float32)
        live(events.StepsTrained(step, metrics, metrics, 1.0))
        rows = draw(Curves(live).metric(60, 12, smoothing=0, ascii=ascii))
        drawn = "".join(text for row in rows for _, text in row)
        assert ((">= -1" if ascii else "≥ −1") in drawn) == said
        assert "?" not in drawn

"""Marked runs: any figure over epochs, steps or time, and how far each is from the first."""

from __future__ import annotations

import numpy as np
import pytest

from d2ltui.charts.bundles import bundled, letters_in_short
from d2ltui.charts.spec import ChartSpec
from d2ltui.history.live import LiveRun
from d2ltui.spec.config import resolve
from d2ltui.spec.events import EpochEnded, RunEnded, StepsTrained
from d2ltui.spec.numbers import signed
from d2ltui.tui.screens.runs_curves import FIGURES, Shown, differences, marked_runs


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


def told_of(lives: dict[str, LiveRun], shown: Shown, width: int = 60, height: int = 16) -> tuple[ChartSpec, list[str]]:
    spec, below = marked_runs(bundled(lives), shown, width, height, ascii=False)
    return spec, ["".join(text for _, text in line).rstrip() for line in below]


LIVES = {"coarse": run_of(400, 1.0, 0.8, 0.6), "fine": run_of(100, 0.9, 0.5, seconds=2.0)}


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_drawn(figure: str) -> None:
    shown = Shown(figure=figure)
    spec, _ = told_of(LIVES, shown)
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


@pytest.mark.parametrize("width", [36, 40, 60])
def test_no_figure_of_a_run_with_a_long_name_is_cut(width: int) -> None:
    _, told = told_of({"coarse": LIVES["coarse"], "x" * 60: LIVES["fine"]}, Shown(epoch=2), width)
    assert told[2].endswith("…: 0.5 (−0.3) 0.875 (+0.075)")
    assert max(map(len, told[1:])) <= width


def test_every_unit_has_its_axis_and_its_cursor() -> None:
    over_steps, _ = told_of(LIVES, Shown(unit="step", epoch=2))
    assert [line.x for line in over_steps.lines] == [[2.0, 4.0, 6.0], [8.0, 16.0]]
    assert (over_steps.x_label, over_steps.x_high, over_steps.cursor) == ("step", 16.0, 4.0)
    over_time, _ = told_of(LIVES, Shown(unit="time", epoch=2))
    assert [line.x for line in over_time.lines] == [[1.0, 2.0, 3.0], [2.0, 4.0]]
    assert (over_time.x_label, over_time.x_high, over_time.cursor) == ("s", 4.0, 2.0)


def test_each_run_is_told_with_its_distance_from_the_first() -> None:
    _, told = told_of(LIVES, Shown(epoch=2), 72)
    head, first, second = told
    assert head == "validation loss and metric at epoch 2 (← →), with the difference from a:"
    assert first == "─a─ coarse: 0.8 0.8"
    assert second == "─b─ fine: 0.5 (−0.3) 0.875 (+0.075)"
    for width, shorter in ((72, "with the difference from a:"), (71, ", difference from a:"), (40, "(← →):")):
        assert told_of(LIVES, Shown(epoch=2), width)[1][0].endswith(shorter), "nothing that would be cut"
    _, told = told_of(LIVES, Shown(figure="train_metric", epoch=3))
    assert told[2] == "─b─ fine: –"
    assert told[0].startswith("training loss and metric at epoch 3")
    _, told = told_of({"fine": LIVES["fine"], "coarse": LIVES["coarse"]}, Shown(epoch=3))
    assert told[1:] == ["─a─ fine: –", "─b─ coarse: 0.6 0.85"]  # from nothing there is no distance
    _, told = told_of({"fine": LIVES["fine"]}, Shown())
    assert "difference" not in told[0]


def test_a_turn_comes_back_to_where_it_began() -> None:
    shown = Shown(epoch=7)
    for _ in FIGURES:
        shown = shown.turned()
    assert shown == Shown(epoch=7)
    assert shown.over_another_axis().over_another_axis().over_another_axis() == shown
    spec, told = told_of({}, shown)
    assert (spec.lines, told) == ([], [])
    assert [signed(value) for value in (0.5, -0.25, 0.0)] == ["+0.5", "−0.25", "±0"]


def with_rate(lr: float, seed: int = 0, model: str = "softmax", loss: float = 0.5) -> LiveRun:
    dataset = "moons" if model == "softmax" else "diabetes"
    live = LiveRun(resolve({"model": model, "dataset": dataset, "lr": lr, "seed": seed, "epochs": 2}))
    for epoch in (1, 2):
        live(EpochEnded(epoch, 10 * epoch, loss, loss + seed, 0.5, 0.5, 1.0))
    live(RunEnded("finished", "", {}))
    return live


def test_seeds_of_one_configuration_are_one_curve_and_its_extremes() -> None:
    lives = {f"s{seed}": with_rate(0.1, seed) for seed in range(4)} | {"other": with_rate(0.2, 9)}
    spec, told = told_of(lives, Shown(), 70)
    assert [line.y for line in spec.lines] == [[2.0, 2.0], [9.5, 9.5]]
    (band,) = spec.bands
    assert (min(band.low), max(band.high)) == (0.5, 3.5)
    assert told[1].startswith("─a─ s0 and 3 other seeds, mean and range: 2 ")
    assert told[2].startswith("─b─ other: 9.5 (+7.5)")
    assert differences(bundled(lives)) == "lr: a 0.1, b 0.2"
    again = {f"again{i}": with_rate(0.1, 0) for i in range(4)}
    assert len(bundled(again)) == 4, "the same seed again is no other one"
    assert [curve.names for curve in bundled(lives, alone="s1")] == [("s0", "s2", "s3"), ("s1",), ("other",)]


def test_equal_differences_stand_together() -> None:
    lives = {f"r{i}": with_rate(lr) for i, lr in enumerate((0.1, 0.2, 0.1, 0.1, 0.1, 0.2))}
    curves = [bundled({name: live})[0] for name, live in lives.items()]
    assert differences(curves) == "lr: a c–e 0.1, b f 0.2"
    assert letters_in_short([0, 1, 2, 4, 5]) == "a–c e f"


def test_of_many_curves_a_sweep_is_one_and_what_has_no_room_is_counted() -> None:
    lives = {f"run-{i}": with_rate(0.01 * (i + 1)) for i in range(20)}
    assert len(bundled(lives)) == 20
    of_sweep = dict.fromkeys(list(lives)[5:], "sweep-1")
    curves = bundled(lives, of_sweep)
    assert [curve.name for curve in curves[4:]] == ["run-4", "sweep-1, mean and range of 15"]
    assert "lr: " + differences(curves).partition("lr: ")[2].split(", ")[-1] == "lr: f 0.06 … 0.2"
    assert len(bundled(dict(list(lives.items())[:12]), of_sweep)) == 12, "as long as there are few"
    alone = dict(list(lives.items())[5:])
    assert len(bundled(alone, of_sweep)) == 15, "of a sweep that is looked at by itself, its runs"
    spec, told = told_of(lives, Shown(), 50, 16)
    assert len(spec.lines) == len(told) - 2 == 6
    assert told[-1] == "and 14 more marked curves, for which there is no room"
    spec, told = told_of(lives, Shown(), 110, 30)
    assert len(spec.lines) == 20, "in columns"


def test_a_squared_error_is_not_drawn_on_the_axis_of_a_cross_entropy() -> None:
    lives = {"line": with_rate(0.1, model="linear"), "class": with_rate(0.1), "line2": with_rate(0.2, model="linear")}
    spec, told = told_of(lives, Shown(), 120)
    assert [line.marker for line in spec.lines] == ["a", "c"]
    assert told[-1] == "not drawn: b, whose loss is a cross-entropy; the axis is that of a squared error"
    assert "(" not in next(line for line in told if " b " in line), "nor is there a difference"
    spec, told = told_of(lives, Shown(figure="val_metric"), 120)
    assert [line.marker for line in spec.lines] == ["a", "c"]
    assert "an accuracy" in told[-1]
    assert spec.y_low is None

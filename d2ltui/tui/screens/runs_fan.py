"""Marked runs that differ in their seeds alone: a fan in place of a curve for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.charts.fan import fan_chart, fan_of
from d2ltui.charts.spec import ChartSpec
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted
from d2ltui.tui.screens.runs_curves import Shown, span

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun

FAN_LEGEND = 2  # lines


def fan_of_runs(
    lives: dict[str, LiveRun], shown: Shown, width: int, height: int, ascii: bool, under: str | None
) -> tuple[ChartSpec, str]:
    """The fan of a figure, with the run `under` the cursor drawn faintly, and what it says at an epoch."""
    runs = list(lives.values())
    fan = fan_of(runs, shown.figure)
    shares = shown.figure.endswith("metric") and runs[0].header.task == "classification"
    low = 0.0 if shares or shown.figure.endswith("loss") else None
    spec = fan_chart(
        fan,
        width,
        height,
        ascii=ascii,
        epochs=float(max(map(span, runs))),
        member=(under, lives[under]) if under in lives else None,
        figure=shown.figure,
        y_low=low,
        y_high=1.0 if shares else None,
        cursor=float(shown.epoch),
    )
    said = f"{counted(len(runs), 'run')} that differ in their seeds; at epoch {shown.epoch} (← →):"
    if float(shown.epoch) not in fan.epochs:
        return spec, f"{said}\n–"
    at = fan.epochs.index(float(shown.epoch))
    lowest, lower, median, upper, highest = (number(values[at]) for values in fan[1:6])
    of = f" of {fan.runs[at]}" if fan.runs[at] < len(runs) else ""
    return spec, f"{said}\nmedian {median}, quartiles {lower} and {upper}, from {lowest} to {highest}{of}"

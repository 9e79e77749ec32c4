"""Marked runs that differ in their seeds alone: a fan in place of a curve for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from d2ltui.charts.fan import are_alike, fan_chart, fan_of
from d2ltui.charts.spec import ChartSpec, Drawing, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted
from d2ltui.tui.screens.runs_curves import Shown, marked_runs, span

if TYPE_CHECKING:
    from d2ltui.charts.bundles import Bundle
    from d2ltui.history.live import LiveRun

FAN_LEGEND = 2  # lines


def picture_of(
    lives: dict[str, LiveRun],
    curves: Sequence[Bundle],
    shown: Shown,
    width: int,
    height: int,
    ascii: bool,
    under: str | None,
) -> tuple[ChartSpec, Drawing]:
    """The marked runs, in a frame of `width` × `height` cells: a fan, or `curves`, and below it what they have."""
    if not are_alike(list(lives.values())):
        return marked_runs(curves, shown, width, height, ascii)
    spec, told = fan_of_runs(lives, shown, width, max(4, height - FAN_LEGEND), ascii, under)
    return spec, [[(int(Style.TEXT), line)] for line in told.splitlines()]


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
    said = _("{runs} that differ in their seeds; at epoch {epoch} (← →):").format(
        runs=counted(len(runs), "run"), epoch=shown.epoch
    )
    if float(shown.epoch) not in fan.epochs:
        return spec, f"{said}\n–"
    at = fan.epochs.index(float(shown.epoch))
    lowest, lower, median, upper, highest = (number(values[at]) for values in fan[1:6])
    of = _(" of {runs}").format(runs=fan.runs[at]) if fan.runs[at] < len(runs) else ""
    return spec, _("{said}\nmedian {median}, quartiles {lower} and {upper}, from {lowest} to {highest}{of}").format(
        said=said, median=median, lower=lower, upper=upper, lowest=lowest, highest=highest, of=of
    )

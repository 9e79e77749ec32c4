"""Many runs of one kind as a fan: the median, the quartiles, the extremes, and one of them, faint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from d2ltui.charts.spec import Band, ChartSpec, Line, Style
from d2ltui.history.epochs import figures_by_epoch
from d2ltui.history.live import LiveRun
from d2ltui.spec.language import _


class Fan(NamedTuple):
    """For each epoch that some run has ended: the figures of those that have, in order, and how many they are."""

    epochs: list[float]
    low: list[float]
    lower: list[float]  # the first quartile
    median: list[float]
    upper: list[float]  # the third one
    high: list[float]
    runs: list[int]


def fan_of(lives: Sequence[LiveRun], figure: str) -> Fan:
    """`figure`, one of EpochEnded's, over several runs. Values that are not finite do not count."""
    by_epoch = figures_by_epoch((live.epochs for live in lives), figure)
    rows = [np.percentile(values, (0, 25, 50, 75, 100)).tolist() for values in by_epoch.values()]
    low, lower, median, upper, high = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [], [])
    return Fan(list(map(float, by_epoch)), low, lower, median, upper, high, list(map(len, by_epoch.values())))


def fan_chart(
    fan: Fan,
    width: int,
    height: int,
    *,
    ascii: bool,
    epochs: float,
    member: tuple[str, LiveRun] | None = None,
    figure: str = "val_loss",
    y_low: float | None = None,
    y_high: float | None = None,
    cursor: float | None = None,
) -> ChartSpec:
    """The fan over so many `epochs`; `member`, one of the runs, is drawn faintly with it."""
    lines = [
        Line("median", Style.VALIDATION, fan.epochs, fan.median, marker="" if len(fan.epochs) > 1 else "●"),
        Line("quartiles", Style.TRAIN, fan.epochs, fan.lower, dashed=True),
        Line("", Style.TRAIN, fan.epochs, fan.upper, dashed=True),
    ]
    if member is not None:
        name, live = member
        x, y = (live.epochs.column(column).tolist() for column in ("epoch", figure))
        lines.insert(0, Line(name, Style.RAW, list(map(float, x)), y, joined=False, marker="."))
    return ChartSpec(
        width=width,
        height=height,
        lines=lines if fan.epochs else [],
        bands=[_extremes(fan, 2 * width)] if fan.epochs else [],
        x_high=max(1.0, epochs),
        x_label="epoch",
        y_low=y_low,
        y_high=y_high,
        cursor=cursor,
        ascii=ascii,
        empty_text=_("no epoch has ended in these"),
    )


def _extremes(fan: Fan, points: int) -> Band:
    """The band between the extremes, without gaps between epochs that are columns apart."""
    x = np.union1d(fan.epochs, np.linspace(fan.epochs[0], fan.epochs[-1], points))
    low, high = (np.interp(x, fan.epochs, ends).tolist() for ends in (fan.low, fan.high))
    return Band(x.tolist(), low, high, label="extremes")


def are_alike(lives: Sequence[LiveRun]) -> bool:
    """Whether these are three runs or more that differ in nothing but their seeds."""
    params = [{name: value for name, value in live.header.params.items() if name != "seed"} for live in lives]
    return len(lives) > 2 and all(one == params[0] for one in params)

"""Several runs on one axis, each with its letter."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import TypeAlias

from d2ltui.charts.of_run import POINTS_PER_COLUMN, epoch_curve
from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.history.live import LiveRun
from d2ltui.history.smoothing import SmoothedReducer

Curve: TypeAlias = tuple[list[float], list[float]]  # epochs, and a value for each of them

# Not DATA: several themes have one colour for it and for VALIDATION.
_STYLES = (Style.TRAIN, Style.VALIDATION, Style.FIT, Style.WARNING, Style.TEXT, Style.AXIS)

_LETTERS = string.ascii_letters


def letter(index: int) -> str:
    """The mark of curve number `index`. Those of 52 curves differ: a colour comes again with another letter."""
    return _LETTERS[index % len(_LETTERS)]


def style(index: int) -> Style:
    """Its colour."""
    return _STYLES[index % len(_STYLES)]


def epoch_curves(
    lives: Sequence[LiveRun],
    figure: str,
    width: int,
    lowest: float = -math.inf,
    factors: Sequence[float] | None = None,
) -> list[Curve]:
    """Epochs and `figure`, one of EpochEnded's, of several runs; what is below `lowest` is shown there.

    `factors` bring the runs' figures to one unit, one for each run.
    """
    return _scaled([epoch_curve(live.epochs, figure, width, lowest) for live in lives], factors)


def training_losses(
    lives: Sequence[LiveRun], width: int, smoothing: float, factors: Sequence[float] | None = None
) -> list[Curve]:
    """Epochs and the smoothed loss of each step of several runs, reduced to a chart of `width` columns."""
    found = []
    for live in lives:
        reduced = SmoothedReducer(live.losses).reduce(smoothing, len(live.losses), max(2, POINTS_PER_COLUMN * width))
        found.append(((reduced.x / (live.header.steps_per_epoch or 1)).tolist(), reduced.mean.tolist()))
    return _scaled(found, factors)


def _scaled(curves: Sequence[Curve], factors: Sequence[float] | None) -> list[Curve]:
    if factors is None:
        return list(curves)
    return [(x, [factor * value for value in y]) for (x, y), factor in zip(curves, factors, strict=True)]


def overlay(
    curves: Sequence[Curve],
    names: Sequence[str],
    width: int,
    height: int,
    ascii: bool,
    epochs: float,
    empty: str,
    *,
    places: Sequence[int] | None = None,
) -> ChartSpec:
    """The curves of several runs on one axis of so many `epochs`, each with the letter of its place on it.

    `names` are what the legend calls the runs, "" for what it leaves out; `empty` stands where there is no curve, and
    `places` are the curves' own, one after the other where nothing else is said.
    """
    lines = [
        Line(name, style(index), x, y, marker=letter(index))
        for index, name, (x, y) in zip(places or range(len(names)), names, curves, strict=True)
    ]
    return ChartSpec(
        width=width,
        height=height,
        lines=lines,
        x_high=float(epochs),
        x_label="epoch",
        ascii=ascii,
        empty_text=empty,
    )

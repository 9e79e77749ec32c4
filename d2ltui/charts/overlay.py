"""Several runs on one axis, each with its letter."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence

from d2ltui.charts.of_run import epoch_curve
from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.history.live import LiveRun

# Not DATA: several themes have one colour for it and for VALIDATION.
_STYLES = (Style.TRAIN, Style.VALIDATION, Style.FIT, Style.WARNING, Style.TEXT, Style.AXIS)

_LETTERS = string.ascii_letters


def letter(index: int) -> str:
    """The mark of curve number `index`. Those of 52 curves differ: a colour comes again with another letter."""
    return _LETTERS[index % len(_LETTERS)]


def style(index: int) -> Style:
    """Its colour."""
    return _STYLES[index % len(_STYLES)]


def overlay(
    lives: Sequence[LiveRun],
    figure: str,
    width: int,
    height: int,
    ascii: bool,
    empty: str,
    lowest: float = -math.inf,
    epochs: int | None = None,
    factors: Sequence[float] | None = None,
    names: Sequence[str] | None = None,
) -> ChartSpec:
    """`figure`, one of EpochEnded's, of several runs; what is below `lowest` is shown there.

    The axis has so many `epochs`, or as many as the longest run is to have. `factors` bring the runs' figures to one
    unit, one for each run, and `names` are what the legend calls them: by their letters, where none are given.
    """
    lines = []
    for index, live in enumerate(lives):
        x, y = epoch_curve(live.epochs, figure, width, lowest)
        if factors is not None:
            y = [factors[index] * value for value in y]
        lines.append(
            Line(names[index] if names is not None else letter(index), style(index), x, y, marker=letter(index))
        )
    return ChartSpec(
        width=width,
        height=height,
        lines=lines,
        x_high=float(epochs or max((live.header.epochs or live.epoch for live in lives), default=1)),
        x_label="epoch",
        ascii=ascii,
        empty_text=empty,
    )

"""The curve of a range test of the learning rate: the loss over the rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.engine.range_test import RangeTest

ABOVE_START = 1.3  # times the first loss: what a curve that rises above it is shown up to
WIDE_RANGE = 20.0  # the largest loss over the lowest: from here on the axis is logarithmic


def rate_chart(found: RangeTest, highest: float, width: int, height: int, ascii: bool) -> ChartSpec:
    """What came of a test with rates up to `highest`, with its suggestion and the run's own rate marked."""
    rates, smooth = list(found.rates), list(found.smoothed)
    if not rates:
        return ChartSpec(width=width, height=height, ascii=ascii, empty_text=_("no step with a finite loss"))
    log = min(found.losses) > 0 and max(found.losses) > WIDE_RANGE * min(found.losses)
    return ChartSpec(
        width=width,
        height=height,
        lines=[
            Line(_("each step"), Style.RAW, rates, list(found.losses), joined=False),
            Line(_("smoothed"), Style.TRAIN, rates, smooth),
            *_marks(found),
        ],
        x_low=rates[0],
        x_high=highest,
        y_low=None if log else 0.0,
        # What lies far above would press the fall that it is about against the bottom.
        y_high=ABOVE_START * smooth[0] if not log and max(found.losses) > ABOVE_START * smooth[0] else None,
        log_x=True,
        log=log,
        x_label="lr",
        ascii=ascii,
    )


def _marks(found: RangeTest) -> list[Line]:
    """The suggestion and the run's own rate, each as a letter on the curve where the test has come to it."""
    rates = found.rates
    wanted = [
        (_("suggestion"), "s", Style.VALIDATION, found.suggestion),
        (_("the run's"), "r", Style.WARNING, found.lr),
    ]
    marks: dict[int, Line] = {}
    for label, letter, style, rate in wanted:
        if rate is None or not rates[0] <= rate <= rates[-1]:
            continue
        nearest = min(range(len(rates)), key=lambda i: abs(math.log(rates[i] / rate)))
        if nearest in marks:
            label, letter = (
                _("{first} and {second}").format(first=marks[nearest].label, second=label),
                marks[nearest].marker,
            )
        marks[nearest] = Line(label, style, [rates[nearest]], [found.smoothed[nearest]], marker=letter)
    return list(marks.values())

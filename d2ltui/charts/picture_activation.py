"""An activation function and its slope, and below them a histogram of the inputs on the same axis."""

from __future__ import annotations

import math

import numpy as np

from d2ltui.charts.canvas import Look, lines_for, wrapped
from d2ltui.charts.draw import draw
from d2ltui.charts.spec import Band, ChartSpec, Drawing, Line, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent
from d2ltui.spec.pictures import ActivationCurve

HISTOGRAM_FROM = 12  # rows from which on there is room for one


def activation(picture: ActivationCurve, width: int, height: int, look: Look) -> Drawing:
    """The curve, its slope, and where the layer's inputs lie now."""
    largest = float(np.abs(picture.slope).max())
    said = _("slope at most {slope}").format(slope=number(largest))
    if picture.counts.any() and picture.flat_ends:
        said = _("{share} of the inputs saturate it (output below {low} or above {high}); {said}").format(
            share=whole_percent(picture.flat),
            low=number(picture.flat_ends[0]),
            high=number(picture.flat_ends[1]),
            said=said,
        )
    elif picture.counts.any():
        said = _("{share} of the inputs at a slope below {slope}; {said}").format(
            share=whole_percent(picture.flat), slope=number(largest / 20, 2), said=said
        )
    said = f"{picture.title}: {said}"
    below = wrapped([(int(Style.AXIS), said)], width, look.ascii, lines_for(height))
    return [*(line for spec in charts(picture, width, height - len(below), look.ascii) for line in draw(spec)), *below]


def charts(picture: ActivationCurve, width: int, height: int, ascii: bool) -> list[ChartSpec]:
    """One chart, or two where there are inputs and room, together `height` rows high."""
    below = height // 3 if height >= HISTOGRAM_FROM and picture.counts.any() else 0
    x, ends = picture.x.tolist(), (float(picture.x[0]), float(picture.x[-1]))
    curves = [
        Line("slope", Style.VALIDATION, x, picture.slope.tolist(), dashed=True),
        Line("function", Style.TRAIN, x, picture.y.tolist()),
    ]
    found = [_spec(width, height - below, ends, ascii, lines=curves)]
    if below:
        edges = np.linspace(*ends, len(picture.counts) + 1)
        middles = ((edges[:-1] + edges[1:]) / 2).tolist()
        # An empty bin has no bar: one of no height would still be a row of dots.
        counts = [float(count) or math.nan for count in picture.counts]
        bars = Band(x=middles, low=[0.0] * len(counts), high=counts, style=Style.DATA, label="inputs")
        found.append(_spec(width, below, ends, ascii, bands=[bars], y_low=0.0))
    return found


def _spec(
    width: int,
    height: int,
    x: tuple[float, float],
    ascii: bool,
    *,
    lines: list[Line] | None = None,
    bands: list[Band] | None = None,
    y_low: float | None = None,
) -> ChartSpec:
    return ChartSpec(
        width,
        height,
        lines or [],
        x_low=x[0],
        x_high=x[1],
        y_low=y_low,
        x_label="x",
        ascii=ascii,
        bands=bands or [],
        integer_x=False,
        empty_text=_("no number"),
    )

"""Where in a chart the curves are, and the frame around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.scale import Axis
from d2ltui.charts.spec import ChartSpec, Drawing, Style
from d2ltui.spec.language import pgettext
from d2ltui.spec.numbers import number

MIN_WIDTH, MIN_HEIGHT = 12, 4
_LABEL_WIDTH = 6
# A tick of the y axis on the first, second, … dot of its cell from below, and of the x axis on the left and right one.
_ACROSS, _UPRIGHT = "⣀⠤⠒⠉", "⡇⢸"


class PlotArea(NamedTuple):
    """The cells of the curves: `width` × `height` from (`left`, `top`) on. What depends on values is not in it."""

    left: int
    top: int
    width: int
    height: int
    label_width: int
    legend_row: int | None
    label_row: int | None

    @classmethod
    def within(cls, width: int, height: int, legend: bool) -> PlotArea | None:
        """The plot area of a chart of `width` × `height` cells; None where there is no room for one."""
        if width < MIN_WIDTH or height < MIN_HEIGHT:
            return None
        legend = legend and height >= 6
        label_width = _LABEL_WIDTH if width >= 20 else 0
        labelled = height >= 5
        top = int(legend)
        return cls(
            left=label_width + 1,
            top=top,
            width=width - label_width - 1,
            height=height - top - 1 - int(labelled),
            label_width=label_width,
            legend_row=0 if legend else None,
            label_row=height - 1 if labelled else None,
        )


def draw_frame(grid: Grid, area: PlotArea, *, x: Axis, x_label: str, y: Axis | None, ascii: bool) -> None:
    """Axes, ticks and labels around `area`; without `y` there are no values, and it has no ticks.

    Each tick is a stroke on its own dot, where a curve has its value.
    """
    vertical, corner, horizontal = "|+-" if ascii else "│└─"
    axis, bottom = area.left - 1, area.top + area.height
    down, across = (1, 1) if ascii else (4, 2)
    highest = area.height - 1
    if y is not None and y.end is not None:
        highest = min(highest, y.dot(y.end) // down)
    for row in range(highest + 1):
        grid.put(axis, bottom - 1 - row, vertical, Style.AXIS)
    ticks = [(y.dot(value), text) for value, text in zip(y.ticks, y.labels, strict=True)] if y is not None else []
    for dot, text in ticks:
        if 0 <= dot < down * area.height:
            row = bottom - 1 - dot // down
            grid.put(axis - bool(area.label_width), row, "-" if ascii else _ACROSS[dot % down], Style.AXIS)
            if area.label_width:
                grid.put(0, row, text.rjust(area.label_width - 1), Style.AXIS)
    grid.put(axis, bottom, corner + horizontal * area.width, Style.AXIS)
    free = 0
    if area.label_row is not None and area.label_width:
        # Under the y axis's labels, where no tick is: it never has to make room.
        name = one_cell_each(pgettext("chart", x_label), ascii)[: area.label_width - 1]
        grid.put(0, area.label_row, name.rjust(area.label_width - 1), Style.AXIS)
        free = len(name) and area.label_width
    for value, text in zip(x.ticks, x.labels, strict=True):
        dot = x.dot(value)
        column = area.left + dot // across
        start = min(max(column - (len(text) - 1) // 2, free), grid.width - len(text))
        if not 0 <= dot < x.dots or (area.label_row is not None and start < free):
            continue
        grid.put(column, bottom, "+" if ascii else _UPRIGHT[dot % across], Style.AXIS)
        if area.label_row is not None:
            grid.put(start, area.label_row, text, Style.AXIS)
            free = start + len(text) + 1


def draw_small(spec: ChartSpec, values: Sequence[tuple[str, Sequence[float]]]) -> Drawing:
    """Where no chart fits: the last value of each line, in words."""
    grid = Grid(spec.width, spec.height)
    last = [(label, [y for y in ys if math.isfinite(y)][-1:]) for label, ys in values]
    rows = [f"{pgettext('chart', label)} {number(ys[0])}".strip() for label, ys in last if ys] or [spec.empty_text]
    for row, text in enumerate(rows):
        grid.put(0, row, one_cell_each(text, spec.ascii), Style.TEXT)
    return grid.drawing()

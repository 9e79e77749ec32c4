"""Where in a chart the curves are, and the frame around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from d2ltui.charts import axes
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.spec import ChartSpec, Drawing, Style

MIN_WIDTH, MIN_HEIGHT = 12, 4
_LABEL_WIDTH = 6
# Cells between two ticks of the x axis: the first at which their labels fit.
_TICK_DISTANCES = (6, 9, 12)


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

    @property
    def y_intervals(self) -> int:
        """How many parts the y axis is divided into, at most."""
        return max(1, min(8, (self.height - 1) // 2))


def position(value: float, low: float, high: float, cells: int, dots: int) -> int:
    """The cell, 0 to `cells` - 1, in which a curve of `dots` dots a cell has `value`."""
    return math.floor((value - low) / (high - low) * (dots * cells - 1) + 0.5) // dots


def draw_frame(
    grid: Grid,
    area: PlotArea,
    *,
    x_limits: tuple[float, float],
    x_label: str,
    whole: bool,
    log_x: bool = False,
    y_limits: tuple[float, float],
    y_ticks: Sequence[float],
    y_labels: Sequence[str],
    ascii: bool,
) -> None:
    """Axes, ticks and labels around `area`. `y_ticks` are in the scale of `y_limits`.

    With `log_x`, `x_limits` are exponents of 10.
    """
    vertical, tick, corner, horizontal, x_tick = "|++-+" if ascii else "│┤└─┬"
    axis = area.left - 1
    for row in range(area.height):
        grid.put(axis, area.top + row, vertical, Style.AXIS)
    for index, value in enumerate(y_ticks):
        up = position(value, *y_limits, area.height, 1 if ascii else 4)
        if 0 <= up < area.height:
            row = area.top + area.height - 1 - up
            grid.put(axis, row, tick, Style.AXIS)
            if area.label_width:
                grid.put(0, row, y_labels[index].rjust(area.label_width), Style.AXIS)
    bottom = area.top + area.height
    grid.put(axis, bottom, corner + horizontal * area.width, Style.AXIS)
    x_ticks, x_labels = _x_ticks(x_limits, area.width, whole, log_x)
    free = 0
    if area.label_row is not None and area.label_width:
        # Under the y axis's labels, where no tick is: it never has to make room.
        name = one_cell_each(x_label, ascii)[: area.label_width - 1]
        grid.put(0, area.label_row, name.rjust(area.label_width - 1), Style.AXIS)
        free = len(name) and area.label_width
    for value, text in zip(x_ticks, x_labels, strict=True):
        column = area.left + position(value, *x_limits, area.width, 1 if ascii else 2)
        start = min(max(column - (len(text) - 1) // 2, free), grid.width - len(text))
        if area.label_row is None:
            grid.put(column, bottom, x_tick, Style.AXIS)
        elif start >= free:
            grid.put(column, bottom, x_tick, Style.AXIS)
            grid.put(start, area.label_row, text, Style.AXIS)
            free = start + len(text) + 1


def _x_ticks(limits: tuple[float, float], width: int, whole: bool, log: bool) -> tuple[list[float], list[str]]:
    if log:
        powers = axes.ticks(10 ** limits[0], 10 ** limits[1], max(1, width // _TICK_DISTANCES[1]), log=True)
        return [math.log10(tick) for tick in powers], axes.labels(powers, _TICK_DISTANCES[1] - 2, log=True)
    ticks: list[float] = []
    labels: list[str] = []
    for distance in _TICK_DISTANCES:
        ticks = axes.ticks(*limits, max(1, width // distance), whole=whole)
        labels = axes.labels(ticks, _TICK_DISTANCES[1] - 2)
        apart = width / max(1, len(ticks) - 1)
        if max(map(len, labels), default=0) + 2 <= apart:
            break
    return ticks, labels


def draw_small(spec: ChartSpec, values: Sequence[tuple[str, Sequence[float]]]) -> Drawing:
    """Where no chart fits: the last value of each line, in words."""
    grid = Grid(spec.width, spec.height)
    last = [(label, [y for y in ys if math.isfinite(y)][-1:]) for label, ys in values]
    rows = [f"{label} {ys[0]:.3g}".strip() for label, ys in last if ys] or [spec.empty_text]
    for row, text in enumerate(rows):
        grid.put(0, row, one_cell_each(text, spec.ascii), Style.TEXT)
    return grid.drawing()

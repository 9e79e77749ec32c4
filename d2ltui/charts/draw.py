"""Numbers to characters: `draw(spec)` gives exactly `spec.height` lines of exactly `spec.width` cells.

Axes, ticks and legend are in fixed places, so that few cells change from one frame to the next.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec

from d2ltui.charts import axes
from d2ltui.charts.curves import draw_curves
from d2ltui.charts.dots import Scale
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.legend import draw_legend, draw_marks
from d2ltui.charts.plot_area import PlotArea, draw_frame, draw_small
from d2ltui.charts.scale import Axis, linear, logarithmic, x_room, y_room
from d2ltui.charts.spec import Band, ChartSpec, Drawing, Line, Style


def draw(spec: ChartSpec) -> Drawing:
    """The chart that `spec` describes, as lines of runs (style, text)."""
    if spec.log_x:
        spec = _with_exponents(spec)
    area = PlotArea.within(
        spec.width,
        spec.height,
        legend=any([*(line.label for line in spec.lines), *(band.label for band in spec.bands)]),
    )
    lines = [_shown(line, spec.log) for line in spec.lines]
    bands = [_shown_band(band, spec.log) for band in spec.bands]
    values = [y for _, y in (point for points, _ in lines for point in points) if y == y]
    values += [y for points, _ in bands for _, low, high in points if low == low for y in (low, high)]
    if area is None:
        return draw_small(spec, [(line.label, line.y) for line in spec.lines])
    x = _x_axis(spec, area)
    y = _y_axis(spec, area, values) if values else None
    grid = _framed(spec.width, spec.height, area, x, spec.x_label, y, spec.ascii).copy()
    if y is not None:
        scale = Scale(area, x.low, x.high, y.low, y.high, spec.ascii)
        points = [(line, shown) for line, (shown, _) in zip(spec.lines, lines, strict=True)]
        extents = [(band, shown) for band, (shown, _) in zip(spec.bands, bands, strict=True)]
        draw_curves(grid, area, scale, points, extents, spec.ascii)
        if spec.cursor is not None and math.isfinite(spec.cursor):
            _draw_cursor(grid, area, x.dot(spec.cursor), spec.ascii)
    elif spec.empty_text:
        text = one_cell_each(spec.empty_text, spec.ascii)[: area.width]
        grid.put(area.left + (area.width - len(text)) // 2, area.top + (area.height - 1) // 2, text, Style.TEXT)
    told = draw_marks(grid, area, x, spec)
    if area.legend_row is not None:
        hidden = any(hidden for _, hidden in (*lines, *bands))
        draw_legend(grid, area.legend_row, spec, hidden, told)
    return grid.drawing()


def _with_exponents(spec: ChartSpec) -> ChartSpec:
    """`spec` with the logarithms of all that is measured along its x axis; nan where there is none."""

    def exponents(numbers: Sequence[float]) -> list[float]:
        return [math.log10(x) if x > 0 else math.nan for x in numbers]

    return msgspec.structs.replace(
        spec,
        lines=[msgspec.structs.replace(line, x=exponents(line.x)) for line in spec.lines],
        bands=[msgspec.structs.replace(band, x=exponents(band.x)) for band in spec.bands],
        x_low=exponents([spec.x_low])[0],
        x_high=exponents([spec.x_high])[0],
    )


@functools.lru_cache(maxsize=8)
def _framed(width: int, height: int, area: PlotArea, x: Axis, x_label: str, y: Axis | None, ascii: bool) -> Grid:
    """Axes, ticks and labels, which stand still while the curves grow. `y` is None where there are no values."""
    grid = Grid(width, height)
    draw_frame(grid, area, x=x, x_label=x_label, y=y, ascii=ascii)
    return grid


def _shown(line: Line, log: bool) -> tuple[list[tuple[float, float]], bool]:
    """The points of `line` in the axis's own scale (nan where there is none), and whether `log` hides any."""
    if not log and len(line.x) == len(line.y) and _all_shown(line.x, line.y):
        return list(zip(line.x, line.y, strict=True)), False
    points, hidden = [], False
    for x, y in zip(line.x, line.y, strict=False):
        if not (math.isfinite(x) and math.isfinite(y)):
            y = math.nan
        elif log:
            if y > 1e-100:
                y = math.log10(min(y, 1e100))
            else:
                y, hidden = math.nan, True
        else:
            y = axes.clamp(y)
        points.append((x, y))
    return points, hidden


def _shown_band(band: Band, log: bool) -> tuple[list[tuple[float, float, float]], bool]:
    """As `_shown`, for (x, low, high); nan for both where one of them is not finite."""
    if not log and len(band.x) == len(band.low) == len(band.high) and _all_shown(band.x, band.low, band.high):
        return list(zip(band.x, band.low, band.high, strict=True)), False
    points, hidden = [], False
    for x, low, high in zip(band.x, band.low, band.high, strict=False):
        hidden = hidden or (log and min(low, high) <= 1e-100)
        if not (math.isfinite(x) and math.isfinite(low) and math.isfinite(high)) or (log and high <= 1e-100):
            low = high = math.nan
        elif log:
            high = math.log10(min(high, 1e100))
            low = math.log10(min(low, 1e100)) if low > 1e-100 else high
        else:
            low, high = axes.clamp(low), axes.clamp(high)
        points.append((x, low, high))
    return points, hidden


def _all_shown(*columns: Sequence[float]) -> bool:
    """Whether every number is finite, and small enough to be shown as it is: told of all of them at once."""
    # A sum is nan or infinite where a term is.
    return all(
        math.isfinite(sum(column)) and all(axes.clamp(end) == end for end in (min(column), max(column)))
        for column in columns
        if column
    )


def _draw_cursor(grid: Grid, area: PlotArea, dot: int, ascii: bool) -> None:
    column = dot if ascii else dot // 2
    if 0 <= column < area.width:
        for row in range(area.top, area.top + area.height):
            if grid.is_free(area.left + column, row):
                grid.set(area.left + column, row, "|" if ascii else "┊", Style.TEXT)


def cursor_axis(spec: ChartSpec) -> tuple[int, Axis] | None:
    """The first column of the curves of a chart, and its x axis: what lies under a mouse. None where there is none."""
    legend = any([*(line.label for line in spec.lines), *(band.label for band in spec.bands)])
    area = PlotArea.within(spec.width, spec.height, legend)
    return None if area is None else (area.left, _x_axis(spec, area))


def _y_axis(spec: ChartSpec, area: PlotArea, values: Sequence[float]) -> Axis:
    room = y_room(area.height, spec.ascii, max(3, area.label_width - 1))
    given = [
        None if number is None or not math.isfinite(number) or (spec.log and number <= 0) else axes.clamp(number)
        for number in (spec.y_low, spec.y_high)
    ]
    lowest, highest = min(values), max(values)
    if spec.log:
        lowest, highest = 10**lowest, 10**highest
    fallback = axes.nice_limits(lowest, highest, spec.log, parts=8)
    low, high = (own if number is None else number for number, own in zip(given, fallback, strict=True))
    ceiling = given[1] is not None
    if not axes.apart(*((math.log10(low), math.log10(high)) if spec.log else (low, high))):
        low, high = axes.nice_limits(low, max(low, high), spec.log)
        ceiling = False
    return logarithmic(low, high, room) if spec.log else linear(low, high, room, ceiling=ceiling)


def _x_axis(spec: ChartSpec, area: PlotArea) -> Axis:
    """`spec` has exponents where its x axis is logarithmic."""
    room = x_room(area.width, spec.ascii, 7)
    low = axes.clamp(spec.x_low) if math.isfinite(spec.x_low) else 0.0
    high = axes.clamp(spec.x_high) if math.isfinite(spec.x_high) else low
    if not axes.apart(low, high):
        high = low + max(1.0, abs(low))
    if spec.log_x:
        return logarithmic(10 ** max(low, -99), 10 ** min(high, 99), room)
    return linear(low, high, room, whole=spec.integer_x)

"""Numbers to characters: `draw(spec)` gives exactly `spec.height` lines of exactly `spec.width` cells.

Axes, ticks and legend are in fixed places, so that few cells change from one frame to the next.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec

from d2ltui.charts import axes
from d2ltui.charts.curves import ASCII_JOIN, Scale, draw_curves, marker_of, plain_marker
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.plot_area import PlotArea, draw_frame, draw_small
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
    y_low, y_high = _y_limits(spec, values)
    x_low, x_high = _x_limits(spec)
    bottom, top = (math.log10(y_low), math.log10(y_high)) if spec.log else (y_low, y_high)
    grid = _framed(
        spec.width,
        spec.height,
        area,
        (x_low, x_high),
        spec.x_label,
        spec.integer_x,
        spec.log_x,
        (y_low, y_high) if values else None,
        spec.log,
        spec.ascii,
    ).copy()
    if values:
        scale = Scale(area, x_low, x_high, bottom, top, spec.ascii)
        points = [(line, shown) for line, (shown, _) in zip(spec.lines, lines, strict=True)]
        extents = [(band, shown) for band, (shown, _) in zip(spec.bands, bands, strict=True)]
        draw_curves(grid, area, scale, points, extents, spec.ascii)
    elif spec.empty_text:
        text = one_cell_each(spec.empty_text, spec.ascii)[: area.width]
        grid.put(area.left + (area.width - len(text)) // 2, area.top + (area.height - 1) // 2, text, Style.TEXT)
    if area.legend_row is not None:
        hidden = any(hidden for _, hidden in (*lines, *bands))
        _draw_legend(grid, area.legend_row, spec, hidden)
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
def _framed(
    width: int,
    height: int,
    area: PlotArea,
    x_limits: tuple[float, float],
    x_label: str,
    whole: bool,
    log_x: bool,
    y_range: tuple[float, float] | None,
    log: bool,
    ascii: bool,
) -> Grid:
    """Axes, ticks and labels, which stand still while the curves grow. `y_range` is None where there are no values."""
    grid = Grid(width, height)
    y_ticks: list[float] = []
    if y_range is not None:
        for most in range(area.y_intervals, max(area.y_intervals + 1, area.height)):
            y_ticks = axes.ticks(*y_range, most, log)
            if len(y_ticks) > 1:  # one number is no scale
                break
    ends = y_range or (0.0, 1.0)
    draw_frame(
        grid,
        area,
        x_limits=x_limits,
        x_label=x_label,
        whole=whole,
        log_x=log_x,
        y_limits=(math.log10(ends[0]), math.log10(ends[1])) if log and y_range is not None else ends,
        y_ticks=[math.log10(tick) for tick in y_ticks] if log else y_ticks,
        y_labels=axes.labels(y_ticks, area.label_width, log) if area.label_width else [],
        ascii=ascii,
    )
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


def _y_limits(spec: ChartSpec, values: Sequence[float]) -> tuple[float, float]:
    """The y axis's limits, in the values' own scale: positive where the axis is logarithmic."""
    fallback = (0.1, 1.0) if spec.log else (0.0, 1.0)
    if values and spec.log:
        fallback = axes.nice_limits(10 ** min(values), 10 ** max(values), log=True)
    elif values:
        fallback = axes.nice_limits(min(values), max(values))
    given = (spec.y_low, spec.y_high)
    low, high = (
        own if number is None or not math.isfinite(number) or (spec.log and number <= 0) else number
        for number, own in zip(given, fallback, strict=True)
    )
    low, high = axes.clamp(low), axes.clamp(high)
    if axes.apart(*((math.log10(low), math.log10(high)) if spec.log else (low, high))):
        return low, high
    return axes.nice_limits(low, max(low, high), spec.log)


def _x_limits(spec: ChartSpec) -> tuple[float, float]:
    low = axes.clamp(spec.x_low) if math.isfinite(spec.x_low) else 0.0
    high = axes.clamp(spec.x_high) if math.isfinite(spec.x_high) else low
    return (low, high) if axes.apart(low, high) else (low, low + max(1.0, abs(low)))


def _draw_legend(grid: Grid, row: int, spec: ChartSpec, hidden: bool) -> None:
    """One line, to the right: a sample and the label of each line."""
    parts: list[tuple[str, int]] = []
    for band in spec.bands:
        if band.label:
            parts += [(":: " if spec.ascii else "⣿⣿ ", band.style), (band.label + "  ", Style.TEXT)]
    for line in spec.lines:
        if line.label:
            parts += [(_sample(line, spec.ascii) + " ", line.style), (line.label + "  ", Style.TEXT)]
    if hidden:
        parts.append(("(≤ 0 not shown)", Style.WARNING))
    elif parts:
        parts.append((parts.pop()[0].rstrip(), Style.TEXT))
    shown = [(one_cell_each(text, spec.ascii), style) for text, style in parts]
    width = sum(len(text) for text, _ in shown)
    column = max(0, grid.width - width)
    for text, style in shown:
        grid.put(column, row, text, style)
        column += len(text)


def _sample(line: Line, ascii: bool) -> str:
    marker = marker_of(line, ascii)
    if not line.joined:
        return marker or (plain_marker(line) if ascii else "⠒⠂")
    join = ASCII_JOIN.get(line.style, plain_marker(line)) if ascii else "─"
    return join + (marker or join) + join

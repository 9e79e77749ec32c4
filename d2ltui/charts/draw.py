"""Numbers to characters: `draw(spec)` gives exactly `spec.height` lines of exactly `spec.width` cells.

The curves are plotext's. Axes, ticks and legend are drawn here, in fixed places, so that few cells change from one
frame to the next; plotext gets the bare canvas, which also takes it less time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import plotext

from d2ltui.charts import axes
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.histogram import draw_histogram
from d2ltui.charts.plot_area import PlotArea, draw_frame, draw_small
from d2ltui.charts.spec import Band, ChartSpec, Drawing, HistogramSpec, Line, Spec, Style

_RUN = re.compile(r"\x1b\[38;5;(\d+)m([^\x1b]*)|\x1b\[[0-9;]*m|([^\x1b]+)")
_ASCII_MARKER: dict[int, str] = {
    Style.TRAIN: "*",
    Style.VALIDATION: "o",
    Style.RAW: ".",
    Style.FIT: "*",
    Style.DATA: "x",
}
_ASCII_JOIN: dict[int, str] = {Style.VALIDATION: "-"}
# Markers nearer to each other than this (in columns) hide the line that they are on.
_MARKER_DISTANCE = 3

Dots: TypeAlias = list[tuple[int, int]]

# Once: the figure keeps all this when its data are cleared, and clearing all of it takes as long as drawing a line.
plotext.limit_size(False, False)
plotext.theme("clear")
plotext.xaxes(False, False)
plotext.yaxes(False, False)
plotext.xticks([])
plotext.yticks([])


def draw(spec: Spec) -> Drawing:
    """The chart or histogram that `spec` describes, as lines of runs (style, text)."""
    if isinstance(spec, HistogramSpec):
        return draw_histogram(spec)
    return _draw_chart(spec)


def _draw_chart(spec: ChartSpec) -> Drawing:
    grid = Grid(spec.width, spec.height)
    area = PlotArea.within(spec.width, spec.height, legend=any(line.label for line in spec.lines))
    lines = [_shown(line, spec.log) for line in spec.lines]
    bands = [_shown_band(band, spec.log) for band in spec.bands]
    values = [y for _, y in (point for points, _ in lines for point in points) if y == y]
    values += [y for points in bands for _, low, high in points for y in (low, high)]
    if area is None:
        return draw_small(spec, [(line.label, line.y) for line in spec.lines])
    y_low, y_high = _y_limits(spec, values)
    y_ticks = axes.ticks(y_low, y_high, area.y_intervals, spec.log) if values else []
    if spec.log:
        positions = [math.log10(tick) for tick in y_ticks]
        bottom, top = math.log10(y_low), math.log10(y_high)
    else:
        positions, bottom, top = y_ticks, y_low, y_high
    x_low, x_high = _x_limits(spec)
    draw_frame(
        grid,
        area,
        x_limits=(x_low, x_high),
        x_label=spec.x_label,
        whole=spec.integer_x,
        y_limits=(bottom, top),
        y_ticks=positions,
        y_labels=axes.labels(y_ticks, area.label_width, spec.log) if area.label_width else [],
        ascii=spec.ascii,
    )
    if values:
        scale = _Scale(area, x_low, x_high, bottom, top, spec.ascii)
        _draw_curves(grid, area, scale, spec, lines, bands)
    elif spec.empty_text:
        text = one_cell_each(spec.empty_text, spec.ascii)[: area.width]
        grid.put(area.left + (area.width - len(text)) // 2, area.top + (area.height - 1) // 2, text, Style.TEXT)
    if area.legend_row is not None:
        hidden = any(hidden for _, hidden in lines)
        _draw_legend(grid, area.legend_row, spec, hidden)
    return grid.drawing()


def _shown(line: Line, log: bool) -> tuple[list[tuple[float, float]], bool]:
    """The points of `line` in the axis's own scale (nan where there is none), and whether `log` hides any."""
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


def _shown_band(band: Band, log: bool) -> list[tuple[float, float, float]]:
    points = []
    for x, low, high in zip(band.x, band.low, band.high, strict=False):
        if not (math.isfinite(x) and math.isfinite(low) and math.isfinite(high)) or (log and high <= 1e-100):
            continue
        if log:
            high = math.log10(min(high, 1e100))
            low = math.log10(min(low, 1e100)) if low > 1e-100 else high
        points.append((x, axes.clamp(low), axes.clamp(high)))
    return points


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
    return (low, high) if high > low else axes.nice_limits(low, max(low, high), spec.log)


def _x_limits(spec: ChartSpec) -> tuple[float, float]:
    low = axes.clamp(spec.x_low) if math.isfinite(spec.x_low) else 0.0
    high = axes.clamp(spec.x_high) if math.isfinite(spec.x_high) else low
    return (low, high) if high - low > 1e-9 * max(1e-90, abs(low)) else (low, low + max(1.0, abs(low)))


class _Scale:
    """From values to dots: 2 × 4 in a cell, or 1 × 1 without UTF-8. Row 0 is at the bottom, as plotext has it."""

    def __init__(self, area: PlotArea, x_low: float, x_high: float, y_low: float, y_high: float, ascii: bool) -> None:
        self.across, self.down = (1, 1) if ascii else (2, 4)
        self.columns, self.rows = self.across * area.width, self.down * area.height
        self._x_low, self._x_factor = x_low, (self.columns - 1) / (x_high - x_low)
        self._y_low, self._y_factor = y_low, (self.rows - 1) / (y_high - y_low)

    def dot(self, x: float, y: float) -> tuple[int, int]:
        """The dot of a value; what is outside comes to lie just beyond the edge, so that no line grows endless."""
        column = (x - self._x_low) * self._x_factor + 0.5
        row = (y - self._y_low) * self._y_factor + 0.5
        return (
            math.floor(max(-1.0, min(float(self.columns), column))),
            math.floor(max(-1.0, min(float(self.rows), row))),
        )


def _trace(dots: Iterable[tuple[int, int] | None]) -> Dots:
    """The dots on straight lines between `dots`; None is a gap."""
    found: dict[tuple[int, int], None] = {}
    before: tuple[int, int] | None = None
    for dot in dots:
        if dot is not None:
            if before is not None and before != dot:
                (x0, y0), (x1, y1) = before, dot
                n = max(abs(x1 - x0), abs(y1 - y0))
                dx, dy = (x1 - x0) / n, (y1 - y0) / n
                for i in range(1, n):
                    found[(math.floor(x0 + i * dx + 0.5), math.floor(y0 + i * dy + 0.5))] = None
            found[dot] = None
        before = dot
    return list(found)


def _fill(points: Sequence[tuple[float, float, float]], scale: _Scale) -> Dots:
    """The dots between the lower and the upper edge of a band: one upright stroke in each column of cells.

    Strokes side by side would make a block that is heavier than the curves in front of it, and take longer.
    """
    extents: dict[int, tuple[int, int]] = {}
    for edge in (1, 2):
        for dot, row in _trace(scale.dot(point[0], point[edge]) for point in points):
            column = dot // scale.across
            low, high = extents.get(column, (row, row))
            extents[column] = (min(low, row), max(high, row))
    return [(column * scale.across, row) for column, (low, high) in extents.items() for row in range(low, high + 1)]


def _draw_curves(
    grid: Grid,
    area: PlotArea,
    scale: _Scale,
    spec: ChartSpec,
    lines: Sequence[tuple[list[tuple[float, float]], bool]],
    bands: Sequence[list[tuple[float, float, float]]],
) -> None:
    """Let plotext draw bands, lines and markers, in this order, and copy its characters into the plot area."""
    plotext.clear_data()
    plotext.plot_size(area.width, area.height)
    plotext.xlim(0, max(1, scale.columns - 1))
    plotext.ylim(0, max(1, scale.rows - 1))
    for band, extents in zip(spec.bands, bands, strict=True):
        _scatter(_fill(extents, scale), scale, ":" if spec.ascii else "braille", band.style)
    dotted = [[scale.dot(x, y) if y == y else None for x, y in points] for points, _ in lines]
    # A cell shows one line only. Where two run together, one is seen between the markers of the other.
    ordered = sorted(zip(spec.lines, dotted, strict=True), key=lambda pair: _depth(pair[0]))
    for line, dots in ordered:
        if line.joined or not line.marker:
            plain = _ASCII_JOIN.get(line.style, _plain_marker(line)) if line.joined else _plain_marker(line)
            traced = _trace(dots) if line.joined else list(dict.fromkeys(filter(None, dots)))
            _scatter(traced, scale, plain if spec.ascii else "braille", line.style)
        else:
            _markers(dots, area, scale, _marker(line, spec.ascii), line.style)
    for line, dots in ordered:
        if line.joined and line.marker:
            _markers(dots[:: _thinned(dots, scale)], area, scale, _marker(line, spec.ascii), line.style)
    _copy(plotext.build(), grid, area)


def _depth(line: Line) -> int:
    """Where a line is drawn: raw values and points behind, lines with markers before lines without."""
    return 0 if line.style == Style.RAW or not line.joined else 1 if line.marker else 2


def _markers(dots: Sequence[tuple[int, int] | None], area: PlotArea, scale: _Scale, marker: str, style: int) -> None:
    cells = {(x // scale.across, y // scale.down) for x, y in filter(None, dots)}
    # From cells back to the dots that plotext puts into exactly these cells.
    x_factor = (scale.columns - 1) / max(1, area.width - 1)
    y_factor = (scale.rows - 1) / max(1, area.height - 1)
    _scatter([(x * x_factor, y * y_factor) for x, y in sorted(cells)], scale, marker, style)


def _scatter(dots: Sequence[tuple[float, float]], scale: _Scale, marker: str, style: int) -> None:
    inside = [(x, y) for x, y in dots if 0 <= x < scale.columns and 0 <= y < scale.rows]
    if inside:
        plotext.scatter([x for x, _ in inside], [y for _, y in inside], marker=marker, color=style + 1)


def _copy(built: str, grid: Grid, area: PlotArea) -> None:
    for row, line in enumerate(built.split("\n")[: area.height]):
        column = area.left
        for colour, coloured, plain in _RUN.findall(line):
            if colour:
                text = coloured.rstrip(" ")
                grid.put(column, area.top + row, text, int(colour) - 1)
                column += len(coloured)
            else:
                column += len(plain)


def _marker(line: Line, ascii: bool) -> str:
    """The character on the points of `line`, "" for none."""
    if ascii and line.marker:
        return _plain_marker(line)
    return one_cell_each(line.marker, ascii)[:1]


def _plain_marker(line: Line) -> str:
    """The ASCII character that `line` is made of."""
    own = line.marker[:1] if line.marker.isascii() and line.marker.isprintable() else ""
    return own.strip() or _ASCII_MARKER.get(line.style, "*")


def _thinned(dots: Sequence[tuple[int, int] | None], scale: _Scale) -> int:
    """Every how many points a marker fits: from the points' own distance, so that it stays as more come."""
    columns = [dot[0] / scale.across for dot in dots if dot is not None]
    if len(columns) < 2:
        return 1
    distance = max((columns[-1] - columns[0]) / (len(columns) - 1), 1e-6)
    return next((n for n in (1, 2, 5, 10, 20, 50, 100) if n * distance >= _MARKER_DISTANCE - 0.5), 200)


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
    marker = _marker(line, ascii)
    if not line.joined:
        return marker or (_plain_marker(line) if ascii else "⠒⠂")
    join = _ASCII_JOIN.get(line.style, _plain_marker(line)) if ascii else "─"
    return join + (marker or join) + join

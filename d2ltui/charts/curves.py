"""Curves as characters, in the plot area: the straight lines between points are traced, and the dots of a cell are one
braille character.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.plot_area import PlotArea
from d2ltui.charts.spec import Band, Line, Style

_ASCII_MARKER: dict[int, str] = {
    Style.TRAIN: "*",
    Style.VALIDATION: "o",
    Style.RAW: ".",
    Style.FIT: "*",
    Style.DATA: "x",
}
ASCII_JOIN: dict[int, str] = {Style.VALIDATION: "-"}
# Markers that say in which part of its cell a point lies: on the first, second, … dot from below.
_FORMS = {"●": "◒●●◓"}
# Markers nearer to each other than this (in columns) hide the line that they are on.
_MARKER_DISTANCE = 3
_DASH, _GAP = 5, 4  # dots along a dashed line
_TURN = 3  # columns in which one of several curves that lie on each other is seen

# The braille patterns: from the dots of a cell, counted from its lower left, to the bit of each in the character.
BRAILLE = 0x2800
DOT_BITS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))

Dots: TypeAlias = list[tuple[int, int]]
Cells: TypeAlias = dict[tuple[int, int], int]
Point: TypeAlias = tuple[float, float]
Extent: TypeAlias = tuple[float, float, float]


class Scale:
    """From values to dots: 2 × 4 in a cell, or 1 × 1 without UTF-8. Row 0 is at the bottom."""

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
            -1 if column < -1.0 else self.columns if column > self.columns else math.floor(column),
            -1 if row < -1.0 else self.rows if row > self.rows else math.floor(row),
        )

    def dots(self, points: Iterable[Point]) -> list[tuple[int, int] | None]:
        """The dots of many points (x, y), None where y is nan. They are most of what a chart takes: written out."""
        columns, rows, floor = self.columns, self.rows, math.floor
        x_low, x_factor, y_low, y_factor = self._x_low, self._x_factor, self._y_low, self._y_factor
        found: list[tuple[int, int] | None] = []
        for x, y in points:
            if y != y:
                found.append(None)
                continue
            column, row = (x - x_low) * x_factor + 0.5, (y - y_low) * y_factor + 0.5
            if -1.0 <= column <= columns and -1.0 <= row <= rows:
                found.append((floor(column), floor(row)))
            else:
                found.append(self.dot(x, y))
        return found

    def cells(self, dots: Iterable[tuple[int, int]]) -> Cells:
        """The cells that have one or more of the dots, with the bits of these dots; what is outside is left out."""
        across, down, columns, rows = self.across, self.down, self.columns, self.rows
        cells: Cells = {}
        for x, y in dots:
            if 0 <= x < columns and 0 <= y < rows:
                cell = x // across, y // down
                cells[cell] = cells.get(cell, 0) | DOT_BITS[x % across][y % down]
        return cells


def _trace(dots: Iterable[tuple[int, int] | None]) -> Dots:
    """The dots on straight lines between `dots`; None is a gap."""
    found: dict[tuple[int, int], None] = {}
    before: tuple[int, int] | None = None
    for dot in dots:
        if dot is not None:
            if before is not None and before != dot:
                (x0, y0), (x1, y1) = before, dot
                n = max(abs(x1 - x0), abs(y1 - y0))
                if n > 1:
                    dx, dy = (x1 - x0) / n, (y1 - y0) / n
                    for i in range(1, n):
                        found[(math.floor(x0 + i * dx + 0.5), math.floor(y0 + i * dy + 0.5))] = None
            found[dot] = None
        before = dot
    return list(found)


def _fill(points: Sequence[Extent], scale: Scale) -> Cells:
    """The cells between the lower and the upper edge of a band, with one upright stroke in each column of them.

    Strokes side by side would make a block that is heavier than the curves in front of it.
    """
    extents: dict[int, tuple[int, int]] = {}
    before: tuple[int, int, int] | None = None
    lower_edge = scale.dots((x, low) for x, low, _ in points)
    upper_edge = scale.dots((x, high if low == low else low) for x, low, high in points)
    for lower_dot, upper_dot in zip(lower_edge, upper_edge, strict=True):
        if lower_dot is None or upper_dot is None:
            before = None
            continue
        (dot, bottom), (_, top) = lower_dot, upper_dot
        column, bottom, top = dot // scale.across, min(bottom, top), max(bottom, top)
        if before is not None and abs(column - before[0]) > 1:
            upper = dict(_trace([(before[0], before[2]), (column, top)]))
            lower = dict(_trace([(before[0], before[1]), (column, bottom)]))
            extents.update({between: (lower[between], upper[between]) for between in upper.keys() - extents.keys()})
        before = column, bottom, top
        found = extents.get(column, (bottom, top))
        extents[column] = min(found[0], bottom), max(found[1], top)
    cells: Cells = {}
    whole = sum(DOT_BITS[0][: scale.down])
    for column, (low_dot, high_dot) in extents.items():
        if not 0 <= column * scale.across < scale.columns:
            continue
        low_dot, high_dot = max(0, low_dot), min(scale.rows - 1, high_dot)
        first, last = low_dot // scale.down, high_dot // scale.down
        for row in range(first, last + 1):
            cells[column, row] = whole
        if first <= last:
            cells[column, first] &= sum(DOT_BITS[0][low_dot % scale.down :])
            cells[column, last] &= sum(DOT_BITS[0][: high_dot % scale.down + 1])
    return cells


def draw_curves(
    grid: Grid,
    area: PlotArea,
    scale: Scale,
    lines: Sequence[tuple[Line, Sequence[Point]]],
    bands: Sequence[tuple[Band, Sequence[Extent]]],
    ascii: bool,
) -> None:
    """Draw curves into the plot area. Points (x, y) and extents (x, low, high) are in the axes' scale, nan for none."""
    taken: set[tuple[int, int]] = set()

    def put(cells: Cells, character: str, style: int) -> None:
        """`character` in each of the cells that is free; without one, the cell's dots."""
        forms = "" if ascii else _FORMS.get(character, "")
        for cell, bits in cells.items():
            if cell not in taken:
                taken.add(cell)
                grid.set(
                    area.left + cell[0],
                    area.top + area.height - 1 - cell[1],
                    forms[_height(bits)] if forms else character or chr(BRAILLE + bits),
                    style,
                )

    # A cell shows one curve only. Where two run together, one is seen between the markers of the other.
    ordered = sorted(
        ((line, scale.dots(points)) for line, points in lines),
        key=lambda pair: _depth(pair[0]),
        reverse=True,
    )
    marked = [(line, dots) for line, dots in ordered if line.joined and line.marker]
    wanted: dict[tuple[int, int], dict[int, int]] = {}  # by cell: the lines with a marker in it, and the bits of each
    for index, (_, dots) in enumerate(marked):
        every = _thinned(dots, scale)
        # Of curves that lie on each other, each has its markers in other places, as far as there are places enough.
        for cell, bits in scale.cells(filter(None, dots[index * every // len(marked) :: every])).items():
            wanted.setdefault(cell, {})[index] = bits
    turns: Counter[tuple[int, ...]] = Counter()
    for cell in sorted(wanted):  # and where there are not, they take turns
        those = tuple(wanted[cell])
        line, _ = marked[index := those[turns[those] % len(those)]]
        turns[those] += 1
        put({cell: wanted[cell][index]}, marker_of(line, ascii), line.style)
    traced = [scale.cells(_drawn(line, dots, ascii)) for line, dots in ordered]
    joined = [cells for (line, _), cells in zip(ordered, traced, strict=True) if _depth(line)]
    _take_turns(joined)
    for (line, _), cells in zip(ordered, traced, strict=True):
        if line.joined:
            put(cells, ASCII_JOIN.get(line.style, plain_marker(line)) if ascii else "", line.style)
        elif line.marker:
            put(cells, marker_of(line, ascii), line.style)
        else:
            put(cells, plain_marker(line) if ascii else "", line.style)
    for band, extents in reversed(bands):
        put(_fill(extents, scale), ":" if ascii else "", band.style)


def _drawn(line: Line, dots: Sequence[tuple[int, int] | None], ascii: bool) -> Iterable[tuple[int, int]]:
    """The dots that a line takes. Without UTF-8 lines are told apart by their characters, and need no gaps."""
    if not line.joined:
        return filter(None, dots)
    traced = _trace(dots)
    if not line.dashed or ascii:
        return traced
    return (dot for index, dot in enumerate(traced) if index % (_DASH + _GAP) < _DASH)


def _take_turns(curves: Sequence[Cells]) -> None:
    """Where curves have the very same dots in a cell, leave the cell to one of them: to another every few columns."""
    if len(curves) < 2:
        return
    sharing: dict[tuple[tuple[int, int], int], list[Cells]] = {}
    for cells in curves:
        for item in cells.items():
            sharing.setdefault(item, []).append(cells)
    for (cell, _), those in sharing.items():
        if len(those) > 1:
            owner = cell[0] // _TURN % len(those)
            for index, cells in enumerate(those):
                if index != owner:
                    del cells[cell]


def _height(bits: int) -> int:
    """On which dot of a cell, counted from below, the highest of `bits` lies."""
    return max(row for row in range(4) if bits & (DOT_BITS[0][row] | DOT_BITS[1][row]))


def _depth(line: Line) -> int:
    """What is in front: raw values and points behind, lines with markers before lines without."""
    return 0 if line.style == Style.RAW or not line.joined else 1 if line.marker else 2


def marker_of(line: Line, ascii: bool) -> str:
    """The character on the points of `line`, "" for none."""
    if ascii and line.marker:
        return plain_marker(line)
    return one_cell_each(line.marker, ascii)[:1]


def plain_marker(line: Line) -> str:
    """The ASCII character that `line` is made of."""
    own = line.marker[:1] if line.marker.isascii() and line.marker.isprintable() else ""
    return own.strip() or _ASCII_MARKER.get(line.style, "*")


def _thinned(dots: Sequence[tuple[int, int] | None], scale: Scale) -> int:
    """Every how many points a marker fits: from the points' own distance, so that it stays as more come."""
    columns = [dot[0] / scale.across for dot in dots if dot is not None]
    if len(columns) < 2:
        return 1
    distance = max((columns[-1] - columns[0]) / (len(columns) - 1), 1e-6)
    return next((n for n in (1, 2, 5, 10, 20, 50, 100) if n * distance >= _MARKER_DISTANCE - 0.5), 200)

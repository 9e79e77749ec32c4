"""Curves as characters, in the plot area: the straight lines between points are traced, and the dots of a cell are one
braille character.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from d2ltui.charts.dots import BRAILLE, DOT_BITS, Cells, Point, Scale, trace
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.markers import Marked, placed
from d2ltui.charts.plot_area import PlotArea
from d2ltui.charts.spec import Band, Line, Style

_ASCII_MARKER: dict[int, str] = {
    Style.TRAIN: "*",
    Style.VALIDATION: "o",
    Style.RAW: ".",
    Style.FIT: "=",
    Style.DATA: "x",
}
ASCII_JOIN: dict[int, str] = {Style.VALIDATION: "-"}
# Markers that say in which part of its cell a point lies: on the first, second, … dot from below.
_FORMS = {"●": "◒●●◓"}
_DASH, _GAP = 5, 4  # dots along a dashed line
_TURN = 3  # columns in which one of several curves that lie on each other is seen
_ALONG = 2  # columns from one cell to another that curves share which run along each other

Extent: TypeAlias = tuple[float, float, float]


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
            upper = dict(trace([(before[0], before[2]), (column, top)]))
            lower = dict(trace([(before[0], before[1]), (column, bottom)]))
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
    for line, dots in ordered:  # a point that stands alone is seen nowhere else
        if _stands_alone(line, dots):
            put(scale.cells(filter(None, dots)), marker_of(line, ascii), line.style)
    drawn = [(line, dots, list(_drawn(line, dots, ascii))) for line, dots in ordered]
    marked = [(line, dots, on_it) for line, dots, on_it in drawn if line.joined and line.marker]
    for index, cell, dot in placed([Marked(own, on_it, line.marker.isalnum()) for line, own, on_it in marked], scale):
        line = marked[index][0]
        put({cell: _bits(dot, scale)}, marker_of(line, ascii), line.style)
    traced = [scale.cells(on_it) for _, _, on_it in drawn]
    joined = [cells for (line, _), cells in zip(ordered, traced, strict=True) if _depth(line)]
    _take_turns(joined)
    points = [
        cells for (line, _), cells in zip(ordered, traced, strict=True) if not line.joined and line.style != Style.RAW
    ]
    every = [3 if line.dashed and not ascii else 2 for line, _ in ordered if _depth(line)]  # a dashed one has gaps, too
    _leave_to_points({cell for cells in points for cell in cells}, joined, every)
    for (line, _), cells in zip(ordered, traced, strict=True):
        if line.joined:
            put(cells, ASCII_JOIN.get(line.style, plain_marker(line)) if ascii else "", line.style)
        elif line.marker:
            put(cells, marker_of(line, ascii), line.style)
        else:
            put(cells, plain_marker(line) if ascii else "", line.style)
    for band, extents in reversed(bands):
        put(_fill(extents, scale), ":" if ascii else "", band.style)


def _stands_alone(line: Line, dots: Sequence[tuple[int, int] | None]) -> bool:
    return bool(line.marker) and not line.joined and line.style != Style.RAW and len(dots) == 1


def _bits(dot: tuple[int, int], scale: Scale) -> int:
    return DOT_BITS[dot[0] % scale.across][dot[1] % scale.down]


def _drawn(line: Line, dots: Sequence[tuple[int, int] | None], ascii: bool) -> Iterable[tuple[int, int]]:
    """The dots that a line takes. Without UTF-8 lines are told apart by their characters, and need no gaps."""
    if not line.joined:
        return filter(None, dots)
    traced = trace(dots)
    if not line.dashed or ascii:
        return traced
    return (dot for index, dot in enumerate(traced) if index % (_DASH + _GAP) < _DASH)


def _take_turns(curves: Sequence[Cells]) -> None:
    """Where curves run along each other, leave each cell that they share to one: to another every few columns."""
    if len(curves) < 2:
        return
    sharing: dict[tuple[int, int], list[int]] = {}
    for index, cells in enumerate(curves):
        for cell in cells:
            sharing.setdefault(cell, []).append(index)
    shared = {cell: tuple(those) for cell, those in sharing.items() if len(those) > 1}
    places = {(cell[0], those) for cell, those in shared.items()}
    for cell, those in shared.items():
        column, bits = cell[0], curves[those[0]][cell]
        # Those that cross each other share a cell or two.
        along = (column - _ALONG, those) in places or (column + _ALONG, those) in places
        if along or all(curves[index][cell] == bits for index in those):
            owner = those[column // _TURN % len(those)]
            for index in those:
                if index != owner:
                    del curves[index][cell]


def _leave_to_points(points: Collection[tuple[int, int]], curves: Sequence[Cells], every: Sequence[int]) -> None:
    """Points on a curve are seen in front of it; of many in a row each second, or third: it is seen among them."""
    for cells, part in zip(curves, every, strict=True):
        row = 0
        for cell in list(cells):
            if cell not in points:
                row = 0
                continue
            if row % part == 0:
                del cells[cell]
            row += 1


def _height(bits: int) -> int:
    """On which dot of a cell, counted from below, the highest of `bits` lies."""
    return max(row for row in range(4) if bits & (DOT_BITS[0][row] | DOT_BITS[1][row]))


def _depth(line: Line) -> int:
    """What is in front: raw values and points, which curves leave room, behind; with markers before without."""
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

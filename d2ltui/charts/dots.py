"""From values to dots, of which a character cell has several."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from d2ltui.charts.plot_area import PlotArea

# The braille patterns: from the dots of a cell, counted from its lower left, to the bit of each in the character.
BRAILLE = 0x2800
DOT_BITS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))

Dots: TypeAlias = list[tuple[int, int]]
Cells: TypeAlias = dict[tuple[int, int], int]
Point: TypeAlias = tuple[float, float]


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


def trace(dots: Iterable[tuple[int, int] | None]) -> Dots:
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

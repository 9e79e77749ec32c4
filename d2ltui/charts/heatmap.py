"""Heatmaps as lines of runs: a cell of a grid is two characters, the fuller the brighter, or a mark without a number.

    draw_map(values, x, y, ...)     # values (rows, columns), the lowest row first

Where there are colours, they go from dark blue to yellow with the shades; nothing is told by them alone. A `Grid` says
which part of a large map is drawn, how large each cell is, and which cell lies where.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.numbers import number as as_text

SHADES, PLAIN_SHADES = "·░▒▓█", ".:+*#"
LEVELS = 20  # of which each has a style of its own
FIRST_LEVEL = 300  # the style of the first one; the next ones follow
CURSOR = FIRST_LEVEL + LEVELS  # the style of the cursor's brackets on the first one; the next ones follow
BRACKETS = "[]"
WAITING, DIVERGED, NOTHING, HEALTHY = "  ", "××", "--", "··"
_PLAIN_MARKS = {DIVERGED: "xx", HEALTHY: ".."}
LABEL_WIDTH = 9
CELL = 2  # characters


FRAME_HEIGHT = 3  # lines beside the cells: the names and labels of the axes


class Ends(NamedTuple):
    """What the darkest and the brightest shade stand for: `low` and `high`, or, where it is `falling`, the reverse.

    What lies `below` or `above` them, if anything, has the shade of the end.
    """

    low: float
    high: float
    log: bool
    falling: bool = False
    below: bool = False
    above: bool = False

    def label_at(self, share: float, *, ascii: bool = False) -> str:
        """`value_at` as text; `≤ 0.01` of an end beyond which there are values."""
        beyond = ""
        if share in (0.0, 1.0):
            if (share == 0.0) != self.falling:
                beyond = ("<= " if ascii else "≤ ") if self.below else ""
            else:
                beyond = (">= " if ascii else "≥ ") if self.above else ""
        return beyond + as_text(self.value_at(share))

    def value_at(self, share: float) -> float:
        """What stands `share`, 0 to 1, of the way from the darkest to the brightest."""
        if self.falling:
            share = 1 - share
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def shares_of(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The other way round, nan for what is none; where both ends are the same, the middle."""
        if self.high <= self.low:
            return np.where(np.isfinite(values), 0.5, np.nan)
        low, high, of = self.low, self.high, values
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.log:
                low, high, of = math.log10(low), math.log10(high), np.log10(np.maximum(values, 0.0))
            shares = np.clip((of - low) / (high - low), 0.0, 1.0)
        return 1 - shares if self.falling else shares

    def share_of(self, value: float) -> float:
        """Of one number."""
        return float(self.shares_of(np.array(value)))


NO_ENDS = Ends(0.0, 1.0, False)  # of a map without numbers


class Grid(NamedTuple):
    """The cells of a map that are drawn, and the characters of each."""

    columns: range
    rows: range
    width: int = CELL
    height: int = 1

    @classmethod
    def fitted(
        cls, shape: tuple[int, int], cursor: tuple[int, int], width: int, height: int, before: Grid | None = None
    ) -> Grid:
        """For a map of `shape` (rows, columns) in `width` × `height` characters, labels and axes included.

        All cells are of one size, and as large as there is room for. Of more than there is room for, those around
        `cursor` (column, row) are drawn, or the ones `before` where it is among those.
        """
        rows, columns = shape
        across, down = max(CELL, width - LABEL_WIDTH), max(1, height - FRAME_HEIGHT)
        wide, high = max(CELL, across // columns), max(1, down // rows)
        last = (before.columns, before.rows) if before is not None else (None, None)
        return cls(
            _around(cursor[0], columns, max(1, across // wide), last[0]),
            _around(cursor[1], rows, max(1, down // high), last[1]),
            wide,
            high,
        )

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The column and row drawn at character `x` of line `y` of `draw_map`; None beside them."""
        column, row = (x - LABEL_WIDTH) // self.width, (y - 1) // self.height
        if not (0 <= column < len(self.columns) and 0 <= row < len(self.rows)):
            return None
        return self.columns[column], self.rows[-1 - row]


def _around(place: int, total: int, room: int, before: range | None) -> range:
    if before is not None and len(before) == min(room, total) and place in before and before.stop <= total:
        return before
    first = max(0, min(place - room // 2, total - room))
    return range(first, min(total, first + room))


def ends_of(values: npt.NDArray[np.float64], *, log: bool, unit: bool) -> Ends:
    """For `values`, of which some may be nan; a `unit` quantity goes to 1."""
    known = values[np.isfinite(values)]
    if log:
        known = known[known > 0]
    return ends_between(float(known.min()), float(known.max()), log=log, unit=unit) if len(known) else NO_ENDS


def ends_between(
    low: float,
    high: float,
    *,
    log: bool,
    unit: bool,
    falling: bool = False,
    beyond: tuple[bool, bool] = (False, False),
) -> Ends:
    """For values from `low` to `high`, with `log` positive ones; where they are `falling`, the lowest is brightest.

    `beyond`: whether there are values below `low`, and above `high`.
    """
    return Ends(low, max(high, 1.0) if unit else high, log and high > 10 * low, falling, *beyond)


def draw_map(
    values: npt.NDArray[np.float64],
    marks: Mapping[tuple[int, int], str],
    x: Sequence[str],
    y: Sequence[str],
    names: tuple[str, str],
    ends: Ends,
    *,
    ascii: bool,
    grid: Grid | None = None,
    cursor: tuple[int, int] | None = None,
) -> Drawing:
    """A map of `values` (rows, columns), row 0 at the bottom, with labels `x` and `y` and the axes' `names`.

    `marks` are characters by (column, row) that stand instead of a shade. `cursor` is the column and row of a cell that
    is shown in brackets. With a `grid`, all of these are of the part of the map that it shows, counted from its corner.
    """
    rows, columns = values.shape
    width, height = (grid.width, grid.height) if grid is not None else (CELL, 1)
    levels = _levels(values, ends)
    every = max(1, math.ceil(rows / 8))
    room = LABEL_WIDTH - 1
    # A name that has no room beside the labels stands whole above the cells.
    above = f"{names[1]:>{room}}" + (f"  → {names[0]}" if len(names[0]) > room else "")
    lines: Drawing = [[(Style.AXIS, above.replace("→", ">") if ascii else above)]]
    for row in reversed(range(rows)):
        labelled = (row % every == 0 and row + every <= rows) or row == rows - 1
        cells: list[Run] = []
        for column in range(columns):
            style, text = _cell(marks.get((column, row)), int(levels[row, column]), ascii, width)
            if (column, row) == cursor:
                cells += _under_cursor(style, text)
            else:
                _add(cells, style, text)
        for part in range(height):
            here = labelled and part == (height - 1) // 2
            label = y[row][: LABEL_WIDTH - 1] if here else ""
            edge = "|" if ascii else "┤" if here else "│"
            lines.append([(Style.AXIS, f"{label:>{LABEL_WIDTH - 1}}{edge}"), *cells])
    corner, dash = ("+", "-") if ascii else ("└", "─")
    lines.append([(Style.AXIS, " " * (LABEL_WIDTH - 1) + corner + dash * width * columns)])
    lines.append([(Style.AXIS, _below(x, columns, names[0] if len(names[0]) <= room else "", width))])
    return lines


def _levels(values: npt.NDArray[np.float64], ends: Ends) -> npt.NDArray[np.int64]:
    """0 to LEVELS − 1; −1 for what is no number."""
    share = ends.shares_of(values)
    found = np.full(values.shape, -1, np.int64)
    known = np.isfinite(share)
    found[known] = np.clip(np.rint(share[known] * (LEVELS - 1)), 0, LEVELS - 1).astype(np.int64)
    return found


def shade(level: int, *, ascii: bool) -> str:
    """The character for one of the levels."""
    shades = PLAIN_SHADES if ascii else SHADES
    return shades[round(level / (LEVELS - 1) * (len(shades) - 1))]


def _cell(mark: str | None, level: int, ascii: bool, width: int) -> tuple[int, str]:
    if mark is not None:
        style = Style.WARNING if mark == DIVERGED else Style.AXIS if mark in (WAITING, HEALTHY) else Style.TEXT
        return style, _as_wide(_PLAIN_MARKS.get(mark, mark) if ascii else mark, width)
    if level < 0:
        return Style.AXIS, _as_wide(NOTHING, width)
    return FIRST_LEVEL + level, shade(level, ascii=ascii) * width


def _under_cursor(style: int, text: str) -> list[Run]:
    """A cell in brackets, both of them, which leave its colour, and its shade or mark where it is wide enough."""
    edges = style - FIRST_LEVEL + CURSOR if FIRST_LEVEL <= style < FIRST_LEVEL + LEVELS else int(Style.TEXT)
    if len(text) == CELL:
        return [(style if style == Style.WARNING else edges, BRACKETS)]
    return [(edges, BRACKETS[0]), (style, text[1:-1]), (edges, BRACKETS[1])]


def _as_wide(mark: str, width: int) -> str:
    return (mark * width)[:width]


def _add(line: list[Run], style: int, text: str) -> None:
    if line and line[-1][0] == style:
        line[-1] = (style, line[-1][1] + text)
    else:
        line.append((style, text))


def _below(labels: Sequence[str], columns: int, name: str, width: int) -> str:
    """The x axis' labels, each from its column on; the last one ends with the cells, beyond which a pane may end."""
    *places, last = ticks(labels, width)
    end = min(width * last, max(0, width * columns - len(labels[last])))
    line = ""
    for place in places:
        if place == 0 or width * place + len(labels[place]) < end:
            line = f"{line:<{width * place}}{labels[place]}"
    start = max(end, len(line) + 1 if line else 0)
    return f"{name:<{LABEL_WIDTH}}{line:<{start}}{labels[last]}"


def ticks(labels: Sequence[str], width: int = CELL) -> list[int]:
    """The columns that have a label: every second one, or third, and so on, from the first one on, and the last one.

    Where cells are wider than CELL, they are those of the narrowest cells, and as many between them as have room: so a
    map reads the same wherever it is drawn. Of the distances that leave room, the smallest and those up to half as much
    again, it is the one with the shortest labels: 0.01 rather than 0.02154.
    """
    last = len(labels) - 1
    fitting = {step: _every(step, labels, CELL) for step in range(1, last + 1)}
    least = next((step for step, places in fitting.items() if places), 0)
    near = [step for step in fitting if least <= step <= 1.5 * least and fitting[step]]

    def reads_worse(step: int) -> tuple[float, bool]:
        between = [len(labels[place]) for place in fitting[step][1:-1]]
        return sum(between) / len(between) if between else math.inf, last % step > 0

    chosen = min(near, key=reads_worse, default=last)
    finer = (_every(step, labels, width) for step in range(1, chosen + 1) if chosen % step == 0)
    return next(filter(None, finer), sorted({0, last}))


def _every(step: int, labels: Sequence[str], width: int) -> list[int]:
    """From the first one on every `step`th column, and the last one; none where their labels have no room."""
    last = len(labels) - 1
    places = list(range(0, last, step))
    if last % step and width * (last - places[-1]) <= len(labels[places[-1]]):
        places.pop()  # it is not as far from the end as the others are from each other
    places.append(last)
    fits = all(width * (b - a) > len(labels[a]) for a, b in itertools.pairwise(places))
    return places if fits else []


def legend(ends: Ends, *, ascii: bool, best: str = "") -> list[Run]:
    """What the shades stand for: five of them, from dark to bright; `best` is said of the brightest."""
    runs: list[Run] = []
    for step in range(5):
        share = step / 4
        level = round(share * (LEVELS - 1))
        said = ends.label_at(share, ascii=ascii) + (f" {best}" if best and step == 4 else "")
        runs += [(FIRST_LEVEL + level, shade(level, ascii=ascii) * CELL), (Style.AXIS, f" {said}  ")]
    return runs

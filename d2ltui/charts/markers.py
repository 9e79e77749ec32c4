"""Where the markers of joined lines are: as far apart as there is room for them, each in a cell of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from d2ltui.charts.dots import Scale

# Markers nearer to each other than this (in columns) hide the line that they are on.
_DISTANCE = 3
_FARTHEST = 2  # columns from a point to its letter, where every point has one

Dot: TypeAlias = tuple[int, int]
Cell: TypeAlias = tuple[int, int]


class Marked(NamedTuple):
    """A line with markers: its points' dots (None where there is none), and all that lie on it.

    Of `letter`s the middle is where the eye looks for the value.
    """

    dots: Sequence[Dot | None]
    trace: Sequence[Dot]
    letter: bool


class Placed(NamedTuple):
    """The marker of line number `line`, in a cell, and the dot for which it stands there."""

    line: int
    cell: Cell
    dot: Dot


def placed(lines: Sequence[Marked], scale: Scale) -> Iterator[Placed]:
    """Every marker that is seen.

    Of lines that lie on each other each has its markers in other places, as far as there are places enough. Where there
    are not, they stand side by side, or they take turns where the points lie too near to each other for that.
    """
    wanted: dict[Cell, dict[int, Dot]] = {}
    distances: list[float] = []
    for index, line in enumerate(lines):
        every, apart = _thinned(line.dots, scale)
        distances.append(apart)
        places = list(filter(None, line.dots[index * every // len(lines) :: every]))
        for dot in _legible(places, line.trace, scale, every, apart) if line.letter else places:
            if 0 <= dot[0] < scale.columns and 0 <= dot[1] < scale.rows:
                wanted.setdefault((dot[0] // scale.across, dot[1] // scale.down), {})[index] = dot
    turns: Counter[tuple[int, ...]] = Counter()
    beside: set[Cell] = set()
    for cell in sorted(wanted):
        those = tuple(wanted[cell])
        first = those[turns[those] % len(those)]
        if min(distances[index] for index in those) < 2 * len(those):
            turns[those] += 1
        else:
            for index in those:
                if index != first and (free := _free_beside(cell, wanted, beside, scale)) is not None:
                    beside.add(free)
                    yield Placed(index, free, wanted[cell][index])
        yield Placed(first, cell, wanted[cell][first])


def _free_beside(cell: Cell, wanted: dict[Cell, dict[int, Dot]], beside: set[Cell], scale: Scale) -> Cell | None:
    column, row = cell
    columns = scale.columns // scale.across
    for place in ((column - 1, row), (column + 1, row), (column - 2, row), (column + 2, row)):
        if 0 <= place[0] < columns and place not in wanted and place not in beside:
            return place
    return None


def _legible(places: Sequence[Dot], trace: Sequence[Dot], scale: Scale, every: int, apart: float) -> Iterator[Dot]:
    """For each place the dot of the line near it that is nearest to the middle of its row, where a letter stands.

    So that letters lie on the line and not up to half a row beside it; between two of them a column stays free.
    """
    most = _FARTHEST if every == 1 else scale.columns  # where every point has a letter, it stays near it
    reach = max(0, math.ceil(min((apart - 1) / 2, most + 1)) - 1)
    by_column: dict[int, list[Dot]] = {}
    for dot in trace if reach else ():
        by_column.setdefault(dot[0] // scale.across, []).append(dot)
    middle, last = (scale.down - 1) / 2, -2
    for place in places:
        column, found, off = place[0] // scale.across, place, abs(place[1] % scale.down - middle)
        for step in range(1, reach + 1):
            if off <= 0.5:
                break
            for dot in (*by_column.get(column - step, ()), *by_column.get(column + step, ())):
                apart_from_last = dot[0] // scale.across > last + 1
                if apart_from_last and 0 <= dot[1] < scale.rows and abs(dot[1] % scale.down - middle) < off:
                    found, off = dot, abs(dot[1] % scale.down - middle)
        last = found[0] // scale.across
        yield found


def _thinned(dots: Sequence[Dot | None], scale: Scale) -> tuple[int, float]:
    """Every how many points a marker fits, and how many columns lie between two.

    From the points' own distance, so that the markers stay as more points come.
    """
    columns = [dot[0] / scale.across for dot in dots if dot is not None]
    if len(columns) < 2:
        return 1, math.inf
    distance = max((columns[-1] - columns[0]) / (len(columns) - 1), 1e-6)
    every = next((n for n in (1, 2, 5, 10, 20, 50, 100) if n * distance >= _DISTANCE - 0.5), 200)
    return every, every * distance

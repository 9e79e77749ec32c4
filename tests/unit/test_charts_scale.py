"""A chart reads right: what is read off its cells, with the help of its ticks and their labels, are the values."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from d2ltui.charts.dots import BRAILLE, DOT_BITS
from d2ltui.charts.draw import draw
from d2ltui.charts.scale import Axis, linear, logarithmic, x_room, y_room
from d2ltui.charts.spec import ChartSpec, Line, Style

LEFT = 7  # the first column of the curves


class Picture(NamedTuple):
    """What somebody sees of a chart: the dots of its ticks with their labels, and those of its curve."""

    x_ticks: dict[float, int]
    y_ticks: dict[float, int]
    dots: list[tuple[int, int]]


def _index_of_dots(character: str, column: int) -> list[int]:
    bits = ord(character) - BRAILLE
    return [index for index, bit in enumerate(DOT_BITS[column]) if bits & bit]


def look_at(spec: ChartSpec) -> Picture:
    """Read a drawn chart as a person would: from its characters alone."""
    drawing = draw(spec)
    text = ["".join(part for _, part in row) for row in drawing]
    styles = [[style for style, part in row for _ in part] for row in drawing]
    across, down = (1, 1) if spec.ascii else (2, 4)
    bottom = next(row for row, line in enumerate(text) if line[LEFT - 1] in "└+")
    y_ticks, dots = {}, []
    for row, line in enumerate(text[:bottom]):
        base = (bottom - 1 - row) * down
        if line[:5].strip():
            mark = line[5]
            y_ticks[float(line[:5])] = base + (0 if spec.ascii else _index_of_dots(mark, 0)[0])
        for column in range(LEFT, spec.width):
            if line[column] == " " or styles[row][column] != Style.DATA:
                continue
            if spec.ascii:
                dots.append((column - LEFT, base))
            else:
                for half in range(2):
                    inside = _index_of_dots(line[column], half)
                    dots += [(across * (column - LEFT) + half, base + index) for index in inside]
    x_ticks, marks = {}, {}
    for column, mark in enumerate(text[bottom][LEFT:]):
        if mark in "⡇⢸+":
            marks[column] = across * column + (mark == "⢸")
    labels = text[-1][LEFT - 1 :].split()
    for label, (_, dot) in zip(labels, sorted(marks.items()), strict=True):
        x_ticks[float(label)] = dot
    return Picture(x_ticks, y_ticks, dots)


def expected_dot(value: float, ticks: dict[float, int], log: bool) -> float:
    """Where between the outermost ticks a person would look for `value`."""
    (low, first), (high, last) = min(ticks.items()), max(ticks.items())
    if log:
        value, low, high = math.log10(value), math.log10(low), math.log10(high)
    return first + (value - low) * (last - first) / (high - low)


VALUES = st.floats(-1000, 1000).map(lambda number: round(number, 3))


@given(
    st.lists(VALUES, min_size=2, max_size=6),
    st.floats(0, 1),
    st.integers(40, 120),
    st.integers(10, 40),
    st.sampled_from([3.0, 10.0, 7.3, 100.0, 0.4, 2345.0]),
    st.booleans(),
    st.booleans(),
)
@example([0.03, 2.31], 0.5, 60, 12, 10.0, False, False)
def test_values_are_read_back_from_the_cells(values, place, width, height, x_high, ascii, log) -> None:
    if log:
        values = [abs(value) + 1e-3 for value in values]
    assume(max(values) - min(values) > 0.01 * max(map(abs, values)))
    frame = Line("", Style.RAW, [0.0] * len(values), values, joined=False)
    for value in values:
        point = Line("", Style.DATA, [place * x_high], [value], joined=False)
        spec = ChartSpec(width, height, [frame, point], 0, x_high, log=log, ascii=ascii)
        seen = look_at(spec)
        if not seen.dots:  # the raw values of the frame lie in the same cell
            continue
        [(column, row)] = seen.dots
        assert min(len(seen.y_ticks), len(seen.x_ticks)) >= 2
        assert abs(row - expected_dot(value, seen.y_ticks, log)) <= 0.5 + 1e-6
        assert abs(column - expected_dot(place * x_high, seen.x_ticks, False)) <= 0.5 + 1e-6


@given(VALUES, st.integers(8, 40), st.booleans())
@example(0.964, 12, False)
def test_a_marker_says_where_in_its_cell_its_value_lies(value, height, ascii) -> None:
    """The middle of what is filled of a marker is within half a dot of its value; in ASCII a cell is a dot."""
    frame = Line("", Style.RAW, [0.0, 0.0], [-1000.0, 1000.0], joined=False)
    mark = Line("", Style.DATA, [5.0], [value], marker="●")
    spec = ChartSpec(60, height, [frame, mark], 0, 10, ascii=ascii)
    plain = Line("", Style.DATA, [9.0], [value], joined=False)
    exact = expected_dot(value, look_at(msgspec.structs.replace(spec, lines=[frame, plain])).y_ticks, False)
    text = ["".join(part for _, part in row) for row in draw(spec)]
    [(row, mark_drawn)] = [(r, c) for r, line in enumerate(text) for c in line[LEFT:] if c in "●◓◒x"]
    cells_below = next(r for r, line in enumerate(text) if line[LEFT - 1] in "└+") - 1 - row
    if ascii:
        assert abs(cells_below - exact) <= 0.5 + 1e-6
    else:  # in dots: a dot is a quarter of a cell, and the first one's middle an eighth above the cell's foot
        middle = {"◒": 0.25, "●": 0.5, "◓": 0.75}[mark_drawn]
        drawn = (cells_below + middle - 0.125) * 4
        assert abs(drawn - round(exact)) <= 0.5 + 1e-6
        assert abs(drawn - exact) <= 1.0


@given(
    st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(40, 120), st.integers(8, 40), st.booleans(), st.booleans()
)
@example(0.0068, 0.001, 40, 8, False, False)  # 0.0072 and 0.0074, where 7.2e-3 would have no room
def test_a_value_on_a_tick_lies_on_the_ticks_own_dot(low, span, width, height, ascii, whole) -> None:
    """Where a label has room for its number: seven characters do not tell -9999.75 from -10000."""
    assume(abs(low) <= 100 * span)
    frame = Line("", Style.RAW, [0.0, 0.0], [low, low + span], joined=False)
    empty = ChartSpec(width, height, [frame], 0, 10, ascii=ascii, integer_x=whole)
    ticks = look_at(empty)
    for value, dot in ticks.y_ticks.items():
        point = Line("", Style.DATA, [5.0], [value], joined=False)
        spec = ChartSpec(width, height, [frame, point], 0, 10, ascii=ascii, integer_x=whole)
        seen = look_at(spec)
        if not low <= value <= low + span:  # a tick beyond the values may move the axis
            continue
        assert {row for _, row in seen.dots} == {dot}
    for value, dot in ticks.x_ticks.items():
        point = Line("", Style.DATA, [value], [low + span / 2], joined=False)
        spec = ChartSpec(width, height, [frame, point], 0, 10, ascii=ascii, integer_x=whole)
        found = {column for column, _ in look_at(spec).dots}
        assert found == {dot} or (value == 0 and not found)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 60), st.booleans(), st.booleans())
def test_ticks_of_equal_steps_are_at_equal_distances(low, span, cells, ascii, along) -> None:
    axis = linear(low, low + span, (x_room if along else y_room)(cells, ascii, 7))
    dots = [axis.dot(tick) for tick in axis.ticks]
    assert len({b - a for a, b in pairwise(dots)}) <= 1
    assert_all_shown(axis, low, low + span)


@given(st.floats(1e-9, 1e6), st.floats(1.1, 1e9), st.integers(2, 60), st.booleans(), st.booleans())
def test_powers_of_ten_are_at_equal_distances(low, factor, cells, ascii, along) -> None:
    axis = logarithmic(low, low * factor, (x_room if along else y_room)(cells, ascii, 7))
    assert_all_shown(axis, math.log10(low), math.log10(low * factor))
    if factor >= 1000 and all(round(tick) == pytest.approx(tick) for tick in axis.ticks):
        dots = [axis.dot(tick) for tick in axis.ticks]
        distances = {b - a for a, b in pairwise(dots)}
        assert not distances or max(distances) - min(distances) <= 1


def assert_all_shown(axis: Axis, low: float, high: float) -> None:
    assert axis.low <= low + 1e-5 * (high - low)
    assert axis.high >= high - 1e-5 * (high - low)
    assert all(0 <= axis.dot(tick) < axis.dots for tick in axis.ticks)
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert len(axis.ticks) == len(axis.labels)


@pytest.mark.parametrize("height", range(7, 40))
def test_an_axis_with_both_ends_begins_and_ends_there(height: int) -> None:
    line = Line("", Style.DATA, [0, 1], [0.0, 1.0], joined=False)
    seen = look_at(ChartSpec(60, height, [line], 0, 10, y_low=0.0, y_high=1.0))
    assert min(seen.y_ticks) == 0
    assert max(seen.y_ticks) == 1
    assert {row for _, row in seen.dots} == {seen.y_ticks[0.0], seen.y_ticks[1.0]}
    text = ["".join(part for _, part in row) for row in draw(ChartSpec(60, height, [line], 0, 10, 0.0, 1.0))]
    axis = [row for row, line in enumerate(text) if line[LEFT - 1] == "│"]
    assert text[axis[0]].lstrip().startswith("1")  # nothing of the axis is above 1


def test_most_of_the_area_is_used() -> None:
    """Whole cells from tick to tick leave some of the height to nothing: seldom much of it."""
    shares = []
    for height in range(6, 50):
        for high in (0.7, 1.0, 2.31, 5.2, 12.0):
            axis = linear(0.0, high, y_room(height, False, 5))
            shares.append(high / axis.high)
    assert sum(shares) / len(shares) > 0.88
    assert min(shares) > 0.6


def test_with_more_room_there_are_no_fewer_ticks() -> None:
    rows = (13, 25)  # of the loss's curves in windows of 120x40 and 200x60
    for highest in (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9):
        for ceiling in (False, True):
            ticks = [len(linear(0.0, highest, y_room(cells, False, 5), ceiling=ceiling).ticks) for cells in rows]
            assert ticks == sorted(ticks), (highest, ceiling, ticks)

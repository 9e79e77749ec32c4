"""Heatmaps as text: shades, marks, axes, and what the shades stand for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from d2ltui.charts.canvas import Look
from d2ltui.charts.heatmap import (
    DIVERGED,
    FIRST_LEVEL,
    LABEL_WIDTH,
    LEVELS,
    Ends,
    Grid,
    draw_map,
    ends_of,
    legend,
    ticks,
)
from d2ltui.charts.of_map import coloured
from d2ltui.charts.spec import Drawing, colours_of


def text(drawing: Drawing) -> list[str]:
    return ["".join(part for _, part in line).rstrip() for line in drawing]


def drawn(values: object, *, ascii: bool = False, log: bool = False, **marks: str) -> list[str]:
    table = np.array(values, np.float64)
    ends = ends_of(table, log=log, unit=False)
    where = {(int(name[1]), int(name[2])): mark for name, mark in marks.items()}
    x, y = ([f"{name}{i}" for i in range(n)] for name, n in (("a", table.shape[1]), ("b", table.shape[0])))
    return text(draw_map(table, where, x, y, ("lr", "std"), ends, ascii=ascii))


def test_darker_is_more_and_the_first_row_is_the_lowest() -> None:
    lines = drawn([[0, 0.25, 0.5], [0.5, 0.75, 1]])
    assert lines[0].strip() == "std"
    assert lines[1] == "      b1┤▒▒▓▓██"
    assert lines[2] == "      b0┤··░░▒▒"
    assert lines[3] == "        └──────"
    assert lines[4] == "lr       a0  a2"
    assert drawn([[0, 1]], ascii=True)[1:] == ["      b0|..##", "        +----", "lr       a0 a1"]


@pytest.mark.parametrize("ascii", [False, True])
def test_no_name_of_an_axis_is_cut(ascii: bool) -> None:
    def names(x: str, y: str) -> tuple[str, str]:
        values = np.array([[0.0, 1.0]])
        ends = ends_of(values, log=False, unit=False)
        lines = text(draw_map(values, {}, ["1", "2"], ["3"], (x, y), ends, ascii=ascii))
        return lines[0], lines[-1]

    arrow = ">" if ascii else "→"
    assert names("momentum", "init_std") == ("init_std", "momentum 1 2")
    assert names("lr", "label_smoothing") == ("label_smoothing", "lr       1 2")
    assert names("weight_decay", "lr") == (f"      lr  {arrow} weight_decay", "         1 2")


def test_no_number_and_marks() -> None:
    (row,) = drawn([[0, np.nan, 1]], _20=DIVERGED)[1:2]
    assert row == "      b0┤··--××"
    (row,) = drawn([[0, np.nan, 1]], ascii=True, _20=DIVERGED)[1:2]
    assert row == "      b0|..--xx"


def test_powers_of_ten_are_as_far_from_each_other() -> None:
    (row,) = drawn([[1e-4, 1e-3, 1e-2, 1e-1, 1]], log=True)[1:2]
    assert row == "      b0┤··░░▒▒▓▓██"
    ends = ends_of(np.array([[1e-4, 1.0]]), log=True, unit=False)
    assert [part for _, part in legend(ends, ascii=False)][1::2] == [f" {10.0**k:.3g}  " for k in range(-4, 1)]


@pytest.mark.parametrize("values", [[[np.nan, np.nan]], [[3.0, 3.0]], [[0.0, 0.0]]])
def test_nothing_and_a_plain_are_drawn_too(values: list[list[float]]) -> None:
    for log in (False, True):
        assert len(drawn(values, log=log)) == 4


def test_every_level_has_a_style_and_labels_keep_apart() -> None:
    table = np.linspace(0, 1, 40).reshape(1, 40)
    ends = ends_of(table, log=False, unit=True)
    labels = [f"{number:.4g}" for number in np.geomspace(1e-4, 10, 40)]
    drawing = draw_map(table, {}, labels, ["1"], ("lr", "std"), ends, ascii=False)
    styles = {style for style, _ in drawing[1][1:]}
    assert styles == set(range(FIRST_LEVEL, FIRST_LEVEL + LEVELS))
    below = text(drawing)[-1].split()
    assert below[0] == "lr"
    assert below[1] == labels[0]
    assert below[-1] == labels[-1]
    assert set(below[1:]) <= set(labels)


def test_labels_are_at_equal_distances_the_same_and_more_in_wider_cells() -> None:
    labels = [f"{number:.4g}" for number in np.geomspace(1e-4, 10, 16)]
    assert [labels[place] for place in ticks(labels)] == ["0.0001", "0.01", "1", "10"]
    assert [labels[place] for place in ticks(labels, 3)] == ["0.0001", "0.001", "0.01", "0.1", "1", "10"]
    for width in range(2, 13):
        assert set(ticks(labels)) <= set(ticks(labels, width))
    assert ticks(["1e+05", "2e+06", "5e+07", "1e+09"]) == [0, 3], "both ends, though they have hardly room"
    names = ["relu", "sigmoid", "tanh", "gelu"]
    assert (ticks(names), ticks(names, 4), ticks(names, 8)) == ([0, 3], [0, 3], [0, 1, 2, 3])
    assert [ticks(["a"] * n) for n in (1, 2, 3)] == [[0], [0, 1], [0, 1, 2]]


@given(
    count=st.integers(1, 40),
    width=st.integers(2, 12),
    low=st.floats(-5, 1),
    decades=st.floats(0.1, 6),
)
def test_no_label_is_cut_where_a_pane_ends_with_the_cells(count: int, width: int, low: float, decades: float) -> None:
    labels = [f"{number:.4g}" for number in np.geomspace(10**low, 10 ** (low + decades), count)]
    needed = len(labels[0]) + 1 + len(labels[-1]) if count > 1 else len(labels[0])
    assume(width * count >= needed)
    table = np.zeros((1, count))
    grid = Grid(range(count), range(1), width)
    drawing = draw_map(
        table, {}, labels, "1", ("lr", "std"), ends_of(table, log=False, unit=True), ascii=True, grid=grid
    )
    line = text(drawing)[-1]
    assert len(line) <= LABEL_WIDTH + width * count
    *others, last = re.finditer(r"\S+", line[LABEL_WIDTH:])
    assert last[0] == labels[-1]
    assert all(labels[found.start() // width] == found[0] for found in others), "each at its column"


@pytest.mark.parametrize(("width", "inside"), [(2, ""), (3, "░"), (4, "░░")])
def test_the_cursor_is_two_brackets_which_leave_a_cell_its_colour_and_its_mark(width: int, inside: str) -> None:
    grid, values = Grid(range(2), range(1), width, 1), np.array([[0.3, np.nan]])
    ends = Ends(0.0, 1.0, False)

    def cell(column: int, colours: bool) -> list[tuple[int, str]]:
        marks = {(1, 0): "ab"}
        drawing = draw_map(values, marks, "ab", "c", ("lr", "sd"), ends, ascii=False, grid=grid, cursor=(column, 0))
        line = coloured(drawing, Look((0, 0, 0), (255, 255, 255), colours, False))[1][1:]
        return line[: 3 if inside else 1] if column == 0 else line[1:]

    for style, text in cell(0, colours=True):
        front, back = colours_of(style)
        assert back is not None, "every part of the cell has the cell's colour behind it"
        assert text in ("[", "]", "[]", inside)
        assert ("[" in text or "]" in text) <= (front in ((0, 0, 0), (255, 255, 255)))
    for colours in (False, True):
        assert "".join(text for _, text in cell(0, colours)) == f"[{inside}]"
        assert "".join(text for _, text in cell(1, colours)) == {2: "[]", 3: "[b]", 4: "[ba]"}[width]


def test_many_rows_are_labelled_now_and_then() -> None:
    lines = drawn(np.zeros((32, 2)))
    labelled = [line.split("┤")[0].strip() for line in lines[1:33] if "┤" in line]
    assert labelled == ["b31", "b28", "b24", "b20", "b16", "b12", "b8", "b4", "b0"]


def test_cells_are_as_large_as_there_is_room_for() -> None:
    grid = Grid.fitted((12, 16), (0, 0), 130, 52)
    assert grid == Grid(range(16), range(12), 7, 4)
    assert Grid.fitted((12, 16), (0, 0), 42, 15) == Grid(range(16), range(12), 2, 1)
    assert Grid.fitted((4, 300), (0, 0), 69, 40) == Grid(range(30), range(4), 2, 9)
    assert Grid.fitted((2, 2), (0, 0), 69, 40) == Grid(range(2), range(2), 30, 18)


def test_of_a_large_map_the_part_around_the_cursor_is_drawn_and_stays_while_it_is_in_it() -> None:
    grid = Grid.fitted((100, 100), (50, 50), 49, 23)
    assert (grid.columns, grid.rows) == (range(40, 60), range(40, 60))
    assert Grid.fitted((100, 100), (59, 40), 49, 23, grid) == grid
    moved = Grid.fitted((100, 100), (60, 40), 49, 23, grid)
    assert (moved.columns, moved.rows) == (range(50, 70), range(40, 60))
    assert Grid.fitted((100, 100), (99, 0), 49, 23).columns == range(80, 100)


@pytest.mark.parametrize("ascii", [True, False])
def test_a_cell_is_found_where_it_is_drawn(ascii: bool) -> None:
    grid = Grid(range(4, 7), range(2, 4), 4, 2)
    for cell in ((4, 2), (6, 2), (5, 3)):
        place = cell[0] - 4, cell[1] - 2
        lines = text(
            draw_map(np.ones((2, 3)), {}, "abc", "de", ("lr", "sd"), ends_of(np.ones(2), log=False, unit=True),
                     ascii=ascii, grid=grid, cursor=place)
        )  # fmt: skip
        found = {grid.cell_at(x, y) for y, line in enumerate(lines) for x, letter in enumerate(line) if letter in "[]"}
        assert found == {cell}
        assert sum(line.count("[") for line in lines) == 2
    assert grid.cell_at(0, 1) is None
    assert grid.cell_at(10, 0) is None
    assert grid.cell_at(10, 5) is None

"""The characters that dots become are those that plotext itself would make of them."""

from __future__ import annotations

import plotext
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.curves import _fill, draw_curves
from d2ltui.charts.dots import Scale, trace
from d2ltui.charts.grid import Grid
from d2ltui.charts.plot_area import PlotArea
from d2ltui.charts.spec import Band, Line, Style

WIDTH, HEIGHT = 12, 5
AREA = PlotArea(0, 0, WIDTH, HEIGHT, 0, None, None)
SCALE = Scale(AREA, 0, 2 * WIDTH - 1, 0, 4 * HEIGHT - 1, ascii=False)
DOTS = st.lists(st.tuples(st.integers(0, 2 * WIDTH - 1), st.integers(0, 4 * HEIGHT - 1)), min_size=1, max_size=30)


def plotexts_own(dots: list[tuple[int, int]]) -> list[str]:
    """The canvas with each of the dots handed to plotext, which puts them together."""
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.plot_size(WIDTH, HEIGHT)
    plotext.xlim(0, 2 * WIDTH - 1)
    plotext.ylim(0, 4 * HEIGHT - 1)
    plotext.scatter([x for x, _ in dots], [y for _, y in dots], marker="braille")
    return plotext.uncolorize(plotext.build()).split("\n")[:HEIGHT]


def ours(lines: list[Line], points: list[tuple[float, float]], bands: list[tuple[Band, list]]) -> list[str]:
    grid = Grid(WIDTH, HEIGHT)
    draw_curves(grid, AREA, SCALE, [(line, points) for line in lines], bands, ascii=False)
    return ["".join(text for _, text in runs).ljust(WIDTH) for runs in grid.drawing()]


@given(DOTS)
def test_points(dots):
    line = Line("", Style.DATA, [], [], joined=False)
    assert ours([line], [(float(x), float(y)) for x, y in dots], []) == plotexts_own(list(dict.fromkeys(dots)))


@given(DOTS)
def test_a_line(dots):
    line = Line("", Style.TRAIN, [], [])
    assert ours([line], [(float(x), float(y)) for x, y in dots], []) == plotexts_own(trace(dots))


@given(st.lists(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, 4 * HEIGHT - 1)), min_size=1, max_size=20))
def test_a_band_is_a_stroke_in_each_column(edges):
    extents = sorted(dict(edges).items())
    points = [(2.0 * column, 0.0, float(row)) for column, row in extents]
    strokes = [(2 * column, dot) for column, row in extents for dot in range(row + 1)]
    own = plotexts_own(strokes)
    drawn = ours([], [], [(Band([], [], []), points)])
    for column, _ in extents:
        assert [row[column] for row in drawn] == [row[column] for row in own]


def test_what_is_outside_is_left_out():
    cells = _fill([(-5.0, 0.0, 3.0), (1.0, -50.0, 2.0), (3.0, 100.0, 200.0), (5.0, 1.0, 500.0)], SCALE)
    assert all(0 <= column < WIDTH and 0 <= row < HEIGHT for column, row in cells)
    assert cells[0, 0] == 0x40 | 0x04 | 0x02
    assert cells[2, 0] == 0x04 | 0x02 | 0x01
    assert SCALE.cells([(-1, 0), (0, -1), (2 * WIDTH, 0), (0, 4 * HEIGHT)]) == {}

"""The legend of a chart, and the marks on its x axis."""

from __future__ import annotations

from typing import NamedTuple

from d2ltui.charts.curves import ASCII_JOIN, marker_of, plain_marker
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.plot_area import PlotArea
from d2ltui.charts.scale import Axis
from d2ltui.charts.spec import AxisMark, ChartSpec, Line, Style
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.width import cells, cut


class Told(NamedTuple):
    """What the legend has to say of the marks that are seen."""

    meanings: dict[str, AxisMark]  # one for each sign
    sentences: list[str]  # of those on which the cursor stands, the most important first


def draw_marks(grid: Grid, area: PlotArea, x: Axis, spec: ChartSpec) -> Told:
    """Put the marks on the x axis."""
    across = 1 if spec.ascii else 2
    at = None if spec.cursor is None else x.dot(spec.cursor) // across
    told = Told({}, [])
    for mark in spec.marks:
        column = x.dot(mark.x) // across
        if not 0 <= column < area.width:
            continue
        grid.put(area.left + column, area.top + area.height, one_cell_each(mark.sign, spec.ascii), mark.style)
        told.meanings[mark.sign] = mark
        if column == at:
            told.sentences.insert(0, f"{mark.sign} {mark.sentence}")
    return told


def _explain_marks(grid: Grid, row: int, meanings: dict[str, AxisMark], room: int, ascii: bool) -> None:
    """What each sign stands for; where there is no room for all, for the most important."""
    column = 0
    for sign, mark in reversed(meanings.items()):
        text = one_cell_each(_word(mark.meaning), ascii)
        if column + 2 + len(text) > room:
            return
        grid.put(column, row, one_cell_each(sign, ascii), mark.style)
        grid.put(column + 2, row, text, Style.AXIS)
        column += len(text) + 4


def draw_legend(grid: Grid, row: int, spec: ChartSpec, hidden: bool, told: Told) -> None:
    """One line, to the right: a sample and the label of each line. Long labels are cut where there is no room.

    To the left what the marks on the axis stand for; where the cursor stands on some, what happened there, instead of
    anything else.
    """
    if told.sentences:
        grid.put(0, row, one_cell_each("; ".join(told.sentences), spec.ascii), Style.TEXT)
        return
    longest = max(map(cells, map(_word, (*(line.label for line in spec.lines), *(band.label for band in spec.bands)))))
    shown = _legend(spec, hidden, longest)
    while longest > 3 and sum(len(text) for text, __ in shown) > grid.width:
        longest -= 1
        shown = _legend(spec, hidden, longest)
    column = max(0, grid.width - sum(len(text) for text, __ in shown))
    _explain_marks(grid, row, told.meanings, column - 2, spec.ascii)
    for text, style in shown:
        grid.put(column, row, text, style)
        column += len(text)


def _word(label: str) -> str:
    return pgettext("chart", label)


def _legend(spec: ChartSpec, hidden: bool, longest: int) -> list[tuple[str, int]]:
    def shown(label: str) -> str:
        said = _word(label)
        return said if cells(said) <= longest else cut(said, longest - 1) + ("~" if spec.ascii else "…")

    parts: list[tuple[str, int]] = []
    for band in spec.bands:
        if band.label:
            parts += [(":: " if spec.ascii else "⣿⣿ ", band.style), (shown(band.label) + "  ", Style.TEXT)]
    for line in spec.lines:
        if line.label:
            parts += [(_sample(line, spec.ascii) + " ", line.style), (shown(line.label) + "  ", Style.TEXT)]
    if hidden:
        parts.append((_("(≤ 0 not shown)"), Style.WARNING))
    elif parts:
        parts.append((parts.pop()[0].rstrip(), Style.TEXT))
    return [(one_cell_each(text, spec.ascii), style) for text, style in parts]


def _sample(line: Line, ascii: bool) -> str:
    marker = marker_of(line, ascii)
    if not line.joined:
        return marker or (plain_marker(line) if ascii else "⠒⠂")
    join = ASCII_JOIN.get(line.style, plain_marker(line)) if ascii else "─"
    return join + (marker or (" " if line.dashed and not ascii else join)) + join

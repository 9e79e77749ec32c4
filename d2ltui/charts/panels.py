"""Diagrams to characters: panels side by side, each with its title, and one legend below all of them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from d2ltui.charts import diagram_bars, diagram_batches, diagram_curves, diagram_descent, diagram_raster, picture_planes
from d2ltui.charts.canvas import Look, caption, lines_for, wrapped
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec import diagrams, pictures
from d2ltui.spec.width import cells

GAP = 2  # columns between panels
LEAST = (4, 2)  # columns, and rows below the title, without which nothing is drawn


@np.errstate(all="ignore")
def draw_diagram(diagram: Any, width: int, height: int, look: Look) -> Drawing:
    """`height` lines of at most `width` cells; the last one is the legend."""
    if isinstance(diagram, diagrams.Panels):
        return _panels(diagram, width, height, look)
    below = wrapped(legend(diagram, look), width, look.ascii, lines_for(height))
    return [*body(diagram, width, height - len(below), look), *below]


def body(picture: Any, width: int, height: int, look: Look) -> Drawing:
    """The diagram without its legend."""
    match picture:
        case diagrams.Curves():
            return diagram_curves.body(picture, width, height, look)
        case diagrams.Bars():
            return diagram_bars.body(picture, width, height, look)
        case diagrams.Batches():
            return diagram_batches.body(picture, width, height, look)
        case diagrams.Raster():
            return diagram_raster.body(picture, width, height, look)
        case diagrams.Descent():
            return diagram_descent.body(picture, width, height, look)
        case pictures.Regions():
            return picture_planes.regions_alone(picture, width, height, look)
    raise TypeError(f"{type(picture).__name__} is no diagram")


def legend(picture: Any, look: Look) -> list[Run]:
    """What its colours and marks stand for."""
    match picture:
        case diagrams.Curves():
            return diagram_curves.legend(picture, look)
        case diagrams.Raster():
            return diagram_raster.legend(picture, look)
        case diagrams.Descent():
            return diagram_descent.legend(picture, look)
        case pictures.Regions():
            return picture_planes.class_legend(picture, look)
    return []


def _panels(diagram: diagrams.Panels, width: int, height: int, look: Look) -> Drawing:
    below = _below(diagram, width, height, look)
    height -= len(below)
    panels, most = diagram.panels, max(1, (width + GAP) // (diagram.narrowest + GAP))
    if diagram.main and len(panels) > min(diagram.columns, most) * max(1, height // diagram.lowest):
        panels = tuple(panels[index] for index in diagram.main if index < len(panels))
        height += len(below)
        below = _below(msgspec.structs.replace(diagram, panels=panels), width, height, look)  # nothing of the others
        height -= len(below)
    number = len(panels)
    columns = min(diagram.columns, number, most)
    rows = -(-number // columns)
    while rows > 1 and height // rows < diagrams.LOWEST and columns < number:
        columns += 1
        rows = -(-number // columns)
    columns = -(-number // rows)  # as many in each row, nearly
    wide = (width - GAP * (columns - 1)) // columns
    lines: Drawing = []
    high = height // rows  # the same for all: what is alike is drawn alike
    for row in range(rows):
        parts = [_panel(panel, wide, high, look) for panel in panels[row * columns : (row + 1) * columns]]
        lines += [_joined([part[y] for part in parts], wide) for y in range(high)]
    return [*lines, *([[]] * (height - len(lines))), *below]


def _below(diagram: diagrams.Panels, width: int, height: int, look: Look) -> Drawing:
    """The legend of all panels, and the note where it fits whole: for the legend alone a row of charts makes room."""
    most = max(1, min(3, height // 5))
    said: list[Run] = []
    for panel in diagram.panels:
        said += [run for run in legend(panel.picture, look) if run not in said]
    noted = [*said, (int(Style.AXIS), diagram.note)] if diagram.note else said
    whole = wrapped(noted, width, look.ascii, most + 1)
    room = max(most, 2) if height > diagrams.LOWEST + 2 else most
    return whole if len(whole) <= most or not said else wrapped(said, width, look.ascii, room)


def _panel(panel: diagrams.Panel, width: int, height: int, look: Look) -> Drawing:
    title = caption([(int(Style.TEXT), panel.title)], width, look.ascii)
    room = width >= LEAST[0] and height - 1 >= LEAST[1]
    lines = [title, *(body(panel.picture, width, height - 1, look) if room else [])]
    return [*lines, *([[]] * height)][:height]


def _joined(parts: Drawing, width: int) -> list[Run]:
    """Lines side by side, each made as wide as its panel but the last one."""
    line: list[Run] = []
    for index, part in enumerate(parts):
        line += part
        if index < len(parts) - 1:
            line.append((int(Style.AXIS), " " * (width + GAP - sum(cells(text) for _, text in part))))
    return line

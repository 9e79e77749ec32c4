"""A loss over the plane of two weights, and the path of training in it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from d2ltui.charts.canvas import Canvas, Look, caption, cells_of, entry
from d2ltui.charts.colours import blend, class_colours
from d2ltui.charts.diagram_curves import COLOURS
from d2ltui.charts.picture_planes import fitted
from d2ltui.charts.spec import RGB, Drawing, Run, Style
from d2ltui.spec.diagrams import Descent, Path
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.width import cells

LEVELS = 8  # of the loss: their edges are lines of equal loss
HIGH: RGB = (70, 88, 150)
PLAIN = " .:-=+%@"


def body(diagram: Descent, width: int, height: int, look: Look) -> Drawing:
    """The bowl, fainter where the loss is lower; the paths' steps as marks joined by dots; the goal as a cross."""
    rows = height - 1
    canvas = Canvas(width, rows)
    loss = fitted(diagram.loss, width, 2 * rows)
    ranked = np.sqrt(np.maximum(loss - loss.min(), 0))
    level = np.floor(ranked / max(float(ranked.max()), 1e-30) * (LEVELS - 1e-6)).astype(int)
    if look.colours:
        wide = np.broadcast_to(np.array(HIGH, np.uint8), (*loss.shape, 3))
        canvas.paint(blend(wide, look.background, level / (LEVELS - 1)), look)
    else:
        canvas.place(np.array(list(PLAIN))[level[::2]], int(Style.AXIS))
    goals = np.array([diagram.goal] if diagram.goal is not None else [], np.float32).reshape(-1, 2)
    at = cells_of(goals, diagram.x, diagram.y, width, rows)
    for path in diagram.paths:
        _walk(canvas, path, diagram, look, dict.fromkeys(zip(*(part.tolist() for part in at), strict=True), ""))
    if diagram.goal is not None:
        white = np.array([look.foreground], np.uint8)
        canvas.mark(*at, np.array(["X" if look.ascii else "✕"]), white if look.colours else None)
    (left, right), (low, high) = diagram.x, diagram.y
    across, up = diagram.axes
    said = f"→ {across} {number(left, 2)}…{number(right, 2)}  ↑ {up} {number(low, 2)}…{number(high, 2)}"
    if cells(said) > width:
        said = f"→ {across}  ↑ {up}"
    return [*canvas.drawing(), caption([(int(Style.AXIS), said)], width, look.ascii)]


def _walk(canvas: Canvas, path: Path, diagram: Descent, look: Look, taken: dict[tuple[int, int], str]) -> None:
    """Draw a path; in cells that are `taken`, a mark is not seen."""
    points = np.stack([np.asarray(path.x, np.float32), np.asarray(path.y, np.float32)], axis=1)
    steps = len(points)
    marks = np.array(list(path.mark * steps if len(path.mark) == 1 else path.mark.ljust(steps, path.mark[-1:]))[:steps])
    finite = np.isfinite(points).all(axis=1)
    points, marks = points[finite], marks[finite]
    if not len(points):
        return
    between = _between(points, diagram, canvas.columns, canvas.rows)
    # Joints lie under the steps.
    joints = np.full(len(between), "." if look.ascii else "·")
    for where, characters in ((between, joints), (points, marks)):
        seen = _inside(where, diagram)
        inside = where[seen]
        if len(inside):
            at = cells_of(inside.astype(np.float32), diagram.x, diagram.y, canvas.columns, canvas.rows)
            if where is points:
                at = _side_by_side(*at, characters[seen], taken, canvas.columns)
            colour = look.strong(class_colours(COLOURS)[path.colour % COLOURS])
            colours = np.broadcast_to(colour, (len(inside), 3)) if look.colours else None
            canvas.mark(*at, characters[seen], colours)


def _side_by_side(
    columns: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    marks: npt.NDArray[np.str_],
    taken: dict[tuple[int, int], str],
    wide: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where marks are seen: of different ones in one cell the last is there, and the others beside it."""
    for index in reversed(range(len(marks))):
        column, row, mark = int(columns[index]), int(rows[index]), str(marks[index])
        near = (column + step for step in (0, -1, -2, 1, 2))
        free = next((place for place in near if 0 <= place < wide and taken.get((place, row), mark) == mark), column)
        taken[free, row] = mark
        columns[index] = free
    return columns, rows


def _inside(points: npt.NDArray[Any], diagram: Descent) -> npt.NDArray[np.bool_]:
    (left, right), (low, high) = diagram.x, diagram.y
    x, y = points[:, 0], points[:, 1]
    found: npt.NDArray[np.bool_] = (x >= left) & (x <= right) & (y >= low) & (y <= high)
    return found


def _between(points: npt.NDArray[Any], diagram: Descent, columns: int, rows: int) -> npt.NDArray[Any]:
    """Places on the straight lines between the steps, about one a cell."""
    cell = np.array([(diagram.x[1] - diagram.x[0]) / columns, (diagram.y[1] - diagram.y[0]) / rows])
    parts = [points[:1]]
    for a, b in itertools.pairwise(points):
        number = int(min(200, np.abs((b - a) / cell).max())) + 1
        parts.append(a + (b - a) * (np.arange(1, number) / number)[:, None])
    return np.concatenate(parts)


def legend(diagram: Descent, look: Look) -> list[Run]:
    """The paths' marks and names, and the goal's."""
    runs: list[Run] = []
    for path in diagram.paths:
        if path.label:
            colour = look.strong(class_colours(COLOURS)[path.colour % COLOURS])
            runs.append((look.text_style(colour), entry(f"{' '.join(path.mark)} {path.label}")))
    if diagram.goal is not None:
        runs.append((int(Style.TEXT), entry(f"{'X' if look.ascii else '✕'} {_('lowest loss')}")))
    if look.colours:
        runs.append((look.text_style(np.array(HIGH, np.uint8)), "#" if look.ascii else "■"))
    runs.append((int(Style.TEXT), entry(f"{'' if look.colours else PLAIN[-1]} {_('high loss')}")))
    return runs

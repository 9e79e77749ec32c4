"""Rows and columns of numbers: light and dark, or signs."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from d2ltui.charts.canvas import Canvas, Look, entry
from d2ltui.charts.colours import Pixels, blend, diverging
from d2ltui.charts.grid import one_cell_each, whole
from d2ltui.charts.picture_planes import fitted
from d2ltui.charts.raster import marks
from d2ltui.charts.spec import RGB, Drawing, Run, Style
from d2ltui.spec.diagrams import Raster
from d2ltui.spec.language import _

LIGHT: RGB = (240, 196, 84)
DARK: RGB = (52, 52, 60)
LEVELS = 6  # fewer colours are fewer bytes
SHADES, PLAIN_SHADES = "·░▒▓█", ".:+*#"
SIGNS = "- +"


def body(diagram: Raster, width: int, height: int, look: Look) -> Drawing:
    """The cells, each column equally wide, and below them what the first and the last column are."""
    named = any(diagram.across) and height > 3
    rows, columns = height - named, diagram.values.shape[1]
    wide = max(1, width // max(1, columns)) * columns
    wide = wide if wide <= width else width
    canvas = Canvas(wide, rows)
    # A mean of signs would be none: of several, one is shown.
    values = (fitted if diagram.signs else _pooled)(diagram.values, wide, 2 * rows)
    if look.colours:
        canvas.paint(_pixels(values, diagram.signs, look), look)
    elif diagram.signs:
        levels = np.rint(np.nan_to_num(values[::2])).astype(int).clip(-1, 1) + 1
        canvas.place(np.array(list(SIGNS))[levels], int(Style.TEXT))
    else:
        canvas.place(marks(values, PLAIN_SHADES if look.ascii else SHADES), int(Style.TEXT))
    drawing = canvas.drawing()
    if named:
        left, right = (one_cell_each(text, look.ascii) for text in diagram.across)
        # Both names are told where the panel has room for them, though the last column may end a little before.
        span = max(wide, len(left) + 1 + len(right)) if len(left) + len(right) < width else wide
        right = right if len(left) + len(right) < span else ""
        shown = left[: max(0, span - len(right))].ljust(span - len(right)) + right
        drawing.append([(int(Style.AXIS), whole(shown))])
    return drawing


def legend(diagram: Raster, look: Look) -> list[Run]:
    """Both ends, with their names."""
    low, high = diagram.names
    zero = [(int(Style.TEXT), entry(_("blank: 0")))] if diagram.signs and (diagram.values == 0).any() else []
    if not look.colours:
        shades = (PLAIN_SHADES if look.ascii else SHADES) if not diagram.signs else SIGNS
        return [(int(Style.TEXT), entry(f"{shades[0]} {low}") + entry(f"{shades[-1]} {high}")), *zero]
    square = "#" if look.ascii else "■"
    ends = _pixels(np.array([[-1.0 if diagram.signs else 0.0, 1.0]]), diagram.signs, look)[0]
    runs: list[Run] = []
    for colour, name in zip(ends, (low, high), strict=True):
        runs += [(look.text_style(colour), square), (int(Style.TEXT), entry(f" {name}"))]
    return [*runs, *zero]


def _pixels(values: npt.NDArray[np.float64], signs: bool, look: Look) -> Pixels:
    if signs:
        return diverging(values, 1.0, look.background, shades=3)
    share = np.rint(np.nan_to_num(values).clip(0, 1) * (LEVELS - 1)) / (LEVELS - 1)
    light = np.broadcast_to(np.array(LIGHT, np.uint8), (*values.shape, 3))
    return blend(light, DARK, 1 - share)


def _pooled(values: npt.NDArray[np.floating], columns: int, rows: int) -> npt.NDArray[np.float64]:
    """`values` for another number of rows and columns: each is repeated, or the mean of several."""
    found = np.asarray(values, np.float64)
    for axis, number in ((0, rows), (1, columns)):
        have = found.shape[axis]
        edges = np.arange(number + 1) * have / max(1, number)
        parts = [
            found.take(range(int(a), max(int(a) + 1, int(np.ceil(b)))), axis=axis).mean(axis=axis)
            for a, b in itertools.pairwise(edges)
        ]
        found = np.stack(parts, axis=axis)
    return found

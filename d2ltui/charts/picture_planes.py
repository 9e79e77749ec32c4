"""Planes of two inputs: decision regions shaded by confidence, predictions, and the samples in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from d2ltui.charts.canvas import NO_BREAK, Canvas, Look, cells_of, entry, lines_for, wrapped
from d2ltui.charts.colours import blend, class_colours, diverging
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.pictures import Regions, Surface

OUTERMOST = (1, 99)  # per cent of the plane: what has the full colours, that one corner does not pale all else
SHADES = 6  # of confidence: fewer colours are fewer bytes, and a step is a line of equal confidence
PALEST, DEEPEST = 0.1, 0.6  # shares of a class's colour: where nothing is known, and where all is
CELLS_PER_POINT = 5
SURE = 0.5  # of the way from a guess to certainty: from here on a letter says so where there are no colours


def regions(picture: Regions, width: int, height: int, look: Look) -> Drawing:
    """Each place in the colour of the class that is predicted there, paler where less sure; samples as marks."""
    shade = _("deeper: surer") if look.colours else _("small letters: sure")
    about = (*_limits(picture), _("marks: training samples"), shade)  # the last is cut first
    said = [*class_legend(picture, look), (int(Style.AXIS), "".join(map(entry, about)))]
    below = wrapped(said, width, look.ascii, lines_for(height))
    return [*regions_alone(picture, width, height - len(below), look), *below]


def class_legend(picture: Regions, look: Look) -> list[Run]:
    """The mark and the name of each class."""
    classes = max(2, len(picture.names))
    colours = class_colours(classes)
    legend: list[Run] = []
    for index, name in enumerate(picture.names):
        # A mark and its name stay together.
        said = f"{look.glyph(index, classes)}{NO_BREAK}", f"{name.replace(' ', NO_BREAK)}  "
        legend += [(look.text_style(colours[index]), said[0]), (int(Style.TEXT), said[1])]
    return legend


def regions_alone(picture: Regions, width: int, rows: int, look: Look) -> Drawing:
    """The same with nothing below it."""
    classes = max(2, len(picture.names))
    colours = class_colours(classes)
    canvas = Canvas(width, rows)
    predicted, confidence = fitted(picture.classes, width, 2 * rows), fitted(picture.confidence, width, 2 * rows)
    sure = ((confidence - 1 / classes) / (1 - 1 / classes)).clip(0, 1)
    if look.colours:
        share = PALEST + (DEEPEST - PALEST) * np.rint(sure * (SHADES - 1)) / (SHADES - 1)
        canvas.paint(blend(colours[predicted], look.background, share), look)
    else:
        letters = np.array([look.glyph(index, classes).lower() for index in range(classes)])
        canvas.place(np.where(sure[::2] >= SURE, letters[predicted[::2]], " "), int(Style.AXIS))
    shown = _chosen(len(picture.points), width * rows)
    points, labels = picture.points[shown], picture.labels[shown]
    at_column, at_row = cells_of(points, picture.x, picture.y, width, rows)
    # What lies in another class's region comes last, and so in front.
    order = np.argsort(predicted[2 * at_row, at_column] != labels, kind="stable")
    at_column, at_row, labels = at_column[order], at_row[order], labels[order]
    glyphs = np.array([look.glyph(index, classes) for index in range(classes)])
    canvas.mark(at_column, at_row, glyphs[labels], look.strong(colours)[labels] if look.colours else None)
    return canvas.drawing()


def surface(picture: Surface, width: int, height: int, look: Look) -> Drawing:
    """Each place in the colour of the number that is predicted there; samples in that of their target."""
    low, high = _scale_of(picture)
    middle, limit = (low + high) / 2, (high - low) / 2
    scale = _("blue {low} to orange {high}") if look.colours else _("0 to 9: {low} to {high}")
    ends = scale.format(low=number(low), high=number(high))
    said = "".join(map(entry, (ends, _("marks: targets"), *_limits(picture))))  # the last is cut first
    below = wrapped([(int(Style.AXIS), said)], width, look.ascii, lines_for(height))
    rows = height - len(below)
    canvas = Canvas(width, rows)
    values = fitted(picture.values, width, 2 * rows) - middle
    shown = _chosen(len(picture.points), width * rows)
    points, targets = picture.points[shown], picture.targets[shown] - middle
    at_column, at_row = cells_of(points, picture.x, picture.y, width, rows)
    if look.colours:
        canvas.paint(blend(diverging(values, limit, look.background), look.background, 0.75), look)
        marks = np.full(len(points), "o" if look.ascii else "●")
        canvas.mark(at_column, at_row, marks, look.strong(diverging(targets, limit, look.background)))
    else:
        canvas.place(_tenths(values[::2], limit), int(Style.AXIS))
        canvas.mark(at_column, at_row, _tenths(targets, limit), None)
    return [*canvas.drawing(), *below]


def _scale_of(picture: Surface) -> tuple[float, float]:
    """The numbers that the colours go from and to: those of the plane. A target beyond them has the outermost colour.

    Where the network has but one number for all of it, those of the targets.
    """
    for numbers in (picture.values.ravel(), picture.targets):
        known = numbers[np.isfinite(numbers)].astype(np.float64)
        if len(known):
            low, high = (float(end) for end in np.percentile(known, OUTERMOST))
            if high - low > 1e-6 * max(abs(low), abs(high)):
                return low, high
    return -1.0, 1.0


def _tenths(values: npt.NDArray[np.floating], limit: float) -> npt.NDArray[np.str_]:
    tenth = np.nan_to_num((values / limit + 1) * 5 if limit else values * 0 + 5).clip(0, 9).astype(int)
    found: npt.NDArray[np.str_] = np.array(list("0123456789"))[tenth]
    return found


def _limits(picture: Regions | Surface) -> list[str]:
    """What lies along each axis, from where to where."""
    (left, right), (low, high), (across, up) = picture.x, picture.y, picture.axes
    return [f"→ {across} {number(left, 2)}…{number(right, 2)}", f"↑ {up} {number(low, 2)}…{number(high, 2)}"]


def _chosen(number: int, cells: int) -> npt.NDArray[np.int64]:
    """So many of `number` samples, evenly spread, that the regions behind them can be seen."""
    return np.linspace(0, number - 1, min(number, max(1, cells // CELLS_PER_POINT))).astype(np.int64)


def fitted(values: npt.NDArray[Any], width: int, height: int) -> npt.NDArray[Any]:
    """`values` (rows, columns) for another size, as long as those of the right one are not there yet."""
    rows, columns = values.shape
    if (rows, columns) == (height, width):
        return values
    found: npt.NDArray[Any] = values[np.arange(height) * rows // height][:, np.arange(width) * columns // width]
    return found

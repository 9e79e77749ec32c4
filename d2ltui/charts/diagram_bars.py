"""Bars from left to right, one a row, with the value behind each."""

from __future__ import annotations

import math

from d2ltui.charts.canvas import Look, caption
from d2ltui.charts.diagram_curves import colour_of
from d2ltui.charts.grid import one_cell_each, whole
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.diagrams import Bars

LONGEST_NAME = 18
EIGHTHS = " ▏▎▍▌▋▊▉█"


def body(diagram: Bars, width: int, height: int, look: Look) -> Drawing:
    """A row for each bar, or two or three where there is room; those that do not fit are left out."""
    known = [abs(value) for value in diagram.values if math.isfinite(value)]
    full = diagram.full or max(known, default=0.0) or 1.0
    told = [format(value, diagram.form) for value in diagram.values]
    names = [one_cell_each(label, look.ascii)[:LONGEST_NAME] for label in diagram.labels]
    name_width, value_width = max(map(len, names), default=0), max(map(len, told), default=0)
    if name_width + value_width + 6 > width:
        name_width = max(1, width - value_width - 6)
    room = max(1, width - name_width - value_width - 2)
    below_zero = any(value < 0 for value in diagram.values)
    every = max(1, min(3, height // max(1, len(names))))
    lines: Drawing = []
    for index, (name, value) in enumerate(zip(names, diagram.values, strict=True)):
        finite = math.isfinite(value)
        colour = diagram.colours[index] if index < len(diagram.colours) else 0
        style = colour_of(colour, look)
        bar = _bar(value / full, room, below_zero, look.ascii) if finite else ""
        number = (int(Style.AXIS if finite else Style.WARNING), " " + told[index])
        line: list[Run] = [(int(Style.TEXT), whole(name[:name_width].rjust(name_width)) + " "), (style, bar), number]
        again: list[Run] = [(int(Style.AXIS), " " * (name_width + 1)), (style, bar)]
        lines += [line, *([again] if every == 3 else []), *([[]] if every > 1 else [])]
    shown = [caption(line, width, look.ascii) for line in lines[:height]]  # in few columns no bar has room
    return [*shown, *([[]] * (height - len(shown)))]


def _bar(share: float, room: int, below_zero: bool, ascii: bool) -> str:
    """A bar from 0 on; 0 is in the middle where there are values below it."""
    share = max(-1.0, min(1.0, share))
    if not below_zero:
        return _filled(share * room, ascii)
    half = room // 2
    if share < 0:
        return " " * (half - round(-share * half)) + ("#" if ascii else "█") * round(-share * half)
    return " " * half + _filled(share * half, ascii)


def _filled(length: float, ascii: bool) -> str:
    if ascii:
        return "#" * max(round(length), 1 if length > 0 else 0)
    eighths = max(round(8 * length), 1 if length > 0 else 0)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()

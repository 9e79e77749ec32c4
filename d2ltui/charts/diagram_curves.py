"""Lines over one axis, in the colours of their numbers."""

from __future__ import annotations

import math

from d2ltui.charts.canvas import Look, caption, entry
from d2ltui.charts.colours import class_colours
from d2ltui.charts.draw import draw
from d2ltui.charts.grid import one_cell_each
from d2ltui.charts.spec import Band, ChartSpec, Drawing, Line, Run, Style
from d2ltui.spec.diagrams import Curve, Curves

FIRST = 100  # the styles of the lines while they are drawn; then they become colours
COLOURS = 10
_PLAIN = (Style.TRAIN, Style.VALIDATION, Style.FIT, Style.DATA, Style.WARNING)


def body(diagram: Curves, width: int, height: int, look: Look) -> Drawing:
    """The chart, without a legend; below it its axes' names, in few rows in the place of the ticks' numbers."""
    named = any(diagram.axes) and height > 5
    spec = ChartSpec(
        width,
        height - named,
        [_line(curve) for curve in diagram.curves if len(curve.x)],
        x_low=diagram.x[0],
        x_high=diagram.x[1],
        y_low=diagram.low,
        y_high=diagram.high,
        log=diagram.log,
        log_x=diagram.log_x,
        x_label=diagram.x_label,
        ascii=look.ascii,
        empty_text="",
        bands=_bars(diagram, width),
        integer_x=diagram.whole,
    )
    lines = [[(_coloured(style, look), text) for style, text in line] for line in draw(spec)]
    if not any(diagram.axes):
        return lines
    across, up = diagram.axes
    return [*(lines if named else lines[:-1]), caption([(int(Style.AXIS), f"→ {across}  ↑ {up}")], width, look.ascii)]


def legend(diagram: Curves, look: Look) -> list[Run]:
    """A sample and the name of each line that has one."""
    runs: list[Run] = []
    dash = "-" if look.ascii else "─"
    for curve in diagram.curves:
        if curve.label and not curve.faint:
            mark = one_cell_each(curve.mark, look.ascii)[:1] or dash
            sample = f"{dash}{mark}{dash}" if curve.joined else mark
            runs.append((colour_of(curve.colour, look), entry(f"{sample} {curve.label}")))
    if diagram.bars is not None and diagram.bars_label:
        runs.append((int(Style.RAW), entry(f"{'::' if look.ascii else '⣿⣿'} {diagram.bars_label}")))
    return runs


def colour_of(number: int, look: Look) -> int:
    """The style of what has the colour of a number."""
    if not look.colours:
        return int(_PLAIN[number % len(_PLAIN)])
    return look.text_style(look.strong(class_colours(COLOURS)[number % COLOURS]))


def _coloured(style: int, look: Look) -> int:
    return colour_of(style - FIRST, look) if FIRST <= style < FIRST + COLOURS else style


def _line(curve: Curve) -> Line:
    style = int(Style.RAW) if curve.faint else FIRST + curve.colour % COLOURS
    return Line("", style, curve.x, curve.y, marker=curve.mark, joined=curve.joined)


def _bars(diagram: Curves, width: int) -> list[Band]:
    """Each bar as wide as its share of the axis: a stroke in every column of it."""
    if diagram.bars is None:
        return []
    x, heights = diagram.bars
    if not x:
        return []
    low, high = diagram.x
    step = (x[1] - x[0]) if len(x) > 1 else high - low
    places = [low + (high - low) * (i + 0.5) / (2 * width) for i in range(2 * width)]
    found = [(place, min(len(x) - 1, max(0, math.floor((place - x[0]) / step + 0.5)))) for place in places]
    tall = [heights[index] if heights[index] > 0 else math.nan for _, index in found]
    return [Band(x=[place for place, _ in found], low=[0.0] * len(found), high=tall)]

"""What a chart shows, as plain values; no colours and no terminal in them. `draw.draw` makes a `Drawing` of it."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

import msgspec


class Style(IntEnum):
    """What a run of characters stands for; the interface chooses the colours. Others may use the numbers up to 254."""

    AXIS = 0
    TRAIN = 1
    VALIDATION = 2
    RAW = 3  # faint
    TEXT = 4
    WARNING = 5
    FIT = 6
    DATA = 7


RGB: TypeAlias = tuple[int, int, int]

# Styles from here on are a pair of colours, with 25 bits each: a colour's 24, and one that says that there is one.
COLOURED = 1 << 52
FOREGROUND = 25  # the bits of the background below it
THERE = 1 << 24


def colours_of(style: int) -> tuple[RGB | None, RGB | None]:
    """The foreground and the background of a style that is not less than `COLOURED`."""
    return _unpacked(style >> FOREGROUND & 2 * THERE - 1), _unpacked(style & 2 * THERE - 1)


def _unpacked(number: int) -> RGB | None:
    return (number >> 16 & 255, number >> 8 & 255, number & 255) if number & THERE else None


Run: TypeAlias = tuple[int, str]
Drawing: TypeAlias = list[list[Run]]  # lines of runs (style, text)


class Line(msgspec.Struct, frozen=True):
    """Points, joined or not. A point that is not finite leaves a gap.

    `marker` is one character drawn on every point, "" for none. A "●" is "◓" or "◒" where the point lies in the highest
    or the lowest quarter of its cell: it reads as exactly as dots do. A letter or digit stands near its point, where
    the line passes the middle of a row. The character for a terminal without UTF-8 is chosen by style. `joined=False`
    draws the points only, as fine dots where there is no marker. `dashed` leaves gaps in a line: without colours,
    nothing else tells one from another. A line without `label` is not in the legend.
    """

    label: str
    style: int
    x: list[float]
    y: list[float]
    marker: str = ""
    joined: bool = True
    dashed: bool = False


class Band(msgspec.Struct, frozen=True):
    """Vertical extents, `low[i]` to `high[i]` at `x[i]`, drawn behind all lines: the range of the raw values."""

    x: list[float]
    low: list[float]
    high: list[float]
    style: int = Style.RAW
    label: str = ""


class AxisMark(msgspec.Struct, frozen=True):
    """Something that happened at `x`: one character on the x axis.

    `meaning` stands beside it in the legend; `sentence` in the legend's place, while the cursor stands on the mark.
    """

    x: float
    sign: str
    meaning: str
    sentence: str
    style: int = Style.TEXT


class ChartSpec(msgspec.Struct, frozen=True):
    """Curves over steps or epochs, `width` × `height` cells, axes and legend included.

    `y_low` and `y_high` are limits; None takes them from the data, rounded so that they rarely change. The axis ends at
    `y_high` where that is a round number; others go on a little, so that ticks lie whole cells apart. With `log` the y
    axis is logarithmic, and what is not positive is left out (the legend says so). From back to front: bands,
    lines of style RAW and points, lines with markers, lines without, each in the order given, then the markers, and
    those of points that stand alone. Lines that run along each other take turns.
    With `log_x` the x axis is logarithmic: its limits and every x are positive.
    `empty_text` stands in the middle of a chart without values. `integer_x` keeps the ticks of the x axis on whole
    numbers where there is more than one in the range. `x_label` has room for 5 characters.
    """

    width: int
    height: int
    lines: list[Line] = []
    x_low: float = 0.0
    x_high: float = 1.0
    y_low: float | None = None
    y_high: float | None = None
    log: bool = False
    x_label: str = ""
    ascii: bool = False
    empty_text: str = ""
    bands: list[Band] = []
    integer_x: bool = True
    marks: list[AxisMark] = []  # of those in one column, the last one is seen
    cursor: float | None = None  # an x at which an upright line stands behind the curves
    log_x: bool = False

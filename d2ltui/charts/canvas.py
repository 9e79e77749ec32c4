"""What all drawings of pictures share: how the terminal is, cells with characters and styles, and a line below them."""

from __future__ import annotations

import re
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from d2ltui.charts.colours import Pixels, Styles, blend, packed, style_of
from d2ltui.charts.grid import FILL, cut_mark, one_cell_each, shortened, whole
from d2ltui.charts.raster import Characters, drawing_of, half_blocks
from d2ltui.charts.spec import FOREGROUND, RGB, Drawing, Run, Style
from d2ltui.spec.width import cells

NO_BREAK = "\N{NO-BREAK SPACE}"
SOFT = "\ufdd1"  # between two wide characters a line may end
GLYPHS, LETTERS = "●▲■◆▼○△□◇▽", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Look(NamedTuple):
    """What pictures are drawn for: a terminal's colours, whether it shows others, and whether ASCII only."""

    background: RGB = (18, 18, 18)
    foreground: RGB = (224, 224, 224)
    colours: bool = True
    ascii: bool = False

    def glyph(self, number: int, classes: int) -> str:
        """The mark of a class."""
        if self.ascii or not self.colours or classes > len(GLYPHS):
            return LETTERS[number % len(LETTERS)]
        return GLYPHS[number]

    def text_style(self, colour: Pixels) -> int:
        """The style of text in a colour (3,), on the background."""
        return int(style_of(packed(colour), 0)) if self.colours else int(Style.TEXT)

    def strong(self, colours: Pixels) -> Pixels:
        """`colours` (..., 3) as they are legible on their own tints."""
        return blend(colours, self.foreground, 0.65)


class Canvas:
    """`rows` × `columns` cells, blank at first."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = max(0, columns), max(0, rows)
        self.characters: Characters = np.full((self.rows, self.columns), " ")
        self.styles: Styles = np.full((self.rows, self.columns), int(Style.AXIS), np.int64)

    def paint(self, pixels: Pixels, look: Look, column: int = 0, row: int = 0) -> None:
        """Pixels (2·rows, columns, 3) in half blocks from a cell on; in ASCII the upper one of each two."""
        if look.ascii:
            upper = packed(pixels[::2])
            characters, styles = np.full(upper.shape, " "), style_of(0, upper)
        else:
            characters, styles = half_blocks(pixels)
        self.place(characters, styles, column, row)

    def place(self, characters: Characters, styles: Styles | int, column: int = 0, row: int = 0) -> None:
        """Characters (rows, columns) from a cell on; what would be outside is left out."""
        high, wide = min(len(characters), self.rows - row), min(characters.shape[1], self.columns - column)
        if high > 0 and wide > 0:
            area = slice(row, row + high), slice(column, column + wide)
            self.characters[area] = characters[:high, :wide]
            self.styles[area] = styles[:high, :wide] if isinstance(styles, np.ndarray) else styles

    def write(self, column: int, row: int, text: str, style: int) -> None:
        """One line of text."""
        if text and 0 <= row < self.rows and 0 <= column < self.columns:
            self.place(np.array([list(text)]), style, column, row)

    def mark(
        self,
        columns: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        characters: Characters,
        colours: Pixels | None,
    ) -> None:
        """Characters (n,) in cells, each in its colour (n, 3) on what is there; without colours as plain text."""
        self.characters[rows, columns] = characters
        if colours is None:
            self.styles[rows, columns] = int(Style.TEXT)
            return
        there = self.styles[rows, columns]
        # Of two pixels one is the background: in a half block the lower one, and in a blank both.
        self.styles[rows, columns] = style_of(packed(colours), there & ((1 << FOREGROUND) - 1))

    def drawing(self) -> Drawing:
        """The cells as lines."""
        return drawing_of(self.characters, self.styles)


def caption(parts: list[Run], width: int, ascii: bool) -> list[Run]:
    """One line of text, cut where it does not fit."""
    line: list[Run] = []
    for style, text in parts:
        text = whole(one_cell_each(text, ascii)[: max(0, width - sum(cells(shown) for _, shown in line))])
        if text:
            line.append((style, text))
    return line


def wrapped(parts: list[Run], width: int, ascii: bool, most: int) -> Drawing:
    """Text in as many lines as it takes, `most` at most and one at least; the last one is cut. No-break spaces hold."""
    shown = [(style, _breakable(text, ascii)) for style, text in parts]
    styles = [style for style, text in shown for _ in text]
    lines: list[list[Run]] = [[]]
    free = width
    for word in re.finditer(f"[^ {SOFT}]*[ {SOFT}]*", "".join(text for _, text in shown)):
        long = len(word[0].replace(SOFT, ""))
        if len(word[0].rstrip(f" {SOFT}")) > free and free < width and len(lines) < most:
            lines.append([])
            free = width
        if len(word[0].rstrip(f" {SOFT}").replace(SOFT, "")) > free and len(lines) == most:
            lines[-1] = _with_end_cut(lines[-1], styles[word.start()], word[0].replace(SOFT, ""), width, ascii)
            return lines
        letters = [(s, c) for s, c in zip(styles[word.start() : word.end()], word[0], strict=True) if c != SOFT]
        for style, run in groupby(letters[:free], key=lambda pair: pair[0]):
            lines[-1].append((style, whole("".join(letter for _, letter in run).replace(NO_BREAK, " "))))
        free = max(0, free - long)
    return lines


def _with_end_cut(line: list[Run], style: int, word: str, width: int, ascii: bool) -> list[Run]:
    """The last line where `word` has no room: without it, for half of a number would be another number."""
    said = "".join(text for _, text in line).rstrip()
    if not said:
        return [(style, whole(shortened(word.replace(NO_BREAK, " "), width, ascii)))]
    while cells(said) >= width:
        said = said.rpartition(" ")[0].rstrip() or said[:-1]
    shown: list[Run] = []
    for run_style, text in line:
        left = len(said) - sum(len(done) for _, done in shown)
        if left > 0:
            shown.append((run_style, text[:left]))
    return [*shown[:-1], (shown[-1][0], shown[-1][1] + cut_mark(ascii))]


def _breakable(text: str, ascii: bool) -> str:
    """A character for each cell, and `SOFT` where a line may end within what has no blanks; not within an entry."""
    shown = NO_BREAK.join(one_cell_each(part, ascii) for part in text.split(NO_BREAK))
    return shown if NO_BREAK in text else re.sub(f"{FILL}(?![，。、；：）”])", FILL + SOFT, shown)


def entry(text: str) -> str:
    """`text` as an entry of a legend: a line is broken between two entries, and within none."""
    return f"{text.replace(' ', NO_BREAK)}  "


def under(drawing: Drawing, parts: list[Run], width: int, ascii: bool, height: int) -> Drawing:
    """The drawing, `height` - 1 rows of it, and text below it: in more than one line where its last rows are blank."""
    blank = 0
    while blank < min(len(drawing), lines_for(height) - 1) and not any(t.strip() for _, t in drawing[-1 - blank]):
        blank += 1
    said = wrapped(parts, width, ascii, 1 + blank)
    return [*drawing[: height - len(said)], *said]


def lines_for(height: int) -> int:
    """How many lines of text may stand below a picture that is `height` rows high with them."""
    return max(1, min(3, height // 6))


def cells_of(
    points: npt.NDArray[np.float32], x: tuple[float, float], y: tuple[float, float], columns: int, rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The columns and rows (n,) of points (n, 2), the highest row first."""
    across = (points[:, 0] - x[0]) / (x[1] - x[0]) * columns
    down = (y[1] - points[:, 1]) / (y[1] - y[0]) * rows
    return across.astype(np.int64).clip(0, columns - 1), down.astype(np.int64).clip(0, rows - 1)

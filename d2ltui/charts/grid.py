"""A rectangle of character cells with styles, and the text that fits into it."""

from __future__ import annotations

import functools
import re
import unicodedata

from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.width import has_wide

FILL = "\ufdd0"  # stands in the second cell of a wide character: so there is a character for each cell

_PLAIN = {
    **dict.fromkeys("─–−", "-"),
    "│": "|",
    "·": ".",
    "…": "...",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "×": "x",
    "²": "2",
    "▲": "!",
    "△": "^",
}


def one_cell_each(text: str, ascii: bool) -> str:
    """`text` with a character for each cell: behind a wide one stands `FILL`, until `whole` takes it away again.

    What is narrower than a cell, and control characters, become "?".
    """
    if (text.isascii() and text.isprintable()) or FILL in text:
        return text
    if ascii:
        text = "".join(_PLAIN.get(character, character) for character in text)
    return "".join(_in_cells(c) if c.isprintable() and (c.isascii() or not ascii) else "?" for c in text)


def _in_cells(character: str) -> str:
    if unicodedata.combining(character):
        return "?"
    return f"{character}{FILL}" if unicodedata.east_asian_width(character) in "WF" else character


def whole(text: str) -> str:
    """`text`, a character for each cell, as it is to be shown: half of a wide character is a blank."""
    if text.isascii() or not (FILL in text or has_wide(text)):
        return text
    return re.sub(f"(.)({FILL})?", lambda found: found[1] if found[2] or not has_wide(found[1]) else " ", text).replace(
        FILL, " "
    )


def shortened(text: str, width: int, ascii: bool) -> str:
    """`text`, a character for each cell, in `width` cells: what is cut ends with "…", or "~"."""
    text = one_cell_each(text, ascii)
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}{cut_mark(ascii)}"[: max(0, width)]


def cut_mark(ascii: bool) -> str:
    """Where something is missing."""
    return "~" if ascii else "…"


class Grid:
    """`width` × `height` cells, row 0 at the top. What would be outside is left out."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._text = [[" "] * self.width for _ in range(self.height)]
        self._style = [[int(Style.AXIS)] * self.width for _ in range(self.height)]

    def put(self, column: int, row: int, text: str, style: int) -> None:
        """Write `text`, one cell a character, from `column` on."""
        if not 0 <= row < self.height:
            return
        if column < 0:
            text, column = text[-column:], 0
        text = text[: max(0, self.width - column)]
        if text:
            self._text[row][column : column + len(text)] = text
            self._style[row][column : column + len(text)] = [style] * len(text)

    def set(self, column: int, row: int, character: str, style: int) -> None:
        """Write one character into a cell that there is."""
        self._text[row][column], self._style[row][column] = character, style

    def is_free(self, column: int, row: int) -> bool:
        """Whether a cell that there is has nothing in it."""
        return self._text[row][column] == " "

    def copy(self) -> Grid:
        """The same, to write on."""
        grid = Grid(0, 0)
        grid.width, grid.height = self.width, self.height
        grid._text, grid._style = [row[:] for row in self._text], [row[:] for row in self._style]
        return grid

    def drawing(self) -> Drawing:
        """The rows as runs of one style; spaces belong to the run that they follow, for they show no colour."""
        rows = zip(self._text, self._style, strict=True)
        return [list(_runs("".join(text), bytes(styles))) for text, styles in rows]


@functools.lru_cache(maxsize=512)  # most rows are as they were in the last frame
def _runs(text: str, styles: bytes) -> tuple[Run, ...]:
    runs: list[Run] = []
    start, current = 0, -1
    for column, (character, style) in enumerate(zip(text, styles, strict=True)):
        if character != " " and style != current:
            if current != -1:
                runs.append((current, whole(text[start:column])))
                start = column
            current = style
    if text:
        runs.append((max(current, 0), whole(text[start:])))
    return tuple(runs)

"""A rectangle of character cells with styles, and the text that fits into it."""

from __future__ import annotations

import functools
import unicodedata

from d2ltui.charts.spec import Drawing, Run, Style

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
    """`text` with every character one cell wide: what is wider, narrower or a control character becomes "?"."""
    if text.isascii() and text.isprintable():
        return text
    if ascii:
        text = "".join(_PLAIN.get(character, character) for character in text)
    return "".join(c if c.isprintable() and (c.isascii() or not ascii) and _narrow(c) else "?" for c in text)


def _narrow(character: str) -> bool:
    return unicodedata.east_asian_width(character) not in "WF" and not unicodedata.combining(character)


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
                runs.append((current, text[start:column]))
                start = column
            current = style
    if text:
        runs.append((max(current, 0), text[start:]))
    return tuple(runs)

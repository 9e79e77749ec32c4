"""Cells as a terminal is told of them: with as few bytes as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from d2ltui.tui.render.cells import CONTINUED, SINGLE
from d2ltui.tui.render.pen import PLAIN, Pen, change, for_blank

ANYWHERE = -1  # a column or line that is not known


class Writer:
    """Writes cells, and keeps the cursor and the pen in mind.

    The cursor may be anywhere at first and at the end; the pen is `PLAIN`.

    Args:
        width: of the terminal, in cells.
        pens: by their numbers.
        grounds: the same, what is seen of a blank: its background; None where there is more.
        erases: whether the terminal erases to the present background; where not, only to its own.
    """

    def __init__(self, width: int, pens: Sequence[Pen], grounds: Sequence[str | None], erases: bool) -> None:
        self._width, self._pens, self._grounds, self._erases = width, pens, grounds, erases
        self._x = self._y = ANYWHERE
        self._pen = PLAIN
        self._out: list[str] = []

    def finish(self) -> str:
        """All that was written."""
        self._out.append(change(self._pen, PLAIN))
        return "".join(self._out)

    def write_changed(self, y: int, cells: list[str], styles: list[int], changed: list[int]) -> None:
        """The cells of a line in the columns `changed`, in their order; all characters take one cell."""
        first = last = changed[0]
        for x in changed:
            if x > last + 1 and not self._is_short(cells, styles, last, x):
                self._write(y, cells, styles, first, last + 1)
                first = x
            last = x
        self._write(y, cells, styles, first, last + 1)

    def write_odd(self, y: int, cells: list[str], styles: list[int]) -> None:
        """All of a line. Where a character's width is in doubt, what follows it is put in its place by its column."""
        for first, end, odd in _parts(cells):
            if not odd:
                self._write(y, cells, styles, first, end)
                continue
            self._move(first, y)
            self._use(self._pens[styles[first]])
            if self._erases or not self._pen.background:
                self._out.append(f"\x1b[{end - first}X")  # a terminal that takes it for narrower would leave the rest
            self._out.append(cells[first])
            self._x = ANYWHERE

    def _is_short(self, cells: list[str], styles: list[int], last: int, x: int) -> bool:
        """Whether what lies between two changed cells takes no more than a movement across it."""
        between = x - last - 1
        style = styles[last]
        return (
            between <= 4
            and all(number == style for number in styles[last + 1 : x])
            and len("".join(cells[last + 1 : x]).encode()) <= 4
        )

    def _write(self, y: int, cells: list[str], styles: list[int], x: int, end: int) -> None:
        grounds, pens, out = self._grounds, self._pens, self._out
        while x < end:
            style = styles[x]
            ground = grounds[style] if cells[x] == " " else None
            after = x + 1
            if ground is None:
                while after < end and styles[after] == style and (cells[after] != " " or grounds[style] is None):
                    after += 1
                self._move(x, y)
                self._use(pens[style])
                out.append("".join(cells[x:after]))
            else:
                while after < end and cells[after] == " " and grounds[styles[after]] == ground:
                    after += 1
                self._move(x, y)
                if self._erase(after - x, ground, after == end, after == self._width):
                    x = after
                    continue
                if after < end and grounds[styles[after]] == ground and self._grounds_differ(ground):
                    self._use(pens[styles[after]])  # the next character's at once
                else:
                    self._use_for_blank(ground)
                out.append(" " * (after - x))
            # Behind the last column terminals differ in where the cursor is.
            self._x = after if after < self._width else ANYWHERE
            x = after

    def _grounds_differ(self, ground: str) -> bool:
        return self._pen.decorates or self._pen.background != ground

    def _erase(self, count: int, ground: str, last: bool, edge: bool) -> bool:
        """Erase `count` cells, where that is shorter than to write them; the cursor stays where it is."""
        if ground and not self._erases:
            return False
        sequence = "\x1b[K" if edge else f"\x1b[{count}X"
        if count <= len(sequence) * (1 if last else 2):
            return False
        self._use_for_blank(ground)
        self._out.append(sequence)
        return True

    def _use(self, pen: Pen) -> None:
        if pen is not self._pen:
            self._out.append(change(self._pen, pen))
            self._pen = pen

    def _use_for_blank(self, ground: str) -> None:
        sequence, self._pen = for_blank(self._pen, ground)
        self._out.append(sequence)

    def _move(self, x: int, y: int) -> None:
        if self._y == y:
            if self._x == x:
                return
            by = x - self._x
            if self._x == ANYWHERE or by < 0:
                sequence = f"\x1b[{x + 1}G" if x else "\r"
            else:
                sequence = f"\x1b[{by}C" if by > 1 else "\x1b[C"
        elif self._x == x and y == self._y + 1:
            sequence = "\x1b[B"
        else:
            sequence = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"
        self._out.append(sequence)
        self._x, self._y = x, y


def _parts(cells: list[str]) -> Iterator[tuple[int, int, bool]]:
    """A line in parts: first column, end, and whether it is one character whose width is in doubt."""
    first = x = 0
    while x < len(cells):
        cell = cells[x]
        if len(cell) == 1 and SINGLE.fullmatch(cell) is not None:
            x += 1
            continue
        if x > first:
            yield first, x, False
        after = x + 1
        while after < len(cells) and cells[after] == CONTINUED:
            after += 1
        if cell.isprintable() or cell_len(cell):  # nobody knows what is in the others
            yield x, after, True
        first = x = after
    if x > first:
        yield first, x, False

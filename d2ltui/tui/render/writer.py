"""Cells as a terminal is told of them: with as few bytes as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

from rich.cells import cell_len

from d2ltui.tui.render.cells import CONTINUED, SINGLE
from d2ltui.tui.render.pen import PLAIN, Pen, change, for_blank

ANYWHERE = -1  # a column or line that is not known
ANY_PEN = -1
SHORT = 5  # cells: so many blanks are written together with the text beside them

# Cells of a line: the line, first column, end, the cells of the whole line, whether all of these are blanks.
Span = tuple[int, int, int, list[str], bool]
PLACE = itemgetter(0, 1)


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
        self._parts = Parts(grounds)

    def finish(self) -> str:
        """All that was written."""
        self._write(self._parts)
        self._out.append(change(self._pen, PLAIN))
        return "".join(self._out)

    def write_changed(self, y: int, cells: list[str], styles: list[int], changed: list[int]) -> None:
        """The cells of a line in the columns `changed`, in their order; all characters take one cell."""
        first = last = changed[0]
        for x in changed:
            if x > last + 1 and not self._is_short(cells, styles, last, x):
                self._parts.add(y, cells, styles, first, last + 1)
                first = x
            last = x
        self._parts.add(y, cells, styles, first, last + 1)

    def write_odd(self, y: int, cells: list[str], styles: list[int]) -> None:
        """All of a line. Where a character's width is in doubt, what follows it is put in its place by its column."""
        for first, end, odd in by_width(cells):
            if not odd:
                parts = Parts(self._grounds)
                parts.add(y, cells, styles, first, end)
                self._write(parts)
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
            and styles[last + 1 : x] == [style] * between
            and len("".join(cells[last + 1 : x]).encode()) <= 4
        )

    def _write(self, parts: Parts) -> None:
        """One pen after the other: to change a colour takes more bytes than to go from one place to another."""
        pens, blanks = self._pens, parts.blanks
        for number in sorted(parts.texts, key=lambda number: pens[number] != self._pen):  # the present one first
            self._use(pens[number])
            ground = self._grounds[number]
            self._write_spans(parts.texts[number], [] if ground is None else blanks.pop(ground, []))
        for ground, spans in blanks.items():
            self._use_for_blank(ground)
            self._write_spans([], spans)

    def _write_spans(self, texts: list[Span], blanks: list[Span]) -> None:
        """Texts and blanks that the present pen draws."""
        out, width = self._out, self._width
        spans, ends = texts, set()
        if blanks:
            ends = {(y, x) for y, x, _, _, _ in texts}
            spans = sorted(texts + blanks, key=PLACE)
        for y, x, end, cells, blank in spans:
            if x != self._x or y != self._y:
                self._move(x, y)
            if blank and (self._erases or not self._pen.background):
                sequence = "\x1b[K" if end == width else f"\x1b[{end - x}X"
                if end - x > len(sequence) + (5 if (y, end) in ends else 0):  # the cursor stays where it is
                    out.append(sequence)
                    continue
            out.append("".join(cells[x:end]))
            # Behind the last column terminals differ in where the cursor is.
            self._x = end if end < width else ANYWHERE

    def _use(self, pen: Pen) -> None:
        if pen is not self._pen:
            self._out.append(change(self._pen, pen))
            self._pen = pen

    def _use_for_blank(self, ground: str) -> None:
        sequence, self._pen = for_blank(self._pen, ground)
        self._out.append(sequence)

    def _move(self, x: int, y: int) -> None:
        by, down = x - self._x, y - self._y
        if self._y == ANYWHERE or down < 0:
            sequence = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"
        elif self._x == ANYWHERE:
            sequence = (f"\x1b[{x + 1}G" if x else "\r") if not down else f"\x1b[{y + 1};{x + 1}H"
        else:
            if by > 0:
                along = f"\x1b[{by}C" if by > 1 else "\x1b[C"
            elif x == 0:
                along = "\r" if by else ""
            else:
                along = "\b" * -by if by > -4 else f"\x1b[{x + 1}G"
            sequence = f"{along}\x1b[{down}B" if down > 1 else along + "\x1b[B" * down
            if down and len(sequence) > len(anew := f"\x1b[{y + 1};{x + 1}H"):
                sequence = anew
        self._out.append(sequence)
        self._x, self._y = x, y


class Parts:
    """Cells, parted by the pens that draw them.

    Args:
        grounds: by number of pen, what is seen of a blank: its background; None where there is more.
    """

    def __init__(self, grounds: Sequence[str | None]) -> None:
        self._grounds = grounds
        self.texts: dict[int, list[Span]] = {}  # by number of pen
        self.blanks: dict[str, list[Span]] = {}  # by background; any pen that has it will do

    def add(self, y: int, cells: list[str], styles: list[int], x: int, end: int) -> None:
        """Those of a line from `x` to `end`; all are of one cell."""
        grounds = self._grounds
        style = ANY_PEN  # of the text that ends at x, if one does, and began at `first`
        first = x
        while x < end:
            number, after = styles[x], x + 1
            ground = grounds[number]
            if ground is None or cells[x] != " ":
                while after < end and styles[after] == number and (ground is None or cells[after] != " "):
                    after += 1
            else:
                while after < end and cells[after] == " " and grounds[styles[after]] == ground:
                    after += 1
                if after - x <= SHORT and style != ANY_PEN and grounds[style] == ground:
                    number = style  # drawn with the text before it
                elif after - x <= SHORT and after < end and grounds[styles[after]] == ground:
                    number = styles[after]  # with the text behind it
                else:
                    if style != ANY_PEN:
                        self.texts.setdefault(style, []).append((y, first, x, cells, False))
                    self.blanks.setdefault(ground, []).append((y, x, after, cells, True))
                    style, first, x = ANY_PEN, after, after
                    continue
            if number != style:
                if style != ANY_PEN:
                    self.texts.setdefault(style, []).append((y, first, x, cells, False))
                style, first = number, x
            x = after
        if style != ANY_PEN:
            self.texts.setdefault(style, []).append((y, first, end, cells, False))


def by_width(cells: list[str]) -> Iterator[tuple[int, int, bool]]:
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

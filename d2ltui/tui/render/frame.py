"""The last frame that was sent, and what makes the next one of it: the cells that differ, in as few bytes as can be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias
from weakref import ReferenceType, WeakKeyDictionary, ref

from rich.console import Console
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from d2ltui.tui.render.cells import SINGLE, split_cells, whole_characters
from d2ltui.tui.render.pen import PLAIN, Pen, pen_for
from d2ltui.tui.render.writer import Writer

UNKNOWN = "\0"  # a cell of which nobody knows what the terminal shows there
STYLES = 4096  # kept at most
# Terminals that erase to the present background and not to their own ("bce"), by the beginning of TERM. GNU's screen is
# the one in use that does not.
_ERASES_TO_BACKGROUND = (
    *("xterm", "tmux", "linux", "rxvt", "alacritty", "foot", "wezterm", "konsole", "vte", "gnome", "iterm", "nsterm"),
    *("kitty", "ghostty", "contour", "putty", "st-", "mintty", "ms-terminal"),
)


# New lines by their numbers: cells, styles, and where they differ from what is shown.
_Lines: TypeAlias = "dict[int, tuple[list[str], list[int], list[tuple[int, int]]]]"


class Drawn(NamedTuple):
    """Strips one after the other, from a cell of the screen on, or the columns from `first` to `end` of a single one.

    With `end`, each character of the strip takes one cell.
    """

    x: int
    y: int
    strips: Iterable[Strip]
    first: int = 0
    end: int | None = None


class _Kept(NamedTuple):
    """A frame that something else was drawn over."""

    cells: list[list[str]]
    styles: list[list[int]]
    odd: set[int]
    numbers: dict[Pen, int]  # that the styles are of


class TerminalFrame:
    """What one terminal shows, and what each screen of the application has shown last.

    Args:
        term: the terminal's name, as in TERM.
    """

    def __init__(self, term: str | None = None) -> None:
        name = os.environ.get("TERM", "") if term is None else term
        self._erases = name.startswith(_ERASES_TO_BACKGROUND)
        self._width = 0
        self._cells: list[list[str]] = []  # for each line and column
        self._styles: list[list[int]] = []  # the same: numbers of pens
        self._odd: set[int] = set()  # lines with characters of other widths than one
        self._forgotten, self._known = 1, 0  # how often the terminal was lost, and at the last whole frame
        self._painter: ReferenceType[object] | None = None  # whose frame it is
        self._kept: WeakKeyDictionary[object, _Kept] = WeakKeyDictionary()  # by those who drew one before
        self._forget_styles()

    def _forget_styles(self) -> None:
        self._numbers: dict[Pen, int] = {PLAIN: 0}
        self._pens = [PLAIN]
        self._grounds: list[str | None] = [""]  # all that is seen of a blank: its background; None where there is more
        self._by_style: dict[Style | None, int] = {}

    @property
    def known(self) -> bool:
        """Whether it is known what the terminal shows; where not, a whole frame is needed."""
        return self._forgotten == self._known

    def forget(self) -> None:
        """The terminal may show anything: it was resized, or something else has written there.

        It may be called from another thread, and in the middle of a frame.
        """
        self._forgotten += 1

    def shows(self, painter: object) -> bool:
        """Whether the last frame is that of `painter`."""
        return self._painter is not None and self._painter() is painter

    def can_add(self, painter: object) -> bool:
        """Whether `painter` need not draw more than what has changed since its last frame."""
        if not self.known:
            return False
        if self.shows(painter):
            return True
        kept = self._kept.get(painter)
        return kept is not None and kept.numbers is self._numbers

    def draw(
        self, console: Console, drawn: Iterable[Drawn], size: Size | None = None, painter: object | None = None
    ) -> str:
        """What makes the terminal show `drawn`.

        Args:
            console: for the colours that the terminal has.
            drawn: what is to be shown.
            size: of the screen, in cells, where `drawn` is all of it.
            painter: who draws. What is not in `drawn` is as in its last frame: see `can_add`.
        """
        new = self._turn_to(painter, back=size is None)
        if size is not None:
            forgotten = self._forgotten
            if not self.known or len(self._pens) > STYLES or size != (self._width, len(self._cells)):
                self._begin(size)
        if len(self._by_style) > STYLES:
            self._by_style.clear()
        for x, y, strips, first, end in drawn:
            if y < len(self._cells) and x < self._width:  # a screen that has not heard of a smaller size yet
                cells, styles, single = self._read(strips, console, first, end)
                self._note(x, y, cells, styles, single, new)
        writer = Writer(self._width, self._pens, self._grounds, self._erases)
        for y, (cells, styles, spans) in sorted(new.items()):
            self._draw_line(writer, y, cells, styles, spans)
        if size is not None:
            self._known = forgotten
        return writer.finish()

    def _turn_to(self, painter: object | None, *, back: bool) -> _Lines:
        """Keep the frame of who drew before; returns the lines that differ where `painter` gets `back` its own."""
        before = self._painter() if self._painter is not None else None
        if painter is None or painter is before:
            return {}
        if before is not None and self.known:
            self._kept[before] = _Kept(self._cells.copy(), self._styles.copy(), self._odd.copy(), self._numbers)
        self._painter = ref(painter)
        kept = self._kept.pop(painter, None)
        if kept is None or not back:
            return {}
        self._odd |= kept.odd
        whole = (0, self._width)
        return {
            y: (cells.copy(), styles.copy(), [whole])
            for y, (cells, styles) in enumerate(zip(kept.cells, kept.styles, strict=True))
            if cells != self._cells[y] or styles != self._styles[y]
        }

    def _begin(self, size: Size) -> None:
        self._forget_styles()
        self._width, height = size
        self._cells = [[UNKNOWN] * self._width for _ in range(height)]
        self._styles = [[0] * self._width for _ in range(height)]
        self._odd.clear()

    def _read(
        self, strips: Iterable[Strip], console: Console, first: int, end: int | None
    ) -> tuple[list[str], list[int], bool]:
        """The cells of some strips, the numbers of their pens, and whether each character takes one cell."""
        cells: list[str] = []
        styles: list[int] = []
        single, number_of = True, self._by_style.get
        for strip in strips:
            for text, style, control in strip:
                if control:
                    continue
                if end is not None:
                    size = len(text)
                    if first or end < size:
                        text = text[first : max(0, end)]
                    first, end = max(0, first - size), end - size
                    if not text:
                        continue
                if SINGLE.fullmatch(text) is not None:
                    part: Sequence[str] = text
                else:
                    part, single = split_cells(text), False
                number = number_of(style)
                cells += part
                styles += [self._number(style, console) if number is None else number] * len(part)
        return cells, styles, single

    def _number(self, style: Style | None, console: Console) -> int:
        pen = pen_for(style, console)
        number = self._numbers.setdefault(pen, len(self._pens))
        if number == len(self._pens):
            self._pens.append(pen)
            self._grounds.append(None if pen.decorates else pen.background)
        self._by_style[style] = number
        return number

    def _note(
        self,
        x: int,
        y: int,
        cells: list[str],
        styles: list[int],
        single: bool,
        new: _Lines,
    ) -> None:
        """Put the cells into the new lines, if the terminal does not show them."""
        end = min(x + len(cells), self._width)
        if end < x + len(cells):
            del cells[end - x :], styles[end - x :]
        line = new.get(y)
        old_cells, old_styles = (self._cells[y], self._styles[y]) if line is None else line[:2]
        if old_cells[x:end] == cells and old_styles[x:end] == styles:
            return
        if line is None:
            line = new[y] = (old_cells.copy(), old_styles.copy(), [])
        line[0][x:end], line[1][x:end] = cells, styles
        line[2].append((x, end))
        if not single:
            self._odd.add(y)

    def _draw_line(
        self, writer: Writer, y: int, cells: list[str], styles: list[int], spans: list[tuple[int, int]]
    ) -> None:
        old_cells, old_styles = self._cells[y], self._styles[y]
        self._cells[y], self._styles[y] = cells, styles
        if y in self._odd:
            whole_characters(cells)
            # Terminals do not agree on where such characters end: what is sent of the line is all of it.
            if cells != old_cells or styles != old_styles:
                writer.write_odd(y, cells, styles)
            if SINGLE.fullmatch("".join(cells)) is not None and "" not in cells:
                self._odd.discard(y)
            return
        first, end = spans[0]
        for begins, ends in spans:
            first, end = min(first, begins), max(end, ends)
        grounds = self._grounds
        pairs = zip(cells[first:end], old_cells[first:end], styles[first:end], old_styles[first:end], strict=True)
        changed = [
            x
            for x, (cell, old, style, old_style) in enumerate(pairs, first)
            if cell != old
            or (style != old_style and (cell != " " or grounds[style] is None or grounds[style] != grounds[old_style]))
        ]
        if changed:
            writer.write_changed(y, cells, styles, changed)

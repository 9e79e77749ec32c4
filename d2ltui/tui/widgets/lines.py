"""LinesView: characters that change often, at the least cost.

It takes whole lines of (style number, text) runs, keeps them as Strips, and refreshes only the cells that changed since
the last time: a chart that grows at its right end sends a few characters down the SSH link, not a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from d2ltui.charts.grid import one_cell_each
from d2ltui.charts.spec import COLOURED, Style, colours_of
from d2ltui.spec.width import has_wide
from d2ltui.tui.render.compositor import BatchedWidget
from d2ltui.tui.render.stylesheet import ThemeStylesheet

if TYPE_CHECKING:
    from typing_extensions import Self

Line = Sequence[tuple[int, str]]
MAX_STYLES = 4096  # kept: of pictures there are as many as pairs of colours
MAX_LOOKS = 8

# One component class for each of the charts' styles: the theme decides what they look like.
_CLASSES = {style: f"lines--{style.name.lower().replace('_', '-')}" for style in Style}


def changed_cells(old: Sequence[tuple[object, str]], new: Sequence[tuple[object, str]]) -> tuple[int, int] | None:
    """The first changed cell and the one after the last, or None where the lines are the same."""
    if old == new:
        return None
    if any(has_wide(text) for line in (old, new) for _, text in line):
        old, new = ([(style, one_cell_each(text, False)) for style, text in line] for line in (old, new))
    first, same = 0, 0
    shortest = min(len(old), len(new))
    while same < shortest and old[same] == new[same]:  # whole runs first: most of a line is as it was
        first += len(old[same][1])
        same += 1
    before = [(style, character) for style, text in old[same:] for character in text]
    after = [(style, character) for style, text in new[same:] for character in text]
    longest = first + max(len(before), len(after))
    start, end = 0, min(len(before), len(after))
    while start < end and before[start] == after[start]:
        start += 1
    if len(before) != len(after):
        return first + start, longest
    while end > start and before[end - 1] == after[end - 1]:
        end -= 1
    return first + start, first + end


class LinesView(BatchedWidget, ScrollView, can_focus=False):
    """Shows lines of styled runs; scrolls when there are more than fit."""

    COMPONENT_CLASSES = set(_CLASSES.values())

    DEFAULT_CSS = """
    LinesView {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: transparent;
    }
    LinesView > .lines--axis { color: $text-muted; }
    LinesView > .lines--text { color: $foreground; }
    LinesView > .lines--train { color: $primary; }
    LinesView > .lines--validation { color: $text-warning; }
    LinesView > .lines--raw { color: $primary 60%; }
    LinesView > .lines--fit { color: $text-success; }
    LinesView > .lines--data { color: $text-accent; }
    LinesView > .lines--warning { color: $text-error; text-style: bold; }
    """

    def __init__(self, id: str | None = None, scrolls: bool = True) -> None:
        self._scrolls = scrolls  # a drawing does not: it is made anew for every size
        self._lines: list[Line] = []
        self._strips: list[Strip | None] = []  # ready for the screen, in the view's whole width
        self._present: dict[int | None, RichStyle] | None = None  # how runs look just now, by their styles
        self._of_looks: dict[object, dict[int | None, RichStyle]] = {}  # and how they did, in this look or another one
        self._look: tuple[int, Sequence[LineFilter]] = (0, ())  # the width and the filters that they were made with
        self._blank: Strip | None = None
        self._background: Color | None = None
        super().__init__(id=id)  # it refreshes

    @property
    def lines(self) -> list[Line]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> int:
        """Show `lines` instead of the present ones; returns how many lines changed."""
        old, self._lines = self._lines, list(lines)
        if len(old) != len(self._lines):
            self.replace(self._lines)
            self._fit()
            self.refresh()
            return len(self._lines)
        changed = 0
        top = self.scroll_offset.y
        for y, (before, after) in enumerate(zip(old, self._lines, strict=True)):
            cells = changed_cells(before, after)
            if cells is None:
                continue
            changed += 1
            self._strips[y] = None
            if 0 <= y - top < self.size.height:
                self.refresh(Region(cells[0], y - top, cells[1] - cells[0], 1))
        return changed

    def replace(self, lines: Sequence[Line]) -> None:
        """Other lines, without a word to the screen: it is just being drawn, or is told by the caller."""
        self._lines = list(lines)
        self._strips = [None] * len(self._lines)

    def _fit(self) -> None:
        """Scroll where there are more lines than rows.

        Every change of the virtual size lays out the whole screen again: it stands still while everything fits.
        """
        width, height = self.container_size
        if self._scrolls:
            self.virtual_size = Size(width, len(self._lines)) if len(self._lines) > height else Size(0, 0)

    def on_resize(self) -> None:
        """Other lines fit."""
        self._fit()

    def notify_style_update(self) -> None:
        """The theme has changed: colours are looked up again."""
        super().notify_style_update()
        self._forget_look()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Without `regions` anything may look otherwise: a background behind it, a style of a part."""
        if not regions:
            self._forget_look()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _forget_look(self) -> None:
        self._present = self._background = None
        self._forget_strips()

    def _forget_strips(self) -> None:
        self._strips = [None] * len(self._lines)
        self._blank = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`: those that were drawn before, and have not changed, are as they were.

        In place of Textual's, which puts borders and padding around each line. Here there are none.
        """
        look = self.outer_size.width, self.get_line_filters()
        if look != self._look:
            self._look = look
            self._forget_strips()
        top = self.scroll_offset.y
        rows = [self._row(y + top) for y in crop.line_range]
        if crop.column_span != (0, look[0]):
            rows = [row.crop(*crop.column_span) for row in rows]
        return rows

    def render_line(self, y: int) -> Strip:
        """Line `y` of what is visible."""
        return self._row(y + self.scroll_offset.y)

    def _row(self, index: int) -> Strip:
        if index >= len(self._lines):
            if self._blank is None:
                self._blank = self._strip([])
            return self._blank
        strip = self._strips[index]
        if strip is None:
            strip = self._strips[index] = self._strip(self._lines[index])
        return strip

    def _strip(self, line: Line) -> Strip:
        width, filters = self._look
        segments = [Segment(text, self._style(style)) for style, text in line]
        strip = Strip(segments).adjust_cell_length(width, self._style(None))
        if self._background is None:
            self._background = self.background_colors[1]
        for line_filter in filters:
            strip = strip.apply_filter(line_filter, self._background)
        return strip

    @property
    def _styles(self) -> dict[int | None, RichStyle]:
        """Those that are known: in a look that it has had before, those of that time."""
        if self._present is None:
            sheet = self.app.stylesheet
            look = sheet.look(self) if isinstance(sheet, ThemeStylesheet) else None
            if len(self._of_looks) > MAX_LOOKS:
                self._of_looks.clear()
            self._present = {} if look is None else self._of_looks.setdefault(look, {})
        return self._present

    def _style(self, style: int | None) -> RichStyle:
        """How a run of `style` looks, or, with None, where there is none."""
        if style not in self._styles:
            plain = self.rich_style
            if style is not None and style >= COLOURED:
                if len(self._styles) > MAX_STYLES:
                    self._styles.clear()
                colours = (None if rgb is None else RichColor.from_rgb(*rgb) for rgb in colours_of(style))
                plain += RichStyle.from_color(*colours)
            elif style is not None:
                plain += self.get_component_rich_style(_CLASSES[Style(style)])
            self._styles[style] = plain
        return self._styles[style]

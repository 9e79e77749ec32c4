"""LinesView: characters that change often, at the least cost.

It takes whole lines of (style number, text) runs, keeps them as Strips, and refreshes only the cells that changed since
the last time: a chart that grows at its right end sends a few characters down the SSH link, not a screen.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from d2ltui.charts.spec import Style

Line = Sequence[tuple[int, str]]

# One component class for each of the charts' styles: the theme decides what they look like.
_CLASSES = {style: f"lines--{style.name.lower().replace('_', '-')}" for style in Style}


def changed_cells(old: Line, new: Line) -> tuple[int, int] | None:
    """The first changed cell and the one after the last, or None where the lines are the same.

    Every character here is one cell wide.
    """
    if old == new:
        return None
    before = [(style, character) for style, text in old for character in text]
    after = [(style, character) for style, text in new for character in text]
    longest = max(len(before), len(after))
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    if len(before) != len(after):
        return first, longest
    last = longest
    while last > first and before[last - 1] == after[last - 1]:
        last -= 1
    return first, last


class LinesView(ScrollView, can_focus=False):
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
    LinesView > .lines--validation { color: $warning; }
    LinesView > .lines--raw { color: $primary 35%; }
    LinesView > .lines--fit { color: $success; }
    LinesView > .lines--data { color: $accent; }
    LinesView > .lines--warning { color: $error; text-style: bold; }
    """

    def __init__(self, id: str | None = None, scrolls: bool = True) -> None:
        super().__init__(id=id)
        self._scrolls = scrolls  # a drawing does not: it is made anew for every size
        self._lines: list[Line] = []
        self._strips: list[Strip | None] = []
        self._styles: dict[int, RichStyle] = {}

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
        self._styles = {}
        self._strips = [None] * len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Line `y` of what is visible."""
        index = y + self.scroll_offset.y
        width = self.size.width
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        strip = self._strips[index]
        if strip is None:
            segments = [Segment(text, self._style(style)) for style, text in self._lines[index]]
            strip = self._strips[index] = Strip(segments)
        return strip.adjust_cell_length(width, self.rich_style)

    def _style(self, style: int) -> RichStyle:
        if style not in self._styles:
            self._styles[style] = self.get_component_rich_style(_CLASSES[Style(style)])
        return self._styles[style]

"""Pane: a titled frame that takes the focus as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from typing_extensions import Self

    WidgetMixin = Widget
else:
    WidgetMixin = object  # Textual takes a widget's style sheet from the first base that is a widget


def takes_focus(widget: Widget) -> bool:
    """Whether `widget` may have the focus: one that is hidden, or in something that is, may not."""
    return widget.focusable and all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))


class Hollow(WidgetMixin):
    """A widget that shows nothing but its frame: what it holds lies in front of the rest.

    All rows within the frame are alike, so one is rendered for all of them. Every container on a screen is rendered
    where the layout changes, seen or not, and wherever something near it changes: together they took longer than all
    that they hold.
    """

    _rows_within: dict[tuple[int, int, int], Strip] | None = None  # by first column, columns, and the widget's width

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`."""
        lines: list[Strip] = []
        below = self.outer_size.height - self.gutter.bottom
        row = crop.y
        while row < crop.bottom:
            if self.gutter.top <= row < below:
                count = min(below, crop.bottom) - row
                lines += [self._row_within(crop.x, row, crop.width)] * count
            else:
                count = 1
                lines += super().render_lines(Region(crop.x, row, crop.width, 1))
            row += count
        return lines

    def _row_within(self, x: int, y: int, width: int) -> Strip:
        if self._rows_within is None:
            self._rows_within = {}
        where = (x, width, self.outer_size.width)
        if where not in self._rows_within:
            (self._rows_within[where],) = super().render_lines(Region(x, y, width, 1))
        return self._rows_within[where]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Something about it may look otherwise."""
        if not regions:
            self._rows_within = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """The theme, or the focus, has changed."""
        super().notify_style_update()
        self._rows_within = None


class Column(Hollow, Vertical):
    """A column of panes that never scrolls.

    Textual lays out the whole screen a second time when what a container holds has another size: its scrollbars may
    come or go. Here there are none, and a key that changes the layout is answered in half the time.
    """

    virtual_size = Reactive(Size(0, 0), repaint=False)


class Columns(Hollow, Horizontal):
    """Columns side by side, which never scroll either."""

    virtual_size = Reactive(Size(0, 0), repaint=False)


class Pane(Column):
    """A pane of the main screen. `tab` goes from one to the next; `z` makes the one with the focus full screen."""

    DEFAULT_CSS = """
    Pane {
        border: round $foreground 25%;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        padding: 0 1;
    }
    Pane:focus, Pane:focus-within {
        border: round $primary;
        border-title-color: $foreground;
        border-title-style: bold;
    }
    """

    def __init__(self, title: str, *children: Widget, id: str, can_focus: bool = False) -> None:
        super().__init__(*children, id=id)
        self.border_title = title
        self.can_focus = can_focus

    _only_row: int | None = None  # of the frame: what changes just now

    def title(self, text: str) -> None:
        """Put `text` into the frame's highest row, and draw nothing but that row."""
        if self.border_title != text:
            self._only_row = 0
            self.border_title = text
            self._only_row = None

    def subtitle(self, text: str) -> None:
        """Put `text` into the frame's lowest row, and draw nothing but that row."""
        if self.border_subtitle != text:
            self._only_row = max(0, self.outer_size.height - 1)
            self.border_subtitle = text
            self._only_row = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Textual draws the whole pane, thousands of characters, where a title changes."""
        if self._only_row is not None and not regions:
            x, y = self.content_offset
            regions = (Region(-x, self._only_row - y, self.outer_size.width, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def focus_inside(self) -> None:
        """Give the focus to the pane, or to the first thing in it that takes it."""
        if self.can_focus:
            self.screen.set_focus(self)  # at once: `focus()` comes after the next key
            return
        for widget in self.query("*").results(Widget):
            if takes_focus(widget):
                self.screen.set_focus(widget)
                return

"""Pane: a titled frame that takes the focus as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.widget import Widget

from d2ltui.tui.render.cached import FrameOnly

if TYPE_CHECKING:
    from typing_extensions import Self


TITLE_EDGE = 6  # cells of the frame beside a title: a blank, a line and a corner on either side
SUBTITLE_EDGE = 4  # cells of the frame beside a subtitle: a blank on either side, a line, the corner


def can_be_seen(widget: Widget) -> bool:
    """Whether neither `widget` nor anything that it is in is hidden."""
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))


def takes_focus(widget: Widget) -> bool:
    """Whether `widget` may have the focus: one that is hidden, or in something that is, may not."""
    return widget.focusable and can_be_seen(widget)


class Column(FrameOnly, Vertical):
    """A column of panes that never scrolls.

    Textual lays out the whole screen a second time when what a container holds has another size: its scrollbars may
    come or go. Here there are none, and a key that changes the layout is answered in half the time.
    """

    virtual_size = Reactive(Size(0, 0), repaint=False)


class Columns(FrameOnly, Horizontal):
    """Columns side by side, which never scroll either."""

    virtual_size = Reactive(Size(0, 0), repaint=False)


def _beside_frame(widget: Widget) -> dict[str, object]:
    """The rules for what is not in its frame."""
    return {name: rule for name, rule in widget.styles.get_rules().items() if not name.startswith("border_")}


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

    def render_str(self, text_content: str | Content) -> Content:
        """Titles are text: Textual would look for markup in a sentence that holds a bracket."""
        return Content(text_content) if isinstance(text_content, str) else text_content

    def __init__(self, title: str, *children: Widget, id: str, can_focus: bool = False) -> None:
        super().__init__(*children, id=id)
        self._titles = [title, ""]
        self.border_title = title
        self.can_focus = can_focus

    _only: tuple[Region, ...] = ()  # of the frame: what changes just now

    def title(self, text: str) -> None:
        """Put `text` into the frame's highest row, and draw nothing but that row."""
        if self._titles[0] != text:
            self._titles[0], self._only = text, (Region(0, 0, self.outer_size.width, 1),)
            try:
                self.border_title = text
            finally:
                self._only = ()

    def longest_fitting(self, *texts: str) -> str:
        """The first of `texts`, from the longest to the shortest, that the frame has room for; else the last one."""
        width = self.outer_size.width  # 0 before the first layout
        return next((text for text in texts if not width or cell_len(text) + TITLE_EDGE <= width), texts[-1])

    def subtitle(self, text: str) -> None:
        """Put `text` at the end of the frame's lowest row, and draw nothing but that end: a step's number, mostly."""
        if self._titles[1] != text:
            width, height = self.outer_size
            longest = min(width, max(cell_len(text), cell_len(self._titles[1])) + SUBTITLE_EDGE)
            self._titles[1], self._only = text, (Region(width - longest, max(0, height - 1), longest, 1),)
            try:
                self.border_subtitle = text
            finally:
                self._only = ()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Textual draws the whole pane, thousands of characters, where a title changes."""
        if self._only and not regions and not layout:
            regions = tuple(region.translate(-self.content_offset) for region in self._only)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def restyle_for_focus(self) -> None:
        """Another frame, mostly, and then nothing but that is drawn."""
        before = _beside_frame(self)
        width, height = self.outer_size
        rows = (Region(0, y, width, 1) for y in (0, max(0, height - 1)))
        columns = (Region(x, 0, 1, height) for x in (0, max(0, width - 1)))
        self._only = (*rows, *columns)
        try:
            super().restyle_for_focus()
        finally:
            self._only = ()
        if _beside_frame(self) != before:
            self.refresh()

    def _on_focus(self, event: events.Focus) -> None:
        self._tell_of_focus(event, events.DescendantFocus(self))

    def _on_blur(self, event: events.Blur) -> None:
        self._tell_of_focus(event, events.DescendantBlur(self))

    def _tell_of_focus(self, event: events.Focus | events.Blur, descendant: events.Event) -> None:
        """As Textual, which draws the whole pane first: its screen has drawn what there is to draw."""
        if self.has_focus == isinstance(event, events.Focus):
            event.prevent_default()
            if self.parent is not None:
                self.parent.post_message(descendant)

    def focus_inside(self) -> None:
        """Give the focus to the pane, or to the first thing in it that takes it."""
        if self.can_focus:
            self.screen.set_focus(self)  # at once: `focus()` comes after the next key
            return
        for widget in self.walk_children(Widget):
            if takes_focus(widget):
                self.screen.set_focus(widget)
                return

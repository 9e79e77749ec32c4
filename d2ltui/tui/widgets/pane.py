"""Pane: a titled frame that takes the focus as a whole."""

from __future__ import annotations

from textual.containers import Vertical
from textual.widget import Widget


class Pane(Vertical):
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

    def focus_inside(self) -> None:
        """Give the focus to the pane, or to the first thing in it that takes it."""
        if self.can_focus:
            self.focus()
            return
        for widget in self.query("*").results(Widget):
            if widget.focusable:
                widget.focus()
                return

"""The tabs of a narrow terminal."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

# The tabs of a narrow terminal, and the panes that each shows. In this order `tab` goes through the panes.
TABS: dict[str, tuple[str, ...]] = {
    "Setup": ("model-pane", "data-pane", "form-pane"),
    "Loss": ("loss",),
    "Accuracy": ("accuracy",),
    "Activations": ("activations",),
    "Gradients": ("gradients",),
    "Findings": ("findings",),
}


class TabStrip(Widget):
    """The names of the tabs, on a narrow terminal."""

    DEFAULT_CSS = "TabStrip { height: 1; padding: 0 1; background: $panel; }"

    class Picked(Message):
        """A title was clicked."""

        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._active = ""

    def show(self, active: str) -> None:
        """Mark the active one."""
        if active != self._active:
            self._active = active
            self.refresh()

    def render(self) -> Content:
        """The titles; brackets mark the active one where there is no colour."""
        parts = []
        for title in TABS:
            active = title == self._active
            parts.append((f"[{title}]" if active else f" {title} ", "bold reverse" if active else "$text-muted"))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Open the tab under the pointer."""
        end = 1
        for title in TABS:
            end += len(title) + 2
            if event.x < end:
                self.post_message(self.Picked(title))
                return

"""The footer: the keys that act here and now.

Textual's Footer mounts a widget for each key, and mounts them all again whenever the focus moves; that was the larger
part of what a key press cost. This is one widget that draws a line.
"""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from d2ltui.tui.keys import WIDE_ACTIONS
from d2ltui.tui.render.cached import Kept


class KeysLine(Kept, Widget):
    """A line of keys and words. Each can be clicked."""

    DEFAULT_CSS = "KeysLine { height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str, str, bool]] = []  # key, as it is shown, word, whether only where there is room

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)
        self._follow(self.screen)

    def _follow(self, screen: Screen[object]) -> None:
        if screen is not self.screen:
            return
        keys: dict[str, tuple[str, str, str, bool]] = {}  # one entry for an action that several keys have
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.action == "leave_field" and not isinstance(screen.focused, Input):
                continue  # elsewhere the other keys need the room
            if binding.show and active.enabled:
                shown = self.app.get_key_display(binding)
                wide = binding.action in WIDE_ACTIONS
                keys.setdefault(binding.action, (binding.key, shown, binding.description, wide))
        if list(keys.values()) != self._keys:
            self._keys = list(keys.values())
            self.refresh()

    @property
    def _fitting(self) -> list[tuple[str, str, str]]:
        """Key, as it is shown, word: all of them where there is room."""
        needed = sum(len(shown) + len(word) + 2 for _, shown, word, _ in self._keys) - 1
        roomy = needed <= self.size.width
        return [(key, shown, word) for key, shown, word, wide in self._keys if roomy or not wide]

    def render(self) -> Content:
        """`^r run  space pause …`"""
        parts = [Content.assemble((shown, "$footer-key-foreground"), " ", word) for _, shown, word in self._fitting]
        return Content(" ").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        end = 0
        for key, shown, word in self._fitting:
            end += len(shown) + len(word) + 2
            if event.x < end:
                self.app.simulate_key(key)
                return

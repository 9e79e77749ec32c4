"""The footer: the keys that act here and now.

Textual's Footer mounts a widget for each key, and mounts them all again whenever the focus moves; that was the larger
part of what a key press cost. This is one widget that draws a line.
"""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from d2ltui.spec.language import pgettext
from d2ltui.spec.width import cells
from d2ltui.tui.keys import RANKS
from d2ltui.tui.render.cached import CachedRender

HERE = 1  # the rank of the keys of what has the focus


class KeysLine(CachedRender, Widget):
    """A line of keys and words. Each can be clicked."""

    COMPONENT_CLASSES = {"keys-line--key"}
    DEFAULT_CSS = """
    KeysLine { height: 1; background: $panel; }
    KeysLine > .keys-line--key { color: $footer-key-foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str, str, int]] | None = None  # key, as it is shown, word, rank; None: ask again

    def on_mount(self) -> None:
        """Follow the screen's bindings, within the frame that shows why they are others."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow, immediate=True)

    def _follow(self, screen: Screen[object]) -> None:
        """With every key it is told twice or three times that they may be others, and mostly they are not."""
        if screen is not self.screen:
            return
        before, self._keys = self._keys, None
        if before is not None and screen.is_active:
            self._keys = self._active()
        if self._keys is None or self._keys != before:
            self.refresh()

    def _active(self) -> list[tuple[str, str, str, int]]:
        screen = self.screen
        keys: dict[str, tuple[str, str, str, int]] = {}  # one entry for an action that several keys have
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.action == "findings" and not getattr(screen, "alarming", False):
                continue  # nothing is wrong
            if binding.action == "leave_field" and not isinstance(screen.focused, Input):
                continue  # elsewhere the other keys need the room
            if binding.show and active.enabled:
                shown = self.app.get_key_display(binding)
                rank = RANKS.get(binding.action, HERE)
                keys.setdefault(binding.action, (binding.key, shown, pgettext("key", binding.description), rank))
        return list(keys.values())

    @property
    def _fitting(self) -> list[tuple[str, str, str]]:
        """Key, as it is shown, word: all of them where there is room, else those that matter most."""
        if self._keys is None:
            self._keys = self._active()
        room, shown_ones = self.size.width + 1, []
        for entry in sorted(self._keys, key=lambda entry: entry[3]):
            room -= cells(entry[1]) + cells(entry[2]) + 2
            if room < 0:
                break
            shown_ones.append(entry)
        return [(key, shown, word) for key, shown, word, rank in self._keys if (key, shown, word, rank) in shown_ones]

    def render(self) -> Content:
        """`^r run  space pause …`"""
        return Content(" ").join(Content(f"{shown} {word}") for _, shown, word in self._fitting)

    def render_line(self, y: int) -> Strip:
        """In place of Textual's, which takes ten times as long for a line of words in two colours."""
        if y > 0 or not self.size.width:
            return Strip.blank(self.size.width, self.rich_style)
        plain, of_key = self.rich_style, self.rich_style + self.get_component_rich_style("keys-line--key")
        segments: list[Segment] = []
        for _, shown, word in self._fitting:
            segments += [Segment(shown, of_key), Segment(f" {word} ", plain)]
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        end = 0
        for key, shown, word in self._fitting:
            end += cells(shown) + cells(word) + 2
            if event.x < end:
                self.app.simulate_key(key)
                return

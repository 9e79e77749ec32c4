"""The tabs of a narrow terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from d2ltui.spec.language import pgettext

if TYPE_CHECKING:
    from d2ltui.spec.events import Severity
    from d2ltui.spec.findings import Tally

STYLES: Mapping[Severity | None, str] = {None: "", "alarm": "$text-error", "warning": "$text-warning", "note": ""}


class TabStrip(Widget):
    """The names of the tabs, on a narrow terminal."""

    DEFAULT_CSS = "TabStrip { height: 1; padding: 0 1; background: $panel; }"

    class Picked(Message):
        """A title was clicked."""

        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

    def __init__(self, titles: Mapping[str, str]) -> None:
        super().__init__(id="tabs")
        self._titles = dict(titles)
        self._active = ""
        self._tallies: dict[str, Tally] = {}

    def set_titles(self, titles: Mapping[str, str]) -> None:
        """Show these tabs: their titles, each with what stands there where there is little room."""
        self._titles = dict(titles)
        self.refresh()

    def show(self, active: str) -> None:
        """Mark the active one."""
        if active != self._active:
            self._active = active
            self.refresh()

    def mark(self, tallies: Mapping[str, Tally]) -> None:
        """Say of these tabs, by title, how many alarms and warnings there are in them."""
        if tallies != self._tallies:
            self._tallies = dict(tallies)
            self.refresh()

    def _marks(self, title: str) -> str:
        return f" {self._tallies[title].marks}" if title in self._tallies else ""

    def _fitting(self) -> list[tuple[str, str]]:
        """The titles, each as it is shown: whole where there is room for all, else short, else the active one alone."""
        whole = [(title, pgettext("tab", title)) for title in self._titles]
        short = [(title, pgettext("tab", shown)) for title, shown in self._titles.items()]
        for titles in (whole, short):
            if sum(cell_len(shown + self._marks(title)) + 2 for title, shown in titles) <= self.size.width - 2:
                return titles
        return []

    def render(self) -> Content:
        """The titles; brackets mark the active one where there is no colour."""
        titles = self._fitting()
        if not titles:
            at = list(self._titles).index(self._active) + 1 if self._active in self._titles else 1
            alone = f"{pgettext('tab', self._active)} {at}/{len(self._titles)}"
            shown = f"‹ {alone} ›" if cell_len(alone) + 4 <= self.size.width else alone
            parts = [(shown, "bold")]
            for title, tally in self._tallies.items():
                marks = f" {pgettext('tab', self._titles[title])}{self._marks(title)}"
                if cell_len(shown + marks) <= self.size.width - 2:
                    parts.append((marks, f"bold {STYLES[tally.severity]}"))
            return Content.assemble(*parts)
        parts = []
        for title, shown in titles:
            look, left, right = ("bold reverse", "[", "]") if title == self._active else ("$text-muted", " ", " ")
            parts.append((left + shown, look))
            if title in self._tallies:
                parts.append((self._marks(title), f"{look} bold {STYLES[self._tallies[title].severity]}"))
            parts.append((right, look))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Open the tab under the pointer; where one alone is shown, the one before or after it."""
        titles, end = self._fitting(), 1
        if not titles and self._active in self._titles:
            names = list(self._titles)
            by = 1 if event.x >= self.size.width // 2 else -1
            self.post_message(self.Picked(names[(names.index(self._active) + by) % len(names)]))
        for title, shown in titles:
            end += cell_len(shown + self._marks(title)) + 2
            if event.x < end:
                self.post_message(self.Picked(title))
                return

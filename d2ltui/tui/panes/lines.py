"""Panes of lines of text, which the arrow keys scroll."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from textual import events
from textual.widget import Widget

from d2ltui.charts.spec import COLOURED, Style
from d2ltui.spec.text import printable
from d2ltui.spec.width import has_wide, wrapped
from d2ltui.tui.panes.layer_lines import TextLine
from d2ltui.tui.panes.spec import PaneSpec, RunPane, RunView
from d2ltui.tui.render.cells import in_single_cells
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun

# A run, how it is shown, columns and rows → lines. Characters of one cell only; more lines than rows scroll.
LineBuilder: TypeAlias = "Callable[[LiveRun, RunView, int, int], list[TextLine]]"

_STYLES = frozenset(map(int, Style))


class ScrollingPane(RunPane):
    """A pane of lines that the arrow keys scroll."""

    regardless_of = frozenset(("log", "smoothing"))  # of curves

    def __init__(self, spec: PaneSpec, *below: Widget) -> None:
        self.view = LinesView()
        super().__init__(spec, self.view, *below)
        self._shown: object = None  # what the present lines were made from

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows for text; the last column is the scrollbar's, where there is one."""
        width, height = self.view.size
        return max(0, self.view.container_size.width - 1 if width else 0), height

    def text_lines(self, text: str) -> list[TextLine]:
        """A sentence as lines."""
        return [[(int(Style.AXIS), line)] for line in wrapped(text, max(8, self.room[0]))]

    def show_text(self, text: str) -> None:
        """Show a sentence instead of lines."""
        self.view.show(self.text_lines(text))

    def on_key(self, event: events.Key) -> None:
        """Arrow keys scroll a long list."""
        scroll = {
            "up": self.view.scroll_up,
            "down": self.view.scroll_down,
            "pageup": self.view.scroll_page_up,
            "pagedown": self.view.scroll_page_down,
        }
        if event.key in scroll:
            scroll[event.key](animate=False)
            event.stop()


class LinesPane(ScrollingPane):
    """Lines that are made from a run. They are made anew only where it, or the pane's size, has changed.

    Args:
        lines: makes them. A style is a number of `d2ltui.charts.spec.Style`.
        empty: what stands there before the first run.
    """

    def __init__(self, spec: PaneSpec, lines: LineBuilder, empty: str = "") -> None:
        super().__init__(spec)
        self._builder, self._empty = lines, empty

    def state_of(self, live: LiveRun) -> object:
        """What the lines are made from: as long as it is equal, they stay as they are."""
        return live.version

    def show_run(self, view: RunView) -> None:
        """Show what there is of the run."""
        width, height = self.room
        if width <= 0 or height <= 0 or not self.display:
            return
        live = view.live
        # The run itself: the address of one that is gone may be given again.
        state = (live, None if live is None else self.state_of(live), width, height, view.ascii, view.zoomed == self.id)
        if state == self._shown:
            return
        self._shown = state
        if live is None:
            self.show_text(self._empty)
        else:
            self.view.show(checked(self._builder(live, view, width, height)))


def checked(lines: Iterable[TextLine]) -> list[TextLine]:
    """`lines` as the view can show them: each character takes one cell, or two, and those that take none are `?`.

    Raises:
        ValueError: where a style is none of ours.
    """
    found = []
    for line in lines:
        for style, _ in line:
            if style not in _STYLES and style < COLOURED:
                raise ValueError(f"style: {style!r} is not allowed; allowed: those of d2ltui.charts.spec.Style")
        found.append([(style, _in_single_cells(text)) for style, text in line])
    return found


def _in_single_cells(text: str) -> str:
    if text.isprintable() and in_single_cells(text):
        return text
    return "".join(c if in_single_cells(c) or has_wide(c) else "?" for c in printable(text))

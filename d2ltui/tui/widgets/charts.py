"""The panes that show a run: curves, and the layers' figures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from d2ltui.charts.spec import ChartSpec, Style
from d2ltui.spec.text import counted
from d2ltui.tui.panes.finding_lines import finding_lines
from d2ltui.tui.services.defects import drawn
from d2ltui.tui.widgets.lines import Line, LinesView
from d2ltui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import Finding, LayersProbed, LayerStats
    from d2ltui.tui.panes.layer_lines import TextLine

KEPT_SIZES = 4

Builder = Callable[["Curves", int, int], ChartSpec]


class DrawingView(LinesView):
    """A drawing is made anew for every size. Back in one that it had before, it is at once what it was then."""

    def __init__(self) -> None:
        super().__init__(scrolls=False)
        self._by_size: dict[Size, Sequence[Line]] = {}
        self._size_drawn = Size(0, 0)

    def show(self, lines: Sequence[Line], size: Size | None = None) -> int:
        """Show `lines`, and keep them for their size: the view's own, or the one that it is about to have."""
        size = size or self.size
        self._by_size.pop(size, None)
        self._by_size[size] = lines
        if len(self._by_size) > KEPT_SIZES:
            del self._by_size[next(iter(self._by_size))]
        if size != self.size:
            return 0
        self._size_drawn = size
        return super().show(lines)

    def forget(self) -> None:
        """What was drawn before is something else."""
        self._by_size.clear()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`. Asked for when the size has changed already, and before the new drawing is there."""
        if self.size != self._size_drawn and self.size in self._by_size:
            self._size_drawn = self.size
            self.replace(self._by_size[self.size])
        return super().render_lines(crop)


class ChartPane(Pane):
    """A curve. It is drawn anew only where something has changed."""

    def __init__(self, title: str, builder: Builder, empty: str, id: str) -> None:
        self.view = DrawingView()
        super().__init__(title, self.view, id=id, can_focus=True)
        self._builder = builder
        self._empty = empty
        # What the present drawing was made from: curves and options, size, version of the run.
        self._shown: tuple[object, tuple[int, int], int] = (None, (0, 0), 0)
        self.frames = 0

    def update_from(self, curves: Curves | None, options: object, coming: Size | None = None) -> None:
        """Draw `curves` if they, the pane's size or `options` changed since the last drawing.

        `coming` is the size that the drawing is about to have: it is there when Textual has done with the layout.
        """
        width, height = coming or self.view.size
        if width <= 0 or height <= 0 or not self.display:
            return
        if curves is None:
            self._show_empty(width, height)
            return
        subject, size, version = (curves, options), (width, height), curves.live.version
        if self._shown == (subject, size, version):
            return
        if self._shown[0] != subject:
            self.view.forget()
        self._shown = (subject, size, version)
        drawing = drawn(self.app, lambda: self._builder(curves, width, height))
        self.view.show(drawing, Size(width, height))
        self.frames += 1

    def _show_empty(self, width: int, height: int) -> None:
        shown = (None, (width, height), 0)
        if self._shown != shown:
            self._shown = shown
            self.view.forget()
            middle = [[(int(Style.AXIS), line.center(width))] for line in textwrap.wrap(self._empty, width)]
            self.view.show([[(int(Style.AXIS), "")]] * max(0, (height - len(middle)) // 2) + middle)


Lister = Callable[["Sequence[LayerStats]", int, int, bool], "list[TextLine]"]


class ScrollingPane(Pane):
    """A pane of lines that the arrow keys scroll."""

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows for text; the last column is the scrollbar's, where there is one."""
        width, height = self.view.size
        return max(0, self.view.container_size.width - 1 if width else 0), height

    def __init__(self, title: str, id: str) -> None:
        self.view = LinesView()
        super().__init__(title, self.view, id=id, can_focus=True)
        self._shown: object = None  # what the present lines were made from

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


class FindingsPane(ScrollingPane):
    """What is happening, in words. ↑ and ↓ select a finding; `f` puts its remedy into the form."""

    def __init__(self, title: str, empty: str, id: str) -> None:
        super().__init__(title, id)
        self._empty = empty
        self._selected = 0
        self._findings: tuple[Finding, ...] = ()
        self._starts: list[int] = []

    @property
    def selected(self) -> Finding | None:
        """The finding whose remedy is meant: the selected one, or the gravest that has a remedy."""
        if self._selected < len(self._findings) and self._findings[self._selected].remedy:
            return self._findings[self._selected]
        return next((finding for finding in self._findings if finding.remedy), None)

    def update_from(self, live: LiveRun | None) -> None:
        """Show the newest findings."""
        width, height = self.room
        if width <= 0 or height <= 0 or not self.display:
            self._findings = live.findings if live is not None else ()
            return
        findings = live.findings if live is not None else ()
        started = live is not None and live.layers is not None
        state = (findings, self._selected, width, started)
        if state == self._shown:
            return
        self._shown, self._findings = state, findings
        self._selected = min(self._selected, max(0, len(findings) - 1))
        grave = sum(finding.severity != "note" for finding in findings)
        self.subtitle(counted(grave, "warning") if grave else "")
        if not findings:
            text = "nothing out of the ordinary" if started else self._empty
            self.view.show([[(int(Style.AXIS), line)] for line in textwrap.wrap(text, max(8, width))])
            return
        lines, self._starts = finding_lines(findings, self._selected, width)
        self.view.show(lines)

    def on_key(self, event: events.Key) -> None:
        """Select; with one finding, scroll."""
        step = {"up": -1, "down": 1}.get(event.key)
        if step is None or len(self._findings) < 2:
            super().on_key(event)
            return
        self._selected = min(len(self._findings) - 1, max(0, self._selected + step))
        self._shown = None
        lines, self._starts = finding_lines(self._findings, self._selected, self.room[0])
        self.view.show(lines)
        self.view.scroll_to(y=self._starts[self._selected], animate=False)
        event.stop()


class LayersPane(ScrollingPane):
    """A figure of every layer, from the newest look at them."""

    def __init__(self, title: str, lister: Lister, empty: str, id: str) -> None:
        super().__init__(title, id)
        self._lister = lister
        self._empty = empty

    def update_from(self, live: LiveRun | None, ascii: bool, history: bool = False) -> None:
        """Show the newest look at the layers; with `history`, how they have been from the start."""
        width, height = self.room
        if width <= 0 or height <= 0 or not self.display:
            return
        probed: LayersProbed | None = live.layers if live is not None else None
        state = (probed, width, height, history)  # itself: the address of one that is gone may be given again
        if state == self._shown:
            return
        self._shown = state
        if probed is None:
            self.subtitle("")
            self.view.show([[(int(Style.AXIS), line)] for line in textwrap.wrap(self._empty, width)])
            return
        self.subtitle(f"step {probed.step:,}")
        if history and live is not None:
            from d2ltui.tui.panes.history_lines import heatmap_lines  # it needs numpy, which the first paint must not

            self.view.show(heatmap_lines(live.probes, width, height, ascii))
            return
        self.view.show(self._lister(probed.layers, width, height, ascii))

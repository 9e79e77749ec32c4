"""Panes of charts."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from textual.geometry import Region, Size
from textual.strip import Strip

from d2ltui.charts.spec import ChartSpec, Style
from d2ltui.tui.panes.spec import PaneSpec, RunPane, RunView
from d2ltui.tui.services.defects import drawn
from d2ltui.tui.widgets.lines import Line, LinesView

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves

KEPT_SIZES = 4

# A run's curves, how they are shown, columns and rows → what the chart shows.
ChartBuilder: TypeAlias = "Callable[[Curves, RunView, int, int], ChartSpec]"


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


class ChartPane(RunPane):
    """A chart that is made from a run's curves. It is drawn anew only where something has changed.

    Args:
        builder: says what it shows. `curves.live` is the run.
        empty: what stands there before the first run.
    """

    def __init__(self, spec: PaneSpec, builder: ChartBuilder, empty: str = "") -> None:
        self.view = DrawingView()
        super().__init__(spec, self.view)
        self._builder = builder
        self._empty = empty
        # What the present drawing was made from: curves and options, size, version of the run.
        self._shown: tuple[object, tuple[int, int], int] = (None, (0, 0), 0)
        self._usual: Size | None = None  # the drawing's size when nothing is zoomed
        self.frames = 0

    def show_titles(self, view: RunView) -> None:
        """Say in the frame what the chart shows."""

    def show_run(self, view: RunView) -> None:
        """Draw the run's curves if they, the pane's size or the way to show them changed since the last drawing."""
        self.show_titles(view)
        self._draw(view, self.view.size)
        if view.zoomed is None and self.display:
            self._usual = self.view.size

    def prepare(self, view: RunView, frame: Size | None) -> None:
        """Draw in the size to come: the drawing is there when Textual is done with the layout.

        (After a resize, a drawing in vain.)
        """
        size = self._usual if frame is None else frame - Size(self.gutter.width, self.gutter.height)
        if size and view.curves is not None:
            self._draw(view, size)

    def _draw(self, view: RunView, size: Size) -> None:
        width, height = size
        if width <= 0 or height <= 0 or not self.display:
            return
        curves = view.curves
        if curves is None:
            self._show_empty(width, height)
            return
        subject, version = (curves, view.log, view.smoothing, view.ascii), curves.live.version
        if self._shown == (subject, (width, height), version):
            return
        if self._shown[0] != subject:
            self.view.forget()
        self._shown = (subject, (width, height), version)
        drawing = drawn(self.app, lambda: self._builder(curves, view, width, height))
        self.view.show(drawing, size)
        self.frames += 1

    def _show_empty(self, width: int, height: int) -> None:
        shown = (None, (width, height), 0)
        if self._shown != shown:
            self._shown = shown
            self.view.forget()
            middle = [[(int(Style.AXIS), line.center(width))] for line in textwrap.wrap(self._empty, width)]
            self.view.show([[(int(Style.AXIS), "")]] * max(0, (height - len(middle)) // 2) + middle)

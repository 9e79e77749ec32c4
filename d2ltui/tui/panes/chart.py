"""Panes of charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from d2ltui.charts.grid import one_cell_each, whole
from d2ltui.charts.spec import ChartSpec, Style
from d2ltui.spec.numbers import number
from d2ltui.spec.width import centred, wrapped
from d2ltui.tui.panes.chart_reading import moments, reached, rows_for_reading, said
from d2ltui.tui.panes.spec import PaneSpec, RunPane, RunView
from d2ltui.tui.services.defects import drawn
from d2ltui.tui.widgets.lines import Line, LinesView

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves
    from d2ltui.charts.scale import Axis
    from d2ltui.charts.timeline import Timeline

KEPT_SIZES = 4
OPTIONS = ("log", "smoothing", "ascii", "unit", "zoom", "cursor")  # of a RunView, which a chart may depend on

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


class CursorMoved(Message):
    """The charts are to be read at `step`, or at the newest one again."""

    def __init__(self, step: int | None) -> None:
        super().__init__()
        self.step = step


class ChartZoomed(Message):
    """The charts are to show half of what they show, or twice as much."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by = by


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
        self._view: RunView | None = None  # what is shown
        self._spec: ChartSpec | None = None
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
        self._view = view
        if curves is None:
            self._show_empty(width, height)
            return
        options = [getattr(view, name) for name in OPTIONS if name not in self.regardless_of]
        subject, version = (curves, options), curves.live.version
        if self._shown == (subject, (width, height), version):
            return
        if self._shown[0] != subject:
            self.view.forget()
        self._shown = (subject, (width, height), version)
        kept = rows_for_reading(width, height)
        if view.cursor is not None and height > 1:
            kept = max(1, kept)
        drawing = drawn(self.app, lambda: self._described(curves, view, width, height - kept))
        if kept:
            read = self._read(curves, view, width, kept) if view.cursor is not None else []
            drawing = [*drawing, *([(int(Style.TEXT), line)] for line in read + [""] * (kept - len(read)))]
        self.view.show(drawing, size)
        self.frames += 1

    def _described(self, curves: Curves, view: RunView, width: int, height: int) -> ChartSpec:
        spec = self._builder(curves, view, width, height)
        if view.cursor is not None and spec.cursor is None and spec.x_label == "epoch":
            spec = msgspec.structs.replace(spec, cursor=curves.live.header.in_epochs(view.cursor))
        self._spec = spec
        return spec

    # The cursor

    def readings(self, curves: Curves, step: int) -> tuple[str, ...]:
        """Every curve's value at `step`, in words, from the longest to the shortest: here, the nearest points'."""
        spec = self._spec
        if spec is None or spec.cursor is None:
            return ("",)
        at = spec.cursor
        near = [
            (line.label, min(zip(line.x, line.y, strict=False), key=lambda p: abs(p[0] - at)))
            for line in spec.lines
            if line.x
        ]
        return ("  ".join(f"{label} {number(point[1])}" for label, point in near if label),)

    def _read(self, curves: Curves, view: RunView, width: int, rows: int) -> list[str]:
        from d2ltui.charts.timeline import Timeline

        assert view.cursor is not None
        live = curves.live
        step = reached(live, view.cursor)
        whens = moments(live, step, Timeline(live, "time").at(step))
        readings = self.readings(curves, step)
        return [whole(one_cell_each(line, view.ascii)[:width]) for line in said(whens, readings, width, rows)]

    def on_key(self, event: events.Key) -> None:
        """← and → move the cursor by a column, with shift by ten; `end` takes it away; `+` and `-` zoom."""
        columns = {"left": -1, "right": 1, "shift+left": -10, "shift+right": 10}.get(event.key)
        zoom = {"plus": 1, "minus": -1}.get(event.key)
        if columns is not None:
            self._move(columns)
        elif zoom is not None:
            self.post_message(ChartZoomed(zoom))
        elif event.key == "end":
            self.post_message(CursorMoved(None))
        else:
            return
        event.stop()
        event.prevent_default()

    def _move(self, columns: int) -> None:
        """Move the cursor, from the newest step where there is none yet."""
        view, found = self._view, self._timeline()
        if view is None or view.curves is None or found is None:
            return
        axis, timeline = found
        newest = max(1, view.curves.live.step)
        before = newest if view.cursor is None else min(view.cursor, newest)
        across = 1 if view.ascii else 2
        step = timeline.step(axis.value((timeline.at(before) - axis.low) * axis.factor + across * columns))
        if step == before:
            step += 1 if columns > 0 else -1
        self.post_message(CursorMoved(min(newest, max(1, step))))

    def _timeline(self) -> tuple[Axis, Timeline] | None:
        """The x axis of the present drawing, and how it stands to the run's steps."""
        from d2ltui.charts.draw import cursor_axis
        from d2ltui.charts.timeline import AXIS_NAMES, Timeline

        if self._view is None or self._view.curves is None or self._spec is None:
            return None
        found, unit = cursor_axis(self._spec), AXIS_NAMES.get(self._spec.x_label)
        return None if found is None or unit is None else (found[1], Timeline(self._view.curves.live, unit))

    def on_click(self, event: events.Click) -> None:
        """The cursor goes to the mouse."""
        found = self._timeline()
        if found is None or self._view is None or self._view.curves is None or self._spec is None:
            return
        axis, timeline = found
        across = 1 if self._view.ascii else 2
        column = event.screen_x - self.view.region.x - (self._spec.width - axis.dots // across)
        if 0 <= column < axis.dots // across:
            step = timeline.step(axis.value(across * column + (across - 1) / 2))
            self.post_message(CursorMoved(min(max(1, self._view.curves.live.step), max(1, step))))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Nearer."""
        self.post_message(ChartZoomed(1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Farther."""
        self.post_message(ChartZoomed(-1))

    def _show_empty(self, width: int, height: int) -> None:
        shown = (None, (width, height), 0)
        if self._shown != shown:
            self._shown = shown
            self.view.forget()
            middle = [[(int(Style.AXIS), centred(line, width))] for line in wrapped(self._empty, width)]
            self.view.show([[(int(Style.AXIS), "")]] * max(0, (height - len(middle)) // 2) + middle)

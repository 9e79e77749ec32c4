"""Panes of a figure of every layer, from the newest look at them."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from textual import events

from d2ltui.spec.language import _
from d2ltui.tui.panes.chart import CursorMoved
from d2ltui.tui.panes.layer_lines import TextLine
from d2ltui.tui.panes.lines import LinesPane
from d2ltui.tui.panes.spec import PaneSpec, RunView

if TYPE_CHECKING:
    from textual.color import Color

    from d2ltui.charts.timeline import Unit
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import LayersProbed, LayerStats

# Layers, columns, rows, whether in ASCII only → lines.
LayerLines: TypeAlias = "Callable[[Sequence[LayerStats], int, int, bool], list[TextLine]]"


def moment_of(probed: LayersProbed, cursor: int | None) -> str:
    """When the layers were looked at; beside a cursor, which stands at a step of its own, whose step that is."""
    said = _("step {step:,}") if cursor is None else _("look at step {step:,}")
    return said.format(step=probed.step)


class LayersPane(LinesPane):
    """A figure of every layer, from the newest look at them."""

    def __init__(self, spec: PaneSpec, layer_lines: LayerLines, empty: str) -> None:
        super().__init__(spec, self._of_run, empty)
        self._layer_lines = layer_lines
        self._cursor: int | None = None
        self._unit: Unit = "epoch"
        self._live: LiveRun | None = None
        self._background: Color | None = None

    def state_of(self, live: LiveRun) -> object:
        """The look, and what decides how it is shown."""
        return self._look(live), self._cursor, self._unit, self._background

    def show_run(self, view: RunView) -> None:
        """Show the newest look, or, while the charts are read at a step, the last one until then."""
        self._cursor, self._unit, self._live = view.cursor, view.unit, view.live
        # Full screen, colours are chosen for what is behind them: another theme has others.
        self._background = self.view.background_colors[1] if view.zoomed == self.id else None
        super().show_run(view)

    def _look(self, live: LiveRun) -> LayersProbed | None:
        return live.layers_at(self._cursor)

    def on_key(self, event: events.Key) -> None:
        """← and → go from look to look, as they go through a chart; the others scroll."""
        by = {"left": -1, "right": 1}.get(event.key, 0)
        probes = self._live.probes if self._live is not None else []
        if not by or not probes:
            if event.key == "end" and self._cursor is not None:
                self.post_message(CursorMoved(None))
                event.stop()
            return
        event.stop()
        event.prevent_default()
        at = len(probes) - 1
        if self._cursor is not None:
            at = max(0, bisect.bisect_right(probes, self._cursor, key=lambda probed: probed.step) - 1)
        at = min(len(probes) - 1, max(0, at + by))
        self.post_message(CursorMoved(probes[at].step))

    def _of_run(self, live: LiveRun, view: RunView, width: int, height: int) -> list[TextLine]:
        probed = self._look(live)
        if probed is None:
            self.subtitle("")
            return self.text_lines(self._empty)
        self.subtitle(moment_of(probed, self._cursor))
        return self.look_lines(live, probed, view, width, height)

    def look_lines(self, live: LiveRun, probed: LayersProbed, view: RunView, width: int, height: int) -> list[TextLine]:
        """The lines that show `probed`, the newest look at the layers of `live`."""
        return self._layer_lines(probed.layers, width, height, view.ascii)

"""Panes of a figure of every layer, from the newest look at them."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.tui.panes.layer_lines import TextLine
from d2ltui.tui.panes.lines import LinesPane
from d2ltui.tui.panes.spec import PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import LayersProbed, LayerStats

# Layers, columns, rows, whether in ASCII only → lines.
LayerLines: TypeAlias = "Callable[[Sequence[LayerStats], int, int, bool], list[TextLine]]"


class LayersPane(LinesPane):
    """A figure of every layer, from the newest look at them."""

    def __init__(self, spec: PaneSpec, layer_lines: LayerLines, empty: str) -> None:
        super().__init__(spec, self._of_run, empty)
        self._layer_lines = layer_lines
        self._cursor: int | None = None

    def state_of(self, live: LiveRun) -> object:
        """The look."""
        return self._look(live)

    def show_run(self, view: RunView) -> None:
        """Show the newest look, or, while the charts are read at a step, the last one until then."""
        self._cursor = view.cursor
        super().show_run(view)

    def _look(self, live: LiveRun) -> LayersProbed | None:
        probes = live.probes
        if self._cursor is None or not probes or self._cursor >= probes[-1].step:
            return live.layers
        return probes[max(0, bisect.bisect_right(probes, self._cursor, key=lambda probed: probed.step) - 1)]

    def _of_run(self, live: LiveRun, view: RunView, width: int, height: int) -> list[TextLine]:
        probed = self._look(live)
        if probed is None:
            self.subtitle("")
            return self.text_lines(self._empty)
        self.subtitle(f"step {probed.step:,}")
        return self.look_lines(live, probed, view, width, height)

    def look_lines(self, live: LiveRun, probed: LayersProbed, view: RunView, width: int, height: int) -> list[TextLine]:
        """The lines that show `probed`, the newest look at the layers of `live`."""
        return self._layer_lines(probed.layers, width, height, view.ascii)

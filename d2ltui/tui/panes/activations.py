"""Each layer's outputs: their histogram now, or, full screen, how it has changed from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.tui.panes.layer_lines import TextLine, layer_lines
from d2ltui.tui.panes.layers import LayersPane
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import LayersProbed


class ActivationsPane(LayersPane):
    """A histogram of each layer's outputs; full screen, a heatmap of its histograms over time."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, layer_lines, "each layer's outputs in a run")

    def look_lines(self, live: LiveRun, probed: LayersProbed, view: RunView, width: int, height: int) -> list[TextLine]:
        """The newest histograms, or all of them."""
        if view.zoomed != self.id:
            return super().look_lines(live, probed, view, width, height)
        from d2ltui.tui.panes.history_lines import heatmap_lines  # it needs numpy, which the first paint must not

        return heatmap_lines(live.probes, width, height, look_of(self.view, view.ascii), view.cursor)


ACTIVATIONS = PANES.register(
    PaneSpec("activations", "Activations", ActivationsPane, short="Act", share=2, shows_layers=True)
)

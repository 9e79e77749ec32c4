"""The norm of the gradient of each layer's weights; full screen, norms and update ratios over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.tui.panes.layer_lines import TextLine, gradient_lines
from d2ltui.tui.panes.layers import LayersPane
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import LayersProbed


class GradientsPane(LayersPane):
    """A bar for each layer's gradient; full screen, curves of the gradients, the weights and their updates."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, gradient_lines, _("each layer's gradient in a run"))

    def look_lines(self, live: LiveRun, probed: LayersProbed, view: RunView, width: int, height: int) -> list[TextLine]:
        """The newest norms, or the curves of all of them."""
        if view.zoomed != self.id:
            return super().look_lines(live, probed, view, width, height)
        from d2ltui.charts.of_layers import layer_curves  # it needs numpy, which the first paint must not

        return layer_curves(live, width, height, unit=view.unit, cursor=view.cursor, ascii=view.ascii)


GRADIENTS = PANES.register(PaneSpec("gradients", "Gradients", GradientsPane, short="Grad", shows_layers=True))

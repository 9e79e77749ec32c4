"""The norm of the gradient of each layer's weights."""

from __future__ import annotations

from d2ltui.tui.panes.layer_lines import gradient_lines
from d2ltui.tui.panes.layers import LayersPane
from d2ltui.tui.panes.spec import PANES, PaneSpec


class GradientsPane(LayersPane):
    """A bar for each layer's gradient."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, gradient_lines, "each layer's gradient in a run")


GRADIENTS = PANES.register(PaneSpec("gradients", "Gradients", GradientsPane, short="Grad", shows_layers=True))

"""Each layer's outputs and weights: their histograms now, or, full screen, how they have changed from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from d2ltui.spec.datasets import DescriptionError
from d2ltui.spec.language import _
from d2ltui.tui.panes.layer_lines import VALUES, TextLine, Values, layer_lines
from d2ltui.tui.panes.layers import LayersPane, moment_of
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.spec.events import LayersProbed


class ActivationsPane(LayersPane):
    """A histogram of each layer's outputs; full screen, a heatmap of its histograms over time.

    `v` shows the weights instead, and then the gradients.
    """

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, layer_lines, _("each layer's outputs in a run"))
        self._values: Values = "outputs"
        self._view: RunView | None = None

    def state_of(self, live: LiveRun) -> object:
        """What is binned is another reason to draw."""
        return super().state_of(live), self._values

    def show_run(self, view: RunView) -> None:
        """Show the newest look."""
        self._view = view
        super().show_run(view)

    def on_key(self, event: events.Key) -> None:
        """`v` and `V`: other values of the layers."""
        by = {"v": 1, "V": -1}.get(event.key, 0)
        if not by:
            super().on_key(event)
            return
        event.stop()
        self._values = VALUES[(VALUES.index(self._values) + by) % len(VALUES)]
        if self._view is not None:
            self.show_run(self._view)

    def look_lines(self, live: LiveRun, probed: LayersProbed, view: RunView, width: int, height: int) -> list[TextLine]:
        """The newest histograms, or all of them."""
        step = moment_of(probed, view.cursor)
        self.subtitle(
            self.longest_fitting(
                _("{values}  v others  {step}").format(values=_(self._values), step=step),
                f"{_(self._values)}  {step}",
                step,
            )
        )
        if view.zoomed != self.id:
            return layer_lines(probed.layers, width, height, view.ascii, self._values, _truth(live))
        from d2ltui.tui.panes.history_lines import heatmap_lines  # it needs numpy, which the first paint must not

        look = look_of(self.view, view.ascii)
        return heatmap_lines(live.probes, width, height, look, view.cursor, self._values)


def _truth(live: LiveRun) -> tuple[float, ...]:
    """The weights and the bias that have made the labels, where they are known."""
    if not live.is_configured:
        return ()
    try:
        return live.config.dataset_info.truth
    except DescriptionError:
        return ()


ACTIVATIONS = PANES.register(
    PaneSpec("activations", "Activations", ActivationsPane, short="Act", share=2, shows_layers=True)
)

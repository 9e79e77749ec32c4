"""The loss of each step and of each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.charts.spec import ChartSpec
from d2ltui.spec.language import _
from d2ltui.spec.numbers import setting
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.panes.chart_reading import figures, titles
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves


class LossPane(ChartPane):
    """Each step's training loss, smoothed, and the validation loss; the axis may be logarithmic."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, loss, _("ctrl+r trains what the form describes"))

    def show_titles(self, view: RunView) -> None:
        """Name the run, the axis and the smoothing."""
        name, (run, __, owner) = _("Loss (log)") if view.log else _("Loss"), view.run_name.partition(", ")
        self.title(self.longest_fitting(*titles(name, _("Loss"), view, "loss", run)))
        smoothing = _("smoothing {smoothing}").format(smoothing=setting(view.smoothing)) if view.smoothing else _("raw")
        self.subtitle(self.longest_fitting(f"{owner}  {smoothing}", owner) if owner else smoothing)

    def readings(self, curves: Curves, step: int) -> tuple[str, ...]:
        """The losses at `step`."""
        return figures(*curves.reading("loss", step))


def loss(curves: Curves, view: RunView, width: int, height: int) -> ChartSpec:
    """The chart of the loss."""
    return curves.loss(
        width,
        height,
        log=view.log,
        smoothing=view.smoothing,
        ascii=view.ascii,
        unit=view.unit,
        zoom=view.zoom,
        cursor=view.cursor,
    )


LOSS = PANES.register(PaneSpec("loss", "Loss", LossPane, "curves"))

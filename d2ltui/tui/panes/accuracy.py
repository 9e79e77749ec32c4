"""The accuracy of each batch and of each epoch; R² in regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.charts.spec import ChartSpec
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.panes.chart_reading import figures, titles
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunView

if TYPE_CHECKING:
    from d2ltui.charts.of_run import Curves


class AccuracyPane(ChartPane):
    """The metric of the run's task: each training batch's, smoothed, and the validation data's."""

    regardless_of = frozenset(("log",))

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec, metric)

    def show_titles(self, view: RunView) -> None:
        """Name the metric."""
        name = _(metric_title(view.task == "classification").capitalize())
        self.title(self.longest_fitting(*titles(name, name[:3], view, "metric")))

    def readings(self, curves: Curves, step: int) -> tuple[str, ...]:
        """The metrics at `step`."""
        return figures(*curves.reading("metric", step))


def metric(curves: Curves, view: RunView, width: int, height: int) -> ChartSpec:
    """The chart of the metric."""
    return curves.metric(
        width, height, smoothing=view.smoothing, ascii=view.ascii, unit=view.unit, zoom=view.zoom, cursor=view.cursor
    )


ACCURACY = PANES.register(PaneSpec("accuracy", "Accuracy", AccuracyPane, "curves", short="Acc"))

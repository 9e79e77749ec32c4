"""The panes of the main screen that show a run, a file each; and what a pane of another package is made of."""

# In the order in which they stand in their columns.
from d2ltui.tui.panes import loss, accuracy, activations, gradients, picture, findings  # noqa: I001
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.panes.lines import LinesPane
from d2ltui.tui.panes.spec import PANES, PaneSpec, RunPane, RunView

__all__ = [
    "PANES",
    "ChartPane",
    "LinesPane",
    "PaneSpec",
    "RunPane",
    "RunView",
    "accuracy",
    "activations",
    "findings",
    "gradients",
    "loss",
    "picture",
]

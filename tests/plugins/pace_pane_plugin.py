"""Panes of another package, in one file: how fast a run trains, its learning rate, and the size of its weights."""

from __future__ import annotations

from d2ltui.charts.spec import ChartSpec, Line, Style
from d2ltui.history.live import LiveRun
from d2ltui.tui.panes import ChartPane, LinesPane, PaneSpec, RunView


def pace(live: LiveRun, view: RunView, width: int, height: int) -> list[list[tuple[int, str]]]:
    """The learning rate, and steps a second."""
    speed = live.step / live.seconds if live.seconds else 0.0
    return [
        [(Style.AXIS, "lr      "), (Style.TEXT, f"{live.lr:g}")],
        [(Style.AXIS, "steps   "), (Style.TEXT, f"{live.step:,} at {speed:,.0f} a second")],
    ]


def weights(live: LiveRun, view: RunView, width: int, height: int) -> list[list[tuple[int, str]]]:
    """The norm of each layer's weights, at the newest look."""
    layers = live.layers.layers if live.layers is not None else ()
    return [
        [(Style.TEXT, f"{layer.index} {layer.title} "), (Style.AXIS, f"‖w‖ {layer.weight_norm:.4g}")]
        for layer in layers
        if layer.weight_norm is not None
    ]


def gap(curves, view: RunView, width: int, height: int) -> ChartSpec:  # type: ignore[no-untyped-def]
    """How much larger the validation loss is than the training loss, epoch by epoch."""
    epochs = curves.live.epochs
    values = epochs.column("val_loss") - epochs.column("train_loss")
    line = Line("gap", Style.FIT, epochs.column("epoch").astype(float).tolist(), values.tolist(), "●")
    return ChartSpec(width, height, [line], x_high=max(1, len(values)), x_label="epoch", ascii=view.ascii)


PANES = [
    PaneSpec("pace", "Pace", lambda spec: LinesPane(spec, pace, "how fast a run trains"), min_height=4),
    PaneSpec("weights", "Weights", lambda spec: LinesPane(spec, weights), tab="Gradients", shows_layers=True),
    PaneSpec("gap", "Generalisation gap", lambda spec: ChartPane(spec, gap), "curves", tab="Gap"),
]

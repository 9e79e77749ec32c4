"""What is read off a chart, in words. No widgets here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.tui.panes.layer_lines import number

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.tui.panes.spec import RunView


def figures(raw: float, smooth: float, validation: float, *, short: bool = False) -> str:
    """Every curve's value: the training's at a step, as it is and smoothed, and the validation data's."""
    train, said = f"train {number(raw)}", ""
    if math.isfinite(smooth) and number(smooth) != number(raw):
        said = f" ({number(smooth)})" if short else f" (smoothed {number(smooth)})"
    between = " " if short else "  "
    return f"{train}{said}{between}val {'–' if math.isnan(validation) else number(validation)}"


def latest(view: RunView, figure: str) -> str:
    """For a title: the newest training and validation value of `figure`, "loss" or "metric"; "" where there is none."""
    live = view.live
    if live is None or not len(live.losses):
        return ""
    values = (live.losses if figure == "loss" else live.metrics).values()
    said = f" train {number(float(values[-1]))}"
    if len(live.epochs):
        said += f" val {number(float(live.epochs.column(f'val_{figure}')[-1]))}"
    return said


def moment(live: LiveRun, step: int, seconds: float, *, short: bool = False) -> str:
    """When `step` was: in steps, epochs and time."""
    epoch = live.header.in_epochs(step)
    if short:
        epochs = f"{epoch:.3g}" if epoch < 100 else f"{epoch:.0f}"
        return f"{step:,} e{epochs} {clock(seconds).replace(' ', '')}"
    return f"step {step:,}  epoch {epoch:,.2f}  {clock(seconds)}"


def clock(seconds: float) -> str:
    """Seconds of training, as one reads them."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""What is said of a chart in words: figures that can be compared, and never half of one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from textual.geometry import Size

from d2ltui.charts.of_run import Curves
from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.tui.panes.chart_reading import figures, past_at, said, titles
from d2ltui.tui.panes.spec import RunView
from d2ltui.tui.widgets.pane import Pane


def view_of(losses: list[float], *epochs: events.EpochEnded) -> RunView:
    """A run of which so much is known."""
    live = LiveRun(resolve({"dataset": "diabetes", "model": "linear"}))
    steps = np.array(losses, np.float32)
    live(events.StepsTrained(len(steps), steps, np.linspace(0.1, 0.9, len(steps), dtype=np.float32), 0.0))
    for epoch in epochs:
        live(epoch)
    return RunView(live=live)


def test_a_title_tells_figures_of_the_same_epoch() -> None:
    view = view_of([3.0, 2.0, 0.1], events.EpochEnded(1, 2, 2.5, 2.25, 0.5, 0.46, 0.0))
    assert titles("Loss", "Loss", view, "loss")[0] == "Loss train 2.5 val 2.25", "not the newest step's 0.1"
    assert titles("R²", "R²", view, "metric")[0] == "R² train 0.5 val 0.46"


def test_before_an_epoch_has_ended_it_is_the_mean_so_far_and_is_called_so() -> None:
    assert titles("Loss (log)", "Loss", view_of([3.0, 2.0]), "loss")[0] == "Loss (log) train 2.5 so far"
    assert titles("Loss", "Loss", view_of([]), "loss") == ("Loss", "Loss", "Loss")
    assert titles("Loss", "Loss", RunView(), "loss")[0] == "Loss"


def test_of_a_run_that_is_over_nothing_is_said_to_come() -> None:
    view = view_of([3.0, 2.0])
    assert view.live is not None
    view.live(events.RunEnded("diverged", "the loss is not finite", {}))
    assert titles("Loss", "Loss", view, "loss")[0] == "Loss train 2.5 on average"


@pytest.mark.parametrize("width", [1, 4, 8, 9, 15, 23, 24, 28, 29, 34, 35, 49, 50, 80])
def test_no_width_cuts_a_number(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of([3.0], events.EpochEnded(1, 1, 2.125, 1.375, 0.5, 0.46, 0.0))
    pane = Pane("Loss", id="loss")
    monkeypatch.setattr(Pane, "outer_size", property(lambda pane: Size(width, 10)))
    given = titles("Loss (log)", "Loss", view, "loss", "mlp-digits-1")
    title = pane.longest_fitting(*given)
    assert list(map(len, given)) == sorted(map(len, given), reverse=True)
    assert len(title) <= max(4, width - 4)
    assert title in (
        "Loss (log) train 2.12 val 1.38 of mlp-digits-1",  # the name goes first
        "Loss (log) train 2.12 val 1.38",
        "Loss train 2.12 val 1.38",
        "Loss 2.12 val 1.38",  # and what it is stays
        "Loss val 1.38",
        "Loss",
    )


def test_a_title_tells_what_the_cursor_reads() -> None:
    view = view_of([3.0, 2.0, 0.125], events.EpochEnded(1, 2, 2.5, 2.25, 0.5, 0.46, 0.0))
    assert view.live is not None
    view = dataclasses.replace(view, curves=Curves(view.live), cursor=3)
    assert titles("Loss (log)", "Loss", view, "loss", "mlp-1") == (
        "Loss (log) at step 3: train 0.125 val 2.25 of mlp-1",
        "Loss (log) at step 3: train 0.125 val 2.25",
        "Loss at step 3: train 0.125 val 2.25",
        "Loss at 3: train 0.125 val 2.25",
        "Loss at step 3",
        "Loss",
    )
    before = dataclasses.replace(view, cursor=1)
    assert titles("R²", "R²", before, "metric")[0] == "R² at step 1: train 0.1 val –"
    assert past_at(view.curves, 3) is None, "the newest step is no past one"
    past = past_at(view.curves, 2)
    assert past is not None
    assert past.figures == "then: loss 2 train, 2.25 val; R² 0.5 train, 0.46 val"


WHENS = ("step 726, epoch 4.2, 1.3 s", "step 726, epoch 4.2", "step 726", "726")


@pytest.mark.parametrize(
    ("width", "rows", "lines"),
    [
        (78, 1, ["step 726, epoch 4.2, 1.3 s: train 0.123 (smoothed 0.131)  val 0.14"]),
        (41, 2, ["step 726, epoch 4.2, 1.3 s:", "train 0.123 (smoothed 0.131)  val 0.14"]),
        (36, 2, ["step 726, epoch 4.2, 1.3 s:", "train 0.123 (smooth 0.131) val 0.14"]),
        (41, 1, ["726: train 0.123 (smooth 0.131) val 0.14"]),
        (36, 1, ["train 0.123 (smooth 0.131) val 0.14"]),
        (34, 1, ["step 726: train 0.123 val 0.14"]),  # never a figure with its end cut off
        (26, 1, ["726: train 0.123 val 0.14"]),
        (21, 1, ["train 0.123 val 0.14"]),
        (24, 2, ["step 726, epoch 4.2:", "train 0.123 val 0.14"]),
    ],
)
def test_the_cursor_says_when_it_reads_and_what_stands_in_brackets(width: int, rows: int, lines: list[str]) -> None:
    assert said(WHENS, figures(0.123, 0.131, 0.14), width, rows) == lines

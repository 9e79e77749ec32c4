"""What the pane of the activations shows: other values on a key, and colours that suit the theme."""

from __future__ import annotations

import pytest
from person import Opener
from rich.console import Console

from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.tui.panes.activations import ActivationsPane
from d2ltui.tui.panes.spec import RunView


async def test_another_theme_draws_the_heatmap_of_a_run_that_is_over_anew(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "color_system", property(lambda self: "truecolor"))
    live = LiveRun(resolve({}))
    layer = events.LayerStats(
        index=1, title="ReLU", counts=(1, 2, 3, 4), mean=0.5, sd=0.1, minimum=0.0, maximum=1.0, zeros=0.0, dead=0.0,
        saturated=None, nonfinite=0, gradient_norm=None, weight_norm=None,
    )  # fmt: skip
    for step in (10, 20):
        live(events.LayersProbed(step, (layer,)))
    async with open_app(size=(160, 45), store=False) as person:
        monkeypatch.setattr(person.main, "_show_panes", lambda: None)  # here the test says which run is shown
        pane = person.main.query_one("#activations", ActivationsPane)
        view = RunView(live=live, zoomed="activations")
        pane.show_run(view)
        dark = list(pane.view.lines)
        assert len({style for line in dark for style, _ in line}) > 4, "colours"
        await person.press("ctrl+t")
        pane.show_run(view)
        assert list(pane.view.lines) != dark


async def test_v_shows_the_weights_and_then_the_gradients(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveRun(resolve({"model": "linear", "dataset": "synthetic-linear"}))
    layer = events.LayerStats(
        index=1, title="Linear", counts=(1, 2), mean=0.5, sd=0.1, minimum=0.0, maximum=1.0, zeros=0.0, dead=None,
        saturated=None, nonfinite=0, gradient_norm=0.25, weight_norm=3.75, num_units=1, gradient_counts=(1, 1),
        weight_counts=(1, 1), weight_minimum=-3.25, weight_maximum=1.5, parameters=(1.5, -3.25, 4.0),
    )  # fmt: skip
    for step in (10, 20):
        live(events.LayersProbed(step, (layer,)))
    async with open_app(size=(120, 40), store=False) as person:
        monkeypatch.setattr(person.main, "_show_panes", lambda: None)  # here the test says which run is shown
        pane = person.main.query_one("#activations", ActivationsPane)
        pane.focus()
        pane.show_run(RunView(live=live))
        told = []
        for _ in range(4):
            told.append("\n".join("".join(text for _, text in line) for line in pane.view.lines))
            await person.press("v")
        outputs, weights, gradients, again = told
        assert "zero 0" in outputs
        assert outputs == again
        assert "norm 3.75" in weights
        assert weights.split()[-8:] == ["b", "4", "true", "w", "2", "-3.4", "b", "4.2"]
        assert "norm 0.25" in gradients
        pane.show_run(RunView(live=live, zoomed="activations"))
        assert "".join(text for _, text in pane.view.lines[0]) == "1 Linear: weights  2 looks"
        await person.press("V")
        assert "".join(text for _, text in pane.view.lines[0]) == "1 Linear  2 looks"

"""A heatmap's colours are chosen for the background behind it, which another theme changes."""

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

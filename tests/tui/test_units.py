"""The units of a layer, one by one."""

from __future__ import annotations

import re

import pytest
from person import ENDLESS, Opener

from d2ltui.tui.panes.chart import CursorMoved
from d2ltui.tui.widgets.lines import LinesView


async def test_the_units_of_a_layer_are_looked_at_while_they_are_shown(open_app: Opener) -> None:
    """At 80 columns the layers are behind a tab, and are looked at seldom, without their units."""
    async with open_app({**ENDLESS, "model": "mlp", "hidden": "16"}, size=(80, 24)) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        assert not person.app.observed
        await person.press("u")
        units = person.app.screen.query_one("#units", LinesView)

        def shown() -> str:
            return "\n".join("".join(text for _, text in line) for line in units.lines)

        await person.until(lambda: "never active" in shown(), "the units")
        await person.press("u")  # as it was opened
        await person.settle()
        assert not person.app.observed
        await person.press("space")
        await person.until_word("paused")
        await person.press("u")
        units = person.app.screen.query_one("#units", LinesView)
        await person.until(lambda: "never active" in shown(), "the units during a pause")


@pytest.mark.long
async def test_the_units_are_there_when_a_run_has_ended_that_nobody_looked_into(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 3}, size=(80, 24)) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert not person.app.observed
        await person.press("u")
        await person.until(lambda: "8 units:" in person.text(), "the units of the ReLU")
        await person.until(lambda: "↑ ↓ its function and inputs, below" in person.text(), "how to come to them")
        await person.press(*["down"] * 20)
        await person.until(lambda: "slope" in person.text() and "8 units:" not in person.text(), "the function")


@pytest.mark.long
async def test_the_units_are_looked_at_whatever_becomes_of_the_screen_below(open_app: Opener) -> None:
    async with open_app({**ENDLESS, "model": "mlp", "hidden": "16"}) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        assert person.app.observed
        await person.press("u")
        await person.pilot.resize_terminal(80, 24)  # a tab without layers, below
        await person.settle()
        assert person.app.observed
        assert person.live.layers is not None
        step = person.live.layers.step

        def units() -> bool:
            probed = person.live.layers
            return probed is not None and probed.step > step and probed.layers[1].unit_activity is not None

        await person.until(units, "another look at the units")
        await person.press("escape")
        await person.settle()
        assert not person.app.observed
        await person.pilot.resize_terminal(120, 40)
        await person.until(lambda: person.app.observed, "the layers in sight again")
        await person.press("L")
        await person.settle()
        assert not person.app.observed, "nobody sees them behind another screen"
        await person.press("escape")
        await person.until(lambda: person.app.observed, "the layers in sight once more")


async def test_units_in_the_past_are_of_one_step_and_what_is_not_says_so(open_app: Opener) -> None:
    """The units are those of kept weights; the figures of the outputs may be of a look at another step."""
    mlp = {"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 12}
    async with open_app(mlp, size=(120, 40)) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        live = person.live
        looks = {probed.step for probed in live.probes}
        cursor = next(step for step in range(live.step - 9, 0, -1) if step not in looks)
        person.main.on_cursor_moved(CursorMoved(cursor))
        await person.press("u")
        await person.until(lambda: "8 units:" in person.text(), "the units of the ReLU")
        box = person.app.screen.query_one(".box")
        await person.until(lambda: re.search(r", step [\d,]+ \(", str(box.border_title)), "of which step they are")
        title = str(box.border_title)
        units = " ".join(
            "".join(text for _, text in line) for line in person.app.screen.query_one("#units", LinesView).lines
        )
        found = re.search(r", step ([\d,]+) \(", title)
        assert found, title
        of, look = int(found[1].replace(",", "")), live.layers_at(cursor)
        assert look is not None
        assert of <= cursor
        told = [int(step.replace(",", "")) for step in re.findall(r"step ([\d,]*\d)", units)]
        assert told == ([look.step] if look.step != of else []), "the title's step is named once"
        assert "After step" not in units
        if told:
            assert f"(figures of step {look.step:,}, when its outputs were looked at)" in units

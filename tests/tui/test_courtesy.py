"""A key goes first, and the training goes on afterwards."""

from __future__ import annotations

import pytest
from person import ENDLESS, Opener

from d2ltui.engine.control import Control
from d2ltui.tui.courtesy import AT_MOST


async def test_a_key_has_the_training_stand_aside(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    give_way, go_on = Control.give_way, Control.go_on
    monkeypatch.setattr(Control, "give_way", lambda self, s: (asked.append(f"give way {s}"), give_way(self, s)))
    monkeypatch.setattr(Control, "go_on", lambda self: (asked.append("go on"), go_on(self)))
    async with open_app(ENDLESS) as person:
        await person.press("l")
        assert asked == [], "nothing trains"
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("z")
        await person.until(lambda: asked[-1:] == ["go on"], "the training going on")
        assert asked[0] == f"give way {AT_MOST}"
        step = person.live.step
        await person.until(lambda: person.live.step > step, "steps")
        asked.clear()
        await person.press("space")
        await person.until_word("paused")
        asked.clear()
        await person.press("l")
        assert asked == [], "it waits already"


async def test_the_training_waits_for_the_chart_of_the_answer(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_when_going_on: list[bool] = []
    go_on = Control.go_on
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.until_drawn("loss")
        monkeypatch.setattr(
            Control, "go_on", lambda self: (drawn_when_going_on.append(not person.app.drawing), go_on(self))
        )
        await person.press("l")
        await person.until(lambda: drawn_when_going_on, "the end of the answer")
        assert all(drawn_when_going_on)


async def test_a_key_that_quits_while_training(open_app: Opener) -> None:
    """The answer to the last key comes when there is no screen any more."""
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("q")
        await person.press("y")
        await person.pilot.pause(0.1)
        person.app._courtesy._painted(Control(), person.app._courtesy._keys)
        await person.until(lambda: not person.app.training, "the end of the run")

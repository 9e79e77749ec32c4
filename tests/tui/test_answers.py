"""How soon a key is answered: what comes before the answer, and what waits for it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest
from person import ENDLESS, Opener

from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.tui.render.frame_limiter import FrameLimiter
from d2ltui.tui.screens.main import MainScreen


async def test_an_answer_of_the_engine_waits_for_no_frame(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until(lambda: person.live.step > 0 and person.word == "training", "the first step")
        monkeypatch.setattr(FrameLimiter, "due", lambda *_: False)
        take = LiveRun.__call__

        def take_slowly(self: LiveRun, event: events.Event) -> None:
            take(self, event)
            if isinstance(event, events.StepsTrained):
                time.sleep(0.05)  # as a large network's steps do

        monkeypatch.setattr(LiveRun, "__call__", take_slowly)
        for key, word in (("s", "paused"), ("space", "training"), ("space", "paused"), ("x", "stopped")):
            ticks: list[str] = []
            tick = MainScreen.tick

            def noted(self: MainScreen, ticks: list[str] = ticks, tick: Callable[..., None] = tick) -> None:
                tick(self)
                ticks.append(self._status_line.word)

            with monkeypatch.context() as patch:
                patch.setattr(MainScreen, "tick", noted)
                await person.press(key)
                await person.until_word(word)
            assert ticks == [word], key  # the last steps before it are told with it


async def test_no_garbage_is_looked_for_while_a_key_is_answered(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app(size=(100, 30)) as person:
        collecting: list[bool] = []
        show = MainScreen.show_now

        def noted(self: MainScreen) -> None:
            collecting.append(gc.isenabled())
            show(self)

        monkeypatch.setattr(MainScreen, "show_now", noted)
        for key in ("tab", "z", "l", "z"):
            await person.press(key)
        assert collecting
        assert not any(collecting)
        await person.until(gc.isenabled, "a search afterwards")


async def test_where_the_application_ends_before_an_answer_garbage_is_looked_for_again(open_app: Opener) -> None:
    """A run that goes on without its terminal needs that."""
    async with open_app(size=(100, 30)) as person:
        await person.until(gc.isenabled, "the first paint")
        person.app.undisturbed.begin()
        assert not gc.isenabled()
    assert gc.isenabled()


async def test_a_frame_waits_for_the_answer_to_a_key_once(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_app(size=(100, 30)) as person:
        monkeypatch.setattr(FrameLimiter, "due", lambda _, backlog, puts_off: not backlog and not puts_off())
        ticks: list[float] = []
        monkeypatch.setattr(MainScreen, "tick", lambda _: ticks.append(time.monotonic()))
        undisturbed = person.app.undisturbed
        undisturbed.end()
        person.main._on_timer()
        assert len(ticks) == 1
        person.app.input_comes()
        person.main._on_timer()
        assert len(ticks) == 1
        person.main._on_timer()
        assert len(ticks) == 2, "a key that is held down stops no frames"
        person.app.input_comes()
        undisturbed.end()
        person.main._on_timer()
        assert len(ticks) == 3, "the answer is there"

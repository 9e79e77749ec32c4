"""What a person does before a screen is there, and twice at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from person import SMALL, Opener
from test_key_queue import arrive
from textual import events

from d2ltui.spec.config import resolve
from d2ltui.tui.app import D2LApp
from d2ltui.tui.early import EarlyInput, ScreenReady
from d2ltui.tui.keys import KEYS
from d2ltui.tui.screens.dialogs import ChoiceScreen, ConfirmScreen
from d2ltui.tui.screens.runs import RunsScreen
from d2ltui.tui.widgets.fields import ChoiceField

EARLY = [name for entry in KEYS for name in entry.key.split(",") if name not in ("ctrl+c", "ctrl+z", "q", "ctrl+t")]


def click_at(app: D2LApp, x: int, y: int, times: int) -> None:
    """Clicks as the driver posts them, all at once."""
    for kind in (events.MouseDown, events.MouseUp) * times:
        app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y))


@pytest.mark.parametrize("keys", [EARLY, ["ctrl+r"]])
async def test_keys_before_the_screen_is_there_wait_for_it(keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Posted as soon as the screen is on the stack, and has nothing in it."""
    app = D2LApp(resolve(SMALL), ascii=False, store=False)
    init = app._init_mode

    async def init_and_press(mode: str) -> object:
        answer = init(mode)
        arrive(app, *keys)
        click_at(app, 3, 3, 2)
        app.post_message(events.Paste("5"))
        return await answer

    monkeypatch.setattr(app, "_init_mode", init_and_press)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            for _ in range(20):
                await pilot.pause(0.01)
            assert app.is_running
            assert app._typed._count > 0  # and they have come
    finally:
        app.stop_run()
        app.join(30)


async def test_a_run_that_is_to_begin_at_once_waits_for_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else may have been refreshed before the main screen has anything in it."""
    app = D2LApp(resolve(SMALL), ascii=False, store=False, start=True)
    at_once = [app._painted]
    monkeypatch.setattr(app, "call_after_refresh", lambda callback: at_once.pop()() if at_once else True)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            for _ in range(1_000):
                await pilot.pause(0.01)
                if app.live is not None and app.live.ended is not None:
                    break
            assert app.live is not None
            assert app.live.ended is not None
            assert app.live.ended.status == "finished"
    finally:
        app.stop_run()
        app.join(30)


async def test_clicks_in_one_burst_open_a_run_once(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        for times in (2, 3, 5):
            await person.press("R")
            screen = person.app.screen
            assert isinstance(screen, RunsScreen)
            await person.until(lambda screen=screen: screen._table.row_count == 1, "the run")
            await person.settle()
            x, y, *_ = screen._table.region
            click_at(person.app, x + 5, y + 1, times)
            await person.until(lambda: person.app.screen is person.main, "the main screen")
            await person.settle()
            assert person.app.is_running
            assert person.app.screen_stack == [person.main]


async def test_a_screen_closes_once_whoever_asks_for_it_again(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("R")
        runs = person.app.screen
        assert isinstance(runs, RunsScreen)
        answers: list[object] = []
        dialog = ConfirmScreen("?", "yes", "no")
        runs.open(dialog, answers.append)
        await person.settle()
        runs.dismiss(None)  # not in front: neither it nor what covers it is closed
        assert person.app.screen is dialog
        for _ in range(3):
            dialog.dismiss(True)
        await person.settle()
        assert answers == [True]
        assert person.app.screen is runs


async def test_an_answer_leads_to_nothing_where_the_application_ends_before_it(open_app: Opener) -> None:
    async with open_app() as person:
        answers: list[object] = []
        dialog = ConfirmScreen("?", "yes", "no")
        person.main.open(dialog, answers.append)
        await person.settle()
        answered = dialog._result_callbacks[-1].callback
        assert answered is not None
        stack = person.app._screen_stack
        kept, stack[:] = stack[:], []  # as it is between two messages at the end
        answered(True)
        stack[:] = kept
        assert answers == []
        answered(True)
        assert answers == [True]


async def test_clicks_in_one_burst_list_the_choices_once(open_app: Opener) -> None:
    async with open_app() as person:
        field = person.field("dataset")
        assert isinstance(field, ChoiceField)
        click_at(person.app, field.region.x + 1, field.region.y, 3)
        await person.until(lambda: isinstance(person.app.screen, ChoiceScreen), "the list")
        await person.settle()
        assert len(person.app.screen_stack) == 2


async def test_what_is_typed_waits_for_no_screen_that_is_gone() -> None:
    """A screen that is closed before it was mounted: its keys come to the one below."""
    never, below = SimpleNamespace(is_mounted=False, _mounted_event=asyncio.Event()), SimpleNamespace(is_mounted=True)
    told: list[object] = []
    app = SimpleNamespace(screen_stack=[below, never], screen=never, post_message=told.append)
    early = EarlyInput(app)  # type: ignore[arg-type]
    key = events.Key("x", "x")
    assert early.keeps(key)
    app.screen_stack, app.screen = [below], below
    for _ in range(100):
        if told:
            break
        await asyncio.sleep(0.02)
    assert [type(message) for message in told] == [ScreenReady]
    assert early.released() == [key]
    assert not early.keeps(key)

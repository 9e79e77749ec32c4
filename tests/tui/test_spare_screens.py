"""Screens that are put together before they are asked for: shown at once, and as new each time."""

from __future__ import annotations

import pytest
from person import Opener, Person
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from d2ltui.tui.app import D2LApp
from d2ltui.tui.render import internals
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.screens.lessons import LessonsScreen
from d2ltui.tui.screens.once import Once
from d2ltui.tui.screens.opening import MAKERS
from d2ltui.tui.screens.runs import RunsScreen
from d2ltui.tui.widgets.pane import Pane

SIZE = (160, 45)


async def prepared(person: Person) -> dict[str, Screen[object]]:
    """One of each kind, laid out for the terminal."""
    spares = person.main.spares
    while spares.prepare_one():
        pass
    screens = {name: spare.screen for name, spare in spares._ready.items()}
    assert set(screens) == set(MAKERS)
    await person.until(
        lambda: all(screen.is_mounted and screen.size == person.app.size for screen in screens.values()),
        "screens that are laid out",
    )
    return screens


async def test_a_prepared_screen_is_drawn_whole_by_its_key_and_another_is_new(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(D2LApp, "_prepare_screens", lambda self: None)  # here the test says when
    async with open_app(size=SIZE, store=False) as person:
        screens = await prepared(person)
        for screen in screens.values():
            assert isinstance(screen, Once)
            assert not screen.begun, "nobody has opened it"
        lessons = screens["lessons"]
        assert isinstance(lessons, LessonsScreen)
        page = lessons.query_one("#page-pane", Pane)
        await person.until(lambda: lessons.lesson.title in str(page.border_title), "its page, which nobody has opened")
        assert not lessons.begun
        shown: list[Screen[object]] = []

        def display(self: App[object], screen: Screen[object], renderable: object) -> None:
            if renderable is not None:
                shown.append(screen)

        for name, act in (
            ("help", person.main.action_help),
            ("runs", person.main.action_runs),
            ("lessons", person.main.action_lessons),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(App, "_display", display)
                shown.clear()
                act()
                person.app.show_now()
                assert shown == [screens[name]], "one frame, with the key"
            await person.settle()
            screen = person.app.screen
            assert screen is screens[name]
            assert screen.focused is not None
            assert isinstance(screen, BatchedScreen)
            if isinstance(screen, RunsScreen):
                await person.press("slash", *"lr")
                text = screen.query_one("#filter", Input)
                await person.until(lambda text=text: text.value == "lr", "a filter")
                await person.press("escape")
            await person.press("escape")
            await person.until(lambda: person.app.screen is person.main, "the main screen")
            await person.until(lambda screen=screen: not screen.is_attached, "no screen left behind")
        assert list(person.main.spares._ready) == ["layer", "save"]
        fresh = await prepared(person)
        assert fresh["runs"] is not screens["runs"]
        await person.press("R")
        await person.until(lambda: person.app.screen is fresh["runs"], "the runs")
        assert person.app.screen.query_one("#filter", Input).value == ""


async def test_one_that_is_refused_or_cannot_be_made_harms_nobody(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(D2LApp, "_prepare_screens", lambda self: None)  # here the test says when

    def broken() -> Screen[object]:
        raise ValueError("broken")

    async with open_app(size=SIZE, store=False) as person:
        spares = person.main.spares
        spares._makers = {**MAKERS, "lessons": broken}
        while spares.prepare_one():
            pass
        assert set(spares._ready) == set(MAKERS) - {"lessons"}
        runs = spares._ready["runs"].screen
        await person.until(lambda: runs.is_mounted, "a prepared screen")
        person.main.action_help()
        person.main.action_runs()  # a click that comes with the key: the help is in front
        await person.until(lambda: not runs.is_attached, "no screen that nobody closes")
        await person.press("escape")
        await person.until(lambda: person.app.screen is person.main, "the main screen")
        with pytest.raises(ValueError, match="broken"):
            spares.take("lessons")
        assert person.app._exception is None


async def test_one_of_another_size_or_theme_is_made_anew(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(D2LApp, "_prepare_screens", lambda self: None)  # here the test says when
    async with open_app(size=SIZE, store=False) as person:
        for change in ("theme", "size"):
            before = await prepared(person)
            if change == "theme":
                await person.press("ctrl+t")
            else:
                await person.pilot.resize_terminal(90, 30)
            await person.settle()
            await person.press("question_mark")
            await person.until(lambda: person.app.screen is not person.main, "the help")
            opened = person.app.screen
            assert opened is not before["help"]
            await person.until(lambda opened=opened: opened.size == person.app.size, "its size")
            box = opened.query_one(".box", Widget)
            assert box.region.right <= person.app.size.width
            await person.press("escape")
            await person.until(lambda: person.app.screen is person.main, "the main screen")
            after = await prepared(person)
            assert not set(after.values()) & set(before.values())
            await person.until(lambda before=before: not any(old.is_attached for old in before.values()), "no old ones")


async def test_where_textual_has_changed_screens_are_made_when_they_are_opened(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internals, "_TO_PREPARE_SCREENS", ("no_longer_there",))
    async with open_app(size=SIZE, store=False) as person:
        assert not person.main.spares.prepare_one()
        await person.press("?")
        await person.until(lambda: "Keys (escape closes)" in person.text(), "the help")


async def test_one_that_cannot_be_drawn_ahead_ends_nothing(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(D2LApp, "_prepare_screens", lambda self: None)  # here the test says when

    def broken(self: LessonsScreen) -> None:
        raise ValueError("a figure that is damaged")

    async with open_app(size=SIZE, store=False) as person:
        spares = person.main.spares
        with monkeypatch.context() as damaged:
            damaged.setattr(LessonsScreen, "fill", broken)
            while spares.prepare_one():
                pass
            await person.until(lambda: "lessons" not in spares._ready, "it is given up")
        assert not spares.prepare_one(), "and not tried again"
        await person.press("L")
        await person.until(lambda: isinstance(person.app.screen, LessonsScreen), "the lessons")
        assert person.app._exception is None

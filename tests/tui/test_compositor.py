"""What frames send: with every update the terminal shows what the screen is, and no more than that was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from emulator import CONSOLE, Emulator, Look, drawn_anew
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset, Region, Size
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip

from d2ltui.tui.render import internals
from d2ltui.tui.render.app import FrameApp
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.render.frame import Drawn
from d2ltui.tui.widgets.lines import LinesView

WIDTH, HEIGHT = 24, 5


class Drawings(BatchedScreen, Screen[None]):
    """Two drawings side by side, one in front of both of them, and one below that is only seen in part."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="sides"):
            yield LinesView(id="left")
            yield LinesView(id="right")
        with Vertical(id="cut"):
            yield LinesView(id="part")
        yield LinesView(id="front")
        yield LinesView(id="away")


class Two(FrameApp, App[None]):
    """An application of that one screen."""

    CSS = """
    Drawings { layers: below front; }
    #sides { height: 3; }
    #front { layer: front; offset: 8 1; width: 6; height: 1; }
    #away { display: none; }
    #cut { height: 2; overflow: hidden; }
    #part { offset: -2 -1; width: 20; height: 4; }
    """

    def get_default_screen(self) -> Drawings:
        return Drawings()

    @property
    def drawings(self) -> Drawings:
        """Its screen."""
        assert isinstance(self.screen, Drawings)
        return self.screen

    def show(self, name: str, *texts: str) -> None:
        self.screen.query_one(f"#{name}", LinesView).show(
            [[(ord(character) % 4, character) for character in text] for text in texts]
        )

    def shown(self) -> list[list[Look]]:
        """Every cell of the screen, drawn anew."""
        return drawn_anew(self.screen._compositor.render_strips(), WIDTH, HEIGHT)


def listen(patch: pytest.MonkeyPatch) -> list[str]:
    """What an application, which has no terminal here, would send."""
    sent: list[str] = []

    def display(self: App[None], screen: Screen[object], renderable: object) -> None:
        if isinstance(renderable, CompositorUpdate):
            assert not isinstance(renderable, ChopsUpdate)
            sent.append(renderable.render_segments(CONSOLE))

    patch.setattr(App, "_display", display)
    return sent


def cells(sent: str) -> list[list[Look]]:
    """Characters and styles, as a terminal has them that got `sent`."""
    emulator = Emulator(WIDTH, HEIGHT)
    emulator.feed(sent)
    return emulator.looks()


def text(sent: str) -> str:
    """What is written of it, without where and how."""
    lines = ("".join(cell[0] for cell in line).strip() for line in cells(sent))
    return "|".join(line for line in lines if line)


async def test_a_change_at_the_end_of_a_line_sends_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        app.show("right", "ABCDEFGH", "two")
        await pilot.pause()
        sent.clear()
        app.show("left", "abcdefgX", "one")
        app.show("right", "ABCxEFGH", "two")
        await pilot.pause()
        assert text("".join(sent)) == "X       x"


letters = st.text("abc ", min_size=0, max_size=14)


names = st.sampled_from(["left", "right", "front", "part"])


@pytest.mark.timeout(600)  # an application for each example, of which the night has hundreds
@given(st.lists(st.tuples(names, st.lists(letters, min_size=4, max_size=4), st.booleans()), max_size=8))
async def test_the_terminal_shows_the_screen_after_any_changes(changes: list[tuple[str, list[str], bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sent = listen(patch)
        app = Two()
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            await pilot.pause()
            for name in ("left", "right", "front", "part"):
                app.show(name, *[""] * 4)  # as many lines as later: others are laid out anew, which takes its time
            await pilot.pause()
            for name, lines, batch_refresh in changes:
                if batch_refresh:
                    with app.drawings.batch_refresh():
                        app.show(name, *lines)
                else:
                    app.show(name, *lines)
                    await pilot.pause()
                assert cells("".join(sent)) == app.shown()


async def test_what_changes_at_once_is_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh")
        app.show("right", "ABCDEFGH")
        await pilot.pause()
        sent.clear()
        with app.drawings.batch_refresh():
            app.show("left", "abcdefgX")
            with app.drawings.batch_refresh():
                app.show("right", "ABCxEFGH")
            app.show("away", "unseen")
            assert not sent
        assert [text(frame) for frame in sent] == ["X       x"]
        await pilot.pause(0.1)
        assert len(sent) == 1, "nothing is sent twice"
        assert cells("".join(sent))[0][7] == app.shown()[0][7]


# `pilot.pause` sends each widget a message, and would repair what these look for.


@pytest.mark.parametrize("change", ["layout", "style", "hidden", "scrolled", "gone", "screen's layout", "new lines"])
async def test_what_needs_more_than_its_cells_is_shown_soon(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", *["abcdefgh"] * 4)
        app.show("right", "xyz")
        await pilot.pause(0.1)
        left = app.screen.query_one("#left", LinesView)
        if change == "screen's layout":
            app.screen.refresh(layout=True)
            app.screen._layout_required = True  # as it is between the message and the timer
        with app.drawings.batch_refresh():
            app.show("left", "abcdefgX", "2", "3", "4")
            if change == "layout":
                left.styles.width = 3
                left.refresh(layout=True)
            elif change == "style":
                left.styles.background = "blue"
            elif change == "hidden":
                left.display = False
            elif change == "scrolled":
                left.scroll_to(y=1, animate=False, immediate=True)
            elif change == "gone":
                left.remove()
            elif change == "new lines":
                app.show("left", *"abcdefghij")
            app.show("right", "ABC")
        assert ("ABC" in text("".join(sent))) == (change != "screen's layout"), "a whole screen comes anyway"
        await asyncio.sleep(0.3)
        assert cells("".join(sent)) == app.shown()
        assert "ABC" in text("".join(sent))


async def test_a_new_layout_is_made_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = Screen._refresh_layout

    def refresh_layout(self: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
        made.append(self)
        original(self, size, scroll)

    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause(0.1)
        monkeypatch.setattr(Screen, "_refresh_layout", refresh_layout)
        with app.drawings.batch_refresh():
            app.screen.query_one("#left", LinesView).refresh(layout=True)
        await asyncio.sleep(0.3)
        assert made


async def test_a_task_begun_within_a_frame_shows_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "one")
        await pilot.pause(0.1)

        async def later() -> None:
            await asyncio.sleep(0.05)
            with app.drawings.batch_refresh():
                app.show("left", "two")

        with app.drawings.batch_refresh():
            task = asyncio.create_task(later())
        await task
        await asyncio.sleep(0.1)
        assert cells("".join(sent)) == app.shown()


async def test_a_frame_that_fails_is_no_end_of_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "one")
        await pilot.pause(0.1)

        def fail() -> None:
            with app.drawings.batch_refresh():
                app.show("left", "two")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        app.show("right", "three")
        await asyncio.sleep(0.2)
        assert cells("".join(sent)) == app.shown()


async def test_below_another_screen_nothing_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "xyz")
        await pilot.pause()
        below = app.drawings
        app.push_screen(Screen())
        await pilot.pause(0.1)
        before = len(sent)
        with below.batch_refresh():
            below.query_one("#left", LinesView).show([[(1, "abc")]])
        await asyncio.sleep(0.2)
        assert "abc" not in text("".join(sent[before:]))
        app.pop_screen()
        await asyncio.sleep(0.2)
        assert "abc" in text("".join(sent[before:]))
        assert cells("".join(sent)) == app.shown()


@pytest.mark.parametrize("shown", ["漢字漢字", "漢字e\u0301e\u0301"])
async def test_a_character_of_two_cells_is_not_halved(monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", shown)
        await pilot.pause()
        sent.clear()
        app.frame.draw(CONSOLE, [Drawn(0, 0, [Strip.blank(WIDTH)])])  # the terminal has lost that line
        app.screen.query_one("#left", LinesView).refresh(Region(3, 0, 2, 1))  # from the second half of 字 on
        await pilot.pause()
        assert text("".join(sent)).startswith("漢字")


async def test_a_notice_that_is_gone_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where something asked for a widget's place between its end and the new layout."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT), notifications=True) as pilot:
        app.show("left", *["abc"] * 4)
        app.notify("word " * 20, timeout=0.2)
        await until(pilot, lambda: "word" in "".join(sent))
        compositor = app.screen._compositor
        original = Screen._refresh_layout

        def asked(self: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
            compositor.update_widgets({app.screen.query_one("#away")})  # not in view: Textual maps all widgets anew
            assert compositor.full_map
            original(self, size, scroll)

        monkeypatch.setattr(Screen, "_refresh_layout", asked)
        await until(pilot, lambda: not app.screen.query("Toast"))
        await pilot.pause(0.1)
        assert cells("".join(sent)) == app.shown()


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await pilot.pause(0.02)


async def test_without_what_is_used_of_textual_it_draws_as_it_always_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(internals._OF_CLASSES, Screen, ("_compositor_refresh", "no_longer_there"))
    internals._missing_of_classes.cache_clear()
    sent: list[str] = []

    def display(self: App[None], screen: Screen[object], renderable: object) -> None:
        if isinstance(renderable, CompositorUpdate):
            sent.append(renderable.render_segments(CONSOLE))

    monkeypatch.setattr(App, "_display", display)
    app = Two()
    try:
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            assert internals.missing(app.screen) == ("Screen.no_longer_there",)
            with app.drawings.batch_refresh():
                app.show("left", "abcdefgh", "one")
            await until(pilot, lambda: cells("".join(sent)) == app.shown() and "one" in text("".join(sent)))
            assert type(app.screen._compositor) is internals.Compositor
    finally:
        internals._missing_of_classes.cache_clear()


async def test_a_cursor_that_has_moved_unseen_is_sent_with_the_next_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that changes nothing is not sent, but for the cursor: it may have moved while nothing was sent."""
    sent, app = listen(monkeypatch), Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause()

        def display(*, sends: bool) -> None:
            monkeypatch.setattr(FrameApp, "_sends", property(lambda self: sends))
            app._display(app.screen, app.screen._compositor.render_full_update())

        display(sends=True)
        sent.clear()
        display(sends=True)
        assert sent == []
        app.cursor_position = Offset(3, 1)
        display(sends=False)
        sent.clear()
        display(sends=True)
        assert sent == [""]
        display(sends=True)
        assert sent == [""]


async def test_everything_that_is_used_of_textual_is_there() -> None:
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)):
        assert internals.missing(app.screen) == ()


async def test_where_the_terminal_was_lost_all_of_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it has its old size again, as after a resize there and back."""
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "abcdefgh", "one")
        await pilot.pause(0.1)
        for lose in (app.redraw, lambda: app.post_message(events.Resize(app.size, app.size))):
            sent.clear()
            lose()
            await until(pilot, lambda: cells("".join(sent)) == app.shown())
        sent.clear()
        app.frame.forget()
        app.show("right", "two")  # only that has changed
        await until(pilot, lambda: cells("".join(sent)) == app.shown())


async def test_a_press_on_what_has_just_been_removed_selects_nothing() -> None:
    async with Two().run_test(size=(WIDTH, HEIGHT)) as pilot:
        app = pilot.app
        assert isinstance(app, Two)
        left = app.drawings.query_one("#left", LinesView)
        with app.batch_update():  # the next layout is still to come
            await left.remove()
            assert app.drawings.get_widget_at(1, 1)[0] is left
            press = events.MouseDown(None, 1, 1, 0, 0, 1, False, False, False, screen_x=1, screen_y=1)
            app.post_message(press)
            await pilot.pause()
        await pilot.pause()
    assert left.parent is None

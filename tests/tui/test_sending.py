"""What frames send: with every update the terminal shows what the screen is, and no more than that was sent."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.screen import Screen

from d2ltui.tui.sending import Sparing
from d2ltui.tui.widgets.lines import LinesView

WIDTH, HEIGHT = 24, 5
CONSOLE = Console(color_system="truecolor", force_terminal=True)


class Drawings(Sparing, Screen[None]):
    """Two drawings side by side, one in front of both of them, and one below that is only seen in part."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="sides"):
            yield LinesView(id="left")
            yield LinesView(id="right")
        with Vertical(id="cut"):
            yield LinesView(id="part")
        yield LinesView(id="front")


class Two(App[None]):
    """An application of that one screen."""

    CSS = """
    Drawings { layers: below front; }
    #sides { height: 3; }
    #front { layer: front; offset: 8 1; width: 6; height: 1; }
    #cut { height: 2; overflow: hidden; }
    #part { offset: -2 -1; width: 20; height: 4; }
    """

    def get_default_screen(self) -> Drawings:
        return Drawings()

    def show(self, name: str, *texts: str) -> None:
        self.screen.query_one(f"#{name}", LinesView).show([[(0, text)] for text in texts])

    def shown(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]


def listen(patch: pytest.MonkeyPatch) -> list[str]:
    """What an application, which has no terminal here, would send."""
    sent: list[str] = []

    def display(self: App[None], screen: Screen[object], renderable: object) -> None:
        if isinstance(renderable, CompositorUpdate):
            assert not isinstance(renderable, ChopsUpdate)
            sent.append(renderable.render_segments(CONSOLE))

    patch.setattr(App, "_display", display)
    return sent


def text(sequence: str) -> str:
    """What is written of it, without where and how."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(sequence)
    return "|".join(line.strip() for line in screen.display if line.strip())


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


@given(st.lists(st.tuples(names, st.lists(letters, min_size=4, max_size=4)), max_size=8))
@settings(max_examples=40, deadline=None)
async def test_the_terminal_shows_the_screen_after_any_changes(changes: list[tuple[str, list[str]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sent = listen(patch)
        app = Two()
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            await pilot.pause()
            terminal = pyte.Screen(WIDTH, HEIGHT)
            stream = pyte.Stream(terminal)
            for name, lines in changes:
                app.show(name, *lines)
                await pilot.pause()
                stream.feed("".join(sent))
                sent.clear()
                assert [line.rstrip() for line in terminal.display] == [line.rstrip() for line in app.shown()]


async def test_a_character_of_two_cells_is_not_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = listen(monkeypatch)
    app = Two()
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        app.show("left", "漢字漢字")
        await pilot.pause()
        sent.clear()
        app.screen.query_one("#left", LinesView).refresh(Region(3, 0, 2, 1))  # from the second half of 字 on
        await pilot.pause()
        assert "漢字" in "".join(sent)

"""KeysLine: drawn again only where other keys act."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Label

from d2ltui.tui.widgets.keys_line import KeysLine


class Plain(Label, can_focus=True):
    pass


class Editing(Plain):
    BINDINGS = [Binding("enter", "edit", "edit", key_display="enter")]

    def action_edit(self) -> None:
        pass


class Counted(KeysLine):
    drawn = 0

    def _draw_rows(self, crop: Region) -> list[Strip]:
        self.drawn += 1
        return super()._draw_rows(crop)


class Host(App[None]):
    CSS = "Screen { layout: vertical; }"
    BINDINGS = [Binding("q", "quit", "quit", key_display="q")]

    def compose(self) -> ComposeResult:
        yield Plain("one")
        yield Plain("two")
        yield Editing("three")
        yield Counted()


async def test_keys_that_stay_are_not_drawn_again() -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        line = app.screen.query_one(Counted)
        await pilot.pause()
        drawn = line.drawn
        await pilot.press("tab")  # to the second, which has no keys of its own either
        assert line.drawn == drawn
        await pilot.press("tab")
        assert line.drawn > drawn
        text = app.screen._compositor.render_strips()[line.region.y].text
        assert text.split() == ["enter", "edit", "q", "quit"]


async def test_keys_have_their_colour_and_words_theirs() -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        line = app.screen.query_one(KeysLine)
        strip = line.render_line(0)
        colours = {text.strip(): style.color for text, style, _ in strip if style is not None and text.strip()}
        assert colours["q"] != colours["quit"]
        assert strip.cell_length == line.size.width

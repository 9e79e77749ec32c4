"""A text of the form is chosen first, and edited only where one asks for that."""

from __future__ import annotations

import pytest
from person import ENDLESS, TABS, Opener, Person
from textual.widgets import Input

from d2ltui.tui.screens.dialogs import HelpScreen
from d2ltui.tui.widgets.keys_line import KeysLine
from tests.selection import long_after


def edited(person: Person) -> bool:
    """Whether the cursor is in a text."""
    return isinstance(person.main.focused, Input)


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (120, 40), (40, 12)], whole=True))
async def test_tab_never_puts_the_cursor_into_a_text(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({"model": "mlp"}, size=size) as person:
        for key in ("tab",) * 20 + ("shift+tab",) * 20:
            await person.press(key)
            assert not edited(person)
        while person.focused_pane != "form-pane":
            await person.press("tab")
        before = dict(person.setup.state._texts)
        await person.press("z")  # a key, not a letter
        assert person.main._zoomed == "form-pane"
        await person.press("z", "?")
        assert isinstance(person.app.screen, HelpScreen)
        await person.press("escape")
        assert person.setup.state._texts == before


async def test_enter_edits_and_takes_a_digit_replaces_escape_leaves(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}) as person:
        await person.select("hidden")
        await person.press("enter", ",", "8")
        assert person.setup.state["hidden"] == "256,8"
        await person.press("enter")  # takes it, and chooses the next field
        assert not edited(person)
        assert person.main.focused is person.field("activation")
        await person.press("up", "6", "4")
        assert edited(person)
        assert person.setup.state["hidden"] == "64"
        await person.press("escape")
        assert person.main.focused is person.field("hidden")
        await person.press("s")  # a key again
        await person.until_word("paused")
        assert person.live.config.hidden == (64,)
        assert person.main.focused is person.field("hidden")  # to be changed for the next run
        await person.press("x")
        await person.until_word("stopped")


async def test_down_and_up_choose_fields_and_leave_what_is_edited(open_app: Opener) -> None:
    async with open_app({"model": "softmax"}) as person:
        await person.select("lr")
        await person.press("enter", "down")
        assert not edited(person)
        below = person.main.focused
        assert below is not person.field("lr")
        await person.press("up")
        assert person.main.focused is person.field("lr")


async def test_a_click_edits_also_on_the_label(open_app: Opener) -> None:
    async with open_app({"model": "softmax"}) as person:
        for x in (1, 20):
            await person.pilot.click(person.field("lr"), offset=(x, 0))
            await person.settle()
            assert edited(person)
            await person.press("escape")
            assert not edited(person)


async def test_a_digit_and_what_follows_at_once_is_one_number(open_app: Opener) -> None:
    from test_key_queue import arrive

    async with open_app({"model": "softmax"}) as person:
        await person.select("epochs")
        arrive(person.app, "1", "2", "3", "escape", "up")
        await person.until(lambda: not edited(person) and person.setup.state["epochs"] == "123", "the number")


async def test_the_rate_of_a_run_is_changed_from_a_chosen_field(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("s")
        await person.until_word("paused")
        await person.select("lr")
        await person.press(*"0.25", "enter")  # 0 begins
        assert "lr 0.25 from step" in person.status
        assert person.main.focused is person.field("lr")
        await person.press("s")
        await person.until(lambda: person.live.lr == 0.25, "the new rate")


@pytest.mark.parametrize("width", long_after(1, [40, 80, 120]))
async def test_the_footer_says_how_to_edit(open_app: Opener, width: int) -> None:
    async with open_app({"model": "mlp"}, size=(width, 24)) as person:
        await person.select("hidden")
        assert "enter edit" in person.text().splitlines()[-1]


@pytest.mark.parametrize("size", long_after(1, [(20, 5), (80, 24), (60, 15), (40, 12)], whole=True))
async def test_no_key_of_the_footer_is_cut_off(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:
        for keys in ((), ("R",), ("escape", "L"), ("escape",)):
            await person.press(*keys)
            line = person.app.screen.query_one(KeysLine)
            shown = line.render().plain
            assert len(shown) <= size[0]
            assert "? help" in shown
            assert ("esc back" in shown) or ("q quit" in shown)


@pytest.mark.parametrize("size", long_after(1, [(20, 5), (80, 24), (60, 15), (40, 12)], whole=True))
async def test_no_tab_is_cut_off(open_app: Opener, size: tuple[int, int]) -> None:
    from d2ltui.tui.widgets.tabs import TabStrip

    async with open_app(size=size) as person:
        for title in TABS:
            person.main._open_tab(title)
            await person.settle()
            strip = person.main.query_one(TabStrip)
            shown = strip.render().plain
            assert len(shown) <= strip.size.width
            assert shown.rstrip() in person.text().splitlines()[0]
            if size[0] < 40:
                assert title in shown


@pytest.mark.parametrize("size", long_after(1, [(40, 12), (60, 15)], whole=True))
async def test_the_form_of_a_small_terminal_is_one_column_in_which_nothing_is_cut(
    open_app: Opener, size: tuple[int, int]
) -> None:
    async with open_app({"model": "mlp"}, size=size) as person:
        for name in person.shown_fields():
            await person.select(name)
            field = person.field(name)
            await person.until(
                lambda field=field: person.setup.region.contains_region(field.region),  # type: ignore[misc]
                f"{name} on the screen",
            )
            assert field.region.width > size[0] - 8
            assert "…" not in person.text().splitlines()[field.region.y]


@pytest.mark.parametrize("size", long_after(1, [(40, 12), (60, 15), (20, 5)], whole=True))
async def test_what_is_said_leaves_half_of_a_small_terminal(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.press("x")
        assert person.main.query_one("#status").size.height <= size[1] // 2
        if size[0] >= 40:
            assert "nothing is training: ctrl+r begins" in " ".join(person.text().split())
            assert "50 steps" in person.text()
